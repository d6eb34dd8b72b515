"""What moves together with a state: due time, attempts, notes, the lag clock (states)."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from statemachine.errors import ContractBroken
from statemachine.machine import advance
from statemachine.standing import Event, Schedule, Standing, move
from statemachine.states import State, Trigger

NOW = 1_000_000.0
SCHEDULE = Schedule()


def standing(state: State, **changes: object) -> Standing:
    return replace(Standing(state, "why", NOW - 500, NOW - 100), **changes)  # type: ignore[arg-type]


def moved(before: Standing | None, trigger: Trigger, now: float = NOW, **event: object) -> Standing:
    after = move(before, Event(trigger, **event), now, SCHEDULE)  # type: ignore[arg-type]
    assert after is not None
    return after


@pytest.mark.parametrize(("state", "trigger"), list(product(State, Trigger)))
def test_it_moves_as_the_table_says(state: State, trigger: Trigger) -> None:
    try:
        target = advance(state, trigger)
    except ContractBroken:
        with pytest.raises(ContractBroken):
            move(standing(state), Event(trigger), NOW, SCHEDULE)
        return
    after = move(standing(state), Event(trigger), NOW, SCHEDULE)
    assert (after.state if after else None) is target


def test_discovered() -> None:
    fresh = moved(None, Trigger.DISCOVERED, reason="first seen", changed_at=NOW - 5, side="espocrm")
    assert fresh == Standing(
        State.DIRTY, "first seen", NOW, NOW, unsynced_since=NOW - 5, change_side="espocrm"
    )
    with pytest.raises(ContractBroken):
        move(None, Event(Trigger.PICKED), NOW, SCHEDULE)


@pytest.mark.parametrize("state", [State.CLEAN, State.FAILED, State.PERMANENTLY_FAILED, State.CONFLICT])
@pytest.mark.parametrize("trigger", [Trigger.CHANGE_SEEN, Trigger.ASKED, Trigger.DECIDED])
def test_a_change_or_a_wish_is_due_now_with_attempts_at_zero(state: State, trigger: Trigger) -> None:
    if (state, trigger) == (State.CLEAN, Trigger.DECIDED):
        return
    after = moved(standing(state, attempts=4, due_at=NOW + 9999), trigger, reason="edit")
    assert (after.state, after.due_at, after.attempts, after.reason) == (State.DIRTY, NOW, 0, "edit")
    assert after.since == NOW


def test_backoff_of_the_predecessors_record() -> None:
    """#2: 1/5/15/60/240 min, the sixth failure gives up, reset after 24 h; #3: never before its time."""
    now, row = NOW, standing(State.SYNCING)
    for attempt, wait in enumerate((60, 300, 900, 3600, 14400), start=1):
        row = moved(row, Trigger.ATTEMPT_FAILED, now, reason="server_error")
        assert (row.state, row.due_at, row.attempts) == (State.FAILED, now + wait, attempt)
        now = row.due_at or 0
        row = moved(row, Trigger.PICKED, now)
        assert (row.state, row.due_at, row.attempts) == (State.SYNCING, None, attempt)
    row = moved(row, Trigger.ATTEMPT_FAILED, now)
    assert (row.state, row.due_at) == (State.PERMANENTLY_FAILED, now + 86400)
    row = moved(row, Trigger.AUTO_RESET, now + 86400)
    assert (row.state, row.due_at, row.attempts) == (State.FAILED, now + 86400, 0)


@pytest.mark.parametrize(("jitter", "wait"), [(-1, 48), (0, 60), (1, 72)])
def test_jitter(jitter: float, wait: float) -> None:
    after = moved(standing(State.SYNCING), Trigger.ATTEMPT_FAILED, jitter=jitter)
    assert after.due_at == pytest.approx(NOW + wait)


def test_giving_up_at_once() -> None:
    after = moved(standing(State.SYNCING), Trigger.GAVE_UP, reason="missing_in_advoware")
    assert (after.state, after.due_at, after.attempts) == (State.PERMANENTLY_FAILED, NOW + 86400, 1)


@pytest.mark.parametrize("trigger", [Trigger.POSTPONED, Trigger.INTERRUPTED])
def test_an_outage_costs_no_attempt(trigger: Trigger) -> None:
    after = moved(standing(State.SYNCING, attempts=3, unsynced_since=NOW - 50), trigger, due_at=NOW + 30)
    assert (after.state, after.due_at, after.attempts) == (State.DIRTY, NOW + 30, 3)
    assert after.unsynced_since == NOW - 50, "the change is still not on both sides"
    assert moved(standing(State.SYNCING), trigger).due_at == NOW


@pytest.mark.parametrize("trigger", [Trigger.SYNCED, Trigger.CONFLICT_FOUND])
def test_a_finished_run_is_due_no_more(trigger: Trigger) -> None:
    after = moved(standing(State.SYNCING, attempts=2, unsynced_since=1.0, change_side="espocrm"), trigger)
    assert (after.due_at, after.attempts, after.unsynced_since, after.change_side) == (None, 0, None, None)


def test_another_look_is_no_unsynced_change() -> None:
    after = moved(standing(State.SYNCING, unsynced_since=1.0), Trigger.LOOK_AGAIN, due_at=NOW + 60)
    assert (after.state, after.due_at, after.unsynced_since) == (State.DIRTY, NOW + 60, None)
    assert moved(standing(State.SYNCING), Trigger.LOOK_AGAIN).due_at == NOW


def test_another_look_at_a_change_that_could_not_be_carried_out_keeps_the_lag_clock() -> None:
    before = standing(State.SYNCING, unsynced_since=1.0, change_side="advoware")
    after = moved(before, Trigger.LOOK_AGAIN, due_at=NOW + 60, unsynced=True)
    assert (after.state, after.due_at) == (State.DIRTY, NOW + 60)
    assert (after.unsynced_since, after.change_side) == (1.0, "advoware")


def test_picked_forgets_old_notes_and_keeps_the_reason() -> None:
    after = moved(standing(State.DIRTY, noted=True), Trigger.PICKED)
    assert (after.state, after.noted, after.reason, after.since) == (State.SYNCING, False, "why", NOW)


@pytest.mark.parametrize("note", [Trigger.CHANGE_SEEN, Trigger.DECIDED, Trigger.ASKED])
@pytest.mark.parametrize(
    "end",
    [
        Trigger.SYNCED,
        Trigger.LOOK_AGAIN,
        Trigger.CONFLICT_FOUND,
        Trigger.ATTEMPT_FAILED,
        Trigger.GAVE_UP,
        Trigger.POSTPONED,
        Trigger.INTERRUPTED,
    ],
)
def test_what_happens_during_a_run_is_noted(note: Trigger, end: Trigger) -> None:
    """Whatever leaves syncing: if something was noted meanwhile, the row is dirty, due now."""
    noted = moved(standing(State.SYNCING), note, changed_at=NOW - 3, side="advoware")
    assert (noted.state, noted.noted) == (State.SYNCING, True)
    after = moved(noted, end, due_at=NOW + 1000)
    assert (after.state, after.due_at, after.noted) == (State.DIRTY, NOW, False)
    wanted = (NOW - 3, "advoware") if note is Trigger.CHANGE_SEEN else (None, None)
    assert (after.unsynced_since, after.change_side) == wanted


def test_a_noted_end_untracks_all_the_same() -> None:
    assert move(standing(State.SYNCING, noted=True), Event(Trigger.UNTRACKED), NOW, SCHEDULE) is None


def test_a_change_noted_in_a_failing_run_starts_attempts_anew() -> None:
    """change_seen: attempts start at 0."""
    for end in (Trigger.ATTEMPT_FAILED, Trigger.GAVE_UP):
        assert moved(standing(State.SYNCING, noted=True, attempts=5), end).attempts == 0


def test_the_lag_clock_runs_from_the_oldest_change() -> None:
    first = moved(standing(State.CLEAN), Trigger.CHANGE_SEEN, changed_at=NOW - 60, side="espocrm")
    second = moved(first, Trigger.CHANGE_SEEN, NOW + 5, changed_at=NOW - 1, side="advoware")
    assert (second.unsynced_since, second.change_side) == (NOW - 60, "espocrm")
    future = moved(standing(State.CLEAN), Trigger.CHANGE_SEEN, changed_at=NOW + 60)
    assert future.unsynced_since == NOW, "a partner's clock may be ahead"
    unknown = moved(standing(State.CLEAN), Trigger.CHANGE_SEEN)
    assert unknown.unsynced_since == NOW
    asked = moved(standing(State.CLEAN), Trigger.ASKED, changed_at=NOW - 60)
    assert asked.unsynced_since is None, "only a change that was seen"


def test_since_tells_how_long_the_state_lasts() -> None:
    assert moved(standing(State.DIRTY), Trigger.CHANGE_SEEN).since == NOW - 500
    assert moved(standing(State.CLEAN), Trigger.CHANGE_SEEN).since == NOW
