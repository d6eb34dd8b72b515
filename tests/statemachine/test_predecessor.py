"""The predecessor's errors that must not come back (advoware facts §6), where the core decides; one test per number.

2 and 3 are in test_standing and test_retry, 14 in test_looks, 17 is the worker's.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from statemachine import looks, marker
from statemachine.case import Case, Variant
from statemachine.model import Side
from statemachine.states import TABLE, State
from tests.statemachine.world import RULES, World, agreed

ONE, E_ONE, E_TWO, MAIL = "0511/1234560", "+495111234560", "+495111234561", "max@example.de"


def test_01_a_first_sync_overwrites_no_newer_advoware_data() -> None:
    world = World()
    world.row("neu@example.de", 4, "frisch eingetragen")
    world.email("alt@example.de")
    world.sync()
    assert {"neu@example.de", "alt@example.de"} == set(world.tlfs()) == set(world.item_values())
    assert world.rows[101].bemerkung == "frisch eingetragen"


def test_04_a_first_sync_doubles_no_equal_values() -> None:
    world = World()
    world.row(ONE)
    world.phone(E_ONE)
    world.sync()
    assert (len(world.rows), len(world.phones)) == (1, 1)


def test_05_a_quiet_run_asks_for_nothing_and_reads_once() -> None:
    run = agreed(ONE, MAIL).run()
    assert (len(run.plans), run.writes) == (1, 0)
    assert run.plan.idle


def test_06_nothing_is_written_though_unchanged() -> None:
    world = agreed(ONE, MAIL, rules=replace(RULES, status_fields=frozenset({"kommunikationHash"})))
    before = looks.look_espocrm(world.espocrm(), None)
    for _ in range(5):
        world.quiet()
    assert not looks.changed(before, looks.look_espocrm(world.espocrm(), before))


def test_07_every_state_that_a_crash_can_leave_has_a_way_out() -> None:
    assert any(row.source is State.SYNCING and row.trigger.value == "interrupted" for row in TABLE)


def test_08_slots_and_blanks_are_no_changes() -> None:
    world = agreed(ONE, MAIL)
    world.row("", 1)
    world.row("  ", 2, "[ESPOCRM-SLOT:2]")
    run = world.sync()[-1]
    assert world.history == []
    assert run.plan.empty_slots == 1


def test_09_a_value_typed_into_an_empty_slot() -> None:
    world = agreed(MAIL)
    slot = world.row("", 6, "[ESPOCRM-SLOT:6]")
    world.sync()
    world.edit_row(slot, tlf=ONE)
    world.sync()
    assert [(i.value, i.type) for i in world.phones] == [(E_ONE, "Home")]


def test_10_after_a_decided_conflict_both_sides_agree() -> None:
    world = agreed(ONE, MAIL)
    world.edit_row(101, tlf="0511/1234569")
    world.edit_item(E_ONE, value=E_TWO)
    world.sync()
    assert world.values(Side.ESPOCRM) == world.values(Side.ADVOWARE)
    assert any(w.before and w.before.value == "0511/1234569" for w in world.history), (
        "the loser is in the history"
    )


def test_11_an_unmarked_new_row_is_no_part_of_a_conflict() -> None:
    world = agreed(ONE, MAIL)
    world.edit_row(101, tlf="0511/1234569")
    world.edit_item(E_ONE, value=E_TWO)
    world.row("0511/5555550")
    world.sync()
    assert {E_TWO, "+495115555550"} <= set(world.item_values())
    assert "0511/5555550" in world.tlfs()


def test_12_success_is_what_was_read() -> None:
    world = agreed(ONE, MAIL)
    world.edit_item(E_ONE, value=E_TWO)
    world.faults = dict.fromkeys(range(world.count, world.count + 9), "lost")
    world.sync()
    assert E_ONE in [link.value for link in world.case.base.links], "not what we wished"


def test_13_a_hash_marker_finds_its_item_after_an_edit_in_advoware() -> None:
    import hashlib

    digest = hashlib.sha256(MAIL.encode()).hexdigest()[:8]
    world = World()
    world.row("neu@example.de", 4, f"[ESPOCRM:{digest}:4]")
    world.email(MAIL)
    world.sync()
    assert world.item_values() == ["neu@example.de"]
    world.wait(100_000)
    world.edit_item("neu@example.de", value="neuer@example.de")
    world.sync()
    mark, _ = marker.read(world.rows[101].bemerkung)
    assert mark is not None
    assert mark.value == "neuer@example.de"


def test_15_a_mobile_number_stays_one() -> None:
    world = World()
    world.phone("+491701234567", "Mobile")
    world.sync()
    assert world.rows[101].komm_kz == 3


def test_16_slots_are_used_again() -> None:
    world = agreed(ONE, MAIL)
    for _ in range(3):
        world.remove_item(world.phones[0].value)
        world.sync()
        world.wait(10_000)
        world.phone(E_TWO, "Office")
        world.sync()
        world.wait(10_000)
    assert len(world.rows) == 2


@pytest.mark.parametrize(("kz", "value"), [(8, MAIL), (7, ONE), (9, "0170 1234567")])
def test_18_finer_kinds_are_not_degraded(kz: int, value: str) -> None:
    world = World()
    world.row(value, kz)
    world.row("zweite@example.de", 4)
    world.sync()
    item = next(i for i in (*world.emails, *world.phones) if i.value != "zweite@example.de")
    world.edit_item(item.value, value="m@example.de" if "@" in value else E_TWO)
    world.sync()
    mark, _ = marker.read(world.rows[101].bemerkung)
    assert mark is not None
    assert (world.rows[101].komm_kz, mark.komm_kz) == (kz, kz)


def test_19_opt_out_and_invalid_are_kept() -> None:
    world = agreed(ONE, MAIL)
    world.edit_item(MAIL, opt_out=True, invalid=True)
    world.row("0511/5555550")
    world.row("neu@example.de", 4)
    world.sync()
    mail = next(i for i in world.emails if i.value == MAIL)
    assert (mail.opt_out, mail.invalid) == (True, True)


def test_20_a_deleted_entry_does_not_come_back() -> None:
    world = agreed(ONE, MAIL)
    world.remove_row(101)
    world.sync()
    assert world.item_values() == [MAIL]
    assert world.tlfs() == [MAIL]


def test_20_but_a_lost_memory_prefers_to_keep() -> None:
    world = agreed(ONE, MAIL)
    world.remove_row(101)
    world.case = Case()
    world.sync()
    assert set(world.item_values()) == {MAIL, E_ONE}


def test_21_our_own_writes_are_no_changes() -> None:
    world = agreed(ONE, MAIL)
    world.edit_item(E_ONE, value=E_TWO)
    world.row("neu@example.de", 4)
    world.sync()
    seen_e, seen_a = world.case.seen_espocrm, world.case.seen_advoware
    assert not looks.changed(seen_e, looks.look_espocrm(world.espocrm(), seen_e))
    assert not looks.changed(seen_a, looks.look_advoware(world.advoware(), seen_a))
    assert {w.variant for w in world.history} == {Variant.VAR5, Variant.VAR4, Variant.MARKER}
    world.quiet()
