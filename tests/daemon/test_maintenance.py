"""Housekeeping: second rounds, old history, gauges."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from daemon.maintenance import AUDIT_NOTE, BACKUP_NOTE, Maintenance
from daemon.metrics import Metrics
from daemon.store import SqliteStore
from statemachine.case import Fuse
from statemachine.model import Side
from statemachine.standing import Event
from statemachine.states import State, Trigger
from tests.daemon.store.building import HandClock, opener


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def store(tmp_path: Path, clock: HandClock) -> AsyncIterator[SqliteStore]:
    async with opener(tmp_path / "k.sqlite3", clock)() as opened:
        yield opened


async def test_who_gave_up_gets_a_new_round_when_his_time_has_come(
    store: SqliteStore, clock: HandClock
) -> None:
    woken: list[bool] = []
    upkeep = Maintenance(store, clock, Metrics(), wake=lambda: woken.append(True))
    await store.discover("a", 7, None)
    await store.lease("test", 1)
    await store.move("a", Event(Trigger.GAVE_UP, "x"))
    await upkeep.tidy()
    assert (await store.counts())[State.PERMANENTLY_FAILED] == 1
    assert not woken
    clock.time += 1000
    await upkeep.tidy()
    assert (await store.counts())[State.FAILED] == 1
    assert woken


async def test_old_history_goes_once_an_hour(store: SqliteStore, clock: HandClock) -> None:
    upkeep = Maintenance(store, clock, Metrics(), wake=lambda: None)
    await store.discover("a", 7, None)
    await upkeep.tidy()
    clock.time += 40 * 86400  # kept for 30 days
    await store.move("a", Event(Trigger.ASKED))
    for _ in range(59):
        await upkeep.tidy()
    assert len(await store.history(7)) == 2
    await upkeep.tidy()
    assert len(await store.history(7)) == 1


async def test_gauges_show_what_is_stored(store: SqliteStore, clock: HandClock) -> None:
    metrics = Metrics()
    upkeep = Maintenance(store, clock, metrics, wake=lambda: None)
    await upkeep.show()
    assert metrics.sweep_age._value.get() == 0
    assert metrics.oldest_unsynced._value.get() == 0
    assert metrics.backup_last_success._value.get() == 0  # never
    await store.discover("a", 7, clock.now() - 50)
    await store.discover("b", 8, None)
    await store.blow_fuse(Side.ESPOCRM, Fuse.EVERYTHING, "test")
    await store.set_note(BACKUP_NOTE, "1795320000.5")
    await store.set_note(AUDIT_NOTE, "4")
    clock.time += 100
    await upkeep.show()
    assert metrics.beteiligte["dirty"]._value.get() == 2
    assert metrics.oldest_unsynced._value.get() == clock.now() - 150
    assert metrics.fuse_blown["espocrm"]._value.get() == 1
    assert metrics.fuse_blown["advoware"]._value.get() == 0
    assert metrics.backup_last_success._value.get() == 1795320000.5
    assert metrics.audit_drift._value.get() == 4
    assert metrics.sweep_age._value.get() == 100  # never looked at: since the start, not since 1970


async def test_a_fuse_is_told_once_when_it_blows_and_once_when_it_is_over(
    store: SqliteStore, clock: HandClock
) -> None:
    maintenance = Maintenance(store, clock, Metrics("test"), wake=lambda: None)
    with capture_logs() as logs:
        await maintenance.show()
        await store.blow_fuse(Side.ESPOCRM, Fuse.DELETIONS, "test")
        await maintenance.show()
        await maintenance.show()
        await store.settle_fuse(Side.ESPOCRM, True, "test")
        await maintenance.show()
        await maintenance.show()
    assert [(line["event"], line["side"]) for line in logs if "fuse" in line["event"]] == [
        ("fuse_blown", "espocrm"),
        ("fuse_intact_again", "espocrm"),
    ]
