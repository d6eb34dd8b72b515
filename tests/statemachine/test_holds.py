"""Second looks, the fuse, an emptied side (sync rules §9), a restored EspoCRM (§7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from statemachine import looks
from statemachine.case import (
    Conflict,
    ConflictKind,
    Decision,
    Fuse,
    Hold,
    Keep,
    Seen,
    Vanished,
    Variant,
    Wish,
)
from statemachine.model import Kind, Side
from statemachine.plan import make
from statemachine.rules import Direction, Extras, Policy
from tests.statemachine.world import RULES, World, agreed

ONE, TWO, MAIL = "0511/1234560", "0511/1234561", "max@example.de"
E_ONE, E_TWO = "+495111234560", "+495111234561"
CONFIRM = replace(RULES, empty_side="confirm")


def three(rules: object = RULES) -> World:
    return agreed(ONE, TWO, MAIL, rules=rules, text="Text")  # type: ignore[arg-type]


def drop_item(world: World) -> None:
    world.remove_item(E_ONE)


def drop_row(world: World) -> None:
    world.remove_row(101)


def blank_row(world: World) -> None:
    world.edit_row(101, tlf="  ")


DELETIONS = [(Side.ESPOCRM, drop_item), (Side.ADVOWARE, drop_row), (Side.ADVOWARE, blank_row)]


@pytest.mark.parametrize(("side", "delete"), DELETIONS)
def test_gone_only_when_a_second_look_shows_it_again(side: Side, delete: Callable[[World], None]) -> None:
    """§9: at least [deletion_confirm_seconds] later; everything else goes on."""
    world = three()
    world.sync()
    delete(world)
    world.email("neu@example.de")
    first = world.run()
    (pending,) = world.case.pending
    assert (pending.side, pending.since) == (side, world.now)
    assert first.plan.look_again_at == world.now + RULES.deletion_confirm
    assert "neu@example.de" in world.tlfs()
    assert [v.side for v in world.case.vanished] == [side]
    count = len(world.history)
    world.now = pending.since + RULES.deletion_confirm - 1.5
    assert world.run().ended == "look_again"
    assert len(world.history) == count, "half a second too early"
    assert world.case.pending == (pending,), "the first look counts"
    world.sync()
    assert len(world.history) == count + 1
    assert world.case.pending == ()
    world.quiet()


@pytest.mark.parametrize(("side", "delete"), DELETIONS)
def test_what_comes_back_was_never_gone(side: Side, delete: Callable[[World], None]) -> None:
    """§9: and a later deletion starts anew."""
    world = three()
    rows, phones = dict(world.rows), list(world.phones)
    delete(world)
    world.run()
    world.rows, world.phones = rows, phones
    world.wait(100)
    assert world.run().writes == 0
    assert (world.case.pending, world.case.vanished) == ((), ())
    assert side in Side
    delete(world)
    assert world.run().writes == 0


def test_a_pending_entry_is_neither_edited_nor_decided() -> None:
    """§5: ∅ counts only when confirmed."""
    world = three(replace(RULES, conflict_policy=Policy.ADVOWARE))
    drop_item(world)
    world.edit_row(101, tlf="0511/1234569")
    assert world.run().writes == 0
    assert world.case.conflicts == ()
    world.sync()
    assert "+495111234569" in world.item_values()


def test_an_entry_that_waits_keeps_its_question() -> None:
    """§8: the first look may have been a torn one."""
    world = three(replace(RULES, conflict_policy=Policy.MANUAL))
    world.edit_row(103, tlf="moritz@example.de")
    world.edit_item(MAIL, value="mia@example.de")
    assert world.sync()[-1].ended == "conflict"
    asked = world.case.conflicts
    world.decide(Keep.ADVOWARE)
    mails = list(world.emails)
    world.emails.clear()
    run = world.run()
    assert world.case.conflicts == asked
    assert [n.topic for n in run.plan.notices] == ["conflict"]
    assert world.case.decisions
    world.emails[:] = mails
    world.sync()
    assert [item.value for item in world.emails] == ["moritz@example.de"]


# --- a whole side emptied --------------------------------------------------------------------------------------------


def empty_espocrm(world: World) -> None:
    world.emails.clear()
    world.phones.clear()
    world.stamp += 1


def empty_advoware(world: World) -> None:
    world.rows.clear()


EMPTIED = [(Side.ESPOCRM, empty_espocrm), (Side.ADVOWARE, empty_advoware)]


@pytest.mark.parametrize(("side", "empty"), EMPTIED)
@pytest.mark.parametrize("policy", list(Policy))
def test_an_emptied_side_waits_for_a_human(
    side: Side, empty: Callable[[World], None], policy: Policy
) -> None:
    """§9: never decided by the policy; counted with all its links."""
    world = three(replace(RULES, conflict_policy=policy))
    empty(world)
    assert world.sync()[-1].ended == "conflict"
    (conflict,) = world.case.conflicts
    assert (conflict.kind, conflict.emptied) == (ConflictKind.SIDE_EMPTIED, side)
    assert world.history == []
    assert len(world.case.vanished) == 3
    assert [n.topic for n in world.run().plan.notices] == ["conflict"]
    world.quiet()


@pytest.mark.parametrize(("side", "empty"), EMPTIED)
@pytest.mark.parametrize("keep", [Keep.ESPOCRM, Keep.ADVOWARE])
def test_keep_names_the_side_whose_state_wins(side: Side, empty: Callable[[World], None], keep: Keep) -> None:
    """§9: written back from the base, or deleted on the other side as well."""
    world = three()
    world.edit_item(E_ONE, opt_out=True)
    world.sync()
    keys = {link.key for link in world.case.base.links}
    empty(world)
    world.sync()
    world.decide(keep)
    world.sync()
    if keep.value == side.value:
        assert world.values(Side.ESPOCRM) == world.values(Side.ADVOWARE) == set()
    else:
        assert set(world.item_values()) == {E_ONE, E_TWO, MAIL}
        assert len([t for t in world.tlfs() if t]) == 3
        assert next(i for i in world.phones if i.value == E_ONE).opt_out
        assert {link.key for link in world.case.base.links} == keys, "the links live on"
    assert (world.case.conflicts, world.case.decisions) == ((), ())
    world.quiet()


@pytest.mark.parametrize(("side", "empty"), EMPTIED)
def test_partial_re_typing_does_not_answer_the_question(side: Side, empty: Callable[[World], None]) -> None:
    """§9: once asked, it stays asked until none of its entries is gone any more or somebody decided."""
    world = three()
    empty(world)
    world.sync()
    asked = world.case.conflicts
    if side is Side.ESPOCRM:
        world.phone(E_ONE)
    else:
        world.row(ONE)
    assert world.sync()[-1].ended == "conflict"
    assert world.case.conflicts == asked
    assert world.history == []
    if side is Side.ESPOCRM:
        world.phone(E_TWO)
        world.email(MAIL)
    else:
        world.row(TWO)
        world.row(MAIL, 4)
    assert world.sync()[-1].ended == "synced"
    assert world.case.conflicts == ()
    assert world.history == []


@pytest.mark.parametrize("keep", list(Keep))
@pytest.mark.parametrize("side", list(Side))
def test_a_decision_about_an_emptied_side_is_done_though_the_daemon_died_over_it(
    side: Side, keep: Keep
) -> None:
    world = three()
    if side is Side.ESPOCRM:
        empty_espocrm(world)
    else:
        world.rows.clear()
    world.sync()
    world.decide(keep)
    written = side if keep.value != side.value else side.other
    world.faults |= {world.count + n: "after" for n in range(1 if written is Side.ESPOCRM else 3)}
    runs = world.sync()
    assert runs[0].ended == "crashed"
    assert len(runs[-1].plan.carried_out) == 1
    assert not [decision for run in runs for decision in run.plan.void]


def test_a_decision_about_a_filled_side_is_void() -> None:
    world = three()
    empty_espocrm(world)
    world.sync()
    world.decide(Keep.ESPOCRM)
    for value in (E_ONE, E_TWO):
        world.phone(value)
    world.email(MAIL)
    run = world.sync()[-1]
    assert [d.keep for d in run.plan.void] == [Keep.ESPOCRM]
    assert len([t for t in world.tlfs() if t]) == 3


def test_confirm_treats_it_like_ordinary_deletions() -> None:
    """§9: [empty_side] = confirm."""
    world = three(CONFIRM)
    empty_espocrm(world)
    world.sync()
    assert world.values(Side.ADVOWARE) == set()


def test_one_link_is_no_whole_side() -> None:
    """§9: two links or more."""
    world = agreed(ONE)
    empty_espocrm(world)
    world.sync()
    assert world.values(Side.ADVOWARE) == set()


def test_an_unsyncable_entry_left_is_no_empty_side() -> None:
    """§9: no sync-relevant entry left."""
    world = three()
    world.row("k.A.", 1, "[ESPOCRM:eA==:1]")
    world.sync()
    for row_id in (101, 102, 103):
        world.remove_row(row_id)
    world.sync()
    assert world.item_values() == []


def test_the_written_side_of_one_direction_may_be_empty() -> None:
    """§12: it is simply filled again."""
    world = three()
    world.rules = replace(RULES, direction=Direction.TO_ESPOCRM)
    empty_espocrm(world)
    world.sync()
    assert set(world.item_values()) == {E_ONE, E_TWO, MAIL}
    assert world.case.vanished == ()


def test_a_side_that_empties_in_steps_is_asked_about_when_each_was_seen_twice() -> None:
    """§9: until then nothing follows, not even from the first step."""
    world = three()
    world.remove_row(101)
    world.run()
    world.wait(100)
    empty_advoware(world)
    plan = world.run().plan
    assert (plan.conflicts, plan.record) == ((), None)
    assert {entry.problem for entry in plan.entries} == {"waits"}
    assert plan.look_again_at is not None
    assert world.sync()[-1].ended == "conflict"


def test_both_sides_emptied_is_no_question() -> None:
    world = three()
    empty_espocrm(world)
    empty_advoware(world)
    world.sync()
    assert world.case.conflicts == ()
    assert world.agreed() == []


def test_one_question_answered_while_another_waits() -> None:
    """§7, §9: nothing is written before all are answered."""
    world = three()
    empty_espocrm(world)
    world.sync()
    world.decide(Keep.ADVOWARE)
    world.case = replace(world.case, previous=world.case.base)
    world.sync()
    assert world.history == []
    assert {c.kind for c in world.case.conflicts} == {ConflictKind.SIDE_EMPTIED, ConflictKind.BETNR_CHANGED}
    assert len(world.case.decisions) == 1
    world.decide(Keep.BOTH, next(c for c in world.case.conflicts if c.kind is ConflictKind.BETNR_CHANGED))
    world.sync()
    assert set(world.item_values()) == {E_ONE, E_TWO, MAIL}


# --- the fuse --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "delete"), DELETIONS[:2])
def test_a_blown_fuse_carries_out_no_deletion(side: Side, delete: Callable[[World], None]) -> None:
    """§9: from that side for anybody; all else goes on."""
    world = three()
    delete(world)
    world.run()
    world.fuse(side, Fuse.DELETIONS)
    world.email("neu@example.de")
    world.sync()
    world.wait(1000)
    run = world.sync()[-1]
    assert "neu@example.de" in world.tlfs()
    assert {w.variant for w in world.history} == {Variant.VAR1}
    assert [e.problem for e in run.plan.entries if e.problem] == ["fuse"]
    assert [v.hold for v in world.case.vanished] == [Hold.HELD]
    world.quiet()


@pytest.mark.parametrize(("side", "delete"), DELETIONS[:2])
def test_an_approved_deletion_is_carried_out(side: Side, delete: Callable[[World], None]) -> None:
    world = three()
    delete(world)
    world.run()
    world.fuse(side, Fuse.DELETIONS)
    world.sync()
    world.fuse(side, Fuse.INTACT, Hold.APPROVED)
    world.sync()
    assert len(world.values(Side.ESPOCRM)) == len(world.values(Side.ADVOWARE)) == 2
    world.quiet()


@pytest.mark.parametrize(("side", "delete"), DELETIONS[:2])
def test_an_approved_deletion_passes_a_fuse_that_blew_again(
    side: Side, delete: Callable[[World], None]
) -> None:
    """§9: exactly the listed deletions; new ones are held anew."""
    world = three()
    delete(world)
    world.run()
    world.fuse(side, Fuse.INTACT, Hold.APPROVED)
    world.case = replace(world.case, fuse=((side, Fuse.DELETIONS),))
    if side is Side.ESPOCRM:
        world.remove_item(E_TWO)
    else:
        world.remove_row(102)
    world.sync()
    assert len(world.values(Side.ESPOCRM) & world.values(Side.ADVOWARE)) == 1
    assert len(world.values(Side.ESPOCRM) | world.values(Side.ADVOWARE)) == 2
    assert sorted(v.hold.value for v in world.case.vanished) == ["pending"]


@pytest.mark.parametrize(("side", "delete"), DELETIONS[:2])
def test_a_rejected_deletion_is_written_back_and_the_link_lives_on(
    side: Side, delete: Callable[[World], None]
) -> None:
    """§9: from the base with kind, type, optOut, invalid."""
    world = three()
    world.edit_item(E_ONE, opt_out=True, invalid=True)
    world.sync()
    links = {link.value: link.key for link in world.case.base.links}
    delete(world)
    world.run()
    world.fuse(side, Fuse.DELETIONS)
    world.sync()
    world.fuse(side, Fuse.INTACT, Hold.REJECTED)
    world.sync()
    item = next(i for i in world.phones if i.value == E_ONE)
    assert (item.type, item.opt_out, item.invalid) == ("Office", True, True)
    assert [t for t in world.tlfs() if t.replace("/", "").endswith("1234560")]
    assert {link.value: link.key for link in world.case.base.links} == links
    assert world.case.vanished == ()
    world.quiet()


@pytest.mark.parametrize("policy", [Policy.ESPOCRM, Policy.ADVOWARE])
def test_a_deletion_that_follows_from_a_decision_counts(policy: Policy) -> None:
    """§5."""
    world = three(replace(RULES, conflict_policy=policy))
    if policy is Policy.ESPOCRM:
        drop_item(world)
        world.edit_row(101, tlf="0511/1234569")
    else:
        drop_row(world)
        world.edit_item(E_ONE, value="+495111234569")
    world.fuse(Side.ESPOCRM if policy is Policy.ESPOCRM else Side.ADVOWARE, Fuse.DELETIONS)
    world.sync()
    assert world.history == []
    assert [e.problem for e in world.run().plan.entries if e.problem] == ["fuse"]
    side = Side.ESPOCRM if policy is Policy.ESPOCRM else Side.ADVOWARE
    world.fuse(side, Fuse.INTACT, Hold.REJECTED)
    world.sync()
    assert world.values(Side.ESPOCRM) == world.values(Side.ADVOWARE)
    assert len(world.values(Side.ESPOCRM)) == 3


def test_a_rejected_deletion_is_never_carried_out_where_it_cannot_be_written_back() -> None:
    """§9, §12: EspoCRM is the source and never written."""
    world = three()
    world.rules = replace(RULES, direction=Direction.TO_ADVOWARE)
    drop_item(world)
    world.run()
    world.fuse(Side.ESPOCRM, Fuse.INTACT, Hold.REJECTED)
    world.sync()
    assert world.history == []
    assert [e.problem for e in world.run().plan.entries if e.problem] == ["kept"]


def test_a_rejection_is_not_forgotten_by_a_run_that_waits_for_something_else() -> None:
    """Such as the second of two undos: the deletion was carried out, as the fuse was intact again."""
    world = three()
    drop_item(world)
    world.run()
    world.fuse(Side.ESPOCRM, Fuse.DELETIONS)
    world.sync()
    world.fuse(Side.ESPOCRM, Fuse.INTACT, Hold.REJECTED)
    keys = {link.value: link.key for link in world.case.base.links}
    wishes = (
        Wish(7, Side.ESPOCRM, Kind.EMAIL, keys[MAIL], "neu@example.de", expected=MAIL),
        Wish(8, Side.ESPOCRM, Kind.PHONE, keys[E_TWO], "+495111234569", type="Office", expected=E_TWO),
    )
    world.case = replace(world.case, wishes=wishes)
    assert world.run().ended == "look_again"
    assert [v.hold for v in world.case.vanished] == [Hold.REJECTED]
    world.sync()
    assert len([tlf for tlf in world.tlfs() if tlf]) == 3
    assert E_ONE in world.item_values()


def test_no_question_ends_in_a_round_that_asks_none() -> None:
    """§9: nor is one told while a fuse is blown."""
    world = three()
    empty_advoware(world)
    world.sync()
    asked = world.case.conflicts
    world.fuse(Side.ADVOWARE, Fuse.DELETIONS)
    keys = {link.value: link.key for link in world.case.base.links}
    wishes = (
        Wish(7, Side.ESPOCRM, Kind.EMAIL, keys[MAIL], "neu@example.de", expected=MAIL),
        Wish(8, Side.ESPOCRM, Kind.PHONE, keys[E_TWO], "+495111234569", type="Office", expected=E_TWO),
    )
    world.case = replace(world.case, wishes=wishes)
    run = world.run()
    assert (run.ended, world.case.conflicts, run.plan.notices) == ("look_again", asked, ())


def test_what_is_kept_of_a_source_that_may_not_be_written_stays() -> None:
    """§12: EspoCRM was emptied entry by entry, the operator keeps Advoware: it was emptied as well."""
    world = three()
    world.rules = replace(RULES, direction=Direction.TO_ADVOWARE)
    for value in (E_ONE, E_TWO, MAIL):
        world.remove_item(value)
    world.sync()
    assert [c.kind for c in world.case.conflicts] == [ConflictKind.SIDE_EMPTIED]
    world.decide(Keep.ADVOWARE)
    for _ in range(2):
        world.sync()
        world.wait(100_000)
    assert len([tlf for tlf in world.tlfs() if tlf]) == 3
    assert (world.case.conflicts, world.case.decisions) == ((), ())
    assert [e.problem for e in world.run().plan.entries] == ["kept"] * 3


def test_what_is_set_back_is_no_deletion() -> None:
    """§12: deleted on the written side: it does not count."""
    world = three()
    world.rules = replace(RULES, direction=Direction.TO_ESPOCRM)
    world.fuse(Side.ESPOCRM, Fuse.DELETIONS)
    drop_item(world)
    world.sync()
    assert E_ONE in world.item_values()
    assert world.case.vanished == ()


def test_no_notices_while_a_fuse_is_blown() -> None:
    """§9."""
    world = three()
    world.fuse(Side.ADVOWARE, Fuse.DELETIONS)
    empty_espocrm(world)
    run = world.sync()[-1]
    assert run.ended == "conflict"
    assert run.plan.notices == ()


def test_a_mirrors_extras_go_by_the_fuse() -> None:
    """§12: by §9 with fuse."""
    world = three()
    world.rules = replace(RULES, direction=Direction.TO_ESPOCRM, extras="remove")  # type: ignore[arg-type]
    world.phone("+495115555550")
    world.run()
    world.fuse(Side.ADVOWARE, Fuse.DELETIONS)
    world.sync()
    assert "+495115555550" in world.item_values()
    assert "fuse" in {e.problem for e in world.run().plan.entries}
    world.edit_item(E_ONE, opt_out=True)
    world.fuse(Side.ADVOWARE, Fuse.INTACT, Hold.APPROVED)
    assert "settling" in {e.problem for e in world.run().plan.entries}
    world.sync()
    assert "+495115555550" not in world.item_values()


# --- a restored EspoCRM (§7) -----------------------------------------------------------------------------------------


def restored() -> World:
    world = three()
    world.edit_item(E_ONE, value="+495111234569")
    world.phone("+495115555550")
    world.remove_item(MAIL)
    world.fuse(Side.ESPOCRM, Fuse.EVERYTHING)
    world.sync()
    return world


def test_a_fuse_for_everything_holds_edits_and_creations_too() -> None:
    """§7."""
    world = restored()
    assert world.history == []
    assert {v.link_key for v in world.case.vanished} <= {link.key for link in world.case.base.links}
    world.row("0511/7777770")
    world.edit_row(102, tlf="0511/7777771")
    world.sync()
    assert {"+495117777771", "+495117777770"} <= set(world.item_values()), "Advoware's go on"


def test_approved_it_goes_on() -> None:
    world = restored()
    world.fuse(Side.ESPOCRM, Fuse.INTACT, Hold.APPROVED)
    world.sync()
    assert world.values(Side.ESPOCRM) == world.values(Side.ADVOWARE)


def test_rejected_edits_are_set_back() -> None:
    world = three()
    world.edit_item(MAIL, value="alt@example.de")
    world.fuse(Side.ESPOCRM, Fuse.EVERYTHING)
    world.sync()
    assert world.history == []
    world.fuse(Side.ESPOCRM, Fuse.INTACT, Hold.REVERTED)
    world.sync()
    assert world.item_values() == [MAIL, E_ONE, E_TWO]
    assert MAIL in world.tlfs()


def test_a_rejected_edit_waits_for_the_fuse_no_longer() -> None:
    world = three()
    world.edit_item(MAIL, value="alt@example.de")
    world.fuse(Side.ESPOCRM, Fuse.EVERYTHING)
    world.sync()
    world.case = replace(
        world.case, vanished=tuple(replace(v, hold=Hold.REVERTED) for v in world.case.vanished)
    )
    world.sync()
    assert world.item_values() == [MAIL, E_ONE, E_TWO]


def test_a_decision_about_another_pair_is_void_when_the_pair_is_back() -> None:
    """§7: the question is gone, and nothing was done."""
    world = three()
    asked = Conflict(5, ConflictKind.BETNR_CHANGED, None, None, None, "815", world.now)
    world.case = replace(world.case, decisions=(Decision(asked, Keep.ADVOWARE, "operator", world.now),))
    assert [one.conflict for one in world.run().plan.void] == [asked]
    assert world.history == []


def test_a_rejected_extra_stays_rejected_while_an_emptied_side_is_asked_about() -> None:
    """§12: what exists only on the written side has no link, and its mark was forgotten meanwhile."""
    world = three()
    world.rules = replace(RULES, direction=Direction.TO_ESPOCRM, extras=Extras.REMOVE)
    world.phone("+495115555550")
    world.run()
    world.fuse(Side.ADVOWARE, Fuse.DELETIONS)
    world.sync()
    world.fuse(Side.ADVOWARE, Fuse.INTACT, Hold.REJECTED)
    world.wait(200).sync()
    assert "+495115555550" in world.item_values()
    rows = dict(world.rows)
    world.rows.clear()
    world.sync()
    assert world.case.conflicts
    world.wait(200)
    world.rows.update(rows)
    world.sync()
    world.wait(200).sync()
    assert world.case.conflicts == ()
    assert "+495115555550" in world.item_values()


def test_the_word_on_one_entry_counts_more_than_the_word_on_the_whole_side() -> None:
    """§5, §9: of an entry that was asked about before the side was emptied; it came back all the same."""
    world = three(replace(RULES, conflict_policy=Policy.MANUAL))
    drop_item(world)
    world.edit_row(101, tlf="0511/1234569")
    world.sync()
    (entry,) = world.case.conflicts
    empty_espocrm(world)
    world.sync()
    side = next(one for one in world.case.conflicts if one.emptied)
    world.decide(Keep.ESPOCRM, entry)
    world.decide(Keep.ADVOWARE, side)
    world.sync()
    assert set(world.item_values()) == {E_TWO, MAIL}
    assert "0511/1234569" not in world.tlfs()


def test_an_edit_of_a_restored_espocrm_waits_for_the_fuse_though_its_deletion_was_rejected() -> None:
    """§7: as one that was rejected it would wait for nobody, and be in no list."""
    world = three()
    key = next(link.key for link in world.case.base.links if link.value == E_ONE)
    world.edit_item(E_ONE, value="+495111234569")
    rejected = Vanished(key, Side.ESPOCRM, E_ONE, Hold.REJECTED)
    world.case = replace(world.case, vanished=(rejected,), fuse=((Side.ESPOCRM, Fuse.EVERYTHING),))
    assert [entry.problem for entry in world.run().plan.entries if entry.problem] == ["fuse"]
    assert world.history == []


def test_a_look_that_found_nobody_shows_no_rows() -> None:
    """§9: of somebody who is tracked again after Advoware lacked him; one short list would double a number."""
    world = three()
    world.phone("+495111234569")
    world.case = replace(world.case, seen_advoware=Seen((), 0.0))
    made = make(world.situation(settled=frozenset({looks.EMAILS, looks.PHONES})))
    assert (made.rows, [entry.problem for entry in made.entries if entry.problem]) == ((), ["settling"])
