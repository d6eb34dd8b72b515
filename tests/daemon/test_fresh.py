"""Looks that may serve as the load of a sync (sync-rules §8)."""

from __future__ import annotations

import pytest

from daemon.fresh import FreshLooks
from statemachine.model import AdvowareRecord
from tests.daemon.store.building import HandClock


def look(clock: HandClock, bet_nr: int = 7) -> AdvowareRecord:
    return AdvowareRecord(bet_nr, (), (), clock.now(), clock.now() + 1)


@pytest.mark.parametrize(("age", "taken"), [(0, True), (5, True), (5.1, False), (-60, False)])
def test_its_age_counts_from_the_asking(age: float, taken: bool) -> None:
    """A clock that was set back makes no look young again."""
    clock = HandClock()
    fresh = FreshLooks(clock, 5.0)
    fresh.put("a", look(clock))
    clock.time += age
    assert (fresh.take("a", 7) is not None) is taken


def test_of_another_pair_it_is_worth_nothing() -> None:
    clock = HandClock()
    fresh = FreshLooks(clock, 5.0)
    fresh.put("a", look(clock))
    assert fresh.take("a", 8) is None


def test_it_never_holds_the_firm() -> None:
    clock = HandClock()
    fresh = FreshLooks(clock, 5.0)
    for number in range(1000):
        fresh.put(str(number), look(clock))
    held = [number for number in range(1000) if fresh.take(str(number), 7)]
    assert held == list(range(936, 1000))
