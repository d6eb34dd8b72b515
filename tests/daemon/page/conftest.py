"""A firm whose conflicts wait for people, and a visitor of its page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.daemon.house import House, house
from tests.daemon.page.browsing import Visitor, visiting
from tests.daemon.store.building import HandClock


@pytest.fixture
async def firm(tmp_path: Path) -> AsyncIterator[House]:
    """Nobody in it yet."""
    async with house(tmp_path, 0, SYNC__CONFLICT_POLICY="manual", GUARD__MAX_DELETIONS="3") as made:
        yield made


@pytest.fixture
async def visitor(firm: House) -> AsyncIterator[Visitor]:
    async with visiting(firm.app, firm.clock) as made:
        yield made


@pytest.fixture
def clock(firm: House) -> HandClock:
    return firm.clock
