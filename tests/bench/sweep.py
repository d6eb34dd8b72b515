"""How much slower than a bare loop is a sweep? ``python tests/bench/sweep.py [PEOPLE]`` prints the ratio of both.

Both make the same GETs over real HTTP, 16 at a time, against the Advoware simulator with 20 ms latency in a process
of its own, in turn and in one run on one machine; the floor is aiohttp alone, decoding nothing and remembering nothing.
"""

from __future__ import annotations

import multiprocessing
import random
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import anyio

from daemon.clock import SystemClock
from daemon.config import load
from daemon.fresh import FreshLooks
from daemon.metrics import Metrics
from daemon.outside import open_outside
from daemon.simulators import face, faults
from daemon.simulators.advoware import AdvowareWorld
from daemon.sweep import Sweep
from statemachine.case import Seen
from statemachine.looks import look_advoware
from statemachine.model import Side
from statemachine.standing import Event
from statemachine.states import Trigger

CONCURRENCY, LATENCY, ROUNDS, FIRST_BET_NR = 16, 0.02, 5, 10_001


def serve(people: int, pipe: Connection) -> None:
    """The simulator's process: says its address and key, and ends when told to."""

    async def main() -> None:
        world = AdvowareWorld(time.time, random.Random(1))
        for _ in range(people):
            bet_nr = world.add_person("Muster")
            for komm_kz, tlf in ((1, "030 23125001"), (3, "0171 3920001"), (4, "a@example.de")):
                world.add_row(bet_nr, komm_kz, tlf)
        rules = faults.Rules()
        rules.add(faults.slow(LATENCY), method="GET", times=None)
        async with face.serve(world, time.time, rules) as url:
            pipe.send((url, world.access, world.bet_nrs(), world.headers()))
            await anyio.to_thread.run_sync(pipe.recv)

    anyio.run(main)


async def bare(url: str, headers: dict[str, str], bet_nrs: list[int]) -> float:
    """The floor: the same GETs and nothing else."""
    turns = iter(bet_nrs)
    began = time.perf_counter()
    async with aiohttp.ClientSession(headers=headers) as session, anyio.create_task_group() as group:

        async def loop() -> None:
            for bet_nr in turns:
                async with session.get(f"{url}/api/v1/advonet/Beteiligte/{bet_nr}") as response:
                    await response.read()

        for _ in range(CONCURRENCY):
            group.start_soon(loop)
    return time.perf_counter() - began


async def measure(url: str, access: object, bet_nrs: list[int], headers: dict[str, str]) -> list[float]:
    """The ratio of each round."""
    settings = load(None, _environment(url.rstrip("/"), access, Path(tempfile.mkdtemp())))
    clock, metrics = SystemClock(), Metrics("bench")
    ratios = []
    async with open_outside(settings, metrics, exclusive=True, clock=clock) as outside:
        for bet_nr in bet_nrs:
            await outside.store.discover(f"{bet_nr:017x}", bet_nr, None)
            await outside.store.lease("bench", 1)
            seen: Seen = look_advoware(await outside.advoware.get(bet_nr), None)
            await outside.store.looked(f"{bet_nr:017x}", Side.ADVOWARE, seen)
            await outside.store.move(f"{bet_nr:017x}", Event(Trigger.SYNCED))
        sweep = Sweep(
            outside.advoware,
            outside.store,
            FreshLooks(clock, 5.0),
            clock,
            metrics,
            interval=900.0,
            concurrency=CONCURRENCY,
            wake=lambda: None,
        )
        for _ in range(ROUNDS):
            floor = await bare(url.rstrip("/"), headers, bet_nrs)
            began = time.perf_counter()
            await sweep.sweep_everybody()
            ours = time.perf_counter() - began
            ideal = len(bet_nrs) * LATENCY / CONCURRENCY
            print(f"bare {floor:.2f} s, sweep {ours:.2f} s, ideal {ideal:.2f} s, ratio {ours / floor:.3f}")
            ratios.append(ours / floor)
    return ratios


def _environment(url: str, access: object, path: Path) -> dict[str, str]:
    names = ("kanzlei", "database", "user", "password", "app_id", "api_key")
    return {
        "KOMMSYNC_ESPOCRM__URL": url,
        "KOMMSYNC_ESPOCRM__API_KEY": "none",
        "KOMMSYNC_ADVOWARE__BASE_URL": f"{url}/",
        "KOMMSYNC_ADVOWARE__SECURITY_GATEWAY_URL": f"{url}/",
        "KOMMSYNC_ADVOWARE__MAX_CONNECTIONS": str(CONCURRENCY),
        "KOMMSYNC_ADVOWARE__MAX_REQUESTS_PER_SECOND": "0",
        "KOMMSYNC_STORE__PATH": str(path / "store.sqlite3"),
        **{f"KOMMSYNC_ADVOWARE__{name.upper()}": str(getattr(access, name)) for name in names},
    }


def main(people: int) -> None:
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(people, there))
    server.start()
    try:
        ratios = anyio.run(measure, *here.recv())
    finally:
        here.send("end")
        server.join(10)
    print(
        f"{people} people, {CONCURRENCY} at a time: median ratio {statistics.median(ratios):.3f} (bound 1.15)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
