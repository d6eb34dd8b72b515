"""Waits grow, never come early beyond the jitter, and end (advoware.md §6 rows 2 and 3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachine import retry

SCHEDULE = (60.0, 300.0, 900.0, 3600.0, 14400.0)


@pytest.mark.parametrize(
    ("failure", "seconds"), [(1, 60), (2, 300), (3, 900), (4, 3600), (5, 14400), (6, None), (100, None)]
)
def test_the_schedule_and_its_end(failure: int, seconds: float | None) -> None:
    assert retry.wait(failure, SCHEDULE, 0) == seconds


def test_an_empty_schedule_gives_up_at_once() -> None:
    assert retry.wait(1, (), 0) is None


@pytest.mark.parametrize(("jitter", "seconds"), [(-1, 48), (-0.5, 54), (0, 60), (1, 72)])
def test_jitter_is_a_fifth(jitter: float, seconds: float) -> None:
    assert retry.wait(1, SCHEDULE, jitter) == pytest.approx(seconds)
    assert retry.pause(3, 15, 300, jitter) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("attempt", "seconds"),
    [(1, 15), (2, 30), (3, 60), (4, 120), (5, 240), (6, 300), (7, 300), (100_000, 300)],
)
def test_probes_of_a_side_that_is_down(attempt: int, seconds: float) -> None:
    assert retry.pause(attempt, 15, 300, 0) == seconds


@pytest.mark.parametrize("count", [0, -1])
def test_there_is_nothing_before_the_first(count: int) -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        retry.wait(count, SCHEDULE, 0)
    with pytest.raises(ValueError, match="counted from 1"):
        retry.pause(count, 15, 300, 0)


@given(st.integers(1, 5), st.floats(-1, 1))
def test_a_wait_stays_near_its_place(failure: int, jitter: float) -> None:
    seconds = retry.wait(failure, SCHEDULE, jitter)
    assert seconds is not None
    assert SCHEDULE[failure - 1] * 0.799 <= seconds <= SCHEDULE[failure - 1] * 1.201
