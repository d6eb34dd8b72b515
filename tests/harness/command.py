"""The command line of the harness."""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time
from collections import Counter

from tests.harness import real
from tests.harness.bugs import BUGS, caught
from tests.harness.crashes import crash_everywhere
from tests.harness.history import Result, drawn, play
from tests.harness.scenarios import SCENARIOS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.harness", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many histories")
    parser.add_argument("--start", type=int, default=None, help="the first seed; without it a fresh one")
    parser.add_argument("--replay", type=int, default=None, help="one seed, with a readable trace")
    parser.add_argument("--stop", type=int, default=10, help="stop after so many failing seeds")
    parser.add_argument(
        "--crashes", nargs="*", default=None, metavar="SCENARIO", help="all crash points of these"
    )
    parser.add_argument("--twice", action="store_true", help="with a second kill during the recovery")
    parser.add_argument(
        "--scenario", help="one scenario with a readable trace; --die-at 12 13 kills it there"
    )
    parser.add_argument("--die-at", type=int, nargs="*", default=[])
    parser.add_argument(
        "--bugs", nargs="*", metavar="BUG", help="plant these bugs, or all; each must be caught"
    )
    parser.add_argument("--real", type=int, metavar="KILLS", help="a real process, killed so often")
    options = parser.parse_args()
    if options.real is not None:
        outcome = real.run(
            options.real, options.start if options.start is not None else secrets.randbelow(10**9)
        )
        print(outcome)
        return sys.exit(1 if outcome.violations else 0)
    if options.bugs is not None:
        return bugs(options.bugs or list(BUGS), options.seeds)
    if options.scenario:
        return show(SCENARIOS[options.scenario].run(frozenset(options.die_at), keep=True))
    if options.crashes is not None:
        return crash(options.crashes or list(SCENARIOS), options.twice)
    if options.replay is not None:
        replay(options.replay)
    else:
        run(
            options.seeds,
            options.start if options.start is not None else secrets.randbelow(10**9),
            options.stop,
        )


def crash(names: list[str], twice: bool) -> None:
    began, tried, bad = time.perf_counter(), 0, 0
    for name in names:
        chance = random.Random(name) if twice else None
        found = list(crash_everywhere(SCENARIOS[name], twice=chance))
        tried, problems = tried + len(found), [one for one in found if one.problems]
        bad += len(problems)
        print(f"{name}: {len(found)} crash points, {len(problems)} bad", flush=True)
        for one in problems[:4]:
            print(
                f"   --scenario {name} --die-at {' '.join(map(str, one.die_at))}: {one.problems[:2]}",
                flush=True,
            )
    print(f"{tried} crash points of {len(names)} scenarios, {bad} bad, {time.perf_counter() - began:.0f} s")


def bugs(names: list[str], seeds: int) -> None:
    missed = 0
    for name in names:
        try:
            found = caught(BUGS[name], seeds=seeds)
        except (AttributeError, KeyError) as error:
            print(f"NO SUCH TARGET {name}: {BUGS[name].where} {error}", flush=True)
            missed += 1
            continue
        missed += not found.by
        print(
            f"{'caught' if found.by else 'MISSED'} {name}: after {found.tried} by {found.by}: {found.problem[:150]}",
            flush=True,
        )
    print(f"{len(names)} planted bugs, {missed} missed")


def replay(seed: int) -> None:
    print(drawn(seed))
    show(play(drawn(seed), keep=True))


def show(result: Result) -> None:
    print("\n".join(result.lines))
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
