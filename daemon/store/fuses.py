"""The mass-deletion fuse of each side: what vanished, what is held, what was carried out (sync rules §9).

The count lives in the rows, so it survives a restart. A deletion is identified by person, link and base value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from daemon.ports import GuardLimits
from daemon.store import links, people
from daemon.store.turn import Turn
from statemachine.case import REJECTED, Fuse, Hold, Vanished
from statemachine.guard import exceeds
from statemachine.model import Side
from statemachine.standing import Event
from statemachine.states import Trigger

_OF_PERSON = (
    "SELECT link_key, side, base_value, hold, since FROM vanished"
    " WHERE espocrm_id = ? AND bet_nr = ? ORDER BY since"
)
COUNTED = (
    "SELECT count(*) FROM vanished WHERE side = ? AND hold IN ('pending', 'held', 'carried') AND since > ?"
)
#: Allowed, and its link is still there: the process died, or the side went away, before it was sent.
_UNDONE = (
    "hold = 'carried' AND EXISTS (SELECT 1 FROM links WHERE links.espocrm_id = vanished.espocrm_id"
    " AND links.bet_nr = vanished.bet_nr AND links.key = vanished.link_key)"
)
#: Something new was held too (a restored EspoCRM), or a question got no Task while a fuse was blown.
_SILENT = (
    "SELECT espocrm_id FROM persons WHERE state = 'conflict' OR (state = 'clean' AND reason LIKE '%fuse%')"
)
#: Rejected, but its entry has been decided about since; ?5 NULL: all that vanished from a side.
_REJECTED_BEFORE = (
    "UPDATE vanished SET hold = ?1 WHERE espocrm_id = ?2 AND bet_nr = ?3 AND side = ?4"
    " AND (?5 IS NULL OR link_key = ?5) AND hold IN ('rejected', 'reverted')"
)
UNDECIDED = "SELECT count(*), max(since) FROM vanished WHERE side = ? AND hold IN ('pending', 'held')"
_ONE = "espocrm_id = ? AND bet_nr = ? AND link_key = ? AND side = ? AND base_value = ?"


@dataclass(frozen=True, slots=True)
class ShownList:
    """A list of held deletions as somebody saw it: how many, and when (Unix seconds)."""

    number: int
    at: float


def state(turn: Turn, side: Side) -> Fuse:
    row = turn.row("SELECT fuse FROM fuses WHERE side = ?", side)
    return Fuse.INTACT if row is None else Fuse(row[0])


def states(turn: Turn) -> tuple[tuple[Side, Fuse], ...]:
    return tuple((side, state(turn, side)) for side in Side)


def of_person(turn: Turn, espocrm_id: str, bet_nr: int) -> tuple[Vanished, ...]:
    """Oldest first, those that were carried out within the window included."""
    rows = turn.rows(_OF_PERSON, espocrm_id, bet_nr)
    return tuple(Vanished(row[0], Side(row[1]), row[2], Hold(row[3]), row[4]) for row in rows)


def register(
    turn: Turn, espocrm_id: str, bet_nr: int, vanished: Sequence[Vanished], guard: GuardLimits
) -> None:
    """What a run found vanished. What came back is forgotten unless it was carried out; a fuse blows when the new
    ones are too many. What a decision gives back is rejected and counts no more."""
    since = turn.now - guard.window_seconds
    turn.do("DELETE FROM vanished WHERE hold = 'carried' AND since <= ?", since)
    known = {
        (one.link_key, one.side, one.base_value): one.hold for one in of_person(turn, espocrm_id, bet_nr)
    }
    listed = {(one.link_key, one.side, one.base_value): one.hold for one in vanished}
    back = [key for key, hold in known.items() if key not in listed and hold is not Hold.CARRIED]
    turn.many(f"DELETE FROM vanished WHERE {_ONE}", ((espocrm_id, bet_nr, *key) for key in back))  # noqa: S608
    rejected = [key for key, hold in listed.items() if hold in REJECTED]
    for key in rejected:
        _put(turn, espocrm_id, bet_nr, *key, listed[key])
    fresh = [key for key in listed if key not in known and key not in rejected]
    _add(turn, espocrm_id, bet_nr, fresh)
    for side in sorted({side for _, side, _ in fresh}):
        _blow_if_too_many(turn, side, guard, since)


def _add(turn: Turn, espocrm_id: str, bet_nr: int, keys: Iterable[tuple[str, Side, str]]) -> None:
    for link_key, side, base_value in keys:
        hold = Hold.PENDING if state(turn, side) is Fuse.INTACT else Hold.HELD
        _put(turn, espocrm_id, bet_nr, link_key, side, base_value, hold)


def _put(
    turn: Turn, espocrm_id: str, bet_nr: int, link_key: str, side: Side, base_value: str, hold: Hold
) -> None:
    turn.do(
        "INSERT INTO vanished (espocrm_id, bet_nr, link_key, side, base_value, hold, since)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET hold = excluded.hold",
        espocrm_id, bet_nr, link_key, side, base_value, hold, turn.now,
    )  # fmt: skip


def _blow_if_too_many(turn: Turn, side: Side, guard: GuardLimits, since: float) -> None:
    if state(turn, side) is not Fuse.INTACT:
        return
    count, total = turn.number(COUNTED, side, since), links.total(turn, "links")
    if exceeds(count, total, guard.max_deletions, guard.max_deletion_share):
        blow(turn, side, Fuse.DELETIONS, f"{count} of {total} entries vanished")


def blow(turn: Turn, side: Side, fuse: Fuse, reason: str) -> None:
    """What waits for confirmation, or was allowed and is not done, is held from now on; of a restored EspoCRM what was
    rejected and is not written back, too: it may show anything by now. A fuse that is blown for everything stays so."""
    if state(turn, side) is Fuse.EVERYTHING:
        return
    _set(turn, side, fuse, reason)
    anew = "'pending', 'rejected', 'reverted'" if fuse is Fuse.EVERYTHING else "'pending'"
    turn.do(f"UPDATE vanished SET hold = 'held' WHERE side = ? AND (hold IN ({anew}) OR {_UNDONE})", side)  # noqa: S608


def _set(turn: Turn, side: Side, fuse: Fuse, reason: str) -> None:
    turn.do(
        "INSERT OR REPLACE INTO fuses (side, fuse, reason, at) VALUES (?, ?, ?, ?)",
        side,
        fuse,
        reason,
        turn.now,
    )


def settle(turn: Turn, side: Side, approve: bool, by: str, shown: ShownList | None = None) -> int:
    """Exactly the listed deletions are approved or rejected, their persons asked; the fuse is intact again. 0, and
    nothing is done, when there are others by now than were ``shown``: who decides has seen a list."""
    if state(turn, side) is Fuse.INTACT:
        return 0
    if shown is not None and not _are_those(turn, side, shown):
        return 0
    refused = Hold.REVERTED if state(turn, side) is Fuse.EVERYTHING else Hold.REJECTED
    hold, reason = (Hold.APPROVED, "deletions_approved") if approve else (refused, "deletions_rejected")
    rows = turn.rows(
        "UPDATE vanished SET hold = ? WHERE side = ? AND hold IN ('pending', 'held') RETURNING espocrm_id",
        hold,
        side,
    )
    _set(turn, side, Fuse.INTACT, f"{reason} by {by}")
    for espocrm_id in sorted({row[0] for row in (*rows, *turn.rows(_SILENT))}):
        person = people.find(turn, espocrm_id)
        if person is not None:
            people.shift(turn, person, Event(Trigger.ASKED, f"{reason} by {by}"))
    return len(rows)


def _are_those(turn: Turn, side: Side, shown: ShownList) -> bool:
    row = turn.row(UNDECIDED, side)
    return row is not None and row[0] == shown.number and (row[1] is None or row[1] <= shown.at)


def ask_again(turn: Turn, espocrm_id: str, bet_nr: int, link_key: str | None, side: Side | None) -> None:
    """A human decides about this entry, or about all that vanished from this side: his last word counts, not that its
    deletion was rejected before."""
    for one in Side if side is None else (side,):
        hold = Hold.PENDING if state(turn, one) is Fuse.INTACT else Hold.HELD
        turn.do(_REJECTED_BEFORE, hold, espocrm_id, bet_nr, one, link_key)


def may_delete(turn: Turn, espocrm_id: str, link_key: str, side: Side) -> bool:
    """The last question before a deletion is carried out. An approved one stays approved: it is not counted again."""
    person = people.find(turn, espocrm_id)
    if person is None:
        return False
    pair = (espocrm_id, person.bet_nr)
    found = [one for one in of_person(turn, *pair) if one.link_key == link_key and one.side is side]
    hold = found[-1].hold if found else Hold.PENDING
    if hold is Hold.APPROVED:
        return True
    if hold in REJECTED or state(turn, side) is not Fuse.INTACT:
        return False
    if found:
        key = (*pair, link_key, side, found[-1].base_value)
        turn.do(f"UPDATE vanished SET hold = 'carried' WHERE {_ONE}", *key)  # noqa: S608 - ours
    else:
        _put(turn, *pair, link_key, side, _base_value(turn, *pair, link_key), Hold.CARRIED)
    return True


def _base_value(turn: Turn, espocrm_id: str, bet_nr: int, link_key: str) -> str:
    """A deletion that follows from a decision was never registered; it counts all the same (§5)."""
    row = turn.row(
        "SELECT canonical FROM links WHERE espocrm_id = ? AND bet_nr = ? AND key = ?",
        espocrm_id,
        bet_nr,
        link_key,
    )
    return "" if row is None else row[0]
