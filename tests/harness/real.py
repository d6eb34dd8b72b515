"""The same for real: the installed daemon as a process, real HTTP, a real SQLite file, SIGKILL at random moments.

Both simulators run in this process; people edit all the while, the daemon is killed and started again: some lives end
while it starts, some at any moment, most while a write is under way. When the last kill is over and all is quiet, the
oracle of the virtual histories judges. ``python -m tests.harness --real 300``; ``KOMMSYNC_PROGRAM`` names an installed
kommsync, otherwise it is this checkout's.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from daemon.simulators import wire as sim
from daemon.simulators.face import serve
from tests.harness import oracle
from tests.harness.ledger import ADVOWARE, ESPOCRM
from tests.harness.town import Plan, Town
from tests.harness.virtual import Timeline
from tests.harness.wire import person_of

#: A write without an answer is looked at again after a minute.
_PATIENCE = 240.0
#: A request is under way for up to so long, as on a real network.
_LATENCY = 0.06
#: Nobody waits longer than this for a write that a life should die of.
_LONGEST_LIFE = 6.0
#: What the daemon of the present life says, beside its configuration.
_LOG = "daemon.log"


class RealTime(Timeline):
    """A timeline that nobody can push: its seconds pass by themselves, and stand still while something is judged."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.time()

    def tick(self) -> None:
        """To be called before anything happens; what happens events-wise happens now."""
        self.now = time.time() - self._began
        while self._events and self._events[0][0] <= self.now:
            self.step_to(self.now)

    def wall(self) -> float:
        return self._began + self.now


@dataclass(slots=True)
class Life:
    """What reached the servers in one life of the daemon. ``answered_at``: when the last write's answer left."""

    requests: int = 0
    writes: int = 0
    answered_at: float = 0.0
    written: asyncio.Event = field(default_factory=asyncio.Event)


class Observed:
    """A world behind HTTP whose every request goes through the town's book-keeping, and takes its time."""

    def __init__(self, town: Town, time_: RealTime, side: str) -> None:
        self._town = town
        self._time = time_
        self._side = side
        self._chance = random.Random(f"{town.plan.seed}/latency/{side}")
        self.life = Life()

    def answer(self, request: sim.Request) -> sim.Answer:
        self._time.tick()
        town, person = self._town, person_of(self._town, self._side, request)
        basis = town.basis(self._side, person, "")
        answer = town.deliver(self._side, request, person, basis)
        if person is not None:
            town.trace.note(f"{self._side} {request.method} {person} {request.body.decode()} {answer.body!r}")
        if request.method == "GET" and person is not None and answer.status == 200:
            town.was_read(self._side, person, "", town.timeline.now, answer, None)
        answer = replace(answer, seconds=answer.seconds + _LATENCY * self._chance.random())
        self._count(request.method != "GET" and person is not None, answer.seconds)
        return answer

    def _count(self, is_write: bool, seconds: float) -> None:
        life = self.life
        life.requests += 1
        if is_write:
            life.writes += 1
            life.answered_at = time.monotonic() + seconds
            life.written.set()


@dataclass(slots=True)
class Deaths:
    """In which moments it was killed. A kill may count in several; ``starting``: before its first request, ``syncing``:
    somebody was leased, ``unanswered``: a write had taken effect and its answer was under way, ``open``: the journal
    held a write of this life without its outcome, ``repeated``: the life before had died in a sync, too."""

    kills: int = 0
    starting: int = 0
    syncing: int = 0
    unanswered: int = 0
    open: int = 0
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    deaths: Deaths
    edits: int
    writes: int
    trampled: int
    violations: list[str]
    seconds: float
    lines: list[str] = field(repr=False)


def run(kills: int, seed: int) -> Outcome:
    return asyncio.run(_run(kills, seed))


async def _run(kills: int, seed: int) -> Outcome:
    began = time.monotonic()
    chance = random.Random(seed)
    real = RealTime()
    plan = Plan(
        seed,
        people=6,
        save_seconds=0.05,
        sync={
            "deletion_confirm_seconds": 1.5,
            "settle_seconds": 0.3,
            "max_read_age_seconds": 0.5,
            "retry_schedule_seconds": (1, 2, 4, 8, 16),
            "auto_reset_seconds": 20,
        },
        poll=0.5,
        sweep=2.0,
        scan=10.0,
    )
    with tempfile.TemporaryDirectory(prefix="kommsync-real-") as name:
        town = Town(plan, Path(name), timeline=real, keep_trace=True)
        async with AsyncExitStack() as stack:
            worlds = [Observed(town, real, side) for side in (ESPOCRM, ADVOWARE)]
            urls = [await stack.enter_async_context(serve(world, real.wall)) for world in worlds]
            config = _config(Path(name), town, *urls)
            reaper = _Reaper(town, real, worlds, config, chance)
            for _ in range(kills):
                if not town.violations:
                    await reaper.one_life()
            await _until_quiet(town, real, config)
        real.tick()
        took = time.monotonic() - began
        lines = [*town.trace.lines, *_history(town)] if town.violations else []
        return Outcome(
            reaper.deaths, reaper.edits, town.written(), town.trampled, town.violations, took, lines
        )


class _Reaper:
    """Lets the daemon live for a while, and looks at what it was doing when it was killed."""

    def __init__(
        self, town: Town, real: RealTime, worlds: list[Observed], config: Path, chance: random.Random
    ) -> None:
        self.deaths = Deaths()
        self.edits = 0
        self._town = town
        self._real = real
        self._worlds = worlds
        self._config = config
        self._chance = chance
        self._journalled = 0
        self._died_syncing = False

    async def one_life(self) -> None:
        life = Life()
        for world in self._worlds:
            world.life = life
        process = await _start(self._config)
        self._town.trace.say("fate", "started")
        people = asyncio.create_task(self._people())
        try:
            await self._until_its_end(life)
        finally:
            people.cancel()
            await _end(self._town, self._config, process, signal.SIGKILL)
        self._town.trace.say("fate", "killed")
        self._town.forget_unsaved()
        self._count(life)

    async def _until_its_end(self, life: Life) -> None:
        style, chance = self._chance.random(), self._chance
        if style < 0.2:  # while it starts
            await asyncio.sleep(chance.uniform(0.05, 0.9))
        elif style < 0.4:  # whenever
            await asyncio.sleep(chance.uniform(0.4, 2.0))
        else:
            await self._nth_write(life, chance.choice((1, 1, 1, 2, 3, 4)))
            await asyncio.sleep(chance.choice((0.0, chance.uniform(0, _LATENCY), chance.uniform(0, 0.3))))

    async def _nth_write(self, life: Life, wanted: int) -> None:
        ends = time.monotonic() + _LONGEST_LIFE
        while life.writes < wanted and (left := ends - time.monotonic()) > 0:
            life.written.clear()
            try:
                await asyncio.wait_for(life.written.wait(), left)
            except TimeoutError:
                return

    async def _people(self) -> None:
        while True:
            await asyncio.sleep(self._chance.random() * 0.5)
            self._real.tick()
            self._town.office.edit()
            self.edits += 1

    def _count(self, life: Life) -> None:
        newest, open_, syncing = self._left_behind()
        deaths = self.deaths
        deaths.kills += 1
        deaths.starting += life.requests == 0
        deaths.unanswered += life.answered_at > time.monotonic()
        deaths.syncing += syncing and life.requests > 0
        deaths.repeated += syncing and self._died_syncing
        deaths.open += open_ > 0
        self._journalled, self._died_syncing = newest, syncing

    def _left_behind(self) -> tuple[int, int, bool]:
        """The newest line of the journal, how many new ones have no outcome, whether somebody is leased. Asked of a
        copy: opening the store itself would repair what the next life has to repair."""
        store = self._town.store
        with tempfile.TemporaryDirectory(prefix="kommsync-left-") as name:
            for path in store.parent.glob(f"{store.name}*"):
                if not path.name.endswith("-shm"):
                    shutil.copy(path, Path(name) / path.name)
            with closing(sqlite3.connect(Path(name) / store.name)) as sql:
                try:
                    new = "SELECT count(*) FROM writes WHERE outcome IS NULL AND id > ?"
                    (open_,) = sql.execute(new, (self._journalled,)).fetchone()
                    (newest,) = sql.execute("SELECT coalesce(max(id), 0) FROM writes").fetchone()
                    (leased,) = sql.execute("SELECT count(*) FROM persons WHERE state = 'syncing'").fetchone()
                except sqlite3.OperationalError:  # killed before it had made its tables
                    return self._journalled, 0, False
        return newest, open_, leased > 0


async def _until_quiet(town: Town, real: RealTime, config: Path) -> None:
    """The last life is left alone until nothing has been written for a while; then the oracle speaks."""
    process = await _start(config)
    try:
        ends, written, since = time.monotonic() + _PATIENCE, -1, time.monotonic()
        while time.monotonic() < ends and process.returncode is None:
            await asyncio.sleep(0.5)
            real.tick()
            if town.written() != written or oracle.unsettled(town):
                written, since = town.written(), time.monotonic()
            if time.monotonic() - since > 12.0:
                oracle.judge(town)
                return
        town.violations.append(f"never came to rest: {oracle.unsettled(town)}")
    finally:
        await _end(town, config, process, signal.SIGTERM)


async def _end(town: Town, config: Path, process: asyncio.subprocess.Process, how: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(how)
        await process.wait()
    else:
        told = config.with_name(_LOG).read_text(encoding="utf-8", errors="replace")
        town.violations.append(f"it ended by itself, {process.returncode}: {told[-400:]}")


async def _start(config: Path) -> asyncio.subprocess.Process:
    program = os.environ.get("KOMMSYNC_PROGRAM")
    command = [program] if program else [sys.executable, "-m", "daemon"]
    with config.with_name(_LOG).open("wb") as log:
        return await asyncio.create_subprocess_exec(
            *command,
            "run",
            "--config",
            str(config),
            env={name: value for name, value in os.environ.items() if not name.startswith("KOMMSYNC_")},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _history(town: Town) -> list[str]:
    """What the store remembers."""
    tables = ("transitions", "writes", "decisions", "links")
    return [f"{table} {row}" for table in tables for row in town.query(f"SELECT * FROM {table}")]


def _config(folder: Path, town: Town, espo: str, advoware: str) -> Path:
    settings, access = town.settings, town.advoware.access
    lines = [
        "[espocrm]",
        f'url = "{espo}"',
        f'api_key = "{town.espo.api_user.api_key}"',
        f"poll_interval_seconds = {settings.espocrm.poll_interval_seconds}",
        "poll_overlap_seconds = 2",
        f"full_scan_interval_seconds = {settings.espocrm.full_scan_interval_seconds}",
        "timeout_seconds = 5",
        "[advoware]",
        f'base_url = "{advoware}"',
        f'security_gateway_url = "{advoware}"',
        f"sweep_interval_seconds = {settings.advoware.sweep_interval_seconds}",
        "timeout_seconds = 5",
        "max_requests_per_second = 0",
        *(
            f'{name} = "{getattr(access, name)}"'
            for name in ("kanzlei", "database", "user", "password", "app_id", "api_key")
        ),
        "[sync]",
        *(
            f"{name} = {list(value) if isinstance(value, tuple) else value}"
            for name, value in settings.sync
            if isinstance(value, int | float | tuple)
        ),
        "[guard]",
        "max_deletions = 100000",
        "max_deletion_share = 1.0",
        "[store]",
        f'path = "{town.store}"',
        "[web]",
        "port = 0",
    ]
    path = folder / "kommsync.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
