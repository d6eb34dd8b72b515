"""The table of states: every pair, the diagram (states)."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from statemachine.errors import ContractBroken
from statemachine.machine import advance, diagram
from statemachine.states import TABLE, State, Trigger

REST = (State.CLEAN, State.DIRTY, State.FAILED, State.PERMANENTLY_FAILED, State.CONFLICT)
#: Trigger → (from, to), as the rules have it; written down again so that the table cannot judge itself.
EXPECTED: dict[tuple[State | None, Trigger], State | None] = {
    (None, Trigger.DISCOVERED): State.DIRTY,
    **{(state, Trigger.CHANGE_SEEN): State.DIRTY for state in REST},
    (State.SYNCING, Trigger.CHANGE_SEEN): State.SYNCING,
    (State.DIRTY, Trigger.PICKED): State.SYNCING,
    (State.FAILED, Trigger.PICKED): State.SYNCING,
    (State.SYNCING, Trigger.SYNCED): State.CLEAN,
    (State.SYNCING, Trigger.LOOK_AGAIN): State.DIRTY,
    (State.SYNCING, Trigger.CONFLICT_FOUND): State.CONFLICT,
    **{
        (state, Trigger.DECIDED): State.DIRTY
        for state in (State.CONFLICT, State.DIRTY, State.FAILED, State.PERMANENTLY_FAILED)
    },
    (State.SYNCING, Trigger.DECIDED): State.SYNCING,
    (State.SYNCING, Trigger.ATTEMPT_FAILED): State.FAILED,
    (State.SYNCING, Trigger.GAVE_UP): State.PERMANENTLY_FAILED,
    (State.SYNCING, Trigger.POSTPONED): State.DIRTY,
    (State.SYNCING, Trigger.INTERRUPTED): State.DIRTY,
    (State.PERMANENTLY_FAILED, Trigger.AUTO_RESET): State.FAILED,
    **{(state, Trigger.ASKED): State.DIRTY for state in REST},
    (State.SYNCING, Trigger.ASKED): State.SYNCING,
    **{(state, Trigger.UNTRACKED): None for state in State},
}


@pytest.mark.parametrize(("state", "trigger"), list(product([None, *State], Trigger)))
def test_every_pair_is_in_the_table_or_raises(state: State | None, trigger: Trigger) -> None:
    if (state, trigger) in EXPECTED:
        assert advance(state, trigger) is EXPECTED[state, trigger]
    else:
        with pytest.raises(ContractBroken, match=trigger.value):
            advance(state, trigger)


def test_every_row_says_why_and_is_there_once() -> None:
    assert all(row.why for row in TABLE)
    pairs = [(row.source, row.trigger) for row in TABLE]
    assert len(pairs) == len(set(pairs)) == len(EXPECTED)


def test_every_state_has_a_way_out() -> None:
    """Also one that does not end the tracking."""
    for state in State:
        assert any(
            row.source is state and row.target not in (state, None) and row.trigger is not Trigger.UNTRACKED
            for row in TABLE
        )


def test_the_diagram_shows_every_transition() -> None:
    drawn = {
        (ends.split(" --> ")[0].strip(), ends.split(" --> ")[1].strip()): set(names.split(", "))
        for ends, names in (line.split(" : ") for line in diagram().splitlines()[1:])
    }
    for row in TABLE:
        ends = (row.source.value if row.source else "[*]", row.target.value if row.target else "[*]")
        assert row.trigger.value in drawn[ends]
    assert sum(len(names) for names in drawn.values()) == len(TABLE)
    assert diagram().startswith("stateDiagram-v2\n")


def test_the_readme_shows_this_diagram() -> None:
    readme = Path(__file__).parents[2] / "README.md"
    if not readme.exists():
        pytest.skip("there is no README yet")
    text = readme.read_text(encoding="utf-8")
    assert "stateDiagram-v2" not in text or diagram() in text
