"""Crashes, lost answers, late effects, older forms, refused arrays (sync rules §8, §9): what the journal is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from statemachine import effects
from statemachine.acceptance import Acceptance
from statemachine.case import Limits, Outcome, Shown, Variant, Write
from statemachine.commands import DeleteRow, PutRecord
from statemachine.model import Item, Kind, Kommunikation, Side
from statemachine.plan import make
from statemachine.rules import Direction, Policy
from tests.statemachine.world import RULES, World, agreed

ONE, TWO, THREE = "0511/1234560", "0511/1234561", "0511/1234562"
E_ONE, E_TWO, E_THREE = "+495111234560", "+495111234561", "+495111234562"


def one() -> World:
    world = agreed(ONE, "max@example.de", text="Text")
    world.case = replace(world.case, limits=Limits(bemerkung_whole=100))
    return world


def phones(world: World) -> list[str]:
    return [item.value for item in world.phones]


def live(world: World) -> list[str]:
    return [row.tlf for row in world.rows.values() if row.tlf and "@" not in row.tlf]


SCENARIOS: dict[str, Callable[[World], object]] = {
    "var1": lambda w: w.phone(E_TWO),
    "var2": lambda w: w.remove_item(E_ONE),
    "var3": lambda w: w.remove_row(101),
    "var4": lambda w: w.row(TWO),
    "var5": lambda w: w.edit_item(E_ONE, value=E_TWO),
    "var6": lambda w: w.edit_row(101, tlf=TWO),
    "edit_edit": lambda w: (w.edit_row(101, tlf=TWO), w.edit_item(E_ONE, value=E_THREE)),
    "type": lambda w: w.edit_item(E_ONE, type="Fax"),
    "two edits": lambda w: (w.edit_row(101, tlf=TWO), w.edit_item("max@example.de", value="m@example.de")),
    "same edit": lambda w: (w.edit_row(101, tlf=TWO), w.edit_item(E_ONE, value=E_TWO)),
    "swap": lambda w: (w.row(TWO), w.phone(E_THREE)),
}


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("fault", ["before", "after", "recorded", "unknown", "nothing", "lost"])
@pytest.mark.parametrize("number", range(3))
def test_every_misfortune_at_every_write(name: str, fault: str, number: int) -> None:
    """§8: in the end the same as without it, nothing written twice."""
    smooth, rough = one(), one()
    SCENARIOS[name](smooth)
    smooth.sync()
    SCENARIOS[name](rough)
    rough.faults = {rough.count + number: fault}
    rough.sync()
    rough.faults = {}
    rough.wait(100)
    rough.sync()
    assert rough.values(Side.ESPOCRM) == smooth.values(Side.ESPOCRM)
    assert rough.values(Side.ADVOWARE) == smooth.values(Side.ADVOWARE)
    assert len([r for r in rough.rows.values() if r.tlf]) == len([r for r in smooth.rows.values() if r.tlf])
    rough.quiet()


@pytest.mark.parametrize("fault", ["before", "after", "recorded", "unknown", "nothing"])
@pytest.mark.parametrize("number", range(2))
def test_an_edit_after_a_crash_is_kept(fault: str, number: int) -> None:
    """§8: a third value means that someone edited in between; base = what we wrote."""
    world = one()
    world.edit_item(E_ONE, value=E_TWO)
    world.faults = {world.count + number: fault}
    world.run()
    world.edit_row(101, tlf=THREE)
    world.sync()
    if (fault, number) == (
        "recorded",
        0,
    ):  # without an outcome nothing is certain: a conflict, which EspoCRM wins
        assert (phones(world), live(world)) == ([E_THREE], [THREE])
    assert world.values(Side.ESPOCRM) == world.values(Side.ADVOWARE)


def test_a_write_recorded_as_done_moves_the_base_before_the_merge() -> None:
    """§8: no conflict, and the younger edit on the other side wins."""
    world = one()
    world.edit_item(E_ONE, value=E_TWO)
    world.faults = {world.count: "recorded"}
    assert world.run().ended == "crashed"
    world.edit_item(E_TWO, value=E_THREE)
    world.sync()
    assert live(world) == [E_THREE]
    assert [w.variant for w in world.history] == [Variant.VAR5] * 2


def test_a_row_that_we_emptied_needs_no_second_confirmation() -> None:
    """§9: the journal knows it, also when the answer never came."""
    world = one()
    world.remove_item(E_ONE)
    world.run()
    world.wait(100)
    world.faults = {world.count: "unknown"}
    world.run()
    assert world.sync()[0].ended == "synced"
    assert len(world.agreed()) == 1


# --- not taken -------------------------------------------------------------------------------------------------------


def lost(world: World, writes: int = 60) -> None:
    world.faults = dict.fromkeys(range(world.count, world.count + writes), "lost")


def test_a_row_write_that_does_not_take_is_repeated_once_and_parked() -> None:
    """§8: only this entry, with a notice; its base stays."""
    world = one()
    world.edit_item(E_ONE, value=E_TWO)
    lost(world)
    runs = world.sync()
    assert [w.variant for w in world.history] == [Variant.VAR5] * 2
    assert [p.reason for p in world.case.parked] == ["not_taken"]
    assert runs[-1].ended == "synced"
    assert "not_taken" in {n.topic for n in runs[-1].plan.notices}
    world.quiet()
    world.faults = {}
    world.edit_item(E_TWO, value=E_THREE)  # another value is another try
    world.sync()
    assert live(world) == [E_THREE]
    assert world.case.parked == ()


def test_a_parked_entry_is_tried_again_after_the_auto_reset() -> None:
    """§10."""
    world = one()
    world.edit_item(E_ONE, value=E_TWO)
    lost(world)
    world.sync()
    world.faults = {}
    world.wait(RULES.auto_reset - 100)
    world.sync()
    assert live(world) == [ONE]
    world.wait(200)
    world.sync()
    assert live(world) == [E_TWO]


def test_one_failed_attempt_is_simply_repeated() -> None:
    world = one()
    world.edit_item(E_ONE, value=E_TWO)
    lost(world, 1)
    world.sync()
    assert live(world) == [E_TWO]
    assert world.case.parked == ()


def test_an_item_write_that_does_not_take() -> None:
    """§8: a twin row, for instance; in the next run once more, then parked."""
    world = one()
    world.edit_row(101, tlf=TWO)
    world.faults = dict.fromkeys(range(world.count + 1, world.count + 60), "lost")
    world.sync()
    assert [w.variant for w in world.history] == [Variant.MARKER, Variant.VAR6, Variant.VAR6]
    assert [p.reason for p in world.case.parked] == ["not_taken"]
    world.quiet()


def test_a_removal_that_does_not_take() -> None:
    """§8, on both sides."""
    world = one()
    world.remove_row(101)
    lost(world)
    world.sync()
    assert [w.variant for w in world.history] == [Variant.VAR3] * 2
    assert [p.reason for p in world.case.parked] == ["not_taken"]
    world.quiet()
    other = one()
    other.remove_item(E_ONE)
    lost(other)
    other.sync()
    assert [w.variant for w in other.history] == [Variant.VAR2] * 2
    assert [p.reason for p in other.case.parked] == ["not_taken"]
    other.quiet()


def test_a_refused_removal_freezes_only_its_entry() -> None:
    """§8."""
    world = agreed(ONE, TWO)
    world.remove_row(101)
    world.run()
    world.wait(100)
    world.refuses = lambda item: isinstance(item, Item)
    run = world.sync()[-1]
    assert [p.reason for p in run.plan.parked] == ["array_refused"]
    assert set(phones(world)) == {E_ONE, E_TWO}


# --- unknown outcomes ------------------------------------------------------------------------------------------------


def test_an_unanswered_write_is_known_under_blanks_that_staff_put_around_it() -> None:
    """§8: only EspoCRM's side changed after it, so nobody is asked and nothing is decided."""
    world = agreed(ONE, "max@example.de", text="Text", rules=replace(RULES, conflict_policy=Policy.MANUAL))
    world.edit_row(101, bemerkung="Text")  # nothing tells that this entry was synced
    world.edit_item(E_ONE, value=E_TWO)
    world.faults = {world.count: "after"}
    world.run()
    world.edit_row(101, tlf=f" {E_TWO} ")
    world.edit_item(E_TWO, value=E_THREE)
    world.sync()
    assert (phones(world), live(world)) == ([E_THREE], [E_THREE])
    assert world.case.conflicts == ()
    world.quiet()


@pytest.mark.parametrize("fault", ["nothing", "before"])
def test_a_new_value_is_not_sent_beside_a_request_that_was_not_answered(fault: str) -> None:
    """facts §10: two saves of one new value at once leave two rows of it in EspoCRM's tables, for ever."""
    world = agreed(ONE, "max@example.de")
    world.sync()
    world.row(TWO)
    world.faults = {world.count + 1: fault}
    world.run()
    sent = world.count
    world.wait(10)
    assert world.run().ended == "look_again"
    assert world.count == sent
    world.wait(60)
    world.sync()
    assert phones(world) == [E_ONE, E_TWO]
    world.quiet()


def test_a_lost_answer_is_found_by_reading() -> None:
    """§8: never repeat blindly; the row with our marker and value is the lost one and is adopted."""
    world = one()
    world.phone(E_TWO)
    world.faults = {world.count: "unknown"}
    world.sync()
    assert live(world) == [ONE, E_TWO]
    assert len(world.history) == 1
    assert [ids for value, ids in world.agreed() if value == E_TWO] == [[103]]


def doubled() -> World:
    """A POST whose effect came only after it was repeated."""
    world = one()
    world.phone(E_TWO)
    world.faults = {world.count: "nothing"}
    world.run()
    world.sync()
    second = world.rows[103]
    world.rows[104] = replace(second, id=104, row_id="late")
    return world


def test_the_younger_row_of_a_doubled_post_becomes_a_slot() -> None:
    """§8: two attempts of the same command, one with unknown outcome, no base with both rows."""
    world = doubled()
    world.sync()
    assert (world.rows[103].tlf, world.rows[104].tlf) == (E_TWO, "")
    assert world.rows[104].bemerkung == "[ESPOCRM-SLOT:1]"
    world.quiet()


@pytest.mark.parametrize("fault", ["nothing", "lost", "unknown"])
def test_a_double_that_could_not_be_emptied_at_once_is_still_known(fault: str) -> None:
    """§8: it must not come into the base of a run that ended before."""
    world = doubled()
    world.faults = {world.count: fault}
    world.run()
    world.wait(100)
    world.sync()
    assert (world.rows[103].tlf, world.rows[104].tlf) == (E_TWO, "")
    world.quiet()


def test_any_other_equal_row_is_staffs() -> None:
    """§8."""
    world = doubled()
    world.edit_row(104, bemerkung="von Hand")
    world.sync()
    assert world.rows[104].tlf == E_TWO
    assert [ids for value, ids in world.agreed() if value == E_TWO] == [[103, 104]]
    plain = one()
    plain.phone(E_TWO)
    plain.sync()
    plain.rows[104] = replace(plain.rows[103], id=104, row_id="x")
    plain.sync()
    assert plain.rows[104].tlf == E_TWO


def test_one_way_to_espocrm_leaves_a_double_alone() -> None:
    """§12."""
    world = doubled()
    world.rules = replace(RULES, direction=Direction.TO_ESPOCRM)
    world.sync()
    assert world.rows[104].tlf == E_TWO


def late(world: World, tlf: str) -> None:
    """The effect of the write that never answered shows itself now."""
    write = next(w for w in world.history if w.outcome is Outcome.UNKNOWN)
    assert write.after is not None
    world.edit_row(101, tlf=tlf, bemerkung=write.after.bemerkung)


def test_a_late_effect_is_no_edit() -> None:
    """§8: what is wanted now is written again."""
    world = one()
    world.edit_item(E_ONE, value=E_TWO)
    world.faults = {world.count: "nothing"}
    world.run()
    world.edit_item(E_TWO, value=E_THREE)
    world.sync()
    assert live(world) == [E_THREE]
    late(world, E_TWO)
    world.sync()
    assert (live(world), phones(world)) == ([E_THREE], [E_THREE])


def test_after_the_window_it_is_an_edit() -> None:
    """§8: [late_effect_seconds]."""
    world = one()
    world.edit_item(E_ONE, value=E_TWO)
    world.faults = {world.count: "nothing"}
    world.run()
    world.edit_item(E_TWO, value=E_THREE)
    world.sync()
    world.wait(RULES.late_effect + 10)
    late(world, E_TWO)
    world.sync()
    assert phones(world) == [E_TWO]


def test_a_late_post_that_nobody_wants_any_more() -> None:
    """§8: its item is gone meanwhile: into a slot, not back to EspoCRM."""
    world = one()
    world.phone(E_TWO)
    world.faults = {world.count: "nothing"}
    world.run()
    sent = world.sent[-1]
    world.remove_item(E_TWO)
    world.sync()
    content = sent.after
    world.rows[150] = Kommunikation(150, "late", content.tlf, content.bemerkung, False, 1)
    world.sync()
    assert world.rows[150].tlf == ""
    assert phones(world) == [E_ONE]
    world.quiet()


def test_staff_beside_a_late_post_stays() -> None:
    world = one()
    world.phone(E_TWO)
    world.faults = {world.count: "nothing"}
    world.run()
    sent = world.sent[-1]
    world.remove_item(E_TWO)
    world.sync()
    world.rows[150] = Kommunikation(150, "late", sent.after.tlf, sent.after.bemerkung, False, 1)
    world.rows[151] = Kommunikation(151, "staff", TWO, "von Hand", False, 1)
    world.sync()
    assert world.rows[150].tlf == ""
    assert E_TWO in phones(world)


def test_a_late_post_is_left_alone_where_advoware_is_never_written() -> None:
    """§12."""
    world = one()
    world.phone(E_TWO)
    world.faults = {world.count: "nothing"}
    world.run()
    sent = world.sent[-1]
    world.remove_item(E_TWO)
    world.rules = replace(RULES, direction=Direction.TO_ESPOCRM)
    world.rows[150] = Kommunikation(150, "late", sent.after.tlf, sent.after.bemerkung, False, 1)
    run = world.sync()[-1]
    assert "extra" in {e.problem for e in run.plan.entries}
    assert world.rows[150].tlf == E_TWO


# --- older forms (§9) ------------------------------------------------------------------------------------------------


def old_form(kind: str) -> tuple[World, Callable[[], None], Callable[[], bool]]:
    """(world, the save of the older form, is our write still there?)"""
    world = one()
    if kind == "item added":
        world.row(TWO)
        world.sync()
        return world, lambda: world.remove_item(E_TWO), lambda: E_TWO in phones(world) and TWO in live(world)
    if kind == "item changed":
        world.edit_row(101, tlf=TWO)
        world.sync()
        return world, lambda: world.edit_item(E_TWO, value=E_ONE), lambda: phones(world) == [E_TWO]
    if kind == "item removed":
        item = world.phones[0]
        world.remove_row(101)
        world.sync()
        return world, lambda: world.phone(item.value, "Office"), lambda: phones(world) == []
    if kind == "row changed":
        before = world.rows[101]
        world.edit_item(E_ONE, value=E_TWO)
        world.sync()
        return world, lambda: _save(world, before), lambda: live(world) == [E_TWO] == phones(world)
    if kind == "row emptied":
        before = world.rows[101]
        world.remove_item(E_ONE)
        world.sync()
        return world, lambda: _save(world, before), lambda: live(world) == [] == phones(world)
    slot = world.row("", 1, "[ESPOCRM-SLOT:1]")
    before = world.rows[slot]
    world.phone(E_TWO)
    world.sync()
    return world, lambda: _save(world, before), lambda: live(world) == [ONE, E_TWO]


def _save(world: World, row: Kommunikation) -> None:
    world.edit_row(row.id, tlf=row.tlf, bemerkung=row.bemerkung)


OLD_FORMS = ["item added", "item changed", "item removed", "row changed", "row emptied", "slot filled"]


@pytest.mark.parametrize("kind", OLD_FORMS)
def test_an_older_form_is_nobodys_decision_the_first_time(kind: str) -> None:
    """§9: it is written again, once; a second time it is his will."""
    world, save, is_there = old_form(kind)
    assert is_there()
    world.wait(300)
    save()
    world.sync()
    assert is_there()
    world.wait(300)
    save()
    world.sync()
    assert not is_there()
    assert world.values(Side.ESPOCRM) == world.values(Side.ADVOWARE)
    world.quiet()


@pytest.mark.parametrize("kind", OLD_FORMS)
def test_an_older_form_is_put_right_though_the_daemon_died_over_it(kind: str) -> None:
    """§8, §9: what was only put down before the process died has put nothing right."""
    world, save, is_there = old_form(kind)
    world.wait(300)
    save()
    world.faults[world.count] = "before"
    assert "crashed" in [run.ended for run in world.sync()]
    assert is_there()
    assert world.values(Side.ESPOCRM) == world.values(Side.ADVOWARE)
    world.quiet()


def test_an_older_form_than_a_write_without_an_answer() -> None:
    """§8, §9: that it was ours was seen, so it is as good as answered."""
    world = one()
    world.row(TWO)
    world.faults[world.count + 1] = "after"
    assert "crashed" in [run.ended for run in world.sync()]
    assert E_TWO in phones(world)
    world.remove_item(E_TWO)
    world.sync()
    assert E_TWO in phones(world)


@pytest.mark.parametrize("kind", OLD_FORMS)
def test_later_it_is_his_will_at_once(kind: str) -> None:
    """§9: [stale_form_seconds]."""
    world, save, is_there = old_form(kind)
    world.wait(RULES.stale_form + 10)
    save()
    world.sync()
    assert not is_there()
    assert world.values(Side.ESPOCRM) == world.values(Side.ADVOWARE)


def test_the_old_value_with_another_text_is_an_edit() -> None:
    """§9: old tlf and old bemerkung together."""
    world = one()
    world.edit_item(E_ONE, value=E_TWO)
    world.sync()
    world.edit_row(101, tlf=ONE, bemerkung="doch die alte")
    world.sync()
    assert phones(world) == [E_ONE]


def test_an_older_form_while_the_other_side_moved_on() -> None:
    """§9: the item is added again with the value Advoware shows by now."""
    world = one()
    world.row(TWO)
    world.sync()
    world.remove_item(E_TWO)
    world.edit_row(103, tlf=THREE)
    world.sync()
    assert set(phones(world)) == {E_ONE, E_THREE}


# --- arrays (§8) -----------------------------------------------------------------------------------------------------


def test_an_array_is_written_only_from_a_settled_read() -> None:
    """§8; Advoware goes on."""
    world = one()
    world.row(TWO)
    world.edit_item(E_ONE, opt_out=True)
    world.email("neu@example.de")
    run = world.run()
    assert run.ended == "look_again"
    assert phones(world) == [E_ONE]
    assert "neu@example.de" in world.tlfs()
    world.sync()
    assert E_TWO in phones(world)


def test_an_array_with_a_pending_deletion_is_not_written_at_all() -> None:
    """§8: the other array and Advoware go on."""
    world = one()
    world.phone(E_THREE)
    world.sync()
    world.history.clear()
    world.remove_item(E_THREE)
    world.row(TWO)
    world.row("neu@example.de", 4)
    world.run()
    world.wait(10)
    world.run()
    assert phones(world) == [E_ONE]
    assert "neu@example.de" in world.item_values()
    world.sync()
    assert set(phones(world)) == {E_ONE, E_TWO}


def test_a_refused_change_is_unsyncable_and_the_others_go_on() -> None:
    """§8: the stored items unchanged plus our changes one at a time."""
    world = one()
    world.row("bad@example.de", 4)
    world.row("good@example.de", 4)
    world.row(TWO)
    world.refuses = lambda item: isinstance(item, Item) and item.value == "bad@example.de"
    world.sync()
    world.sync()
    assert {"good@example.de", E_TWO} <= set(world.item_values())
    assert [u.reason for u in world.case.unsyncable] == ["refused_by_espocrm"]


LEGACY = Item(Kind.PHONE, "0511 9876540", "Fax")
HOPELESS = Item(Kind.PHONE, "Zentrale bis 17 Uhr", "Fax")


def test_a_stored_legacy_spelling_is_rewritten_where_its_value_survives() -> None:
    """§8, §2: the one exception to never re-formatting."""
    world = one()
    world.phones.append(LEGACY)
    world.row("0511 9876540", 2)
    world.sync()
    world.sync()
    assert "0511 9876540" in phones(world), "nothing to write, nothing re-formatted"
    world.row(TWO)
    world.sync()
    assert set(phones(world)) == {E_ONE, E_TWO, "+495119876540"}


@pytest.mark.parametrize("kind", ["Satellit", None])
def test_a_type_that_cannot_be_sent_back_freezes_the_array(kind: str | None) -> None:
    """§8, facts §3.2: an unknown type refuses the whole array, none at all would become Mobile."""
    world = one()
    world.edit_item(E_ONE, type=kind)
    world.row(TWO)
    world.email("neu@example.de")
    run = world.sync()[-1]
    assert [(item.value, item.type) for item in world.phones] == [(E_ONE, kind)]
    assert not any(isinstance(sent, PutRecord) and sent.phones for sent in world.sent)
    assert [u.reason for u in world.case.unsyncable] == ["array_refused"]
    assert [n.topic for n in run.plan.notices].count("array_refused") == 1
    assert "neu@example.de" in world.tlfs(), "everything else goes on"
    world.quiet()
    world.edit_item(E_ONE, type="Office")
    world.sync()
    assert set(phones(world)) == {E_ONE, E_TWO}


def test_an_array_that_cannot_be_written_is_frozen() -> None:
    """§8: its additions are unsyncable, one notice, everything else goes on; nothing stored is left out."""
    world = one()
    world.phones.append(HOPELESS)
    world.sync()
    world.row(TWO)
    world.row(THREE)
    world.row("neu@example.de", 4)
    run = world.sync()[-1]
    assert set(phones(world)) == {E_ONE, HOPELESS.value}
    assert "neu@example.de" in world.item_values()
    assert [u.reason for u in world.case.unsyncable] == ["array_refused"] * 2
    assert [n.topic for n in run.plan.notices].count("array_refused") == 1
    assert run.ended == "synced"
    world.quiet()
    world.remove_item(HOPELESS.value)
    world.sync()
    assert set(phones(world)) == {E_ONE, E_TWO, E_THREE}


def test_the_offending_item_itself_may_go() -> None:
    world = World(replace(RULES, acceptance=Acceptance(international=False)))
    world.row("Zentrale bis 17 Uhr")
    world.row("max@example.de", 4)
    world.sync()
    world.rules = RULES
    world.remove_row(101)
    world.sync()
    assert phones(world) == []


def test_a_refused_sync_never_counts_as_done() -> None:
    """§8: outcomes are what happened."""
    world = one()
    world.refuses = lambda item: True
    world.edit_item(E_ONE, value=E_TWO)
    world.sync()
    assert {w.outcome for w in world.history} == {Outcome.REFUSED}
    assert world.case.base.links != ()


def test_a_stump_moves_no_base() -> None:
    """§6: tlf shorter than sent: nothing is derived from it; the previous value is written back."""
    world = one()
    world.edit_item(E_ONE, value=E_TWO)
    write = Write(
        900,
        "c",
        world.now,
        Side.ADVOWARE,
        "put",
        Variant.VAR5,
        Kind.PHONE,
        next(link.key for link in world.case.base.links if link.kind is Kind.PHONE),
        101,
        Shown(ONE, "Text", online=False),
        Shown(E_TWO[:6], "Text", online=False),
        Outcome.DONE,
        gives="advoware:phone:+495111234561",
    )
    back = replace(write, id=901, before=write.after, after=write.before, variant=Variant.RESTORE, gives="")
    world.case = replace(world.case, writes=(write, back))
    plan = world.run().plans[0]
    assert len(plan.rows) == 1
    assert plan.rows[0].after.tlf == E_TWO


def test_a_removal_whose_value_came_back_in_the_same_request_has_taken() -> None:
    """§8: one entry ends, another takes its value."""
    world = agreed(ONE, TWO, "max@example.de", rules=replace(RULES, conflict_policy=Policy.ADVOWARE))
    world.remove_row(101)
    world.edit_row(102, tlf="0511 1234560")
    world.remove_item(E_TWO)
    world.sync()
    assert world.case.parked == ()
    assert phones(world) == [E_ONE]
    assert [ids for value, ids in world.agreed() if value == E_ONE] == [[102]]
    world.quiet()


def test_a_copy_of_a_row_that_was_sent_once_is_staffs() -> None:
    """§8: only two attempts prove a double."""
    world = one()
    world.phone(E_TWO)
    world.faults = {world.count: "unknown"}
    world.run()
    world.rows[104] = replace(world.rows[103], id=104, row_id="copy")
    world.sync()
    assert live(world) == [ONE, E_TWO, E_TWO]


@pytest.mark.parametrize(
    ("direction", "was", "wanted"),
    [
        (Direction.BOTH, Shown(ONE, "Text", online=False), [ONE]),
        (Direction.BOTH, None, [""]),
        (Direction.TO_ESPOCRM, None, []),
    ],
)
def test_a_stump_that_a_crash_left_behind_is_written_over_first(
    direction: Direction, was: Shown | None, wanted: list[str]
) -> None:
    """§6: nothing is derived from it, and nothing else is planned in that round; where we may write at all."""
    world = one()
    world.rules = replace(RULES, direction=direction)
    world.edit_row(101, tlf=E_TWO[:6], bemerkung="Text")
    key = next(link.key for link in world.case.base.links if link.kind is Kind.PHONE)
    left = Shown(E_TWO[:6], "Text", online=False)
    sent = Write(
        1, "c", world.now, Side.ADVOWARE, "put", Variant.VAR5, Kind.PHONE, key, 101, was, left, Outcome.DONE
    )
    sent = replace(sent, gives="advoware:phone:+495111234561")
    world.case = replace(world.case, writes=(sent,))
    plan = make(world.situation())
    assert [row.after.tlf for row in plan.rows if not isinstance(row, DeleteRow)] == wanted
    assert {entry.problem for entry in plan.entries} == ({"waits"} if plan.rows else {None, "settling"})


@pytest.mark.parametrize("fault", ["after", "recorded"])
def test_a_row_that_left_its_link_and_is_deleted_after_a_crash_does_not_come_back(fault: str) -> None:
    """§4.1, §8: the item that it was given is its item, though no read has shown them together."""
    world = agreed(ONE, "max@example.de")
    second = world.row(ONE)
    world.sync()
    world.edit_row(second, tlf=TWO)
    world.faults = {world.count + 1: fault}
    world.run()
    assert phones(world) == [E_ONE, E_TWO]
    world.remove_row(second)
    world.sync()
    assert (phones(world), live(world)) == ([E_ONE], [ONE])
    world.quiet()


def two_rows() -> tuple[World, int]:
    """One number as phone and as fax in Advoware, once in EspoCRM (§4.1)."""
    world = agreed(ONE, "max@example.de")
    second = world.row(ONE, 2)
    world.sync()
    assert [ids for value, ids in world.agreed() if value == E_ONE] == [[101, second]]
    return world, second


def test_a_row_that_one_list_left_out_stays_in_its_link() -> None:
    """§4.1, §9: when the item goes, all its rows go; the list may have been truncated."""
    world, second = two_rows()
    world.torn_rows = [[row for row in world.rows.values() if row.id != second]]
    world.row(TWO)
    world.run()
    world.remove_item(E_ONE)
    world.wait(100)
    world.sync()
    assert (phones(world), live(world)) == ([E_TWO], [TWO])
    world.quiet()


def test_a_number_that_is_being_retyped_keeps_both_rows_when_a_list_leaves_them_out() -> None:
    """§5, §8: the row that was created and the one that is to go belong to the item, whatever becomes of it."""
    world = agreed(ONE, "max@example.de")
    world.edit_item(E_ONE, type="Mobile")
    world.faults = {world.count: "recorded"}
    world.run()
    world.torn_rows = [[row for row in world.rows.values() if row.tlf != E_ONE and row.tlf != ONE]]
    world.run()
    world.edit_item(E_ONE, value=E_TWO)
    world.wait(100)
    world.sync()
    assert (phones(world), live(world)) == ([E_TWO], [E_TWO])
    world.quiet()


@pytest.mark.parametrize("delete", [True, False])
def test_a_number_taken_away_between_a_change_of_type_and_the_next_read_does_not_come_back(
    delete: bool,
) -> None:
    """§5, §8: the new row is the link, whatever became of it; emptying the old one ends nothing."""
    world = agreed(ONE, "max@example.de")
    world.edit_item(E_ONE, type="Mobile")
    world.faults = {world.count + 1: "recorded"}
    world.run()
    (new,) = [row.id for row in world.rows.values() if row.tlf == E_ONE or row.tlf == ONE]
    world.remove_row(new) if delete else world.edit_row(new, tlf="")
    world.wait(100)
    world.sync()
    assert (phones(world), live(world)) == ([], [])
    world.quiet()


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("then", [ONE, TWO, THREE])
def test_a_late_effect_in_espocrm_is_nobodys_edit(policy: Policy, then: str) -> None:
    """§8: what staff enter in Advoware meanwhile is the only edit, and no conflict."""
    world = agreed(ONE, "max@example.de", rules=replace(RULES, conflict_policy=policy))
    world.edit_row(101, tlf=TWO)
    world.faults = {world.count + 1: "nothing"}
    world.run()
    late = world.sent[-1]
    assert isinstance(late, PutRecord)
    world.write_record(late)
    world.edit_row(101, tlf=then)
    world.wait(70).sync()
    assert phones(world) == [{ONE: E_ONE, TWO: E_TWO, THREE: E_THREE}[then]]
    assert (live(world), world.case.conflicts) == ([then], ())
    world.quiet()


def test_what_a_user_enters_later_is_his_edit_though_we_tried_it_once() -> None:
    """§8: after [late_effect_seconds], or once the entry has moved on."""
    for wait, meanwhile in ((RULES.late_effect + 10, None), (70.0, THREE)):
        world = one()
        world.edit_row(101, tlf=TWO, bemerkung="")
        world.faults = {world.count + 1: "nothing"}
        world.run()
        world.edit_row(101, tlf=meanwhile or ONE)
        if meanwhile:
            world.sync()
        world.edit_item(world.phones[0].value, value=E_TWO)
        world.wait(wait).sync()
        assert phones(world) == [E_TWO]


@pytest.mark.parametrize("fault", ["after", "unknown"])
def test_a_marker_without_an_answer_is_asked_again_for_the_kind(fault: str) -> None:
    """§3, §8: the answer shows the true kommKz, and EspoCRM's type follows from it."""
    world = one()
    world.row(TWO, 10)
    world.faults[world.count] = fault
    world.sync()
    assert [item.type for item in world.phones if item.value == E_TWO] == ["Other"]
    world.quiet()


def test_a_lost_row_is_known_by_its_marker_when_staff_wrote_beside_it() -> None:
    """§8: nobody entered it in Advoware; when its item is taken away it goes, too."""
    world = one()
    world.phone(E_TWO)
    world.faults = {world.count: "after"}
    world.run()
    (lost,) = [row for row in world.rows.values() if row.tlf == E_TWO]
    world.edit_row(lost.id, bemerkung=f"{lost.bemerkung} Durchwahl")
    world.remove_item(E_TWO)
    world.sync()
    assert (phones(world), live(world)) == ([E_ONE], [ONE])
    world.quiet()


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("fault", ["unknown", "after"])
def test_a_removal_whose_answer_never_came_is_nobodys_deletion(policy: Policy, fault: str) -> None:
    """§8: what staff type into the row meanwhile is new, and no conflict; one look alone does not show the removal."""
    world = agreed(ONE, "max@example.de", rules=replace(RULES, conflict_policy=policy))
    world.edit_row(101, tlf="")
    world.run()
    world.wait(100)
    world.faults = {world.count: fault}
    world.run()
    assert phones(world) == []
    world.edit_row(101, tlf=TWO)
    world.sync()
    assert (phones(world), live(world), world.case.conflicts) == ([E_TWO], [TWO], ())
    world.quiet()


@pytest.mark.parametrize("text", ["", "Frau Weiß, Sekretariat, nur vormittags, nicht am Freitag"])
def test_the_unanswered_row_of_a_second_change_of_type_is_known(text: str) -> None:
    """§5, §8: the first change was answered and is over; then EspoCRM is away, and staff delete the number there. Had
    the row been nobody's, it would have come back as a new entry."""
    world = agreed(ONE, "max@example.de", text=text)
    world.edit_item(E_ONE, type="Fax")
    world.sync()
    assert [row.komm_kz for row in world.rows.values() if row.tlf == ONE] == [2]
    world.edit_item(E_ONE, type="Home")
    world.faults = {world.count: "unknown"}
    world.run()
    assert [row.komm_kz for row in world.rows.values() if row.tlf == ONE] == [2, 6]
    world.remove_item(E_ONE)
    world.wait(10)
    world.sync()
    assert (phones(world), live(world)) == ([], [])
    world.quiet()


def test_an_unanswered_emptying_is_judged_by_what_its_slot_showed_before_it_was_used_again() -> None:
    """§6, §8: a change of type empties the old row, no answer; the slot takes the next new value in one run with the
    finding that it was one. Judged by the value that it holds then, it would still have been the old entry's row."""
    world = agreed(ONE, "max@example.de", text="neu seit 03/26")
    world.edit_item(E_ONE, type="Home")
    world.faults = {world.count + 1: "after"}
    world.run()
    world.phone(E_TWO)
    world.wait(10)
    world.sync()
    assert sorted(row.tlf for row in world.rows.values() if "@" not in row.tlf) == sorted([ONE, E_TWO])
    assert len(world.rows) == 3
    assert phones(world) == [E_ONE, E_TWO]
    world.quiet()


def test_an_unanswered_emptying_has_come_though_the_row_holds_another_value_by_now() -> None:
    """§8: what our next write found there tells."""
    world = one()
    key = next(link.key for link in world.case.base.links if link.kind is Kind.PHONE)
    slot = Shown("", "[ESPOCRM-SLOT:1]", online=False)
    emptied = Write(
        1, "c", world.now, Side.ADVOWARE, "put", Variant.TYPE, Kind.PHONE, key, 101,
        Shown(ONE, "Text", online=False), slot, Outcome.UNKNOWN,
    )  # fmt: skip
    taken = replace(emptied, id=2, link_key=None, before=slot, after=Shown(TWO, "", online=False))
    world.edit_row(101, tlf=TWO, bemerkung="")
    world.case = replace(world.case, writes=(emptied, replace(taken, outcome=Outcome.DONE)))
    assert [(write.id, effect) for write, effect in effects.of(world.situation())] == [
        (1, effects.Effect.TAKEN),
        (2, effects.Effect.TAKEN),
    ]


def test_what_is_typed_into_a_row_that_a_type_change_emptied_without_an_answer_keeps_its_row() -> None:
    """§8: the emptying may come late only while the row is the old entry's. Else the new entry lost its row at every
    look, and a list that hides the row made a second one."""
    world = agreed(ONE, "max@example.de")
    for number in range(4):
        world.row(f"0511/777777{number}")
    world.sync()
    world.edit_item(E_ONE, type="Mobile")
    world.faults = {world.count + 1: "unknown"}
    world.sync()
    assert world.rows[101].tlf == ""
    world.edit_row(101, tlf=TWO)
    world.sync()
    keys = {link.key for link in world.case.base.links}
    world.edit_row(102, bemerkung="Text")
    world.sync()
    assert {link.key for link in world.case.base.links} == keys
    assert len([tlf for tlf in world.tlfs() if tlf]) == 7


# --- an effect that was seen ------------------------------------------------------------------------------------------

E_THREE = "+495111234562"


def unmarked() -> tuple[World, int]:
    """Agreed at a first sync long ago: the row has no marker, as all rows from before."""
    world = World()
    world.phone(E_ONE, "Office")
    row = world.row(E_ONE)
    world.sync()
    world.wait(100_000).sync()
    return world, row


@pytest.mark.parametrize("both", [True, False])
def test_an_unanswered_write_whose_effect_was_seen_does_not_come_late(both: bool) -> None:
    """§8: the old value was back, by two people or by an answer that was lost as well; then staff edited the row, and
    were taken for the late effect's victims: their number was written over."""
    world, row = unmarked()
    world.faults = {0: "unknown"} if both else {0: "unknown", 1: "unknown"}
    world.edit_item(E_ONE, value=E_TWO)
    world.sync()
    world.wait(100).edit_item(E_TWO, value=E_ONE)
    if both:
        world.edit_row(row, tlf=E_ONE)
    world.sync()
    world.wait(100).edit_row(row, tlf=E_THREE)
    world.sync()
    assert (phones(world), world.tlfs()) == ([E_THREE], [E_THREE])


def test_a_late_effect_with_our_marker_is_ours_whatever_was_written_on_the_other_side() -> None:
    world, row = unmarked()
    world.rules = replace(RULES, conflict_policy=Policy.ADVOWARE)
    world.faults = {0: "nothing"}
    world.edit_item(E_ONE, value=E_TWO)
    world.run()
    after = world.history[-1].after
    assert after is not None
    world.edit_row(row, tlf=E_THREE)
    for _ in range(2):
        world.wait(60).sync()
    assert (phones(world), world.tlfs()) == ([E_THREE], [E_THREE])
    world.edit_row(row, tlf=after.value, bemerkung=after.bemerkung)
    world.sync()
    assert (phones(world), world.tlfs()) == ([E_THREE], [E_THREE])


def test_a_value_that_staff_type_under_the_old_text_is_not_what_an_unanswered_write_brought() -> None:
    """§8: a PUT brings its bemerkung as well."""
    world, row = unmarked()
    world.faults = {0: "nothing"}
    world.edit_item(E_ONE, value=E_TWO)
    world.run()
    assert [w.outcome for w in world.case.writes] == [Outcome.UNKNOWN]
    world.edit_row(row, tlf=E_TWO)
    assert effects.came(world.situation()) == ()
    sent = world.history[-1].after
    assert sent is not None
    world.edit_row(row, bemerkung=sent.bemerkung)
    assert effects.came(world.situation()) == (world.case.writes[0].id,)


@pytest.mark.parametrize("text", ["", "bitte nicht nach 18 Uhr"])
def test_the_unanswered_row_of_a_new_attempt_is_known_though_an_older_one_was_given_up(text: str) -> None:
    """§8: the user removes the item before the row is seen; it came back as a new entry of staff's."""
    world = agreed("alt@example.de", "0511/1234560", text=text)
    world.remove_row(101)
    world.edit_item("alt@example.de", value="neu@example.de")
    world.faults |= {world.count: "nothing"}
    while not world.case.writes:
        world.wait(100).run()
    world.case = replace(world.case, writes=tuple(replace(w, settled=True) for w in world.case.writes))
    world.faults |= {world.count: "after"}
    while "neu@example.de" not in world.tlfs():
        world.wait(100).run()
    world.remove_item("neu@example.de")
    world.sync()
    world.wait(100).sync()
    assert "neu@example.de" not in [*world.item_values(), *world.tlfs()]
    world.quiet()


@pytest.mark.parametrize("text", ["Text", ""])
def test_a_write_that_is_answered_with_the_old_row_is_repeated_once_and_then_told(text: str) -> None:
    """§8: Advoware kept what it had and said so: nothing was cut off, so nothing has to be put back first."""
    world = agreed(ONE, "max@example.de", text=text)
    world.edit_item(E_ONE, value=E_TWO)
    world.faults = dict.fromkeys(range(world.count, world.count + 9), "kept")
    runs = world.sync()
    assert [p.reason for run in runs for p in run.plan.parked] == ["not_taken"]
    assert len([w for w in world.history if w.gives == "advoware:phone:+495111234561"]) == 2
    world.edit_item("max@example.de", value="m@example.de")
    world.faults = {}
    world.sync()
    assert "m@example.de" in world.tlfs(), "the others go on"


@pytest.mark.parametrize("fault", ["nothing", "unknown", "before", "after", "recorded", "lost"])
def test_an_edit_of_an_entry_that_staff_cleared_reaches_advoware_after_every_misfortune(fault: str) -> None:
    """§5, §8: it goes into the row that was cleared; without an effect it is no older form that cleared it."""
    world = agreed(ONE, TWO)
    world.edit_row(102, tlf="")
    world.run()
    world.edit_item(E_TWO, value=E_THREE)
    world.wait(61)
    world.faults = {world.count: fault}
    world.run()
    world.sync()
    world.wait(100).sync()
    assert sorted(phones(world)) == [E_ONE, E_THREE]
    assert sorted(world.situation().canonical(tlf, Kind.PHONE) for tlf in live(world)) == [E_ONE, E_THREE]
    world.quiet()
