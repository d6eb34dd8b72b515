"""An invented law firm's address book on both worlds, from one seed.

Persons and firms with phones, faxes and mails as such data really look: every spelling, shared switchboards, faxes
equal to phones, odd values, old markers and slots; most agree on both sides, some do not. Used by `demo`, `simulators`,
benchmarks and the harness.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from daemon.simulators import people_values as values
from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.espocrm import EspoWorld, mail, phone
from daemon.simulators.people_values import Number
from daemon.simulators.wire import JsonObject

TYPE_OF = {1: "Office", 2: "Fax", 3: "Mobile", 6: "Home", 7: "Fax", 9: "Mobile", 10: "Other"}
MAIL_KINDS = (4, 8, 11)
_MAIL_SHARES = ((4, 0.8), (8, 0.2), (11, 0.03))


@dataclass(frozen=True, slots=True)
class Pair:
    """One Beteiligter on both sides."""

    espocrm_id: str
    bet_nr: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a person as both sides would hold it if they agreed."""

    komm_kz: int
    tlf: str
    value: str | None
    """EspoCRM's spelling; None = nothing that EspoCRM would take."""


def settle(espo: EspoWorld, advoware: AdvowareWorld, chance: random.Random, count: int) -> list[Pair]:
    """Move `count` people in, on both sides; returns who is who."""
    return [_Mover(espo, advoware, chance, place, count).move_in() for place in range(count)]


class _Mover:
    """Moves one person in."""

    def __init__(
        self, espo: EspoWorld, advoware: AdvowareWorld, chance: random.Random, place: int, count: int
    ) -> None:
        self._espo = espo
        self._advoware = advoware
        self._chance = chance
        self._place = place
        self._switchboards = max(1, count // 12)
        self.is_firm = chance.random() < 0.25
        self.first = None if self.is_firm else chance.choice(values.FIRST_NAMES)
        self.last = self._company() if self.is_firm else chance.choice(values.LAST_NAMES)

    def _company(self) -> str:
        kind, form = self._chance.choice(values.COMPANIES), self._chance.choice(values.FORMS)
        return f"{kind} {self._chance.choice(values.LAST_NAMES)} {form}"

    def move_in(self) -> Pair:
        """Decide what the person has, then who knows of it."""
        entries = self._entries()
        agreed = self._chance.random() < 0.7
        in_espo = [e for e in entries if e.value and (agreed or self._chance.random() < 0.75)]
        in_advoware = [e for e in entries if agreed or e not in in_espo or self._chance.random() < 0.75]
        bet_nr = self._advoware.add_person(self.last, self.first)
        self._fill_advoware(bet_nr, in_advoware, known=in_espo)
        espocrm_id = self._fill_espo(bet_nr, in_espo)
        return Pair(espocrm_id, bet_nr)

    # -- what a person has -----------------------------------------------------------------------------------

    def _entries(self) -> list[Entry]:
        chance, place = self._chance, self._place
        office = self._office()
        entries = [self._phone(1, office)]
        if chance.random() < 0.5:
            equal = chance.random() < 0.3
            entries.append(self._phone(2, office if equal else values.landline(place, "99")))
        if chance.random() < 0.6:
            entries.append(self._phone(chance.choice((3, 3, 3, 9)), values.mobile(place)))
        if chance.random() < 0.2:
            entries.append(self._phone(chance.choice((6, 7, 10)), values.landline(place, "6")))
        return entries + self._mails() + self._oddities(office)

    def _office(self) -> Number:
        if self._chance.random() < 0.25:
            return values.landline(self._chance.randrange(self._switchboards), "0")
        return values.landline(self._place, str(self._chance.randrange(10, 60)))

    def _phone(self, komm_kz: int, number: Number) -> Entry:
        return Entry(komm_kz, number.spelt(self._chance), number.e164)

    def _mails(self) -> list[Entry]:
        kinds = [kind for kind, share in _MAIL_SHARES if self._chance.random() < share]
        name = (self.first or "info", self.last.split()[0])
        found = []
        for extra, kind in enumerate(kinds):
            address = values.mail_address(*name, self._place * 4 + extra, self._chance)
            found.append(Entry(kind, address, address if self._chance.random() < 0.7 else address.lower()))
        return found

    def _oddities(self, office: Number) -> list[Entry]:
        chance, found = self._chance, []
        if chance.random() < 0.06:
            found.append(
                Entry(
                    chance.choice((1, 10)), values.odd_value(office, values.mobile(self._place), chance), None
                )
            )
        if chance.random() < 0.05:
            found.append(Entry(12, values.safe_id(chance), None))
        if chance.random() < 0.03:
            found.append(Entry(4, values.umlaut_mail(self._place), None))
        if chance.random() < 0.1:
            found.append(Entry(5, f"www.nr{self._place}.example.de", None))
        return found

    # -- who knows of it -------------------------------------------------------------------------------------

    def _fill_advoware(self, bet_nr: int, entries: list[Entry], known: list[Entry]) -> None:
        marked = self._chance.random() < 0.3
        first_mail = next((e for e in entries if e.komm_kz in MAIL_KINDS), None)
        for entry in entries:
            text = self._chance.choice(values.TEXTS)
            if marked and entry in known and self._chance.random() < 0.8:
                mark = values.marker(entry.value or entry.tlf, entry.komm_kz, self._chance)
                text = f"{text} {mark}" if text and self._chance.random() < 0.1 else f"{mark} {text}".rstrip()
            self._advoware.add_row(bet_nr, entry.komm_kz, entry.tlf, text, online=entry is first_mail)
        if marked and self._chance.random() < 0.2:
            kind = self._chance.choice((1, 2, 3, 4))
            self._advoware.add_row(bet_nr, kind, "", values.slot_marker(kind))

    def _fill_espo(self, bet_nr: int, entries: list[Entry]) -> str:
        phones: dict[str, JsonObject] = {}
        mails: dict[str, JsonObject] = {}
        for entry in entries:
            value = str(entry.value)
            if entry.komm_kz in MAIL_KINDS:
                mails.setdefault(value.lower(), mail(value, primary=not mails))
            else:
                phones.setdefault(value, phone(value, TYPE_OF[entry.komm_kz], primary=not phones))
        return self._espo.create_person(
            phones=list(phones.values()),
            mails=list(mails.values()),
            betnr=bet_nr,
            firstName=self.first,
            lastName=self.last,
        )
