"""Takes who is due and has them synced; whatever comes of a run becomes one event, one log line and the metrics.

Run by :mod:`daemon.app`. It knows nothing of phones and mails. One dispatcher leases for all workers, because a trip to
the store costs the same for one as for eight. The due index of the store is the timer; the bell only saves waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import anyio
import structlog
from anyio.abc import TaskGroup

from daemon.fresh import FreshLooks
from daemon.loop import Bell, Loop, Progress
from daemon.metrics import Metrics
from daemon.ports import Clock, Person, Random, Store
from daemon.result import SyncResult
from statemachine.errors import ContractBroken, HopelessRecord, KommsyncError, SideTrouble
from statemachine.model import AdvowareRecord
from statemachine.standing import Event
from statemachine.states import State, Trigger

LOOP = "work"
#: Commands of another process ring no bell.
_LOOK_SECONDS = 1.0
#: Whoever is due but cannot be leased (leased by another process, just now) must not make us spin.
_LEAST_WAIT = 0.05
#: After trouble of a side. A gate that it closed holds everybody back, for as long as that takes and no longer: a
#: Retry-After is the gate's to measure, and to cap.
_POSTPONE_SECONDS = 2.0
#: No run takes as long: every call in it has a timeout.
_LONGEST_RUN = 1800.0
#: What a run may still finish when the daemon is told to stop, and what is kept for putting it down.
GRACE_SECONDS = 5.0
_STORE_RETRY_SECONDS = 2.0

log = structlog.get_logger(__name__)


class Entrance(Protocol):
    """What must be open before anybody is leased: both sides, and what is known of them."""

    async def is_open(self) -> bool: ...


class Syncer(Protocol):
    async def run(self, person: Person, run: str, fresh: AdvowareRecord | None = None) -> SyncResult: ...


def event_for(error: Exception, now: float, jitter: float) -> Event:
    """What an error means for the record (states, "sorted by what happens next"). ``jitter`` in [-1, 1]."""
    match error:
        case SideTrouble():
            return Event(Trigger.POSTPONED, error.reason, now + _POSTPONE_SECONDS, side=error.side)
        case HopelessRecord():
            return Event(Trigger.GAVE_UP, error.reason, side=error.side)
        case KommsyncError():
            return Event(Trigger.ATTEMPT_FAILED, error.reason, side=error.side, jitter=jitter)
        case TimeoutError():
            return Event(Trigger.ATTEMPT_FAILED, "took_too_long", jitter=jitter)
        case _:
            return Event(Trigger.ATTEMPT_FAILED, ContractBroken.reason, jitter=jitter)


class Worker:
    """``workers``: [workers]. ``owner``: whose leases these are. ``synced`` is told of every Beteiligte in which a run
    found something to write or to decide."""

    def __init__(
        self,
        store: Store,
        syncer: Syncer,
        fresh: FreshLooks,
        clock: Clock,
        random: Random,
        metrics: Metrics,
        progress: Progress,
        *,
        entrances: Sequence[Entrance],
        bell: Bell,
        workers: int,
        owner: str,
        synced: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.running = 0
        self._store = store
        self._syncer = syncer
        self._fresh = fresh
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._progress = progress
        self._entrances = entrances
        self._bell = bell
        self._workers = workers
        self._owner = owner
        self._synced = synced
        self._runs = 0
        self._stop = anyio.Event()

    def stop(self) -> None:
        """Lease nobody any more; :meth:`run` ends when the running syncs have ended or their time is over."""
        self._stop.set()

    async def run(self) -> None:
        """Until stopped or cancelled; a sync that is cut off is postponed, never left ``syncing``."""
        async with anyio.create_task_group() as syncs:
            async with anyio.create_task_group() as dispatcher:
                dispatcher.start_soon(self._loop(syncs).run)
                await self._stop.wait()
                dispatcher.cancel_scope.cancel()
            self._progress.rest(LOOP)
            with anyio.move_on_after(GRACE_SECONDS):
                while self.running:
                    await self._bell.wait(GRACE_SECONDS)
            syncs.cancel_scope.cancel()

    def _loop(self, syncs: TaskGroup) -> Loop:
        step = partial(self._dispatch, syncs)
        return Loop(LOOP, step, _LOOK_SECONDS, clock=self._clock, progress=self._progress, bell=self._bell)

    async def _dispatch(self, syncs: TaskGroup) -> float:
        """Start who is due; returns the seconds until somebody else may be. Whoever is leased is started, even if we
        are stopped in between."""
        free = self._workers - self.running
        if free <= 0 or not await self._may_begin():
            return _LOOK_SECONDS
        due = await self._store.next_due()
        if due is not None and due <= self._clock.now():  # asked first: a lease is a writing transaction
            with anyio.CancelScope(shield=True):
                people = await self._store.lease(self._owner, free)
                for person in people:
                    self.running += 1
                    syncs.start_soon(self._sync, person)
            due = await self._store.next_due()
        if due is None:
            return _LOOK_SECONDS
        return min(max(due - self._clock.now(), _LEAST_WAIT), _LOOK_SECONDS)

    async def _may_begin(self) -> bool:
        """Every sync reads both sides."""
        return all([await entrance.is_open() for entrance in self._entrances])

    async def _sync(self, person: Person) -> None:
        started = self._clock.monotonic()
        run = self._new_run()
        with structlog.contextvars.bound_contextvars(run=run, bet_nr=person.bet_nr):
            try:
                with anyio.fail_after(_LONGEST_RUN):
                    fresh = self._fresh.take(person.espocrm_id, person.bet_nr)
                    result = await self._syncer.run(person, run, fresh)
                await self._note(person, result, started)
            except anyio.get_cancelled_exc_class():
                await self._cut_off(person, run, started)
                raise
            except Exception as error:  # noqa: BLE001 - one record's error must not stop the others
                await self._failed(person, run, error, started)
            finally:
                self.running -= 1
                self._bell.ring()

    def _new_run(self) -> str:
        self._runs += 1
        return f"{self._owner}-{self._runs}"

    async def _note(self, person: Person, result: SyncResult, started: float) -> None:
        self._count(result)
        self._finished(result.result, started)
        after = result.person
        log.info(
            "synced",
            result=result.result,
            state=after.standing.state if after else "untracked",
            reason=after.standing.reason if after else "",
            writes=len(result.writes),
            seconds=round(self._clock.monotonic() - started, 3),
        )
        if result.writes or result.conflicts_found or result.lag:
            self._synced(person.espocrm_id)
        if after is None or after.bet_nr != person.bet_nr:
            await self._ask_twin(person.bet_nr)

    def _count(self, result: SyncResult) -> None:
        metrics = self._metrics
        for side, variant in result.writes:
            metrics.entry_writes[side, variant].inc()
        for side, number in result.suppressed:
            metrics.writes_suppressed[side].inc(number)
        for side in result.unknown_outcomes:
            metrics.unknown_outcomes[side].inc()
        for kind in result.conflicts_found:
            metrics.conflicts[kind].inc()
        for decider in result.decided:
            metrics.conflicts_decided[decider].inc()
        metrics.loop_quarantines.inc(result.quarantined)
        if result.lag is not None:
            side, changed_at = result.lag
            metrics.sync_lag[side].observe(max(self._clock.now() - changed_at, 0.0))

    async def _ask_twin(self, bet_nr: int) -> None:
        """Somebody gave this betnr up. If he shared it, the one who is left was refused because of him (§7)."""
        left = await self._store.by_bet_nr(bet_nr)
        if len(left) == 1 and left[0].standing.state is State.PERMANENTLY_FAILED:
            await self._store.move(left[0].espocrm_id, Event(Trigger.ASKED, reason="betnr_single_again"))

    async def _failed(self, person: Person, run: str, error: Exception, started: float) -> None:
        event = event_for(error, self._clock.now(), self._random.random() * 2 - 1)
        after = await self._put_down(person, event, run)
        state = after.standing.state if after else None
        ours = event.reason == ContractBroken.reason
        said = {
            "result": _result_of(event, state),
            "reason": event.reason,
            "side": event.side,
            "detail": getattr(error, "detail", ""),
            "next_attempt_at": after.standing.due_at if after else None,
            "seconds": round(self._clock.monotonic() - started, 3),
        }
        if ours:
            log.error("sync_failed", exc_info=error, **said)
        elif event.trigger is Trigger.POSTPONED:
            log.info("sync_postponed", **said)
        else:
            log.warning("sync_failed", **said)
        self._finished(_result_of(event, state), started)

    async def _cut_off(self, person: Person, run: str, started: float) -> None:
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(_STORE_RETRY_SECONDS):
                await self._put_down(person, Event(Trigger.POSTPONED, "stopping", self._clock.now()), run)
            self._finished("postponed", started)
            log.info("sync_postponed", result="postponed", reason="stopping")

    def _finished(self, result: str, started: float) -> None:
        self._metrics.sync_runs[result].inc()
        self._metrics.sync_duration.observe(self._clock.monotonic() - started)

    async def _put_down(self, person: Person, event: Event, run: str) -> Person | None:
        """Nothing may stay ``syncing``: a store in trouble is asked again until it takes the event."""
        while True:
            try:
                return await self._store.move(person.espocrm_id, event, run=run)
            except ContractBroken:  # the run had ended before the error came
                return await self._store.person(person.espocrm_id)
            except Exception as error:  # noqa: BLE001 - disk full, locked: it is noted when that is over
                log.error("store_failed", reason=type(error).__name__, remedy="look at disk space and rights")
                await anyio.sleep(_STORE_RETRY_SECONDS)


def _result_of(event: Event, state: State | None) -> str:
    if event.trigger is Trigger.POSTPONED:
        return "postponed"
    gave_up = event.trigger is Trigger.GAVE_UP or state is State.PERMANENTLY_FAILED
    return "permanently_failed" if gave_up else "failed"
