"""The simulated Advoware of the compose file, and its people introduced to an EspoCRM that has just been set up."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import yaml
from anyio.streams.text import TextReceiveStream

from daemon.simulators.espocrm import EspoWorld
from daemon.simulators.face import serve

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SCRIPT = DEPLOY / "container" / "try_out" / "advoware_simulator.py"
PASSWORD = {"ESPOCRM_ADMIN_PASSWORD": "admin-password"}
PEOPLE = 4


@pytest.fixture
def world() -> EspoWorld:
    """Fresh: whoever tries it has nothing set up."""
    return EspoWorld(time.time, random.Random(7), fresh=True)


@pytest.fixture
async def espocrm(world: EspoWorld, tmp_path: Path) -> AsyncIterator[str]:
    async with serve(world, time.time) as url:
        command = [
            sys.executable,
            str(DEPLOY / "espocrm" / "setup_espocrm.py"),
            "--url",
            url,
            "--admin",
            "admin",
        ]
        await anyio.run_process([*command, "--apply", "--key-file", str(tmp_path / "api_key")], env=PASSWORD)
        yield url


@asynccontextmanager
async def _advoware(espocrm: str) -> AsyncIterator[list[str]]:
    """The script until it serves, and what it has said; the last word is its address."""
    command = [sys.executable, str(SCRIPT), "--people", str(PEOPLE), "--espocrm", espocrm, "--port", "0"]
    environment = {**PASSWORD, "PYTHONPATH": f"{DEPLOY.parent}:{DEPLOY / 'espocrm'}"}
    said = ""
    async with await anyio.open_process(command, env=environment, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        with anyio.fail_after(30):
            async for text in TextReceiveStream(process.stdout):
                said += text
                if re.search(r"Advoware simulator at http://.*\n", said):
                    break
        yield said.splitlines()
        process.terminate()


async def test_the_same_people_are_on_both_sides_however_often_it_starts(
    world: EspoWorld, espocrm: str
) -> None:
    async with _advoware(espocrm) as lines:
        assert lines[0] == f"{PEOPLE} Beteiligte created in EspoCRM"
    async with _advoware(espocrm) as lines:
        assert lines[0] == "0 Beteiligte created in EspoCRM"
    assert world.counts["POST", "CBeteiligte"] == PEOPLE


async def test_the_settings_of_the_compose_file_sync_what_was_set_up(espocrm: str, tmp_path: Path) -> None:
    """With its role and fields, and with its login to the simulated Advoware."""
    compose = yaml.safe_load((DEPLOY / "container" / "compose.yaml").read_text())
    async with _advoware(espocrm) as lines:
        advoware = lines[-1].split()[-1]
        environment = {
            **compose["services"]["kommsync"]["environment"],
            "KOMMSYNC_ESPOCRM__URL": espocrm,
            "KOMMSYNC_ESPOCRM__API_KEY_FILE": str(tmp_path / "api_key"),
            "KOMMSYNC_ADVOWARE__BASE_URL": advoware,
            "KOMMSYNC_ADVOWARE__SECURITY_GATEWAY_URL": advoware,
            "KOMMSYNC_STORE__PATH": str(tmp_path / "kommsync.sqlite3"),
            "KOMMSYNC_SYNC__SETTLE_SECONDS": "0.1",
        }
        for words in (["check"], ["once", "--timeout", "60"]):
            done = await anyio.run_process(
                [sys.executable, "-m", "daemon", *words], env=environment, cwd=DEPLOY.parent, check=False
            )
            assert done.returncode == 0, (words, done.stdout.decode(), done.stderr.decode())
