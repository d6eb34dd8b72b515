"""The journal: every write before it is sent, and what became of it (sync rules §8). It is the history as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from daemon.store.turn import Row, Turn, body
from statemachine.case import Outcome, Shown, Write

_WRITE = msgspec.json.Decoder(Write)
_COLUMNS = "id, outcome, settled, body"
OF_PAIR = (
    f"SELECT {_COLUMNS} FROM writes WHERE espocrm_id = ? AND bet_nr = ?"  # noqa: S608 - ours
    " AND (settled = 0 OR at >= ?) ORDER BY id"
)


#: Whatever the base has advanced past, in the order of time; id breaks ties.
BETWEEN = (
    f"SELECT {_COLUMNS}, espocrm_id, bet_nr, at FROM writes INDEXED BY writes_settled"  # noqa: S608 - ours
    " WHERE settled = 1 AND at < ? AND (at, id) > (?, ?) ORDER BY at, id LIMIT ?"
)


def add(turn: Turn, espocrm_id: str, bet_nr: int, run: str, writes: Sequence[Write]) -> list[int]:
    return [
        turn.insert(
            "INSERT INTO writes (espocrm_id, bet_nr, run, at, outcome, settled, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
            espocrm_id, bet_nr, run, write.at or turn.now, write.outcome, write.settled,
            body(replace(write, at=write.at or turn.now)),
        )
        for write in writes
    ]  # fmt: skip


def record(
    turn: Turn, ids: Sequence[int], outcome: Outcome, advoware_id: int | None, after: Shown | None
) -> None:
    """``advoware_id`` and ``after`` are what the answer showed; None leaves what was planned."""
    for write_id in ids:
        row = turn.row("SELECT body FROM writes WHERE id = ?", write_id)
        if row is None:
            continue
        write = _WRITE.decode(row[0])
        shown = replace(
            write,
            advoware_id=write.advoware_id if advoware_id is None else advoware_id,
            after=write.after if after is None else after,
        )
        turn.do("UPDATE writes SET outcome = ?, body = ? WHERE id = ?", outcome, body(shown), write_id)


def settle(turn: Turn, ids: Sequence[int]) -> None:
    """The base has advanced past these."""
    turn.many("UPDATE writes SET settled = 1 WHERE id = ?", ((write_id,) for write_id in ids))


def of_pair(turn: Turn, espocrm_id: str, bet_nr: int, since: float) -> tuple[Write, ...]:
    """The unsettled ones and those since a moment, oldest first."""
    rows = turn.rows(OF_PAIR, espocrm_id, bet_nr, since)
    return tuple(from_row(row) for row in rows)


def find(turn: Turn, write_id: int) -> tuple[str, int, Write] | None:
    """EspoCRM id, betNr and the write."""
    row = turn.row(f"SELECT {_COLUMNS}, espocrm_id, bet_nr FROM writes WHERE id = ?", write_id)  # noqa: S608 - ours
    return None if row is None else (row[4], row[5], from_row(row))


def between(turn: Turn, after: tuple[float, int], until: float, limit: int) -> list[tuple[str, int, Write]]:
    """EspoCRM id, betNr and write of everybody's settled writes, oldest first; ``after``: (at, id) of the last one of
    the page before."""
    rows = turn.rows(BETWEEN, until, *after, limit)
    return [(row[4], row[5], replace(from_row(row), at=row[6])) for row in rows]


def from_row(row: Row) -> Write:
    """From the columns id, outcome, settled, body, in this order."""
    outcome = None if row[1] is None else Outcome(row[1])
    return replace(_WRITE.decode(row[3]), id=row[0], outcome=outcome, settled=bool(row[2]))
