"""Which item belongs to which rows, without ids on EspoCRM's side (sync rules §4).

Called by diff. Rows stay in their link by id; items are found by value, then by what is left over; markers stand in
only where the base knows nothing. The result is a list of ties; what a tie means is decided later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from statemachine import marker
from statemachine.marker import Marker
from statemachine.model import Base, Item, Kind, Link, Side
from statemachine.rows import Row, Rows, afresh
from statemachine.situation import Situation, Value


@dataclass(slots=True)
class Tie:
    """What stands for one entry now. ``link`` None: nothing was ever agreed about it. ``gone_rows``: ids of the link
    that are blank or absent. ``spare``: further items of the same canonical value, left alone (§4.2).
    ``via_marker``: tied by rule 6, changed in Advoware."""

    kind: Kind
    link: Link | None = None
    rows: list[Row] = field(default_factory=list)
    gone_rows: tuple[int, ...] = ()
    item: Item | None = None
    spare: tuple[Item, ...] = ()
    via_marker: bool = False

    @property
    def agreed(self) -> Link:
        """The link of a tie that is known to have one."""
        if self.link is None:
            raise ValueError("this entry was never agreed")
        return self.link

    @property
    def key(self) -> str | None:
        return self.link.key if self.link else None

    @property
    def shown(self) -> Item:
        """The item of a tie that is known to have one."""
        if self.item is None:
            raise ValueError("this entry has no item")
        return self.item


@dataclass(slots=True)
class _Group:
    """All items of one canonical value (§4.2)."""

    value: Value
    items: list[Item]

    def best(self, spelling: str | None) -> tuple[Item, tuple[Item, ...]]:
        exact = [item for item in self.items if item.value == spelling]
        primary = [item for item in self.items if item.primary]
        chosen = (exact or primary or self.items)[0]
        return chosen, tuple(item for item in self.items if item is not chosen)


class Pairing:
    """One pass over the rules of §4, in their order. ``ties()`` is the only call."""

    def __init__(
        self, situation: Situation, base: Base, rows: Rows, edited: Callable[[Row, Link], bool]
    ) -> None:
        """``edited(row, link)``: whether a member row differs from its base (late effects and stale forms do not)."""
        self._situation = situation
        self._rows = rows
        self._base = base
        self._edited = edited
        self._free_rows: dict[int, Row] = rows.by_id()
        self._free_items: dict[Value, _Group] = _groups(situation)
        self._ties = [self._member_tie(link) for link in base.links]

    def ties(self) -> list[Tie]:
        for tie in self._ties:
            self._take_item(tie, self._base_value(tie))
        for tie in self._ties:
            self._take_new_value(tie)
        for tie in self._ties:
            self._let_join(tie)
        for tie in self._ties:
            self._let_leave(tie)
        for tie in self._ties:
            self._take_over(tie)
        new = self._equal_values()
        self._left_over_items()
        new += self._by_marker()
        return self._ties + new + self._rest()

    # rule 1: rows stay in their link by id
    def _member_tie(self, link: Link) -> Tie:
        members = [self._free_rows.pop(row.id) for row in link.rows if row.id in self._free_rows]
        present = {row.id for row in members}
        gone = tuple(row.id for row in link.rows if row.id not in present)
        return Tie(link.kind, link, members, gone)

    # rules 2 and 3: an item of the base value is the link's item, unchanged
    def _base_value(self, tie: Tie) -> str:
        return self._situation.canonical(tie.agreed.value, tie.kind)

    def _take_item(self, tie: Tie, canonical: str) -> bool:
        group = self._free_items.pop((tie.kind, canonical), None)
        if group is None:
            return False
        tie.item, tie.spare = group.best(tie.link.value if tie.link else None)
        return True

    # rule 3: an item that shows what a member row newly shows: both sides made the same edit
    def _take_new_value(self, tie: Tie) -> None:
        link = tie.agreed
        if tie.item is None:
            next(
                (True for row in tie.rows if self._edited(row, link) and self._take_item(tie, row.canonical)),
                False,
            )

    # rule 1: an unlinked row joins if it equals the base and the item is unchanged
    def _let_join(self, tie: Tie) -> None:
        base = self._base_value(tie)
        if tie.item is None or self._situation.canonical(tie.item.value, tie.kind) != base:
            return
        for row in [row for row in self._free_rows.values() if (row.kind, row.canonical) == (tie.kind, base)]:
            tie.rows.append(self._free_rows.pop(row.id))
        tie.rows.sort(key=lambda row: row.id)

    # rule 1: a row that alone changed leaves; so do rows with yet another value
    def _let_leave(self, tie: Tie) -> None:
        link = tie.agreed
        shown = self._situation.canonical(tie.item.value, tie.kind) if tie.item else None
        changed = [row for row in tie.rows if self._edited(row, link)]
        follows = [row for row in tie.rows if row not in changed or row.canonical == shown]
        if not follows and changed:
            follows = [row for row in changed if row.canonical == changed[0].canonical]
        for row in tie.rows:
            if row not in follows and (free := afresh(row, self._situation)) is not None:
                self._free_rows[row.id] = free
        tie.rows = follows

    # a value that moved to the row of an entry that EspoCRM no longer has: both sides show it, so it is not gone
    def _take_over(self, tie: Tie) -> None:
        if tie.item is None or tie.rows:
            return
        base = self._base_value(tie)
        for other in self._ties:
            if (
                other.item is None
                and other.kind is tie.kind
                and other.rows
                and other.rows[0].canonical == base
            ):
                tie.rows, other.rows = other.rows, []
                other.gone_rows = tuple(row.id for row in other.agreed.rows)
                return

    # rule 4: an unlinked row and an unlinked item of the same value
    def _equal_values(self) -> list[Tie]:
        new: dict[Value, Tie] = {}
        for row in sorted(self._free_rows.values(), key=lambda row: row.id):
            value = (row.kind, row.canonical)
            if value in self._free_items:
                tie = new[value] = Tie(row.kind)
                self._take_item(tie, row.canonical)
            if value in new:
                new[value].rows.append(self._free_rows.pop(row.id))
        return list(new.values())

    # rule 5: what is left over
    def _left_over_items(self) -> None:
        self._pair_leftovers(Kind.EMAIL, None)
        types = {tie.link.type for tie in self._ties if tie.link and tie.kind is Kind.PHONE}
        for type_ in sorted(types, key=str):
            self._pair_leftovers(Kind.PHONE, type_)

    def _pair_leftovers(self, kind: Kind, type_: str | None) -> None:
        ties = [
            tie
            for tie in self._ties
            if tie.item is None and tie.kind is kind and tie.link
            if kind is Kind.EMAIL or tie.link.type == type_
        ]
        groups = [
            group
            for (group_kind, _), group in self._free_items.items()
            if group_kind is kind
            if kind is Kind.EMAIL or any(item.type == type_ for item in group.items)
        ]
        if len(ties) == 1 and len(groups) == 1:
            self._take_item(ties[0], groups[0].value[1])

    # rule 6: where the base knows nothing of a row its marker may stand in
    def _by_marker(self) -> list[Tie]:
        shown = {(row.kind, row.canonical) for row in self._rows.relevant}
        new: list[Tie] = []
        if not self._situation.rules.may_write(Side.ESPOCRM):  # it would overwrite Advoware by a marker alone
            return new
        for row in sorted(self._free_rows.values(), key=lambda row: row.id):
            if row.marker is None or row.marker.slot or not self._may_speak(row):
                continue
            for value, group in list(self._free_items.items()):
                if value[0] is row.kind and value not in shown and self._speaks_of(row.marker, group):
                    tie = Tie(row.kind, rows=[self._free_rows.pop(row.id)], via_marker=True)
                    self._take_item(tie, value[1])
                    new.append(tie)
                    break
        return new

    def _may_speak(self, row: Row) -> bool:
        """Staff copy markers. Of somebody who is known the base and the journal tell, but for a row that a first sync
        could not bring over yet."""
        return self._base.first or row.id in self._base.by_marker

    def _speaks_of(self, mark: Marker, group: _Group) -> bool:
        kind, canonical = group.value
        if mark.value is not None and self._situation.canonical(mark.value, kind) == canonical:
            return True
        return any(marker.matches(mark, item.value) for item in group.items)

    # everything else is new
    def _rest(self) -> list[Tie]:
        new: dict[Value, Tie] = {}
        for row in sorted(self._free_rows.values(), key=lambda row: row.id):
            new.setdefault((row.kind, row.canonical), Tie(row.kind)).rows.append(row)
        items = [Tie(value[0]) for value in self._free_items]
        for tie, value in zip(items, list(self._free_items), strict=True):
            self._take_item(tie, value[1])
        return [*new.values(), *items]


def _groups(situation: Situation) -> dict[Value, _Group]:
    groups: dict[Value, _Group] = {}
    for item in _all_items(situation):
        value = (item.kind, situation.canonical(item.value, item.kind))
        groups.setdefault(value, _Group(value, [])).items.append(item)
    return groups


def _all_items(situation: Situation) -> Iterable[Item]:
    yield from situation.espocrm.emails
    yield from situation.espocrm.phones
