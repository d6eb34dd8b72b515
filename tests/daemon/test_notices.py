"""Tasks for people: one per cause, opened once, closed when settled, German, without contact data (sync-rules §11)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon.notices import Notices, name_of, text_for
from daemon.ports import Finish, GuardLimits
from daemon.store import SqliteStore, StoredNotice
from statemachine.case import Notice
from statemachine.errors import AccessDenied, SideDown
from statemachine.model import Base, Side
from statemachine.standing import Event
from statemachine.states import State, Trigger
from tests.daemon.store.building import HandClock, opener

CONFLICT = Notice("conflict:L1", "conflict", "edit_edit")
GUARD = GuardLimits(50, 0.02, 3600)


@dataclass
class Tasks:
    """``ports.Espocrm`` as far as Tasks go."""

    open: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    lose_answer: bool = False

    async def find_task(self, espocrm_id: str, name: str) -> str | None:
        return next((one for one, task in self.open.items() if task[:2] == (espocrm_id, name)), None)

    async def open_task(
        self, espocrm_id: str, name: str, description: str, user_id: str, urgent: bool
    ) -> str:
        if espocrm_id in self.errors:
            raise self.errors[espocrm_id]
        assert user_id == "human1"
        task_id = f"task{len(self.open) + len(self.closed)}"
        self.open[task_id] = (espocrm_id, name, description)
        if self.lose_answer:
            self.lose_answer = False
            raise SideDown(side=Side.ESPOCRM)
        return task_id

    async def close_task(self, task_id: str) -> None:
        if task_id in self.stuck:
            raise AccessDenied(side=Side.ESPOCRM)
        del self.open[task_id]
        self.closed.append(task_id)


@dataclass
class Desk:
    store: SqliteStore
    tasks: Tasks = field(default_factory=Tasks)

    def __post_init__(self) -> None:
        self.notices = Notices(self.tasks, self.store, "human1")  # type: ignore[arg-type]

    async def run(self, espocrm_id: str, *wanted: Notice) -> None:
        """A run that ends wanting this."""
        if await self.store.person(espocrm_id) is None:
            await self.store.discover(espocrm_id, 7, None)
        await self.store.move(espocrm_id, Event(Trigger.ASKED))
        await self.store.lease("test", 1, only=[espocrm_id])
        finish = Finish(Base(), Event(Trigger.SYNCED), notices=wanted)
        await self.store.finish(espocrm_id, 7, finish, run="r", guard=GUARD)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with opener(tmp_path / "k.sqlite3", HandClock())() as store:
        yield Desk(store)


async def test_one_task_per_cause_however_often_it_is_wanted(desk: Desk) -> None:
    for _ in range(3):
        await desk.run("a", CONFLICT)
        await desk.notices.reconcile()
    ((parent, name, description),) = desk.tasks.open.values()
    assert parent == "a"
    assert name.startswith("Kontaktdaten: Widerspruch")
    assert "betNr 7" in description
    assert "edit_edit" in description


async def test_two_causes_are_two_tasks(desk: Desk) -> None:
    await desk.run("a", CONFLICT, Notice("conflict:L2", "conflict", "edit_edit"))
    await desk.notices.reconcile()
    assert len({name for _, name, _ in desk.tasks.open.values()}) == 2


async def test_a_settled_cause_closes_its_task_and_only_that(desk: Desk) -> None:
    other = Notice("unsyncable:x", "unsyncable", "no_mail_address")
    await desk.run("a", CONFLICT, other)
    await desk.notices.reconcile()
    await desk.run("a", other)
    await desk.notices.reconcile()
    assert [name for _, name, _ in desk.tasks.open.values()] == [name_of(StoredNotice(0, "a", 7, other))]
    await desk.run("a")
    await desk.notices.reconcile()
    assert not desk.tasks.open


async def test_a_lost_answer_makes_no_second_task(desk: Desk) -> None:
    """EspoCRM has no duplicate check for Tasks (facts/EspoCRM §11)."""
    desk.tasks.lose_answer = True
    await desk.run("a", CONFLICT)
    with pytest.raises(SideDown):
        await desk.notices.reconcile()
    await desk.notices.reconcile()
    assert len(desk.tasks.open) == 1
    await desk.run("a")
    await desk.notices.reconcile()
    assert not desk.tasks.open


async def test_who_is_given_up_gets_a_task_until_he_is_synced(desk: Desk) -> None:
    await desk.store.discover("a", 7, None)
    await desk.store.lease("test", 1)
    await desk.store.move("a", Event(Trigger.GAVE_UP, "missing_in_advoware"))
    await desk.notices.reconcile()
    ((_, name, description),) = desk.tasks.open.values()
    assert "gescheitert" in name
    assert "missing_in_advoware" in description
    await desk.run("a")
    await desk.notices.reconcile()
    assert not desk.tasks.open


async def test_who_is_no_longer_tracked_keeps_no_open_task(desk: Desk) -> None:
    await desk.run("a", CONFLICT)
    await desk.notices.reconcile()
    await desk.store.move("a", Event(Trigger.UNTRACKED))
    await desk.notices.reconcile()
    assert not desk.tasks.open
    assert (await desk.store.counts())[State.CLEAN] == 0


async def test_a_refused_task_does_not_hold_up_the_others(desk: Desk) -> None:
    desk.tasks.errors["a"] = AccessDenied(side=Side.ESPOCRM)
    for one in "abc":
        await desk.run(one, CONFLICT)
    with pytest.raises(AccessDenied):
        await desk.notices.reconcile()
    assert {parent for parent, _, _ in desk.tasks.open.values()} == {"b", "c"}


async def test_tasks_that_are_always_refused_hide_no_later_ones_for_ever(desk: Desk) -> None:
    for one in "abcde":
        desk.tasks.errors[one] = AccessDenied(side=Side.ESPOCRM)
    for one in "abcdefg":
        await desk.run(one, CONFLICT)
    for _ in range(2):
        with pytest.raises(AccessDenied):
            await desk.notices.reconcile()
    assert {parent for parent, _, _ in desk.tasks.open.values()} == {"f", "g"}


async def test_tasks_that_cannot_be_closed_keep_none_from_being_opened(desk: Desk) -> None:
    for one in "abcd":
        await desk.run(one, CONFLICT)
    await desk.notices.reconcile()
    desk.tasks.stuck = {task_id for task_id, task in desk.tasks.open.items() if task[0] != "d"}
    for one in "abcd":
        await desk.run(one)
    await desk.run("e", CONFLICT)
    for _ in range(2):
        with pytest.raises(AccessDenied):
            await desk.notices.reconcile()
    assert {parent for parent, _, _ in desk.tasks.open.values()} == {"a", "b", "c", "e"}


async def test_a_common_cause_is_no_flood_of_tasks(desk: Desk) -> None:
    for number in range(26):
        await desk.run(f"{number:02}", Notice("f", "permanently_failed", "access_denied"))
    await desk.run("x", CONFLICT)
    await desk.notices.reconcile()
    assert [parent for parent, _, _ in desk.tasks.open.values()] == ["x"]


@pytest.mark.parametrize(
    "topic",
    "conflict unsyncable not_taken array_refused quarantined readonly_field permanently_failed new".split(),
)  # fmt: skip
def test_every_topic_has_german_words_and_names_hold_no_value(topic: str) -> None:
    notice = StoredNotice(1, "a", 7, Notice("value:+495111234560", topic, "some_reason"))
    assert len(text_for(notice).todo) > 60
    assert re.fullmatch(r"Kontaktdaten: [A-ZÄÖÜ][\w -]+ \[[0-9a-f]{6}\]", name_of(notice))


def test_a_conflict_of_a_kind_of_its_own_has_its_own_words() -> None:
    emptied = StoredNotice(1, "a", 7, Notice("c", "conflict", "side_emptied"))
    assert text_for(emptied) != text_for(StoredNotice(1, "a", 7, CONFLICT))
