"""Conflicts keep their number as long as they are the same; a decision carries its values."""

from daemon.ports import Finish
from daemon.store import SqliteStore
from statemachine.case import Conflict, ConflictKind, Decision, Keep
from statemachine.states import State, Trigger
from tests.daemon.store.building import GUARD, START, HandClock, base, done, lease_one, link, synced


def _conflict(espocrm: str = "0511 2", link_key: str = "1") -> Conflict:
    return Conflict(0, ConflictKind.EDIT_EDIT, link_key, "0511 1", espocrm, "0511 3")


def _found(*conflicts: Conflict, decided: tuple[tuple[Decision, str], ...] = ()) -> Finish:
    trigger = Trigger.CONFLICT_FOUND if conflicts else Trigger.SYNCED
    return Finish(base(link("1")), done(trigger), conflicts=conflicts, decided=decided)


async def _open(store: SqliteStore) -> Conflict:
    await store.discover("a", 1, None)
    await synced(store, "a", 1, _found(_conflict()))
    return (await store.case("a", 1, 0)).conflicts[0]


async def test_an_equal_conflict_keeps_its_number_and_its_age(store: SqliteStore, clock: HandClock) -> None:
    first = await _open(store)
    clock.time += 100
    await store.ask(["a"], "retry")
    await synced(store, "a", 1, _found(_conflict(), _conflict(link_key="2")))
    same, other = (await store.case("a", 1, 0)).conflicts
    assert (same, same.since) == (first, START)
    assert (other.id > same.id, other.since) == (True, START + 100)
    assert [one.conflict.id for one in await store.open_conflicts()] == [same.id, other.id]
    assert await store.open_conflicts(2) == []


async def test_other_values_make_another_conflict(store: SqliteStore) -> None:
    first = await _open(store)
    await store.decide(first.id, Keep.ESPOCRM, "anna")
    await synced(store, "a", 1, _found(_conflict(espocrm="0511 4")))
    case = await store.case("a", 1, 0)
    assert case.conflicts[0].id != first.id
    assert case.decisions == ()
    assert await store.decide(first.id, Keep.ESPOCRM, "anna") is None
    assert await store.conflict(first.id) is None
    [line] = [line for line in await store.history(1) if line["what"] == "decision"]
    assert (line["outcome"], line["operation"]) == ("void", "espocrm")


async def test_whoever_has_an_old_number_is_told_the_new_one(store: SqliteStore, clock: HandClock) -> None:
    first = await _open(store)
    assert await store.successor(first.id) is None
    await store.ask(["a"], "retry")
    await synced(store, "a", 1, _found(_conflict(espocrm="0511 4"), _conflict(link_key="2")))
    new = next(one for one in (await store.case("a", 1, 0)).conflicts if one.link_key == "1")
    assert await store.successor(first.id) == new.id
    await store.ask(["a"], "retry")
    await synced(store, "a", 1, _found(_conflict(link_key="2")))
    assert await store.successor(first.id) is None
    clock.time += 31 * 86400
    assert await store.prune() > 0
    assert await store.successor(new.id) is None


async def test_a_decision_waits_until_it_is_carried_out(store: SqliteStore) -> None:
    conflict = await _open(store)
    person = await store.decide(conflict.id, Keep.ADVOWARE, "anna")
    assert person is not None
    assert (person.standing.state, person.standing.reason) == (State.DIRTY, "advoware by anna")
    assert await store.open_conflicts() == []
    assert (await store.sums()).conflicts_open == 0
    assert (await store.conflict(conflict.id)) is not None
    [decision] = (await store.case("a", 1, 0)).decisions
    assert (decision.conflict.id, decision.conflict.espocrm) == (conflict.id, "0511 2")
    assert (decision.keep, decision.by, decision.at) == (Keep.ADVOWARE, "anna", START)
    await synced(store, "a", 1, _found(decided=((decision, "done"),)))
    case = await store.case("a", 1, 0)
    assert (case.conflicts, case.decisions) == ((), ())
    [line] = [line for line in await store.history(1) if line["what"] == "decision"]
    assert (line["outcome"], line["before"], line["after"]) == ("done", "0511 2", "0511 3")


async def test_the_last_word_counts(store: SqliteStore) -> None:
    conflict = await _open(store)
    await store.decide(conflict.id, Keep.ADVOWARE, "anna")
    await store.decide(conflict.id, Keep.BOTH, "berta")
    [decision] = (await store.case("a", 1, 0)).decisions
    assert (decision.keep, decision.by) == (Keep.BOTH, "berta")
    outcomes = [line["outcome"] for line in await store.history(1) if line["what"] == "decision"]
    assert outcomes == ["replaced", "waiting"]


async def test_a_decision_during_a_run_is_not_lost(store: SqliteStore) -> None:
    conflict = await _open(store)
    await store.ask(["a"], "retry")
    await lease_one(store)
    await store.decide(conflict.id, Keep.ADVOWARE, "anna")
    person = await store.finish("a", 1, _found(_conflict()), run="r", guard=GUARD)
    assert person is not None
    assert person.standing.state is State.DIRTY
    assert len((await store.case("a", 1, 0)).decisions) == 1


async def test_the_policys_decision_is_in_the_history(store: SqliteStore) -> None:
    await store.discover("a", 1, None)
    await synced(store, "a", 1, _found(decided=((Decision(_conflict(), Keep.ESPOCRM, "policy"), "done"),)))
    [line] = [line for line in await store.history(1) if line["what"] == "decision"]
    assert (line["reason"], line["before"], line["after"]) == (
        "edit_edit: espocrm by policy",
        "0511 3",
        "0511 2",
    )


async def test_whoever_is_untracked_waits_for_nobody(store: SqliteStore) -> None:
    conflict = await _open(store)
    await store.decide(conflict.id, Keep.ADVOWARE, "anna")
    await store.move("a", done(Trigger.UNTRACKED))
    assert await store.open_conflicts() == []
    await store.discover("a", 1, None)
    assert (await store.case("a", 1, 0)).decisions == ()


async def test_no_conflict_no_decision(store: SqliteStore) -> None:
    assert await store.decide(7, Keep.BOTH, "anna") is None
