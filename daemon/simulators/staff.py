"""People who edit: one random, realistic change on either side at a time, from one seed.

Used by `demo` and the fault harness. Every edit says what was done, so that an oracle can keep book; edits go through
the same paths as a browser's save and the desktop program's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from daemon.simulators import people_values as values
from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.advoware_rows import Row
from daemon.simulators.espocrm import MAIL, PHONE, EspoWorld, NotSaved, mail, phone
from daemon.simulators.espocrm_fields import PERSON
from daemon.simulators.people import Pair
from daemon.simulators.wire import JsonObject

Side = Literal["espocrm", "advoware"]
_FIRST_PLACE = 70_000
_MAIL_ROWS, _NUMBER_ROWS = {4, 8, 11}, {1, 2, 3, 6, 7, 9, 10}


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody did: to whom, on which side, and the value before and after (None = there was / is none)."""

    side: Side
    what: str
    pair: Pair
    before: str | None = None
    after: str | None = None


class Staff:
    """A seeded actor. `edit()` returns None when the chosen person had nothing to edit in the chosen way. `moves`:
    values go from one entry in Advoware to another as well."""

    def __init__(
        self,
        espo: EspoWorld,
        advoware: AdvowareWorld,
        chance: random.Random,
        pairs: Sequence[Pair],
        *,
        moves: bool = False,
    ) -> None:
        self.espo = espo
        self.advoware = advoware
        self.pairs = list(pairs)
        self._chance = chance
        self._place = _FIRST_PLACE
        self._in_espo: tuple[Callable[[Pair], Edit | None], ...] = (
            self.add_item,
            self.change_item,
            self.change_item,
            self.remove_item,
            self.change_type,
            self.move_primary,
            self.set_flag,
        )
        self._in_advoware: tuple[Callable[[Pair], Edit | None], ...] = (
            self.add_row,
            self.change_row,
            self.change_row,
            self.respell_row,
            self.empty_row,
            self.delete_row,
            self.copy_row,
            self.type_into_slot,
            self.write_text,
            self.write_over_marker,
            self.switch_online,
            *((self.swap_rows, self.move_row) if moves else ()),
        )

    def edit(self, side: Side | None = None, pair: Pair | None = None) -> Edit | None:
        """One change, on a random side and person unless given."""
        side = side or self._chance.choice(("espocrm", "advoware"))
        pair = pair or self._chance.choice(self.pairs)
        if side == "espocrm" and self.espo.database.busy((PERSON, pair.espocrm_id)):
            return None  # nobody opens a form in the very moment in which it is saved
        ways = self._in_espo if side == "espocrm" else self._in_advoware
        try:
            return self._chance.choice(ways)(pair)
        except (KeyError, NotSaved):  # the person is gone, or the form was refused: he gives up
            return None

    # -- in the browser --------------------------------------------------------------------------------------

    def add_item(self, pair: Pair) -> Edit | None:
        """A new phone or mail in EspoCRM."""
        family = self._chance.choice((PHONE, PHONE, MAIL))
        items = self._items(pair, family.data)
        if len(items) >= 10:
            return None
        new = phone(self._number().e164, self._phone_type()) if family is PHONE else mail(self._address())
        new["primary"] = not items
        self._save(pair, family.data, [*items, new])
        return Edit("espocrm", "add_item", pair, None, new[family.scalar])

    def change_item(self, pair: Pair) -> Edit | None:
        """Another value in the place of one."""
        family = self._chance.choice((PHONE, MAIL))
        items = self._items(pair, family.data)
        if not items:
            return None
        item = self._chance.choice(items)
        before = item[family.scalar]
        item[family.scalar] = self._number().e164 if family is PHONE else self._address()
        item.pop("lower", None)
        self._save(pair, family.data, items)
        return Edit("espocrm", "change_item", pair, before, item[family.scalar])

    def remove_item(self, pair: Pair) -> Edit | None:
        """One item is taken out."""
        family = self._chance.choice((PHONE, MAIL))
        items = self._items(pair, family.data)
        if not items:
            return None
        gone = items.pop(self._chance.randrange(len(items)))
        if items and gone["primary"]:
            items[0]["primary"] = True
        self._save(pair, family.data, items)
        return Edit("espocrm", "remove_item", pair, gone[family.scalar], None)

    def change_type(self, pair: Pair) -> Edit | None:
        """A number gets another type."""
        items = self._items(pair, PHONE.data)
        if not items:
            return None
        item = self._chance.choice(items)
        item["type"] = self._phone_type()
        self._save(pair, PHONE.data, items)
        return Edit("espocrm", "change_type", pair, item[PHONE.scalar], item[PHONE.scalar])

    def move_primary(self, pair: Pair) -> Edit | None:
        """Another item becomes the primary."""
        family = self._chance.choice((PHONE, MAIL))
        items = self._items(pair, family.data)
        if len(items) < 2:
            return None
        chosen = self._chance.choice(items[1:])
        for item in items:
            item["primary"] = item is chosen
        self._save(pair, family.data, items)
        return Edit("espocrm", "move_primary", pair, chosen[family.scalar], chosen[family.scalar])

    def set_flag(self, pair: Pair) -> Edit | None:
        """Opt-out or invalid is switched."""
        family = self._chance.choice((PHONE, MAIL))
        items = self._items(pair, family.data)
        if not items:
            return None
        item, flag = self._chance.choice(items), self._chance.choice(("optOut", "invalid"))
        item[flag] = not item[flag]
        self._save(pair, family.data, items)
        return Edit("espocrm", f"set_{flag}", pair, item[family.scalar], item[family.scalar])

    def _items(self, pair: Pair, data: str) -> list[JsonObject]:
        return [dict(item) for item in self.espo.person(pair.espocrm_id)[data]]

    def _save(self, pair: Pair, data: str, items: list[JsonObject]) -> None:
        if data == PHONE.data:
            self.espo.edit_person(pair.espocrm_id, phones=items)
        else:
            self.espo.edit_person(pair.espocrm_id, mails=items)

    # -- at the desktop program ------------------------------------------------------------------------------

    def add_row(self, pair: Pair) -> Edit | None:
        """A new entry in Advoware."""
        kind = self._chance.choice((1, 2, 3, 4, 4, 6, 8, 10))
        value = self._address() if kind in (4, 8) else self._number().spelt(self._chance)
        self.advoware.add_row(pair.bet_nr, kind, value, self._chance.choice(values.TEXTS))
        return Edit("advoware", "add_row", pair, None, value)

    def change_row(self, pair: Pair) -> Edit | None:
        """Another value in the place of one."""
        row = self._row(pair)
        if row is None:
            return None
        value = self._address() if "@" in str(row.tlf) else self._number().spelt(self._chance)
        self.advoware.edit_row(row.id, tlf=value)
        return Edit("advoware", "change_row", pair, row.tlf, value)

    def respell_row(self, pair: Pair) -> Edit | None:
        """The same value with blanks around it: nothing that anybody should see."""
        row = self._row(pair)
        if row is None:
            return None
        self.advoware.edit_row(row.id, tlf=f" {str(row.tlf).strip()} ")
        return Edit("advoware", "respell_row", pair, row.tlf, row.tlf)

    def empty_row(self, pair: Pair) -> Edit | None:
        """The value is deleted, the entry stays."""
        row = self._row(pair)
        if row is None:
            return None
        self.advoware.edit_row(row.id, tlf="")
        return Edit("advoware", "empty_row", pair, row.tlf, None)

    def delete_row(self, pair: Pair) -> Edit | None:
        """The entry is deleted for good."""
        row = self._row(pair)
        if row is None:
            return None
        self.advoware.delete_row(row.id)
        return Edit("advoware", "delete_row", pair, row.tlf, None)

    def copy_row(self, pair: Pair) -> Edit | None:
        """An entry is copied with its marker and given another value."""
        row = self._row(pair)
        if row is None:
            return None
        value = self._address() if "@" in str(row.tlf) else self._number().spelt(self._chance)
        self.advoware.copy_row(row.id, tlf=value)
        return Edit("advoware", "copy_row", pair, None, value)

    def type_into_slot(self, pair: Pair) -> Edit | None:
        """A value is typed into an emptied entry."""
        slots = [row for row in self.advoware.rows(pair.bet_nr) if not row.tlf]
        if not slots:
            return None
        row = self._chance.choice(slots)
        value = self._address() if row.komm_kz in (4, 8) else self._number().spelt(self._chance)
        self.advoware.edit_row(row.id, tlf=value)
        return Edit("advoware", "type_into_slot", pair, None, value)

    def swap_rows(self, pair: Pair) -> Edit | None:
        """Two values change places: they had been entered the wrong way round."""
        return self._move(pair, "swap_rows", swap=True)

    def move_row(self, pair: Pair) -> Edit | None:
        """A value goes to the place of another one that is not wanted any more; its own entry is emptied."""
        return self._move(pair, "move_row", swap=False)

    def _move(self, pair: Pair, what: str, *, swap: bool) -> Edit | None:
        two = self._two_rows(pair)
        if two is None:
            return None
        (one, before), (other, after) = ((row.id, row.tlf) for row in two)
        self.advoware.edit_row(one, tlf=after)
        self.advoware.edit_row(other, tlf=before if swap else "")
        return Edit("advoware", what, pair, before, after)

    def write_text(self, pair: Pair) -> Edit | None:
        """Text is written before or behind whatever stands in bemerkung."""
        row = self._row(pair)
        if row is None:
            return None
        old, text = row.bemerkung or "", self._chance.choice(("Rückruf!", "Durchwahl", "alt?"))
        self.advoware.edit_row(
            row.id, bemerkung=self._chance.choice((f"{old} {text}", f"{text} {old}")).strip()
        )
        return Edit("advoware", "write_text", pair, row.tlf, row.tlf)

    def write_over_marker(self, pair: Pair) -> Edit | None:
        """Somebody tidies up: the marker is gone."""
        row = self._row(pair)
        if row is None:
            return None
        self.advoware.edit_row(row.id, bemerkung="aufgeräumt")
        return Edit("advoware", "write_over_marker", pair, row.tlf, row.tlf)

    def switch_online(self, pair: Pair) -> Edit | None:
        """The online mark is switched."""
        row = self._row(pair)
        if row is None:
            return None
        self.advoware.edit_row(row.id, online=not row.online)
        return Edit("advoware", "switch_online", pair, row.tlf, row.tlf)

    def _row(self, pair: Pair) -> Row | None:
        rows = [row for row in self.advoware.rows(pair.bet_nr) if row.tlf and row.komm_kz != 5]
        return self._chance.choice(rows) if rows else None

    def _two_rows(self, pair: Pair) -> tuple[Row, Row] | None:
        """Of one family: nobody types a number where an address was."""
        rows = [
            row
            for row in self.advoware.rows(pair.bet_nr)
            if row.tlf and row.komm_kz in _MAIL_ROWS | _NUMBER_ROWS
        ]
        one = self._chance.choice(rows) if rows else None
        alike = [row for row in rows if one and row.tlf != one.tlf and _looks_like(row) == _looks_like(one)]
        return (one, self._chance.choice(alike)) if one and alike else None

    # -- values never used before ----------------------------------------------------------------------------

    def _number(self) -> values.Number:
        self._place += 1
        return (
            values.mobile(self._place) if self._chance.random() < 0.5 else values.landline(self._place, "7")
        )

    def _address(self) -> str:
        self._place += 1
        return values.mail_address("Neu", self._chance.choice(values.LAST_NAMES), self._place, self._chance)

    def _phone_type(self) -> str:
        return self._chance.choice(("Office", "Fax", "Mobile", "Home", "Other"))


def _looks_like(row: Row) -> tuple[bool, bool]:
    """Whether it is an entry for addresses, and whether one stands there."""
    return row.komm_kz in _MAIL_ROWS, "@" in str(row.tlf)
