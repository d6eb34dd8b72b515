"""The store's SQLite without a thread of its own: every hop runs on the loop, and every commit is a place to die.

``aiosqlite`` costs 100 µs a hop for going to its thread and back; a history has thousands. The SQL, the transactions
and the file are the real ones. ``python -m tests.harness --threads`` uses aiosqlite itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from daemon.store import database, sqlite
from daemon.store.ownership import Ownership

T = TypeVar("T")


class Witness(Protocol):
    """Told of every hop; may end the process there."""

    async def before_hop(self) -> None: ...
    async def after_hop(self, wrote: bool) -> None: ...


class Connection:
    """What ``daemon.store.database`` uses of an aiosqlite connection."""

    def __init__(self, raw: sqlite3.Connection, witness: Witness) -> None:
        self._conn = raw
        self._witness = witness

    async def _execute(self, work: Callable[..., T], *args: Any) -> T:
        await self._witness.before_hop()
        before = self._conn.total_changes
        try:
            return work(*args)
        finally:
            await self._witness.after_hop(self._conn.total_changes != before)

    async def close(self) -> None:
        self._conn.close()


class Reader:
    """What the store's file says, asked past the daemon; nothing where there is no file, or a damaged one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: sqlite3.Connection | None = None
        self._number = 0

    def query(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._connection().execute(statement, values).fetchall()
        except (FileNotFoundError, sqlite3.DatabaseError):
            self.close()
            return []

    def _connection(self) -> sqlite3.Connection:
        number = self._path.stat().st_ino
        if self._open is None or number != self._number:
            self.close()
            self._open, self._number = sqlite3.connect(self._path), number
        return self._open

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = None


@contextmanager
def on_the_loop(witness: Witness) -> Iterator[None]:
    """While this holds, stores that are opened have no thread."""
    real = database.aiosqlite.connect
    opened: list[sqlite3.Connection] = []

    async def connect(path: Path, **options: Any) -> Connection:
        raw = sqlite3.connect(path, check_same_thread=False, **options)
        opened.append(raw)
        return Connection(raw, witness)

    locks: list[Ownership] = []

    class Lock(Ownership):
        """The kernel releases the lock of a dead process; nobody else does it for a dead loop."""

        def __init__(self, store: Path) -> None:
            super().__init__(store)
            locks.append(self)

    database.aiosqlite.connect = connect  # type: ignore[assignment]
    sqlite.Ownership = Lock  # type: ignore[misc]
    try:
        yield
    finally:
        database.aiosqlite.connect = real
        sqlite.Ownership = Ownership  # type: ignore[misc]
        for lock in locks:
            lock.release()
        for raw in opened:
            raw.close()
