"""What the store's tests are made of: a clock moved by hand, chance that is none, and short ways to values."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from daemon.ports import Finish, GuardLimits
from daemon.store import SqliteStore
from statemachine.case import Outcome, Seen, SeenPart, Shown, Vanished, Variant, Write
from statemachine.model import Base, Kind, Link, LinkRow, Side
from statemachine.standing import Event, Schedule
from statemachine.states import Trigger

SCHEDULE = Schedule(retries=(60, 300), auto_reset=1000)
GUARD = GuardLimits(max_deletions=50, max_deletion_share=0.02, window_seconds=3600)
START = 1_780_000_000.0

Opener = Callable[[], AbstractAsyncContextManager[SqliteStore]]


class HandClock:
    """Moves only when told to. ``set_by``: seconds by which somebody set the wall clock."""

    def __init__(self) -> None:
        self.time = START
        self.set_by = 0.0

    def now(self) -> float:
        return self.time + self.set_by

    def monotonic(self) -> float:
        return self.time


def opener(path: Path, clock: HandClock, *, exclusive: bool = True, schedule: Schedule = SCHEDULE) -> Opener:
    return lambda: SqliteStore.open(
        path, clock, random.Random(1), schedule, history_days=30, exclusive=exclusive
    )


def link(key: str, value: str = "0511 1234560", kind: Kind = Kind.PHONE, row_id: int = 1) -> Link:
    row = LinkRow(row_id, "row", 1, certain=True, tlf=value, online=False, text="")
    return Link(key, kind, value, "Office", primary=True, opt_out=False, invalid=False, rows=(row,))


def base(*links: Link) -> Base:
    return Base(links, first=False, counter=len(links))


def done(trigger: Trigger = Trigger.SYNCED, reason: str = "") -> Event:
    return Event(trigger, reason)


def seen(at: float, shows: str = "a", stamp: str = "2026-06-01 10:00:00", version: int | None = 3) -> Seen:
    return Seen((SeenPart("rest", shows, at),), at, stamp, version, at + 1)


def vanished(*keys: str, side: Side = Side.ADVOWARE) -> tuple[Vanished, ...]:
    return tuple(Vanished(key, side, f"+49511{key}") for key in keys)


def a_write(link_key: str = "1", at: float = 0.0, outcome: Outcome | None = None) -> Write:
    return Write(
        0, "call", at, Side.ADVOWARE, "put", Variant.VAR5, Kind.PHONE, link_key, 7,
        Shown("0511 1234560", bemerkung="privat"), Shown("0511 9999990"), outcome, gives="advoware:+495119999990",
    )  # fmt: skip


async def lease_one(store: SqliteStore, espocrm_id: str = "a") -> None:
    assert [person.espocrm_id for person in await store.lease("me", 1, only=[espocrm_id])] == [espocrm_id]


async def synced(store: SqliteStore, espocrm_id: str, bet_nr: int, finish: Finish) -> None:
    """A whole run: leased, finished."""
    await lease_one(store, espocrm_id)
    await store.finish(espocrm_id, bet_nr, finish, run="run", guard=GUARD)
