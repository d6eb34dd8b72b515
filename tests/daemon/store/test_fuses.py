"""The fuse counts what vanished, holds what is too much, and forgets nothing over a restart (§9)."""

import pytest

from daemon.ports import Finish, GuardLimits
from daemon.store import ShownList, SqliteStore
from statemachine.case import Fuse, Hold
from statemachine.model import Side
from statemachine.states import State, Trigger
from tests.daemon.store.building import (
    START,
    HandClock,
    Opener,
    base,
    done,
    lease_one,
    link,
    synced,
    vanished,
)

SMALL = GuardLimits(max_deletions=2, max_deletion_share=1.0, window_seconds=600)


async def _vanish(store: SqliteStore, name: str, number: int, *keys: str, side: Side = Side.ADVOWARE) -> None:
    if await store.person(name) is None:
        await store.discover(name, number, None)
    if not await store.lease("me", 1, only=[name]):
        await store.ask([name], "retry")
        await lease_one(store, name)
    links = base(*(link(str(one)) for one in range(1, 5)))
    finish = Finish(links, done(Trigger.LOOK_AGAIN), vanished=vanished(*keys, side=side))
    await store.finish(name, number, finish, run="r", guard=SMALL)


async def _holds(store: SqliteStore, name: str, number: int) -> list[Hold]:
    return [one.hold for one in (await store.case(name, number, 0)).vanished]


async def test_a_few_deletions_go_through(store: SqliteStore) -> None:
    await _vanish(store, "a", 1, "1", "2")
    assert await store.fuse(Side.ADVOWARE) is Fuse.INTACT
    assert await store.may_delete("a", "1", Side.ADVOWARE)
    assert await _holds(store, "a", 1) == [Hold.CARRIED, Hold.PENDING]


async def test_too_many_blow_the_fuse_of_their_side_for_everybody(store: SqliteStore) -> None:
    await _vanish(store, "a", 1, "1", "2")
    await store.may_delete("a", "1", Side.ADVOWARE)
    await _vanish(store, "b", 2, "1")
    assert await store.fuse(Side.ADVOWARE) is Fuse.DELETIONS
    assert await store.fuse(Side.ESPOCRM) is Fuse.INTACT
    assert await _holds(store, "a", 1) == [Hold.HELD, Hold.HELD], (
        "the first was allowed, but no run has seen it done"
    )
    assert not await store.may_delete("a", "2", Side.ADVOWARE)
    assert not await store.may_delete("b", "1", Side.ADVOWARE)
    assert await store.may_delete("b", "3", Side.ESPOCRM)
    assert not await store.may_delete("nobody", "1", Side.ESPOCRM)
    held = [(one.bet_nr, one.link_key) for one in await store.held_deletions()]
    assert held == [(1, "1"), (1, "2"), (2, "1")]
    assert (await store.case("b", 2, 0)).fuse_of(Side.ADVOWARE) is Fuse.DELETIONS
    [blown] = await store.fuse_details()
    assert (blown.side, blown.at, blown.reason) == (Side.ADVOWARE, START, "3 of 8 entries vanished")


async def test_what_vanishes_while_it_is_blown_is_held_at_once(store: SqliteStore) -> None:
    await store.blow_fuse(Side.ADVOWARE, Fuse.EVERYTHING, "restored")
    await _vanish(store, "a", 1, "1")
    assert await _holds(store, "a", 1) == [Hold.HELD]
    await store.blow_fuse(Side.ADVOWARE, Fuse.DELETIONS, "less")
    assert await store.fuse(Side.ADVOWARE) is Fuse.EVERYTHING


async def test_approved_ones_go_and_do_not_count_again(store: SqliteStore) -> None:
    await _vanish(store, "a", 1, "1", "2", "3")
    assert await store.settle_fuse(Side.ESPOCRM, approve=True, by="anna") == 0
    assert await store.settle_fuse(Side.ADVOWARE, approve=True, by="anna") == 3
    assert await store.fuse(Side.ADVOWARE) is Fuse.INTACT
    person = await store.person("a")
    assert person is not None
    assert person.standing.reason == "deletions_approved by anna"
    assert await store.may_delete("a", "1", Side.ADVOWARE)
    await _vanish(store, "b", 2, "1", "2")
    assert await store.fuse(Side.ADVOWARE) is Fuse.INTACT
    await _vanish(store, "c", 3, "1")
    assert await store.fuse(Side.ADVOWARE) is Fuse.DELETIONS
    assert await store.may_delete("a", "2", Side.ADVOWARE)  # his approval stands
    await _vanish(store, "a", 1)
    assert await _holds(store, "a", 1) == []


async def test_rejected_ones_are_never_carried_out(store: SqliteStore) -> None:
    await _vanish(store, "a", 1, "1", "2", "3")
    assert await store.settle_fuse(Side.ADVOWARE, approve=False, by="anna") == 3
    assert await _holds(store, "a", 1) == [Hold.REJECTED] * 3
    assert not await store.may_delete("a", "1", Side.ADVOWARE)
    await _vanish(store, "a", 1)  # they are back
    assert await _holds(store, "a", 1) == []


async def test_a_decision_during_a_run_is_noted(store: SqliteStore) -> None:
    await _vanish(store, "a", 1, "1", "2", "3")
    await lease_one(store, "a")
    await store.settle_fuse(Side.ADVOWARE, approve=True, by="anna")
    await _finish_again(store)
    person = await store.person("a")
    assert person is not None
    assert (person.standing.state, person.standing.due_at) == (State.DIRTY, START)
    assert await _holds(store, "a", 1) == [Hold.APPROVED] * 3


async def _finish_again(store: SqliteStore) -> None:
    finish = Finish(base(link("1")), done(), vanished=vanished("1", "2", "3"))
    await store.finish("a", 1, finish, run="r", guard=SMALL)


async def test_what_came_back_does_not_count(store: SqliteStore) -> None:
    await _vanish(store, "a", 1, "1", "2")
    await _vanish(store, "a", 1, "2")
    await _vanish(store, "b", 2, "1")
    assert await store.fuse(Side.ADVOWARE) is Fuse.INTACT


async def test_carried_ones_count_although_they_are_gone(store: SqliteStore, clock: HandClock) -> None:
    for key in ("1", "2"):
        await _vanish(store, "a", 1, key)
        assert await store.may_delete("a", key, Side.ADVOWARE)
    await _vanish(store, "a", 1)
    assert await _holds(store, "a", 1) == [Hold.CARRIED] * 2
    clock.time += 599
    await _vanish(store, "b", 2, "1")
    assert await store.fuse(Side.ADVOWARE) is Fuse.DELETIONS


async def test_they_count_even_when_the_person_is_gone(store: SqliteStore) -> None:
    await _vanish(store, "a", 1, "1", "2")
    await store.may_delete("a", "1", Side.ADVOWARE)
    await store.may_delete("a", "2", Side.ADVOWARE)
    await store.move("a", done(Trigger.UNTRACKED))
    await _vanish(store, "b", 2, "1")
    assert await store.fuse(Side.ADVOWARE) is Fuse.DELETIONS


async def test_the_window_passes(store: SqliteStore, clock: HandClock) -> None:
    await _vanish(store, "a", 1, "1", "2")
    await store.may_delete("a", "1", Side.ADVOWARE)
    clock.time += 600
    await _vanish(store, "b", 2, "1")
    assert await store.fuse(Side.ADVOWARE) is Fuse.INTACT
    assert await _holds(store, "a", 1) == [Hold.PENDING]


async def test_a_deletion_nobody_registered_counts_as_well(store: SqliteStore) -> None:
    await synced_links(store)
    for key in ("1", "2", "3"):
        assert await store.may_delete("a", key, Side.ADVOWARE)
    [first, *_] = (await store.case("a", 1, 0)).vanished
    assert first.base_value == "+495111234560"
    await _vanish(store, "b", 2, "1")
    assert await store.fuse(Side.ADVOWARE) is Fuse.DELETIONS


async def synced_links(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    await synced(store, "a", 1, Finish(base(link("1"), link("2"), link("3")), done()))


async def test_the_count_and_the_fuse_survive_a_restart(open_store: Opener) -> None:
    async with open_store() as store:
        await _vanish(store, "a", 1, "1", "2")
    async with open_store() as store:
        await _vanish(store, "b", 2, "1")
    async with open_store() as store:
        assert await store.fuse(Side.ADVOWARE) is Fuse.DELETIONS
        assert await store.settle_fuse(Side.ADVOWARE, approve=True, by="anna") == 3


@pytest.mark.parametrize("share", [0.02, 1.0])
async def test_the_share_of_all_links_counts(store: SqliteStore, share: float) -> None:
    guard = GuardLimits(max_deletions=50, max_deletion_share=share, window_seconds=600)
    await store.discover("a", 1, None)
    await lease_one(store)
    links = base(*(link(str(one)) for one in range(40)))
    keys = [str(one) for one in range(11)]
    await store.finish("a", 1, Finish(links, done(), vanished=vanished(*keys)), run="r", guard=guard)
    assert (await store.fuse(Side.ADVOWARE) is Fuse.DELETIONS) == (share == 0.02)


async def test_only_what_was_seen_is_decided(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    keys = [str(one) for one in range(60)]
    await synced(store, "a", 1, Finish(base(), done(), vanished=vanished(*keys)))
    assert await store.settle_fuse(Side.ADVOWARE, True, "operator", ShownList(59, START)) == 0
    assert await store.fuse(Side.ADVOWARE) is Fuse.DELETIONS
    assert await store.settle_fuse(Side.ADVOWARE, True, "operator", ShownList(60, START - 1)) == 0, (
        "one is new"
    )
    assert await store.settle_fuse(Side.ADVOWARE, True, "operator", ShownList(60, START)) == 60
