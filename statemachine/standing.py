"""Where one Beteiligte stands: its state and everything that moves together with it, as a pure function.

Called by the store inside the transaction that writes the log row. Time and jitter come in as numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from statemachine import retry
from statemachine.machine import advance
from statemachine.states import State, Trigger


@dataclass(frozen=True, slots=True)
class Standing:
    """``due_at``: when a worker may pick it (dirty, failed), or when it is reset (permanently_failed); None: never.
    ``noted``: something happened during the run. ``unsynced_since``: when the oldest change that is not yet on
    both sides was made, for the lag; None when there is none. ``change_side``: where it was seen."""

    state: State
    reason: str
    since: float
    due_at: float | None
    attempts: int = 0
    noted: bool = False
    unsynced_since: float | None = None
    change_side: str | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """[retry_schedule_seconds] and [auto_reset_seconds]."""

    retries: Sequence[float] = (60, 300, 900, 3600, 14400)
    auto_reset: float = 86400


@dataclass(frozen=True, slots=True)
class Event:
    """One trigger with what it says. ``due_at``: when ``look_again`` or ``postponed`` want another look.
    ``unsynced``: ``look_again`` leaves a change undone that is not a deletion waiting for its second look; the lag
    clock runs on. ``changed_at``: the stamp of the change behind ``discovered``/``change_seen``. ``jitter`` in [-1, 1].
    """

    trigger: Trigger
    reason: str = ""
    due_at: float | None = None
    unsynced: bool = False
    changed_at: float | None = None
    side: str | None = None
    jitter: float = 0.0


def move(standing: Standing | None, event: Event, now: float, schedule: Schedule) -> Standing | None:
    """The standing after ``event``; None when the Beteiligte is no longer tracked.

    ``attempt_failed`` becomes ``gave_up`` by itself when the schedule is used up. Whatever leaves
    ``syncing`` while something was noted goes on to ``dirty``, due now. Raises ContractBroken.
    """
    if standing is None:
        advance(None, event.trigger)
        return _dirty(State.DIRTY, event, now, None)
    event = _give_up_when_used_up(standing, event, schedule)
    target = advance(standing.state, event.trigger)
    if target is None:
        return None
    if target is State.SYNCING and standing.state is State.SYNCING:
        return _remember_change(replace(standing, noted=True), event, now)
    after = _arrive(standing, target, event, now, schedule)
    if standing.state is State.SYNCING and standing.noted:
        return replace(
            after,
            state=State.DIRTY,
            due_at=now,
            noted=False,
            attempts=0,
            unsynced_since=standing.unsynced_since,
            change_side=standing.change_side,
        )
    return after


def _give_up_when_used_up(standing: Standing, event: Event, schedule: Schedule) -> Event:
    if event.trigger is Trigger.ATTEMPT_FAILED and standing.attempts >= len(schedule.retries):
        return replace(event, trigger=Trigger.GAVE_UP)
    return event


def _arrive(standing: Standing, target: State, event: Event, now: float, schedule: Schedule) -> Standing:
    moved = replace(standing, state=target, reason=event.reason, since=_since(standing, target, now))
    match event.trigger:
        case Trigger.CHANGE_SEEN | Trigger.ASKED | Trigger.DECIDED | Trigger.DISCOVERED:
            return _dirty(target, event, now, standing)
        case Trigger.PICKED:
            return replace(moved, due_at=None, noted=False, reason=standing.reason)
        case Trigger.SYNCED:
            return replace(moved, due_at=None, attempts=0, unsynced_since=None, change_side=None)
        case Trigger.CONFLICT_FOUND:
            return replace(moved, due_at=None, attempts=0, unsynced_since=None, change_side=None)
        case Trigger.LOOK_AGAIN if not event.unsynced:
            return replace(moved, due_at=event.due_at or now, unsynced_since=None, change_side=None)
        case Trigger.ATTEMPT_FAILED:
            wait = retry.wait(standing.attempts + 1, schedule.retries, event.jitter) or 0.0
            return replace(moved, due_at=now + wait, attempts=standing.attempts + 1)
        case Trigger.GAVE_UP:
            return replace(moved, due_at=now + schedule.auto_reset, attempts=standing.attempts + 1)
        case Trigger.AUTO_RESET:
            return replace(moved, due_at=now, attempts=0)
        case _:
            return replace(moved, due_at=event.due_at or now)


def _dirty(target: State, event: Event, now: float, before: Standing | None) -> Standing:
    fresh = Standing(
        target,
        event.reason,
        _since(before, target, now),
        now,
        unsynced_since=before.unsynced_since if before else None,
        change_side=before.change_side if before else None,
    )
    return _remember_change(fresh, event, now)


def _remember_change(standing: Standing, event: Event, now: float) -> Standing:
    """Only a change that was seen starts the lag clock, and the oldest one counts."""
    if event.trigger not in (Trigger.CHANGE_SEEN, Trigger.DISCOVERED) or standing.unsynced_since is not None:
        return standing
    stamp = min(event.changed_at, now) if event.changed_at is not None else now
    return replace(standing, unsynced_since=stamp, change_side=event.side)


def _since(before: Standing | None, target: State, now: float) -> float:
    return before.since if before is not None and before.state is target else now
