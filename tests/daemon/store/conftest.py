"""One store per test, on a real file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.store import SqliteStore
from tests.daemon.store.building import HandClock, Opener, opener


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kommsync.sqlite3"


@pytest.fixture
def open_store(path: Path, clock: HandClock) -> Opener:
    """Opens it as the daemon does."""
    return opener(path, clock)


@pytest.fixture
def open_beside(path: Path, clock: HandClock) -> Opener:
    """Opens it as a command does."""
    return opener(path, clock, exclusive=False)


@pytest.fixture
async def store(open_store: Opener) -> AsyncIterator[SqliteStore]:
    async with open_store() as opened:
        yield opened
