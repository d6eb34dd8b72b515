"""The closed union of writes. A plan is made of these; the shell turns each into one call on a port.

Built by :mod:`statemachine.plan`, carried out by ``daemon/apply.py``, shown by ``plan`` and ``explain``. A command
holds everything that the journal must know before it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from statemachine.case import Shown, Variant
from statemachine.model import Item, Kind, Side


@dataclass(frozen=True, slots=True)
class RowContent:
    """The four writable fields of a row; always sent together (facts §4.3)."""

    tlf: str
    bemerkung: str
    online: bool
    komm_kz: int


@dataclass(frozen=True, slots=True)
class PutRow:
    """Overwrite the row ``id``; an empty ``tlf`` with a slot marker empties it."""

    variant: Variant
    kind: Kind
    link_key: str | None
    id: int
    before: RowContent
    after: RowContent
    #: the link's entry vanished there: this write carries out that deletion and counts in that side's fuse
    deletion_from: Side | None = None


@dataclass(frozen=True, slots=True)
class PostRow:
    variant: Variant
    kind: Kind
    link_key: str | None
    after: RowContent


@dataclass(frozen=True, slots=True)
class DeleteRow:
    """[deletion = "delete"]: tried first; 403 falls back to ``slot``."""

    slot: PutRow


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What one PUT changes for one entry; ``before`` None: added, ``after`` None: removed. ``row_id``: the Advoware
    row whose value it is, so that both halves are known to belong together before they are linked."""

    variant: Variant
    kind: Kind
    link_key: str | None
    before: Item | None
    after: Item | None
    deletion_from: Side | None = None
    row_id: int | None = None


@dataclass(frozen=True, slots=True)
class PutRecord:
    """One PUT on the CBeteiligte. An array that is None is not sent. ``fields``: sync fields to send along."""

    emails: tuple[Item, ...] | None
    phones: tuple[Item, ...] | None
    changes: tuple[ItemChange, ...]
    fields: tuple[tuple[str, str | int | None], ...] = ()


RowCommand = PutRow | PostRow | DeleteRow
Command = RowCommand | PutRecord


def shown_item(item: Item | None) -> Shown | None:
    """An item as the journal keeps it."""
    if item is None:
        return None
    return Shown(item.value, type=item.type, primary=item.primary, opt_out=item.opt_out, invalid=item.invalid)
