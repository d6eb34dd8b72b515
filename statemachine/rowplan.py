"""Advoware's half of a plan: which rows are written, with which marker, into which slot (sync rules §6).

Filled by plan, one call per decision; ``commands()`` gives the writes in the order in which they must happen. A row is
written at most once per round and only if something would differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from statemachine import marker, normalize
from statemachine.case import Limits, Shown, Variant
from statemachine.commands import DeleteRow, PostRow, PutRow, RowCommand, RowContent
from statemachine.kommkz import KommKz
from statemachine.model import Item, Kind, Kommunikation, Side
from statemachine.rows import Row, Rows, Slot
from statemachine.rules import Rules


@dataclass(frozen=True, slots=True)
class New:
    """A value that Advoware is to get. ``text``: the user's bemerkung text to carry over."""

    kind: Kind
    value: str
    komm_kz: int
    online: bool = False
    text: str = ""


class RowPlan:
    """Collects row commands of one round."""

    def __init__(self, rows: Rows, blank: dict[int, Kommunikation], rules: Rules, limits: Limits) -> None:
        self._slots = list(rows.slots)
        self._blank = blank
        self._rules = rules
        self._limits = limits
        self._puts: dict[int, PutRow] = {}
        self._creations: list[RowCommand] = []
        self._reveals: set[int] = set()

    def commands(self) -> tuple[RowCommand, ...]:
        """Creations first: a type change creates the new row before it empties the old one (§5)."""
        wanted = (put for put in self._puts.values() if put.before != put.after or put.id in self._reveals)
        puts = [self._as_deletion(put) for put in wanted]
        return (*self._creations, *puts)

    def give(self, row: Row, value: str, variant: Variant, link_key: str | None) -> None:
        """Var5: the row takes ``value``, with its marker renewed and the user's text kept."""
        komm_kz = self._komm_kz(row)
        self._put(row, variant, link_key, tlf=value, bemerkung=self._bemerkung(value, komm_kz, row.text))

    def mark(self, row: Row, link_key: str | None, gives: str) -> None:
        """A marker for a row whose value is about to go to EspoCRM. Where it may not fit, or is there already and the
        answer to it was lost, a row of unknown kommKz is written as it is: the answer shows the true kommKz, which
        decides the type in EspoCRM (§3)."""
        wanted = self._bemerkung(gives, self._komm_kz(row), row.text)
        if wanted != row.text and not marker.same(wanted, row.now.bemerkung):
            self._put(row, Variant.MARKER, link_key, bemerkung=wanted)
        elif not row.certain:
            self.reveal(row, link_key)

    def reveal(self, row: Row, link_key: str | None) -> None:
        """Written as it is: the answer shows the true kommKz."""
        self._put(row, Variant.MARKER, link_key)
        self._reveals.add(row.id)

    def online(self, row: Row, online: bool, link_key: str | None) -> None:
        """primary/online (§5)."""
        self._put(row, Variant.FLAG, link_key, online=online)

    def empty(
        self, row: Row, variant: Variant, link_key: str | None, deletion_from: Side | None = None
    ) -> None:
        """Into a slot: the value goes, the label stays, the user's text leaves Advoware (it is in the history)."""
        slot = marker.write_slot(self._komm_kz(row))
        self._put(row, variant, link_key, deletion_from, tlf="", bemerkung=slot, online=False)

    def put_back(self, row: Row, before: Shown, link_key: str | None) -> None:
        """All that a write of ours changed becomes what it was."""
        tlf, bemerkung, online = before.value, before.bemerkung, bool(before.online)
        self._put(row, Variant.RESTORE, link_key, tlf=tlf, bemerkung=bemerkung, online=online)

    def create(self, new: New, variant: Variant, link_key: str | None, own: tuple[int, ...] = ()) -> None:
        """A slot of the same kommKz, one of the link's ``own`` blank rows first; else a POST."""
        slot = self._take_slot(new.komm_kz, own)
        kept = slot.text if slot else ""
        has_it = slot is not None and (slot.now.id in own or kept == new.text)
        carried = "" if kept and has_it else new.text
        text = " ".join(part for part in (kept, carried) if part)
        bemerkung = self._bemerkung(new.value, new.komm_kz, text)
        content = RowContent(new.value, bemerkung, new.online, new.komm_kz)
        if slot is None:
            self._creations.append(PostRow(variant, new.kind, link_key, content))
        else:
            before = RowContent(slot.now.tlf, slot.now.bemerkung, slot.now.online, slot.komm_kz)
            self._creations.append(PutRow(variant, new.kind, link_key, slot.now.id, before, content))

    def new_of(self, item: Item, komm_kz: int, text: str = "") -> New:
        """An item as a new row: spelled by [phone_format]; a new mail is online when it is primary."""
        online = item.primary and item.kind is Kind.EMAIL
        return New(item.kind, self.spelled(item.value, item.kind), komm_kz, online, text)

    def spelled(self, value: str, kind: Kind) -> str:
        """How a value crosses to Advoware [phone_format]."""
        if kind is Kind.PHONE and self._rules.phone_format != "as_is":
            form = {"international": normalize.international, "national": normalize.national}[
                self._rules.phone_format
            ]
            return form(value, self._rules.region)
        return value

    def _take_slot(self, komm_kz: int, own: tuple[int, ...]) -> Slot | None:
        for slot in self._slots:
            if slot.komm_kz == komm_kz:
                self._slots.remove(slot)
                return slot
        for row_id in own:
            now = self._blank.pop(row_id, None)
            mark, text = marker.read(now.bemerkung) if now else (None, "")
            if (
                now
                and row_id not in self._puts
                and mark is not None
                and (now.komm_kz or mark.komm_kz) == komm_kz
            ):
                return Slot(now, komm_kz, text)
        return None

    def _bemerkung(self, value: str, komm_kz: int, text: str) -> str:
        """Marker and text, or the text alone where a marker would not fit or was never seen to fit (§6)."""
        marked = marker.write(value, komm_kz, text)
        known = (self._limits.bemerkung, self._rules.bemerkung_max)
        if any(0 < longest < len(marked) for longest in known):
            return text
        if text and len(marked) > self._limits.bemerkung_whole:
            return text
        return marked

    def _komm_kz(self, row: Row) -> int:
        return row.komm_kz or KommKz.Sonstige

    def _put(
        self,
        row: Row,
        variant: Variant,
        link_key: str | None,
        deletion_from: Side | None = None,
        *,
        tlf: str | None = None,
        bemerkung: str | None = None,
        online: bool | None = None,
    ) -> None:
        now = RowContent(row.now.tlf, row.now.bemerkung, row.now.online, self._komm_kz(row))
        known = self._puts.get(row.id) or PutRow(variant, row.kind, link_key, row.id, now, now, deletion_from)
        after = replace(
            known.after,
            tlf=known.after.tlf if tlf is None else tlf,
            bemerkung=known.after.bemerkung if bemerkung is None else bemerkung,
            online=known.after.online if online is None else online,
        )
        stronger = known.variant if variant in (Variant.FLAG, Variant.MARKER) else variant
        self._puts[row.id] = replace(known, variant=stronger, after=after)

    def _as_deletion(self, put: PutRow) -> RowCommand:
        physical = self._rules.deletion == "delete" and put.after.tlf == "" and put.deletion_from is not None
        return DeleteRow(put) if physical else put
