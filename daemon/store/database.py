"""One SQLite file: one connection, owned by one thread, one transaction at a time.

A transaction is one plain function that runs from BEGIN to COMMIT in one hop on aiosqlite's thread. So nothing can get
between its statements, whoever is cancelled: who still waits for the lock leaves no trace, whose transaction has begun
waits for its end.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import aiosqlite
import anyio
import msgspec

from daemon.store.errors import StoreTrouble
from daemon.store.ownership import own_file

T = TypeVar("T")
Begin = Literal["BEGIN", "BEGIN IMMEDIATE"]

#: How long a statement waits for another process, e.g. a command while the daemon runs.
_BUSY_SECONDS = 10.0
#: The lines of SQLite in which the WAL-reset bug is mended, first good patch of each.
_WAL_MENDED = ((3, 44, 6), (3, 50, 7), (3, 51, 3))
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Whether this SQLite may use a write-ahead log (house rules): 3.51.3, 3.50.7, 3.44.6 and later of those lines."""
    return version >= _WAL_MENDED[-1] or any(
        version[:2] == good[:2] and version >= good for good in _WAL_MENDED
    )


class Database:
    """Made by :meth:`connect`; must be closed, or its thread keeps the process alive."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._closed = False
        self._lock = anyio.Lock()

    @classmethod
    async def connect(cls, path: Path) -> Database:
        """Opens or creates the file. Raises StoreTrouble."""
        try:
            own_file(path)
            with anyio.CancelScope(shield=True):
                connection = await aiosqlite.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        except OSError as error:
            raise StoreTrouble(
                f"{path} cannot be created: {error.strerror}; make its directory, or set store.path"
            ) from None
        except sqlite3.Error as error:
            raise StoreTrouble(f"{path} cannot be opened: {error}") from None
        return cls(connection)

    @property
    def lock(self) -> anyio.Lock:
        """Held around every hop that is a transaction, and around what belongs to the same moment."""
        return self._lock

    async def hop(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs ``work`` on the thread; :func:`transact` makes it a transaction. Raises StoreTrouble."""
        if self._closed:
            raise StoreTrouble("the store is closed")
        connection: Any = self._connection  # aiosqlite has no public way to run one function on its thread
        try:
            with anyio.CancelScope(shield=True):
                result: T = await connection._execute(work, connection._conn)  # noqa: SLF001
        except sqlite3.Error as error:
            raise trouble(error) from None
        except msgspec.MsgspecError:
            raise StoreTrouble("a stored value is not what this kommsync stores: restore a backup") from None
        return result

    async def close(self) -> None:
        """Closing twice is fine."""
        self._closed = True
        with anyio.CancelScope(shield=True):
            await self._connection.close()


def transact(sql: sqlite3.Connection, begin: Begin, work: Callable[[], T]) -> T:
    """BEGIN, ``work``, COMMIT; ROLLBACK if it raises."""
    sql.execute(begin)
    try:
        result = work()
        sql.execute("COMMIT")
    except BaseException:
        if sql.in_transaction:
            sql.execute("ROLLBACK")
        raise
    return result


def trouble(error: sqlite3.Error) -> StoreTrouble:
    """SQLite's own words name tables and files, never values; those of Python's module may quote one."""
    code = getattr(error, "sqlite_errorname", None)
    return StoreTrouble(type(error).__name__ if code is None else f"{code}: {error}")


def is_sound(sql: sqlite3.Connection) -> bool:
    """False only if the file itself is damaged; locked or unreadable is somebody else's trouble and raises."""
    try:
        return [row[0] for row in sql.execute("PRAGMA quick_check(1)")] == ["ok"]
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            return False
        raise


def choose_journal(sql: sqlite3.Connection) -> None:
    """For the process that has the store for itself; the mode stays in the file. While a command has it open the mode
    cannot change: a rollback journal will do until the next start, a write-ahead log would not be safe."""
    wal = wal_is_safe(sqlite3.sqlite_version_info)
    try:
        sql.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}")
    except sqlite3.OperationalError:
        if not wal:
            raise


def set_up(sql: sqlite3.Connection) -> None:
    """Every commit reaches the disk: a journalled write must survive a power cut before it is sent (§8)."""
    sql.execute("PRAGMA synchronous = FULL")
    sql.execute("PRAGMA temp_store = MEMORY")
    sql.execute("PRAGMA cache_size = -16384")


def move_aside(path: Path, stamp: str) -> Path:
    """Renames a damaged file and what belongs to it; returns its new name."""
    aside = path.with_name(f"{path.name}-damaged-{stamp}")
    for suffix in ("", "-wal", "-shm", "-journal"):
        part = path.with_name(f"{path.name}{suffix}")
        if part.exists():
            part.rename(f"{aside}{suffix}")
    return aside


def copy(source: Path, target: Path) -> None:
    """A consistent copy while others work, by SQLite's online backup in one piece, moved into place when it is whole.
    Blocks; for a worker thread. Raises StoreTrouble."""
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        own_file(part)
        _copy(source, part)
        part.replace(target)
    except OSError as error:
        raise StoreTrouble(f"{target} cannot be written: {error.strerror}") from None
    except sqlite3.Error as error:
        raise trouble(error) from None
    finally:
        part.unlink(missing_ok=True)


def _copy(source: Path, part: Path) -> None:
    readable = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
    try:
        written = sqlite3.connect(part)
        try:
            readable.backup(written)
        finally:
            written.close()
    finally:
        readable.close()
    handle = os.open(part, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
