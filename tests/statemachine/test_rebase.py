"""The base as the journal completes it (sync rules §8), case by case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statemachine import effects
from statemachine.case import Outcome, Shown, Variant, Write
from statemachine.effects import Effect
from statemachine.model import Kind, Link, Side
from statemachine.rebase import rebase
from tests.statemachine.world import World, agreed

ONE, TWO, THREE = "0511/1234560", "0511/1234561", "0511/1234562"
E_ONE, E_TWO = "+495111234560", "+495111234561"


def one() -> World:
    return agreed(ONE, "max@example.de")


def key(world: World) -> str:
    return next(link.key for link in world.case.base.links if link.kind is Kind.PHONE)


def link_of(world: World, *writes: Write) -> Link | None:
    world.case = replace(world.case, writes=writes)
    links = rebase(world.situation()).base.links
    return next((link for link in links if link.kind is Kind.PHONE), None)


def row_write(world: World, before: Shown | None, after: Shown, **changes: object) -> Write:
    write = Write(
        1,
        "c",
        world.now,
        Side.ADVOWARE,
        "put",
        Variant.VAR5,
        Kind.PHONE,
        key(world),
        101,
        before,
        after,
        Outcome.DONE,
    )
    return replace(write, **changes)  # type: ignore[arg-type]


def item_write(world: World, before: Shown | None, after: Shown | None, **changes: object) -> Write:
    write = Write(
        1,
        "c",
        world.now,
        Side.ESPOCRM,
        "put",
        Variant.VAR6,
        Kind.PHONE,
        key(world),
        101,
        before,
        after,
        Outcome.DONE,
    )
    return replace(write, **changes)  # type: ignore[arg-type]


def test_a_done_write_moves_the_links_base() -> None:
    world = one()
    old = world.rows[101]
    world.edit_row(101, tlf=TWO, bemerkung="neu")
    write = row_write(world, Shown(ONE, old.bemerkung, False), Shown(TWO, "neu", False))
    moved = link_of(world, write)
    assert moved is not None
    assert (moved.value, moved.rows[0].tlf) == (TWO, TWO)
    for settled in (replace(write, settled=True), replace(write, outcome=Outcome.REFUSED)):
        same = link_of(world, settled)
        assert same is not None
        assert same.value == E_ONE


def test_three_things_may_be_seen_after_it() -> None:
    """Ours, the old one, a third one."""
    world = one()
    old = world.rows[101]
    before, after = Shown(ONE, old.bemerkung, old.online), Shown(TWO, "neu", False)
    world.case = replace(world.case, writes=(row_write(world, before, after),))
    assert [write.id for write in rebase(world.situation()).not_taken] == [1]
    world.edit_row(101, tlf=THREE)
    done = rebase(world.situation())
    assert done.not_taken == ()
    assert TWO in [link.value for link in done.base.links]


def test_a_write_is_judged_by_what_the_next_one_found() -> None:
    """A later write of ours that put the old value back does not make the first one ineffective."""
    world = one()
    old = Shown(ONE, world.rows[101].bemerkung, False)
    new = Shown(TWO, "neu", False)
    there, back = row_write(world, old, new), row_write(world, new, old, id=2)
    world.case = replace(world.case, writes=(there, back))
    assert [effect for _, effect in effects.of(world.situation())] == [Effect.TAKEN, Effect.TAKEN]
    world.case = replace(world.case, writes=(there, replace(there, id=2)))
    assert [effect for _, effect in effects.of(world.situation())] == [Effect.NOT_TAKEN] * 2
    world.case = replace(world.case, writes=(there,))
    assert rebase(world.situation()).unsettled == (1,)
    gives = "advoware:phone:+495111234561"
    world.case = replace(world.case, writes=(replace(there, gives=gives), replace(there, id=2, gives=gives)))
    assert rebase(world.situation()).stubborn(gives)
    assert rebase(world.situation()).unsettled == (), "parked ones count no more"


def test_one_that_took_forgives_those_before() -> None:
    world = one()
    old, new = Shown(ONE, world.rows[101].bemerkung, False), Shown(TWO, "neu", False)
    world.edit_row(101, tlf=TWO, bemerkung="neu")
    world.case = replace(world.case, writes=(row_write(world, old, new), row_write(world, old, new, id=2)))
    assert rebase(world.situation()).not_taken == ()


@pytest.mark.parametrize("variant", [Variant.MARKER, Variant.STATUS, Variant.WISH])
def test_what_gives_no_agreed_value_moves_nothing(variant: Variant) -> None:
    world = one()
    base = world.case.base
    world.edit_row(101, tlf=TWO)
    link_of(world, row_write(world, None, Shown(TWO), variant=variant))
    assert rebase(world.situation()).base == base
    link_of(world, item_write(world, None, Shown("clean"), variant=variant, link_key=None, advoware_id=None))
    assert rebase(world.situation()).base == base


def test_a_flag_moves_only_the_flag() -> None:
    """Whatever value the row or the item shows by then: an edit under a flag of ours is still an edit."""
    world = one()
    world.edit_row(101, tlf=TWO, online=True)
    moved = link_of(
        world, row_write(world, Shown(TWO, "", False), Shown(TWO, "", True), variant=Variant.FLAG)
    )
    assert moved is not None
    assert (moved.value, moved.rows[0].tlf, moved.rows[0].online) == (E_ONE, ONE, True)
    world = one()
    world.edit_item(E_ONE, value=E_TWO, primary=False)
    before, after = Shown(E_TWO, type="Office", primary=True), Shown(E_TWO, type="Office", primary=False)
    moved = link_of(world, item_write(world, before, after, variant=Variant.FLAG))
    assert moved is not None
    assert (moved.value, moved.rows[0].tlf, moved.primary) == (E_ONE, ONE, False)


def test_a_flag_of_an_unlinked_row_is_nobodys() -> None:
    world = one()
    world.row(THREE, 1, online=True)
    write = row_write(
        world, Shown(THREE, "", False), Shown(THREE, "", True), variant=Variant.FLAG, advoware_id=103
    )
    base = world.case.base
    link_of(world, write)
    assert rebase(world.situation()).base == base


def test_a_users_type_stays_his_wish() -> None:
    """§5: only what the write itself changed."""
    world = one()
    world.edit_item(E_ONE, value=E_TWO, type="Home")
    wish = item_write(world, Shown(E_ONE, type="Home", primary=True), Shown(E_TWO, type="Home", primary=True))
    moved = link_of(world, wish)
    assert moved is not None
    assert (moved.value, moved.type) == (E_TWO, "Office")
    ours = item_write(
        world, Shown(E_ONE, type="Office", primary=True), Shown(E_TWO, type="Home", primary=True)
    )
    moved = link_of(world, ours)
    assert moved is not None
    assert moved.type == "Home"


def test_a_new_item_belongs_to_its_row() -> None:
    world = one()
    row_id = world.row(TWO)
    world.phone(E_TWO)
    added = item_write(world, None, Shown(E_TWO, type="Office"), link_key=None, advoware_id=row_id)
    link_of(world, added)
    (new,) = [link for link in rebase(world.situation()).base.links if link.value == E_TWO]
    assert [row.id for row in new.rows] == [row_id]
    assert new.key == f"W{added.id}", "every round calls it the same"
    link_of(world, added, replace(added, id=2))
    assert len([link for link in rebase(world.situation()).base.links if link.value == E_TWO]) == 1
    link_of(world, replace(added, advoware_id=None))
    assert E_TWO not in [link.value for link in rebase(world.situation()).base.links]


def test_a_new_item_belongs_to_its_row_even_if_that_was_deleted_since() -> None:
    """§8: its deletion is a deletion, whether the row was new or had left its link (§4.1)."""
    world = one()
    world.phone(E_TWO)
    for row_id in (999, 101):
        added = item_write(world, None, Shown(E_TWO, type="Office"), link_key=None, advoware_id=row_id)
        link_of(world, added)
        (new,) = [link for link in rebase(world.situation()).base.links if link.value == E_TWO]
        assert [row.id for row in new.rows] == [row_id]


def test_an_item_that_is_linked_with_its_row_already_stays_so() -> None:
    world = one()
    before = key(world)
    known = link_of(world, item_write(world, None, Shown(E_ONE, type="Office"), link_key=None))
    assert known is not None
    assert (known.key, [row.id for row in known.rows]) == (before, [101])


def test_the_links_value_follows_only_when_all_rows_were_given_it() -> None:
    """§4.1."""
    world = one()
    world.row(ONE, 2)
    world.sync()
    world.edit_row(101, tlf=TWO)
    half = link_of(world, row_write(world, Shown(ONE), Shown(TWO, "", False)))
    assert half is not None
    assert (half.value, [row.tlf for row in half.rows]) == (E_ONE, [TWO, ONE])


def test_no_effect_on_a_status_is_known() -> None:
    world = one()
    status = item_write(world, None, Shown("clean"), variant=Variant.STATUS, link_key=None, advoware_id=None)
    world.case = replace(world.case, writes=(status,))
    assert [effect for _, effect in effects.of(world.situation())] == [Effect.TAKEN]
