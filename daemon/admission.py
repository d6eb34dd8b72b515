"""Whether a side may be used just now: its gate is usable and no human has paused it.

Asked by the loops and the worker before they begin something; made by :mod:`daemon.app`, one per side. The pause is a
note in the store, so that it survives restarts and another process can set it.
"""

from __future__ import annotations

from typing import Protocol

import anyio

from daemon.metrics import Metrics
from statemachine.model import Side

#: Another process may end a pause; nobody tells us.
_LOOK_AT_PAUSE_SECONDS = 1.0


def pause_note(side: Side) -> str:
    """The name of the note; its value is when and why, for people."""
    return f"paused:{side}"


class Gate(Protocol):
    """What is asked of :mod:`daemon.gate`."""

    @property
    def usable(self) -> bool: ...

    async def wait_until_usable(self) -> None: ...


class Notes(Protocol):
    async def get_note(self, name: str) -> str | None: ...


class Admission:
    """One side's entrance."""

    def __init__(self, side: Side, gate: Gate, notes: Notes, metrics: Metrics) -> None:
        self.side = side
        self._gate = gate
        self._notes = notes
        self._metrics = metrics

    async def is_paused(self) -> bool:
        paused = await self._notes.get_note(pause_note(self.side)) is not None
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
