"""First sync, lost database, changed pairs (sync rules §7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statemachine.case import Case, ConflictKind, Keep, Limits, Variant
from statemachine.model import Side
from statemachine.rules import Policy
from tests.statemachine.world import RULES, World, agreed


def two_sides() -> World:
    world = World()
    world.row("0511/1234560", 1, "Zentrale")
    world.row("nur@advoware.de", 4)
    world.phone("+495111234560")
    world.email("nur@espocrm.de", opt_out=True)
    return world


def test_a_first_sync_deletes_and_overwrites_nothing() -> None:
    """§7, #1, #4."""
    world = two_sides()
    world.sync()
    assert {w.variant for w in world.history} == {Variant.VAR1, Variant.VAR4, Variant.MARKER}
    assert world.values(Side.ADVOWARE) == world.values(Side.ESPOCRM)
    assert len(world.values(Side.ADVOWARE)) == 3
    assert [i.opt_out for i in world.emails] == [True, False]


def test_a_first_sync_looks_twice_before_it_creates() -> None:
    """§8: at the side where the value seems missing."""
    world = two_sides()
    assert world.run().writes == 0
    assert world.case.base.first
    world.wait(1)
    assert world.run().writes == 0, "too early"
    world.sync()
    assert not world.case.base.first
    world.quiet()


@pytest.mark.parametrize("policy", list(Policy))
def test_a_lost_database_writes_nothing_where_both_agree(policy: Policy) -> None:
    """§7: 0 writes, no duplicates."""
    world = two_sides()
    world.sync()
    world.rules = replace(RULES, conflict_policy=policy)
    world.case = Case()
    world.history.clear()
    world.wait(10_000)
    world.sync()
    assert world.history == []
    assert len(world.agreed()) == 3


def test_a_first_sync_adds_even_what_was_deleted_before() -> None:
    """§7: a value deleted under the predecessor but not yet synced comes back."""
    world = World()
    world.row("0511/1234560", 1, "[ESPOCRM:MDUxMS8xMjM0NTYw:1]")
    world.sync()
    assert world.item_values() == ["+495111234560"]


def test_a_first_sync_survives_a_crash_at_every_write() -> None:
    """§8: nothing doubled, nothing lost."""
    for number in range(5):
        for fault in ("before", "after", "recorded", "unknown", "nothing"):
            world = two_sides()
            world.faults = {number: fault}
            world.sync()
            assert len(world.rows) == 3, (number, fault)
            assert len(world.item_values()) == 3
            assert world.values(Side.ADVOWARE) == world.values(Side.ESPOCRM)
            world.quiet()


def other_pair() -> World:
    """The record's betnr now names another Beteiligte."""
    world = agreed("0511/1234560", "alt@example.de", "beide@example.de")
    world.phone("+495119999990")  # of the new Beteiligte as well
    old = world.case.base
    world.rows.clear()
    world.bet_nr = 815
    world.row("0511 9999990", 1)
    world.row("beide@example.de", 4)
    world.row("neu@example.de", 4)
    world.case = Case(previous=old, limits=Limits(bemerkung_whole=100))
    return world


def test_a_changed_pair_asks_and_writes_nothing() -> None:
    """§7: never decided by the policy."""
    world = other_pair()
    assert [run.writes for run in world.sync()] == [0, 0]
    (conflict,) = world.case.conflicts
    assert (conflict.kind, conflict.advoware) == (ConflictKind.BETNR_CHANGED, "815")
    assert world.case.base.first, "its first sync is still to come"
    world.quiet()


def test_keep_advoware_replaces_what_came_from_the_old_pair() -> None:
    """§7."""
    world = other_pair()
    world.sync()
    world.decide(Keep.ADVOWARE)
    world.case = replace(world.case, seen_espocrm=None)  # no array may be written yet
    assert world.run().ended == "look_again"
    assert world.case.decisions, "not over before the items are gone"
    assert world.case.conflicts
    world.sync()
    assert set(world.item_values()) == {"+495119999990", "beide@example.de", "neu@example.de"}
    assert len(world.rows) == 3
    assert world.case.decisions == ()
    world.quiet()


@pytest.mark.parametrize("keep", [Keep.ESPOCRM, Keep.BOTH])
def test_keep_espocrm_or_both_is_a_first_sync(keep: Keep) -> None:
    """§7."""
    world = other_pair()
    world.sync()
    world.decide(keep)
    world.sync()
    assert len(world.item_values()) == 5
    assert world.values(Side.ADVOWARE) == world.values(Side.ESPOCRM)
    world.quiet()


def test_changed_back_the_kept_base_is_valid_again() -> None:
    """§7: then a value that is gone was deleted."""
    world = agreed("0511/1234560", "alt@example.de")
    base = world.case.base
    world.case = Case(base=base)
    world.remove_item("alt@example.de")
    world.sync()
    assert world.tlfs() == ["0511/1234560", ""]


def test_what_the_very_first_list_left_out_is_asked_for_again() -> None:
    """§7, §9: all that it showed agreed, but a number was in two rows; the user's edit must change both."""
    world = World()
    first, _ = world.row("0511/1234560", 1), world.row("0511/1234560", 2)
    world.phone("+495111234560")
    world.torn_rows = [[world.rows[first]]]
    assert world.run().ended == "look_again"
    world.sync()
    world.edit_item("+495111234560", value="+495111234561")
    world.sync()
    assert world.item_values() == ["+495111234561"]
    assert world.tlfs() == ["+495111234561", "+495111234561"]
    world.quiet()
