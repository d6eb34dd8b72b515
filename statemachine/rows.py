"""Rows as they are now, with everything we know about them: kind, kommKz, marker, the user's text.

Called by pairing. Here §3 of the sync rules is decided: which kommKz a row has (Advoware hides it on GET), which rows
are sync-relevant, which are empty slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from statemachine import kommkz, marker
from statemachine.case import Outcome, Write
from statemachine.marker import Marker
from statemachine.model import Base, Item, Kind, Kommunikation, LinkRow, Side
from statemachine.situation import Situation


@dataclass(frozen=True, slots=True)
class Row:
    """One non-blank, sync-relevant row."""

    now: Kommunikation
    kind: Kind
    canonical: str
    komm_kz: int
    certain: bool
    marker: Marker | None
    text: str

    @property
    def id(self) -> int:
        return self.now.id

    def linked(self) -> LinkRow:
        """As a link remembers it."""
        return LinkRow(
            self.id, self.now.row_id, self.komm_kz, self.certain, self.now.tlf, self.now.online, self.text
        )


@dataclass(frozen=True, slots=True)
class Slot:
    """An emptied row of ours that may take a new value of its kommKz."""

    now: Kommunikation
    komm_kz: int
    text: str


@dataclass(frozen=True, slots=True)
class Rows:
    """``relevant`` lowest id first; ``slots`` those that no link holds; ``blank`` ids of all blank rows."""

    relevant: tuple[Row, ...]
    slots: tuple[Slot, ...]
    blank: frozenset[int]

    def by_id(self) -> dict[int, Row]:
        return {row.id: row for row in self.relevant}


def read(situation: Situation, base: Base) -> Rows:
    """All rows of the snapshot, sorted into relevant ones, slots and the rest."""
    linked = {row.id: (row, link.kind) for link in base.links for row in link.rows}
    learnt = learnt_kinds(situation.case.writes)
    texts = _last_written(situation.case.writes)
    fields = _Convenience(situation.advoware.convenience)
    types = _types(situation)
    relevant: list[Row] = []
    slots: list[Slot] = []
    blank: set[int] = set()
    for now in sorted(situation.advoware.rows, key=lambda row: row.id):
        mark, _ = marker.read(now.bemerkung)
        text = marker.damaged(now.bemerkung, texts.get(now.id, ""))
        known = linked.get(now.id)
        if not now.tlf.strip():
            blank.add(now.id)
            if mark is not None and known is None:
                slots.append(Slot(now, _slot_kind(now, mark, learnt), text))
            continue
        komm_kz, certain = _komm_kz(now, mark, known[0] if known else None, learnt, types, fields, situation)
        kind = known[1] if known else kommkz.family(komm_kz)
        # a linked row stays what it was even if the server now calls it a web site: nobody deleted it
        if kind is not None:
            kind = Kind(kind)
            relevant.append(Row(now, kind, situation.canonical(now.tlf, kind), komm_kz, certain, mark, text))
    return Rows(tuple(relevant), tuple(slots), frozenset(blank))


def afresh(row: Row, situation: Situation) -> Row | None:
    """A row that leaves its link is of the kind that it would be without it: staff may have put a number where an
    address was. None: a web site."""
    komm_kz = row.komm_kz
    if not row.certain and kommkz.contradicts(komm_kz, row.now.tlf):
        komm_kz = kommkz.guess(row.now.tlf, situation.rules.region)
    kind = kommkz.family(komm_kz)
    if kind is None or kind == row.kind:
        return row if kind else None
    return replace(
        row, kind=Kind(kind), komm_kz=komm_kz, canonical=situation.canonical(row.now.tlf, Kind(kind))
    )


def learnt_kinds(writes: Iterable[Write]) -> dict[int, int]:
    """Row id → true kommKz as answers to our own PUTs and POSTs showed it (§3: they make it certain)."""
    return {
        write.advoware_id: write.after.komm_kz
        for write in writes
        if write.side is Side.ADVOWARE and write.outcome is Outcome.DONE and write.advoware_id and write.after
        if write.after.komm_kz
    }


def _last_written(writes: Iterable[Write]) -> dict[int, str]:
    return {
        w.advoware_id: w.after.bemerkung
        for w in writes
        if w.side is Side.ADVOWARE and w.advoware_id and w.after
    }


def _slot_kind(now: Kommunikation, mark: Marker, learnt: Mapping[int, int]) -> int:
    return now.komm_kz or learnt.get(now.id) or mark.komm_kz


def _komm_kz(
    now: Kommunikation,
    mark: Marker | None,
    linked: LinkRow | None,
    learnt: Mapping[int, int],
    types: Mapping[str, Item],
    fields: _Convenience,
    situation: Situation,
) -> tuple[int, bool]:
    """(kommKz, certain), first hit wins (§3)."""
    if linked is not None and linked.certain:
        return linked.komm_kz, True
    if known := now.komm_kz or learnt.get(now.id, 0):
        return known, True
    if mark is not None and not kommkz.contradicts(mark.komm_kz, now.tlf):
        return mark.komm_kz, False
    if linked is not None and linked.komm_kz:
        return linked.komm_kz, False
    kind = Kind.EMAIL if "@" in now.tlf else Kind.PHONE
    equal = types.get(f"{kind}:{situation.canonical(now.tlf, kind)}")
    from_field = fields.serve(now.tlf, kind, situation)
    if equal is not None and equal.kind is Kind.PHONE and equal.type is not None:
        return kommkz.from_espocrm_type(equal.type), False
    return from_field or kommkz.guess(now.tlf, situation.rules.region), False


def _types(situation: Situation) -> dict[str, Item]:
    items = (*situation.espocrm.phones, *situation.espocrm.emails)
    return {f"{item.kind}:{situation.canonical(item.value, item.kind)}": item for item in items}


class _Convenience:
    """The fields that repeat one value per type; each serves one row, lowest id first."""

    def __init__(self, fields: tuple[tuple[int, str], ...]) -> None:
        self._left = list(fields)

    def serve(self, tlf: str, kind: Kind, situation: Situation) -> int:
        wanted = situation.canonical(tlf, kind)
        for place, (komm_kz, value) in enumerate(self._left):
            if situation.canonical(value, kind) == wanted and not kommkz.contradicts(komm_kz, tlf):
                del self._left[place]
                return komm_kz
        return 0
