"""Tells systemd how we are: sd_notify is one datagram, and no maintained, typed library exists for it.

:mod:`daemon.app` sends it. Without $NOTIFY_SOCKET everything here does nothing: the daemon runs the same in a container
or at a prompt. A message that cannot be sent is never an error of ours.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping

_SEND_SECONDS = 1.0


def watchdog_interval(environ: Mapping[str, str], pid: int | None = None) -> float | None:
    """Seconds between two signs of life, half of what the unit's WatchdogSec allows; None: nobody is watching."""
    ours = environ.get("WATCHDOG_PID") in {None, "", str(os.getpid() if pid is None else pid)}
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not ours or not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    return int(microseconds) / 2_000_000


class Notifier:
    """sd_notify(3). ``monotonic``: nanoseconds of CLOCK_MONOTONIC, which RELOADING=1 must carry."""

    def __init__(self, environ: Mapping[str, str], monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):  # an abstract socket
            self._address = "\0" + self._address[1:]
        self._monotonic = monotonic

    def ready(self, status: str = "") -> None:
        """Start-up, or a reload, is over."""
        self._send("READY=1", _status(status) if status else "")

    def reloading(self) -> None:
        self._send("RELOADING=1", f"MONOTONIC_USEC={self._monotonic() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """A sign of life; to be sent only while the loops make progress."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(_status(text))

    def _send(self, *assignments: str) -> None:
        if not self._address:
            return
        message = "\n".join(filter(None, assignments)).encode()
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.settimeout(_SEND_SECONDS)
            sender.sendto(message, self._address)


def _status(text: str) -> str:
    """A line break would begin another assignment."""
    return "STATUS=" + " ".join(text.split())
