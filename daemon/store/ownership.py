"""Which process has the store for itself. The lock dies with its process, so there is nothing to clean up.

``run`` and ``once`` hold it for life; a command takes it only for as long as it changes the schema.
"""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from daemon.store.errors import StoreInUse, StoreTrouble


class Ownership:
    """An advisory lock on ``<store>-owner``, which also says who has it."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._path = store.with_name(f"{store.name}-owner")
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Raises StoreInUse, naming the process that has it. Taking it twice is fine."""
        if self._file is not None:
            return
        lock = self._open()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = lock.read().strip() or "another process"
            lock.close()
            raise StoreInUse(
                f"{self._store} belongs to {owner}: stop it first (systemctl stop kommsync)"
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        lock.flush()
        self._file = lock

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def owner(self) -> str | None:
        """``process PID on HOST`` while somebody holds the lock, else None."""
        if self._file is None and not self._path.exists():
            return None
        with self._open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lock.read().strip() or "another process"
        return None

    def _open(self) -> IO[str]:
        try:
            own_file(self._path)
            return self._path.open("r+", encoding="utf-8")
        except OSError as error:
            raise StoreTrouble(f"{self._path} cannot be opened: {error.strerror}") from None


def own_file(path: Path) -> None:
    """Creates the file if it is not there: readable by its owner only, and his who has the directory, so that what root
    creates by hand the service can use. Raises OSError."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except FileExistsError:
        return
    try:
        if os.geteuid() == 0:
            directory = path.parent.stat()
            os.fchown(handle, directory.st_uid, directory.st_gid)
    finally:
        os.close(handle)
