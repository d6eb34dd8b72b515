"""Opening the store: whose it is, whether the file is sound, its schema; then :class:`SqliteStore`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Self

import anyio
import structlog

from daemon.ports import Clock, Random
from daemon.store import database, links, schema
from daemon.store.database import Database
from daemon.store.engine import Engine, Hooks
from daemon.store.errors import StoreInUse
from daemon.store.for_pages import ForPages
from daemon.store.for_people import ForPeople
from daemon.store.for_syncs import ForSyncs
from daemon.store.ownership import Ownership
from daemon.store.turn import Rules
from statemachine.standing import Schedule
from statemachine.states import State, Trigger

_DAY = 86400.0
#: How long a command waits for another process that is just making the file.
_PATIENCE_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class SqliteStore(ForSyncs, ForPeople, ForPages):
    """The store on a file. Fulfils :class:`daemon.ports.Store`; one per process and file."""

    def __init__(self, engine: Engine, path: Path) -> None:
        ForSyncs.__init__(self, engine)
        ForPeople.__init__(self, engine, path)
        ForPages.__init__(self, engine)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path,
        clock: Clock,
        random: Random,
        schedule: Schedule,
        *,
        history_days: float = 365,
        region: str = "DE",
        exclusive: bool = False,
        on_commit: Callable[[float], None] | None = None,
        on_transition: Callable[[State | None, State | None, Trigger], None] | None = None,
    ) -> AsyncIterator[Self]:
        """``exclusive``: for the process that syncs; there is one per file. Commands open it beside that one.

        Only the exclusive one checks the file: a damaged one is moved aside and a new one begun, which is a first sync
        for everybody (§7). Raises StoreInUse (naming the process that has it), StoreTooNew, StoreTrouble.
        """
        ownership = Ownership(path)
        rules = Rules(schedule, region, history_days * _DAY)
        try:
            base = await (_own(path, ownership, clock) if exclusive else _join(path, ownership))
            engine = Engine(base, clock, random, rules, Hooks(on_commit, on_transition))
            try:
                if exclusive:
                    await engine.write(links.judge_values_again, f"{region} {version('phonenumberslite')}")
                yield cls(engine, path)
            finally:
                await engine.close()
        finally:
            ownership.release()


def owner_of(path: Path) -> str | None:
    """``process PID on HOST`` of the process that syncs with this store; None when there is none."""
    return Ownership(path).owner()


async def _own(path: Path, ownership: Ownership, clock: Clock) -> Database:
    await _take(ownership)
    base = await Database.connect(path)
    try:
        if not await base.hop(database.is_sound):
            await base.close()
            _begin_anew(path, clock)
            base = await Database.connect(path)
        await base.hop(database.choose_journal)
        await prepare(base, ownership, _PATIENCE_SECONDS)
    except BaseException:
        await base.close()
        raise
    return base


async def _take(ownership: Ownership) -> None:
    """A command that asks who has the store holds the lock for a moment."""
    for _ in range(10):
        with suppress(StoreInUse):
            return ownership.take()
        await anyio.sleep(0.02)
    return ownership.take()


def _begin_anew(path: Path, clock: Clock) -> None:
    stamp = datetime.fromtimestamp(clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = database.move_aside(path, stamp)
    _log.error(
        "the store is damaged: it was moved aside and a new one begun, a first sync for everybody",
        moved_to=str(aside),
        next_step="keep the file; a backup may be put back while kommsync is stopped",
    )


async def _join(path: Path, ownership: Ownership) -> Database:
    base = await Database.connect(path)
    try:
        await prepare(base, ownership, _PATIENCE_SECONDS)
    except BaseException:
        await base.close()
        raise
    ownership.release()
    return base


async def prepare(base: Database, ownership: Ownership, patience: float) -> None:
    """Brings the schema up. One process alone does it: under the daemon's feet it would break the daemon. ``patience``:
    seconds that another one has for it. Raises StoreInUse, StoreTooNew, StoreTrouble."""
    known = schema.steps()
    deadline = anyio.current_time() + patience
    while await base.hop(lambda sql: schema.missing(sql, known)):
        try:
            ownership.take()
        except StoreInUse:
            if anyio.current_time() >= deadline:
                raise
            await anyio.sleep(0.05)
        else:
            await base.hop(lambda sql: schema.migrate(sql, schema.missing(sql, known)))
    await base.hop(database.set_up)
