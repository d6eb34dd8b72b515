"""Every crash point of every scenario: killed before and after each single effect, restarted, compared.

An effect is a request (before and after it reaches the server) or a commit of the store. The scenario is run once to
number them; then once for each number, killed there.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.harness.history import Result
from tests.harness.scenarios import Scenario


@dataclass(frozen=True, slots=True)
class Crash:
    """One crash point and what came of it; ``problems`` is empty when nothing did."""

    scenario: str
    die_at: tuple[int, ...]
    problems: tuple[str, ...]


def points(scenario: Scenario) -> tuple[Result, range]:
    """The undisturbed run, and the numbers of its effects."""
    result = scenario.run()
    return result, range(result.first_effect, result.last_effect + 1)


def crash_everywhere(scenario: Scenario, *, twice: random.Random | None = None) -> Iterator[Crash]:
    """``twice``: a second kill during the recovery, at a drawn effect soon after the first."""
    calm, numbers = points(scenario)
    for number in numbers:
        more = () if twice is None else (number + twice.randrange(1, 12),)
        yield crash(scenario, calm, (number, *more))


def crash(scenario: Scenario, calm: Result, die_at: tuple[int, ...]) -> Crash:
    result = scenario.run(frozenset(die_at))
    problems = list(result.violations)
    if scenario.same_end and not problems and result.seen != calm.seen:
        problems.append(f"ends otherwise: {result.seen} instead of {calm.seen}")
    return Crash(scenario.name, die_at, tuple(problems))
