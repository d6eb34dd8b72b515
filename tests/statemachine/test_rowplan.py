"""Markers, slots and unknown lengths (sync rules §6); [phone_format] (§2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statemachine import marker
from statemachine.case import Limits, Variant
from statemachine.commands import DeleteRow, PostRow, PutRow
from tests.statemachine.world import RULES, World, agreed

NUMBER, E_NUMBER = "0511/1234560", "+495111234560"


def test_marker_one_blank_and_the_users_text() -> None:
    """§6; #13: an old marker form is migrated at the next write."""
    world = agreed("fest@example.de")
    world.case = replace(world.case, limits=Limits(bemerkung_whole=100))
    world.row(NUMBER, 1, "  Zentrale ")
    world.row("0511/1234561", 1, "[ESPOCRM:0a1b2c3d:1] alt")
    world.sync()
    assert world.rows[102].bemerkung == marker.write(NUMBER, 1) + "   Zentrale "
    assert world.rows[103].bemerkung == marker.write("0511/1234561", 1, "alt")


@pytest.mark.parametrize("form", ["bWF4QGV4YW1wbGUuZGU=", "bWF4QGV4YW1wbGUuZGU"])
def test_forms_that_decode_to_the_same_are_not_rewritten(form: str) -> None:
    """§6."""
    world = World()
    world.row("max@example.de", 4, f"[ESPOCRM:{form}:4] Text")
    world.sync()
    assert world.rows[101].bemerkung == f"[ESPOCRM:{form}:4] Text"


def test_var5_renews_the_marker_and_keeps_the_text() -> None:
    world = agreed(NUMBER, "max@example.de", text="Zentrale")
    world.case = replace(world.case, limits=Limits(bemerkung_whole=100))
    world.edit_item(E_NUMBER, value="+495111234561")
    world.sync()
    assert world.rows[101].bemerkung == marker.write("+495111234561", 1, "Zentrale")


def test_emptying_drops_the_text_and_keeps_it_in_the_history() -> None:
    """§6."""
    world = agreed(NUMBER, "max@example.de", text="Zentrale")
    world.remove_item(E_NUMBER)
    world.sync()
    assert (world.rows[101].tlf, world.rows[101].bemerkung) == ("", "[ESPOCRM-SLOT:1]")
    (write,) = world.history
    assert write.before is not None
    assert (write.before.value, write.before.bemerkung) == (NUMBER, "Zentrale")


def test_a_row_that_takes_its_value_back_has_its_text_once() -> None:
    """§6: staff took away the value and left the text beside it, and an edit in EspoCRM wins over that."""
    world = agreed(NUMBER, "max@example.de", text="Zentrale")
    world.case = replace(world.case, limits=Limits(bemerkung_whole=100))
    world.edit_row(101, tlf="", bemerkung=marker.write(NUMBER, 1, "Zentrale"))
    world.edit_item(E_NUMBER, value="+495111234561")
    world.sync()
    assert (world.rows[101].tlf, marker.read(world.rows[101].bemerkung)[1]) == ("+495111234561", "Zentrale")


def test_a_slot_of_the_same_kind_first_and_once_per_plan() -> None:
    """§6, #16: text that staff put into its bemerkung is kept."""
    world = World()
    for kz, text in ((1, " von der Kanzlei"), (2, "")):
        world.row("", kz, f"[ESPOCRM-SLOT:{kz}]{text}")
    world.phone("+495111234560", "Office")
    world.phone("+495111234561", "Office")
    world.sync()
    assert [row.tlf for row in world.rows.values()] == ["+495111234560", "", "+495111234561"]
    assert marker.read(world.rows[101].bemerkung)[1] == "von der Kanzlei"
    assert sorted(type(command).__name__ for command in world.sent) == ["PostRow", "PutRow"]
    assert world.run().plan.empty_slots == 1


def test_a_value_typed_into_a_slot_is_new_data_of_its_kind() -> None:
    """§5, #9."""
    world = agreed("max@example.de")
    slot = world.row("", 2, "[ESPOCRM-SLOT:2]")
    world.sync()
    world.edit_row(slot, tlf=NUMBER)
    world.sync()
    assert [(i.value, i.type) for i in world.phones] == [(E_NUMBER, "Fax")]


def test_the_links_own_blank_row_is_used_again() -> None:
    """§6: a row of the link that staff emptied but left marked."""
    world = agreed(NUMBER, "max@example.de")
    world.edit_row(101, tlf="")
    world.edit_item(E_NUMBER, value="+495111234561")
    world.sync()
    assert world.rows[101].tlf == "+495111234561"
    assert len(world.rows) == 2


def test_a_blank_row_without_marker_is_none_of_ours() -> None:
    world = agreed(NUMBER, "max@example.de")
    world.edit_row(101, tlf="", bemerkung="")
    world.edit_item(E_NUMBER, value="+495111234561")
    world.sync()
    assert world.tlfs() == ["", "max@example.de", "+495111234561"]


def test_delete_is_tried_first() -> None:
    """§6: [deletion] = delete; only for what a human deleted."""
    world = agreed(NUMBER, "max@example.de", rules=replace(RULES, deletion="delete"))
    world.remove_item(E_NUMBER)
    world.sync()
    assert [type(command) for command in world.sent] == [DeleteRow]
    assert world.sent[0].slot.after.bemerkung == "[ESPOCRM-SLOT:1]"
    assert [w.operation for w in world.history] == ["delete"]
    world.quiet()


def test_a_physically_deleted_row_is_forgotten() -> None:
    world = agreed(NUMBER, "max@example.de", rules=replace(RULES, deletion="delete"))
    world.deletes = True
    world.remove_item(E_NUMBER)
    world.sync()
    assert 101 not in world.rows
    assert len(world.agreed()) == 1


def test_a_bemerkung_that_is_cut_keeps_the_users_text() -> None:
    """§6: the limit is learnt and the row at once written again with the text alone; the base needs no markers."""
    world = World(bemerkung_length=20)
    world.row(NUMBER, 1)
    world.sync()
    assert world.case.limits.bemerkung == 20
    assert world.rows[101].bemerkung == ""
    assert world.item_values() == [E_NUMBER]
    world.quiet()
    world.row("0511/1234561", 1, "Zentrale")
    world.sync()
    assert world.rows[102].bemerkung == "Zentrale"
    assert E_NUMBER[:-1] + "1" in world.item_values()


def test_a_limit_that_the_administrator_knows_is_never_tried() -> None:
    """§6: [bemerkung_max_length] presets it."""
    world = World(replace(RULES, bemerkung_max=20))
    world.row(NUMBER, 1)
    world.sync()
    assert world.rows[101].bemerkung == ""
    assert world.case.limits.bemerkung == 0
    world.quiet()


def test_a_marker_is_first_tried_on_rows_without_text() -> None:
    """§6: until a row of that length has once come back whole."""
    world = World()
    world.row(NUMBER, 1, "Zentrale")
    world.sync()
    assert world.rows[101].bemerkung == "Zentrale"
    world.row("ein.langer.name@example.de", 4)
    world.sync()
    assert world.rows[102].bemerkung.startswith("[ESPOCRM:")
    world.edit_row(101, tlf="0511/1234561")
    world.sync()
    assert world.rows[101].bemerkung == marker.write("0511/1234561", 1, "Zentrale")


def test_a_refused_marker_does_not_stop_the_value() -> None:
    world = World(refuses=lambda content: "[ESPOCRM" in getattr(content, "bemerkung", ""))
    world.row(NUMBER, 1)
    world.sync()
    assert world.item_values() == [E_NUMBER]
    assert world.case.unsyncable == ()


@pytest.mark.parametrize(
    ("form", "spelled"),
    [("as_is", E_NUMBER), ("international", "+49 511 1234560"), ("national", "0511 1234560")],
)
def test_a_number_crosses_to_advoware_as_the_firm_likes_it(form: str, spelled: str) -> None:
    """§2: [phone_format]."""
    world = World(replace(RULES, phone_format=form))
    world.phone(E_NUMBER)
    world.sync()
    assert world.tlfs() == [spelled]
    world.quiet()


def test_a_missing_marker_alone_writes_nothing() -> None:
    """§5."""
    world = agreed(NUMBER, "max@example.de")
    world.edit_row(101, bemerkung="")
    world.sync()
    assert world.history == []


def test_the_four_fields_travel_together() -> None:
    """Advoware facts §4.3: with the known kommKz."""
    world = agreed(NUMBER, "max@example.de", text="Text")
    world.edit_item(E_NUMBER, value="+495111234561")
    world.sync()
    (put,) = world.sent
    assert isinstance(put, PutRow)
    assert (put.after.komm_kz, put.after.online) == (1, False)
    assert put.variant is Variant.VAR5
    assert not isinstance(put, PostRow)
