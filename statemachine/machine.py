"""Executes the table of :mod:`statemachine.states` and draws it; the only module that knows ``transitions``.

Called by :mod:`statemachine.standing`. The library's synchronous ``Machine`` is used as a table engine: no models are
kept, no callbacks run, one short-lived object per call.
"""

from __future__ import annotations

from transitions import Machine, MachineError

from statemachine.errors import ContractBroken
from statemachine.states import TABLE, State, Trigger

_NOWHERE = "nowhere"


class _Row:
    """What ``transitions`` needs to move: an object with a ``state``."""

    __slots__ = ("state",)

    def __init__(self, state: str) -> None:
        self.state = state


def _build() -> Machine:
    machine = Machine(
        model=None,
        states=[_NOWHERE, *(state.value for state in State)],
        initial=_NOWHERE,
        auto_transitions=False,
    )
    for source, trigger, target, _why in TABLE:
        # .value, not the enum: transitions would look it up by its name
        machine.add_transition(
            trigger.value, source.value if source else _NOWHERE, target.value if target else _NOWHERE
        )
    return machine


_MACHINE = _build()


def advance(state: State | None, trigger: Trigger) -> State | None:
    """The state after ``trigger``; ``None`` is the place before ``discovered`` and after ``untracked``.

    Raises ContractBroken for a pair that is not in the table, naming state and trigger.
    """
    row = _Row(state.value if state else _NOWHERE)
    try:
        _MACHINE.events[trigger.value].trigger(row)
    except MachineError:
        raise ContractBroken(f"no transition from {row.state} on {trigger.value}") from None
    return None if row.state == _NOWHERE else State(row.state)


def diagram() -> str:
    """The table as a Mermaid state diagram; triggers between the same two states share one arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for source, trigger, target, _why in TABLE:
        ends = (source.value if source else "[*]", target.value if target else "[*]")
        arrows.setdefault(ends, []).append(trigger.value)
    lines = [f"    {a} --> {b} : {', '.join(names)}" for (a, b), names in arrows.items()]
    return "\n".join(["stateDiagram-v2", *lines])
