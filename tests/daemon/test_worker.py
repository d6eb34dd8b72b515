"""The worker: what an error means, that nobody stays ``syncing``, and how it stops (states, error classes)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs

from daemon.clock import SystemClock
from daemon.fresh import FreshLooks
from daemon.loop import Bell, Progress
from daemon.metrics import Metrics
from daemon.ports import Person
from daemon.result import SyncResult
from daemon.store import SqliteStore
from daemon.worker import Worker, event_for
from statemachine.case import ConflictKind, Variant
from statemachine.errors import (
    AccessDenied,
    ContractBroken,
    CredentialsRefused,
    IncompleteAnswer,
    Modified,
    Refused,
    ServerError,
    SideDown,
    Throttled,
    UnexpectedAnswer,
    UnknownOutcome,
)
from statemachine.model import AdvowareRecord, Side
from statemachine.standing import Event, Schedule
from statemachine.states import State, Trigger
from tests.daemon.firm import until
from tests.daemon.wires import Middling

NOW = 1000.0
Story = Callable[[Person], Awaitable[SyncResult]]


@pytest.mark.parametrize(
    ("error", "trigger", "reason", "due_at"),
    [
        (SideDown(), Trigger.POSTPONED, "side_down", NOW + 2),
        (Throttled(604800.0), Trigger.POSTPONED, "throttled", NOW + 2),
        (CredentialsRefused(), Trigger.POSTPONED, "credentials_refused", NOW + 2),
        (ServerError(), Trigger.ATTEMPT_FAILED, "server_error", None),
        (IncompleteAnswer(), Trigger.ATTEMPT_FAILED, "incomplete_answer", None),
        (UnexpectedAnswer(), Trigger.ATTEMPT_FAILED, "unexpected_answer", None),
        (Modified(), Trigger.ATTEMPT_FAILED, "modified_meanwhile", None),
        (Refused(), Trigger.ATTEMPT_FAILED, "refused", None),
        (UnknownOutcome(), Trigger.ATTEMPT_FAILED, "unknown_outcome", None),
        (AccessDenied(), Trigger.GAVE_UP, "access_denied", None),
        (AccessDenied(reason="betnr_doubled"), Trigger.GAVE_UP, "betnr_doubled", None),
        (ContractBroken(), Trigger.ATTEMPT_FAILED, "our_bug", None),
        (KeyError("x"), Trigger.ATTEMPT_FAILED, "our_bug", None),
        (TimeoutError(), Trigger.ATTEMPT_FAILED, "took_too_long", None),
    ],
)
def test_errors_are_sorted_by_what_happens_next(
    error: Exception, trigger: Trigger, reason: str, due_at: float | None
) -> None:
    event = event_for(error, NOW, 0.5)
    assert (event.trigger, event.reason, event.due_at) == (trigger, reason, due_at)
    assert event.jitter == (0.5 if trigger is Trigger.ATTEMPT_FAILED else 0.0)


class Gateway:
    def __init__(self) -> None:
        self.open = True

    async def is_open(self) -> bool:
        return self.open


@dataclass
class Desk:
    """A worker; ``story`` is what every run does."""

    store: SqliteStore
    story: Story | None = None
    metrics: Metrics = field(default_factory=Metrics)
    gateway: Gateway = field(default_factory=Gateway)
    bell: Bell = field(default_factory=Bell)
    edited: list[str] = field(default_factory=list)
    fresh_given: list[AdvowareRecord | None] = field(default_factory=list)
    running: int = 0
    most: int = 0

    def __post_init__(self) -> None:
        clock = SystemClock()
        self.clock = clock
        self.fresh = FreshLooks(clock, 5.0)
        self.worker = Worker(
            self.store, self, self.fresh, clock, Middling(), self.metrics, Progress(clock, self.metrics),
            entrances=[self.gateway], bell=self.bell, workers=3, owner="me", synced=self.edited.append,
        )  # fmt: skip

    async def run(self, person: Person, run: str, fresh: AdvowareRecord | None = None) -> SyncResult:
        self.running += 1
        self.most = max(self.most, self.running)
        self.fresh_given.append(fresh)
        try:
            assert self.story is not None
            return await self.story(person)
        finally:
            self.running -= 1

    async def synced(self, person: Person) -> SyncResult:
        return SyncResult(await self.store.move(person.espocrm_id, Event(Trigger.SYNCED)), "clean")

    async def discover(self, *ids: str) -> None:
        for number, one in enumerate(ids):
            await self.store.discover(one, number + 1, None)

    async def state(self, espocrm_id: str) -> tuple[State, str]:
        person = await self.store.person(espocrm_id)
        assert person is not None
        return person.standing.state, person.standing.reason

    async def until(self, done: Callable[[dict[State, int]], bool]) -> None:
        async def is_done() -> bool:
            return done(await self.store.counts()) and not self.running

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(self.worker.run)
                await until(is_done)
                self.worker.stop()

    def runs(self, result: str) -> float:
        return float(self.metrics.sync_runs[result]._value.get())


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    schedule = Schedule(retries=(60, 300))
    async with SqliteStore.open(
        tmp_path / "k.sqlite3", SystemClock(), Middling(), schedule, exclusive=True
    ) as store:
        yield Desk(store)


def nobody_is(*states: State) -> Callable[[dict[State, int]], bool]:
    return lambda counts: not any(counts[state] for state in states)


async def test_whoever_is_due_is_synced_by_no_more_than_the_workers(desk: Desk) -> None:
    await desk.discover(*(f"{number:02}" for number in range(20)))

    async def slow(person: Person) -> SyncResult:
        await anyio.sleep(0.002)
        return await desk.synced(person)

    desk.story = slow
    await desk.until(lambda counts: counts[State.CLEAN] == 20)
    assert desk.most == 3
    assert desk.runs("clean") == 20
    assert desk.metrics.sync_duration._sum.get() > 0


async def test_nobody_is_picked_while_a_side_is_closed(desk: Desk) -> None:
    await desk.discover("a")
    desk.story = desk.synced
    desk.gateway.open = False
    async with anyio.create_task_group() as group:
        group.start_soon(desk.worker.run)
        await anyio.sleep(0.05)
        assert await desk.state("a") == (State.DIRTY, "discovered")
        desk.worker.stop()


@pytest.mark.parametrize(
    ("error", "state", "result"),
    [
        (ServerError(side=Side.ESPOCRM), State.FAILED, "failed"),
        (AccessDenied(side=Side.ESPOCRM), State.PERMANENTLY_FAILED, "permanently_failed"),
        (ZeroDivisionError(), State.FAILED, "failed"),
    ],
)
async def test_an_error_of_one_record_is_put_down_and_the_others_go_on(
    desk: Desk, error: Exception, state: State, result: str
) -> None:
    await desk.discover("a", "b")

    async def story(person: Person) -> SyncResult:
        if person.espocrm_id == "a":
            raise error
        return await desk.synced(person)

    desk.story = story
    with capture_logs() as logs:
        await desk.until(nobody_is(State.DIRTY, State.SYNCING))
    assert (await desk.state("a"))[0] is state
    assert (await desk.state("b"))[0] is State.CLEAN
    assert desk.runs(result) == 1
    (line,) = (log for log in logs if log["event"] == "sync_failed")
    assert line["result"] == result
    assert ("exc_info" in line) == isinstance(error, ZeroDivisionError)


async def test_an_outage_costs_nobody_an_attempt(desk: Desk) -> None:
    await desk.discover("a")
    count: list[int] = []

    async def story(person: Person) -> SyncResult:
        count.append(1)
        raise SideDown(side=Side.ADVOWARE)

    desk.story = story
    await desk.until(lambda _: bool(count))
    person = await desk.store.person("a")
    assert person is not None
    assert (person.standing.state, person.standing.attempts) == (State.DIRTY, 0)
    assert desk.runs("postponed") == 1


async def test_stopping_lets_a_run_finish(desk: Desk) -> None:
    await desk.discover("a")
    started = anyio.Event()

    async def story(person: Person) -> SyncResult:
        started.set()
        await anyio.sleep(0.05)
        return await desk.synced(person)

    desk.story = story
    with anyio.fail_after(3):
        async with anyio.create_task_group() as group:
            group.start_soon(desk.worker.run)
            await started.wait()
            desk.worker.stop()
    assert (await desk.state("a"))[0] is State.CLEAN


async def test_a_run_that_is_cut_off_is_postponed(desk: Desk) -> None:
    await desk.discover("a")
    started = anyio.Event()

    async def story(person: Person) -> SyncResult:
        started.set()
        await anyio.sleep_forever()
        raise AssertionError

    desk.story = story
    async with anyio.create_task_group() as group:
        group.start_soon(desk.worker.run)
        await started.wait()
        group.cancel_scope.cancel()
    assert await desk.state("a") == (State.DIRTY, "stopping")
    assert desk.runs("postponed") == 1


async def test_an_error_after_the_run_was_remembered_changes_nothing(desk: Desk) -> None:
    await desk.discover("a")

    async def story(person: Person) -> SyncResult:
        await desk.synced(person)
        raise ValueError("late")

    desk.story = story
    await desk.until(nobody_is(State.DIRTY, State.SYNCING))
    assert (await desk.state("a"))[0] is State.CLEAN


async def test_a_store_in_trouble_is_asked_until_it_takes_the_event(desk: Desk) -> None:
    await desk.discover("a")
    moves: list[Event] = []
    whole = desk.store

    class Ailing:
        def __getattr__(self, name: str) -> object:
            return getattr(whole, name)

        async def move(self, espocrm_id: str, event: Event, *, run: str = "") -> Person | None:
            moves.append(event)
            if len(moves) == 1:
                raise OSError("disk full")
            return await whole.move(espocrm_id, event, run=run)

    async def story(person: Person) -> SyncResult:
        raise ServerError(side=Side.ESPOCRM)

    desk.store = Ailing()  # type: ignore[assignment]
    desk.__post_init__()
    desk.story = story
    await desk.until(nobody_is(State.DIRTY, State.SYNCING))
    assert len(moves) == 2
    assert (await desk.state("a"))[0] is State.FAILED


async def test_what_a_run_did_is_counted(desk: Desk) -> None:
    await desk.discover("a")

    async def story(person: Person) -> SyncResult:
        after = await desk.store.move(person.espocrm_id, Event(Trigger.SYNCED))
        return SyncResult(
            after, "clean",
            writes=((Side.ADVOWARE, Variant.VAR1), (Side.ADVOWARE, Variant.VAR1), (Side.ESPOCRM, Variant.VAR4)),
            suppressed=((Side.ESPOCRM, 3),),
            unknown_outcomes=(Side.ADVOWARE,),
            conflicts_found=(ConflictKind.EDIT_EDIT,),
            decided=("policy",),
            quarantined=2,
            lag=(Side.ESPOCRM, desk.clock.now() - 40),
        )  # fmt: skip

    desk.story = story
    await desk.until(lambda counts: counts[State.CLEAN] == 1)
    metrics = desk.metrics
    assert metrics.entry_writes["advoware", "var1"]._value.get() == 2
    assert metrics.entry_writes["espocrm", "var4"]._value.get() == 1
    assert metrics.writes_suppressed["espocrm"]._value.get() == 3
    assert metrics.unknown_outcomes["advoware"]._value.get() == 1
    assert metrics.conflicts["edit_edit"]._value.get() == 1
    assert metrics.conflicts_decided["policy"]._value.get() == 1
    assert metrics.loop_quarantines._value.get() == 2
    assert 39 < metrics.sync_lag["espocrm"]._sum.get() < 45
    assert desk.edited == ["a"]


async def test_a_fresh_look_is_handed_on(desk: Desk) -> None:
    await desk.discover("a", "b")
    now = desk.clock.now()
    record = AdvowareRecord(1, (), (), now, now)
    desk.fresh.put("a", record)
    desk.story = desk.synced
    await desk.until(lambda counts: counts[State.CLEAN] == 2)
    assert sorted(desk.fresh_given, key=str) == sorted([record, None], key=str)


async def test_the_twin_that_is_left_is_asked_at_once(desk: Desk) -> None:
    """sync-rules §7: when only one holder of a betnr is left it is due at once."""
    for one in "ab":
        await desk.store.discover(one, 7, None)
    await desk.store.lease("x", 1)
    for person in await desk.store.by_bet_nr(7):
        if person.standing.state is State.SYNCING:
            await desk.store.move(person.espocrm_id, Event(Trigger.GAVE_UP, "betnr_doubled"))
            refused = person.espocrm_id

    async def story(person: Person) -> SyncResult:
        if person.espocrm_id == refused:
            return await desk.synced(person)
        return SyncResult(await desk.store.move(person.espocrm_id, Event(Trigger.UNTRACKED)), "clean")

    desk.story = story
    await desk.until(lambda counts: counts[State.CLEAN] == 1)
    assert (await desk.state(refused))[0] is State.CLEAN
