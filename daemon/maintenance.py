"""Housekeeping: second rounds for who had given up, old history, and the gauges that count what is in the store.

Run as loops by :mod:`daemon.app`. It decides nothing: what is due or old the store knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog

from daemon.metrics import Metrics
from daemon.ports import Clock
from statemachine.case import Fuse
from statemachine.model import Side
from statemachine.states import State

log = structlog.get_logger(__name__)

TIDY_SECONDS = 60.0
GAUGES_SECONDS = 15.0
#: Old rows are looked for once an hour; the first time soon after the start.
_PRUNE_EVERY = 60
_AT_ONCE = 500

#: What commands of people leave behind for the gauges: Unix seconds of the last backup, entries of the last audit.
BACKUP_NOTE, AUDIT_NOTE = "backup_at", "audit_drift"

#: Fuses by side, as the store counts them.
Fuses = tuple[tuple[Side, Fuse], ...]


class Sums(Protocol):
    """Of :class:`daemon.store.Sums`, what the gauges show."""

    @property
    def conflicts_open(self) -> int: ...
    @property
    def pending_deletions(self) -> int: ...
    @property
    def unsyncable(self) -> int: ...
    @property
    def empty_slots(self) -> int: ...
    @property
    def oldest_unsynced(self) -> float | None: ...
    @property
    def oldest_look(self) -> float | None: ...
    @property
    def fuses(self) -> Fuses: ...


class Book(Protocol):
    """What housekeeping asks of the store."""

    async def reset_due(self, limit: int) -> int: ...
    async def prune(self, batch: int = 500) -> int: ...
    async def counts(self) -> dict[State, int]: ...
    async def sums(self) -> Sums: ...
    async def get_note(self, name: str) -> str | None: ...


class Maintenance:
    """``wake`` is called when somebody became due."""

    def __init__(self, book: Book, clock: Clock, metrics: Metrics, *, wake: Callable[[], None]) -> None:
        self._book = book
        self._clock = clock
        self._metrics = metrics
        self._wake = wake
        self._rounds = 0
        self._started = clock.now()
        self._fuses: dict[Side, Fuse] = {}

    def _tell(self, side: Side, fuse: Fuse) -> None:
        """Once when it blows and once when somebody has decided."""
        before = self._fuses.get(side, Fuse.INTACT)
        self._fuses[side] = fuse
        if fuse is not Fuse.INTACT and before is Fuse.INTACT:
            log.error("fuse_blown", side=side, holds=fuse, remedy="kommsync fuse, then approve or reject")
        elif fuse is Fuse.INTACT and before is not Fuse.INTACT:
            log.info("fuse_intact_again", side=side)

    async def tidy(self) -> None:
        """Once a minute."""
        while await self._book.reset_due(_AT_ONCE):
            self._wake()
        if self._rounds % _PRUNE_EVERY == 0:
            while await self._book.prune(_AT_ONCE):
                pass
        self._rounds += 1

    async def show(self) -> None:
        """The gauges."""
        for state, number in (await self._book.counts()).items():
            self._metrics.beteiligte[state].set(number)
        sums = await self._book.sums()
        self._metrics.conflicts_open.set(sums.conflicts_open)
        self._metrics.pending_deletions.set(sums.pending_deletions)
        self._metrics.unsyncable_entries.set(sums.unsyncable)
        self._metrics.empty_slots.set(sums.empty_slots)
        self._metrics.oldest_unsynced.set(sums.oldest_unsynced or 0.0)
        self._metrics.sweep_age.set(self._age(sums.oldest_look))
        for side, fuse in sums.fuses:
            self._metrics.fuse_blown[side].set(fuse is not Fuse.INTACT)
            self._tell(side, fuse)
        self._metrics.backup_last_success.set(float(await self._book.get_note(BACKUP_NOTE) or 0))
        self._metrics.audit_drift.set(float(await self._book.get_note(AUDIT_NOTE) or 0))

    def _age(self, oldest_look: float | None) -> float:
        """Somebody who was never looked at waits since we started, not since 1970."""
        if oldest_look is None:
            return 0.0
        return max(self._clock.now() - (oldest_look or self._started), 0.0)
