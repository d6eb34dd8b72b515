"""Runs turns: the clock, the lock, the looks that wait, the counts and the hooks around each transaction.

Under :mod:`daemon.store.for_syncs` and :mod:`daemon.store.for_people`, which give every method its name.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

import anyio

from daemon.ports import Clock, Random
from daemon.store import looks
from daemon.store.counts import Counts
from daemon.store.database import Database, transact
from daemon.store.looks import Recent
from daemon.store.turn import Moved, Rules, Turn
from statemachine.case import Seen
from statemachine.model import Side
from statemachine.states import State, Trigger

P = ParamSpec("P")
T = TypeVar("T")

_LOOKS_AT_ONCE = 1000
_LOOKS_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Hooks:
    """What metrics want to know: seconds of each writing transaction, and (from, to, trigger) of each transition."""

    on_commit: Callable[[float], None] | None = None
    on_transition: Callable[[State | None, State | None, Trigger], None] | None = None


class Engine:
    """One per open store."""

    def __init__(self, database: Database, clock: Clock, random: Random, rules: Rules, hooks: Hooks) -> None:
        self._database = database
        self._clock = clock
        self._random = random
        self._rules = rules
        self._hooks = hooks
        self._counts = Counts()
        self._recent = Recent(_LOOKS_AT_ONCE, _LOOKS_WAIT_SECONDS)
        self._moved: deque[Moved] = deque()

    async def read(self, work: Callable[Concatenate[Turn, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A transaction that only reads, all of it from one moment."""
        async with self._database.lock:
            now = self._clock.now()
            return await self._database.hop(
                lambda sql: transact(sql, "BEGIN", lambda: work(self._turn(sql, now), *args, **kwargs))
            )

    async def write(self, work: Callable[Concatenate[Turn, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A transaction that may write."""
        async with self._database.lock:
            return await self._write(lambda turn: work(turn, *args, **kwargs))

    async def flush(self) -> None:
        """Writes the looks that wait."""
        async with self._database.lock:
            if waiting := self._recent.take():
                await self._write(lambda turn: looks.write(turn, waiting))

    async def looked(self, espocrm_id: str, side: Side, seen: Seen) -> None:
        if self._recent.add(espocrm_id, side, seen, self._clock.monotonic()):
            await self.flush()

    def overtake(self, espocrm_id: str, side: Side, seen: Seen) -> None:
        """``seen`` has been written: an older look that waits must not come after it."""
        self._recent.drop(espocrm_id, side, seen.at, self._clock.now())

    @property
    def recent(self) -> Recent:
        return self._recent

    async def counts(self) -> dict[State, int]:
        async with self._database.lock:
            return await self._database.hop(self._counts.read)

    async def close(self) -> None:
        """The connection is closed whatever becomes of the looks."""
        with anyio.CancelScope(shield=True):
            try:
                await self.flush()
            finally:
                await self._database.close()

    def _turn(self, sql: sqlite3.Connection, now: float) -> Turn:
        return Turn(sql, now, self._rules, self._random)

    async def _write(self, work: Callable[[Turn], T]) -> T:
        now, began = self._clock.now(), self._clock.monotonic()
        result = await self._database.hop(lambda sql: self._commit(self._turn(sql, now), work))
        self._report(self._clock.monotonic() - began)
        return result

    def _commit(self, turn: Turn, work: Callable[[Turn], T]) -> T:
        """On SQLite's thread. Nothing is counted before it is committed, and nothing committed goes uncounted."""
        result = transact(turn.sql, "BEGIN IMMEDIATE", lambda: work(turn))
        self._counts.add(turn.moved)
        self._moved.extend(turn.moved)
        return result

    def _report(self, seconds: float) -> None:
        if self._hooks.on_commit is not None:
            self._hooks.on_commit(seconds)
        while self._moved:
            moved = self._moved.popleft()
            if self._hooks.on_transition is not None:
                self._hooks.on_transition(*moved)
