"""The gate in front of one side: how many requests, how fast, and none at all while the side is not usable.

:mod:`daemon.transport` passes every request through it and reports what went wrong; the app runs :meth:`Gate.tend` in
its task group; worker and poller read ``usable`` and ``trouble``. It knows no HTTP and no record. A pause that a human
asked for is not its business. Error classes as in states ("sorted by what happens next").
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import anyio
import structlog
from aiolimiter import AsyncLimiter

from daemon.breaker import Condition, Signal, advance
from daemon.ports import Clock, Random
from statemachine.errors import CredentialsRefused, KommsyncError, SideDown, SideTrouble, Throttled
from statemachine.model import Side
from statemachine.retry import pause

#: A side that is down: first pause and longest one between two probes, seconds.
DOWN_FIRST, _PAUSE_CAP = 15.0, 300.0
#: EspoCRM locks an address out after ten wrong logins, Advoware perhaps the account: at most once a minute.
_REFUSED_FIRST = 60.0
#: A server that says "0 seconds" again and again gets its rest all the same.
_THROTTLED_FIRST = 1.0
#: No server may silence us for longer with one Retry-After.
_THROTTLE_CAP = 3600.0
#: So many records in a row with a 500 make the side suspect (states, "side down").
_SUSPECTS = 3
#: Clocks differ in the last digit; a shorter wait is none.
_EPSILON = 0.001

#: True inside a probe: nobody in there waits for another one.
_PROBING: ContextVar[bool] = ContextVar("probing", default=False)

_log = structlog.get_logger(__name__)

Probe = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a side is not usable. ``reason``: side_down, throttled or credentials_refused. ``since``: Unix seconds."""

    reason: str
    detail: str
    since: float


class Gate:
    """``max_concurrent``: requests at the same time; ``per_second``: ceiling, evenly spaced, 0 = none.
    ``first_probe``: seconds from an outage's begin to its first probe. ``on_trouble`` is told every new trouble, and
    None when it is over."""

    def __init__(
        self,
        side: Side,
        clock: Clock,
        random: Random,
        *,
        max_concurrent: int,
        per_second: float = 0.0,
        first_probe: float = DOWN_FIRST,
        on_trouble: Callable[[Trouble | None], None] = lambda _: None,
    ) -> None:
        self.side = side
        self.trouble: Trouble | None = None
        self._clock = clock
        self._random = random
        self._first_probe = first_probe
        self._on_trouble = on_trouble
        self._slots = anyio.Semaphore(max_concurrent)
        self._limiter = AsyncLimiter(1, 1 / per_second) if per_second > 0 else None
        self._condition = Condition.CLOSED
        self._failures = 0
        self._not_before = 0.0
        self._unusable = anyio.Event()
        self._usable = anyio.Event()
        self._usable.set()
        self._probe: Probe | None = None
        self._asking = anyio.Lock()
        self._answered_at = float("-inf")
        self._suspects: set[str] = set()
        self._last: SideTrouble | None = None

    @property
    def usable(self) -> bool:
        return self._condition is Condition.CLOSED

    async def wait_until_usable(self) -> None:
        """Returns once the side is usable; somebody must run :meth:`tend`."""
        while not self.usable:
            await self._usable.wait()

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """Held around one request. Raises the side's trouble at once while it is not usable, except to a probe."""
        self._check()
        async with self._slots:
            if self._limiter is not None:
                await self._limiter.acquire()
            self._check()
            yield

    def report(self, error: SideTrouble) -> None:
        """A request found the side unusable. Late news of requests that were under way change little."""
        before, signal = self._condition, _signal(error)
        self._condition = advance(before, signal)
        self._last = error
        if self._condition is before and signal is not Signal.THROTTLED:
            return
        if before in (Condition.CLOSED, Condition.HALF_OPEN):
            self._failures += 1
        self._not_before = max(
            self._not_before if before is not Condition.HALF_OPEN else 0.0,
            self._clock.monotonic() + self._pause(error),
        )
        self._note(error)

    def well(self) -> None:
        """A record was answered: nobody is suspect any more."""
        self._suspects.clear()

    async def suspect(self, record: str) -> bool:
        """This record got a 500 or rubbish. True if the side itself turns out to be down."""
        self._suspects.add(record)
        return len(self._suspects) >= _SUSPECTS and not await self.answers(unless_asked=True)

    async def answers(self, *, unless_asked: bool) -> bool:
        """Ask the side with one probe, now and by one caller at a time; False reports it down.
        ``unless_asked`` is the answer where nobody tends this gate and so nothing can be asked."""
        if _PROBING.get():  # the probe itself must not wait for a probe
            return False
        came = self._clock.monotonic()
        async with self._asking:
            if not self.usable or self._probe is None:
                return self.usable and unless_asked
            if self._answered_at > came:
                return True
            return await self._ask(self._probe) is None

    async def tend(self, probe: Probe) -> None:
        """Runs for ever: while the side is not usable, probe it with growing, jittered pauses."""
        self._probe = probe
        try:
            while True:
                await self._unusable.wait()
                await self._until_due()
                self._condition = advance(self._condition, Signal.PROBE)
                if await self._ask(probe) is None:
                    self._recover()
        finally:
            self._probe = None

    def _check(self) -> None:
        """A probe passes while it is its turn, and no longer: where the side asked for its rest meanwhile, or refused
        who we are, the rest of a probe waits like everybody else."""
        is_its_turn = _PROBING.get() and self._condition is Condition.HALF_OPEN
        if not self.usable and self._last is not None and not is_its_turn:
            raise self._standing_trouble(self._last)

    def _standing_trouble(self, last: SideTrouble) -> SideTrouble:
        """Only the class, not the adapter's kind of it: no password was sent, no connection was tried."""
        if isinstance(last, Throttled):
            rest = max(0.0, self._not_before - self._clock.monotonic())
            return Throttled(rest, last.detail, side=self.side)
        kind = CredentialsRefused if isinstance(last, CredentialsRefused) else SideDown
        return kind(last.detail, side=self.side)

    async def _until_due(self) -> None:
        # a timer, not a flag: late news may have moved the moment meanwhile
        while (wait := self._not_before - self._clock.monotonic()) > _EPSILON:  # noqa: ASYNC110
            await anyio.sleep(wait)

    async def _ask(self, probe: Probe) -> SideTrouble | None:
        """What the probe found; reported already."""
        mark = _PROBING.set(True)
        try:
            await probe()
        except SideTrouble as error:
            found: SideTrouble = error
        except KommsyncError as error:
            found = SideDown(f"the probe failed: {error}", side=self.side)
        except Exception as error:  # noqa: BLE001 - our bug must not end the tending; logged with its trace
            _log.exception("probe_crashed", side=self.side.value)
            found = SideDown(f"the probe failed: {type(error).__name__}", side=self.side)
        else:
            self._answered_at = self._clock.monotonic()
            self._suspects.clear()
            return None
        finally:
            _PROBING.reset(mark)
        self.report(found)
        return found

    def _pause(self, error: SideTrouble) -> float:
        jitter = self._random.random() * 2 - 1
        attempt = max(1, self._failures)
        if isinstance(error, Throttled):
            return max(
                min(error.retry_after, _THROTTLE_CAP), pause(attempt, _THROTTLED_FIRST, _PAUSE_CAP, jitter)
            )
        if isinstance(error, CredentialsRefused):
            return max(_REFUSED_FIRST, pause(attempt, _REFUSED_FIRST, _PAUSE_CAP, jitter))
        return pause(attempt, self._first_probe, _PAUSE_CAP, jitter)

    def _note(self, error: SideTrouble) -> None:
        before = self.trouble
        self.trouble = Trouble(error.reason, error.detail, before.since if before else self._clock.now())
        if before is None:
            self._usable = anyio.Event()
            self._unusable.set()
        if before is None or before.reason != error.reason:
            self._on_trouble(self.trouble)
        if before is None or (before.reason != error.reason and isinstance(error, CredentialsRefused)):
            _log.warning("side_not_usable", side=self.side.value, reason=error.reason, detail=error.detail)

    def _recover(self) -> None:
        self._condition = advance(self._condition, Signal.WELL)
        lasted = self._clock.now() - self.trouble.since if self.trouble else 0.0
        self.trouble = self._last = None
        self._failures = 0
        self._not_before = 0.0
        self._unusable = anyio.Event()
        self._usable.set()
        self._on_trouble(None)
        _log.info("side_usable_again", side=self.side.value, seconds=round(lasted, 1))


def _signal(error: SideTrouble) -> Signal:
    match error:
        case Throttled():
            return Signal.THROTTLED
        case CredentialsRefused():
            return Signal.REFUSED
        case _:
            return Signal.DOWN
