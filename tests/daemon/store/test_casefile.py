"""The case file: what a run leaves behind is what the next one finds, all of it or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.ports import Finish
from daemon.store import SqliteStore
from statemachine.case import (
    Case,
    Conflict,
    ConflictKind,
    Fuse,
    Limits,
    Notice,
    Outcome,
    Parked,
    Pending,
    Shown,
    Unsyncable,
    Wish,
)
from statemachine.errors import ContractBroken
from statemachine.model import Base, Kind, Link, LinkRow, Side
from statemachine.states import State, Trigger
from tests.daemon.store.building import (
    GUARD,
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


async def test_an_unknown_person_has_an_empty_case(store: SqliteStore) -> None:
    case = await store.case("a", 1, 3600)
    assert case == Case(fuse=((Side.ESPOCRM, Fuse.INTACT), (Side.ADVOWARE, Fuse.INTACT)))


async def test_what_a_run_leaves_the_next_one_finds(open_store: Opener) -> None:
    finish = Finish(
        base(link("1"), link("2", "x@example.org", Kind.EMAIL)),
        done(Trigger.CONFLICT_FOUND, "edit_edit"),
        seen_espocrm=seen(START, "e"),
        seen_advoware=seen(START, "a", stamp="", version=None),
        pending=(Pending("1", Side.ADVOWARE, START),),
        vanished=vanished("1"),
        conflicts=(Conflict(0, ConflictKind.EDIT_EDIT, "2", "x", "y", "z", START),),
        parked=(Parked("2", "not_taken", "+49", START),),
        unsyncable=(Unsyncable(Side.ADVOWARE, Kind.PHONE, "k.A.", "no_number", 9),),
        notices=(Notice("conflict:2", "conflict", "edit_edit"),),
        empty_slots=1,
        visible_status="conflict",
    )
    async with open_store() as store:
        await store.discover("a", 1, None)
        await lease_one(store)
        person = await store.finish("a", 1, finish, run="run", guard=GUARD)
        assert person is not None
        assert (person.standing.state, person.stamp, person.version) == (
            State.CONFLICT,
            "2026-06-01 10:00:00",
            3,
        )
        assert person.looked_at == START
    async with open_store() as store:
        case = await store.case("a", 1, 3600)
        assert case.base == finish.base
        assert (case.seen_espocrm, case.seen_advoware) == (finish.seen_espocrm, finish.seen_advoware)
        assert (case.pending, case.parked, case.unsyncable) == (
            finish.pending,
            finish.parked,
            finish.unsyncable,
        )
        assert [one.link_key for one in case.vanished] == ["1"]
        assert [(one.kind, one.link_key, one.since) for one in case.conflicts] == [
            (ConflictKind.EDIT_EDIT, "2", START)
        ]
        assert case.visible_status == "conflict"
        assert [one.notice for one in await store.notices_to_open(9)] == list(finish.notices)
        assert await store.person("a") == person


async def test_lists_replace_what_was_there(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    first = Finish(
        base(link("1"), link("2")),
        done(Trigger.LOOK_AGAIN),
        seen_espocrm=seen(START),
        pending=(Pending("1", Side.ADVOWARE, START),),
        parked=(Parked("2", "not_taken", "+49", START),),
        empty_slots=3,
    )
    await synced(store, "a", 1, first)
    await synced(store, "a", 1, Finish(base(link("2")), done()))
    case = await store.case("a", 1, 0)
    assert (case.base, case.pending, case.parked) == (base(link("2")), (), ())
    assert case.seen_espocrm == seen(START)  # None leaves it
    assert ((await store.sums()).links, (await store.sums()).empty_slots) == (1, 0)


async def test_a_finish_that_cannot_move_leaves_nothing_behind(store: SqliteStore) -> None:
    before = await store.discover("a", 1, None)
    [write_id] = await store.journal("a", 1, "r", [a_write()])
    finish = Finish(
        base(link("1")), done(), parked=(Parked("1", "x", "y", 0),), settled=(write_id,), empty_slots=1
    )
    with pytest.raises(ContractBroken):
        await store.finish("a", 1, finish, run="r", guard=GUARD)
    case = await store.case("a", 1, 0)
    assert (case.base, case.parked, case.writes[0].settled) == (Base(), (), False)
    assert await store.person("a") == before
    assert ((await store.sums()).links, (await store.sums()).empty_slots) == (0, 0)
    assert (await store.counts())[State.DIRTY] == 1


async def test_the_journal_before_and_after_sending(store: SqliteStore, clock: HandClock) -> None:
    await store.discover("a", 1, None)
    ids = await store.journal("a", 1, "r", [a_write("1"), a_write("2", at=START - 50)])
    assert [one.outcome for one in (await store.case("a", 1, 0)).writes] == [None, None]
    await store.record(ids[:1], Outcome.DONE, advoware_id=99, after=Shown("0511 1", komm_kz=2))
    await store.record(ids[1:], Outcome.UNKNOWN)
    first, second = (await store.case("a", 1, 0)).writes
    assert (first.id, first.at, first.outcome, first.advoware_id) == (ids[0], START, Outcome.DONE, 99)
    assert (first.after, first.before) == (Shown("0511 1", komm_kz=2), a_write().before)
    assert (second.at, second.outcome, second.advoware_id) == (START - 50, Outcome.UNKNOWN, 7)
    assert second.gives == a_write().gives
    await synced(store, "a", 1, Finish(base(link("1")), done(), settled=tuple(ids)))
    assert len((await store.case("a", 1, 10)).writes) == 1
    assert len((await store.case("a", 1, 50)).writes) == 2
    assert (await store.case("a", 2, 1e9)).writes == ()
    found = await store.write(ids[0])
    assert found is not None
    assert (found[:2], found[2].settled) == (("a", 1), True)
    assert await store.write(999) is None
    clock.time += 31 * 86400
    unsettled = await store.journal("a", 1, "r", [a_write("3", at=START)])
    while await store.prune(100):
        pass
    assert [one.id for one in (await store.case("a", 1, 1e9)).writes] == unsettled


async def test_who_else_holds_a_value(store: SqliteStore) -> None:
    for name, number, value in (
        ("a", 1, "0511 1234560"),
        ("b", 2, "+49 511 123456-0"),
        ("c", 3, "0511 1234560"),
    ):
        await store.discover(name, number, None)
        await synced(store, name, number, Finish(base(link("1", value)), done()))
    await store.move("c", done(Trigger.UNTRACKED))
    shown = Shown("+49 511 123456-0", type="Office", primary=True, opt_out=False, invalid=False)
    assert await store.holders(Kind.PHONE, "+495111234560", "a") == [("b", shown)]
    assert await store.holders(Kind.EMAIL, "+495111234560", "a") == []


async def test_a_base_that_loses_a_link_loses_its_value(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    await synced(store, "a", 1, Finish(base(link("1")), done(Trigger.LOOK_AGAIN)))
    await synced(store, "a", 1, Finish(base(link("1", "0511 777")), done()))
    assert await store.holders(Kind.PHONE, "+495111234560", "") == []


async def test_limits_are_learnt_together(store: SqliteStore) -> None:
    await store.learn(Limits(bemerkung=60))
    await store.learn(Limits(bemerkung_whole=40, tlf=30))
    await store.learn(Limits(bemerkung=80, bemerkung_whole=20))
    assert (await store.case("a", 1, 0)).limits == Limits(60, 40, 30)


async def test_notes(store: SqliteStore) -> None:
    await store.set_note("cursor", "2026")
    await store.set_note("cursor", "2027")
    assert await store.get_note("cursor") == "2027"
    await store.set_note("cursor", None)
    assert await store.get_note("cursor") is None


async def test_a_wish_waits_until_a_run_has_taken_it_up(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    await synced(store, "a", 1, Finish(base(link("1")), done()))
    wish = Wish(0, Side.ADVOWARE, Kind.PHONE, "1", "0511 1", expected="0511 2")
    person = await store.add_wish("a", wish, by="anna")
    assert person is not None
    assert (person.standing.state, person.standing.reason) == (State.DIRTY, "undo by anna")
    [stored] = (await store.case("a", 1, 0)).wishes
    assert (stored.value, stored.expected) == ("0511 1", "0511 2")
    await synced(store, "a", 1, Finish(base(link("1")), done(), wishes_done=(stored.id,)))
    assert (await store.case("a", 1, 0)).wishes == ()
    assert await store.add_wish("nobody", wish, by="anna") is None


async def test_a_retry_forgives_what_is_parked_even_by_the_run_that_is_on(store: SqliteStore) -> None:
    parked = (Parked("1", "not_taken", "+49", START),)
    await store.discover("a", 1, None)
    await synced(store, "a", 1, Finish(base(link("1")), done(), parked=parked))
    assert await store.ask(["a", "nobody"], "retry") == 1
    assert (await store.case("a", 1, 0)).parked == ()
    await lease_one(store)
    await store.ask(["a"], "retry")
    after = await store.finish("a", 1, Finish(base(link("1")), done(), parked=parked), run="r", guard=GUARD)
    assert after is not None
    assert after.standing.state is State.DIRTY
    assert (await store.case("a", 1, 0)).parked == ()
    await synced(store, "a", 1, Finish(base(link("1")), done(), parked=parked))
    assert (await store.case("a", 1, 0)).parked == parked


_TEXT = st.text(max_size=20)
_ROWS = st.builds(
    LinkRow, st.integers(1, 2**40), _TEXT, st.integers(0, 12), st.booleans(), _TEXT, st.booleans(), _TEXT
)
_LINKS = st.builds(
    Link,
    _TEXT,
    st.sampled_from(Kind),
    _TEXT,
    st.none() | _TEXT,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.lists(_ROWS, max_size=3).map(tuple),
    st.booleans(),
)
_BASES = st.builds(
    Base,
    st.lists(_LINKS, max_size=4, unique_by=lambda one: one.key).map(tuple),
    st.booleans(),
    st.integers(0, 99),
)


async def test_every_base_is_read_as_it_was_written(store: SqliteStore) -> None:
    """One store for all examples: each base is written over the one before."""
    bases: list[Base] = []

    @given(_BASES)
    def collect(one: Base) -> None:
        bases.append(one)

    collect()
    await store.discover("a", 1, None)
    for one in bases:
        await synced(store, "a", 1, Finish(one, done(Trigger.LOOK_AGAIN)))
        assert (await store.case("a", 1, 0)).base == one
        assert (await store.sums()).links == len(one.links)
