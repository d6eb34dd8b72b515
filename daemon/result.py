"""What a run tells the worker for its log line and the metrics.

Made by :mod:`daemon.sync`; frozen, and without contact data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from daemon.ending import Ending
from daemon.ports import Person
from statemachine.case import Case, Conflict, ConflictKind, Variant
from statemachine.model import Side
from statemachine.plan import Plan
from statemachine.standing import Standing
from statemachine.states import State, Trigger

_RESULTS = {
    Trigger.SYNCED: "clean",
    Trigger.LOOK_AGAIN: "dirty",
    Trigger.CONFLICT_FOUND: "conflict",
    Trigger.ATTEMPT_FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class SyncResult:
    """``person`` None: no longer tracked. ``result``: label of ``sync_runs_total``. ``writes``: one for each entry
    written. ``lag``: side and Unix stamp of a change that is now on both sides."""

    person: Person | None
    result: str
    writes: tuple[tuple[Side, Variant], ...] = ()
    suppressed: tuple[tuple[Side, int], ...] = ()
    unknown_outcomes: tuple[Side, ...] = ()
    conflicts_found: tuple[ConflictKind, ...] = ()
    decided: tuple[str, ...] = ()
    quarantined: int = 0
    lag: tuple[Side, float] | None = None


def result_of(
    person: Person | None,
    before: Standing,
    case: Case,
    end: Ending,
    made: Plan,
    count: Counter[tuple[Side, Variant]],
    unknown: Sequence[Side],
) -> SyncResult:
    """``before``: the standing that the run began with; ``case``: what was remembered then."""
    known = {_question(conflict) for conflict in case.conflicts}
    parked = {mark.subject for mark in case.parked}
    return SyncResult(
        person,
        _result(person, end),
        writes=tuple(count.elements()),
        suppressed=tuple((side, end.suppressed) for side in Side if end.suppressed),
        unknown_outcomes=tuple(unknown),
        conflicts_found=tuple(c.kind for c in made.conflicts if _question(c) not in known),
        decided=tuple(decision.by for decision, what in end.decided if what == "done"),
        quarantined=sum(1 for p in made.parked if p.reason == "quarantined" and p.subject not in parked),
        lag=_lag(before, end),
    )


def _result(person: Person | None, end: Ending) -> str:
    gave_up = person is not None and person.standing.state is State.PERMANENTLY_FAILED
    result = _RESULTS[end.event.trigger]
    return "permanently_failed" if gave_up and result == "failed" else result


def _lag(before: Standing, end: Ending) -> tuple[Side, float] | None:
    in_sync = end.event.trigger in (Trigger.SYNCED, Trigger.CONFLICT_FOUND)
    if not in_sync or before.unsynced_since is None:
        return None
    return Side(before.change_side or Side.ESPOCRM), before.unsynced_since


def _question(conflict: Conflict) -> tuple[object, ...]:
    return (conflict.kind, conflict.link_key, conflict.espocrm, conflict.advoware)
