"""What waits for a human, as it is stored; and the questions about a whole side, which outlive a pair that goes away
(sync rules §9).

Under :mod:`daemon.store.people`, which puts a pair aside and takes it up, and :mod:`daemon.store.conflicts`.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from daemon.store.turn import Turn, body
from statemachine.case import Conflict, ConflictKind
from statemachine.model import Side

CONFLICT = msgspec.json.Decoder(Conflict)


def values(conflict: Conflict) -> str:
    """A conflict is its values: as it is stored, whatever its number and age."""
    return body(replace(conflict, id=0, since=0.0))


def ask(turn: Turn, espocrm_id: str, bet_nr: int, conflict: Conflict) -> None:
    turn.do(
        "INSERT INTO conflicts (espocrm_id, bet_nr, since, body) VALUES (?, ?, ?, ?)",
        espocrm_id, bet_nr, conflict.since or turn.now, values(conflict),
    )  # fmt: skip


def emptied(turn: Turn, espocrm_id: str) -> tuple[Side, ...]:
    """Sides whose emptying waits for a human, or for his decision to be carried out."""
    rows = turn.rows("SELECT body FROM conflicts WHERE espocrm_id = ? ORDER BY id", espocrm_id)
    sides = (CONFLICT.decode(row[0]).emptied for row in rows)
    return tuple(side for side in sides if side is not None)


def ask_anew(turn: Turn, espocrm_id: str, bet_nr: int, sides: tuple[Side, ...]) -> None:
    """The pair is back: its questions about whole sides are open again."""
    for side in sides:
        conflict = Conflict(0, ConflictKind.SIDE_EMPTIED, None, None, None, None, emptied=side)
        ask(turn, espocrm_id, bet_nr, conflict)
