"""sd_notify as systemd would receive it: datagrams on a real unix socket."""

import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.systemd import Notifier, watchdog_interval


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@kommsync-test-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        receiver.settimeout(2)
        yield receiver, name


def test_each_message_is_one_datagram(listener: tuple[socket.socket, str]) -> None:
    receiver, name = listener
    notifier = Notifier({"NOTIFY_SOCKET": name}, monotonic=lambda: 5_000_000_999)
    notifier.ready()
    notifier.ready("up again")
    notifier.status("17 dirty, 3 failed")
    notifier.reloading()
    notifier.watchdog()
    notifier.stopping()
    assert [receiver.recv(4096).decode() for _ in range(6)] == [
        "READY=1",
        "READY=1\nSTATUS=up again",
        "STATUS=17 dirty, 3 failed",
        "RELOADING=1\nMONOTONIC_USEC=5000000",
        "WATCHDOG=1",
        "STOPPING=1",
    ]


def test_a_status_cannot_smuggle_in_another_assignment(listener: tuple[socket.socket, str]) -> None:
    receiver, name = listener
    Notifier({"NOTIFY_SOCKET": name}).status("all well\nMAINPID=1")
    assert receiver.recv(4096) == b"STATUS=all well MAINPID=1"


def test_without_systemd_nothing_happens() -> None:
    Notifier({}).ready()


def test_a_socket_that_nobody_reads_is_no_error_of_ours(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).watchdog()


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "4711"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_twice_per_period(environ: dict[str, str], interval: float | None) -> None:
    assert watchdog_interval(environ, pid=4711) == interval


def test_the_watchdog_is_ours_if_it_names_this_process() -> None:
    assert watchdog_interval({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}) == 1.0
