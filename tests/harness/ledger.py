"""What people did, and what must therefore be true in the end. Shares no code with the daemon's decisions.

Every value of a Beteiligte has a fate. A value that somebody entered must be on both sides; one that somebody took away
must be on neither; where the rules cannot promise anything (the corners of sync rules §13, and what follows from
a lost database or an older form) it *may* be there, but the sides must agree. Which values somebody entered or took
away is seen by comparing a side before and after he acted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.espocrm import MAIL, PHONE, EspoWorld
from daemon.simulators.people import Pair
from tests.harness.values import EMAIL, FAMILY, espocrm_takes, marked_values, own_text, same
from tests.harness.values import PHONE as PHONE_KIND

#: Kind and canonical text.
Value = tuple[str, str]
ESPOCRM, ADVOWARE = "espocrm", "advoware"


class Fate(Enum):
    MUST = "must be on both sides"
    MUST_NOT = "must be on neither side"
    MAY = "may be there"
    LOCAL = "stays in Advoware, EspoCRM cannot hold it"
    ONLY_ESPOCRM = "stays in EspoCRM, Advoware cannot hold it"


@dataclass(slots=True)
class Shown:
    """One side as it is in truth. ``texts``: row id → the user's own text; ``opted_out``: values with an opt-out."""

    values: Counter[Value] = field(default_factory=Counter)
    texts: dict[int, str] = field(default_factory=dict)
    rows: dict[int, tuple[str, str, bool]] = field(default_factory=dict)
    opted_out: frozenset[Value] = frozenset()


@dataclass(slots=True)
class Book:
    """One Beteiligter. ``taken``: values that people took away, by side, with the moment; ``row_count``: how many
    rows of a value people made in Advoware."""

    pair: Pair
    fates: dict[Value, Fate] = field(default_factory=dict)
    why: dict[Value, str] = field(default_factory=dict)
    taken: dict[str, dict[Value, float]] = field(default_factory=lambda: {ESPOCRM: {}, ADVOWARE: {}})
    entered: dict[str, set[Value]] = field(default_factory=lambda: {ESPOCRM: set(), ADVOWARE: set()})
    row_count: Counter[Value] = field(default_factory=Counter)
    texts: dict[int, str] = field(default_factory=dict)
    #: every text that people ever wrote
    wrote: set[str] = field(default_factory=set)
    opted_out: set[Value] = field(default_factory=set)
    #: values of rows whose POST was not answered, and whose marker staff wrote over
    unmarked: set[Value] = field(default_factory=set)
    #: value → what it replaced in EspoCRM, in one form
    instead_of: dict[Value, set[Value]] = field(default_factory=dict)
    emptied: set[str] = field(default_factory=set)
    #: values of which staff took away one row of several
    thinned: set[Value] = field(default_factory=set)
    excused_conflicts: bool = False
    #: (moment, side, rows or None, values) of every edit, to find those that a write of ours ran over
    edits: list[tuple[float, float, str, frozenset[int], frozenset[Value]]] = field(default_factory=list)


class Ledger:
    def __init__(self, espo: EspoWorld, advoware: AdvowareWorld, pairs: Iterable[Pair]) -> None:
        self._espo = espo
        self._advoware = advoware
        self.books = {pair.espocrm_id: Book(pair) for pair in pairs}
        self.by_bet_nr = {book.pair.bet_nr: book for book in self.books.values()}
        for book in self.books.values():
            self._begin(book)

    # -- the eyes ----------------------------------------------------------------------------------------------

    def espocrm(self, pair: Pair) -> Shown:
        record = self._espo.person(pair.espocrm_id)
        shown = Shown()
        opted = set()
        for kind, family in ((EMAIL, MAIL), (PHONE_KIND, PHONE)):
            for item in record[family.data]:
                value = (kind, same(kind, item[family.scalar]))
                shown.values[value] += 1
                if item["optOut"]:
                    opted.add(value)
        shown.opted_out = frozenset(opted)
        return shown

    def advoware(self, pair: Pair) -> Shown:
        shown = Shown()
        for row in self._advoware.rows(pair.bet_nr):
            shown.rows[row.id] = (row.tlf or "", row.bemerkung or "", row.online)
            value = value_of(row.komm_kz, row.tlf)
            if value is not None:
                shown.values[value] += 1
                shown.texts[row.id] = own_text(row.bemerkung or "")
        return shown

    def holders(self, pair: Pair) -> dict[Value, set[int]]:
        """Value → ids of the rows that hold it now."""
        found: dict[Value, set[int]] = {}
        for row in self._advoware.rows(pair.bet_nr):
            value = value_of(row.komm_kz, row.tlf)
            if value is not None:
                found.setdefault(value, set()).add(row.id)
        return found

    # -- the beginning -----------------------------------------------------------------------------------------

    def _begin(self, book: Book) -> None:
        espocrm, advoware = self.espocrm(book.pair), self.advoware(book.pair)
        for value in espocrm.values:
            book.fates[value] = Fate.MUST
            book.entered[ESPOCRM].add(value)
        for value, count in advoware.values.items():
            book.fates[value] = self._fate_of_new(book, value)
            book.row_count[value] = count
            book.entered[ADVOWARE].add(value)
        for row in self._advoware.rows(book.pair.bet_nr):
            self._follow_old_marker(book, row.bemerkung or "", set(advoware.values))
        book.texts = dict(advoware.texts)
        book.wrote.update(advoware.texts.values())
        book.opted_out = set(espocrm.opted_out)

    def _follow_old_marker(self, book: Book, bemerkung: str, shown: set[Value]) -> None:
        """A row that was changed since its marker was written: its item may follow (§4.6)."""
        for value in marked_values(bemerkung):
            if value not in shown and value in book.fates:
                self._set(book, value, Fate.MAY, "an old marker ties it to a row with another value")

    def _fate_of_new(self, book: Book, value: Value) -> Fate:
        """A number in a row for mails is taken for a number until an answer reveals the row's kommKz: then it is no
        mail address, and stays where it is."""
        for row in self._advoware.rows(book.pair.bet_nr):
            plain = FAMILY.get(row.komm_kz) == value[0]
            if plain and value_of(row.komm_kz, row.tlf) == value and espocrm_takes(value[0], str(row.tlf)):
                return Fate.MUST
        return Fate.LOCAL

    # -- an edit -----------------------------------------------------------------------------------------------

    def edited(self, book: Book, side: str, before: Shown, after: Shown, now: float, until: float) -> None:
        """Somebody has acted on ``side``; his save takes until ``until``."""
        new = {value for value in after.values if not before.values[value]}
        gone = {value for value in before.values if not after.values[value]}
        local = False
        for value in new:
            fate = Fate.MUST if side == ESPOCRM else self._fate_of_new(book, value)
            local = local or fate is Fate.LOCAL
            self._set(book, value, fate, f"entered in {side} at {now:.3f}")
            book.entered[side].add(value)
        for value in gone:
            # a linked row that becomes unsyncable leaves its item as it was (§3)
            was_local = book.fates.get(value) is Fate.LOCAL
            fate = (
                Fate.MAY
                if (local and not was_local) or self._has_a_row_to_come(book, side, value, after)
                else Fate.MUST_NOT
            )
            self._set(book, value, fate, f"taken away in {side} at {now:.3f}")
            book.taken[side][value] = now
        if side == ESPOCRM:
            for value in new:
                book.instead_of.setdefault(value, set()).update(old for old in gone if old[0] == value[0])
                book.row_count[value] = max(1, *(book.row_count[old] for old in gone)) if gone else 1
        if side == ADVOWARE:
            fewer = {value for value in after.values if after.values[value] < before.values[value]}
            book.thinned |= fewer
            ours = {value for value in fewer if before.values[value] > book.row_count[value]}
            if ours:
                self.excuse(book, ours, "one of the two rows that it had during a change of type was edited")
            for value in new | set(after.values):
                book.row_count[value] = max(book.row_count[value], after.values[value])
            self._texts(book, before, after)
        if before.values and not after.values:
            book.emptied.add(side)
        if side == ESPOCRM:
            book.opted_out = (book.opted_out - set(before.opted_out)) | set(after.opted_out)
        rows = frozenset(
            row_id
            for row_id in {*before.rows, *after.rows}
            if before.rows.get(row_id) != after.rows.get(row_id)
        )
        touched = frozenset(new | gone) | frozenset(value for value in before.opted_out ^ after.opted_out)
        book.edits.append((now, until, side, rows, touched | moved(before, after)))

    def _has_a_row_to_come(self, book: Book, side: str, value: Value, after: Shown) -> bool:
        """One of several rows of an item went, and another one has not followed the item's change yet: it will."""
        return side == ADVOWARE and any(after.values[old] for old in book.instead_of.get(value, ()))

    def _texts(self, book: Book, before: Shown, after: Shown) -> None:
        book.wrote.update(after.texts.values())
        for row_id, text in after.texts.items():
            if before.rows.get(row_id) != after.rows.get(row_id):
                book.texts[row_id] = text
        for row_id in before.texts:
            if row_id not in after.texts:
                book.texts.pop(row_id, None)

    def _set(self, book: Book, value: Value, fate: Fate, why: str) -> None:
        book.fates[value] = fate
        book.why[value] = why

    # -- excuses -----------------------------------------------------------------------------------------------

    def excuse(self, book: Book, values: Iterable[Value], why: str) -> None:
        """Nothing can be promised for these (values that are LOCAL stay where they are)."""
        for value in values:
            if book.fates.get(value) is not Fate.LOCAL:
                self._set(book, value, Fate.MAY, why)
        book.excused_conflicts = True

    def rejected(self, why: str) -> None:
        """What was taken away is written back (§9)."""
        for book in self.books.values():
            self.excuse(book, [v for v, fate in book.fates.items() if fate is Fate.MUST_NOT], why)

    def forgotten(self, why: str) -> None:
        """The database is lost: what is still shown anywhere counts as entered (§7), in as many rows as it stands in:
        which of them was about to go, as after half a change of type, nobody knows any more."""
        for book in self.books.values():
            rows = self.advoware(book.pair).values
            for value, count in rows.items():
                book.row_count[value] = max(book.row_count[value], count)
            here = set(self.espocrm(book.pair).values) | set(rows)
            self.excuse(book, [v for v in here if book.fates.get(v) is Fate.MUST_NOT], why)
            book.excused_conflicts = True


def moved(before: Shown, after: Shown) -> frozenset[Value]:
    """Values whose row became another one, though all of them are still there."""
    tlfs = [
        tlf
        for row_id in before.rows.keys() & after.rows.keys()
        if (was := before.rows[row_id][0]) != (now := after.rows[row_id][0])
        for tlf in (was, now)
        if tlf.strip()
    ]
    return frozenset((kind, same(kind, tlf)) for tlf in tlfs for kind in ["email" if "@" in tlf else "phone"])


def value_of(komm_kz: int, tlf: str | None) -> Value | None:
    """The sync-relevant value of a row, None for a blank one and a web site."""
    kind = FAMILY.get(komm_kz)
    if kind is None or not (tlf or "").strip():
        return None
    if kind == EMAIL and "@" not in str(tlf) and espocrm_takes(PHONE_KIND, str(tlf)):
        kind = PHONE_KIND  # GET hides the kommKz: it is taken for what it looks like (§3)
    return kind, same(kind, str(tlf))
