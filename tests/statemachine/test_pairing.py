"""Which item belongs to which rows (sync rules §4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statemachine import marker
from statemachine.acceptance import Acceptance
from statemachine.case import Variant
from statemachine.model import Item, Kind, Side
from statemachine.pairing import Tie
from statemachine.rules import Direction
from tests.statemachine.world import RULES, World, agreed

ONE, TWO, THREE = "0511/1234560", "0511/1234561", "0511/1234562"
E_ONE, E_TWO, E_THREE = "+495111234560", "+495111234561", "+495111234562"


def shared() -> World:
    """One number, in Advoware as phone and as fax (§4.1)."""
    world = World()
    world.row(ONE, 1, "Zentrale")
    world.row("0511 1234560", 2)
    world.row("max@example.de", 4)
    world.sync()
    world.wait(100_000)
    assert world.agreed() == [("max@example.de", [103]), (E_ONE, [101, 102])] or world.agreed() == [
        (E_ONE, [101, 102]),
        ("max@example.de", [103]),
    ]
    world.case = replace(world.case, writes=())
    world.history.clear()
    return world


def rows_of(world: World, value: str) -> list[int]:
    return next(ids for shown, ids in world.agreed() if shown == value)


def test_several_rows_are_one_item_whose_type_is_that_of_the_lowest() -> None:
    """§4.1."""
    world = shared()
    assert [(i.value, i.type) for i in world.phones] == [(E_ONE, "Office")]
    world.quiet()


def test_the_rows_follow_the_item() -> None:
    """§4.1: rows unchanged, or already showing the item's new value, follow the item."""
    world = shared()
    world.edit_item(E_ONE, value=E_TWO)
    world.edit_row(102, tlf=TWO)
    world.sync()
    assert world.tlfs()[:2] == [E_TWO, TWO]
    assert rows_of(world, E_TWO) == [101, 102]
    assert marker.read(world.rows[101].bemerkung)[1] == "Zentrale"


def test_a_row_gone_alone_leaves_the_link_silently() -> None:
    """§4.1: the Advoware side is gone only if all its rows are gone; §9: one list alone does not say so."""
    world = shared()
    world.remove_row(101)
    assert world.sync()[-1].ended == "synced"
    assert rows_of(world, E_ONE) == [101, 102]
    assert world.wait(100).sync()[-1].ended == "synced"
    assert world.history == []
    assert rows_of(world, E_ONE) == [102]
    world.remove_row(102)
    world.sync()
    assert world.phones == []


def test_a_row_that_alone_changed_leaves_and_is_new() -> None:
    """§4.1."""
    world = shared()
    world.edit_row(102, tlf=TWO)
    world.sync()
    assert {i.value for i in world.phones} == {E_ONE, E_TWO}
    assert rows_of(world, E_ONE) == [101]
    assert rows_of(world, E_TWO) == [102]


def test_if_no_row_is_unchanged_the_lowest_changed_one_leads() -> None:
    """§4.1: rows with yet another value leave as new rows."""
    world = shared()
    world.edit_row(101, tlf=TWO)
    world.edit_row(102, tlf=THREE)
    world.sync()
    assert {i.value: rows_of(world, i.value) for i in world.phones} == {E_TWO: [101], E_THREE: [102]}
    assert Variant.VAR6 in {w.variant for w in world.history}


def test_a_row_joins_only_an_unchanged_link() -> None:
    """§4.1: an unlinked row joins only if it equals the base *and* the item is unchanged."""
    world = agreed(ONE, "max@example.de")
    world.row("0511 1234560", 2)
    world.sync()
    assert world.history == []
    assert rows_of(world, E_ONE) == [101, 103]
    edited = agreed(ONE, "max@example.de")
    edited.row("0511 1234560", 2)
    edited.edit_item(E_ONE, value=E_TWO)
    edited.sync()
    assert {i.value: rows_of(edited, i.value) for i in edited.phones} == {E_TWO: [101], E_ONE: [103]}


def test_several_items_of_one_value_are_one() -> None:
    """§4.2: the one spelled as in the base, else the primary, else the first; the others are left alone."""
    plain = replace(RULES, acceptance=Acceptance(international=False))
    world = World(plain)
    world.row("0511 1234560")
    world.sync()
    (item,) = world.phones
    world.phones.insert(0, Item(Kind.PHONE, "+49 511 1234560", "Home"))
    world.stamp += 1
    assert world.sync()[-1].ended == "synced"
    assert len(world.phones) == 2
    world.row("0511 1234561")
    world.sync()
    assert [i.type for i in world.phones if i.value == item.value] == [item.type]
    assert len(world.phones) == 2, "written, the array holds each value once"
    world.quiet()


@pytest.mark.parametrize("gone", [True, False])
def test_what_is_left_alone_goes_with_its_entry(gone: bool) -> None:
    """§4.2, §5: a second item of the value must not come back as a new one."""
    world = World(replace(RULES, acceptance=Acceptance(international=False)))
    world.row("0511 1234560")
    world.row("max@example.de", 4)
    world.sync()
    world.phones.append(Item(Kind.PHONE, "+49 511 1234560", "Home"))
    world.stamp += 1
    world.sync()
    if gone:
        world.remove_row(101)
    else:
        world.edit_row(101, tlf="0511 1234561")
    world.sync()
    assert [i.value for i in world.phones] == ([] if gone else ["0511 1234561"])
    world.quiet()


def test_both_sides_made_the_same_edit() -> None:
    """§4.3: nothing is written."""
    world = agreed(ONE, TWO, "max@example.de")
    world.edit_row(101, tlf=THREE)
    world.edit_item(E_ONE, value=E_THREE)
    world.sync()
    assert world.history == []
    assert rows_of(world, E_THREE) == [101]


def test_equal_values_are_linked_and_nothing_is_created() -> None:
    """§4.4, #4."""
    world = World()
    world.row(ONE, 1, "Zentrale")
    world.row("Max@Example.de", 4)
    world.phone(E_ONE)
    world.email("max@example.de")
    assert [run.writes for run in world.sync()] == [0, 0], "the second look ends the first sync"
    assert len(world.agreed()) == 2


def test_one_mail_left_on_each_side_is_an_edit() -> None:
    """§4.5."""
    world = agreed("a@example.de", "b@example.de")
    world.edit_item("a@example.de", value="c@example.de")
    world.sync()
    assert world.rows[101].tlf == "c@example.de"
    assert [w.variant for w in world.history] == [Variant.VAR5]


def test_two_mails_left_are_deletions_and_new_ones() -> None:
    """§4.5: exactly one of each, otherwise the item is gone and the item is new."""
    world = agreed("a@example.de", "b@example.de", "x@example.de")
    world.edit_item("a@example.de", value="c@example.de")
    world.edit_item("b@example.de", value="d@example.de")
    world.sync()
    assert {w.variant for w in world.history} == {Variant.VAR1, Variant.VAR2}
    assert world.values(Side.ADVOWARE) == world.values(Side.ESPOCRM)


def test_phones_pair_only_within_a_type() -> None:
    """§4.5: always between phones of different type the link's item is gone and the item is new."""
    world = agreed(ONE, "0170 1234567", "max@example.de")
    world.edit_item(E_ONE, value=E_TWO)
    world.edit_item("+491701234567", value="+491707654321")
    world.sync()
    assert [w.variant for w in world.history] == [Variant.VAR5] * 2
    other = agreed(ONE, "max@example.de")
    other.edit_item(E_ONE, value=E_TWO, type="Home")
    other.sync()
    assert {w.variant for w in other.history} == {Variant.VAR1, Variant.VAR2}


@pytest.mark.parametrize("written", [marker.write("alt@example.de", 4), "[ESPOCRM:9a5a2a3b:4] Notiz"])
def test_a_marker_stands_in_where_the_base_knows_nothing(written: str) -> None:
    """§4.6: the row is that item's row, changed in Advoware (Var6)."""
    import hashlib

    digest = hashlib.sha256(b"alt@example.de").hexdigest()[:8]
    world = World()
    world.email("alt@example.de", opt_out=True)
    world.row("neu@example.de", 4, written.replace("9a5a2a3b", digest))
    world.sync()
    assert [(i.value, i.opt_out) for i in world.emails] == [("neu@example.de", True)]
    assert world.tlfs() == ["neu@example.de"]
    world.quiet()


def test_a_marker_whose_value_another_row_holds_is_ignored() -> None:
    """§4.6: a copied entry with its marker is simply new."""
    world = World()
    world.email("alt@example.de")
    world.row("alt@example.de", 4)
    world.row("kopie@example.de", 4, marker.write("alt@example.de", 4))
    world.sync()
    assert {i.value for i in world.emails} == {"alt@example.de", "kopie@example.de"}


def test_a_marker_alone_never_overwrites_advoware() -> None:
    """§4.6, §12: also not when EspoCRM is the source."""
    world = World(replace(RULES, direction=Direction.TO_ADVOWARE))
    world.email("alt@example.de")
    world.row("neu@example.de", 4, marker.write("alt@example.de", 4))
    world.sync()
    assert world.tlfs() == ["neu@example.de", "alt@example.de"]


def test_a_blank_row_with_any_marker_is_a_slot() -> None:
    """§4.6."""
    world = World()
    world.row("", 4, marker.write("alt@example.de", 4))
    world.email("neu@example.de")
    world.sync()
    assert world.tlfs() == ["neu@example.de"]
    assert [w.operation for w in world.history] == ["put"]


def test_a_tie_without_link_has_none_to_give() -> None:
    with pytest.raises(ValueError, match="never agreed"):
        _ = Tie(Kind.PHONE).agreed


def test_a_tie_without_item_has_none_to_give() -> None:
    with pytest.raises(ValueError, match="no item"):
        _ = Tie(Kind.PHONE).shown


def test_a_row_does_not_join_an_entry_that_both_sides_changed() -> None:
    """§4.1: its old value, entered again, is a new row."""
    world = agreed(ONE, "max@example.de")
    world.edit_row(101, tlf=TWO)
    world.edit_item(E_ONE, value=E_TWO)
    world.row("0511 1234560")
    world.sync()
    assert {i.value: rows_of(world, i.value) for i in world.phones} == {E_TWO: [101], E_ONE: [103]}


def test_a_marker_of_a_value_that_a_linked_row_shows_is_ignored() -> None:
    """§4.6: held by no other row as tlf."""
    world = agreed("a@example.de", ONE)
    world.edit_row(101, tlf="b@example.de")
    world.email("b@example.de", opt_out=True)
    world.row("c@example.de", 4, marker.write("b@example.de", 4))
    world.sync()
    assert {i.value: i.opt_out for i in world.emails} == {"b@example.de": True, "c@example.de": False}
    assert [row.tlf for row in world.rows.values() if "@" in row.tlf] == ["b@example.de", "c@example.de"]
