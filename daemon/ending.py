"""How a run ends: which transition, which decisions are done, which journal lines are settled (states, sync rules §8).

Called by :mod:`daemon.sync` with the last plan of a run. Pure but for its inputs; no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass

from statemachine import effects, looks, marker
from statemachine.case import Conflict, Decision, Outcome, Variant, Write
from statemachine.decide import Action, same_conflict
from statemachine.errors import Modified
from statemachine.model import Side
from statemachine.plan import Plan
from statemachine.rebase import key_of
from statemachine.situation import Situation
from statemachine.standing import Event
from statemachine.states import State, Trigger

#: After an answer that never came: look again when the write has had time to show itself.
_UNKNOWN_PAUSE = 60.0
#: Something is left to write but had to wait for this run to end.
_SOON = 0.5
#: So often may somebody save just before us.
_PATIENCE = 3


@dataclass(frozen=True, slots=True)
class Ending:
    """``conflicts``: those that stay open, decided ones that wait to be carried out among them. ``status``: what
    EspoCRM should show, None: leave it. ``suppressed``: entries on which both sides agreed without us."""

    event: Event
    conflicts: tuple[Conflict, ...]
    decided: tuple[tuple[Decision, str], ...]
    settled: tuple[int, ...]
    came: tuple[int, ...]
    status: str | None
    suppressed: int


def ending(made: Plan, situation: Situation, used: tuple[Decision, ...], unknown: bool, now: float) -> Ending:
    """``used``: every decision that a plan of this run followed. ``unknown``: a write has an unknown outcome."""
    event = _event(made, situation, unknown, now)
    status = {Trigger.SYNCED: State.CLEAN.value, Trigger.CONFLICT_FOUND: State.CONFLICT.value}.get(
        event.trigger
    )
    suppressed = sum(1 for entry in made.entries if entry.action is Action.AGREE)
    return Ending(
        event,
        _open(made, situation),
        _decided(made, used),
        _settled(made, situation),
        effects.came(situation),
        status,
        suppressed,
    )


def _event(made: Plan, situation: Situation, unknown: bool, now: float) -> Event:
    if unknown:
        again = _unanswered_again(situation)
        if again is not None:
            return Event(Trigger.ATTEMPT_FAILED, "unknown_outcome", side=again.side.value)
        return Event(Trigger.LOOK_AGAIN, "unknown_outcome", now + _UNKNOWN_PAUSE, unsynced=True)
    if _refused_again(situation):
        return Event(Trigger.ATTEMPT_FAILED, Modified.reason, side=Side.ESPOCRM.value)
    if not made.idle:
        return Event(Trigger.LOOK_AGAIN, "more_to_write", now + _SOON, unsynced=True)
    if made.look_again_at is not None:
        due_at = max(made.look_again_at, now + _SOON)
        return Event(Trigger.LOOK_AGAIN, "second_look", due_at, unsynced=made.unsynced)
    if made.conflicts:
        kinds = sorted({conflict.kind.value for conflict in made.conflicts})
        return Event(Trigger.CONFLICT_FOUND, ", ".join(kinds))
    problems = sorted({entry.problem for entry in made.entries if entry.problem})
    return Event(Trigger.SYNCED, ", ".join(problems))


def _refused_again(situation: Situation) -> bool:
    """EspoCRM's 409 to the same change again and again, in this run too: an error of this record (states). Refused
    values are none: those are left out."""
    refused: dict[str, list[Write]] = {}
    for write in situation.case.writes:
        if write.side is Side.ESPOCRM and write.variant is not Variant.STATUS:
            # a wish that somebody's save kept out is journalled as not sent: it has one attempt only (wishes)
            kept_out = (write.variant, write.outcome) == (Variant.WISH, Outcome.NOT_SENT)
            if write.outcome is Outcome.REFUSED or kept_out:
                refused.setdefault(write.gives, []).append(write)
            elif write.outcome is Outcome.DONE:
                refused.pop(write.gives, None)
    return not situation.one_at_a_time and any(
        len(writes) >= _PATIENCE and not writes[-1].settled and gives not in situation.refused
        for gives, writes in refused.items()
    )


def _unanswered_again(situation: Situation) -> Write | None:
    """The first unknown outcome is read again. When the same is tried again and not answered again, while the side
    answers everything else, it is an error of this record, with the waits of one (states, *500 for this record*)."""
    tried: set[str] = set()
    for write in situation.case.writes:
        if write.variant is Variant.STATUS or write.outcome not in (Outcome.DONE, Outcome.UNKNOWN):
            continue
        if write.outcome is Outcome.DONE:
            tried.discard(write.gives)
        elif write.gives in tried and not write.settled:
            return write
        else:
            tried.add(write.gives)
    return None


def _open(made: Plan, situation: Situation) -> tuple[Conflict, ...]:
    """A conflict that an operator has decided goes with its decision, not before."""
    waiting = [decision.conflict for decision in made.decided if not made.idle]
    asked = [one for one in waiting if any(same_conflict(one, known) for known in situation.case.conflicts)]
    return (
        *made.conflicts,
        *(one for one in asked if not any(same_conflict(one, conflict) for conflict in made.conflicts)),
    )


def _decided(made: Plan, used: tuple[Decision, ...]) -> tuple[tuple[Decision, str], ...]:
    """A decision is done when it was followed and its conflict is no longer there, whatever else of the Beteiligte
    waits: no later run would know of it; so is one that an earlier run carried out, whatever this one came to. One made
    for other values is void (§5)."""
    still = list(made.conflicts)
    if not made.idle:
        still += [decision.conflict for decision in made.decided]
    done = [one for one in used if not any(same_conflict(one.conflict, conflict) for conflict in still)]
    done += [one for one in made.carried_out if one not in done]
    void = () if made.waits or not made.idle else made.void
    return (
        *((decision, "done") for decision in done),
        *((decision, "void") for decision in void if decision not in used),
    )


def _settled(made: Plan, situation: Situation) -> tuple[int, ...]:
    """All that the base accounts for; a write without effect stays open until it is parked or nobody has the value any
    more, a POST without an answer for as long as its row may still come to light, any other for as long as its row may
    only be missing in a list that was not whole."""
    parked = {mark.subject for mark in made.parked}
    tried = (w for w in situation.case.writes if w.id in made.not_taken and _has_a_holder(w, situation))
    stubborn = {w.id for w in tried if w.gives not in parked}
    linked = {link.key for link in made.base.links}
    return tuple(
        w.id
        for w in situation.case.writes
        if not w.settled
        and w.id not in stubborn
        and not (_is_lost(w, situation) and key_of(w) not in linked)
        and not _is_hidden(w, situation)
    )


def _has_a_holder(write: Write, situation: Situation) -> bool:
    """Otherwise it will not be tried again."""
    shown = write.after or write.before
    values = [row.tlf for row in situation.advoware.rows]
    values += [item.value for item in situation.espocrm.items(write.kind)]
    known = {situation.canonical(value, write.kind) for value in values}
    return shown is not None and situation.canonical(shown.value, write.kind) in known


def _is_hidden(write: Write, situation: Situation) -> bool:
    """Later its row will tell whether it had effect, and nothing else will: an emptied row that staff type into is no
    edit of what was there before."""
    shown = {row.id for row in situation.advoware.rows}
    return (
        write.advoware_id is not None
        and write.operation != "post"
        and write.outcome in (Outcome.UNKNOWN, None)
        and write.side is Side.ADVOWARE
        and write.advoware_id not in shown
        and looks.ROWS not in situation.settled
    )


def _is_lost(write: Write, situation: Situation) -> bool:
    """Its marker will tell its row from any that staff make."""
    return (
        write.operation == "post"
        and write.outcome in (Outcome.UNKNOWN, None)
        and write.after is not None
        and marker.read(write.after.bemerkung)[0] is not None
        and situation.now - write.at < situation.rules.late_effect
    )
