"""What people see: lists, conflicts, held deletions, sums. Read-only, and every page starts from an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from daemon.store import fuses, leases, links, people, questions
from daemon.store.turn import Row, Turn
from statemachine.case import Conflict, Fuse, Hold
from statemachine.model import Side
from statemachine.standing import Event
from statemachine.states import State, Trigger


@dataclass(frozen=True, slots=True)
class Listing:
    """One line of ``kommsync list``. ``next_attempt_at``: when it is due or reset; None: never by itself."""

    bet_nr: int
    espocrm_id: str
    state: State
    reason: str
    since: float
    attempts: int
    next_attempt_at: float | None
    paused_until: float | None = None


@dataclass(frozen=True, slots=True)
class OpenConflict:
    """A conflict that nobody has decided yet. ``state`` is where its person stands."""

    espocrm_id: str
    bet_nr: int
    conflict: Conflict


@dataclass(frozen=True, slots=True)
class HeldDeletion:
    """A deletion that waits for the operator: the entry vanished from ``side``."""

    espocrm_id: str
    bet_nr: int
    side: Side
    link_key: str
    base_value: str
    hold: Hold
    since: float


@dataclass(frozen=True, slots=True)
class BlownFuse:
    """``reason`` and ``at``: why and when it came to be what it is."""

    side: Side
    fuse: Fuse
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Sums:
    """What status and metrics count. ``oldest_unsynced``: when the oldest change that is not yet on both sides was
    made; ``oldest_look``: the oldest look at Advoware, 0 while one is missing. Both None when there is none."""

    tracked: int
    links: int
    conflicts_open: int
    pending_deletions: int
    held_deletions: int
    unsyncable: int
    parked: int
    empty_slots: int
    oldest_unsynced: float | None
    oldest_look: float | None
    fuses: tuple[tuple[Side, Fuse], ...]


_LISTED = "bet_nr, espocrm_id, state, reason, since, attempts, due_at, paused_until"
_AFTER = "(bet_nr, espocrm_id) > (?, ?) ORDER BY bet_nr, espocrm_id LIMIT ?"
LIST_ALL = f"SELECT {_LISTED} FROM persons WHERE {_AFTER}"  # noqa: S608 - ours
LIST_STATE = f"SELECT {_LISTED} FROM persons WHERE state = ? AND {_AFTER}"  # noqa: S608 - ours
#: Whoever was given up waits for a human, not for us: he is counted and alerted by his state, not by the lag.
OLDEST_UNSYNCED = (
    "SELECT min(unsynced_since) FROM persons WHERE unsynced_since > 0 AND state != 'permanently_failed'"
)
FAILED = "SELECT espocrm_id FROM persons WHERE state IN ('failed', 'permanently_failed') LIMIT ?"
_UNDECIDED = "NOT EXISTS (SELECT 1 FROM decisions d WHERE d.conflict_id = c.id AND d.outcome = 'waiting')"
_CONFLICT = "SELECT id, since, body, espocrm_id, bet_nr FROM conflicts c"
_CONFLICTS = f"{_CONFLICT} WHERE {_UNDECIDED}"
_PENDING = (
    "SELECT count(*) FROM (SELECT espocrm_id, link_key, side FROM pending"
    " UNION SELECT espocrm_id, link_key, side FROM vanished WHERE hold IN ('pending', 'held'))"
)


def listing(turn: Turn, state: State | None, after: tuple[int, str], limit: int) -> list[Listing]:
    rows = (
        turn.rows(LIST_ALL, *after, limit) if state is None else turn.rows(LIST_STATE, state, *after, limit)
    )
    return [Listing(row[0], row[1], State(row[2]), *row[3:]) for row in rows]


def open_conflicts(turn: Turn, bet_nr: int | None) -> list[OpenConflict]:
    if bet_nr is None:
        rows = turn.rows(f"{_CONFLICTS} ORDER BY id")
    else:
        rows = turn.rows(f"{_CONFLICTS} AND bet_nr = ? ORDER BY id", bet_nr)
    return [_open_conflict(row) for row in rows]


def conflict(turn: Turn, conflict_id: int) -> OpenConflict | None:
    """By id, decided or not; None when it is closed or never was."""
    row = turn.row(f"{_CONFLICT} WHERE id = ?", conflict_id)
    return None if row is None else _open_conflict(row)


def _open_conflict(row: Row) -> OpenConflict:
    return OpenConflict(row[3], row[4], replace(questions.CONFLICT.decode(row[2]), id=row[0], since=row[1]))


def held(turn: Turn) -> list[HeldDeletion]:
    rows = turn.rows(
        "SELECT espocrm_id, bet_nr, side, link_key, base_value, hold, since FROM vanished WHERE hold = 'held'"
        " ORDER BY side, bet_nr, link_key"
    )
    return [HeldDeletion(row[0], row[1], Side(row[2]), row[3], row[4], Hold(row[5]), row[6]) for row in rows]


def fuse_details(turn: Turn) -> list[BlownFuse]:
    """Of every side that ever blew."""
    rows = turn.rows("SELECT side, fuse, reason, at FROM fuses ORDER BY side")
    return [BlownFuse(Side(row[0]), Fuse(row[1]), row[2], row[3]) for row in rows]


def sums(turn: Turn, tracked: int) -> Sums:
    oldest = turn.row(OLDEST_UNSYNCED)
    return Sums(
        tracked=tracked,
        links=links.total(turn, "links"),
        conflicts_open=turn.number(f"SELECT count(*) FROM conflicts c WHERE {_UNDECIDED}"),  # noqa: S608 - ours
        pending_deletions=turn.number(_PENDING),
        held_deletions=turn.number("SELECT count(*) FROM vanished WHERE hold = 'held'"),
        unsyncable=turn.number("SELECT count(*) FROM findings WHERE what = 'unsyncable'"),
        parked=turn.number("SELECT count(*) FROM findings WHERE what = 'parked'"),
        empty_slots=links.total(turn, "empty_slots"),
        oldest_unsynced=None if oldest is None else oldest[0],
        oldest_look=leases.oldest_look(turn),
        fuses=fuses.states(turn),
    )


def ask(turn: Turn, espocrm_ids: Sequence[str], reason: str) -> int:
    """``retry``, ``resume``: how many of them are tracked."""
    event = Event(Trigger.ASKED, reason)
    return sum(people.ask(turn, espocrm_id, event) is not None for espocrm_id in espocrm_ids)


def ask_failed(turn: Turn, reason: str, limit: int) -> int:
    """The next ones of ``retry --all-failed``; 0 when none is left."""
    rows = turn.rows(
        "SELECT espocrm_id FROM persons WHERE state IN ('failed', 'permanently_failed') LIMIT ?", limit
    )
    return ask(turn, [row[0] for row in rows], reason)


def change_everybody(turn: Turn, reason: str, after_id: str, limit: int) -> str | None:
    """Our configuration changed: everybody is due. The last id of this slice; None when all are done."""
    persons = leases.scan_slice(turn, after_id, limit)
    for person in persons:
        people.shift(turn, person, Event(Trigger.CHANGE_SEEN, reason))
    return persons[-1].espocrm_id if persons else None
