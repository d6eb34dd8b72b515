"""Conflicts that wait for a human, and what was decided (sync rules §5).

A conflict is its values: other values make another conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from daemon.ports import Person
from daemon.store import fuses, people, questions
from daemon.store.questions import CONFLICT, values
from daemon.store.turn import Turn
from statemachine.case import Conflict, ConflictKind, Decision, Keep
from statemachine.standing import Event
from statemachine.states import Trigger

WAITING = (
    "SELECT conflict_id, body, keep, decided_by, at FROM decisions"
    " WHERE espocrm_id = ? AND outcome = 'waiting' ORDER BY id"
)


def open_of(turn: Turn, espocrm_id: str) -> tuple[Conflict, ...]:
    """Decided ones included until a run has carried the decision out."""
    rows = turn.rows("SELECT id, since, body FROM conflicts WHERE espocrm_id = ? ORDER BY id", espocrm_id)
    return tuple(replace(CONFLICT.decode(row[2]), id=row[0], since=row[1]) for row in rows)


def waiting_of(turn: Turn, espocrm_id: str) -> tuple[Decision, ...]:
    """Decisions that no run has carried out yet, oldest first."""
    rows = turn.rows(WAITING, espocrm_id)
    return tuple(
        Decision(replace(CONFLICT.decode(row[1]), id=row[0]), Keep(row[2]), row[3], row[4]) for row in rows
    )


def replace_all(
    turn: Turn,
    espocrm_id: str,
    bet_nr: int,
    conflicts: Sequence[Conflict],
    decided: Iterable[tuple[Decision, str]],
) -> None:
    """What is open after a run. Equal ones keep their id; a decision for one that is gone is void."""
    known: dict[str, int] = dict(turn.rows("SELECT body, id FROM conflicts WHERE espocrm_id = ?", espocrm_id))
    for conflict in conflicts:
        if known.pop(values(conflict), None) is None:
            questions.ask(turn, espocrm_id, bet_nr, conflict)
    for decision, outcome in decided:
        _close(turn, espocrm_id, bet_nr, decision, outcome)
    for conflict_id in known.values():
        _remove(turn, conflict_id)
        _end(turn, conflict_id, "void")


def _remove(turn: Turn, conflict_id: int) -> None:
    turn.do(
        "INSERT INTO closed_conflicts (id, espocrm_id, link_key, closed_at)"
        " SELECT id, espocrm_id, json_extract(body, '$.link_key'), ? FROM conflicts WHERE id = ?",
        turn.now, conflict_id,
    )  # fmt: skip
    turn.do("DELETE FROM conflicts WHERE id = ?", conflict_id)


def successor(turn: Turn, conflict_id: int) -> int | None:
    """The open conflict about the same entry as one that is closed; None when there is none."""
    row = turn.row(
        "SELECT c.id FROM closed_conflicts o JOIN conflicts c ON c.espocrm_id = o.espocrm_id"
        " WHERE o.id = ? AND json_extract(c.body, '$.link_key') IS o.link_key ORDER BY c.id DESC LIMIT 1",
        conflict_id,
    )
    return None if row is None else row[0]


def note(turn: Turn, espocrm_id: str, bet_nr: int, decisions: Iterable[Decision]) -> None:
    """Decided just now, by the policy, and about to be carried out: whatever comes in between, the history knows what
    lost (§5)."""
    for decision in decisions:
        _add(turn, espocrm_id, bet_nr, decision, "waiting")


def _close(turn: Turn, espocrm_id: str, bet_nr: int, decision: Decision, outcome: str) -> None:
    """A decision of the policy belongs to no stored conflict: it is known by its values."""
    one = (espocrm_id, values(decision.conflict), decision.keep, decision.by)
    if decision.conflict.id and turn.do(
        "UPDATE decisions SET outcome = ?, closed_at = ? WHERE espocrm_id = ? AND body = ? AND keep = ?"
        " AND decided_by = ? AND conflict_id = ? AND at = ? AND outcome IN ('waiting', 'replaced')",
        outcome, turn.now, *one, decision.conflict.id, decision.at,
    ):  # fmt: skip
        return
    known = turn.do(
        "UPDATE decisions SET outcome = ?, closed_at = ? WHERE espocrm_id = ? AND body = ? AND keep = ?"
        " AND decided_by = ? AND outcome = 'waiting'",
        outcome, turn.now, *one,
    )  # fmt: skip
    if not known:
        _add(turn, espocrm_id, bet_nr, decision, outcome)


def _end(turn: Turn, conflict_id: int, outcome: str) -> int:
    return turn.do(
        "UPDATE decisions SET outcome = ?, closed_at = ? WHERE conflict_id = ? AND outcome = 'waiting'",
        outcome, turn.now, conflict_id,
    )  # fmt: skip


def _add(turn: Turn, espocrm_id: str, bet_nr: int, decision: Decision, outcome: str) -> None:
    turn.do(
        "INSERT INTO decisions (espocrm_id, bet_nr, conflict_id, at, keep, decided_by, outcome, closed_at, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        espocrm_id, bet_nr, decision.conflict.id, decision.at or turn.now, decision.keep, decision.by, outcome,
        None if outcome == "waiting" else turn.now, values(decision.conflict),
    )  # fmt: skip


def decide(turn: Turn, conflict_id: int, keep: Keep, by: str) -> Person | None:
    """None when there is no such open conflict. Until it is carried out the last word counts."""
    row = turn.row("SELECT espocrm_id, bet_nr, body FROM conflicts WHERE id = ?", conflict_id)
    person = people.find(turn, row[0]) if row is not None else None
    if row is None or person is None:
        return None
    _end(turn, conflict_id, "replaced")
    conflict = replace(CONFLICT.decode(row[2]), id=conflict_id)
    fuses.ask_again(turn, row[0], row[1], conflict.link_key, conflict.emptied)
    _add(turn, row[0], row[1], Decision(conflict, keep, by, turn.now), "waiting")
    return people.shift(turn, person, Event(Trigger.DECIDED, f"{keep} by {by}"))


def decide_many(turn: Turn, ids: Sequence[int], keep: Keep, by: str) -> list[int]:
    """All in one transaction; those that were open."""
    return [one for one in ids if decide(turn, one, keep, by) is not None]


def betnr_decided(decided: Iterable[tuple[Decision, str]]) -> bool:
    """Whether a change of betnr was decided, and that is carried out."""
    return any(
        outcome == "done" and one.conflict.kind is ConflictKind.BETNR_CHANGED for one, outcome in decided
    )


def betnr_settled(
    conflicts: Iterable[Conflict], decided: Iterable[tuple[Decision, str]], first: bool
) -> bool:
    """Whether the old pair's base has had its use: the change of betnr was decided, or the new pair agrees."""
    if betnr_decided(decided):
        return True
    return not first and all(one.kind is not ConflictKind.BETNR_CHANGED for one in conflicts)
