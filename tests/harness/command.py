"""The command line of the harness."""

from __future__ import annotations

import argparse
import secrets
import time
from collections import Counter

from tests.harness.history import drawn, play


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.harness", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many histories")
    parser.add_argument("--start", type=int, default=None, help="the first seed; without it a fresh one")
    parser.add_argument("--replay", type=int, default=None, help="one seed, with a readable trace")
    parser.add_argument("--stop", type=int, default=10, help="stop after so many failing seeds")
    options = parser.parse_args()
    if options.replay is not None:
        replay(options.replay)
    else:
        run(
            options.seeds,
            options.start if options.start is not None else secrets.randbelow(10**9),
            options.stop,
        )


def replay(seed: int) -> None:
    result = play(drawn(seed), keep=True)
    print("\n".join(result.lines))
    print(drawn(seed))
    for violation in result.violations:
        print("VIOLATION", violation)
    print(
        f"hash {result.digest}, {result.effects} effects, {result.deaths} deaths, {result.virtual_seconds:.0f} s"
    )


def run(seeds: int, start: int, stop: int) -> None:
    began, counts, failed = time.perf_counter(), Counter[str](), 0
    virtual = 0.0
    for seed in range(start, start + seeds):
        result = play(drawn(seed))
        counts.update(result.counts)
        virtual += result.virtual_seconds
        if result.violations:
            failed += 1
            print(f"seed {seed}: {result.violations[:4]}", flush=True)
            if failed >= stop:
                break
    seconds = time.perf_counter() - began
    print(
        f"{seed - start + 1} histories from {start}, {failed} failed, {seconds:.1f} s, virtual {virtual / 3600:.1f} h"
    )
    for name, count in sorted(counts.items()):
        print(f"  {name}: {count}")
