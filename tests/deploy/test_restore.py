"""Backup and restore as docs/runbooks/Restore.md tells: the copy is whole, and the next sync finds nothing to do."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import stat
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from daemon.demo.firm import Firm, open_firm

PEOPLE = 5
IN_A_HURRY = {"KOMMSYNC_SYNC__SETTLE_SECONDS": "0.1", "KOMMSYNC_SYNC__DELETION_CONFIRM_SECONDS": "0.2"}
Kommsync = Callable[..., Awaitable[str]]


@pytest.fixture
async def firm() -> AsyncIterator[Firm]:
    async with open_firm(PEOPLE, seed=2) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "kommsync.sqlite3"


@pytest.fixture
def kommsync(firm: Firm, store: Path) -> Kommsync:
    """Runs a command as its own process; what it printed. Fails unless it ends with 0."""

    async def run(*arguments: str) -> str:
        environment = {**firm.environment(), **IN_A_HURRY, "KOMMSYNC_STORE__PATH": str(store)}
        command = [sys.executable, "-m", "daemon", *arguments]
        done = await anyio.run_process(command, env=environment, check=False)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout.decode()

    return run


def _written(firm: Firm) -> int:
    """Writes that both sides have seen."""
    sides = (firm.espocrm, firm.advoware)
    return sum(
        n
        for side in sides
        for (method, kind), n in side.counts.items()
        if method != "GET" and kind != "api/v1/Token"
    )


def _lose(store: Path) -> None:
    store.rename(store.with_name("kommsync.sqlite3.broken"))
    for remains in store.parent.glob("kommsync.sqlite3-*"):
        remains.unlink()


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def _ask(database: Path, question: str) -> object:
    with contextlib.closing(sqlite3.connect(database)) as opened:
        return opened.execute(question).fetchone()[0]


async def test_a_backup_is_whole_and_after_a_restore_nothing_is_written_and_nobody_forgotten(
    firm: Firm, store: Path, kommsync: Kommsync, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.sqlite3"
    await kommsync("once", "--timeout", "60")
    await kommsync("backup", str(copy))
    assert _mode(copy) == 0o600
    assert _ask(copy, "PRAGMA integrity_check") == "ok"
    assert _ask(copy, "SELECT count(*) FROM persons") == PEOPLE
    noted = _ask(store, "SELECT value FROM notes WHERE name = 'backup_at'")  # for KommsyncBackupTooOld
    assert time.time() - float(str(noted)) < 60

    _lose(store)
    shutil.copy(copy, store)
    before = _written(firm)
    await kommsync("once", "--timeout", "60")
    assert _written(firm) == before
    assert json.loads(await kommsync("status"))["states"]["clean"] == PEOPLE
