"""What waits for a human, page by page."""

from __future__ import annotations

from daemon.ports import Finish
from daemon.store import SqliteStore
from statemachine.case import Conflict, ConflictKind, Keep, Parked, Unsyncable
from statemachine.model import Kind, Side
from statemachine.states import Trigger
from tests.daemon.store.building import START, HandClock, a_write, base, done, lease_one, synced, vanished


def conflict(key: str, kind: ConflictKind = ConflictKind.EDIT_EDIT) -> Conflict:
    return Conflict(0, kind, key, "base", f"espocrm {key}", f"advoware {key}")


async def find(store: SqliteStore, number: int, finish: Finish) -> None:
    await store.discover(f"p{number}", number, None)
    await synced(store, f"p{number}", number, finish)


async def test_conflicts_by_page_and_kind(store: SqliteStore) -> None:
    for number in range(1, 6):
        kind = ConflictKind.EDIT_DELETE if number % 2 else ConflictKind.EDIT_EDIT
        event = done(Trigger.CONFLICT_FOUND)
        await find(store, number, Finish(base(), event, conflicts=(conflict(str(number), kind),)))
    first = await store.waiting_conflicts(limit=2)
    rest = await store.waiting_conflicts(after=first[-1].open.conflict.id)
    assert [one.open.bet_nr for one in (*first, *rest)] == [1, 2, 3, 4, 5]
    some = await store.waiting_conflicts(ConflictKind.EDIT_DELETE)
    assert [one.open.bet_nr for one in some] == [1, 3, 5]
    after = await store.waiting_conflicts(ConflictKind.EDIT_DELETE, after=some[0].open.conflict.id)
    assert [one.open.bet_nr for one in after] == [3, 5]
    glance = await store.glance()
    assert (glance.open_conflicts, glance.conflicts[ConflictKind.EDIT_DELETE]) == (5, 3)


async def test_a_decision_shows_until_it_is_carried_out(store: SqliteStore) -> None:
    await find(
        store, 1, Finish(base(), done(Trigger.CONFLICT_FOUND), conflicts=(conflict("1"), conflict("2")))
    )
    [one, other] = await store.waiting_conflicts()
    assert (one.decided, other.decided) == (None, None)
    await store.decide(one.open.conflict.id, Keep.ESPOCRM, "operator")
    await store.decide(one.open.conflict.id, Keep.ADVOWARE, "operator")
    ids = (one.open.conflict.id, 999, other.open.conflict.id)
    assert [found.decided for found in await store.these_conflicts(ids)] == [Keep.ADVOWARE, None]


async def test_findings_stay_with_their_person(store: SqliteStore) -> None:
    values = tuple(Unsyncable(Side.ADVOWARE, Kind.PHONE, value, "not_a_number") for value in ("k.A.", "?"))
    parked = (Parked("espocrm:phone:1", "quarantined", "1", START),)
    for number in (1, 2):
        await find(store, number, Finish(base(), done(), unsyncable=values, parked=parked))
    first = await store.unsyncable_page(limit=3)
    rest = await store.unsyncable_page(after=first[-1].place)
    assert [(one.bet_nr, one.found.value) for one in (*first, *rest)] == [
        (1, "k.A."), (1, "?"), (2, "k.A."), (2, "?"),
    ]  # fmt: skip
    assert [one.found for one in await store.parked_page()] == [*parked, *parked]
    glance = await store.glance()
    assert (glance.unsyncable, glance.parked) == (4, 2)


async def test_held_deletions_by_side(store: SqliteStore) -> None:
    keys = [f"{one:02}" for one in range(60)]
    await find(store, 1, Finish(base(), done(), vanished=vanished(*keys)))
    first = await store.held_page(Side.ADVOWARE, limit=50)
    rest = await store.held_page(Side.ADVOWARE, after=(first[-1].bet_nr, first[-1].link_key))
    assert [one.link_key for one in (*first, *rest)] == keys
    assert await store.held_page(Side.ESPOCRM) == []
    glance = await store.glance()
    assert glance.held == {Side.ADVOWARE: 60, Side.ESPOCRM: 0}
    assert await store.held_count(Side.ADVOWARE) == 60
    assert [fuse.side for fuse in glance.fuses] == [Side.ADVOWARE]


async def test_the_timeline_pages_backwards(store: SqliteStore, clock: HandClock) -> None:
    await store.discover("a", 1, None)
    for _ in range(3):
        clock.time += 1
        await lease_one(store)
        await store.journal("a", 1, "run", [a_write()])
        clock.time += 1
        await store.move("a", done(Trigger.LOOK_AGAIN), run="run")
    whole = await store.timeline(1)
    assert whole == [*reversed(await store.history(1))]
    assert whole[-1]["trigger"] == "discovered"
    paged = await store.timeline(1, limit=2)
    while older := await store.timeline(1, before=paged[-1]["at"], limit=2):
        paged += older
    assert paged == whole
    assert await store.timeline(2) == []


async def test_hundreds_are_decided_with_few_commits(store: SqliteStore) -> None:
    found = tuple(conflict(str(key)) for key in range(150))
    await find(store, 1, Finish(base(), done(Trigger.CONFLICT_FOUND), conflicts=found))
    ids = [one.open.conflict.id for one in await store.waiting_conflicts(limit=1000)]
    assert await store.decide_many([*ids, 999], Keep.ESPOCRM, "operator") == ids
    assert {one.decided for one in await store.these_conflicts(ids)} == {Keep.ESPOCRM}
