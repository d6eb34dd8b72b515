"""Pure predicates that stop us (sync rules §9, §10)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statemachine import guard
from statemachine.case import Outcome, Variant, Write
from statemachine.model import Kind, Side
from tests.statemachine.world import RULES, agreed

WRITE = Write(
    1,
    "c",
    100.0,
    Side.ADVOWARE,
    "put",
    Variant.VAR5,
    Kind.PHONE,
    "L1",
    1,
    None,
    None,
    Outcome.DONE,
    gives="x",
)


@pytest.mark.parametrize(
    ("count", "links", "blown"),
    [
        (50, 10_000, False),
        (51, 10_000, True),
        (10, 20, False),
        (11, 20, True),
        (11, 550, False),
        (12, 550, True),
        (0, 0, False),
    ],
)
def test_the_fuse(count: int, links: int, blown: bool) -> None:
    """§9: more than max_deletions, or more than the share and more than 10."""
    assert guard.exceeds(count, links, 50, 0.02) is blown


@pytest.mark.parametrize(
    ("links", "left", "emptied"), [(2, 0, True), (1, 0, False), (2, 1, False), (9, 0, True)]
)
def test_a_whole_side(links: int, left: int, emptied: bool) -> None:
    assert guard.emptied(links, left) is emptied


def test_the_loop_breaker_counts_what_gave_the_value_within_the_window() -> None:
    """§10: more than [loop_limit] times."""
    five = [WRITE] * 5
    assert guard.loops(five, "x", 100.0, 5)
    assert not guard.loops(five, "x", 100.1, 5)
    assert not guard.loops(five[1:], "x", 0.0, 5)
    assert not guard.loops(five, "y", 0.0, 5)
    for other in (Variant.MARKER, Variant.FLAG, Variant.VAR2, Variant.STATUS, Variant.WISH):
        assert not guard.loops([replace(WRITE, variant=other)] * 9, "x", 0.0, 5)
    for outcome in (Outcome.REFUSED, Outcome.NOT_SENT):
        assert not guard.loops([replace(WRITE, outcome=outcome)] * 9, "x", 0.0, 5)


def test_repeated() -> None:
    assert guard.repeated([WRITE] * 2, lambda w: w.gives == "x", 100.0, 2)
    assert not guard.repeated([WRITE] * 2, lambda w: w.gives == "y", 0.0, 2)
    assert not guard.repeated([WRITE] * 2, lambda w: True, 100.5, 2)


@pytest.mark.parametrize("side", list(Side))
def test_an_entry_that_is_given_the_same_value_again_and_again_is_quarantined(side: Side) -> None:
    """§10: whoever writes in between; until a human gives it another value, or the auto reset."""
    world = agreed("0511/1234560", "max@example.de", rules=replace(RULES, stale_form=0))
    wanted, other = "+495111234567", "+495111234560"
    for n in range(2 * RULES.loop_limit):  # two programs that never agree
        if side is Side.ADVOWARE:
            world.edit_item(next(i.value for i in world.phones), value=wanted)
            world.sync()
            world.edit_row(101, tlf="0511/1234560", bemerkung=f"Programm {n}")
        else:
            world.edit_row(101, tlf="0511/1234567", bemerkung=f"Programm {n}")
            world.sync()
            world.edit_item(next(i.value for i in world.phones), value=other)
        world.wait(60)
        world.sync()
    assert "quarantined" in {p.reason for p in world.case.parked}
    for value in (wanted, other):
        gave = [w for w in world.history if w.gives.endswith(value) and w.variant is not Variant.MARKER]
        assert max(sum(w.side is one for w in gave) for one in Side) <= RULES.loop_limit
    count = len(world.history)
    assert count >= 2 * RULES.loop_limit
    world.quiet()
    world.wait(RULES.auto_reset + RULES.loop_window)
    world.sync()
    assert world.case.parked == ()
    assert world.values(Side.ESPOCRM) == world.values(Side.ADVOWARE)


def test_another_value_ends_a_quarantine() -> None:
    """§10."""
    world = agreed("0511/1234560", "max@example.de")
    world.rules = replace(RULES, loop_limit=0)
    world.edit_item("+495111234560", value="+495111234561")
    assert world.sync()[-1].ended == "synced"
    assert [p.reason for p in world.case.parked] == ["quarantined"]
    assert [n.topic for n in world.run().plan.notices] == ["quarantined"]
    world.rules = RULES
    world.edit_item("+495111234561", value="+495111234562")
    world.sync()
    assert "+495111234562" in world.tlfs()
    assert world.case.parked == ()
