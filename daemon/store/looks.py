"""What each side showed at the last look, and when (sync rules §1, *Seen*).

Most looks change nothing. They are collected in :class:`Recent` and written together, so that a sweep over everybody
does not cost one random write each; whatever is read in between is overlaid with them. A crash may lose them: then
there is one more look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from daemon.ports import Person
from daemon.store.turn import Turn, body
from statemachine.case import Seen, SeenPart
from statemachine.model import Side

_PARTS = msgspec.json.Decoder(tuple[SeenPart, ...])

#: One look that waits to be written.
Look = tuple[str, Side, Seen]

_TIMES = {
    side: f"UPDATE looks SET {side}_at = ?, {side}_server_time = ? WHERE espocrm_id = ?"  # noqa: S608 - an enum
    for side in Side
}
_PARTS_CHANGED = (
    "INSERT INTO seen (espocrm_id, side, parts, stamp, version)"
    " SELECT espocrm_id, ?2, ?3, ?4, ?5 FROM persons WHERE espocrm_id = ?1"
    " ON CONFLICT DO UPDATE SET parts = excluded.parts, stamp = excluded.stamp, version = excluded.version"
    " WHERE (parts, stamp) <> (excluded.parts, excluded.stamp) OR version IS NOT excluded.version"
)


def read(turn: Turn, espocrm_id: str, side: Side) -> Seen | None:
    row = turn.row(
        f"SELECT s.parts, l.{side}_at, s.stamp, s.version, l.{side}_server_time"  # noqa: S608 - an enum
        " FROM seen s JOIN looks l USING (espocrm_id) WHERE s.espocrm_id = ? AND s.side = ?",
        espocrm_id, side,
    )  # fmt: skip
    return None if row is None else Seen(_PARTS.decode(row[0]), *row[1:])


def read_many(turn: Turn, espocrm_ids: Sequence[str], side: Side) -> dict[str, Seen]:
    """Of a whole slice in one go; who was never looked at is missing."""
    rows = turn.rows(
        f"SELECT s.espocrm_id, s.parts, l.{side}_at, s.stamp, s.version, l.{side}_server_time"  # noqa: S608
        " FROM seen s JOIN looks l USING (espocrm_id)"
        " WHERE s.espocrm_id IN (SELECT value FROM json_each(?)) AND s.side = ?",
        body(espocrm_ids), side,
    )  # fmt: skip
    return {row[0]: Seen(_PARTS.decode(row[1]), *row[2:]) for row in rows}


def write(turn: Turn, looks: Iterable[Look]) -> None:
    """In the order of the keys, so that neighbours share their pages. Of persons no longer tracked nothing is kept."""
    for espocrm_id, side, seen in sorted(looks, key=lambda look: look[0]):
        turn.do(_TIMES[side], seen.at, seen.server_time, espocrm_id)
        turn.do(_PARTS_CHANGED, espocrm_id, side, body(seen.parts), seen.stamp, seen.version)


def begin(turn: Turn, espocrm_id: str) -> None:
    """A person that was never looked at: first in the sweep."""
    turn.do("INSERT INTO looks (espocrm_id) VALUES (?)", espocrm_id)


def forget_advoware(turn: Turn, espocrm_id: str) -> None:
    """The record belongs to another Beteiligte now."""
    turn.do("DELETE FROM seen WHERE espocrm_id = ? AND side = 'advoware'", espocrm_id)
    turn.do("UPDATE looks SET advoware_at = 0, advoware_server_time = NULL WHERE espocrm_id = ?", espocrm_id)


def forget(turn: Turn, espocrm_id: str) -> None:
    turn.do("DELETE FROM seen WHERE espocrm_id = ?", espocrm_id)
    turn.do("DELETE FROM looks WHERE espocrm_id = ?", espocrm_id)


class Recent:
    """Looks that are not written yet, the youngest of each person and side. Lives in the event loop."""

    def __init__(self, size: int, seconds: float) -> None:
        self._size = size
        self._seconds = seconds
        self._looks: dict[tuple[str, Side], Seen] = {}
        self._oldest: float | None = None

    def add(self, espocrm_id: str, side: Side, seen: Seen, at: float) -> bool:
        """True when it is time to write them. ``at``: a monotonic moment."""
        self._looks[espocrm_id, side] = seen
        self._oldest = at if self._oldest is None else self._oldest
        return len(self._looks) >= self._size or at - self._oldest >= self._seconds

    def take(self) -> list[Look]:
        looks = [(espocrm_id, side, seen) for (espocrm_id, side), seen in self._looks.items()]
        self._looks.clear()
        self._oldest = None
        return looks

    def forget(self, espocrm_id: str, *sides: Side) -> None:
        for side in sides:
            self._looks.pop((espocrm_id, side), None)

    def drop(self, espocrm_id: str, side: Side, until: float, now: float) -> None:
        """A look that is not younger than ``until`` has been overtaken; one from the future was made before our clock
        was set back."""
        seen = self._looks.get((espocrm_id, side))
        if seen is not None and (seen.at <= until or seen.at > now):
            del self._looks[espocrm_id, side]

    def seen(self, espocrm_id: str, side: Side, stored: Seen | None) -> Seen | None:
        return self._looks.get((espocrm_id, side), stored)

    def on(self, person: Person) -> Person:
        """The person as it would be read if everything were written."""
        espocrm = self._looks.get((person.espocrm_id, Side.ESPOCRM))
        advoware = self._looks.get((person.espocrm_id, Side.ADVOWARE))
        if espocrm is not None:
            person = replace(person, stamp=espocrm.stamp, version=espocrm.version)
        return person if advoware is None else replace(person, looked_at=advoware.at)
