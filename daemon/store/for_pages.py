"""The half of the store that the page for people reads: what waits, page by page.

Read-only, and quick at any size: see :mod:`daemon.store.inbox`.
"""

from __future__ import annotations

from collections.abc import Sequence

from daemon.store import history, inbox
from daemon.store.desk import HeldDeletion
from daemon.store.engine import Engine
from daemon.store.history import HistoryRow
from daemon.store.inbox import FIRST_PLACE, Finding, Glance, Place, Waiting
from statemachine.case import ConflictKind
from statemachine.model import Side


class ForPages:
    """Pages of what a human should see; ``limit`` lines each, ``after`` the last line of the page before."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def glance(self) -> Glance:
        """How much waits for a human, and the fuses."""
        return await self._engine.read(inbox.glance)

    async def waiting_conflicts(
        self, kind: ConflictKind | None = None, *, after: int = 0, limit: int = 50
    ) -> list[Waiting]:
        """Oldest first; decided ones included until they are carried out."""
        return await self._engine.read(inbox.conflict_page, kind, after, limit)

    async def these_conflicts(self, ids: Sequence[int]) -> list[Waiting]:
        """Those of them that are still open."""
        return await self._engine.read(inbox.some_conflicts, tuple(ids))

    async def unsyncable_page(self, *, after: Place = FIRST_PLACE, limit: int = 50) -> list[Finding]:
        return await self._engine.read(inbox.finding_page, "unsyncable", after, limit)

    async def parked_page(self, *, after: Place = FIRST_PLACE, limit: int = 50) -> list[Finding]:
        return await self._engine.read(inbox.finding_page, "parked", after, limit)

    async def held_page(
        self, side: Side, *, after: tuple[int, str] = (0, ""), limit: int = 50
    ) -> list[HeldDeletion]:
        return await self._engine.read(inbox.held_page, side, after, limit)

    async def held_count(self, side: Side) -> int:
        """How many deletions a decision about the fuse would be about now."""
        return await self._engine.read(inbox.count_held, side)

    async def timeline(
        self, bet_nr: int, *, before: float | None = None, limit: int = 50
    ) -> list[HistoryRow]:
        """Youngest first, from before a moment, None: from now; also of a Beteiligte that is no longer tracked."""
        return await self._engine.read(history.page_of_bet_nr, bet_nr, before, limit)
