"""A user changes the type of a number in EspoCRM (sync rules §5, type change)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statemachine import marker
from statemachine.case import Limits, Outcome, Variant
from statemachine.model import Kind
from statemachine.rules import Direction, Policy
from tests.statemachine.world import RULES, World, agreed

NUMBER, E_NUMBER = "0511/1234560", "+495111234560"


def live(world: World) -> list[tuple[str, int, str]]:
    shown = [row for row in world.rows.values() if row.tlf and "@" not in row.tlf]
    return [(row.tlf, row.komm_kz, marker.read(row.bemerkung)[1]) for row in shown]


def one(text: str = "Zentrale") -> World:
    return agreed(NUMBER, "max@example.de", text=text)


def test_recreate_first_creates_then_slots() -> None:
    """§5: with the user's bemerkung text; the new row is in the link; the old one becomes a slot of its kind."""
    world = one()
    world.edit_item(E_NUMBER, type="Fax")
    world.sync()
    assert live(world) == [(NUMBER, 2, "Zentrale")]
    assert (world.rows[101].tlf, world.rows[101].bemerkung) == ("", "[ESPOCRM-SLOT:1]")
    assert [(w.operation, w.variant) for w in world.history] == [
        ("post", Variant.TYPE),
        ("put", Variant.TYPE),
    ]
    assert [ids for value, ids in world.agreed() if value == E_NUMBER] == [[103]]
    world.quiet()


def test_recreate_uses_a_slot_of_the_new_kind() -> None:
    """§5."""
    world = one()
    slot = world.row("", 2, "[ESPOCRM-SLOT:2]")
    world.edit_item(E_NUMBER, type="Fax")
    world.sync()
    assert world.rows[slot].tlf == NUMBER
    assert len(world.rows) == 3


@pytest.mark.parametrize("fault", ["before", "after", "recorded", "unknown", "nothing", "lost"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_type_change_survives_every_misfortune(fault: str, number: int) -> None:
    """§5, §8: the old row goes only after the new one is there; in the end one row and no value lost."""
    world = one()
    world.edit_item(E_NUMBER, type="Fax")
    world.faults = {world.count + number: fault}
    for _ in range(4):
        world.run()
        assert live(world), "the value was nowhere"
    world.wait(100)
    world.sync()
    assert live(world) == [(NUMBER, 2, "Zentrale")]
    assert world.phones[0].type == "Fax"
    world.quiet()


def test_a_list_that_leaves_the_new_row_out_does_not_make_us_create_it_twice() -> None:
    """§5, §8: Advoware said that it created the row; one truncated answer does not show that it is gone again."""
    world = one()
    world.edit_item(E_NUMBER, type="Fax")
    before = list(world.rows.values())
    world.torn_rows = [before, before]
    world.sync()
    assert live(world) == [(NUMBER, 2, "Zentrale")]
    assert [w.operation for w in world.history] == ["post", "put"]
    world.quiet()


def test_a_list_as_it_was_before_a_crash_does_not_make_us_create_the_row_twice() -> None:
    """§5, §8: it was the same list long before the row was created, so it is no second look at what came of it."""
    world = one()
    world.edit_item(E_NUMBER, type="Fax")
    before = list(world.rows.values())
    world.faults = {world.count: "recorded"}
    world.run()
    world.torn_rows = [before]
    world.sync()
    assert live(world) == [(NUMBER, 2, "Zentrale")]
    assert [w.operation for w in world.history] == ["post", "put"]
    world.quiet()


def test_a_list_that_leaves_the_old_row_out_does_not_leave_it_there_for_ever() -> None:
    """§5, §9: the old row goes too when the next answer shows it."""
    world = one()
    world.edit_item(E_NUMBER, type="Fax")
    world.faults = {world.count: "recorded"}
    world.run()
    world.torn_rows = [[row for row in world.rows.values() if row.id != 101]]
    world.sync()
    assert live(world) == [(NUMBER, 2, "Zentrale")]
    assert [ids for value, ids in world.agreed() if value == E_NUMBER] == [[103]]
    world.quiet()


def test_a_new_row_that_staff_took_away_at_once_is_created_again() -> None:
    """§5, §9: while the old row stands, the number is there; a second look shows that the new one is gone indeed."""
    world = one()
    world.edit_item(E_NUMBER, type="Fax")
    world.faults = {world.count: "recorded"}
    world.run()
    world.remove_row(103)
    world.sync()
    assert live(world) == [(NUMBER, 2, "Zentrale")]
    world.quiet()


def test_a_row_that_already_has_the_wanted_kind_is_enough() -> None:
    """§5: also in an n:1 link, where only the row whose kommKz stood for the old type is re-created."""
    world = one()
    world.row(NUMBER, 2)
    world.row(NUMBER, 6)
    world.shown_kz = True
    world.sync()
    world.history.clear()
    world.edit_item(E_NUMBER, type="Fax")
    world.sync()
    assert sorted(kz for _, kz, _ in live(world)) == [2, 6]
    assert [w.operation for w in world.history] == ["put"]
    world.edit_item(E_NUMBER, type="Home")
    world.sync()
    assert [kz for _, kz, _ in live(world)] == [6]


def test_a_finer_kind_of_the_same_type_is_enough() -> None:
    """§3, §5: private and business fax are one type."""
    world = one()
    world.row(NUMBER, 7)
    world.shown_kz = True
    world.sync()
    world.edit_item(E_NUMBER, type="Fax")
    world.sync()
    assert [kz for _, kz, _ in live(world)] == [7]


def test_a_row_of_a_foreign_kind_is_recreated_too() -> None:
    """§5: an ignored foreign type left the row behind; the next wish moves it."""
    world = one()
    world.shared = {(Kind.PHONE, E_NUMBER)}
    world.edit_item(E_NUMBER, type="Fax")
    world.sync()
    assert live(world) == [(NUMBER, 1, "Zentrale")]
    world.shared = set()
    world.edit_item(E_NUMBER, type="Mobile")
    world.sync()
    assert live(world) == [(NUMBER, 3, "Zentrale")]


def test_ask_leaves_advoware_alone() -> None:
    """§5: type_change = ask."""
    world = one()
    world.rules = replace(RULES, type_change="ask")
    world.edit_item(E_NUMBER, type="Fax")
    run = world.sync()[-1]
    assert world.history == []
    assert [n.topic for n in run.plan.notices] == ["readonly_field"]
    world.rules = RULES
    world.sync()
    assert [kz for _, kz, _ in live(world)] == [2], "the wish is still one"


def test_a_shared_values_type_is_noted_and_ignored() -> None:
    """§5: only if no other tracked Beteiligte holds the value."""
    world = one()
    world.shared = {(Kind.PHONE, E_NUMBER)}
    world.edit_item(E_NUMBER, type="Fax")
    run = world.sync()[-1]
    assert run.plans[0].questions == ((Kind.PHONE, E_NUMBER),)
    assert world.history == []
    assert world.case.base.links[-1].type == "Fax" or world.case.base.links[0].type == "Fax"


def test_a_type_that_changed_without_an_edit_of_this_record_is_ignored() -> None:
    """§5, espocrm facts §5: writing a shared value elsewhere does not bump modifiedAt."""
    world = one()
    stamp = world.stamp
    world.edit_item(E_NUMBER, type="Fax")
    world.stamp = stamp
    world.sync()
    assert world.history == []
    world.edit_item("max@example.de", opt_out=True)
    world.sync()
    assert world.history == [], "and it is no wish later on"


def test_an_unrelated_conflict_does_not_make_every_shared_type_a_wish() -> None:
    """§5: the stamp moves on although an entry is parked."""
    world = one()
    world.rules = replace(RULES, conflict_policy=Policy.MANUAL)
    world.edit_item("max@example.de", value="a@example.de")
    world.edit_row(102, tlf="b@example.de")
    world.sync()
    stamp = world.stamp
    world.edit_item(E_NUMBER, type="Fax")
    world.stamp = stamp
    world.sync()
    assert [kz for _, kz, _ in live(world)] == [1]


def test_a_type_wish_survives_our_own_write_of_the_value() -> None:
    """§5, §8: staff edits the number, the user its type: the value crosses first, the type in a run of its own."""
    world = one()
    world.edit_row(101, tlf="0511/1234561")
    world.edit_item(E_NUMBER, type="Fax")
    world.sync()
    assert [(i.value, i.type) for i in world.phones] == [("+495111234561", "Fax")]
    assert live(world) == [("0511/1234561", 2, "Zentrale")]
    world.quiet()


def test_a_type_that_espocrm_shows_differently_than_sent_is_no_wish() -> None:
    """Espocrm facts §5.5: a value that also belongs to a record we may not edit keeps its type."""
    world = one()
    world.row("0511/1234569", 2)
    world.types["+495111234569"] = "Mobile"
    for _ in range(3):
        world.sync()
    assert {i.value: i.type for i in world.phones}["+495111234569"] == "Mobile"
    assert {kz for _, kz, _ in live(world)} == {1, 2}
    assert not [w for w in world.history if w.variant is Variant.TYPE]


def test_one_way_to_espocrm_never_touches_the_row() -> None:
    """§12."""
    world = one()
    world.rules = replace(RULES, direction=Direction.TO_ESPOCRM)
    world.edit_item(E_NUMBER, type="Fax")
    world.sync()
    assert world.history == []


def test_a_refused_creation_leaves_the_old_row() -> None:
    """§5: then slot the old row – never before."""
    world = one()
    world.refuses = lambda content: getattr(content, "komm_kz", 0) == 2
    world.edit_item(E_NUMBER, type="Fax")
    world.sync()
    assert live(world) == [(NUMBER, 1, "Zentrale")]
    assert {w.outcome for w in world.history} == {Outcome.REFUSED}
    assert world.case.unsyncable[0].reason == "refused_by_advoware"


def test_correcting_a_guess_waits_for_a_settled_array_and_tires() -> None:
    """§3, §10: a correction that never shows is left alone."""
    world = World(refuses=lambda content: "[ESPOCRM" in getattr(content, "bemerkung", ""))
    world.row(NUMBER, 2)
    world.sync()
    world.refuses = lambda _: False
    world.shown_kz = True
    world.edit_item(E_NUMBER, opt_out=True)
    assert world.run().plan.entries[0].problem == "settling"
    world.rules = replace(RULES, loop_limit=0)
    run = world.sync()[-1]
    assert [p.reason for p in run.plan.parked] == ["quarantined"]
    assert world.phones[0].type == "Office"
    assert [p.reason for p in world.run().plan.parked] in (["quarantined"], [])


def test_a_row_of_staff_is_not_taken_back_where_no_marker_tells() -> None:
    """§8: any other equal row is staff's."""
    number = "+495111234560"
    world = World()
    world.phone(number, "Office")
    world.row(number)
    world.sync()
    world.wait(100_000).sync()
    world.case = replace(world.case, limits=Limits(bemerkung=10))
    world.bemerkung_length = 10
    world.faults = {world.count: "nothing"}
    world.edit_item(number, type="Fax")
    world.run()
    world.wait(60).edit_item(number, type="Office")
    world.sync()
    world.wait(100).sync()
    theirs = world.row(number, 2)
    world.shown_kz = True
    world.sync()
    world.sync()
    assert world.rows[theirs].tlf == number


def met(kz: int, type_: str, number: str = "0511 1234561", shown: str = "+495111234561") -> World:
    """Both sides had the number before the first sync, which writes nothing: its kind is only a guess (§3, §4)."""
    world = World()
    world.row(number, kz)
    world.phone(shown, type_)
    world.sync()
    world.wait(100_000).sync()
    world.history.clear()
    return world


@pytest.mark.parametrize(
    ("kz", "type_", "wanted", "leaves"),
    [
        (3, "Office", "Mobile", 3),
        (2, "Office", "Fax", 2),
        (6, "Office", "Home", 6),
        (1, "Home", "Office", 1),
        (3, "Office", "Other", 10),
        (1, "Office", "Fax", 2),
    ],
)
def test_a_type_put_right_over_a_guessed_kind_enters_nothing_twice(
    kz: int, type_: str, wanted: str, leaves: int
) -> None:
    """§3, §5: the true kind is asked for before anything is created; it may be the wanted one already."""
    world = met(kz, type_)
    world.edit_item("+495111234561", type=wanted)
    world.sync()
    world.wait(100).sync()
    assert [komm_kz for _, komm_kz, _ in live(world)] == [leaves]
    assert world.phones[0].type == wanted
    world.quiet()


@pytest.mark.parametrize("fault", ["before", "after", "recorded", "unknown", "nothing", "lost"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_row_that_stood_for_another_type_goes_too_after_every_misfortune(fault: str, number: int) -> None:
    """§5, §8: Advoware's row is a Mobil, EspoCRM's item an Office number, and a user makes it another one."""
    world = met(3, "Office")
    world.edit_item("+495111234561", value="+491711234560")
    world.sync()
    world.wait(100_000).sync()
    assert [row.komm_kz for link in world.case.base.links for row in link.rows if row.certain] == [3]
    assert world.phones[0].type == "Office"
    world.history.clear()
    world.edit_item("+491711234560", type="Other")
    world.faults = {world.count + number: fault}
    for _ in range(4):
        world.run()
        assert live(world), "the value was nowhere"
    world.wait(100).sync()
    assert [komm_kz for _, komm_kz, _ in live(world)] == [10]
    world.quiet()


def test_staffs_own_second_row_stays_when_the_type_changes_once_more() -> None:
    """§5: only the row that a change of type made superfluous goes; that change is long over."""
    world = one(text="")
    world.shown_kz = True
    world.edit_item(E_NUMBER, type="Other")
    world.sync()
    theirs = world.row(NUMBER, 3)
    world.wait(100).sync()
    world.edit_item(E_NUMBER, type="Office")
    world.sync()
    world.wait(100).sync()
    world.edit_item(E_NUMBER, type="Other")
    world.sync()
    world.wait(100).sync()
    assert world.rows[theirs].tlf == NUMBER
    assert sorted(komm_kz for _, komm_kz, _ in live(world)) == [3, 10]
    world.quiet()


@pytest.mark.parametrize("fault", ["after", "recorded", "unknown", "nothing"])
def test_a_type_that_is_taken_back_before_the_old_row_went_leaves_one_row(fault: str) -> None:
    """§5: the number stood in two rows just then; nobody wants the new one any more."""
    world = one(text="")
    world.edit_item(E_NUMBER, type="Fax")
    world.faults = {world.count: fault}
    world.run()
    world.edit_item(E_NUMBER, type="Office")
    world.sync()
    world.wait(100).sync()
    assert live(world) == [(NUMBER, 1, "")]
    world.quiet()


@pytest.mark.parametrize("fault", ["after", "recorded", "unknown", "nothing"])
def test_a_type_that_becomes_yet_another_one_leaves_one_row(fault: str) -> None:
    """§5."""
    world = met(3, "Office")
    world.edit_item("+495111234561", value="+491711234560")
    world.sync()
    world.wait(100_000).sync()
    world.edit_item("+491711234560", type="Other")
    world.faults = {world.count: fault}
    world.run()
    world.edit_item("+491711234560", type="Mobile")
    runs = iter(world.run, None)
    assert any(run is not None and run.ended == "synced" for _, run in zip(range(9), runs, strict=False))
    assert [komm_kz for _, komm_kz, _ in live(world)] == [3]
    world.quiet()


def test_staffs_own_row_stays_when_ours_went_and_the_type_is_taken_back() -> None:
    """§5: only the very row that we had made is nobody's."""
    world = one(text="")
    world.shown_kz = True
    world.edit_item(E_NUMBER, type="Fax")
    world.faults = {world.count: "recorded"}
    world.run()
    world.remove_row(103)
    theirs = world.row(NUMBER, 2)
    world.edit_item(E_NUMBER, type="Office")
    world.sync()
    world.wait(100).sync()
    assert world.rows[theirs].tlf == NUMBER
