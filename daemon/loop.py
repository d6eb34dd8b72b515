"""A step repeated for ever: how every background loop of the daemon waits, survives errors and shows that it lives.

:mod:`daemon.app` makes one ``Loop`` per step (poll, full scan, sweep, maintenance); :mod:`daemon.worker` reports to the
same ``Progress``; :mod:`daemon.web` and the watchdog read it. It knows nothing of what a step does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio
import structlog

from daemon.metrics import LOOPS, Metrics
from daemon.ports import Clock
from statemachine.errors import KommsyncError, SideTrouble

#: A step that takes longer than this without a sign of life is stuck: calls have timeouts far below.
ALLOWANCE_SECONDS = 300.0
#: After trouble of a side the entrance does the waiting; after any other error the next try is not far.
_AFTER_TROUBLE, _AFTER_ERROR = 5.0, 60.0
#: An error that comes at once must not make us spin.
_LEAST_PAUSE = 0.05

log = structlog.get_logger(__name__)


class Progress:
    """Who has promised a sign of life until when. A loop that waits for a broken side promises nothing: that is a
    normal state and may take all night."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._until: dict[str, float | None] = {}

    def expect(self, name: str, within: float) -> None:
        """A sign of life, and the promise of the next one within so many seconds."""
        self._until[name] = self._clock.monotonic() + within
        self._show(name)

    def rest(self, name: str) -> None:
        """A sign of life, and nothing is promised until the next one."""
        self._until[name] = None
        self._show(name)

    def stuck(self) -> tuple[str, ...]:
        """The loops that have broken their promise, by name."""
        now = self._clock.monotonic()
        return tuple(name for name, until in self._until.items() if until is not None and until < now)

    def _show(self, name: str) -> None:
        if name in LOOPS:
            self._metrics.loop_progress[name].set(self._clock.now())


class Bell:
    """An event that can be rung again and again; one waiter."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Until it rings, has rung since the last wait, or the seconds are over."""
        with anyio.move_on_after(max(seconds, 0.0)):
            await self._event.wait()
        self._event = anyio.Event()


class Entrance(Protocol):
    """What a step needs to be possible (:mod:`daemon.admission`)."""

    async def wait(self) -> None: ...


#: One round of a loop; returns the seconds from its beginning to the next one, or None for the loop's interval.
Step = Callable[[], Awaitable[float | None]]


class Loop:
    """Runs ``step`` every ``interval`` seconds, at once when ``bell`` rings, never while ``entrance`` is closed.

    An error never ends the loop. The same error in a row is logged once when it begins and once when it ends; trouble
    of a side is the gate's to log.
    """

    def __init__(
        self,
        name: str,
        step: Step,
        interval: float,
        *,
        clock: Clock,
        progress: Progress,
        entrance: Entrance | None = None,
        bell: Bell | None = None,
    ) -> None:
        self.name = name
        self._step = step
        self._interval = interval
        self._clock = clock
        self._progress = progress
        self._entrance = entrance
        self._bell = bell or Bell()
        self._trouble: str | None = None
        self._started = clock.monotonic()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._started = self._clock.monotonic()
            pause = await self._take_step()
            pause -= self._clock.monotonic() - self._started
            self._progress.expect(self.name, max(pause, 0.0) + ALLOWANCE_SECONDS)
            await self._bell.wait(pause)

    async def _enter(self) -> None:
        if self._entrance is not None:
            self._progress.rest(self.name)
            await self._entrance.wait()
        self._progress.expect(self.name, ALLOWANCE_SECONDS)
        self._started = self._clock.monotonic()  # what was waited for here is no part of the interval

    async def _take_step(self) -> float:
        """Seconds from its beginning to the next one."""
        longest = _AFTER_ERROR
        try:
            await self._enter()
            pause = await self._step()
        except SideTrouble as error:
            log.debug("step_postponed", loop=self.name, reason=error.reason)
            longest = _AFTER_TROUBLE
        except KommsyncError as error:
            self._remember(error.reason, detail=error.detail)
        except Exception as error:  # noqa: BLE001 - our own bug must not end the loop
            self._remember(type(error).__name__, exc_info=True)
        else:
            self._recovered()
            return self._interval if pause is None else pause
        return min(max(self._interval, _LEAST_PAUSE), longest)

    def _remember(self, trouble: str, **said: object) -> None:
        if trouble != self._trouble:
            log.error("loop_step_failed", loop=self.name, reason=trouble, **said)
        self._trouble = trouble

    def _recovered(self) -> None:
        if self._trouble is not None:
            log.info("loop_step_works_again", loop=self.name, after=self._trouble)
        self._trouble = None
