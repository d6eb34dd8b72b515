"""A list that shows only its first k of n entries deletes nothing, on either side, for every k (sync rules §8, §9).

Half an array while somebody saves, a truncated answer: for one look, or in every look until the second one that would
confirm a deletion. What is hidden is still there in truth, so whatever a write drops is really lost.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, fields, replace
from functools import cache

import pytest

from statemachine.model import AdvowareRecord, EspocrmRecord, Side
from tests.statemachine.world import RULES, World, agreed

MOST = 8
FORMS = ("0511/12345{}0", "0171 392000{}", "nr{}@example.de")
NEW = ("0511/7654321", "0171 3929999", "neu@example.de")
E_NEW = ("+495117654321", "+491713929999", "neu@example.de")
#: Seconds between the looks, all before the end of [deletion_confirm_seconds] = 60; [settle_seconds] is 3.
PAUSES = (0, 1, 4, 15, 30)

#: How many entries the look of this number shows, when ``k`` of ``n`` are shown at first.
VIEWS: dict[str, Callable[[int, int, int], int | None]] = {
    "for one look": lambda k, n, look: k if look == 0 else None,
    "all the while": lambda k, n, look: k,
    "fewer and fewer": lambda k, n, look: max(k - look, 0),
    "more and more": lambda k, n, look: min(k + look, n - 1),
    "now and then": lambda k, n, look: None if look % 2 else k,
}


@dataclass
class Short(World):
    """Shows only the first ``first`` entries of ``side``; None: all."""

    side: Side = Side.ESPOCRM
    first: int | None = None

    def espocrm(self) -> EspocrmRecord:
        whole = super().espocrm()
        if self.side is not Side.ESPOCRM or self.first is None:
            return whole
        phones = whole.phones[: self.first]
        return replace(whole, phones=phones, emails=whole.emails[: self.first - len(phones)])

    def advoware(self) -> AdvowareRecord:
        whole = super().advoware()
        if self.side is not Side.ADVOWARE or self.first is None:
            return whole
        return replace(whole, rows=whole.rows[: self.first])


@cache
def whole(number: int) -> World:
    """Office numbers, mobile numbers and mail addresses in turn, agreed long ago."""
    return agreed(*(FORMS[n % 3].format(n) for n in range(number)))


def short(number: int, side: Side) -> Short:
    known = {one.name: copy(getattr(whole(number), one.name)) for one in fields(World)}
    return Short(**known, side=side)


def edit_on_the_other_side(world: Short, place: int) -> None:
    """Then the side that is shown in part is to be written."""
    if world.side is Side.ESPOCRM:
        world.edit_row(101 + place, tlf=NEW[place % 3])
        return
    shown = world.rows[101 + place].tlf
    canonical = world.situation().canonical
    item = next(
        i for i in (*world.phones, *world.emails) if canonical(i.value, i.kind) == canonical(shown, i.kind)
    )
    world.edit_item(item.value, value=E_NEW[place % 3])


@pytest.mark.parametrize("edited", [False, True], ids=["untouched", "edited on the other side"])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("number", range(1, MOST + 1))
def test_k_of_n_entries_delete_nothing(number: int, side: Side, view: str, edited: bool) -> None:
    for k in range(number):
        for place in {0, number - 1} if edited else {0}:
            world = short(number, side)
            if edited:
                edit_on_the_other_side(world, place)
            wanted = world.values(side.other)
            for look, pause in enumerate(PAUSES):
                world.first = VIEWS[view](k, number, look)
                world.wait(pause).run()
                assert world.values(side.other) == wanted, f"{k} of {number}, look {look}"
                assert len(world.values(side)) == number, f"{k} of {number}, look {look}"
            world.first = None
            assert world.sync()[-1].ended == "synced"
            assert world.values(side) == world.values(side.other) == wanted
            world.quiet()


@pytest.mark.parametrize("shown", range(4))
def test_what_was_given_back_and_is_missing_in_the_next_list_has_been_missing_once(shown: int) -> None:
    """§9: an edit wins over the deletion of its row; the list that is read right after our write is truncated. The look
    that showed the row gone was one before our write; it is no first look at what came of it."""
    world = short(3, Side.ADVOWARE)
    world.edit_row(103, tlf="")
    world.edit_item("nr2@example.de", value=NEW[2])
    assert world.run().ended == "look_again"
    world.wait(RULES.deletion_confirm + 1)
    world.between.append(lambda _: setattr(world, "first", shown))
    written = world.run()
    assert written.writes == 1, "not once more, and nothing in EspoCRM"
    world.first = None
    assert world.wait(RULES.deletion_confirm + 1).sync()[-1].ended == "synced"
    assert NEW[2] in world.item_values()
    assert world.values(Side.ADVOWARE) == world.values(Side.ESPOCRM)
    assert len([tlf for tlf in world.tlfs() if tlf]) == 3
    world.quiet()
