"""Beteiligte and Kommunikationen as the simulated Advoware keeps them, and how it shows them (facts: Advoware §4).

The truth lives here, the true kommKz included. Used by the world and by the eyes of a test.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from daemon.simulators.wire import Clock, JsonObject

CONVENIENCE = {
    "telGesch": 1,
    "faxGesch": 2,
    "mobil": 3,
    "emailGesch": 4,
    "email": 4,
    "internet": 5,
    "telPrivat": 6,
    "faxPrivat": 7,
    "autotelefon": 9,
    "sonstige": 10,
    "ePost": 11,
    "bea": 12,
}
SHORT_NAMES = {"telGesch": "tel", "faxGesch": "fax"}
_BERLIN = ZoneInfo("Europe/Berlin")
_LETTERS = "ABCDEFGHIJKLMNOP"


@dataclass(frozen=True, slots=True)
class Row:
    """One Kommunikation as it is in truth."""

    id: int
    bet_nr: int
    row_id: str
    komm_kz: int
    tlf: str | None = None
    bemerkung: str | None = None
    online: bool = False

    def show(self, *, truly: bool) -> JsonObject:
        """As the API shows it; GET hides the kommKz, POST and PUT do not (§4.1)."""
        kind = self.komm_kz if truly else 0
        return {
            "id": self.id,
            "betNr": self.bet_nr,
            "rowId": self.row_id,
            "kommKz": kind,
            "kommArt": kind,
            "tlf": self.tlf,
            "bemerkung": self.bemerkung,
            "online": self.online,
        }


@dataclass(slots=True)
class Beteiligter:
    """One person or firm."""

    bet_nr: int
    row_id: str
    changed: float
    name: str = ""
    vorname: str | None = None
    rows: dict[int, Row] = field(default_factory=dict)


class Firm:
    """Everybody, and the desktop program's ways of changing them."""

    def __init__(self, clock: Clock, chance: random.Random) -> None:
        self._clock = clock
        self._chance = chance
        self._next_id = 80001
        self._next_bet_nr = 10001
        self._bet_nrs: dict[int, int] = {}
        self.beteiligte: dict[int, Beteiligter] = {}

    def row_id(self) -> str:
        """40 letters A-P; changes whenever its Kommunikation is saved."""
        return "".join(self._chance.choices(_LETTERS, k=40))

    def add(self, name: str, vorname: str | None = None, bet_nr: int | None = None) -> int:
        """A new Beteiligter; returns its betNr."""
        number = self._next_bet_nr if bet_nr is None else bet_nr
        self._next_bet_nr = max(self._next_bet_nr, number + 1)
        self.beteiligte[number] = Beteiligter(number, self.row_id(), self._clock(), name, vorname)
        return number

    def add_row(
        self,
        bet_nr: int,
        komm_kz: int,
        tlf: str | None,
        bemerkung: str | None = "",
        *,
        online: bool = False,
    ) -> Row:
        """A new Kommunikation. Raises KeyError for an unknown betNr."""
        row = Row(self._next_id, bet_nr, self.row_id(), komm_kz, tlf, bemerkung, online)
        self._next_id += 1
        self.beteiligte[bet_nr].rows[row.id] = row
        self._bet_nrs[row.id] = bet_nr
        return row

    def change(self, row: Row, tlf: str | None, bemerkung: str | None, *, online: bool) -> Row:
        """Save a Kommunikation: its rowId moves, that of the Beteiligter does not (§4.5)."""
        changed = replace(row, row_id=self.row_id(), tlf=tlf, bemerkung=bemerkung, online=online)
        self.beteiligte[row.bet_nr].rows[row.id] = changed
        return changed

    def row(self, row_id: int) -> Row:
        """A Kommunikation by its id. Raises KeyError."""
        return self.beteiligte[self._bet_nrs[row_id]].rows[row_id]


def convenience(person: Beteiligter, *, short: bool) -> JsonObject:
    """One value per kind, of the entry with the lowest id; null where there is none (§4)."""
    shown: JsonObject = {}
    for name, komm_kz in CONVENIENCE.items():
        values = (row.tlf for row in person.rows.values() if row.komm_kz == komm_kz and row.tlf)
        shown[SHORT_NAMES.get(name, name) if short else name] = next(values, None)
    return shown


def local_time(now: float, digits: int) -> str:
    """Naive local time of the firm, with so many digits behind the second."""
    moment = datetime.fromtimestamp(now, _BERLIN).replace(tzinfo=None)
    fraction = f"{moment.microsecond:06d}0"[:digits]
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "")
