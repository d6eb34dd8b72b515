"""Looks that change nothing are written together, and nobody notices."""

from daemon.ports import Finish
from daemon.store import SqliteStore
from daemon.store.looks import Recent
from statemachine.model import Side
from statemachine.states import Trigger
from tests.daemon.store.building import START, HandClock, Opener, base, done, lease_one, seen, synced


async def test_a_look_is_seen_at_once_and_written_later(
    store: SqliteStore, open_beside: Opener, clock: HandClock
) -> None:
    await store.discover("a", 1, None)
    await store.looked("a", Side.ESPOCRM, seen(START + 1, stamp="later", version=8))
    await store.looked("a", Side.ADVOWARE, seen(START + 2))
    person = await store.person("a")
    assert person is not None
    assert (person.stamp, person.version, person.looked_at) == ("later", 8, START + 2)
    assert (await store.case("a", 1, 0)).seen_espocrm == seen(START + 1, stamp="later", version=8)
    assert (await store.by_bet_nr(1), await store.scan_slice("", 1)) == ([person], [person])
    async with open_beside() as other:
        assert (await other.case("a", 1, 0)).seen_espocrm is None
        clock.time += 10
        await store.looked("a", Side.ADVOWARE, seen(START + 12))
        assert (await other.case("a", 1, 0)).seen_espocrm == seen(START + 1, stamp="later", version=8)
        assert (await other.case("a", 1, 0)).seen_advoware == seen(START + 12)
    assert (await store.lease("me", 1))[0].looked_at == START + 12


async def test_the_end_of_a_run_overtakes_an_older_look_only(store: SqliteStore, clock: HandClock) -> None:
    clock.time += 10
    await store.discover("a", 1, None)
    await store.looked("a", Side.ADVOWARE, seen(START + 1, "old"))
    await store.looked("a", Side.ESPOCRM, seen(START + 9, "young"))
    finish = Finish(base(), done(), seen_espocrm=seen(START + 5), seen_advoware=seen(START + 5))
    await synced(store, "a", 1, finish)
    case = await store.case("a", 1, 0)
    assert (case.seen_advoware, case.seen_espocrm) == (seen(START + 5), seen(START + 9, "young"))


async def test_a_look_that_waits_from_before_the_clock_was_set_back_is_overtaken(
    store: SqliteStore, clock: HandClock
) -> None:
    """It would hide what the run has seen until the clock is there again."""
    await store.discover("a", 1, None)
    clock.time += 3600
    await store.looked("a", Side.ADVOWARE, seen(clock.time, "old"))
    clock.time -= 3590
    await synced(store, "a", 1, Finish(base(), done(), seen_advoware=seen(START + 9)))
    assert (await store.case("a", 1, 0)).seen_advoware == seen(START + 9)


async def test_looks_of_the_untracked_are_forgotten(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    await store.looked("a", Side.ADVOWARE, seen(START))
    await store.move("a", done(Trigger.UNTRACKED))
    await store.looked("a", Side.ESPOCRM, seen(START))
    assert await store.sweep_slice(START + 1, 1) == []
    await store.discover("a", 1, None)
    assert (await store.case("a", 1, 0)).seen_espocrm is None


async def test_looks_of_the_old_betnr_are_forgotten(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    await lease_one(store)
    await store.looked("a", Side.ADVOWARE, seen(START))
    bound = await store.rebind("a", 2, done(Trigger.CHANGE_SEEN))
    assert bound.looked_at == 0.0
    assert (await store.case("a", 2, 0)).seen_advoware is None


def test_looks_wait_for_company_but_not_for_long() -> None:
    recent = Recent(size=3, seconds=10)
    assert not recent.add("a", Side.ESPOCRM, seen(1), 0)
    assert not recent.add("a", Side.ESPOCRM, seen(2), 5)
    assert not recent.add("b", Side.ESPOCRM, seen(2), 9)
    assert recent.add("c", Side.ESPOCRM, seen(2), 9.5)
    assert [look[2].at for look in recent.take()] == [2, 2, 2]
    assert not recent.add("a", Side.ESPOCRM, seen(3), 20)
    assert recent.add("a", Side.ESPOCRM, seen(4), 30)
