"""Whether a side may be used just now: its gate is usable and no human has paused it.

Asked by the loops and the worker before they begin something; made by :mod:`daemon.app`, one per side. The pause is a
note in the store, so that it survives restarts and another process can set it; it may end by itself.
"""

from __future__ import annotations

import math
from typing import Protocol

import anyio

from daemon.metrics import Metrics
from daemon.ports import Clock
from statemachine.model import Side

#: Another process may end a pause; nobody tells us.
_LOOK_AT_PAUSE_SECONDS = 1.0


_UNTIL = " until "


def pause_note(side: Side) -> str:
    """The name of the note; its value is :func:`pause_text`."""
    return f"paused:{side}"


def pause_text(since: str, by: str, until: float) -> str:
    """When and by whom, for people, and the Unix second of its end; ``math.inf``: until somebody resumes."""
    return f"{since} by {by}" + ("" if math.isinf(until) else f"{_UNTIL}{until!r}")


def paused_until(text: str | None, now: float) -> float | None:
    """Unix seconds, ``math.inf`` without an end; None: not paused, or not any more."""
    if text is None:
        return None
    try:
        until = float(text.rpartition(_UNTIL)[2]) if _UNTIL in text else math.inf
    except ValueError:
        until = math.inf
    return until if until > now else None


class Gate(Protocol):
    """What is asked of :mod:`daemon.gate`."""

    @property
    def usable(self) -> bool: ...

    async def wait_until_usable(self) -> None: ...


class Notes(Protocol):
    async def get_note(self, name: str) -> str | None: ...


class Admission:
    """One side's entrance."""

    def __init__(self, side: Side, gate: Gate, notes: Notes, clock: Clock, metrics: Metrics) -> None:
        self.side = side
        self._gate = gate
        self._notes = notes
        self._clock = clock
        self._metrics = metrics

    async def is_paused(self) -> bool:
        text = await self._notes.get_note(pause_note(self.side))
        paused = paused_until(text, self._clock.now()) is not None
        self._metrics.side_paused[self.side].set(paused)
        return paused

    async def is_open(self) -> bool:
        return self._gate.usable and not await self.is_paused()

    async def wait(self) -> None:
        """Until the side may be used."""
        while not await self.is_open():
            await self._gate.wait_until_usable()
            if await self.is_paused():
                await anyio.sleep(_LOOK_AT_PAUSE_SECONDS)
