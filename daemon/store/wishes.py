"""Changes that an operator asked for (undo); a run takes them up as if he had made them on that side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from daemon.ports import Person
from daemon.store import people
from daemon.store.turn import Turn, body
from statemachine.case import Wish
from statemachine.standing import Event
from statemachine.states import Trigger

_WISH = msgspec.json.Decoder(Wish)


def of_person(turn: Turn, espocrm_id: str) -> tuple[Wish, ...]:
    rows = turn.rows("SELECT id, body FROM wishes WHERE espocrm_id = ? ORDER BY id", espocrm_id)
    return tuple(replace(_WISH.decode(row[1]), id=row[0]) for row in rows)


def add(turn: Turn, espocrm_id: str, wish: Wish, by: str, reason: str) -> Person | None:
    """None when the person is not tracked."""
    person = people.find(turn, espocrm_id)
    if person is None:
        return None
    turn.do(
        "INSERT INTO wishes (espocrm_id, bet_nr, at, wished_by, body) VALUES (?, ?, ?, ?, ?)",
        espocrm_id, person.bet_nr, turn.now, by, body(replace(wish, id=0)),
    )  # fmt: skip
    return people.ask(turn, espocrm_id, Event(Trigger.ASKED, f"{reason} by {by}"))


def done(turn: Turn, espocrm_id: str, ids: Sequence[int]) -> None:
    turn.many(
        "DELETE FROM wishes WHERE espocrm_id = ? AND id = ?", ((espocrm_id, wish_id) for wish_id in ids)
    )
