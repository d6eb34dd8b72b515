"""A day in a second: one timeline for the worlds, and an event loop that jumps along it when it has nothing to do.

The daemon's code runs unchanged on :class:`VirtualLoop`; people, outages and late effects are events of the
:class:`Timeline`, which outlives every loop, as the world outlives a killed process.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
from asyncio import base_events
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

#: 2026-10-21 06:00 UTC, some days before the end of summer time.
BEGINNING = 1_792_562_400.0

#: Nothing that the daemon does at one instant takes nearly so many rounds of the loop.
_TOO_MANY_ROUNDS = 50_000


class Killed(BaseException):
    """The process is gone, as by SIGKILL: nothing of it runs any more."""


class Timeline:
    """Virtual seconds since the beginning, and what happens at which of them."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, moment: float, event: Callable[[], None]) -> None:
        """``event`` happens at ``moment``, or as soon as possible after it."""
        self._count += 1
        heapq.heappush(self._events, (max(moment, self.now), self._count, event))

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        self.at(self.now + seconds, event)

    def next_event(self) -> float | None:
        return self._events[0][0] if self._events else None

    def step_to(self, moment: float) -> None:
        """As far as ``moment``, or the first event before it, which then happens."""
        if self._events and self._events[0][0] <= moment:
            at, _, event = heapq.heappop(self._events)
            self.now = max(self.now, at)
            event()
        else:
            self.now = max(self.now, moment)

    def run_to(self, moment: float) -> None:
        """Time passes while no daemon runs."""
        while self.now < moment or (self._events and self._events[0][0] <= moment):
            self.step_to(moment)

    def wall(self) -> float:
        """The true time as Unix seconds."""
        return BEGINNING + self.now


class DaemonClock:
    """``ports.Clock`` of the daemon's machine; its wall clock may be wrong."""

    def __init__(self, timeline: Timeline, wall: Callable[[], float]) -> None:
        self._timeline = timeline
        self._wall = wall

    def now(self) -> float:
        return self._wall()

    def monotonic(self) -> float:
        return self._timeline.now


class _Selector:
    """Waits for nothing: time jumps to the next timer or event. While other threads work it waits for them."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.called = threading.Event()
        self.busy: Callable[[], bool] = lambda: False

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is not None and timeout <= 0:
            return []
        if self.busy():
            self.called.wait(10.0)
            self.called.clear()
            return []
        if timeout is None:
            moment = self._timeline.next_event()
            if moment is None:
                raise RuntimeError("everything waits for something that will never happen")
            self._timeline.step_to(moment)
        else:
            self._timeline.step_to(self._timeline.now + timeout)
        return []

    def get_map(self) -> dict[str, Any]:
        return {}


class VirtualLoop(base_events.BaseEventLoop):
    """One process's life. :meth:`die` ends it between two callbacks; whoever waits then waits for ever."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__()
        self._timeline = timeline
        self._selector = _Selector(timeline)
        self._clock_resolution = 1e-6
        self.dead = False
        self._rounds, self._round_at = 0, -1.0

    def time(self) -> float:
        return self._timeline.now

    def die(self) -> None:
        self.dead = True

    def wait_for_threads(self, busy: Callable[[], bool]) -> None:
        """``busy``: whether another thread still owes this loop a result."""
        self._selector.busy = busy

    def live(self, main: Coroutine[Any, Any, T]) -> T:
        """Run ``main``; raises Killed when the process dies first. The loop cannot be used again."""
        asyncio.set_event_loop(self)
        try:
            return self.run_until_complete(main)
        finally:
            self._bury()
            asyncio.set_event_loop(None)

    def _bury(self) -> None:
        """Whatever was still waiting is unwound without any effect: its surroundings are dead already."""
        self.dead = True
        self.set_exception_handler(lambda loop, context: None)
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine = task.get_coro()
            for _ in range(100):
                try:
                    coroutine.close()  # type: ignore[union-attr]
                except RuntimeError:
                    continue
                except BaseException:  # noqa: BLE001 - a corpse may say what it likes
                    pass
                break
        self._ready.clear()
        self._scheduled.clear()
        with suppress(Exception):
            self.close()

    def _run_once(self) -> None:
        if self.dead:
            raise Killed
        self._rounds = self._rounds + 1 if self._timeline.now == self._round_at else 0
        self._round_at = self._timeline.now
        if self._rounds > _TOO_MANY_ROUNDS:
            raise RuntimeError("the daemon spins: it works and works, and time stands still")
        super()._run_once()

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no file descriptors."""

    def _write_to_self(self) -> None:
        self._selector.called.set()
