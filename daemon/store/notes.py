"""Small facts that survive a restart, and what was learnt of Advoware's lengths (sync rules §6)."""

from __future__ import annotations

import msgspec

from daemon.store.turn import Turn, body
from statemachine.case import Limits

_LIMITS = msgspec.json.Decoder(Limits)
_LEARNT = "limits"


def get(turn: Turn, name: str) -> str | None:
    row = turn.row("SELECT value FROM notes WHERE name = ?", name)
    return None if row is None else row[0]


def put(turn: Turn, name: str, value: str | None) -> None:
    """None forgets the note."""
    if value is None:
        turn.do("DELETE FROM notes WHERE name = ?", name)
    else:
        turn.do("INSERT OR REPLACE INTO notes (name, value) VALUES (?, ?)", name, value)


def limits(turn: Turn) -> Limits:
    text = get(turn, _LEARNT)
    return Limits() if text is None else _LIMITS.decode(text)


def learn(turn: Turn, learnt: Limits) -> None:
    """Adds to what is known: two runs may learn different things at the same time. The shorter limit is the safer."""
    known = limits(turn)
    both = Limits(
        bemerkung=_shorter(known.bemerkung, learnt.bemerkung),
        bemerkung_whole=max(known.bemerkung_whole, learnt.bemerkung_whole),
        tlf=_shorter(known.tlf, learnt.tlf),
    )
    put(turn, _LEARNT, body(both))


def _shorter(one: int, other: int) -> int:
    return min(filter(None, (one, other)), default=0)
