"""The simulated Advoware of the compose file, and its people introduced to an EspoCRM that has just been set up."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from anyio.streams.text import TextReceiveStream

from daemon.simulators.espocrm import EspoWorld
from daemon.simulators.face import serve

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SCRIPT = DEPLOY / "container" / "try_out" / "advoware_simulator.py"
NOON = 1_795_320_000.0
PEOPLE = 4


@pytest.fixture
def world() -> EspoWorld:
    return EspoWorld(lambda: NOON, random.Random(7))


@pytest.fixture
async def espocrm(world: EspoWorld) -> AsyncIterator[str]:
    async with serve(world, lambda: NOON) as url:
        yield url


async def _lines_until_it_serves(espocrm: str) -> list[str]:
    """Starts the script, reads what it says until it says where it is, and ends it."""
    command = [sys.executable, str(SCRIPT), "--people", str(PEOPLE), "--espocrm", espocrm, "--port", "0"]
    environment = {
        "ESPOCRM_ADMIN_PASSWORD": "admin-password",
        "PYTHONPATH": f"{DEPLOY.parent}:{DEPLOY / 'espocrm'}",
    }
    said = ""
    async with await anyio.open_process(command, env=environment, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        with anyio.fail_after(30):
            async for text in TextReceiveStream(process.stdout):
                said += text
                if "Advoware simulator at http://" in said:
                    break
        process.terminate()
    return said.splitlines()


async def test_the_same_people_are_on_both_sides(world: EspoWorld, espocrm: str) -> None:
    lines = await _lines_until_it_serves(espocrm)
    assert lines[0] == f"{PEOPLE} Beteiligte created in EspoCRM"
    assert world.counts["POST", "CBeteiligte"] == PEOPLE


async def test_a_second_start_creates_nobody_again(world: EspoWorld, espocrm: str) -> None:
    await _lines_until_it_serves(espocrm)
    lines = await _lines_until_it_serves(espocrm)
    assert lines[0] == "0 Beteiligte created in EspoCRM"
    assert world.counts["POST", "CBeteiligte"] == PEOPLE
