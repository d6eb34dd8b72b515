"""Polling EspoCRM: what is noticed, what is not looked at twice, and what an idle firm costs (sync-rules §1, §10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon.loop import Bell
from daemon.metrics import Metrics
from daemon.poller import Poller
from daemon.sightings import Sightings, moment, stamp_of
from daemon.store import SqliteStore
from statemachine.errors import Refused, ServerError, SideDown
from statemachine.looks import look_espocrm
from statemachine.model import Side
from statemachine.standing import Event
from statemachine.states import State, Trigger
from tests.daemon.sides import Crm
from tests.daemon.store.building import HandClock, opener

OVERLAP = 10.0


@dataclass
class Desk:
    """A poller with everything around it, and a stand-in for the sync: a look that is remembered."""

    store: SqliteStore
    clock: HandClock
    crm: Crm
    woken: list[bool] = field(default_factory=list)
    scan_wanted: Bell = field(default_factory=Bell)
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.sightings = Sightings(
            self.crm, self.store, self.clock, self.metrics, overlap=OVERLAP, wake=lambda: self.woken.append(True)
        )  # fmt: skip
        self.poller = Poller(
            self.crm, self.store, self.sightings, self.clock, self.metrics,
            overlap=OVERLAP, scan_wanted=self.scan_wanted,
        )  # fmt: skip

    async def poll(self, wait: float = 15) -> None:
        self.clock.time += wait
        await self.poller.poll_espocrm()

    async def sync(self) -> None:
        """Whoever is due is looked at and clean."""
        for person in await self.store.lease("test", 100):
            await self.look(person.espocrm_id)
            await self.store.move(person.espocrm_id, Event(Trigger.SYNCED))

    async def look(self, espocrm_id: str) -> None:
        await self.store.looked(espocrm_id, Side.ESPOCRM, look_espocrm(await self.crm.get(espocrm_id), None))
        self.crm.calls.clear()

    async def state(self, espocrm_id: str) -> State | None:
        person = await self.store.person(espocrm_id)
        return person and person.standing.state

    async def settle(self, polls: int = 6) -> None:
        for _ in range(polls):
            await self.sync()
            await self.poll()
        self.crm.calls.clear()
        self.woken.clear()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = HandClock()
    async with opener(tmp_path / "k.sqlite3", clock)() as store:
        crm = Crm(clock)
        yield Desk(store, clock, crm)


async def test_a_new_record_is_discovered_and_wakes_the_worker(desk: Desk) -> None:
    await desk.poll()
    desk.clock.time += 5
    desk.crm.save("a", 7)
    await desk.poll(3)
    person = await desk.store.person("a")
    assert person is not None
    assert (person.bet_nr, person.standing.state) == (7, State.DIRTY)
    assert person.standing.unsynced_since == pytest.approx(desk.clock.now() - 3, abs=1)
    assert desk.woken
    assert desk.metrics.changes_detected[Side.ESPOCRM]._value.get() == 1


async def test_what_was_there_before_the_first_poll_is_the_full_scans(desk: Desk) -> None:
    desk.crm.save("a", 7, ago=1000)
    await desk.poll()
    assert await desk.state("a") is None


async def test_a_record_without_betnr_is_not_tracked_until_it_gets_one(desk: Desk) -> None:
    await desk.poll()
    desk.crm.save("a", None)
    await desk.poll(1)
    assert await desk.state("a") is None
    desk.clock.time += 1
    desk.crm.save("a", 7)
    await desk.poll(1)
    assert await desk.state("a") is State.DIRTY


async def test_an_idle_firm_costs_one_list_call_per_poll(desk: Desk) -> None:
    await desk.poll()
    for number in range(300):
        desk.crm.save(f"{number:03}", number + 1)
    await desk.poll(1)
    await desk.settle(10)
    for _ in range(20):
        await desk.poll()
    assert [call[0] for call in desk.crm.calls] == ["changed"] * 20
    assert not desk.woken


async def test_thousands_saved_in_one_second_are_listed_page_by_page(desk: Desk) -> None:
    await desk.poll()
    desk.crm.size = 50
    for number in range(180):
        desk.crm.save(f"{number:03}", number + 1)
    desk.crm.calls.clear()
    await desk.poll(1)
    assert (await desk.store.counts())[State.DIRTY] == 180
    assert len(desk.crm.lists()) == 4


async def test_an_edit_is_seen_once(desk: Desk) -> None:
    await desk.poll()
    desk.crm.save("a")
    await desk.settle()
    desk.crm.save("a", phone="+495119876540")
    await desk.poll(2)
    assert await desk.state("a") is State.DIRTY
    desk.woken.clear()
    await desk.poll(2)
    assert not desk.woken


async def test_a_look_too_close_to_the_save_is_repeated_once_when_it_is_ripe(desk: Desk) -> None:
    """§8: a torn read carries the new modifiedAt already."""
    await desk.poll()
    desk.crm.save("a")
    await desk.poll(1)
    await desk.sync()
    await desk.poll(2)
    assert not [call for call in desk.crm.calls if call[0] == "get"]
    await desk.poll(15)
    assert [call for call in desk.crm.calls if call[0] == "get"] == [("get", "a")]
    assert await desk.state("a") is State.CLEAN
    await desk.poll()
    assert len([call for call in desk.crm.calls if call[0] == "get"]) == 1


async def test_a_torn_read_is_found_by_that_look(desk: Desk) -> None:
    await desk.poll()
    desk.crm.save("a", phone="half of it")
    await desk.poll(1)
    await desk.sync()
    desk.crm.rows["a"].phone = "+495111234560"
    await desk.poll(15)
    person = await desk.store.person("a")
    assert person is not None
    assert (person.standing.state, person.standing.reason) == (State.DIRTY, "espocrm_changed")


async def test_a_torn_read_is_found_though_espocrm_s_clock_was_set_back_meanwhile(desk: Desk) -> None:
    """Its stamp lies in the future then, and nobody waits until that has come; one look more is enough."""
    desk.crm.ahead = 93_600.0
    await desk.poll()
    desk.crm.save("a", phone="half of it")
    await desk.poll(1)
    await desk.sync()
    desk.crm.rows["a"].phone = "+495111234560"
    desk.crm.ahead = -3600.0
    for _ in range(4):
        await desk.poll(8)
    assert await desk.state("a") is State.DIRTY
    assert len([call for call in desk.crm.calls if call[0] == "get"]) == 1


async def test_a_poll_longer_than_twice_the_overlap_still_repeats_an_unripe_look(desk: Desk) -> None:
    await desk.poll()
    desk.crm.save("a", phone="half of it")
    await desk.poll(1)
    await desk.sync()
    desk.crm.rows["a"].phone = "+495111234560"
    await desk.poll(600)
    assert await desk.state("a") is State.DIRTY


async def test_an_own_write_costs_no_transition(desk: Desk) -> None:
    """§10: echoes equal Seen."""
    await desk.poll()
    desk.crm.save("a")
    await desk.settle()
    desk.crm.save("a")
    await desk.look("a")
    desk.woken.clear()
    for _ in range(5):
        await desk.poll()
    assert not desk.woken
    assert await desk.state("a") is State.CLEAN


async def test_what_is_listed_during_its_sync_is_judged_afterwards(desk: Desk) -> None:
    """The row may be our own write: no second round for it, but an edit of somebody else is not lost."""
    await desk.poll()
    for one in "ab":
        desk.crm.save(one)
    await desk.settle()
    for one in "ab":
        await desk.store.move(one, Event(Trigger.ASKED))
    await desk.store.lease("test", 2)
    for one in "ab":
        desk.crm.save(one)
    await desk.poll(1)
    assert not desk.woken
    await desk.look("a")
    for one in "ab":
        await desk.store.move(one, Event(Trigger.SYNCED))
    await desk.poll()
    assert (await desk.state("a"), await desk.state("b")) == (State.CLEAN, State.DIRTY)


async def test_a_slow_sync_is_still_judged_when_the_feed_no_longer_lists_it(desk: Desk) -> None:
    await desk.poll()
    desk.crm.save("a")
    await desk.poll(1)
    await desk.store.lease("test", 1)
    await desk.look("a")
    desk.crm.rows["a"].phone = "+495119876540"  # the rest of the same save
    for _ in range(6):
        await desk.poll()
    await desk.store.move("a", Event(Trigger.SYNCED))
    await desk.poll()
    assert await desk.state("a") is State.DIRTY


@pytest.mark.parametrize(("bet_nr", "reason"), [(None, "betnr_removed"), (8, "betnr_changed")])
async def test_a_changed_betnr_is_for_the_sync_to_judge(desk: Desk, bet_nr: int | None, reason: str) -> None:
    await desk.poll()
    desk.crm.save("a")
    await desk.settle()
    desk.crm.save("a", bet_nr)
    await desk.poll(1)
    person = await desk.store.person("a")
    assert person is not None
    assert (person.bet_nr, person.standing.state, person.standing.reason) == (7, State.DIRTY, reason)


async def test_a_failing_record_gets_no_new_attempts_for_being_listed_again(desk: Desk) -> None:
    await desk.poll()
    desk.crm.save("a")
    await desk.poll(1)
    for _ in range(2):
        await desk.store.lease("test", 1)
        await desk.store.move("a", Event(Trigger.ATTEMPT_FAILED, "server_error"))
        await desk.poll()
    person = await desk.store.person("a")
    assert person is not None
    assert (person.standing.state, person.standing.attempts) == (State.FAILED, 1)
    desk.restart()
    await desk.poll()
    assert await desk.state("a") is State.FAILED
    desk.crm.save("a")
    await desk.poll(1)
    assert await desk.state("a") is State.DIRTY


@pytest.mark.parametrize("error", [ServerError(side=Side.ESPOCRM), Refused(side=Side.ESPOCRM)])
async def test_a_confirming_look_that_fails_is_made_up_for(desk: Desk, error: Exception) -> None:
    await desk.poll()
    desk.crm.save("a", phone="half of it")
    await desk.poll(1)
    await desk.sync()
    desk.crm.sick["a"] = error
    for _ in range(5):
        await desk.poll()
    desk.crm.sick.clear()
    desk.crm.rows["a"].phone = "+495111234560"
    await desk.poll()
    assert await desk.state("a") is State.DIRTY


async def test_the_cursor_stays_when_a_poll_breaks_off(desk: Desk) -> None:
    await desk.poll()
    desk.crm.save("a")
    desk.crm.error = SideDown(side=Side.ESPOCRM)
    for _ in range(4):
        with pytest.raises(SideDown):
            await desk.poll(100)
    desk.crm.error = None
    await desk.poll()
    assert await desk.state("a") is State.DIRTY


async def test_the_cursor_survives_a_restart(desk: Desk) -> None:
    await desk.poll()
    desk.restart()
    desk.clock.time += 5000
    desk.crm.save("a", ago=4000)
    await desk.poll()
    assert await desk.state("a") is State.DIRTY


async def test_a_save_that_becomes_visible_late_is_found(desk: Desk) -> None:
    """facts/EspoCRM §1.2: modifiedAt is taken at the start of the save."""
    await desk.poll()
    desk.crm.save("a", 7)
    await desk.poll(1)
    desk.clock.time += 4
    desk.crm.save("b", 8, ago=9)
    await desk.poll(1)
    assert await desk.state("b") is State.DIRTY


async def test_a_server_clock_set_back_loses_nothing_and_asks_for_a_scan(desk: Desk) -> None:
    await desk.poll()
    desk.crm.save("a", 7)
    await desk.settle()
    desk.crm.ahead = -3600.0
    desk.clock.time += 5
    desk.crm.save("b", 8)
    await desk.poll(1)
    assert await desk.state("b") is State.DIRTY
    rung = desk.scan_wanted._event.is_set()
    assert rung


async def test_a_clock_set_back_while_we_were_away_is_noticed(desk: Desk) -> None:
    await desk.poll()
    desk.crm.save("a", 7)
    await desk.settle()
    desk.restart()
    desk.crm.ahead = -3600.0
    desk.clock.time += 60
    desk.crm.save("b", 8)
    await desk.poll(1)
    assert await desk.state("b") is State.DIRTY


async def test_a_stamp_from_the_future_hides_nothing(desk: Desk) -> None:
    await desk.poll()
    desk.crm.save("a", 7, ago=-86400)
    await desk.poll(1)
    await desk.settle()
    desk.crm.save("b", 8)
    await desk.poll(1)
    assert await desk.state("b") is State.DIRTY


def test_stamps_are_utc() -> None:
    assert moment("2026-11-22 03:50:54") == 1795319454.0
    assert stamp_of(1795319454.9) == "2026-11-22 03:50:54"
    assert moment("") is None
    assert moment("2026-11-22T03:50:54Z") is None
