"""The command line of the harness: random histories, one of them again, crash points, planted bugs, a real process."""

from __future__ import annotations

import argparse
import multiprocessing
import random
import secrets
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

from tests.harness import real
from tests.harness.bugs import BUGS, Catch, caught
from tests.harness.crashes import crash_everywhere
from tests.harness.history import Result, drawn, play
from tests.harness.misfortune import Mood
from tests.harness.scenarios import SCENARIOS
from tests.harness.town import Plan

#: After so many histories the command says how far it is.
_TELL = 1000
A = TypeVar("A")
B = TypeVar("B")


def main() -> None:
    """Exit 1 when anything was violated, or a planted bug went unnoticed."""
    options = _parser().parse_args()
    start = options.start if options.start is not None else secrets.randbelow(10**9)
    if options.real is not None:
        bad = _real(options.real, start)
    elif options.bugs is not None:
        bad = _bugs(options.bugs or list(BUGS), options.seeds, options.jobs)
    elif options.scenario:
        bad = _show(SCENARIOS[options.scenario].run(frozenset(options.die_at), keep=True))
    elif options.crashes is not None:
        bad = _crashes(options.crashes or list(SCENARIOS), options.twice, options.jobs)
    elif options.replay is not None:
        bad = _replay(options.replay, options.moves, options.minimise)
    else:
        bad = _random(range(start, start + options.seeds), options.moves, options.stop, options.jobs)
    sys.exit(1 if bad else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.harness", description=__doc__)
    add = parser.add_argument
    add("--seeds", type=int, default=100, help="how many random histories (with --bugs: for each)")
    add("--start", type=int, help="the first seed; without it a fresh one")
    add("--jobs", type=int, default=1, help="processes at the same time")
    add("--stop", type=int, default=10, help="stop after so many failing seeds")
    add("--moves", action="store_true", help="staff also move values between their entries in Advoware")
    add("--replay", type=int, metavar="SEED", help="one history with a readable trace")
    add("--minimise", action="store_true", help="with --replay: leave out what it fails without")
    add("--scenario", choices=sorted(SCENARIOS), metavar="NAME", help="one scenario with its trace")
    add("--die-at", type=int, nargs="*", default=[], help="with --scenario: killed at these effects")
    add("--crashes", nargs="*", metavar="NAME", help="all crash points of these scenarios, or of all")
    add("--twice", action="store_true", help="with --crashes: a second kill during the recovery")
    add("--bugs", nargs="*", metavar="NAME", help="plant these bugs, or all; each must be noticed")
    add("--real", type=int, metavar="KILLS", help="a real process on real HTTP, killed so often")
    return parser


def _map(jobs: int, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """In order of completion."""
    if jobs <= 1:
        yield from map(work, items)
        return
    with multiprocessing.Pool(jobs, maxtasksperchild=200) as pool:
        yield from pool.imap_unordered(work, items)


# -- random histories ----------------------------------------------------------------------------------------------


def _random(seeds: range, moves: bool, stop: int, jobs: int) -> int:
    began, counts, failed, done, virtual, trampled = time.perf_counter(), Counter[str](), 0, 0, 0.0, 0
    widths: list[float] = []
    print(f"histories from seed {seeds.start}", flush=True)
    with suppress(KeyboardInterrupt):  # what has been lived through until then counts
        for result in _map(jobs, partial(_history, moves=moves), seeds):
            done, virtual, trampled = done + 1, virtual + result.virtual_seconds, trampled + result.trampled
            counts.update(result.counts)
            counts["effects"] += result.effects
            if done % _TELL == 0:
                print(f"{done} histories, {failed} failed, {time.perf_counter() - began:.0f} s", flush=True)
            widths += result.widths
            if result.violations:
                failed += 1
                print(f"seed {result.seed}: {result.violations[:4]}", flush=True)
                if failed >= stop:
                    break
    seconds = time.perf_counter() - began
    print(f"{done} histories, {failed} failed, {seconds:.0f} s, {virtual / 3600:.0f} h of virtual time")
    print(f"{len(widths)} writes, {trampled} of them over an edit that could not be known; {_wide(widths)}")
    for name, count in sorted(counts.items()):
        print(f"  {name}: {count}")
    return failed


def _wide(widths: list[float]) -> str:
    """How old the read was that a write rested on when it took effect, in virtual time with all its misfortune."""
    if len(widths) < 2:
        return "too few to say how wide that corner is"
    cuts = statistics.quantiles(widths, n=100)
    return f"half of the reads were younger than {cuts[49]:.2f} s, 99 % than {cuts[98]:.2f} s"


def _history(seed: int, moves: bool) -> Result:
    return play(replace(drawn(seed), moves=moves))


def _replay(seed: int, moves: bool, minimise: bool) -> int:
    plan = replace(drawn(seed), moves=moves)
    plan = _minimal(plan) if minimise else plan
    print(plan)
    return _show(play(plan, keep=True))


def _minimal(plan: Plan) -> Plan:
    """Leave out one kind of misfortune after the other for as long as something is still violated."""
    simpler: list[Callable[[Plan], Plan]] = [
        lambda one: replace(one, outages=()),
        lambda one: replace(one, stops=()),
        lambda one: replace(one, clocks=()),
        lambda one: replace(one, operator=False),
        lambda one: replace(one, lose_store_at=None),
        lambda one: replace(one, save_seconds=0.0, hook_seconds=0.0),
        lambda one: replace(one, optimistic=False),
        lambda one: replace(one, mood=replace(one.mood, dies=0.0)),
        lambda one: replace(one, mood=Mood(until=one.mood.until)),
        *(_without(kind) for kind in {**plan.mood.reads, **plan.mood.writes}),
        *(lambda one, n=n: replace(one, edits=n) for n in (1, 2, 3, 5, 8, 12, 20, 30)),  # type: ignore[misc]
    ]
    for make in simpler:
        tried = make(plan)
        if tried != plan and play(tried).violations:
            plan = tried
    return plan


def _without(kind: str) -> Callable[[Plan], Plan]:
    def make(plan: Plan) -> Plan:
        reads = {name: rate for name, rate in plan.mood.reads.items() if name != kind}
        writes = {name: rate for name, rate in plan.mood.writes.items() if name != kind}
        return replace(plan, mood=replace(plan.mood, reads=reads, writes=writes))

    return make


def _show(result: Result) -> int:
    print("\n".join(result.lines))
    for violation in result.violations:
        print("VIOLATION", violation)
    print(
        f"hash {result.digest}, {result.effects} effects, {result.deaths} deaths, {result.virtual_seconds:.0f} s"
    )
    return len(result.violations)


# -- crash points, planted bugs, the real process ------------------------------------------------------------------


def _crashes(names: list[str], twice: bool, jobs: int) -> int:
    began, tried, bad = time.perf_counter(), 0, 0
    for name, points, problems in _map(jobs, _twice if twice else _once, names):
        tried, bad = tried + points, bad + len(problems)
        print(f"{name}: {points} crash points, {len(problems)} bad", flush=True)
        for problem in problems[:4]:
            print(f"   {problem}", flush=True)
    print(f"{tried} crash points of {len(names)} scenarios, {bad} bad, {time.perf_counter() - began:.0f} s")
    return bad


def _once(name: str) -> tuple[str, int, list[str]]:
    return _every_point(name, None)


def _twice(name: str) -> tuple[str, int, list[str]]:
    return _every_point(name, random.Random(name))


def _every_point(name: str, twice: random.Random | None) -> tuple[str, int, list[str]]:
    found = list(crash_everywhere(SCENARIOS[name], twice=twice))
    problems = [
        f"--scenario {name} --die-at {' '.join(map(str, one.die_at))}: {list(one.problems[:2])}"
        for one in found
        if one.problems
    ]
    return name, len(found), problems


def _bugs(names: list[str], seeds: int, jobs: int) -> int:
    found: list[Catch] = []
    for catch in _map(jobs, _bug, [(name, seeds) for name in names]):
        found.append(catch)
        print(
            f"{'noticed' if catch.by else 'UNNOTICED'} {catch.bug}: {catch.by} {catch.problem}"[:240],
            flush=True,
        )
    missed = sum(1 for catch in found if not catch.by)
    print(f"\n{'planted bug':<58} {'histories':>9}  noticed by")
    for catch in found:
        print(f"{catch.bug:<58} {catch.tried:>9}  {catch.by or '-'}")
    print(f"{len(names)} planted bugs, {missed} unnoticed")
    return missed


def _bug(task: tuple[str, int]) -> Catch:
    name, seeds = task
    try:
        return caught(BUGS[name], seeds=seeds)
    except (AttributeError, KeyError) as error:
        return Catch(name, "", 0, f"NOTHING TO BREAK: {BUGS[name].where} ({error})")


def _real(kills: int, seed: int) -> int:
    outcome = real.run(kills, seed)
    print("\n".join(outcome.lines))
    print(f"seed {seed}: {outcome}")
    return len(outcome.violations)
