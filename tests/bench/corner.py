"""How long can staff change something that our next write will not know? ``python tests/bench/corner.py [PEOPLE]``.

The width of the corner that neither system lets us close (sync rules §13), as the servers see it: from the moment in
which a read was answered to the moment in which the write that rests on it arrives. Both simulators over real HTTP,
with and without 20 ms of latency, the daemon as a process of its own: a first sync, then one edit for each person.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from daemon.simulators import face, faults
from daemon.simulators import wire as sim
from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.espocrm import EspoWorld
from daemon.simulators.people import settle
from daemon.simulators.staff import Staff

_WHO = re.compile(r"/(?:CBeteiligte|Beteiligte)/(\w+)")


class Watched:
    """A world that notes how old the last read of somebody is when a write of his arrives, in seconds."""

    def __init__(self, world: EspoWorld | AdvowareWorld) -> None:
        self._world = world
        self._read: dict[str, float] = {}
        self.widths: list[float] = []

    def answer(self, request: sim.Request) -> sim.Answer:
        found = _WHO.search(request.path)
        if found and request.method != "GET" and found[1] in self._read:
            self.widths.append(time.monotonic() - self._read[found[1]])
        answer = self._world.answer(request)
        if found and request.method == "GET":
            self._read[found[1]] = time.monotonic()
        return answer


async def measure(people: int, latency: float) -> None:
    chance = random.Random(1)
    espo, advoware = EspoWorld(time.time, chance), AdvowareWorld(time.time, chance)
    pairs = settle(espo, advoware, chance, people)
    staff = Staff(espo, advoware, chance, pairs)
    worlds = {"EspoCRM": Watched(espo), "Advoware": Watched(advoware)}
    rules = faults.Rules()
    if latency:
        rules.add(faults.slow(latency), times=None)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            face.serve(worlds["EspoCRM"], time.time, rules) as espo_url,
            face.serve(worlds["Advoware"], time.time, rules) as advoware_url,
        ):
            environ = _environment(espo_url, espo, advoware_url, advoware, Path(folder))
            await _once(environ)
            for pair in pairs:
                staff.edit(chance.choice(("espocrm", "advoware")), pair)
            await _once(environ)
    for side, world in worlds.items():
        cuts = statistics.quantiles(world.widths, n=100)
        print(
            f"latency {1000 * latency:.0f} ms, {side}: {len(world.widths)} writes,"
            f" half below {1000 * cuts[49]:.1f} ms, 95 % below {1000 * cuts[94]:.1f} ms,"
            f" longest {1000 * max(world.widths):.0f} ms"
        )


async def _once(environ: dict[str, str]) -> None:
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "daemon", "once"),
        env={**os.environ, **environ},
        stdout=nowhere,
        stderr=nowhere,
    )
    code = await process.wait()
    if code not in (0, 2):
        raise SystemExit(f"kommsync once: exit {code}")


def _environment(
    espo_url: str, espo: EspoWorld, advoware_url: str, advoware: AdvowareWorld, folder: Path
) -> dict[str, str]:
    names = ("kanzlei", "database", "user", "password", "app_id", "api_key")
    return {
        "KOMMSYNC_ESPOCRM__URL": espo_url,
        "KOMMSYNC_ESPOCRM__API_KEY": espo.api_user.api_key,
        "KOMMSYNC_ADVOWARE__BASE_URL": advoware_url,
        "KOMMSYNC_ADVOWARE__SECURITY_GATEWAY_URL": advoware_url,
        "KOMMSYNC_ADVOWARE__MAX_REQUESTS_PER_SECOND": "0",
        "KOMMSYNC_STORE__PATH": str(folder / "store.sqlite3"),
        **{f"KOMMSYNC_ADVOWARE__{name.upper()}": str(getattr(advoware.access, name)) for name in names},
    }


if __name__ == "__main__":
    for milliseconds in (0, 20):
        asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 100, milliseconds / 1000))
