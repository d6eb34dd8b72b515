"""Undo: planned like a human edit on the side of the write that is undone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statemachine.case import Outcome, Variant, Wish
from statemachine.model import Kind, Side
from statemachine.rules import Direction
from tests.statemachine.world import RULES, World, agreed

ONE, TWO, MAIL = "0511/1234560", "0511/1234561", "max@example.de"
E_ONE, E_TWO = "+495111234560", "+495111234561"


def one() -> World:
    return agreed(ONE, MAIL, text="Text")


def key(world: World) -> str:
    return next(link.key for link in world.case.base.links if link.kind is Kind.PHONE)


def undo(world: World, place: int = -1) -> Wish:
    """As the admin command makes a wish of a journalled write."""
    write = [w for w in world.history if w.variant is not Variant.MARKER][place]
    emptied = write.after is None or not write.after.value
    before, after = write.before, write.after
    wish = Wish(
        7,
        write.side,
        write.kind,
        None if emptied else write.link_key or key(world),
        before.value if before and before.value else None,
        type=before.type if before else None,
        komm_kz=1,
        bemerkung=before.bemerkung if before else "",
        expected=after.value if after and after.value else None,
    )
    world.case = replace(world.case, wishes=(wish,))
    return wish


def live(world: World) -> list[str]:
    return [tlf for tlf in world.tlfs() if tlf and "@" not in tlf]


def phones(world: World) -> list[str]:
    return [item.value for item in world.phones]


def test_an_edit_is_undone_on_its_side_and_crosses_like_an_edit() -> None:
    world = one()
    world.edit_item(E_ONE, value=E_TWO)
    world.sync()
    undo(world)
    world.sync()
    assert live(world) == [ONE]
    assert phones(world) == [E_ONE]
    assert Variant.WISH in {w.variant for w in world.history}
    assert world.case.wishes == ()
    world.quiet()


def test_the_same_towards_espocrm() -> None:
    world = one()
    world.edit_row(101, tlf=TWO)
    world.sync()
    undo(world)
    world.sync()
    assert phones(world) == [E_ONE]
    assert live(world) == [E_ONE]
    world.quiet()


def test_an_emptied_row_is_created_anew() -> None:
    world = one()
    world.remove_item(E_ONE)
    world.sync()
    undo(world)
    world.sync()
    assert live(world) == [ONE]
    assert phones(world) == [E_ONE]
    assert world.rows[101].bemerkung.endswith("Text")
    world.quiet()


def test_a_removed_item_is_added_again() -> None:
    world = one()
    world.remove_row(101)
    world.sync()
    undo(world)
    world.sync()
    assert phones(world) == live(world) == [E_ONE]
    assert world.phones[0].type == "Office"
    world.quiet()


@pytest.mark.parametrize("side", list(Side))
def test_a_creation_is_undone_by_emptying(side: Side) -> None:
    world = one()
    if side is Side.ADVOWARE:
        world.phone(E_TWO)
    else:
        world.row(TWO)
    world.sync()
    undo(world)
    link = next(link.key for link in world.case.base.links if link.value == E_TWO)
    world.case = replace(world.case, wishes=(replace(world.case.wishes[0], link_key=link),))
    world.sync()
    assert (phones(world), live(world)) == ([E_ONE], [ONE])
    world.quiet()


@pytest.mark.parametrize("side", list(Side))
def test_it_is_refused_when_the_entry_shows_something_else(side: Side) -> None:
    world = one()
    if side is Side.ADVOWARE:
        world.edit_item(E_ONE, value=E_TWO)
    else:
        world.edit_row(101, tlf=TWO)
    world.sync()
    undo(world)
    if side is Side.ADVOWARE:
        world.edit_row(101, tlf="0511/7777770")
    else:
        world.edit_item(E_TWO, value="+495117777770")
    run = world.sync()[0]
    assert "wish_refused" in {n.topic for n in run.plans[0].notices}
    assert world.case.wishes == ()
    assert Variant.WISH not in {w.variant for w in world.history}
    assert phones(world) == ["+495117777770"]


def test_it_is_refused_when_the_entry_is_gone_or_may_not_be_written() -> None:
    world = one()
    world.edit_item(E_ONE, value=E_TWO)
    world.sync()
    wish = undo(world)
    world.case = replace(world.case, wishes=(replace(wish, link_key="L99"),))
    world.run()
    assert world.case.wishes == ()
    world.rules = replace(RULES, direction=Direction.TO_ESPOCRM)
    undo(world)
    world.run()
    assert world.case.wishes == ()
    assert live(world) == [E_TWO]


def test_it_waits_for_a_settled_array_and_stops_nobody() -> None:
    world = one()
    world.edit_row(101, tlf=TWO)
    world.sync()
    undo(world)
    world.edit_item(E_TWO, opt_out=True)
    world.email("neu@example.de")
    run = world.run()
    assert run.ended == "look_again"
    assert world.case.wishes
    assert "neu@example.de" in world.tlfs()
    world.sync()
    assert phones(world) == [E_ONE]


@pytest.mark.parametrize("fault", ["before", "after", "recorded", "unknown", "nothing", "lost"])
def test_one_attempt_never_a_second(fault: str) -> None:
    world = one()
    world.edit_item(E_ONE, value=E_TWO)
    world.sync()
    undo(world)
    world.faults = {world.count: fault}
    world.sync()
    assert len([w for w in world.history if w.variant is Variant.WISH]) == 1
    assert world.values(Side.ESPOCRM) == world.values(Side.ADVOWARE)
    assert world.case.wishes == ()
    world.quiet()


def test_an_attempt_that_was_never_sent_counts_for_nothing() -> None:
    world = one()
    world.edit_item(E_ONE, value=E_TWO)
    world.sync()
    undo(world)
    world.faults = {world.count: "before"}
    world.run()
    writes = tuple(
        replace(w, outcome=Outcome.NOT_SENT) if w.variant is Variant.WISH else w for w in world.case.writes
    )
    world.case = replace(world.case, writes=writes)
    world.sync()
    assert phones(world) == [E_ONE]


def test_a_mail_without_kind_becomes_a_business_mail() -> None:
    world = one()
    for wish_id, kind, value in ((1, Kind.EMAIL, "neu@example.de"), (2, Kind.PHONE, "0511/5555550")):
        wish = Wish(wish_id, Side.ADVOWARE, kind, None, value)
        world.case = replace(world.case, wishes=(wish,))
        world.sync()
    assert {row.tlf: int(row.komm_kz) for row in world.rows.values()} == {
        ONE: 1,
        MAIL: 4,
        "neu@example.de": 4,
        "0511/5555550": 10,
    }


@pytest.mark.parametrize("side", list(Side))
def test_what_was_undone_twice_or_came_back_is_not_doubled(side: Side) -> None:
    """§5: nothing is written twice."""
    world = one()
    world.remove_item(E_ONE)
    world.sync()
    wish = Wish(1, side, Kind.PHONE, None, E_ONE, type="Office", komm_kz=1)
    world.case = replace(world.case, wishes=(wish, replace(wish, id=2)))
    world.sync()
    world.case = replace(world.case, wishes=(replace(wish, id=3),))
    world.sync()
    assert live(world) == [E_ONE]
    assert phones(world) == [E_ONE]
    assert world.case.wishes == ()
    assert [w.variant for w in world.history].count(Variant.WISH) == 1


@pytest.mark.parametrize("fault", ["nothing", "unknown"])
def test_a_wish_without_an_answer_has_some_time_to_show_itself_and_is_told_when_it_does_not(
    fault: str,
) -> None:
    world = one()
    world.phone(E_TWO)
    world.sync()
    undo(world)
    link = next(link.key for link in world.case.base.links if link.value == E_TWO)
    world.case = replace(world.case, wishes=(replace(world.case.wishes[0], link_key=link),))
    world.faults = {world.count: fault}
    runs = world.sync()
    told = {notice.topic for run in runs for plan in run.plans for notice in plan.notices}
    assert ("wish_failed" in told) is (fault == "nothing")
    assert live(world) == ([ONE, E_TWO] if fault == "nothing" else [ONE])
    assert world.case.wishes == ()
