"""Staff move values between rows while EspoCRM edits or deletes one of them (sync rules §4.1, §5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statemachine.case import Outcome, Shown, Variant, Write
from statemachine.effects import of
from statemachine.model import Kind, Side
from statemachine.moved import follow
from statemachine.rules import Direction, Policy
from tests.statemachine.world import RULES, World, agreed

ONE, TWO, THREE, FOURTH = "0511/1234560", "0511/1234561", "0511/1234562", "0511/1234588"
E_ONE, E_TWO, E_THREE, E_FOURTH = "+495111234560", "+495111234561", "+495111234562", "+495111234588"
NEW, E_NEW = "0511/1234577", "+495111234577"


def swap(world: World, *rows: str) -> None:
    for place, tlf in enumerate(rows):
        world.edit_row(101 + place, tlf=tlf)


def at_rest(world: World) -> tuple[set[str], set[str]]:
    world.sync()
    world.wait(100).sync()
    world.wait(100_000).sync()
    world.quiet()
    canonical = world.situation().canonical
    rows = [canonical(row.tlf, Kind.PHONE) for row in world.rows.values() if row.tlf]
    assert len(set(rows)) == len(rows), "entered twice"
    return set(rows), {item.value for item in world.phones}


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize(
    ("rows", "edited", "to", "left"),
    [
        ((TWO, ONE), E_TWO, E_NEW, {E_ONE, E_NEW}),
        ((TWO, ONE), E_ONE, E_NEW, {E_TWO, E_NEW}),
        ((TWO, ONE), E_TWO, None, {E_ONE}),
        ((TWO, ONE), E_ONE, None, {E_TWO}),
        ((TWO, ""), E_TWO, E_NEW, {E_NEW}),
        ((TWO, ""), E_TWO, None, set()),
    ],
)
def test_an_edit_over_there_means_the_value_wherever_it_stands(
    policy: Policy, rows: tuple[str, str], edited: str, to: str | None, left: set[str]
) -> None:
    """§4.1: what nobody touched stays, and what was corrected does not come back. Nobody needs to be asked."""
    world = agreed(ONE, TWO)
    world.rules = replace(RULES, conflict_policy=policy, empty_side="confirm")
    swap(world, *rows)
    if to is None:
        world.remove_item(edited)
    else:
        world.edit_item(edited, value=to)
    assert at_rest(world) == (left, left)
    assert not world.case.conflicts


@pytest.mark.parametrize("policy", [Policy.ESPOCRM, Policy.ADVOWARE])
@pytest.mark.parametrize(
    ("rows", "espocrm", "advoware"),
    [
        ((TWO, FOURTH), {E_TWO, E_NEW}, {E_TWO, E_FOURTH}),
        ((TWO, ""), {E_TWO, E_NEW}, {E_TWO}),
    ],
)
def test_a_value_that_moved_up_is_not_taken_for_the_edit_of_another(
    policy: Policy, rows: tuple[str, str], espocrm: set[str], advoware: set[str]
) -> None:
    """§4.1, §5: two edits of one entry are a conflict; the value that moved into its row is not what loses it."""
    world = agreed(ONE, TWO)
    world.rules = replace(RULES, conflict_policy=policy)
    swap(world, *rows)
    world.edit_item(E_ONE, value=E_NEW)
    wins = espocrm if policy is Policy.ESPOCRM else advoware
    assert at_rest(world) == (wins, wins)


@pytest.mark.parametrize(("to", "left"), [(E_NEW, {E_ONE, E_NEW, E_FOURTH}), (None, {E_ONE, E_FOURTH})])
def test_a_value_that_went_to_a_new_row_is_still_the_one_that_is_meant(
    to: str | None, left: set[str]
) -> None:
    """§4.1: something else was typed where it stood; that is new."""
    world = agreed(ONE, TWO)
    world.edit_row(102, tlf=FOURTH)
    world.row(TWO, 1)
    if to is None:
        world.remove_item(E_TWO)
    else:
        world.edit_item(E_TWO, value=to)
    assert at_rest(world) == (left, left)


def test_what_is_entered_anew_elsewhere_is_new() -> None:
    """§9: its own row was cleared, so this is no move; who enters a value wants it."""
    world = agreed(ONE, TWO)
    world.edit_row(102, tlf="")
    world.row(TWO, 1)
    world.remove_item(E_TWO)
    assert at_rest(world) == ({E_ONE, E_TWO}, {E_ONE, E_TWO})


def test_three_values_go_round() -> None:
    """§4.1."""
    world = agreed(ONE, TWO, THREE)
    swap(world, TWO, THREE, ONE)
    world.edit_item(E_TWO, value=E_NEW)
    left = {E_ONE, E_THREE, E_NEW}
    assert at_rest(world) == (left, left)


@pytest.mark.parametrize("fault", ["before", "after", "recorded", "unknown", "nothing", "lost"])
@pytest.mark.parametrize("number", [0, 1])
def test_values_that_changed_places_survive_every_misfortune(fault: str, number: int) -> None:
    """§8: the exchange is remembered before the first write."""
    world = agreed(ONE, TWO)
    swap(world, TWO, ONE)
    world.edit_item(E_TWO, value=E_NEW)
    world.faults = {world.count + number: fault}
    for _ in range(4):
        world.run()
    assert at_rest(world) == ({E_ONE, E_NEW}, {E_ONE, E_NEW})


def test_while_espocrm_shows_what_was_agreed_the_items_follow_their_rows() -> None:
    """§4.1: staff put the phone and the fax number right; each item keeps its row, and so its type."""
    world = World()
    world.row(ONE, 1)
    world.row(TWO, 2)
    world.shown_kz = True
    world.sync()
    world.wait(100_000).sync()
    swap(world, TWO, ONE)
    world.sync()
    assert {item.value: item.type for item in world.phones} == {E_ONE: "Fax", E_TWO: "Office"}
    world.quiet()


def test_one_way_the_source_is_followed_row_by_row() -> None:
    """§12."""
    world = agreed(ONE, TWO)
    world.rules = replace(RULES, direction=Direction.TO_ADVOWARE)
    swap(world, TWO, ONE)
    world.edit_item(E_TWO, value=E_NEW)
    assert at_rest(world) == ({E_ONE, E_NEW}, {E_ONE, E_NEW})


def test_what_was_agreed_in_this_run_is_what_it_judges_by() -> None:
    """§8: both sides made one edit; while something else is written, staff correct theirs. Theirs is the last word."""
    world = agreed(ONE, TWO)
    world.edit_row(101, tlf=NEW)
    world.edit_item(E_ONE, value=E_NEW)
    world.edit_item(E_TWO, value=E_THREE)
    world.between = [lambda _: world.edit_row(101, tlf=FOURTH)]
    world.run()
    assert at_rest(world) == ({E_FOURTH, E_THREE}, {E_FOURTH, E_THREE})


def test_two_rows_that_go_while_their_number_moves_to_a_third() -> None:
    """§4.1: both sides show it, so it is not gone, whatever the rows of its entry were."""
    world = World()
    world.row(ONE, 1)
    world.row(ONE, 2)
    world.row(TWO, 6)
    world.sync()
    world.wait(100_000).sync()
    world.remove_row(101)
    world.remove_row(102)
    world.edit_row(103, tlf=ONE)
    world.remove_item(E_TWO)
    assert at_rest(world) == ({E_ONE}, {E_ONE})


def test_a_write_of_ours_that_may_still_show_moves_nothing() -> None:
    """§8: what a row shows then may be our own value."""
    world = agreed(ONE, TWO)
    swap(world, TWO, ONE)
    world.edit_item(E_TWO, value=E_NEW)
    situation = world.situation()
    base = situation.case.base
    assert [row.id for link in follow(situation, base).links for row in link.rows] == [102, 101]
    for key, row_id in ((base.links[0].key, 999), ("other", 102)):
        ours = Write(
            1, "c", world.now, Side.ADVOWARE, "put", Variant.VAR5, Kind.PHONE, key, row_id, None, Shown(ONE)
        )
        open_ = replace(situation, case=replace(situation.case, writes=(ours,)))
        assert follow(open_, base) == base
        same = replace(ours, before=ours.after, variant=Variant.MARKER)
        marked = replace(situation, case=replace(situation.case, writes=(same,)))
        assert follow(marked, base) != base, "a marker gives no value"
        refused = replace(ours, outcome=Outcome.REFUSED)
        tried = replace(situation, case=replace(situation.case, writes=(refused,)))
        assert follow(tried, base) != base, "it has had no effect"


@pytest.mark.parametrize("gone", [E_ONE, E_TWO])
@pytest.mark.parametrize("fault", ["after", "recorded"])
def test_a_number_that_is_removed_right_after_two_changed_places_is_the_only_one_that_goes(
    gone: str, fault: str
) -> None:
    """§8: the other entry has its value now, so what it was before is no sign that nothing was taken."""
    world = agreed(ONE, TWO)
    swap(world, TWO, ONE)
    for _ in range(3):
        world.faults = {
            world.count + number: fault for number in range(3) if len(world.history) + number >= 2
        }
        world.run()
        if any(write.side is Side.ESPOCRM for write in world.history):
            break
    assert any(write.side is Side.ESPOCRM for write in world.history)
    world.faults = {}
    world.remove_item(gone)
    assert at_rest(world) == ({E_ONE, E_TWO} - {gone}, {E_ONE, E_TWO} - {gone})


def test_both_numbers_are_edited_while_they_change_places() -> None:
    """§4.1: each edit goes where its number stands now."""
    world = agreed(ONE, TWO)
    swap(world, TWO, ONE)
    world.edit_item(E_ONE, value=E_NEW)
    world.edit_item(E_TWO, value=E_FOURTH)
    assert at_rest(world) == ({E_NEW, E_FOURTH}, {E_NEW, E_FOURTH})
    assert not world.case.decisions


def test_one_of_them_is_typed_a_second_time_as_well() -> None:
    """§4.1: a row goes to one link only."""
    world = agreed(ONE, TWO, THREE)
    swap(world, TWO, ONE, TWO)
    world.edit_item(E_ONE, value=E_NEW)
    world.edit_item(E_TWO, value=E_FOURTH)
    left = {E_NEW, E_FOURTH, E_TWO}
    assert at_rest(world) == (left, left)


def test_two_rows_of_one_number_are_typed_over_and_it_gets_a_new_one() -> None:
    """§4.1: what stands there now is new."""
    world = World()
    world.row(ONE, 1)
    world.row(ONE, 2)
    world.sync()
    world.wait(100_000).sync()
    swap(world, TWO, THREE)
    world.row(ONE, 1)
    world.edit_item(E_ONE, value=E_NEW)
    situation = world.situation()
    assert [[row.id for row in link.rows] for link in follow(situation, situation.case.base).links] == [
        [102, 103]
    ]
    left = {E_NEW, E_TWO, E_THREE}
    assert at_rest(world) == (left, left)


def test_a_number_in_the_place_of_an_address_is_no_move() -> None:
    """§3: it is no number there."""
    world = agreed(ONE, "max@example.de")
    swap(world, "", E_ONE)
    world.edit_item(E_ONE, value=E_NEW)
    situation = world.situation()
    assert follow(situation, situation.case.base) == situation.case.base


def test_a_late_effect_of_ours_is_no_move() -> None:
    """§8: the row shows what a PUT of ours would have made of it, and its answer never came."""
    world = agreed(ONE, TWO)
    before = Shown(ONE, world.rows[101].bemerkung)
    late = Write(
        1, "c", world.now, Side.ADVOWARE, "put", Variant.VAR5, Kind.PHONE,
        world.case.base.links[0].key, 101, before, Shown(TWO, "[ESPOCRM:x:1]", online=False), Outcome.UNKNOWN,
        settled=True,
    )  # fmt: skip
    world.edit_row(101, tlf=TWO, bemerkung="[ESPOCRM:x:1]")
    world.edit_row(102, tlf="")
    world.edit_item(E_TWO, value=E_NEW)
    situation = world.situation()
    base = situation.case.base
    assert follow(situation, base) != base
    situation = replace(situation, case=replace(situation.case, writes=(late,)))
    assert follow(situation, base) == base


@pytest.mark.parametrize("fault", ["nothing", "unknown", "after", "before"])
@pytest.mark.parametrize("cleared", [True, False])
@pytest.mark.parametrize("beside", [True, False])
def test_numbers_that_move_down_in_a_request_without_an_answer(
    fault: str, cleared: bool, beside: bool
) -> None:
    """§8: each of them is in EspoCRM before and after it."""
    world = agreed(ONE, TWO, THREE)
    world.rules = replace(RULES, empty_side="confirm")
    if cleared:
        world.edit_row(101, tlf=TWO)
        world.edit_row(102, tlf="")
    else:
        swap(world, TWO, ONE)
    world.run()
    world.wait(61)
    world.row(ONE, 1) if cleared else None
    if beside:
        world.edit_row(103, tlf=FOURTH)
    for _ in range(6):
        before = len([write for write in world.history if write.side is Side.ESPOCRM])
        world.faults = dict.fromkeys(range(world.count, world.count + 9), fault) if before == 0 else {}
        world.run()
    world.faults = {}
    left = {E_ONE, E_TWO, E_FOURTH if beside else E_THREE}
    assert at_rest(world) == (left, left)


def test_of_values_that_were_handed_on_in_one_request_the_others_tell() -> None:
    """§8: an addition of a value that another entry had is judged by that one; where nothing tells it is sent again."""
    world = agreed(ONE, TWO)
    first, second = (link.key for link in world.case.base.links)

    def sent(number: int, key: str | None, before: str | None, after: str | None) -> Write:
        shown = [Shown(value, type="Office", primary=False) if value else None for value in (before, after)]
        return Write(
            number,
            "c",
            world.now,
            Side.ESPOCRM,
            "put",
            Variant.VAR6,
            Kind.PHONE,
            key,
            101,
            *shown,
            Outcome.UNKNOWN,
        )

    def came(*writes: Write) -> list[int]:
        situation = world.situation()
        return [write.id for write, _ in of(replace(situation, case=replace(situation.case, writes=writes)))]

    handed_on = (sent(1, first, E_ONE, E_NEW), sent(2, None, None, E_ONE))
    assert came(*handed_on) == []
    world.edit_item(E_ONE, value=E_NEW, primary=False)
    world.phone(E_ONE)
    assert came(*handed_on) == [1, 2]
    round_ = (sent(1, first, E_ONE, E_TWO), sent(2, second, E_TWO, None), sent(3, None, None, E_ONE))
    assert 3 not in came(*round_)


@pytest.mark.parametrize("places", [(NEW, ONE), (TWO, NEW), (TWO, ONE), (TWO, "")])
@pytest.mark.parametrize("number", [0, 1])
def test_values_handed_on_in_a_request_that_espocrm_ignored_are_sent_again(
    places: tuple[str, str], number: int
) -> None:
    """§8: it answered 200 and kept what it had; the entry that gave its value away is still there and tells."""
    world = agreed(ONE, TWO, THREE)
    world.rules = replace(RULES, stale_form=0)
    swap(world, *places)
    for _ in range(6):
        calls = {write.call for write in world.history if write.side is Side.ESPOCRM}
        ignores = range(world.count, world.count + 9) if len(calls) == number else ()
        world.faults = dict.fromkeys(ignores, "lost")
        world.run()
        world.wait(61)
    left = {world.situation().canonical(tlf, Kind.PHONE) for tlf in (*places, THREE) if tlf}
    assert at_rest(world) == (left, left)
