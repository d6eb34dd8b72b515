"""The real Prometheus scrapes the real daemon, which syncs two simulated firms: what it measures can be read back."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from daemon import config
from daemon.demo.firm import Firm, open_firm
from daemon.process import Daemon

PEOPLE = 12
IN_A_HURRY = {
    "KOMMSYNC_ESPOCRM__POLL_INTERVAL_SECONDS": "0.3",
    "KOMMSYNC_ADVOWARE__SWEEP_INTERVAL_SECONDS": "1",
    "KOMMSYNC_ADVOWARE__MAX_REQUESTS_PER_SECOND": "0",
    "KOMMSYNC_SYNC__SETTLE_SECONDS": "0.1",
    "KOMMSYNC_SYNC__MAX_READ_AGE_SECONDS": "0.1",
    "KOMMSYNC_SYNC__DELETION_CONFIRM_SECONDS": "0.2",
    "KOMMSYNC_WEB__PORT": "0",
}
PAGES = sorted((Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "dashboards").glob("*.json"))


@asynccontextmanager
async def _daemon(firm: Firm, store: Path) -> AsyncIterator[str]:
    """``kommsync run`` in this process; yields where its metrics are."""
    environment = {**firm.environment(), **IN_A_HURRY, "KOMMSYNC_STORE__PATH": str(store)}
    daemon = Daemon(config.load(None, environment), lambda: config.load(None, environment), environ={})
    listening = anyio.Event()
    address = ""

    def started(host: str, port: int) -> None:
        nonlocal address
        address = f"{host}:{port}"
        listening.set()

    async with anyio.create_task_group() as group:

        async def run() -> None:
            await daemon.run(started=started)

        group.start_soon(run)
        with anyio.fail_after(20):
            await listening.wait()
        yield address
        os.kill(os.getpid(), signal.SIGTERM)  # as systemd ends it


def _asked_for() -> list[str]:
    return sorted({name for page in PAGES for name in re.findall(r"\bkommsync_[a-z_]+", page.read_text())})


@pytest.mark.needs_program("prometheus")
async def test_prometheus_reads_back_what_the_daemon_did(
    start_prometheus: Callable[[str], Any], tmp_path: Path
) -> None:
    async with open_firm(PEOPLE, seed=3) as firm, _daemon(firm, tmp_path / "kommsync.sqlite3") as address:
        prometheus = await anyio.to_thread.run_sync(start_prometheus, address)

        async def wait_for(expr: str) -> None:
            await anyio.to_thread.run_sync(prometheus.wait_for, expr, 40)

        async def value(expr: str) -> float:
            (series,) = await anyio.to_thread.run_sync(prometheus.query, expr)
            return float(series["value"][1])

        await wait_for(f"sum(kommsync_sync_runs_total) >= {PEOPLE}")
        os.kill(os.getpid(), signal.SIGHUP)  # a reload shows the gauges at once
        await wait_for('kommsync_config_reloads_total{result="ok"} == 1')
        await wait_for(f"sum(kommsync_beteiligte) == {PEOPLE}")
        await wait_for(
            'kommsync_beteiligte{state="clean"} > 0 and on () sum(kommsync_entry_writes_total) > 0'
        )
        for side in ("espocrm", "advoware"):
            assert await value(f'time() - kommsync_poll_last_success_timestamp_seconds{{side="{side}"}}') < 30
            assert await value(f'sum(kommsync_api_requests_total{{side="{side}", code="200"}})') > 0
            assert await value(f'kommsync_breaker_open{{side="{side}"}}') == 0
        assert await value("sum(kommsync_sync_runs_total)") >= await value("sum(kommsync_beteiligte)")
        assert await value("process_resident_memory_bytes") > 10e6
        await wait_for("kommsync:minute:bad == 0")
        await wait_for('ALERTS{alertname="KommsyncDeadMansSwitch", alertstate="firing"}')

        there = [name for name in _asked_for() if await anyio.to_thread.run_sync(prometheus.query, name)]
        assert there == _asked_for()

        firm.advoware.manners.manager_offline = True
        await wait_for('kommsync_breaker_open{side="advoware"} == 1')
        await wait_for('ALERTS{alertname="KommsyncSideDown", side="advoware", alertstate="pending"}')
        firm.advoware.manners.manager_offline = False
