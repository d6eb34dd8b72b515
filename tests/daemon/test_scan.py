"""The full scan: everybody in EspoCRM against everybody we track (sync-rules §7, facts/EspoCRM §1.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon.metrics import Metrics
from daemon.scan import DOUBLED_BET_NR, FullScan
from daemon.sightings import Sightings, stamp_of
from daemon.store import SqliteStore
from statemachine.case import Fuse
from statemachine.errors import SideDown
from statemachine.looks import look_espocrm
from statemachine.model import Side
from statemachine.standing import Event
from statemachine.states import State, Trigger
from tests.daemon.sides import Crm
from tests.daemon.store.building import HandClock, opener


def ids(number: int) -> list[str]:
    return [f"{one:04}" for one in range(number)]


@dataclass
class Desk:
    store: SqliteStore
    clock: HandClock
    crm: Crm
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self.sightings = Sightings(
            self.crm, self.store, self.clock, self.metrics, overlap=10, wake=lambda: None
        )  # fmt: skip
        self.full = FullScan(self.crm, self.store, self.sightings, self.clock, self.metrics, overlap=10)

    async def scan(self) -> None:
        self.clock.time += 3600
        self.crm.calls.clear()
        await self.full.scan_espocrm()

    async def sync(self) -> None:
        for person in await self.store.lease("test", 1000):
            seen = look_espocrm(await self.crm.get(person.espocrm_id), None)
            await self.store.looked(person.espocrm_id, Side.ESPOCRM, seen)
            await self.store.move(person.espocrm_id, Event(Trigger.SYNCED))

    async def known(self, *ids: str) -> None:
        """Tracked, synced and quiet."""
        for number, one in enumerate(ids):
            self.crm.save(one, number + 1)
        await self.scan()
        await self.sync()

    async def states(self) -> dict[State, int]:
        return {state: number for state, number in (await self.store.counts()).items() if number}

    async def reason(self, espocrm_id: str) -> str:
        person = await self.store.person(espocrm_id)
        assert person is not None
        return person.standing.reason


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = HandClock()
    async with opener(tmp_path / "k.sqlite3", clock)() as store:
        yield Desk(store, clock, Crm(clock))


@pytest.mark.parametrize("page", [1, 7, 50, 200])
async def test_everybody_with_a_betnr_is_discovered_whatever_the_size_of_a_page(
    desk: Desk, page: int
) -> None:
    desk.crm.size = page
    for number, one in enumerate(ids(50)):
        desk.crm.save(one, number + 1 if number % 5 else None)
    await desk.scan()
    assert await desk.states() == {State.DIRTY: 40}
    assert len(desk.crm.lists()) == -(-50 // page)


async def test_old_records_do_not_count_as_changes_made_long_ago(desk: Desk) -> None:
    desk.crm.save("a", 7, ago=10_000_000)
    await desk.scan()
    person = await desk.store.person("a")
    assert person is not None
    assert person.standing.unsynced_since == desk.clock.now()


async def test_a_quiet_firm_is_left_alone(desk: Desk) -> None:
    await desk.known(*ids(30))
    await desk.scan()
    assert await desk.states() == {State.CLEAN: 30}
    assert desk.crm.calls == [("census", "")]


async def test_a_change_that_the_feed_did_not_show_is_found(desk: Desk) -> None:
    await desk.known("a", "b")
    desk.crm.save("b", 2)
    await desk.scan()
    assert await desk.states() == {State.CLEAN: 1, State.DIRTY: 1}
    assert await desk.reason("b") == "espocrm_changed"


@pytest.mark.parametrize("gone", ["0000", "0003", "0006"])
async def test_a_missing_record_is_a_suspicion_for_the_sync(desk: Desk, gone: str) -> None:
    """At the beginning, in the middle and at the end of the pages."""
    desk.crm.size = 3
    await desk.known(*ids(7))
    del desk.crm.rows[gone]
    await desk.scan()
    assert await desk.states() == {State.CLEAN: 6, State.DIRTY: 1}
    assert await desk.reason(gone) == "record_missing_in_list"


@pytest.mark.parametrize("changed", ids(7))
async def test_a_change_is_found_wherever_it_is_on_a_page(desk: Desk, changed: str) -> None:
    desk.crm.size = 3
    await desk.known(*ids(7))
    desk.crm.save(changed, int(changed) + 1)
    await desk.scan()
    assert await desk.reason(changed) == "espocrm_changed"


async def test_more_are_missing_than_are_read_at_once(desk: Desk) -> None:
    for number, one in enumerate(ids(510)):
        await desk.store.discover(one, number + 1, None)
    await desk.scan()
    assert await desk.reason("0509") == "record_missing_in_list"


async def test_all_are_missing(desk: Desk) -> None:
    await desk.known(*ids(7))
    desk.crm.rows.clear()
    await desk.scan()
    assert await desk.states() == {State.DIRTY: 7}


async def test_a_restored_record_is_discovered_again(desk: Desk) -> None:
    """facts/EspoCRM §1.6: a restore does not bump modifiedAt."""
    await desk.known("a")
    await desk.store.move("a", Event(Trigger.UNTRACKED))
    await desk.scan()
    assert await desk.states() == {State.DIRTY: 1}


async def test_who_is_being_synced_is_left_to_his_sync(desk: Desk) -> None:
    await desk.known("a", "b")
    for one in "ab":
        await desk.store.move(one, Event(Trigger.ASKED))
    await desk.store.lease("test", 2)
    desk.crm.save("a", 1)
    del desk.crm.rows["b"]
    await desk.scan()
    for one in "ab":
        person = await desk.store.person(one)
        assert person is not None
        assert not person.standing.noted


async def restore(desk: Desk, number: int) -> None:
    """EspoCRM comes back from a backup in which the first ``number`` records are older."""
    await desk.known(*ids(30))
    desk.clock.time += 100_000
    for one, row in desk.crm.rows.items():
        row.modified_at = stamp_of(desk.clock.now())
        await desk.store.looked(one, Side.ESPOCRM, look_espocrm(await desk.crm.get(one), None))
    await desk.scan()
    assert await desk.states() == {State.CLEAN: 30}
    for one in ids(number):
        desk.crm.rows[one].modified_at = stamp_of(desk.clock.now() - 50_000)


async def test_a_restored_espocrm_blows_the_fuse_for_edits_too(desk: Desk) -> None:
    await restore(desk, 11)
    await desk.scan()
    assert await desk.store.fuse(Side.ESPOCRM) is Fuse.EVERYTHING
    assert await desk.states() == {State.CLEAN: 19, State.DIRTY: 11}


async def test_before_the_fuse_blows_nobody_is_due(desk: Desk) -> None:
    await restore(desk, 30)
    seen: list[dict[State, int]] = []

    class Watching:
        def __getattr__(self, name: str) -> object:
            return getattr(desk.store, name)

        async def blow_fuse(self, side: Side, fuse: Fuse, reason: str) -> None:
            seen.append(await desk.states())
            await desk.store.blow_fuse(side, fuse, reason)

    watched = FullScan(desk.crm, Watching(), desk.sightings, desk.clock, desk.metrics, overlap=10)  # type: ignore[arg-type]
    await watched.scan_espocrm()
    assert seen == [{State.CLEAN: 30}]
    assert await desk.states() == {State.DIRTY: 30}


async def test_ten_older_records_are_ordinary_changes(desk: Desk) -> None:
    await restore(desk, 10)
    await desk.scan()
    assert await desk.store.fuse(Side.ESPOCRM) is Fuse.INTACT
    assert await desk.states() == {State.CLEAN: 20, State.DIRTY: 10}


async def test_a_clock_that_was_set_back_is_no_restore(desk: Desk) -> None:
    """§7: what was really saved since the last scan only looks older."""
    desk.crm.ahead = desk.sightings.offset = 86_400.0
    await desk.known(*ids(30))
    await desk.scan()
    desk.crm.ahead = desk.sightings.offset = 0.0
    desk.clock.time += 60
    for one in ids(30):
        desk.crm.save(one, int(one) + 1)
    await desk.scan()
    assert await desk.store.fuse(Side.ESPOCRM) is Fuse.INTACT
    assert await desk.states() == {State.DIRTY: 30}


async def test_a_page_that_is_older_than_our_own_writes_is_no_restore(desk: Desk) -> None:
    await desk.known(*ids(30))
    census = desk.crm.census

    async def slow_census(after_id: str) -> object:
        page = await census(after_id)
        desk.clock.time += 5
        for one in ids(30):
            desk.crm.save(one, int(one) + 1)
            seen = look_espocrm(await desk.crm.get(one), None)
            await desk.store.looked(one, Side.ESPOCRM, seen)
        return page

    desk.crm.census = slow_census  # type: ignore[assignment,method-assign]
    await desk.scan()
    assert await desk.store.fuse(Side.ESPOCRM) is Fuse.INTACT
    assert await desk.states() == {State.CLEAN: 30}


async def test_an_outage_in_the_middle_leaves_the_rest_to_the_next_scan(desk: Desk) -> None:
    desk.crm.size = 10
    for number, one in enumerate(ids(30)):
        desk.crm.save(one, number + 1)
    census = desk.crm.census

    async def breaking(after_id: str) -> object:
        if after_id == "0019":
            raise SideDown(side=Side.ESPOCRM)
        return await census(after_id)

    desk.crm.census = breaking  # type: ignore[assignment,method-assign]
    with pytest.raises(SideDown):
        await desk.scan()
    assert not desk.full.done
    desk.crm.census = census  # type: ignore[method-assign]
    await desk.scan()
    assert desk.full.done
    assert await desk.states() == {State.DIRTY: 30}


async def test_the_last_one_of_a_doubled_betnr_is_asked(desk: Desk) -> None:
    await desk.known("a", "b")
    for one in "ab":
        await desk.store.rebind(one, 7, Event(Trigger.CHANGE_SEEN))
    await desk.store.lease("test", 2)
    for one in "ab":
        await desk.store.move(one, Event(Trigger.GAVE_UP, DOUBLED_BET_NR))
    await desk.scan()
    desk.crm.rows["a"].bet_nr = desk.crm.rows["b"].bet_nr = 7
    await desk.store.move("b", Event(Trigger.UNTRACKED))
    del desk.crm.rows["b"]
    await desk.scan()
    assert await desk.states() == {State.DIRTY: 1}
