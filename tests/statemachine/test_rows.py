"""Which kind is a row, and what is left out (sync rules §3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statemachine import marker, rows
from statemachine.acceptance import Acceptance
from statemachine.case import Limits, Outcome, Shown, Variant, Write
from statemachine.model import Base, Kind, Kommunikation, Link, LinkRow, Side
from tests.statemachine.world import RULES, World, agreed

NUMBER = "0511/1234560"


def kind_of(world: World, base: Base | None = None) -> tuple[int, bool]:
    (row,) = rows.read(world.situation(), base or world.case.base).relevant
    return row.komm_kz, row.certain


def linked(komm_kz: int, certain: bool) -> Base:
    row = LinkRow(101, "r1", komm_kz, certain, NUMBER, False, "")
    return Base((Link("L1", Kind.PHONE, NUMBER, "Office", False, False, False, (row,)),), first=False)


def answered(komm_kz: int) -> Write:
    after = Shown(NUMBER, komm_kz=komm_kz)
    return Write(
        1, "c", 1e6, Side.ADVOWARE, "put", Variant.MARKER, Kind.PHONE, None, 101, None, after, Outcome.DONE
    )


def test_the_order_in_which_a_kind_is_found() -> None:
    """§3: link if certain → server → (answers) → marker → the link's guess → EspoCRM type → convenience → value."""
    world = World()
    world.row("0170 1234567", 9)
    assert kind_of(world) == (3, False)
    world.convenience = ((1, "0170 1234567"),)
    assert kind_of(world) == (1, False)
    world.phone("+491701234567", "Fax")
    assert kind_of(world) == (2, False)
    world.edit_row(101, tlf=NUMBER)
    assert kind_of(world, linked(7, False)) == (7, False)
    world.edit_row(101, bemerkung=marker.write("x", 6))
    assert kind_of(world, linked(7, False)) == (6, False)
    world.case = replace(world.case, writes=(answered(10),))
    assert kind_of(world, linked(7, False)) == (10, True)
    world.shown_kz = True
    assert kind_of(world, linked(7, False)) == (9, True)
    assert kind_of(world, linked(7, True)) == (7, True)


@pytest.mark.parametrize(
    ("tlf", "komm_kz"),
    [("max@example.de", 4), (NUMBER, 1), ("0170 1234567", 3), ("in-house 12", 1)],
)
def test_the_value_is_the_last_resort(tlf: str, komm_kz: int) -> None:
    world = World()
    world.row(tlf)
    assert kind_of(world) == (komm_kz, False)


@pytest.mark.parametrize("tlf", ["", "   ", "https://example.de", "www.example.de"])
def test_blank_rows_and_web_sites_are_not_sync_relevant(tlf: str) -> None:
    """§3, and #8: slots and blanks are no content."""
    world = World()
    world.row(tlf, 5)
    assert rows.read(world.situation(), Base()).relevant == ()
    world.sync()
    assert world.item_values() == []


def test_a_convenience_field_serves_one_row_lowest_id_first() -> None:
    """§3."""
    world = World()
    world.row(NUMBER)
    world.row(NUMBER)
    world.row("0511/9999990")
    world.convenience = ((2, NUMBER), (6, NUMBER), (4, NUMBER), (1, "0511/7777770"))
    found = rows.read(world.situation(), Base()).relevant
    assert [row.komm_kz for row in found] == [2, 6, 1]


def test_a_marker_of_the_other_family_does_not_count() -> None:
    """§3."""
    world = World()
    world.row(NUMBER, 1, marker.write("max@example.de", 4))
    assert kind_of(world) == (1, False)


def test_a_linked_row_stays_though_the_server_calls_it_a_web_site() -> None:
    """§3: nobody deleted it."""
    world = agreed(NUMBER, "max@example.de")
    world.edit_row(101, komm_kz=5)
    world.shown_kz = True
    world.case = replace(world.case, base=linked(1, False))
    assert NUMBER in [row.now.tlf for row in rows.read(world.situation(), world.case.base).relevant]


def test_an_unknown_kind_is_left_out() -> None:
    world = World()
    world.row(NUMBER, 13)
    world.shown_kz = True
    assert rows.read(world.situation(), Base()).relevant == ()


# --- types across (§3) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "komm_kz"),
    [("Office", 1), ("Fax", 2), ("Mobile", 3), ("Home", 6), ("Other", 10), ("Teams", 10)],
)
def test_from_espocrm_to_a_new_row(type_: str, komm_kz: int) -> None:
    """§3, #15: the EspoCRM type decides the kommKz."""
    world = World()
    world.phone("+495111234560", type_)
    world.sync()
    assert world.rows[101].komm_kz == komm_kz


@pytest.mark.parametrize(
    ("komm_kz", "type_"),
    [(1, "Office"), (2, "Fax"), (7, "Fax"), (3, "Mobile"), (9, "Mobile"), (6, "Home"), (10, "Other")],
)
@pytest.mark.parametrize("text", ["", "Zentrale, bis 17 Uhr"])
def test_to_espocrm_by_what_the_answer_shows(komm_kz: int, type_: str, text: str) -> None:
    """§3: GET hides the kommKz; the answer to the marker's PUT shows it before the value crosses. Where a marker might
    not fit, the row is written as it is."""
    world = World()
    world.row(NUMBER, komm_kz, text)
    world.sync()
    assert world.phones[0].type == type_
    assert world.case.base.links[0].rows[0].certain
    assert marker.read(world.rows[101].bemerkung)[1] == text
    world.quiet()


def test_a_server_that_never_says_keeps_nothing_back() -> None:
    """§3, §6: the answer shows kommKz 0 as well: twice, then the value goes on with the guess."""
    world = World()
    world.row(NUMBER, 0, "Zentrale")
    assert world.sync()[-1].ended == "synced"
    assert world.phones[0].type == "Office"
    assert [w.variant for w in world.history].count(Variant.MARKER) == 2
    world.quiet()


def test_a_type_the_entity_does_not_know_becomes_other() -> None:
    world = World(replace(RULES, acceptance=Acceptance(phone_types=("Work", "Other"))))
    world.row(NUMBER)
    world.sync()
    assert world.phones[0].type == "Other"
    alone = World(replace(RULES, acceptance=Acceptance(phone_types=("Work",))))
    alone.row(NUMBER)
    alone.sync()
    assert alone.phones[0].type == "Work"


@pytest.mark.parametrize(
    ("komm_kz", "value"), [(7, NUMBER), (9, "0170 1234567"), (8, "a@example.de"), (11, "b@example.de")]
)
def test_finer_kinds_survive_a_round_trip(komm_kz: int, value: str) -> None:
    """§3, #18: 7, 8, 9, 11, 12 are remembered by the link."""
    world = World()
    world.row(value, komm_kz)
    world.row("zweite@example.de", 4)
    world.sync()
    item = next(i for i in (*world.emails, *world.phones) if i.value != "zweite@example.de")
    world.edit_item(item.value, value="+495119876540" if item.kind is Kind.PHONE else "neu@example.de")
    world.remove_row(101)  # and it must be created anew
    world.sync()
    assert [row.komm_kz for row in world.rows.values() if row.tlf != "zweite@example.de"] == [komm_kz]


# --- unsyncable (§3) -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tlf", "komm_kz", "reason"),
    [
        ("k.A.", 1, "not_a_number"),
        ("max@x.de; y@z.de", 4, "two_values"),
        ("DE.BRAK.12345", 12, "safe_id"),
        ("max@müller.de", 4, "umlaut_domain"),
        ("0511 1234560 ext 12", 1, "extension_dropped"),
    ],
)
def test_a_value_the_other_side_would_refuse(tlf: str, komm_kz: int, reason: str) -> None:
    """§3: left out, kept with its reason, judged again in every run; the rest goes on."""
    world = World()
    world.row(tlf, komm_kz, marker.write("x", komm_kz))
    world.row("fein@example.de", 4)
    assert world.sync()[-1].ended == "synced"
    assert world.item_values() == ["fein@example.de"]
    (left,) = world.case.unsyncable
    assert (left.side, left.value, left.reason, left.advoware_id) == (Side.ADVOWARE, tlf, reason, 101)
    assert [n.topic for n in world.run().plan.notices] == ["unsyncable"]
    world.quiet()
    world.edit_row(101, tlf="gut@example.de" if komm_kz != 1 else NUMBER)
    world.sync()
    assert world.case.unsyncable == ()
    assert len(world.item_values()) == 2


def test_a_linked_row_that_becomes_unsyncable_leaves_item_and_base() -> None:
    """§3."""
    world = agreed(NUMBER, "max@example.de")
    base = world.case.base.links
    world.edit_row(101, tlf="k.A.")
    world.sync()
    assert world.item_values() == ["max@example.de", "+495111234560"]
    assert [link.value for link in world.case.base.links] == [link.value for link in base]
    assert world.case.unsyncable[0].link_key is not None
    world.edit_row(101, tlf="0511/1234569")
    world.sync()
    assert "+495111234569" in world.item_values()


def test_a_value_that_advoware_refuses() -> None:
    """§3: a value Advoware answers 400 to."""
    world = World(refuses=lambda content: "böse" in getattr(content, "tlf", ""))
    world.email("böse@example.de")
    world.email("gut@example.de")
    assert world.sync()[-1].ended == "synced"
    assert world.tlfs() == ["gut@example.de"]
    assert [(u.side, u.reason) for u in world.case.unsyncable] == [(Side.ESPOCRM, "refused_by_advoware")]


def test_a_value_too_long_for_advoware() -> None:
    """§6: a learnt length."""
    world = World()
    world.case = replace(world.case, limits=Limits(tlf=12))
    world.email("max.mustermann@example.de")
    world.sync()
    assert world.tlfs() == []
    assert world.case.unsyncable[0].reason == "too_long"


def test_ten_items_and_no_more() -> None:
    """§3: what is there already, then linked rows, then by Advoware id; a deletion frees a place once confirmed."""
    world = agreed(*(f"0511/12345{n}0" for n in range(9)))
    for n in range(3):
        world.row(f"0511/98765{n}0")
    world.sync()
    assert len(world.phones) == 10
    assert "+49511987650" + "0" in world.item_values()
    assert {u.reason for u in world.case.unsyncable} == {"too_many"}
    assert len(world.case.unsyncable) == 2
    world.quiet()
    world.remove_row(101)
    world.run()
    assert len(world.phones) == 10
    world.wait(100)
    world.sync()
    assert "+495119876510" in world.item_values()
    assert len(world.phones) == 10


def test_a_corrected_kind_corrects_only_a_type_that_we_made_up() -> None:
    """§3: and only if nobody changed it since."""

    def guessed() -> World:
        world = World(refuses=lambda content: "[ESPOCRM" in getattr(content, "bemerkung", ""))
        world.rules = replace(RULES)
        world.row(NUMBER, 2)
        world.sync()
        world.refuses = lambda _: False
        return world

    world = guessed()
    assert world.phones[0].type == "Office"
    assert world.case.base.links[0].derived_type
    world.shown_kz = True
    world.sync()
    assert world.phones[0].type == "Fax"
    world.quiet()
    changed = guessed()
    changed.edit_item("+495111234560", type="Home")
    changed.shared = {(Kind.PHONE, "+495111234560")}
    changed.sync()
    changed.shown_kz = True
    changed.sync()
    assert changed.phones[0].type == "Home"


def test_a_text_behind_a_cut_marker_is_the_users() -> None:
    """§6: a damaged marker is the user's text, unless it is a prefix of the marker we last wrote."""
    world = agreed(NUMBER, "max@example.de")
    written = marker.write(NUMBER, 1)
    world.edit_row(101, bemerkung=written[:12])
    row = next(r for r in rows.read(world.situation(), world.case.base).relevant if r.id == 101)
    assert row.text == written[:12]
    write = replace(answered(1), after=Shown(NUMBER, written))
    world.case = replace(world.case, writes=(write,))
    row = next(r for r in rows.read(world.situation(), world.case.base).relevant if r.id == 101)
    assert row.text == ""


def test_a_row_is_found_by_its_id() -> None:
    known = rows.read(World(rows={5: Kommunikation(5, "r", NUMBER, "", False)}).situation(), Base())
    assert known.by_id()[5].now.tlf == NUMBER
