"""EspoCRM's half of a plan: one array, built from the items that GET returned, in their order (sync rules §8).

Filled by plan. Holds to three promises: an array never carries two items of one canonical value, a non-empty array has
exactly one primary, and an item that is stored is never left out to please the validator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from statemachine.acceptance import Acceptance, espocrm_form, is_stored_form
from statemachine.case import Variant
from statemachine.commands import ItemChange
from statemachine.model import Item, Kind, Side


@dataclass(slots=True)
class _Place:
    """One place in the array: what stands there, what was there when it was read, and why it changes."""

    item: Item | None
    was: Item | None
    changes: list[ItemChange] = field(default_factory=list)


class ItemPlan:
    """Collects the changes of one array in one round."""

    def __init__(
        self,
        kind: Kind,
        items: tuple[Item, ...],
        acceptance: Acceptance,
        region: str,
        canonical: Callable[[str, Kind], str],
    ) -> None:
        self.kind = kind
        self._acceptance = acceptance
        self._region = region
        self._canonical = canonical
        self._places = [_Place(item, item) for item in items]

    @property
    def changes(self) -> list[ItemChange]:
        return [change for place in self._places for change in place.changes]

    @property
    def limit(self) -> int:
        return self._acceptance.max_emails if self.kind is Kind.EMAIL else self._acceptance.max_phones

    @property
    def full(self) -> bool:
        return (
            len({self._value(place.item) for place in self._places if place.item is not None}) >= self.limit
        )

    def holds(self, canonical: str) -> bool:
        return any(place.item and self._value(place.item) == canonical for place in self._places)

    def edit(
        self, item: Item, after: Item, variant: Variant, link_key: str | None, row_id: int | None = None
    ) -> None:
        """Change an item in place; if another place holds the value in the end, this one is superfluous and goes."""
        place = self._place(item)
        place.item = after
        place.changes.append(ItemChange(variant, self.kind, link_key, item, after, row_id=row_id))

    def remove(self, item: Item, variant: Variant, link_key: str | None, deletion_from: Side | None) -> None:
        self._take_out(self._place(item), ItemChange(variant, self.kind, link_key, item, None, deletion_from))

    def add(self, item: Item, variant: Variant, link_key: str | None, row_id: int | None) -> None:
        change = ItemChange(variant, self.kind, link_key, None, item, row_id=row_id)
        self._places.append(_Place(item, None, [change]))

    def make_primary(self, item: Item, link_of: Callable[[Item], str | None]) -> None:
        """The one primary moves to ``item``; both changes are journalled."""
        for place in self._places:
            if place.item is None or place.was is None or place.item.primary == (place.was is item):
                continue
            after = replace(place.item, primary=place.was is item)
            place.changes.append(ItemChange(Variant.FLAG, self.kind, link_of(place.was), place.item, after))
            place.item = after

    def frozen(self) -> bool:
        """A stored item would be refused or altered and cannot be rewritten: the array cannot be written (§8)."""
        return any(
            place.item and place.was and not self._is_sendable(place.item, place.was)
            for place in self._places
        )

    def array(self, linked: Sequence[Item] = ()) -> tuple[Item, ...] | None:
        """The array to send; None when nothing changes. Of several items of one value the ``linked`` one stays."""
        if not self.changes:
            return None
        self._end_superfluous()
        places = sorted(self._places, key=lambda place: not any(place.was is item for item in linked))
        kept = self._one_of_each(places)
        items = [kept[id(place)] for place in self._places if id(place) in kept]
        return _one_primary(items)

    def _end_superfluous(self) -> None:
        """An edited item whose value another place holds, after all that moved has moved (two may have changed places):
        it goes, and its opt-out stays (§5)."""
        for place in self._places:
            if place.item is None or place.was is None or self._value(place.item) == self._value(place.was):
                continue
            twin = next((p for p in self._places if p is not place and self._holds(p, place.item)), None)
            if twin is not None and twin.item is not None:
                goes = replace(place.item, opt_out=place.item.opt_out or place.was.opt_out)
                twin.item = _merged(twin.item, goes)
                place.item = None
                place.changes = [replace(place.changes[0], before=place.was, after=None, row_id=None)]

    def _holds(self, place: _Place, item: Item) -> bool:
        return place.item is not None and self._value(place.item) == self._value(item)

    def _is_sendable(self, item: Item, was: Item) -> bool:
        """An unknown type is refused with the whole array, and none at all becomes the default one (facts §3.2)."""
        known = item.kind is Kind.EMAIL or item.type in self._acceptance.phone_types
        return known and (item is not was or self._sendable(item) is not None)

    def _sendable(self, item: Item) -> Item | None:
        if is_stored_form(item.value, item.kind, self._acceptance):
            return item
        form, _ = espocrm_form(item.value, item.kind, self._region, self._acceptance)
        return None if form is None else replace(item, value=form)

    def _one_of_each(self, places: list[_Place]) -> dict[int, Item]:
        """Several stored items of one canonical value become one, by place; an opt-out of any of them is kept."""
        first: dict[str, int] = {}
        kept: dict[int, Item] = {}
        for place in places:
            if place.item is None:
                continue
            item = self._sendable(place.item) or place.item
            chosen = first.setdefault(self._value(item), id(place))
            kept[chosen] = _merged(kept[chosen], item) if chosen in kept else item
        return kept

    def _take_out(self, place: _Place, change: ItemChange) -> None:
        place.item = None
        place.changes.append(change)

    def _place(self, item: Item) -> _Place:
        return next(place for place in self._places if place.was is item)

    def _value(self, item: Item) -> str:
        return self._canonical(item.value, item.kind)


def _merged(first: Item, other: Item) -> Item:
    primary, opt_out = first.primary or other.primary, first.opt_out or other.opt_out
    return replace(first, primary=primary, opt_out=opt_out)


def _one_primary(items: list[Item]) -> tuple[Item, ...]:
    """Exactly one primary: the first that has it, else the first item."""
    chosen = next((place for place, item in enumerate(items) if item.primary), 0)
    return tuple(
        item if item.primary == (place == chosen) else replace(item, primary=place == chosen)
        for place, item in enumerate(items)
    )
