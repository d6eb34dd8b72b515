"""How a run ends: when it looks again, and which writes of the journal are over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.ending import Ending, ending
from statemachine import looks
from statemachine.case import Keep, Outcome, Shown, Variant, Write
from statemachine.model import Kind, Side
from statemachine.plan import make
from statemachine.rules import Policy
from tests.statemachine.world import RULES, World, agreed

ONE, TWO = "0511/1234560", "0511/1234561"
E_TWO = "+495111234561"
MANUAL = replace(RULES, conflict_policy=Policy.MANUAL)


def end_of(world: World, write: Write) -> tuple[Ending, float]:
    world.case = replace(world.case, writes=(write,))
    situation = world.situation()
    made = make(situation)
    assert made.not_taken == (write.id,)
    return ending(made, situation, (), False, situation.now), situation.now


def without_effect(world: World) -> Write:
    """EspoCRM answered 200, and never showed the new item."""
    shown = Shown(E_TWO, type="Office", primary=False, opt_out=False, invalid=False)
    gives = f"{Side.ESPOCRM}:{Kind.PHONE}:{E_TWO}"
    at = world.now - 1000
    return Write(
        *(7, "c", at, Side.ESPOCRM, "put", Variant.VAR4, Kind.PHONE, "L9", 900, None, shown, Outcome.DONE),
        gives=gives,
    )


@pytest.mark.parametrize("held", [True, False])
def test_a_write_without_effect_is_over_when_nobody_has_the_value_any_more(held: bool) -> None:
    """It would never be tried again, and whoever asks what this run has written would find it for ever."""
    world = agreed(ONE, "max@example.de")
    if held:
        world.row(TWO)
    end, _ = end_of(world, without_effect(world))
    assert (7 in end.settled) is not held


@pytest.mark.parametrize(
    ("outcome", "hidden", "settled", "over"),
    [
        (None, True, False, False),
        (Outcome.UNKNOWN, True, False, False),
        (Outcome.UNKNOWN, True, True, True),
        (Outcome.UNKNOWN, False, False, True),
        (Outcome.DONE, True, False, True),
    ],
)
def test_a_write_without_an_answer_stays_open_while_its_row_may_only_be_hidden(
    outcome: Outcome | None, hidden: bool, settled: bool, over: bool
) -> None:
    """§8: killed after a row was emptied; then a list that was cut. Had that closed the write, what staff type into the
    emptied row would be an edit of the entry that was there before."""
    world = agreed(ONE, "max@example.de")
    world.remove_item("+495111234560")
    shown = Shown(ONE, "", False, 1)
    blank = Shown("", "[ESPOCRM-SLOT:1]", False, 1)
    put = Write(
        *(
            7,
            "c",
            world.now - 5,
            Side.ADVOWARE,
            "put",
            Variant.VAR2,
            Kind.PHONE,
            "L1",
            101,
            shown,
            blank,
            outcome,
        ),
        gives=f"{Side.ADVOWARE}:{Kind.PHONE}:",
    )
    if hidden:
        del world.rows[101]
    world.case = replace(world.case, writes=(put,))
    situation = replace(world.situation(), settled=frozenset({looks.ROWS} if settled else ()))
    end = ending(make(situation), situation, (), False, situation.now)
    assert (7 in end.settled) is over


def test_what_an_earlier_run_has_carried_out_is_done_whatever_this_one_comes_to() -> None:
    """Its writes are settled now; later nothing would tell any more that the value was overwritten by a decision, and
    the history would call it void."""
    world = agreed(ONE, "max@example.de", rules=MANUAL)
    world.edit_row(101, tlf="0511/7777770")
    world.edit_item("+495111234560", value="+495118888880")
    world.sync()
    world.decide(Keep.ESPOCRM)
    world.faults[world.count] = "after"
    assert world.run().ended == "crashed"
    world.email("neu@example.de")
    situation = world.situation()
    made = make(situation)
    assert not made.idle
    assert [what for _, what in ending(made, situation, (), True, situation.now).decided] == ["done"]


def test_nobody_is_looked_at_again_at_once_for_ever() -> None:
    """A wish that must wait for a run of its own waits for a moment."""
    world = agreed(ONE, "max@example.de")
    world.edit_item("+495111234560", type="Mobile")
    world.row(TWO)
    end, now = end_of(world, without_effect(world))
    assert end.event.due_at is not None
    assert end.event.due_at >= now + 0.5
