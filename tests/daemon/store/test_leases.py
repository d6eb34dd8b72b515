"""Who is due and who has whom; each question is a step in an index."""

import re
import sqlite3
import time
from pathlib import Path

import pytest

from daemon.ports import Finish
from daemon.store import SqliteStore, conflicts, counts, desk, fuses, journal, leases, links, notices, people
from statemachine.case import Parked
from statemachine.model import Side
from statemachine.standing import Event
from statemachine.states import State, Trigger
from tests.daemon.store.building import START, HandClock, Opener, base, done, lease_one, link, seen, synced


async def test_the_oldest_due_first_and_nobody_twice(store: SqliteStore, clock: HandClock) -> None:
    for number, name in enumerate("cab"):
        clock.time = START + number
        await store.discover(name, number + 1, None)
    first = await store.lease("me", 2)
    assert [person.espocrm_id for person in first] == ["c", "a"]
    assert {person.standing.state for person in first} == {State.SYNCING}
    assert [person.espocrm_id for person in await store.lease("me", 5)] == ["b"]
    assert await store.next_due() is None


async def test_a_lease_can_be_restricted_to_some(store: SqliteStore) -> None:
    for number, name in enumerate("abc"):
        await store.discover(name, number + 1, None)
    assert [person.espocrm_id for person in await store.lease("me", 5, only=["c", "nobody"])] == ["c"]


async def test_who_is_not_due_yet_is_not_leased(store: SqliteStore, clock: HandClock) -> None:
    await store.discover("a", 1, None)
    await lease_one(store)
    await store.move("a", done(Trigger.ATTEMPT_FAILED))
    assert await store.lease("me", 5) == []
    due = await store.next_due()
    assert due is not None
    clock.time = due
    assert len(await store.lease("me", 5)) == 1


async def test_only_leases_of_others_are_recovered(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    await store.discover("b", 2, None)
    await store.lease("dead", 1, only=["a"])
    await store.lease("me", 1, only=["b"])
    assert await store.recover("me") == 1
    assert [(await store.person(one)).standing.state for one in "ab"] == [State.DIRTY, State.SYNCING]  # type: ignore[union-attr]
    assert (await store.history(1))[-1]["trigger"] == "interrupted"


async def test_the_reset_takes_those_whose_time_has_come(store: SqliteStore, clock: HandClock) -> None:
    for number in range(3):
        await store.discover(f"p{number}", number, None)
        await lease_one(store, f"p{number}")
        await store.move(f"p{number}", done(Trigger.GAVE_UP, "access_denied"))
    clock.time += 1000
    assert await store.reset_due(2) == 2
    assert await store.reset_due(2) == 1
    assert await store.reset_due(2) == 0


async def test_a_reset_ends_the_quarantine(store: SqliteStore, clock: HandClock) -> None:
    await store.discover("a", 1, None)
    parked = (Parked("1", "quarantined", "+49", START),)
    await synced(store, "a", 1, Finish(base(link("1")), done(Trigger.GAVE_UP), parked=parked))
    assert (await store.case("a", 1, 0)).parked == parked
    clock.time += 1000
    await store.reset_due(1)
    assert (await store.case("a", 1, 0)).parked == ()


async def test_a_parked_entry_of_somebody_at_rest_is_asked_for_again(
    store: SqliteStore, clock: HandClock
) -> None:
    """§10: until the auto reset; no other event would come."""
    await store.discover("a", 1, None)
    parked = (Parked("1", "quarantined", "+49", START),)
    await synced(store, "a", 1, Finish(base(link("1")), done(), parked=parked))
    clock.time = START + 999
    assert await store.reset_due(5) == 0
    clock.time = START + 1000
    assert await store.reset_due(5) == 1
    assert [person.espocrm_id for person in await store.lease("me", 5)] == ["a"]
    assert await store.reset_due(5) == 0


async def test_nobody_waits_for_a_clock_that_was_set_back(store: SqliteStore, clock: HandClock) -> None:
    for number, name in enumerate("abc"):
        await store.discover(name, number + 1, None)
        await store.looked(name, Side.ADVOWARE, seen(START))
    await lease_one(store, "b")
    await store.move("b", done(Trigger.ATTEMPT_FAILED))
    await lease_one(store, "c")
    await store.move("c", done(Trigger.GAVE_UP))
    await store.sweep_slice(START, 0)  # the looks are written
    clock.time = START - 86400
    assert await store.lease("me", 5) == []
    assert await store.reset_due(5) == 0
    assert [person.espocrm_id for person in await store.lease("me", 5)] == ["a"]
    clock.time += 90  # the waits keep their length
    assert [person.espocrm_id for person in await store.lease("me", 5)] == ["b"]
    assert len(await store.sweep_slice(clock.time, 5)) == 3
    clock.time += 1000
    assert await store.reset_due(5) == 1


async def test_a_clock_that_was_set_twice_makes_nobody_wait_for_the_sum(
    store: SqliteStore, clock: HandClock
) -> None:
    """Dirty since one wrong time and due at another: the difference is no wait."""
    clock.time = START + 3600
    await store.discover("a", 1, None)
    clock.time = START + 93600
    await store.move("a", Event(Trigger.CHANGE_SEEN, "espocrm_changed"))
    clock.time = START + 1
    await store.reset_due(5)
    assert [person.espocrm_id for person in await store.lease("me", 5)] == ["a"]


async def test_who_was_asked_for_while_the_clock_was_ahead_is_due_at_once(
    store: SqliteStore, clock: HandClock
) -> None:
    """It has been dirty since before that, so only the log row tells when it was due."""
    await store.discover("a", 1, None)
    await store.discover("b", 2, None)
    await lease_one(store, "b")
    await store.move("b", Event(Trigger.LOOK_AGAIN, "second_look", START + 90))
    clock.time = START + 86400
    await store.ask(["a"], "retry")
    clock.time = START + 1
    assert await store.lease("me", 5) == []
    await store.reset_due(5)
    assert [person.espocrm_id for person in await store.lease("me", 5)] == ["a"]


async def test_the_sweep_goes_round_by_the_oldest_look(store: SqliteStore) -> None:
    for number, name in enumerate("abc"):
        await store.discover(name, number + 1, None)
    await store.looked("a", Side.ADVOWARE, seen(START + 2))
    await store.looked("b", Side.ADVOWARE, seen(START + 1))
    assert [one.espocrm_id for one in await store.sweep_slice(START + 10, 10)] == ["b", "a"], "its sync looks"
    assert {person.espocrm_id for person in await store.lease("me", 5)} == {"a", "b", "c"}
    slice_ = await store.sweep_slice(START + 10, 10)
    assert [(person.espocrm_id, person.looked_at) for person in slice_] == [
        ("c", 0.0),
        ("b", START + 1),
        ("a", START + 2),
    ]
    assert [person.espocrm_id for person in await store.sweep_slice(START + 2, 1)] == ["c"]


async def test_the_scan_goes_by_id(store: SqliteStore) -> None:
    for number, name in enumerate("bca"):
        await store.discover(name, number + 1, None)
    assert [person.espocrm_id for person in await store.scan_slice("", 2)] == ["a", "b"]
    assert [person.espocrm_id for person in await store.scan_slice("b", 2)] == ["c"]


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (leases.LEASE, "persons_due"),
        (leases.NEXT_DUE, "persons_due"),
        (leases.NEXT_RESUMED, "persons_paused"),
        (leases.RESET, "persons_reset"),
        (leases.PARKED_LONG_AGO, "findings_by_what"),
        (leases.FROM_THE_FUTURE[0], "persons_due"),
        (leases.FROM_THE_FUTURE[1], "persons_reset"),
        (leases.DUE_AT_ONCE_IN_THE_FUTURE, "persons_due"),
        (leases.LOOKED_IN_THE_FUTURE, "looks_sweep"),
        (leases.SWEEP, "looks_sweep"),
        (leases.SCAN, "PRIMARY KEY"),
        (leases.LEASED, "persons_by_state"),
        (leases.OLDEST_LOOK, "looks_sweep"),
        (desk.LIST_ALL, "persons_by_bet_nr"),
        (desk.LIST_STATE, "persons_by_state"),
        (desk.OLDEST_UNSYNCED, "persons_unsynced"),
        (desk.FAILED, "persons_by_state"),
        (people.BY_BET_NR, "persons_by_bet_nr"),
        (people.PAUSED, "persons_paused"),
        (links.HOLDERS, "links_by_value"),
        (fuses.COUNTED, "vanished_by_side"),
        (conflicts.WAITING, "decisions_waiting"),
        (journal.OF_PAIR, "writes_by_pair"),
        (journal.BETWEEN, "writes_settled"),
        (notices.TO_OPEN, "notices_to_open"),
        (notices.TO_CLOSE, "notices_to_close"),
        (counts.COUNT, "persons_by_state"),
    ],
)
async def test_nothing_is_searched_row_by_row(
    store: SqliteStore, path: Path, statement: str, index: str
) -> None:
    sql = sqlite3.connect(path)
    try:
        plan = [row[3] for row in sql.execute(f"EXPLAIN QUERY PLAN {statement}", [1] * _places(statement))]
    finally:
        sql.close()
    assert index in plan[0], plan
    assert not [step for step in plan if "TEMP B-TREE FOR ORDER" in step and index != "writes_by_pair"]
    assert not [step for step in plan[1:] if step.startswith("SCAN")]


def _places(statement: str) -> int:
    numbered = [int(number) for number in re.findall(r"\?(\d)", statement)]
    return max(numbered, default=statement.count("?"))


async def test_ten_thousand_persons(open_store: Opener) -> None:
    """Generous bounds: shared machines stall. What matters is that nothing is quadratic."""
    async with open_store() as store:
        began = time.perf_counter()
        await store._engine.write(_discover_many, 10_000)
        inserted = time.perf_counter() - began
        began = time.perf_counter()
        for _ in range(20):
            assert len(await store.lease("me", 8)) == 8
        leased = time.perf_counter() - began
        assert (await store.counts())[State.SYNCING] == 160
    assert inserted < 10
    assert leased < 2


def _discover_many(turn: object, number: int) -> None:
    for one in range(number):
        people.discover(turn, f"person{one:05}", one + 1, None)  # type: ignore[arg-type]
