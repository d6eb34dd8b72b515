"""Who is due, who has whom, and whose turn it is in the sweep and the scan. The due index is the timer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from daemon.ports import Person
from daemon.store import people
from daemon.store.turn import Turn
from statemachine.standing import Event
from statemachine.states import State, Trigger

_DUE = (
    "p.state IN ('dirty', 'failed') AND p.due_at <= ?1 AND (p.paused_until IS NULL OR p.paused_until <= ?1)"
)
LEASE = f"{people.selected_by('persons_due')} WHERE {_DUE} ORDER BY p.due_at LIMIT ?2"
_THESE = "p.espocrm_id IN (SELECT value FROM json_each(?3))"
LEASE_ONLY = f"{people.SELECTED} WHERE {_THESE} AND {_DUE} ORDER BY p.due_at LIMIT ?2"
NEXT_DUE = (
    "SELECT due_at FROM persons INDEXED BY persons_due WHERE state IN ('dirty', 'failed') AND due_at IS NOT NULL"
    " AND (paused_until IS NULL OR paused_until <= ?) ORDER BY due_at LIMIT 1"
)
NEXT_RESUMED = (
    "SELECT min(max(due_at, paused_until)) FROM persons INDEXED BY persons_paused"
    " WHERE paused_until > ? AND paused_until < 9e15 AND state IN ('dirty', 'failed')"
)
#: Who waits for his first sync is looked at by it.
SWEEP = (
    f"{people.SELECTED_BY_LOOK} WHERE l.advoware_at < ? AND NOT (l.advoware_at = 0 AND p.state = 'dirty')"
    " ORDER BY l.advoware_at LIMIT ?"
)
LEASED = f"{people.SELECTED} WHERE p.state = ? AND p.owner IS NOT ?"
OLDEST_LOOK = "SELECT min(advoware_at) FROM looks"
SCAN = f"{people.SELECTED} WHERE p.espocrm_id > ? ORDER BY p.espocrm_id LIMIT ?"
RESET = (
    f"{people.selected_by('persons_reset')}"
    " WHERE p.state = 'permanently_failed' AND p.due_at <= ? ORDER BY p.due_at LIMIT ?"
)
PARKED_LONG_AGO = (
    "SELECT DISTINCT f.espocrm_id FROM findings f INDEXED BY findings_by_what JOIN persons p USING (espocrm_id)"
    " WHERE f.what = 'parked' AND json_extract(f.body, '$.since') <= ? AND p.state IN ('clean', 'conflict') LIMIT ?"
)
#: Whoever came to be what he is in the future, and the looks made then: our clock has been set back since.
_DUE_LATER = "due_at > ?1 AND since > ?1 + 1"
FROM_THE_FUTURE = (
    f"SELECT espocrm_id FROM persons INDEXED BY persons_due WHERE state IN ('dirty', 'failed') AND {_DUE_LATER}",  # noqa: S608
    f"SELECT espocrm_id FROM persons INDEXED BY persons_reset WHERE state = 'permanently_failed' AND {_DUE_LATER}",  # noqa: S608
)
#: Whoever was to be picked at once when the clock was ahead, dirty since long before.
DUE_AT_ONCE_IN_THE_FUTURE = (
    "SELECT p.espocrm_id FROM persons p INDEXED BY persons_due WHERE p.state IN ('dirty', 'failed')"
    " AND p.due_at > ?1 + 1 AND EXISTS (SELECT 1 FROM transitions t WHERE t.bet_nr = p.bet_nr AND t.at = p.due_at)"
)
LOOKED_IN_THE_FUTURE = "UPDATE looks SET advoware_at = ?1 WHERE advoware_at > ?1 + 1"


def lease(turn: Turn, owner: str, limit: int, only: Sequence[str]) -> list[Person]:
    """Up to ``limit`` due persons, oldest due first, now ``syncing`` and held by ``owner``."""
    these = (json.dumps(list(only)),) if only else ()
    rows = turn.rows(LEASE_ONLY if only else LEASE, turn.now, limit, *these)
    taken = [people.shift(turn, people.from_row(row), Event(Trigger.PICKED)) for row in rows]
    leased = [person for person in taken if person is not None]
    turn.many(
        "UPDATE persons SET owner = ? WHERE espocrm_id = ?", ((owner, person.espocrm_id) for person in leased)
    )
    return leased


def next_due(turn: Turn) -> float | None:
    """The earliest moment at which somebody can be leased; the end of a pause is one too."""
    soonest = turn.row(NEXT_DUE, turn.now)
    resumed = turn.row(NEXT_RESUMED, turn.now)
    return min((row[0] for row in (soonest, resumed) if row is not None and row[0] is not None), default=None)


def recover(turn: Turn, owner: str) -> int:
    """Leases of a dead process: whatever it did is in the journal, so looking again is all that is needed."""
    rows = turn.rows(LEASED, State.SYNCING, owner)
    for row in rows:
        people.shift(turn, people.from_row(row), Event(Trigger.INTERRUPTED, "interrupted"))
    return len(rows)


def reset_due(turn: Turn, limit: int) -> int:
    """A new round for those who had given up; their quarantines end with it (§10). Who is at rest with a parked entry
    is asked for when that one's time has come: nothing else would. Returns how many."""
    _set_right(turn)
    long_ago = turn.now - turn.rules.schedule.auto_reset
    parked = turn.rows(PARKED_LONG_AGO, long_ago, limit)
    for row in parked:
        people.move_found(turn, row[0], Event(Trigger.ASKED, "auto_reset"), "")
    rows = turn.rows(RESET, turn.now, limit)
    for row in rows:
        people.forgive(turn, row[0])
        people.shift(turn, people.from_row(row), Event(Trigger.AUTO_RESET, "auto_reset"))
    return len(parked) + len(rows)


def _set_right(turn: Turn) -> None:
    """Nobody waits until a clock that was set back is again where it was: each keeps the length of his wait, as far as
    it can be known. Who is dirty is looked at at once: an early look costs nothing."""
    schedule = turn.rules.schedule
    found = [row for statement in FROM_THE_FUTURE for row in turn.rows(statement, turn.now)]
    turn.many(
        "UPDATE persons SET since = ?2, due_at = ?2 + CASE state WHEN 'dirty' THEN 0"
        " WHEN 'failed' THEN max(min(due_at - since, ?3), 0) ELSE max(min(due_at - since, ?4), 0) END"
        " WHERE espocrm_id = ?1",
        ((row[0], turn.now, max(schedule.retries, default=0.0), schedule.auto_reset) for row in found),
    )
    at_once = turn.rows(DUE_AT_ONCE_IN_THE_FUTURE, turn.now)
    turn.many("UPDATE persons SET due_at = ?2 WHERE espocrm_id = ?1", ((row[0], turn.now) for row in at_once))
    turn.do(LOOKED_IN_THE_FUTURE, turn.now)


def sweep_slice(turn: Turn, before: float, limit: int) -> list[Person]:
    return [people.from_row(row) for row in turn.rows(SWEEP, before, limit)]


def scan_slice(turn: Turn, after_id: str, limit: int) -> list[Person]:
    return [people.from_row(row) for row in turn.rows(SCAN, after_id, limit)]


def oldest_look(turn: Turn) -> float | None:
    """When Advoware was looked at for the person that waits longest; 0 while one was never looked at."""
    row = turn.row(OLDEST_LOOK)
    return None if row is None else row[0]
