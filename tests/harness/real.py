"""The same for real: the installed daemon as a process, real HTTP, a real SQLite file, SIGKILL at random moments.

Both simulators run in this process; people edit all the while, the daemon is killed and started again. When the last
kill is over and all is quiet, the oracle of the virtual histories judges. ``python -m tests.harness --real 300``.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
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


class Observed:
    """A world behind HTTP whose every request goes through the town's book-keeping."""

    def __init__(self, town: Town, time_: RealTime, side: str) -> None:
        self._town = town
        self._time = time_
        self._side = side

    def answer(self, request: sim.Request) -> sim.Answer:
        self._time.tick()
        town, person = self._town, person_of(self._town, self._side, request)
        basis = town.basis(self._side, person, "")
        answer = town.deliver(self._side, request, person, basis)
        if request.method == "GET" and person is not None and answer.status == 200:
            town.was_read(self._side, person, "", town.timeline.now, answer, None)
        return answer


@dataclass(frozen=True, slots=True)
class Outcome:
    kills: int
    edits: int
    writes: int
    trampled: int
    violations: list[str]
    seconds: float


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
        town = Town(plan, Path(name), timeline=real)
        async with AsyncExitStack() as stack:
            espo = await stack.enter_async_context(serve(Observed(town, real, ESPOCRM), real.wall))
            advoware = await stack.enter_async_context(serve(Observed(town, real, ADVOWARE), real.wall))
            config = _config(Path(name), town, espo, advoware)
            edits = await _killing(town, real, config, kills, chance)
            await _until_quiet(town, real, config)
        real.tick()
        return Outcome(kills, edits, town.written(), town.trampled, town.violations, time.monotonic() - began)


async def _killing(town: Town, real: RealTime, config: Path, kills: int, chance: random.Random) -> int:
    edits = 0
    for _ in range(kills):
        process = await _start(config)
        ends = time.monotonic() + chance.choice((0.5, 0.9, 1.3, 2.0, 3.0)) * (0.6 + 0.8 * chance.random())
        while time.monotonic() < ends:
            await asyncio.sleep(chance.random() * 0.25)
            if chance.random() < 0.3:
                real.tick()
                town.office.edit()
                edits += 1
        process.send_signal(signal.SIGKILL)
        await process.wait()
    return edits


async def _until_quiet(town: Town, real: RealTime, config: Path) -> None:
    """The last life is left alone until nothing has been written for a while; then the oracle speaks."""
    process = await _start(config)
    try:
        ends, written, since = time.monotonic() + _PATIENCE, -1, time.monotonic()
        while time.monotonic() < ends:
            await asyncio.sleep(0.5)
            real.tick()
            if town.written() != written or oracle.unsettled(town):
                written, since = town.written(), time.monotonic()
            if time.monotonic() - since > 12.0:
                oracle.judge(town)
                return
        town.violations.append(f"never came to rest: {oracle.unsettled(town)}")
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def _start(config: Path) -> asyncio.subprocess.Process:
    program = os.environ.get("KOMMSYNC_PROGRAM")
    command = [program] if program else [sys.executable, "-m", "daemon"]
    return await asyncio.create_subprocess_exec(
        *command,
        "run",
        "--config",
        str(config),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


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
