"""What people see: lists, history, sums, notices."""

from daemon.ports import Finish
from daemon.store import SqliteStore
from statemachine.case import Hold, Notice, Outcome, Pending, Unsyncable
from statemachine.model import Kind, Side
from statemachine.standing import Event
from statemachine.states import State, Trigger
from tests.daemon.store.building import (
    START,
    HandClock,
    Opener,
    a_write,
    base,
    done,
    lease_one,
    link,
    seen,
    synced,
    vanished,
)


async def test_pages_by_betnr_and_state(store: SqliteStore) -> None:
    for number, name in ((3, "a"), (1, "b"), (1, "c"), (2, "d")):
        await store.discover(name, number, None)
    await lease_one(store, "d")
    await store.move("d", done(Trigger.ATTEMPT_FAILED, "server_error"))
    first = await store.listing(limit=2)
    assert [(one.bet_nr, one.espocrm_id) for one in first] == [(1, "b"), (1, "c")]
    rest = await store.listing(after=(1, "c"))
    assert [one.espocrm_id for one in rest] == ["d", "a"]
    [failed] = await store.listing(State.FAILED)
    assert (failed.reason, failed.attempts, failed.since) == ("server_error", 1, START)
    assert failed.next_attempt_at is not None
    assert failed.next_attempt_at > START


async def test_the_history_in_order(store: SqliteStore, clock: HandClock) -> None:
    await store.discover("a", 1, None)
    await lease_one(store)
    ids = await store.journal("a", 1, "run", [a_write()])
    await store.record(ids, Outcome.DONE)
    clock.time += 1
    await store.move("a", done(reason="verified"), run="run")
    lines = await store.history(1)
    assert [(line["what"], line["trigger"]) for line in lines] == [
        ("transition", "discovered"),
        ("transition", "picked"),
        ("write", None),
        ("transition", "synced"),
    ]
    write = lines[2]
    assert (write["id"], write["side"], write["operation"], write["variant"]) == (
        ids[0],
        "advoware",
        "put",
        "var5",
    )
    assert (write["before"], write["after"], write["outcome"]) == ("0511 1234560", "0511 9999990", "done")
    assert write["detail"]["before"]["bemerkung"] == "privat"  # type: ignore[index]
    last = lines[3]
    assert (last["from"], last["to"], last["reason"], last["run"], last["at"]) == (
        "syncing", "clean", "verified", "run", START + 1,
    )  # fmt: skip
    assert await store.history(1, limit=1) == [last]
    assert await store.history(2) == []


async def test_sums(store: SqliteStore) -> None:
    await store.discover("a", 1, START - 60)
    await store.discover("b", 2, START - 30)
    finish = Finish(
        base(link("1"), link("2")),
        done(Trigger.LOOK_AGAIN),
        seen_advoware=seen(START),
        pending=(Pending("1", Side.ADVOWARE, START), Pending("2", Side.ADVOWARE, START)),
        vanished=vanished("1"),
        unsyncable=(Unsyncable(Side.ADVOWARE, Kind.PHONE, "k.A.", "no_number"),),
    )
    assert (await store.sums()).oldest_unsynced == START - 60
    await synced(store, "a", 1, finish)
    sums = await store.sums()
    assert (sums.tracked, sums.links, sums.pending_deletions, sums.unsyncable) == (2, 2, 2, 1)
    assert (sums.oldest_unsynced, sums.oldest_look, sums.held_deletions) == (START - 30, 0.0, 0)


async def test_who_was_given_up_is_not_the_oldest_unsynced(store: SqliteStore) -> None:
    await store.discover("a", 1, START - 60)
    await lease_one(store)
    await store.move("a", done(Trigger.GAVE_UP, "access_denied"))
    assert (await store.sums()).oldest_unsynced is None


async def test_counts_follow_what_others_do(store: SqliteStore, open_beside: Opener) -> None:
    await store.discover("a", 1, None)
    await synced(store, "a", 1, Finish(base(), done()))
    assert (await store.counts())[State.CLEAN] == 1
    async with open_beside() as command:
        assert await command.ask(["a"], "retry") == 1
        assert (await command.counts())[State.DIRTY] == 1
    assert await store.counts() == {state: int(state is State.DIRTY) for state in State}
    await lease_one(store)
    assert (await store.counts())[State.SYNCING] == 1


async def test_all_failed_are_asked_once(store: SqliteStore) -> None:
    for number in range(5):
        await store.discover(f"p{number}", number, None)
        if number:
            await lease_one(store, f"p{number}")
            await store.move(f"p{number}", done(Trigger.GAVE_UP if number % 2 else Trigger.ATTEMPT_FAILED))
    assert await store.ask_failed("retry") == 4
    assert await store.ask_failed("retry") == 0
    assert (await store.counts())[State.DIRTY] == 5


async def test_a_changed_configuration_concerns_everybody(store: SqliteStore) -> None:
    for number in range(3):
        await store.discover(f"p{number}", number, None)
        await synced(store, f"p{number}", number, Finish(base(), done()))
    await lease_one_after_change(store)
    assert (await store.counts())[State.DIRTY] == 2


async def lease_one_after_change(store: SqliteStore) -> None:
    await store.move("p0", Event(Trigger.CHANGE_SEEN))
    await lease_one(store, "p0")
    await store.ask_all("configuration changed")
    after = await store.move("p0", done())
    assert after is not None
    assert after.standing.state is State.DIRTY
    await lease_one(store, "p0")


async def test_a_task_per_cause_from_wanted_to_closed(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    wanted = (Notice("conflict:1", "conflict", "edit_edit"), Notice("twin:2", "twin"))
    await synced(store, "a", 1, Finish(base(), done(Trigger.LOOK_AGAIN), notices=wanted))
    first, second = await store.notices_to_open(9)
    assert ((first.espocrm_id, first.bet_nr), first.notice, second.notice) == (("a", 1), *wanted)
    assert await store.notice_opened(first.id, "task1")
    assert [one.id for one in await store.notices_to_open(9)] == [second.id]
    await synced(store, "a", 1, Finish(base(), done(Trigger.LOOK_AGAIN), notices=wanted[:1]))
    assert await store.notices_to_open(9) == []
    assert not await store.notice_opened(second.id, "task2")  # withdrawn while its Task was made
    await synced(store, "a", 1, Finish(base(), done(Trigger.LOOK_AGAIN)))
    [closing] = await store.notices_to_close(9)
    assert (closing.id, closing.task_id) == (first.id, "task1")
    await synced(store, "a", 1, Finish(base(), done(Trigger.LOOK_AGAIN), notices=wanted[:1]))
    assert await store.notices_to_close(9) == []
    await store.move("a", done(Trigger.UNTRACKED))
    [closing] = await store.notices_to_close(9)
    await store.notice_closed(closing.id)
    assert await store.notices_to_close(9) == []


async def test_a_notice_wanted_again_while_its_task_was_closed_gets_a_new_one(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    wanted = (Notice("conflict:1", "conflict"),)
    await synced(store, "a", 1, Finish(base(), done(Trigger.LOOK_AGAIN), notices=wanted))
    [notice] = await store.notices_to_open(9)
    await store.notice_opened(notice.id, "task1")
    await store.notice_closed(notice.id)
    assert [one.id for one in await store.notices_to_open(9)] == [notice.id]


async def test_held_deletions_can_be_listed(store: SqliteStore, clock: HandClock) -> None:
    assert await store.held_deletions() == []
    await store.discover("a", 1, None)
    keys = [str(one) for one in range(60)]
    await synced(store, "a", 1, Finish(base(), done(), vanished=vanished(*keys)))
    held = await store.held_deletions()
    assert len(held) == 60
    assert {one.hold for one in held} == {Hold.HELD}
