"""The values that everything else talks about: rows, items, links, snapshots of a side.

Called by every module of the core and by the adapters that build snapshots from answers. It knows nothing of
HTTP, SQLite or time; a moment is a float (Unix seconds of our own clock) that somebody else read.
Words as in the sync rules §1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Side(StrEnum):
    """The two systems."""

    ESPOCRM = "espocrm"
    ADVOWARE = "advoware"

    @property
    def other(self) -> Side:
        return Side.ADVOWARE if self is Side.ESPOCRM else Side.ESPOCRM


class Kind(StrEnum):
    """Which of EspoCRM's two arrays an entry belongs to."""

    EMAIL = "email"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Kommunikation:
    """One row in Advoware as GET, PUT or POST showed it. ``komm_kz`` is 0 where the server hid it."""

    id: int
    row_id: str
    tlf: str
    bemerkung: str
    online: bool
    komm_kz: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """One element of ``emailAddressData`` or ``phoneNumberData``; it has no id of its own.

    ``wire`` is the element as GET gave it (JSON object text), opaque to the core: the adapter sends it back
    with only the changed keys touched, because missing or extra keys bump ``modifiedAt`` (facts §4.1).
    """

    kind: Kind
    value: str
    type: str | None = None
    primary: bool = False
    opt_out: bool = False
    invalid: bool = False
    wire: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class EspocrmRecord:
    """A CBeteiligte as one GET showed it.

    ``asked_at``/``answered_at``: our own clock before sending and after receiving, so that two looks can be
    proven to be some seconds apart whatever the partner's clock says. ``fields``: the sync fields that the record
    has (``syncStatus`` …) with their values; a field that is missing in the answer is missing here.
    """

    id: str
    bet_nr: int | None
    emails: tuple[Item, ...]
    phones: tuple[Item, ...]
    modified_at: str
    modified_by_id: str | None
    version_number: int | None
    fields: tuple[tuple[str, str | int | None], ...]
    asked_at: float
    answered_at: float
    server_time: float | None = None

    def items(self, kind: Kind) -> tuple[Item, ...]:
        return self.emails if kind is Kind.EMAIL else self.phones

    def value_of(self, name: str) -> str | int | None:
        return dict(self.fields).get(name)


@dataclass(frozen=True, slots=True)
class AdvowareRecord:
    """A Beteiligte as one GET showed it. ``convenience``: (kommKz, value) of the fields that repeat one value per
    type (facts §4), non-blank ones only."""

    bet_nr: int
    rows: tuple[Kommunikation, ...]
    convenience: tuple[tuple[int, str], ...]
    asked_at: float
    answered_at: float
    server_time: float | None = None


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A row as it was when its link was last agreed. ``text`` is the user's own part of the bemerkung."""

    id: int
    row_id: str
    komm_kz: int
    certain: bool
    tlf: str
    online: bool
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """Our memory that rows and one item were equal when both sides were last *read* equal (sync rules §1).

    ``key`` is unique within the pair and never used again. ``value`` is EspoCRM's spelling; every row keeps its own.
    ``derived_type``: we made up the item's type from a guessed kommKz, so a kommKz that turns out to be
    another may correct it (§3).
    """

    key: str
    kind: Kind
    value: str
    type: str | None
    primary: bool
    opt_out: bool
    invalid: bool
    rows: tuple[LinkRow, ...]
    derived_type: bool = False


@dataclass(frozen=True, slots=True)
class Base:
    """All links of one pair (EspoCRM id, betNr). ``first`` while nothing was ever agreed: then nothing can be a
    deletion (§7). ``counter`` is the number of the youngest key that was not named after a write. ``stamp``:
    EspoCRM's modifiedAt when the base was last written, to tell an edit of this record from one of a shared value
    (§5). ``asked``: sides whose emptying waited for a human when the base was put aside (§9). ``by_marker``: ids of
    rows that a first sync tied to an item by their marker alone and that are not in sync yet (§4.6)."""

    links: tuple[Link, ...] = ()
    first: bool = True
    counter: int = 0
    stamp: str = ""
    asked: tuple[Side, ...] = ()
    by_marker: tuple[int, ...] = ()
