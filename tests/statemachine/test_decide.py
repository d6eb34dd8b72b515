"""The decision table of one entry, carried out (sync rules §5, §12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from statemachine import decide
from statemachine.case import Conflict, ConflictKind, Decision, Keep, Variant
from statemachine.decide import Action
from statemachine.diff import Change
from statemachine.model import Side
from statemachine.rules import Direction, Extras, Policy, Rules
from tests.statemachine.world import RULES, World, agreed

BASE, ADV, ESPO = "0511/1234560", "0511/1234561", "+495111234562"
E_BASE, E_ADV = "+495111234560", "+495111234561"
MANUAL = replace(RULES, conflict_policy=Policy.MANUAL)
ADVOWARE = replace(RULES, conflict_policy=Policy.ADVOWARE)


def one(rules: Rules = RULES) -> World:
    """One agreed number and a second one, so that no side is ever emptied."""
    return agreed(BASE, "max@example.de", rules=rules)


def edit(world: World) -> None:
    world.edit_item(E_BASE, value=ESPO)


def delete(world: World) -> None:
    world.remove_item(E_BASE)


def adv_edit(world: World) -> None:
    world.edit_row(101, tlf=ADV)


def adv_delete(world: World) -> None:
    world.remove_row(101)


def same_edit(world: World) -> None:
    world.edit_row(101, tlf="0511 1234562")


def nothing(world: World) -> None:
    pass


#: (rules, Advoware, EspoCRM) → phones in EspoCRM, non-blank phones in Advoware, variants written.
TABLE = [
    ("= =", RULES, nothing, nothing, [E_BASE], [BASE], []),
    ("= ≠ Var5", RULES, nothing, edit, [ESPO], [ESPO], ["var5"]),
    ("= ∅ Var2", RULES, nothing, delete, [], [], ["var2"]),
    ("≠ = Var6", RULES, adv_edit, nothing, [E_ADV], [ADV], ["marker", "var6"]),
    ("∅ = Var3", RULES, adv_delete, nothing, [], [], ["var3"]),
    ("≠ ≠ same", RULES, same_edit, edit, [ESPO], ["0511 1234562"], []),
    ("≠ ≠ espocrm", RULES, adv_edit, edit, [ESPO], [ESPO], ["var5"]),
    ("≠ ≠ advoware", ADVOWARE, adv_edit, edit, [E_ADV], [ADV], ["marker", "var6"]),
    ("≠ ∅ espocrm", RULES, adv_edit, delete, [], [], ["var2"]),
    ("≠ ∅ advoware", ADVOWARE, adv_edit, delete, [E_ADV], [ADV], ["var4"]),
    ("∅ ≠ espocrm", RULES, adv_delete, edit, [ESPO], [ESPO], ["var1"]),
    ("∅ ≠ advoware", ADVOWARE, adv_delete, edit, [], [], ["var3"]),
    ("∅ ∅", RULES, adv_delete, delete, [], [], []),
]


@pytest.mark.parametrize(("name", "rules", "advoware", "espocrm", "items", "rows", "variants"), TABLE)
def test_every_row_of_the_table(
    name: str,
    rules: Rules,
    advoware: Callable[[World], None],
    espocrm: Callable[[World], None],
    items: list[str],
    rows: list[str],
    variants: list[str],
) -> None:
    """§5: the table, with the policies of ``conflict_policy``."""
    world = one(rules)
    advoware(world)
    espocrm(world)
    runs = world.sync()
    assert [item.value for item in world.phones] == items
    assert [row.tlf for row in world.rows.values() if row.tlf and "@" not in row.tlf] == rows
    assert [write.variant.value for write in world.history] == variants
    assert runs[-1].ended == "synced"
    assert world.case.pending == (), "nothing waits for a look any more"
    world.quiet()


def test_new_rows_and_new_items_cross() -> None:
    """§5: Var4 and Var1."""
    world = one()
    world.row("0511/99887766", 2, "Fax im Keller")
    world.email("neu@example.de")
    world.sync()
    assert {"neu@example.de"} <= set(world.tlfs())
    assert [(i.value, i.type) for i in world.phones][1:] == [("+4951199887766", "Fax")]
    assert {w.variant for w in world.history} >= {Variant.VAR1, Variant.VAR4}
    world.quiet()


@pytest.mark.parametrize(
    ("advoware", "espocrm", "kind", "values"),
    [
        (adv_edit, edit, ConflictKind.EDIT_EDIT, (E_BASE, ESPO, ADV)),
        (adv_edit, delete, ConflictKind.EDIT_DELETE, (E_BASE, None, ADV)),
        (adv_delete, edit, ConflictKind.EDIT_DELETE, (E_BASE, ESPO, None)),
    ],
)
@pytest.mark.parametrize("keep", [Keep.ESPOCRM, Keep.ADVOWARE, Keep.BOTH])
def test_a_manual_conflict_waits_and_is_decided(
    advoware: Callable[[World], None],
    espocrm: Callable[[World], None],
    kind: ConflictKind,
    values: tuple[str | None, ...],
    keep: Keep,
) -> None:
    """§5: manual parks the entry – both sides stay –, syncs the rest, and waits; #10: then both sides agree."""
    world = one(MANUAL)
    advoware(world)
    espocrm(world)
    world.email("rest@example.de")
    assert world.sync()[-1].ended == "conflict"
    (conflict,) = world.case.conflicts
    assert (conflict.kind, (conflict.base, conflict.espocrm, conflict.advoware)) == (kind, values)
    assert "rest@example.de" in world.tlfs()
    assert not [w for w in world.history if w.link_key == conflict.link_key]
    world.quiet()
    assert world.case.conflicts == (conflict,)
    world.decide(keep)
    assert world.sync()[-1].ended == "synced"
    assert world.case.decisions == ()
    assert world.case.conflicts == ()
    left = {item.value for item in world.phones}
    edits = {v for v in (ESPO if values[1] else None, E_ADV if values[2] else None) if v}
    if keep is Keep.BOTH:
        assert left == edits
    else:
        kept = values[1] if keep is Keep.ESPOCRM else values[2]
        assert left == ({kept} if kept == ESPO else {E_ADV} if kept else set())
    assert world.values(Side.ESPOCRM) == world.values(Side.ADVOWARE)
    world.quiet()


@pytest.mark.parametrize(
    "change",
    [lambda w: w.edit_row(101, tlf="0511 7777770"), lambda w: w.edit_item(ESPO, value="+495118888880")],
)
@pytest.mark.parametrize("keep", list(Keep))
def test_a_decision_for_other_values_is_void(change: Callable[[World], None], keep: Keep) -> None:
    """§5: if either value differs when the plan is made, the decision is void and the entry is judged afresh."""
    world = one(MANUAL)
    adv_edit(world)
    edit(world)
    world.sync()
    world.decide(keep)
    old = world.case.conflicts[0]
    change(world)
    run = world.sync()[-1]
    assert [d.conflict for d in run.plans[0].void] == [old]
    assert run.ended == "conflict"
    assert not decide.same_conflict(world.case.conflicts[0], old)
    assert world.case.decisions == ()


def test_a_decision_carried_out_without_an_answer_is_done() -> None:
    """§5, §8: killed while EspoCRM takes the edited item out; then both sides are read without it."""
    world = one(MANUAL)
    adv_delete(world)
    edit(world)
    world.sync()
    world.decide(Keep.ADVOWARE)
    world.faults[world.count] = "after"
    runs = world.sync()
    assert runs[0].ended == "crashed"
    assert len(runs[-1].plan.carried_out) == 1
    assert not [decision for run in runs for decision in run.plan.void]
    assert world.item_values() == ["max@example.de"]


def test_a_decision_that_was_carried_out_stays_so_whatever_comes_after() -> None:
    """§5, §8: two runs in a row are killed, and the entry is edited in between."""
    world = one(MANUAL)
    adv_edit(world)
    edit(world)
    world.sync()
    world.decide(Keep.ESPOCRM)
    world.faults[world.count] = "after"
    assert world.run().ended == "crashed"
    world.edit_item(ESPO, value="+495118888880")
    world.faults[world.count] = "after"
    assert world.run().ended == "crashed"
    world.edit_item("+495118888880", value="+495118888881")
    runs = world.sync()
    assert len(runs[-1].plan.carried_out) == 1
    assert not [decision for run in runs for decision in run.plan.void]


def test_a_decision_waits_with_its_entry() -> None:
    """§5: what cannot be carried out yet stays decided, and its conflict open."""
    world = one(MANUAL)
    adv_edit(world)
    edit(world)
    world.sync()
    world.decide(Keep.ADVOWARE)
    world.edit_item(ESPO, opt_out=True)  # the array is not settled now
    run = world.run()
    assert run.ended == "look_again"
    assert world.case.decisions
    assert world.case.conflicts
    world.sync()
    assert world.case.decisions == ()
    assert E_ADV in world.item_values()


def test_the_merge_is_per_entry() -> None:
    """§5: an edit of one number in EspoCRM and of one address in Advoware are both kept."""
    world = one()
    edit(world)
    world.edit_row(102, tlf="moritz@example.de")
    world.sync()
    assert world.tlfs() == [ESPO, "moritz@example.de"]
    assert world.item_values() == ["moritz@example.de", ESPO]


def test_a_value_that_is_there_already_is_not_written_twice() -> None:
    """§5: the entries become one link; the superfluous item goes in the same PUT and its opt-out is kept."""
    world = agreed("0511/1234560", "0511/1234561")
    world.edit_item("+495111234561", opt_out=True)
    world.sync()
    world.edit_row(102, tlf="0511 1234560")
    world.sync()
    (item,) = world.phones
    assert (item.value, item.opt_out, item.primary) == ("+495111234560", True, True)
    assert world.agreed() == [("+495111234560", [101, 102])]
    assert world.case.vanished == ()  # no deletion in the sense of §9
    world.quiet()


def test_every_pair_of_changes_has_an_action() -> None:
    """§5, §12: the tables leave no hole."""
    linked = (Change.SAME, Change.CHANGED, Change.GONE)
    pairs = [
        *product(linked, linked),
        (Change.NEW, Change.NONE),
        (Change.NONE, Change.NEW),
        (Change.NEW, Change.NEW),
    ]
    for direction, (advoware, espocrm) in product(Direction, pairs):
        assert isinstance(decide.decide(advoware, espocrm, False, direction), Action)
    for other in Change:
        assert decide.decide(Change.MISSING, other, False, Direction.BOTH) is Action.PENDING
        assert decide.decide(other, Change.MISSING, False, Direction.BOTH) is Action.PENDING


def test_the_policy_never_decides_an_emptied_side_or_a_changed_pair() -> None:
    """§7, §9."""
    for kind in (ConflictKind.SIDE_EMPTIED, ConflictKind.BETNR_CHANGED):
        assert decide.verdict_of(Conflict(0, kind, None, None, None, None), Policy.ESPOCRM, ()) is None
    waiting = Conflict(0, ConflictKind.EDIT_EDIT, "L1", "a", "b", "c")
    made = Decision(waiting, Keep.BOTH, "operator")
    assert decide.verdict_of(waiting, Policy.MANUAL, (made,)) is made
    assert decide.verdict_of(waiting, Policy.MANUAL, ()) is None


# --- one direction (§12) --------------------------------------------------------------------------------------------

TO_E = replace(RULES, direction=Direction.TO_ESPOCRM)
TO_A = replace(RULES, direction=Direction.TO_ADVOWARE)


@pytest.mark.parametrize("advoware", [nothing, adv_edit, adv_delete])
@pytest.mark.parametrize("espocrm", [nothing, edit, delete])
@pytest.mark.parametrize("rules", [TO_E, TO_A])
def test_the_source_wins_and_is_never_written(
    rules: Rules, advoware: Callable[[World], None], espocrm: Callable[[World], None]
) -> None:
    """§12: an edit or deletion on the written side is set back, no conflicts, no markers on the source."""
    world = one()
    world.rules = rules
    advoware(world)
    espocrm(world)
    rows, items = dict(world.rows), list(world.phones)
    world.sync()
    assert world.case.conflicts == ()
    if rules is TO_E:
        assert world.rows == rows
        wanted = {nothing: [E_BASE], adv_edit: [E_ADV], adv_delete: []}[advoware]
        assert [i.value for i in world.phones] == wanted
    else:
        assert world.phones == items
        wanted = {nothing: [E_BASE], edit: [ESPO], delete: []}[espocrm]
        shown = [row.tlf for row in world.rows.values() if row.tlf and "@" not in row.tlf]
        canonical = [world.situation().canonical(tlf, "phone") for tlf in shown]
        assert canonical == wanted
    world.quiet()


@pytest.mark.parametrize("rules", [TO_E, TO_A])
def test_extras_are_kept_or_mirrored_away(rules: Rules) -> None:
    """§12: ``keep`` leaves what exists only on the written side; ``remove`` mirrors, by §9, after the first sync."""
    world = one()
    world.rules = rules
    if rules is TO_E:
        world.phone("+495115555550")
    else:
        world.row("0511/5555550")
    world.sync()
    assert world.history == []
    world.rules = replace(rules, extras=Extras.REMOVE)
    first = world.run()
    assert (first.writes, first.ended) == (0, "look_again")
    assert world.case.vanished
    world.sync()
    assert [i.value for i in world.phones] == [E_BASE]
    assert [t for t in world.tlfs() if t] == [BASE, "max@example.de"]
    world.quiet()


def test_extras_of_a_first_sync_go_after_it() -> None:
    """§12: a mirror only after the first sync of the person; then not with the next edit, which may never come."""
    world = World(replace(TO_E, extras=Extras.REMOVE))
    world.phone("+495115555550")
    world.row(BASE)
    while world.case.base.first:
        world.run()
    assert {i.value for i in world.phones} == {"+495115555550", E_BASE}
    world.sync()
    assert {i.value for i in world.phones} == {E_BASE}


def test_back_to_both_keeps_the_base() -> None:
    """§12: extras are then new entries."""
    world = one()
    world.rules = TO_E
    world.phone("+495115555550")
    world.sync()
    world.rules = RULES
    world.sync()
    assert "+495115555550" in world.tlfs()
    assert len(world.history) == 1


@pytest.mark.parametrize("policy", [Policy.ESPOCRM, Policy.ADVOWARE])
def test_an_entry_whose_value_is_anothers_by_now_ends(policy: Policy) -> None:
    """§5: the entries become one link; a superfluous row stays and is shared (§4.1)."""
    world = agreed("0511/1234560", "0511/1234561", "max@example.de")
    world.rules = replace(RULES, conflict_policy=policy)
    world.edit_row(102, tlf="0511 1234560")
    world.remove_item("+495111234561")
    world.sync()
    rows = next(ids for value, ids in world.agreed() if value == "+495111234560")
    assert rows == ([101, 102] if policy is Policy.ADVOWARE else [101])
    assert [i.value for i in world.phones] == ["+495111234560"]
    world.quiet()


def test_a_recreated_row_has_the_kind_of_todays_type() -> None:
    """§12, §3: one way to Advoware, the row is gone and the type has changed."""
    world = agreed("0511/1234560", "max@example.de")
    world.rules = TO_A
    world.edit_item("+495111234560", type="Fax")
    world.remove_row(101)
    world.sync()
    assert [row.komm_kz for row in world.rows.values() if "@" not in row.tlf] == [2]


def test_a_plan_says_whether_something_waits() -> None:
    world = one()
    assert not world.run().plan.waits
    delete(world)
    assert world.run().plan.waits


def test_a_new_item_of_a_value_that_a_row_was_just_given() -> None:
    """§5: Advoware's edit and EspoCRM's new item are one entry; the old item goes in the same PUT."""
    world = agreed("bert@example.de", "0511/1234560")
    world.edit_row(101, tlf="anna@example.de")
    world.email("anna@example.de")
    world.run()
    assert "merging" in {e.problem for e in world.run().plans[0].entries} or not world.history
    world.sync()
    assert [i.value for i in world.emails] == ["anna@example.de"]
    assert [row.tlf for row in world.rows.values() if "@" in row.tlf] == ["anna@example.de"]
    world.quiet()


def test_a_row_whose_kind_nobody_ever_saw_gives_none_to_the_next_one() -> None:
    """§3: it came to light by what we gave EspoCRM, and was gone before Advoware showed it; Advoware refuses kind 0."""
    world = one(replace(RULES, conflict_policy=Policy.ESPOCRM))
    links = tuple(
        replace(link, rows=tuple(replace(row, komm_kz=0) for row in link.rows))
        for link in world.case.base.links
    )
    world.case = replace(world.case, base=replace(world.case.base, links=links))
    world.rows = {row.id: row for row in world.rows.values() if "@" not in row.tlf}
    world.edit_item("max@example.de", value="neu@example.de")
    world.sync()
    assert [(row.tlf, row.komm_kz) for row in world.rows.values() if "@" in row.tlf] == [
        ("neu@example.de", 4)
    ]
