"""What may be written just now (sync rules §8): a row that twice did not become empty is left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from statemachine.rules import Direction, Extras
from tests.statemachine.world import World, agreed

ONE, TWO, THREE = "0511/1234560", "0511/1234561", "0511/1234562"
E_ONE = "+495111234560"


def retype(world: World) -> None:
    world.edit_item(E_ONE, type="Fax")


def mirror(world: World) -> None:
    world.rules = replace(world.rules, direction=Direction.TO_ADVOWARE, extras=Extras.REMOVE)
    world.row(THREE)


def lost_creation_that_comes_late(world: World) -> None:
    """A POST without an answer shows itself when nobody wants its value any more (§8)."""
    world.phone("+495111234562")
    world.faults = {world.count: "nothing"}
    world.run()
    (post,) = world.history
    world.remove_item("+495111234562")
    assert post.after is not None
    world.row(THREE, bemerkung=post.after.bemerkung)
    world.edit_row(103, tlf=post.after.value)


@pytest.mark.parametrize(
    ("happens", "taken"),
    [(retype, 1), (mirror, 0), (lost_creation_that_comes_late, 0)],
    ids=["type", "mirror", "late effect"],
)
def test_a_row_that_does_not_become_empty(happens: Callable[[World], None], taken: int) -> None:
    """§8: repeated once, then parked, also where emptying it is no deletion. ``taken``: so many writes work before."""
    world = agreed(ONE, TWO)
    happens(world)
    world.faults = dict.fromkeys(range(world.count + taken, world.count + 400), "lost")
    runs = world.sync()
    assert sum(run.writes for run in runs) == taken + 2
    assert [mark.reason for mark in world.case.parked] == ["not_taken"]
    world.quiet()
