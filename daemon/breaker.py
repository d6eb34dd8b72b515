"""The breaker of a side: its states and the table of its transitions, and nothing that waits or counts.

Executed for :mod:`daemon.gate`, the only caller. Theory: a ``closed`` breaker lets everything through. A side that is
down (``open``), that asked for a pause (``paused``) or that refuses who we are (``refused``) gets nothing but one
probe after a while (``half_open``), and only a probe that succeeded closes the breaker again. Requests that were under
way when it left ``closed`` may still report; the worse news wins: wrong credentials before down.
"""

from __future__ import annotations

from enum import StrEnum

from transitions import Machine, MachineError

from statemachine.errors import ContractBroken


class Condition(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    PAUSED = "paused"
    REFUSED = "refused"
    HALF_OPEN = "half_open"


class Signal(StrEnum):
    DOWN = "down"
    THROTTLED = "throttled"
    REFUSED = "refused"
    PROBE = "probe"
    WELL = "well"


_C, _S = Condition, Signal

#: (from, signal, to)
TABLE: tuple[tuple[Condition, Signal, Condition], ...] = (
    (_C.CLOSED, _S.DOWN, _C.OPEN),
    (_C.CLOSED, _S.THROTTLED, _C.PAUSED),
    (_C.CLOSED, _S.REFUSED, _C.REFUSED),
    # late news of requests that were under way
    (_C.OPEN, _S.DOWN, _C.OPEN),
    (_C.OPEN, _S.THROTTLED, _C.PAUSED),
    (_C.OPEN, _S.REFUSED, _C.REFUSED),
    (_C.PAUSED, _S.DOWN, _C.OPEN),
    (_C.PAUSED, _S.THROTTLED, _C.PAUSED),
    (_C.PAUSED, _S.REFUSED, _C.REFUSED),
    (_C.REFUSED, _S.DOWN, _C.REFUSED),
    (_C.REFUSED, _S.THROTTLED, _C.REFUSED),
    (_C.REFUSED, _S.REFUSED, _C.REFUSED),
    # the probe
    (_C.OPEN, _S.PROBE, _C.HALF_OPEN),
    (_C.PAUSED, _S.PROBE, _C.HALF_OPEN),
    (_C.REFUSED, _S.PROBE, _C.HALF_OPEN),
    (_C.HALF_OPEN, _S.WELL, _C.CLOSED),
    (_C.HALF_OPEN, _S.DOWN, _C.OPEN),
    (_C.HALF_OPEN, _S.THROTTLED, _C.PAUSED),
    (_C.HALF_OPEN, _S.REFUSED, _C.REFUSED),
    # late news came while the probe was under way, and the probe succeeded all the same
    (_C.OPEN, _S.WELL, _C.CLOSED),
    (_C.PAUSED, _S.WELL, _C.CLOSED),
    (_C.REFUSED, _S.WELL, _C.CLOSED),
)


class _Row:
    """What ``transitions`` needs to move: an object with a ``state``."""

    __slots__ = ("state",)

    def __init__(self, state: str) -> None:
        self.state = state


def _build() -> Machine:
    machine = Machine(
        model=None,
        states=[c.value for c in Condition],
        initial=Condition.CLOSED.value,
        auto_transitions=False,
    )
    for source, signal, target in TABLE:
        machine.add_transition(signal.value, source.value, target.value)
    return machine


_MACHINE = _build()


def advance(condition: Condition, signal: Signal) -> Condition:
    """The condition after ``signal``. Raises ContractBroken for a pair that is not in the table."""
    row = _Row(condition.value)
    try:
        _MACHINE.events[signal.value].trigger(row)
    except MachineError:
        raise ContractBroken(f"the breaker knows no way from {condition} on {signal}") from None
    return Condition(row.state)
