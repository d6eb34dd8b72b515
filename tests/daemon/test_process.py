"""The daemon as a process: signals, reload, the watchdog. Signals are real, sent to ourselves."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import anyio
import pytest

from daemon.metrics import Metrics
from daemon.outside import open_outside
from daemon.process import SIGNALS, Daemon
from daemon.settings import Settings
from daemon.store import StoreInUse
from statemachine.model import Side
from statemachine.states import State
from tests.daemon.firm import Office, until


class House:
    """A daemon to be reloaded with ``settings``, which may be an error."""

    def __init__(self, office: Office, environ: dict[str, str] | None = None) -> None:
        self.office = office
        self.settings: Settings | Exception = office.settings()
        self.port = 0
        self.daemon = Daemon(office.settings(), self.reload, environ=environ or {}, wires=office.wires)

    def reload(self) -> Settings:
        if isinstance(self.settings, Exception):
            raise self.settings
        return self.settings

    def started(self, host: str, port: int) -> None:
        self.port = port

    async def get(self, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def until_ready(self) -> None:
        async def is_ready() -> bool:
            return self.port != 0 and (await self.get("/readyz"))[0] == 200

        await until(is_ready)

    async def until_exchanged(self, before: object) -> None:
        await until(lambda: self.daemon.app not in (before, None))

    async def run(self) -> None:
        await self.daemon.run(started=self.started)


@asynccontextmanager
async def living(house: House) -> AsyncIterator[None]:
    with anyio.fail_after(90):
        async with anyio.create_task_group() as group:
            group.start_soon(house.run)
            await house.until_ready()
            yield
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def _survivable() -> Iterator[None]:
    """A signal that comes when the daemon has already ended must not end the tests."""
    before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_in_time_when_told_to(office: Office, number: signal.Signals) -> None:
    house = House(office)
    with anyio.fail_after(90):
        async with anyio.create_task_group() as group:
            group.start_soon(house.run)
            await house.until_ready()
            began = time.monotonic()
            os.kill(os.getpid(), number)
    assert time.monotonic() - began < 10


async def test_it_ends_in_time_in_the_middle_of_a_sync_that_hangs(office: Office) -> None:
    house = House(office)
    send = office.wires[Side.ADVOWARE].send

    async def hang(request: object, timeout: float) -> object:
        if "Beteiligte" in request.url:  # type: ignore[attr-defined]
            await anyio.sleep_forever()
        return await send(request, timeout)  # type: ignore[arg-type]

    office.wires[Side.ADVOWARE].send = hang  # type: ignore[assignment,method-assign]
    async with living(house):
        app = house.daemon.app
        assert app is not None
        await until(lambda: app.worker.running > 0)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    again = House(office)
    office.wires[Side.ADVOWARE].send = send  # type: ignore[method-assign]
    async with living(again):
        app = again.daemon.app
        assert app is not None
        store = app.outside.store

        async def all_are_clean() -> bool:
            return (await store.counts())[State.CLEAN] == 3

        await until(all_are_clean)


async def test_a_reload_takes_the_new_settings_and_keeps_the_web_face(office: Office) -> None:
    house = House(office)
    async with living(house):
        before, port = house.daemon.app, house.port
        house.settings = office.settings(sync={"workers": 2, "conflict_policy": "manual"})
        os.kill(os.getpid(), signal.SIGHUP)
        await house.until_exchanged(before)
        await house.until_ready()
        app = house.daemon.app
        assert app is not None
        assert app.outside.settings.sync.workers == 2
        assert house.port == port
        assert 'config_reloads_total{result="ok"} 1.0' in (await house.get("/metrics"))[1]


async def test_a_wrong_reload_keeps_the_old_settings(office: Office) -> None:
    house = House(office)
    async with living(house):
        before = house.daemon.app
        house.settings = ValueError("sync.workers: must be at least 1")
        os.kill(os.getpid(), signal.SIGHUP)
        refused = house.daemon.metrics.config_reloads["refused"]
        await until(lambda: refused._value.get() == 1)
        assert house.daemon.app is before
        assert (await house.get("/healthz"))[0] == 200


async def test_where_it_lives_does_not_change_by_a_reload(office: Office, tmp_path: Path) -> None:
    house = House(office)
    async with living(house):
        before = house.daemon.app
        elsewhere = {"path": tmp_path / "elsewhere.sqlite3", "history_days": 9}
        house.settings = office.settings(store=elsewhere, web={"port": 1})
        os.kill(os.getpid(), signal.SIGHUP)
        await house.until_exchanged(before)
        app = house.daemon.app
        assert app is not None
        assert app.outside.settings.store.history_days == 9
        assert not (tmp_path / "elsewhere.sqlite3").exists()


async def test_systemd_is_told_and_the_watchdog_is_fed(office: Office, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"}
        async with living(House(office, environ)):
            await anyio.sleep(0.2)
        said = []
        while True:
            try:
                said.append(listener.recv(4096).decode())
            except BlockingIOError:
                break
    assert any(line.startswith("READY=1") for line in said)
    assert said.count("WATCHDOG=1") >= 3
    assert "STOPPING=1" in said


async def test_a_stuck_loop_starves_the_watchdog(office: Office, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        house = House(office, {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "40000"})
        async with living(house):
            app = house.daemon.app
            assert app is not None
            app.progress.expect("hanging", -1.0)
            await anyio.sleep(0.05)
            while True:
                try:
                    listener.recv(4096)
                except BlockingIOError:
                    break
            await anyio.sleep(0.2)
            with pytest.raises(BlockingIOError):
                listener.recv(4096)
            assert (await house.get("/healthz"))[0] == 503


async def test_a_second_daemon_on_the_same_store_refuses_by_name(office: Office) -> None:
    async with open_outside(office.settings(), Metrics(), exclusive=True, wires=office.wires):
        with pytest.raises(StoreInUse, match=str(os.getpid())):
            await House(office).run()


async def test_a_port_that_is_taken_is_said_at_once(office: Office) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = office.settings(web={"port": taken.getsockname()[1]})
        with pytest.raises(OSError, match="address already in use"):
            await Daemon(settings, lambda: settings, environ={}, wires=office.wires).run()
