"""The composition root: all parts of the daemon, put together from what :mod:`daemon.outside` opened.

Made by :mod:`daemon.process` (the real daemon), by the commands, the demo and the harness; run in one task group. It
knows every part and decides nothing. All waiting goes through anyio and all time through the injected clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import anyio
import structlog
from anyio.abc import TaskStatus

from daemon import facts, maintenance, notices
from daemon.admission import Admission
from daemon.facts import Facts
from daemon.fresh import FreshLooks
from daemon.loop import ALLOWANCE_SECONDS, Bell, Loop, Progress
from daemon.maintenance import Maintenance
from daemon.notices import Notices
from daemon.outside import Outside
from daemon.poller import Poller
from daemon.ports import GuardLimits
from daemon.rehearsal import Rehearsal
from daemon.scan import FullScan
from daemon.settings import Settings
from daemon.sightings import Sightings
from daemon.sweep import Sweep
from daemon.sync import Syncer
from daemon.worker import Worker
from statemachine.model import Side

_LAG_SECONDS = 1.0
#: A full scan begins where the first poll has begun, so that nothing falls between them.
_WAIT_FOR_POLL = 0.5
_STORE_ANSWERS_WITHIN = 5.0

log = structlog.get_logger(__name__)


class App:
    """The parts, for as long as the settings hold."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside
        self.progress = Progress(outside.clock, outside.metrics)
        self.admissions = {
            side: Admission(side, outside.gates[side], outside.store, outside.clock, outside.metrics)
            for side in Side
        }
        self._due, self._scan_wanted = Bell(), Bell()
        self._stop = anyio.Event()
        self._owner = _owner(outside)
        self._fresh = FreshLooks(outside.clock, outside.settings.sync.max_read_age_seconds)
        self.facts = Facts(outside.settings, outside.espocrm, outside.store)
        self.sightings = self._make_sightings()
        self.poller = self._make_poller()
        self.scan = self._make_scan()
        self.sweep = self._make_sweep()
        self.syncer = self._make_syncer()
        self.rehearsal = Rehearsal(self.syncer, outside.metrics) if outside.dry_run else None
        self.worker = self._make_worker()
        self.maintenance = Maintenance(outside.store, outside.clock, outside.metrics, wake=self._due.ring)

    def stop(self) -> None:
        """:meth:`run` ends within seconds: running syncs finish what they are at, or are postponed."""
        self._stop.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until stopped or cancelled. Started when the loops run, whether or not a side can be reached."""
        await self.recover()
        async with anyio.create_task_group() as background:
            self.tend_gates(background.start_soon)
            for loop in self._loops():
                background.start_soon(loop.run)
            background.start_soon(self._measure_lag)
            async with anyio.create_task_group() as work:
                work.start_soon(self.worker.run)
                task_status.started()
                await self._stop.wait()
                self.worker.stop()
            background.cancel_scope.cancel()

    async def recover(self) -> None:
        """Leases of a dead process are given back; its journal stands in for what it did not read (§8)."""
        recovered = await self.outside.store.recover(self._owner)
        self.outside.metrics.sync_runs["interrupted"].inc(recovered)
        if recovered:
            log.info("recovered", interrupted=recovered)
        if self.rehearsal is not None:  # what would be written is not kept over a restart
            await self.outside.store.ask_all("dry_run")

    def tend_gates(self, start_soon: Callable[..., object]) -> None:
        for side, gate in self.outside.gates.items():
            start_soon(gate.tend, self.outside.probe(side))

    def stuck(self) -> tuple[str, ...]:
        """Loops that have made no progress for longer than they may."""
        return self.progress.stuck()

    async def unready(self) -> dict[str, str]:
        """What is not fine, by part."""
        reasons = await self._store_trouble()
        for side, gate in self.outside.gates.items():
            if gate.trouble is not None:
                reasons[side] = gate.trouble.reason
            elif not reasons.get("store") and await self.admissions[side].is_paused():
                reasons[side] = "paused"
        if not self.poller.polled:
            reasons["first_poll"] = "not done yet"
        if not await self.facts.is_open():
            reasons["facts"] = "EspoCRM has not told its fields and limits yet"
        if stuck := self.stuck():
            reasons["loops"] = f"no progress: {', '.join(stuck)}"
        return reasons

    async def _store_trouble(self) -> dict[str, str]:
        try:
            with anyio.fail_after(_STORE_ANSWERS_WITHIN):
                await self.outside.store.counts()
        except Exception as error:  # noqa: BLE001 - whatever it is, we are not ready
            return {"store": type(error).__name__}
        return {}

    def _loops(self) -> Iterator[Loop]:
        settings = self.outside.settings
        espocrm, advoware = self.admissions[Side.ESPOCRM], self.admissions[Side.ADVOWARE]
        loop = partial(Loop, clock=self.outside.clock, progress=self.progress)
        yield loop("facts", self.facts.refresh, facts.REFRESH_SECONDS, entrance=espocrm)
        yield loop("poll", self.poller.poll_espocrm, settings.espocrm.poll_interval_seconds, entrance=espocrm)
        scan_every = settings.espocrm.full_scan_interval_seconds
        yield loop("full_scan", self._scan, scan_every, entrance=espocrm, bell=self._scan_wanted)
        yield loop(
            "sweep", self.sweep.sweep_advoware, settings.advoware.sweep_interval_seconds, entrance=advoware
        )
        yield loop("tidy", self.maintenance.tidy, maintenance.TIDY_SECONDS)
        yield loop("gauges", self.maintenance.show, maintenance.GAUGES_SECONDS)
        user = settings.espocrm.notice_user_id
        if settings.espocrm.notices == "task" and user and not self.outside.dry_run:
            tasks = Notices(self.outside.espocrm, self.outside.store, user)
            yield loop("notices", tasks.reconcile, notices.RECONCILE_SECONDS, entrance=espocrm)

    async def _scan(self) -> float | None:
        if not self.poller.polled:
            return _WAIT_FOR_POLL
        await self.scan.scan_espocrm()
        return None

    def _make_sightings(self) -> Sightings:
        out = self.outside
        overlap = out.settings.espocrm.poll_overlap_seconds
        return Sightings(out.espocrm, out.store, out.clock, out.metrics, overlap=overlap, wake=self._due.ring)

    def _make_poller(self) -> Poller:
        out = self.outside
        return Poller(
            out.espocrm,
            out.store,
            self.sightings,
            out.clock,
            out.metrics,
            overlap=out.settings.espocrm.poll_overlap_seconds,
            scan_wanted=self._scan_wanted,
            alive=self._alive("poll"),
        )

    def _make_scan(self) -> FullScan:
        out = self.outside
        return FullScan(
            out.espocrm,
            out.store,
            self.sightings,
            out.clock,
            out.metrics,
            overlap=out.settings.espocrm.poll_overlap_seconds,
            alive=self._alive("full_scan"),
        )

    def _make_sweep(self) -> Sweep:
        out = self.outside
        return Sweep(
            out.advoware,
            out.store,
            self._fresh,
            out.clock,
            out.metrics,
            interval=out.settings.advoware.sweep_interval_seconds,
            concurrency=out.settings.advoware.max_connections,
            wake=self._due.ring,
            alive=self._alive("sweep"),
        )

    def _make_syncer(self) -> Syncer:
        out = self.outside
        guard = partial(_guard, out.settings)
        return Syncer(out.espocrm, out.advoware, out.store, out.clock, self.facts.rules, guard)

    def _make_worker(self) -> Worker:
        out = self.outside
        return Worker(
            out.store,
            self.rehearsal or self.syncer,
            self._fresh,
            out.clock,
            out.random,
            out.metrics,
            self.progress,
            entrances=(self.facts, self.scan, *self.admissions.values()),
            bell=self._due,
            workers=out.settings.sync.workers,
            owner=self._owner,
            synced=self.sweep.edited,
        )

    def _alive(self, loop: str) -> Callable[[], None]:
        return partial(self.progress.expect, loop, ALLOWANCE_SECONDS)

    async def _measure_lag(self) -> None:
        clock, lag = self.outside.clock, self.outside.metrics.loop_lag
        while True:
            before = clock.monotonic()
            await anyio.sleep(_LAG_SECONDS)
            lag.observe(max(clock.monotonic() - before - _LAG_SECONDS, 0.0))


def _owner(outside: Outside) -> str:
    """Another one for every start, the same for the same clock and chance."""
    return f"{int(outside.clock.now()):x}-{int(outside.random.random() * 16**6):06x}"


def _guard(settings: Settings) -> GuardLimits:
    guard = settings.guard
    return GuardLimits(guard.max_deletions, guard.max_deletion_share, guard.window_seconds)
