"""What waits for a human, page by page: conflicts, held deletions, entries that are not synced.

Read by the page for people, which must be quick at any size: every statement walks an index and stops at its limit,
and nothing here reads more than what it shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from daemon.store import desk, leases, links, questions
from daemon.store.desk import BlownFuse, HeldDeletion, OpenConflict
from daemon.store.turn import Row, Turn
from statemachine.case import ConflictKind, Hold, Keep, Parked, Unsyncable
from statemachine.model import Side

#: Where a page of findings begins: (EspoCRM id, place) of the last line of the page before.
Place = tuple[str, int]
FIRST_PLACE: Place = ("", -1)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open conflict; ``decided``: what somebody decided that no run has carried out yet. ``base_advoware``: the
    base as Advoware spelt it, None where there is none."""

    open: OpenConflict
    decided: Keep | None = None
    base_advoware: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """An entry that is left out: parked, or unsyncable."""

    espocrm_id: str
    bet_nr: int
    place: Place
    found: Parked | Unsyncable


@dataclass(frozen=True, slots=True)
class Glance:
    """How much waits, in numbers. ``oldest_unsynced``, ``oldest_look``: as in :class:`daemon.store.desk.Sums`."""

    conflicts: dict[ConflictKind, int]
    unsyncable: int
    parked: int
    held: dict[Side, int]
    fuses: tuple[BlownFuse, ...]
    oldest_unsynced: float | None
    oldest_look: float | None

    @property
    def open_conflicts(self) -> int:
        return sum(self.conflicts.values())


_PARKED = msgspec.json.Decoder(Parked)
_UNSYNCABLE = msgspec.json.Decoder(Unsyncable)
_DECODERS: dict[str, msgspec.json.Decoder[Parked] | msgspec.json.Decoder[Unsyncable]] = {
    "parked": _PARKED,
    "unsyncable": _UNSYNCABLE,
}
_DECIDED = (
    "(SELECT d.keep FROM decisions d WHERE d.espocrm_id = c.espocrm_id AND d.outcome = 'waiting'"
    " AND d.conflict_id = c.id ORDER BY d.id DESC LIMIT 1)"
)
_LINK = (
    "(SELECT l.body FROM links l WHERE l.espocrm_id = c.espocrm_id AND l.bet_nr = c.bet_nr"
    " AND l.key = json_extract(c.body, '$.link_key'))"
)
_SHOWN = f"SELECT c.id, c.since, c.body, c.espocrm_id, c.bet_nr, {_DECIDED}, {_LINK} FROM conflicts c"  # noqa: S608
_KIND = "json_extract(c.body, '$.kind')"
ALL_CONFLICTS = f"{_SHOWN} WHERE c.id > ? ORDER BY c.id LIMIT ?"
CONFLICTS_OF_KIND = (
    f"{_SHOWN} INDEXED BY conflicts_by_kind WHERE {_KIND} = ? AND c.id > ? ORDER BY c.id LIMIT ?"
)
ONE_CONFLICT = f"{_SHOWN} WHERE c.id = ?"
COUNT_CONFLICTS = f"SELECT count(*) FROM conflicts c INDEXED BY conflicts_by_kind WHERE {_KIND} = ?"  # noqa: S608 - ours
FINDINGS = (
    "SELECT f.espocrm_id, p.bet_nr, f.place, f.body FROM findings f INDEXED BY findings_by_what"
    " JOIN persons p ON p.espocrm_id = f.espocrm_id"
    " WHERE f.what = ? AND (f.espocrm_id, f.place) > (?, ?) ORDER BY f.espocrm_id, f.place LIMIT ?"
)
COUNT_FINDINGS = "SELECT count(*) FROM findings WHERE what = ?"
HELD = (
    "SELECT espocrm_id, bet_nr, side, link_key, base_value, hold, since FROM vanished INDEXED BY vanished_held"
    " WHERE side = ? AND hold = 'held' AND (bet_nr, link_key) > (?, ?) ORDER BY bet_nr, link_key LIMIT ?"
)
COUNT_HELD = "SELECT count(*) FROM vanished INDEXED BY vanished_held WHERE side = ? AND hold = 'held'"


def glance(turn: Turn) -> Glance:
    oldest = turn.row(desk.OLDEST_UNSYNCED)
    return Glance(
        conflicts={kind: turn.number(COUNT_CONFLICTS, kind) for kind in ConflictKind},
        unsyncable=turn.number(COUNT_FINDINGS, "unsyncable"),
        parked=turn.number(COUNT_FINDINGS, "parked"),
        held={side: count_held(turn, side) for side in Side},
        fuses=tuple(desk.fuse_details(turn)),
        oldest_unsynced=None if oldest is None else oldest[0],
        oldest_look=leases.oldest_look(turn),
    )


def conflict_page(turn: Turn, kind: ConflictKind | None, after_id: int, limit: int) -> list[Waiting]:
    """By id, which is by age; decided ones included until they are carried out."""
    if kind is None:
        return [_waiting(row) for row in turn.rows(ALL_CONFLICTS, after_id, limit)]
    return [_waiting(row) for row in turn.rows(CONFLICTS_OF_KIND, kind, after_id, limit)]


def some_conflicts(turn: Turn, ids: tuple[int, ...]) -> list[Waiting]:
    """Those of them that are still open, in this order."""
    found = (turn.row(ONE_CONFLICT, one) for one in ids)
    return [_waiting(row) for row in found if row is not None]


def _waiting(row: Row) -> Waiting:
    conflict = replace(questions.CONFLICT.decode(row[2]), id=row[0], since=row[1])
    rows = () if row[6] is None else links.LINK.decode(row[6]).rows
    return Waiting(
        OpenConflict(row[3], row[4], conflict),
        None if row[5] is None else Keep(row[5]),
        rows[0].tlf if rows else None,
    )


def finding_page(turn: Turn, what: str, after: Place, limit: int) -> list[Finding]:
    """``what``: parked or unsyncable. By EspoCRM id, so that a person's entries stay together."""
    decoder = _DECODERS[what]
    rows = turn.rows(FINDINGS, what, *after, limit)
    return [Finding(row[0], row[1], (row[0], row[2]), decoder.decode(row[3])) for row in rows]


def held_page(turn: Turn, side: Side, after: tuple[int, str], limit: int) -> list[HeldDeletion]:
    """``after``: (betNr, link key) of the last line of the page before."""
    rows = turn.rows(HELD, side, *after, limit)
    return [HeldDeletion(row[0], row[1], Side(row[2]), row[3], row[4], Hold(row[5]), row[6]) for row in rows]


def count_held(turn: Turn, side: Side) -> int:
    return turn.number(COUNT_HELD, side)
