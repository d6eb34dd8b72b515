"""The states of a Beteiligte and the table of its transitions; data only.

Theory. A Beteiligte is ``clean`` while both sides agree with the base. Whatever may have changed makes it ``dirty`` and
due; a worker picks it, and for as long as the lease lasts it is ``syncing``. Every run ends in exactly one way:
verified (``synced``), with something still pending (``look_again``), with something only a human can decide
(``conflict_found``), with an error of this record (``attempt_failed``, ``gave_up``), or without having had a
chance (``postponed``, ``interrupted``). An outage costs nobody an attempt, so ``postponed`` leads back to
``dirty`` and not to ``failed``. What happens *during* a run is noted, and the row is due again when the run ends.
Commands of people are accepted in every state in which they can mean something (a clean
Beteiligte has nothing to decide); every state has a way out.

``statemachine/machine.py`` executes this table; nothing else changes a state. The diagram in the README is drawn
from it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    CLEAN = "clean"
    DIRTY = "dirty"
    SYNCING = "syncing"
    CONFLICT = "conflict"
    FAILED = "failed"
    PERMANENTLY_FAILED = "permanently_failed"


class Trigger(StrEnum):
    CHANGE_SEEN = "change_seen"
    PICKED = "picked"
    SYNCED = "synced"
    LOOK_AGAIN = "look_again"
    CONFLICT_FOUND = "conflict_found"
    DECIDED = "decided"
    ATTEMPT_FAILED = "attempt_failed"
    GAVE_UP = "gave_up"
    POSTPONED = "postponed"
    INTERRUPTED = "interrupted"
    AUTO_RESET = "auto_reset"
    ASKED = "asked"
    DISCOVERED = "discovered"
    UNTRACKED = "untracked"


#: Before ``discovered`` and after ``untracked`` there is no row.
NOWHERE = None


class Transition(NamedTuple):
    source: State | None
    trigger: Trigger
    target: State | None
    why: str


_AT_REST = (State.CLEAN, State.DIRTY, State.FAILED, State.PERMANENTLY_FAILED, State.CONFLICT)


def _from(
    sources: tuple[State, ...], trigger: Trigger, target: State | None, why: str
) -> tuple[Transition, ...]:
    return tuple(Transition(source, trigger, target, why) for source in sources)


TABLE: tuple[Transition, ...] = (
    Transition(
        NOWHERE, Trigger.DISCOVERED, State.DIRTY, "a CBeteiligte with a betnr is seen for the first time"
    ),
    *_from(_AT_REST, Trigger.CHANGE_SEEN, State.DIRTY, "its content differs from what was last seen"),
    Transition(State.SYNCING, Trigger.CHANGE_SEEN, State.SYNCING, "noted; due again when the run ends"),
    *_from((State.DIRTY, State.FAILED), Trigger.PICKED, State.SYNCING, "a worker takes the lease"),
    Transition(State.SYNCING, Trigger.SYNCED, State.CLEAN, "both sides were read and agree with the base"),
    Transition(State.SYNCING, Trigger.LOOK_AGAIN, State.DIRTY, "something is pending and wants another look"),
    Transition(State.SYNCING, Trigger.CONFLICT_FOUND, State.CONFLICT, "at least one entry waits for a human"),
    *_from(
        (State.CONFLICT, State.DIRTY, State.FAILED, State.PERMANENTLY_FAILED),
        Trigger.DECIDED,
        State.DIRTY,
        "an operator decided",
    ),
    Transition(State.SYNCING, Trigger.DECIDED, State.SYNCING, "noted; due again when the run ends"),
    Transition(State.SYNCING, Trigger.ATTEMPT_FAILED, State.FAILED, "an error of this record that may heal"),
    Transition(
        State.SYNCING, Trigger.GAVE_UP, State.PERMANENTLY_FAILED, "attempts used up, or it cannot heal"
    ),
    Transition(
        State.SYNCING, Trigger.POSTPONED, State.DIRTY, "a side is down or we stop: no attempt counted"
    ),
    Transition(
        State.SYNCING, Trigger.INTERRUPTED, State.DIRTY, "the lease of a dead process was found at start"
    ),
    Transition(State.PERMANENTLY_FAILED, Trigger.AUTO_RESET, State.FAILED, "a new round of attempts begins"),
    *_from(_AT_REST, Trigger.ASKED, State.DIRTY, "a person asked for it"),
    Transition(State.SYNCING, Trigger.ASKED, State.SYNCING, "noted; due again when the run ends"),
    *_from(
        (*_AT_REST, State.SYNCING), Trigger.UNTRACKED, NOWHERE, "the record or its betnr is gone, confirmed"
    ),
)
