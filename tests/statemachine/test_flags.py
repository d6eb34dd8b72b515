"""primary, online, optOut, invalid and letter case (sync rules §5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statemachine.case import Shown, Variant
from statemachine.model import Kind, Side
from statemachine.rules import Direction
from tests.statemachine.world import RULES, World, agreed

A, B, C = "a@example.de", "b@example.de", "c@example.de"


def two() -> World:
    world = agreed(A, B)
    world.edit_row(102, online=False)
    world.sync()
    world.case = replace(world.case, writes=())
    world.history.clear()
    return world


def online(world: World) -> list[int]:
    return [row.id for row in world.rows.values() if row.online]


def primary(world: World) -> str:
    return next(item.value for item in world.emails if item.primary)


def test_a_first_sync_records_both_as_they_are() -> None:
    """§5."""
    world = World()
    world.row(A, 4, online=False)
    world.row(B, 4, online=True)
    world.email(A)
    world.email(B)
    world.sync()
    assert world.history == []
    assert primary(world) == A


def test_a_new_mail_row_is_online_as_its_item_is_primary() -> None:
    """§5; phones are created offline."""
    world = World()
    world.email(A)
    world.email(B)
    world.phone("+495111234560")
    world.sync()
    assert {row.tlf: row.online for row in world.rows.values()} == {A: True, B: False, "+495111234560": False}


@pytest.mark.parametrize("answer", ["unknown", "nothing"])
def test_the_primary_moves_though_its_request_was_not_answered(answer: str) -> None:
    """§8: whether it came or not; no value moves in it, so the flags tell."""
    world = two()
    world.edit_row(101, online=False)
    world.edit_row(102, online=True)
    world.faults |= {world.count: answer}
    world.sync()
    world.wait(100).sync()
    assert primary(world) == B
    assert sorted(world.item_values()) == [A, B]
    world.quiet()


def test_the_primary_moved_in_espocrm() -> None:
    """§5: the new one's row goes online and the old one's offline."""
    world = two()
    world.make_primary(B)
    world.sync()
    assert online(world) == [102]
    assert [w.variant for w in world.history] == [Variant.FLAG] * 2
    world.quiet()


def test_exactly_one_row_turned_online() -> None:
    """§5: its item becomes primary; nothing else moves."""
    world = two()
    world.edit_row(102, online=True)
    world.sync()
    assert primary(world) == B
    assert online(world) == [101, 102]
    world.quiet()


def test_two_rows_turned_online_move_nothing() -> None:
    world = agreed(A, B, C)
    for row_id in (102, 103):
        world.edit_row(row_id, online=False)
    world.sync()
    for row_id in (102, 103):
        world.edit_row(row_id, online=True)
    world.sync()
    assert primary(world) == A


def test_both_moved_espocrm_wins() -> None:
    """§5: only if EspoCRM's primary did not move."""
    world = agreed(A, B, C)
    world.edit_row(102, online=False)
    world.edit_row(103, online=False)
    world.sync()
    world.make_primary(C)
    world.edit_row(102, online=True)
    world.sync()
    assert primary(world) == C
    assert 103 in online(world)


@pytest.mark.parametrize("fault", ["before", "after", "recorded", "unknown", "nothing", "lost"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_move_survives_every_misfortune(fault: str, number: int) -> None:
    """§5, §8."""
    world = two()
    world.make_primary(B)
    world.faults = {world.count + number: fault}
    world.run()
    world.wait(100)
    world.sync()
    assert online(world) == [102]
    assert primary(world) == B


def test_a_move_without_effect_is_left_alone() -> None:
    """§10: the same flag again and again; then quarantined, never for ever."""
    world = two()
    world.make_primary(B)
    world.faults = dict.fromkeys(range(world.count, world.count + 60), "lost")
    run = world.sync()[-1]
    assert {p.reason for p in run.plan.parked} == {"quarantined"}
    assert len(world.history) <= 2 * RULES.loop_limit
    world.quiet()


def test_a_primary_without_effect_is_left_alone() -> None:
    """§10, on EspoCRM's side."""
    world = two()
    world.edit_row(102, online=True)
    world.faults = dict.fromkeys(range(world.count, world.count + 60), "lost")
    world.sync(20)
    assert 2 <= len(world.sent) <= RULES.loop_limit + 1
    world.quiet()


def test_the_primary_was_deleted_in_espocrm() -> None:
    """§5, §9: the move waits for the second look, so that half an array moves nothing."""
    world = two()
    world.remove_item(A)
    first = world.run()
    assert first.writes == 0
    world.sync()
    assert online(world) == [102]
    assert world.tlfs() == ["", B]


def test_half_an_array_moves_nothing() -> None:
    """§8: a torn read shows another primary."""
    world = two()
    items = list(world.emails)
    world.remove_item(A)
    world.run()
    world.emails[:] = items
    world.sync()
    assert world.history == []
    assert online(world) == [101]


def test_a_new_primary_goes_online_once_it_is_on_both_sides() -> None:
    """§5."""
    world = two()
    world.email(C)
    world.make_primary(C)
    world.sync()
    assert online(world) == [103]
    world.quiet()


def test_a_move_waits_for_an_entry_that_differs() -> None:
    """§5: the wish outlives a value that Advoware refuses for now."""
    world = two()
    world.refuses = lambda content: getattr(content, "tlf", "") == C
    world.edit_item(B, value=C)
    world.make_primary(C)
    world.sync()
    assert online(world) == [101]
    world.refuses = lambda _: False
    world.sync()
    assert online(world) == [102]


def test_an_unequal_entry_does_not_become_primary() -> None:
    world = two()
    world.refuses = lambda content: getattr(content, "tlf", "") == C
    world.edit_item(B, value=C)
    world.edit_row(102, online=True)
    world.sync()
    assert primary(world) == A
    world.refuses = lambda _: False
    world.sync()
    assert primary(world) == C


@pytest.mark.parametrize("direction", [Direction.TO_ESPOCRM, Direction.TO_ADVOWARE])
def test_one_way_moves_one_side_only(direction: Direction) -> None:
    """§12."""
    world = two()
    world.rules = replace(RULES, direction=direction)
    world.make_primary(B)
    world.sync()
    assert online(world) == ([101] if direction is Direction.TO_ESPOCRM else [102])
    other = two()
    other.rules = replace(RULES, direction=direction)
    other.edit_row(102, online=True)
    other.sync()
    assert primary(other) == (B if direction is Direction.TO_ESPOCRM else A)


# --- what belongs to the value (§5) ----------------------------------------------------------------------------------


def test_the_present_holders_flags_type_and_case_are_taken_over() -> None:
    """§5, #19: one shared row for all records."""
    world = World()
    world.row("new@example.de", 4)
    world.row("0511/1234560", 1)
    world.holders = {
        (Kind.EMAIL, "new@example.de"): Shown("New@Example.de", opt_out=True, invalid=True),
        (Kind.PHONE, "+495111234560"): Shown("+495111234560", type="Home", opt_out=True),
    }
    world.sync()
    assert [(i.value, i.opt_out, i.invalid) for i in world.emails] == [("New@Example.de", True, True)]
    assert [(i.type, i.opt_out, i.invalid) for i in world.phones] == [("Home", True, False)]
    world.quiet()


def test_only_an_unknown_value_starts_with_false() -> None:
    world = World()
    world.row("new@example.de", 4)
    world.sync()
    assert (world.emails[0].opt_out, world.emails[0].invalid) == (False, False)


def test_an_edited_value_keeps_opt_out_not_invalid() -> None:
    """§5."""
    world = agreed(A, B)
    world.edit_item(A, opt_out=True, invalid=True)
    world.sync()
    world.edit_row(101, tlf=C)
    world.sync()
    item = next(i for i in world.emails if i.value == C)
    assert (item.opt_out, item.invalid, item.primary) == (True, False, True)


def test_an_opt_out_moves_with_its_value_between_two_items() -> None:
    """§5: the record itself may be the present holder."""
    world = agreed(A, B)
    world.edit_item(A, opt_out=True)
    world.sync()
    world.edit_row(101, tlf=C)
    world.edit_row(102, tlf=A)
    world.sync()
    assert {i.value: i.opt_out for i in world.emails}[A]
    world.quiet()


def test_letter_case_alone_writes_nothing() -> None:
    """§2: neither side is re-formatted."""
    world = agreed(A, B)
    world.edit_item(A, value=A.upper())
    world.edit_row(102, tlf=" B@example.de")
    world.sync()
    assert world.history == []
    assert world.values(Side.ESPOCRM) == world.values(Side.ADVOWARE)


def test_a_new_item_and_a_moved_primary_travel_together() -> None:
    """§8: one PUT, exactly one primary."""
    world = two()
    world.edit_row(102, online=True)
    world.row(C, 4)
    world.sync()
    assert primary(world) == B
    assert {i.value for i in world.emails} == {A, B, C}
    world.quiet()


def test_two_values_that_change_places_keep_their_opt_out() -> None:
    """§5: it belongs to the value; both items move in one PUT."""
    world = two()
    world.edit_item(A, opt_out=True)
    world.sync()
    world.edit_row(101, tlf=B)
    world.edit_row(102, tlf=A)
    world.sync()
    assert {i.value: i.opt_out for i in world.emails}[A]
    assert len(world.emails) == 2
    assert dict(world.agreed()) == {A: [102], B: [101]}
    world.quiet()


def test_a_value_that_left_a_moment_ago_comes_back_opted_out() -> None:
    """§5: our own write took it away; nobody has lifted its opt-out."""
    world = agreed(A, B)
    world.edit_item(A, opt_out=True)
    world.sync()
    world.edit_row(101, tlf=C)
    world.sync()
    world.row(A, 4)
    world.sync()
    assert {i.value: i.opt_out for i in world.emails} == {A: True, B: False, C: True}
