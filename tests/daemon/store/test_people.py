"""Persons: states move by the table, each with its log row; pairs keep their base."""

from dataclasses import replace

import pytest

from daemon.ports import Finish
from daemon.store import SqliteStore
from statemachine.case import Conflict, ConflictKind, Hold, Keep
from statemachine.errors import ContractBroken
from statemachine.model import Base, Side
from statemachine.standing import Event
from statemachine.states import State, Trigger
from tests.daemon.store.building import (
    GUARD,
    START,
    HandClock,
    Opener,
    base,
    done,
    lease_one,
    link,
    seen,
    synced,
    vanished,
)

CHANGED = Event(Trigger.CHANGE_SEEN, "betnr")


async def test_a_discovered_person_is_dirty_and_due_now(store: SqliteStore) -> None:
    person = await store.discover("a", 4711, START - 30)
    assert (person.standing.state, person.standing.due_at) == (State.DIRTY, START)
    assert (person.standing.unsynced_since, person.standing.change_side) == (START - 30, "espocrm")
    assert await store.person("a") == person
    assert await store.by_bet_nr(4711) == [person]
    assert await store.next_due() == START


async def test_nobody_is_discovered_twice(store: SqliteStore) -> None:
    await store.discover("a", 4711, None)
    with pytest.raises(ContractBroken):
        await store.discover("a", 4711, None)


async def test_who_is_not_tracked_is_none(store: SqliteStore) -> None:
    assert await store.person("nobody") is None
    assert await store.move("nobody", done()) is None
    with pytest.raises(ContractBroken):
        await store.rebind("nobody", 1, CHANGED)


async def test_a_move_outside_of_the_table_changes_nothing(store: SqliteStore) -> None:
    before = await store.discover("a", 4711, None)
    with pytest.raises(ContractBroken):
        await store.move("a", done(Trigger.SYNCED))
    assert await store.person("a") == before
    assert [line["trigger"] for line in await store.history(4711)] == ["discovered"]


async def test_failures_wait_longer_and_then_give_up(store: SqliteStore, clock: HandClock) -> None:
    await store.discover("a", 4711, None)
    waits = []
    for _ in range(2):
        await lease_one(store)
        person = await store.move("a", done(Trigger.ATTEMPT_FAILED, "server_error"), run="r1")
        assert person is not None
        assert person.standing.due_at is not None
        waits.append(person.standing.due_at - clock.time)
        clock.time = person.standing.due_at
    assert 48 <= waits[0] <= 72
    assert 240 <= waits[1] <= 360
    assert waits != [60, 300]  # the jitter is drawn
    await lease_one(store)
    gone = await store.move("a", done(Trigger.ATTEMPT_FAILED, "server_error"))
    assert gone is not None
    assert (gone.standing.state, gone.standing.attempts) == (State.PERMANENTLY_FAILED, 3)
    assert (await store.history(4711))[-1]["trigger"] == "gave_up"
    assert await store.reset_due(10) == 0
    clock.time += 1000
    assert await store.reset_due(10) == 1
    again = await store.person("a")
    assert again is not None
    assert (again.standing.state, again.standing.attempts) == (State.FAILED, 0)


async def test_what_happens_during_a_run_makes_it_due_again(store: SqliteStore) -> None:
    await store.discover("a", 4711, None)
    await lease_one(store)
    await store.move("a", CHANGED)
    after = await store.move("a", done(Trigger.POSTPONED))
    assert after is not None
    assert (after.standing.state, after.standing.due_at) == (State.DIRTY, START)


async def test_an_untracked_persons_base_is_kept_and_used_again(store: SqliteStore) -> None:
    await store.discover("a", 4711, None)
    await synced(store, "a", 4711, Finish(base(link("1")), done(), seen_espocrm=seen(START), empty_slots=2))
    assert (await store.sums()).links == 1
    assert await store.move("a", done(Trigger.UNTRACKED)) is None
    assert await store.person("a") is None
    sums = await store.sums()
    assert (sums.tracked, sums.links, sums.empty_slots) == (0, 0, 0)
    await store.discover("a", 4711, None)
    case = await store.case("a", 4711, 0)
    assert case.base == base(link("1"))
    assert case.seen_espocrm is None
    assert case.previous is None
    sums = await store.sums()
    assert (sums.links, sums.empty_slots) == (1, 2)


async def test_a_kept_base_is_pruned_when_its_time_is_over(store: SqliteStore, clock: HandClock) -> None:
    await store.discover("a", 4711, None)
    await synced(store, "a", 4711, Finish(base(link("1")), done()))
    await store.move("a", done(Trigger.UNTRACKED))
    clock.time += 31 * 86400
    while await store.prune(1):
        pass
    assert await store.history(4711) == []
    await store.discover("a", 4711, None)
    assert (await store.case("a", 4711, 0)).base == Base()


async def test_a_changed_betnr_keeps_the_old_base_until_it_is_decided(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    finish = Finish(base(link("1")), done(), vanished=vanished("1"), seen_advoware=seen(START))
    await synced(store, "a", 1, finish)
    bound = await store.rebind("a", 2, CHANGED)
    assert (bound.bet_nr, bound.standing.state, bound.looked_at) == (2, State.DIRTY, 0.0)
    case = await store.case("a", 2, 0)
    assert (case.base, case.previous, case.vanished) == (Base(), base(link("1")), ())
    assert case.seen_advoware is None
    asked = Conflict(0, ConflictKind.BETNR_CHANGED, None, None, None, "2")
    await synced(store, "a", 2, Finish(Base(), done(Trigger.CONFLICT_FOUND), conflicts=(asked,)))
    waiting = await store.case("a", 2, 0)
    assert waiting.previous == base(link("1"))
    await store.decide(waiting.conflicts[0].id, Keep.ESPOCRM, "operator")
    decided = await store.case("a", 2, 0)
    assert (decided.previous, len(decided.decisions)) == (base(link("1")), 1)
    left = Finish(Base(), done(Trigger.LOOK_AGAIN), decided=((decided.decisions[0], "done"),))
    await synced(store, "a", 2, left)
    assert (await store.case("a", 2, 0)).previous is None


async def test_a_betnr_that_changes_back_finds_its_base(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    await synced(store, "a", 1, Finish(base(link("1")), done()))
    await store.rebind("a", 2, CHANGED)
    await store.rebind("a", 3, CHANGED)
    case = await store.case("a", 3, 0)
    assert case.previous == base(link("1"))  # 2 was never agreed: the items are still those of 1
    await store.rebind("a", 1, CHANGED)
    case = await store.case("a", 1, 0)
    assert (case.base, case.previous) == (base(link("1")), None)


async def test_a_betnr_that_was_removed_and_comes_back_as_another_one_has_changed(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    await synced(store, "a", 1, Finish(base(link("1")), done()))
    await store.move("a", done(Trigger.UNTRACKED))
    await store.discover("a", 2, None)
    assert (await store.case("a", 2, 0)).previous == base(link("1"))


async def test_an_agreed_new_pair_has_no_previous_one(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    await synced(store, "a", 1, Finish(base(link("1")), done()))
    await store.rebind("a", 2, CHANGED)
    await synced(store, "a", 2, Finish(base(link("1", "0511 777")), done()))
    assert (await store.case("a", 2, 0)).previous is None


async def test_a_run_of_the_old_pair_leaves_its_base_there(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    await lease_one(store)
    await store.rebind("a", 2, CHANGED)
    left = Finish(base(link("9")), done(), vanished=vanished("9"), conflicts=())
    after = await store.finish("a", 1, left, run="r", guard=GUARD)
    assert after is not None
    assert after.standing.state is State.DIRTY
    assert (await store.case("a", 2, 0)).base == Base()
    assert (await store.case("a", 1, 0)).base == base(link("9"))
    assert (await store.case("a", 2, 0)).vanished == ()
    assert (await store.sums()).links == 0


async def test_what_was_rejected_is_known_for_as_long_as_the_base_is_kept(
    store: SqliteStore, clock: HandClock
) -> None:
    """The pair may come back before it was written back; after that nobody asks for it."""
    await store.discover("a", 1, None)
    (mark,) = vanished("1")
    rejected = replace(mark, hold=Hold.REJECTED)
    await synced(store, "a", 1, Finish(base(link("1")), done(), vanished=(rejected,)))
    await store.move("a", done(Trigger.UNTRACKED))
    assert [one.hold for one in (await store.case("a", 1, 0)).vanished] == [Hold.REJECTED]
    clock.time += 31 * 86400
    while await store.prune(1):
        pass
    assert (await store.case("a", 1, 0)).vanished == ()


async def test_a_run_that_outlives_the_tracking_still_leaves_its_base(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    await lease_one(store)
    await store.move("a", done(Trigger.UNTRACKED))
    assert await store.move("a", done()) is None
    assert await store.finish("a", 1, Finish(base(link("1")), done()), run="r", guard=GUARD) is None
    assert (await store.sums()).links == 0
    await store.discover("a", 1, None)
    assert (await store.case("a", 1, 0)).base == base(link("1"))
    assert (await store.sums()).links == 1


async def test_pausing_and_resuming_one_person(store: SqliteStore, clock: HandClock) -> None:
    await store.discover("a", 1, None)
    assert await store.pause_person("a", START + 100)
    assert await store.lease("me", 5) == []
    assert await store.next_due() == START + 100
    clock.time += 100
    assert await store.next_due() == START
    await store.pause_person("a", float("inf"))
    assert await store.next_due() is None
    resumed = await store.resume_person("a")
    assert resumed is not None
    assert resumed.paused_until is None
    assert len(await store.lease("me", 5)) == 1
    assert not await store.pause_person("nobody", 1.0)
    assert await store.resume_person("nobody") is None


async def test_states_and_pauses_survive_a_restart(open_store: Opener, clock: HandClock) -> None:
    async with open_store() as store:
        await store.discover("a", 1, None)
        await store.discover("b", 2, None)
        await lease_one(store, "b")
        await store.looked("a", Side.ADVOWARE, seen(START + 5))
        before = await store.person("a")
    async with open_store() as store:
        assert await store.person("a") == before
        assert before is not None
        assert before.looked_at == START + 5
        assert await store.counts() == {state: int(state in (State.DIRTY, State.SYNCING)) for state in State}
        assert await store.recover("somebody else") == 1
        assert (await store.counts())[State.DIRTY] == 2
