"""Staff that edit: every way occurs, each does what it says, and a seed tells the same story twice."""

from __future__ import annotations

import random

import pytest

from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.espocrm import EspoWorld
from daemon.simulators.people import settle
from daemon.simulators.staff import Edit, Staff
from tests.daemon.simulators.worlds import Clock


def _firm(clock: Clock, seed: int = 3, people: int = 25) -> Staff:
    espo, advoware = EspoWorld(clock, random.Random(1)), AdvowareWorld(clock, random.Random(2))
    chance = random.Random(seed)
    return Staff(espo, advoware, chance, settle(espo, advoware, chance, people))


def _values(staff: Staff, edit: Edit) -> list[str]:
    if edit.side == "advoware":
        return [str(row.tlf) for row in staff.advoware.rows(edit.pair.bet_nr)]
    person = staff.espo.person(edit.pair.espocrm_id)
    return [i["phoneNumber"] for i in person["phoneNumberData"]] + [
        i["emailAddress"] for i in person["emailAddressData"]
    ]


def test_every_way_of_editing_occurs_and_shows(clock: Clock) -> None:
    staff = _firm(clock)
    seen = set()
    for _ in range(1500):
        clock.tick()
        edit = staff.edit()
        if edit is None:
            continue
        seen.add((edit.side, edit.what))
        if edit.after is not None:
            assert str(edit.after).strip() in [value.strip() for value in _values(staff, edit)]
    assert {what for side, what in seen if side == "espocrm"} == {
        *(
            "add_item",
            "change_item",
            "remove_item",
            "change_type",
            "move_primary",
            "set_optOut",
            "set_invalid",
        )
    }
    assert {what for side, what in seen if side == "advoware"} == {
        *("add_row", "change_row", "respell_row", "empty_row", "delete_row", "copy_row", "type_into_slot"),
        *("write_text", "write_over_marker", "switch_online"),
    }


def test_edits_in_the_browser_are_a_human_s(clock: Clock) -> None:
    staff = _firm(clock)
    clock.tick(10)
    edit = staff.add_item(staff.pairs[0])
    assert edit is not None
    assert staff.espo.person(edit.pair.espocrm_id)["modifiedById"] == staff.espo.human.id


def test_same_seed_same_story(clock: Clock) -> None:
    def story(seed: int) -> list[Edit | None]:
        staff = _firm(Clock(), seed)
        return [staff.edit() for _ in range(200)]

    assert story(6) == story(6)
    assert story(6) != story(7)


@pytest.mark.parametrize("side", ["espocrm", "advoware"])
def test_side_and_person_can_be_chosen(clock: Clock, side: str) -> None:
    staff = _firm(clock)
    pair = staff.pairs[3]
    edits = [staff.edit("espocrm" if side == "espocrm" else "advoware", pair) for _ in range(20)]
    assert {(e.side, e.pair) for e in edits if e} == {(side, pair)}


def test_people_who_are_gone_are_let_be(clock: Clock) -> None:
    staff = _firm(clock, people=1)
    pair = staff.pairs[0]
    staff.espo.delete_person(pair.espocrm_id)
    staff.advoware.delete_person(pair.bet_nr)
    assert {staff.edit() for _ in range(30)} == {None}


def test_nobody_edits_what_is_just_being_saved(clock: Clock) -> None:
    staff = _firm(clock, people=1)
    pair = staff.pairs[0]
    staff.espo.saving.save_seconds = 5.0
    while not staff.espo.database.busy():
        staff.edit("espocrm")
    assert {staff.edit("espocrm") for _ in range(20)} == {None}
    clock.tick(10)
    assert any(staff.edit("espocrm", pair) for _ in range(20))


def test_values_go_from_one_entry_to_another_where_that_is_wanted(clock: Clock) -> None:
    """A swap leaves the same values in Advoware, a move one fewer."""
    plain = _firm(clock)
    staff = Staff(plain.espo, plain.advoware, random.Random(5), plain.pairs, moves=True)
    seen = set()
    for _ in range(600):
        clock.tick()
        before = {
            pair: sorted(staff.advoware.rows(pair.bet_nr), key=lambda row: row.id) for pair in staff.pairs
        }
        values = {pair: sorted(str(row.tlf) for row in rows if row.tlf) for pair, rows in before.items()}
        edit = staff.edit("advoware")
        if edit is None or edit.what not in ("swap_rows", "move_row"):
            continue
        seen.add(edit.what)
        now = sorted(str(row.tlf) for row in staff.advoware.rows(edit.pair.bet_nr) if row.tlf)
        gone = [edit.before] if edit.what == "move_row" else []
        assert sorted([*now, *map(str, gone)]) == values[edit.pair]
    assert seen == {"swap_rows", "move_row"}
