"""``kommsync once``: look at everybody, sync until nothing is due or pending, and say how it ended.

Called by :mod:`daemon.cli` and by tests, with an :class:`daemon.app.App` that does not run: no loops, no signals.
"""

from __future__ import annotations

from dataclasses import dataclass

import anyio
import structlog

from daemon.app import App
from statemachine.case import Fuse
from statemachine.errors import KommsyncError, SideTrouble, Throttled
from statemachine.states import State

FINE, NOT_DONE, HUMAN_NEEDED = 0, 1, 3
_LOOK_SECONDS = 0.2
_NEEDS_HUMAN = (State.CONFLICT, State.PERMANENTLY_FAILED)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """``code``: 0 all clean, 3 a human is needed, 1 not done. ``reason``: a short machine word."""

    code: int
    reason: str
    states: dict[State, int]


async def run_once(app: App, seconds: float) -> Ended:
    """``seconds``: the command's timeout. The exit codes are those of interfaces, *Commands*."""
    reason = "timeout"
    with anyio.move_on_after(seconds):
        await app.recover()
        async with anyio.create_task_group() as background:
            app.tend_gates(background.start_soon)
            work_is_over = anyio.Event()
            background.start_soon(_work, app, work_is_over)
            try:
                await _everything(app)
                reason = ""
            except KommsyncError as error:
                reason = error.reason
                log.warning("once_ended_early", reason=error.reason, detail=error.detail)
            app.worker.stop()
            await work_is_over.wait()
            background.cancel_scope.cancel()
    with anyio.CancelScope(shield=True):
        await app.maintenance.show()
    return await _ended(app, reason)


async def _everything(app: App) -> None:
    app.sightings.impatient = True
    await app.facts.refresh()
    await app.poller.poll_espocrm()
    await app.scan.scan_espocrm()
    await _quiet(app)
    await app.sweep.sweep_everybody()
    await _quiet(app)


async def _quiet(app: App) -> None:
    """Nobody is due or pending. Raises SideTrouble when a side is lost meanwhile; a mere pause is waited for."""
    while await _is_busy(app):
        for side, gate in app.outside.gates.items():
            if gate.trouble is not None and gate.trouble.reason != Throttled.reason:
                raise SideTrouble(gate.trouble.detail, reason=gate.trouble.reason, side=side)
            if await app.admissions[side].is_paused():
                raise SideTrouble("an operator has paused it; kommsync resume", reason="paused", side=side)
        await anyio.sleep(_LOOK_SECONDS)


async def _is_busy(app: App) -> bool:
    """A failed record waits for its own time, which is not ours, unless that has come. Who is due is asked first:
    whoever is leased between the two questions is seen by the second one, not overlooked by both."""
    due = await app.outside.store.next_due()
    if app.worker.running:
        return True
    counts = await app.outside.store.counts()
    if counts[State.SYNCING] or app.worker.running:
        return True
    if due is None:
        return False
    return counts[State.DIRTY] > 0 or due <= app.outside.clock.now()


async def _work(app: App, over: anyio.Event) -> None:
    await app.worker.run()
    over.set()


async def _ended(app: App, reason: str) -> Ended:
    states = await app.outside.store.counts()
    fuses = [await app.outside.store.fuse(side) for side in app.outside.gates]
    blown = any(fuse is not Fuse.INTACT for fuse in fuses)
    if reason:
        return Ended(NOT_DONE, reason, states)
    if blown or any(states[state] for state in _NEEDS_HUMAN):
        return Ended(HUMAN_NEEDED, "fuse_blown" if blown else "human_needed", states)
    if states[State.FAILED] or states[State.DIRTY]:
        return Ended(NOT_DONE, "records_failed" if states[State.FAILED] else "paused", states)
    return Ended(FINE, "clean", states)
