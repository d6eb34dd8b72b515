"""The whole daemon in one process, against both simulated systems."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from daemon.admission import pause_note
from daemon.app import App
from daemon.metrics import Metrics
from daemon.outside import open_outside
from daemon.simulators.espocrm import phone
from daemon.transport import NotSent
from statemachine.model import Side
from statemachine.standing import Event
from statemachine.states import State, Trigger
from tests.daemon.firm import Office, until


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@asynccontextmanager
async def running(office: Office, **sections: dict[str, Any]) -> AsyncIterator[App]:
    settings = office.settings(**sections)
    async with open_outside(settings, Metrics(), exclusive=True, wires=office.wires) as outside:
        app = App(outside)
        with anyio.fail_after(90):
            async with anyio.create_task_group() as group:
                await group.start(app.run)
                yield app
                app.stop()


async def all_are_clean(app: App) -> bool:
    counts = await app.outside.store.counts()
    return counts[State.CLEAN] == sum(counts.values()) > 0


async def until_clean(app: App) -> None:
    await until(lambda: all_are_clean(app))


async def until_some_are(app: App, state: State) -> None:
    async def some_are() -> bool:
        return (await app.outside.store.counts())[state] > 0

    await until(some_are)


async def test_a_firm_is_brought_together_and_stays_quiet(office: Office) -> None:
    async with running(office) as app:
        await until(lambda: all(map(office.is_equal, office.ids)))
        await until_clean(app)
        await until(lambda: app.scan.done)
        assert await app.unready() == {}
        assert app.stuck() == ()
        await anyio.sleep(2.2)  # looks become ripe
        written = [request for request in office.wires[Side.ESPOCRM].sent if request.method != "GET"]
        listed = len(office.wires[Side.ESPOCRM].sent)
        await anyio.sleep(1)
        news = office.wires[Side.ESPOCRM].sent[listed:]
        assert {request.method for request in news} == {"GET"}
        assert all(request.url.endswith("/CBeteiligte") for request in news)
        assert len(news) <= 11
        assert written == [request for request in office.wires[Side.ESPOCRM].sent if request.method != "GET"]
    metrics = app.outside.metrics
    assert metrics.beteiligte["clean"]._value.get() >= 0
    assert metrics.sync_runs["clean"]._value.get() >= 3


async def test_edits_on_either_side_cross(office: Office) -> None:
    bet_nr, other, _ = office.ids
    async with running(office) as app:
        await until_clean(app)
        office.advo.add_row(bet_nr, 3, "0170 1234567")
        office.espo.edit_person(office.ids[other], phones=[phone("+4951198765", primary=True)])
        record = lambda one: office.espo.person(office.ids[one])  # noqa: E731
        await until(lambda: len(record(bet_nr)["phoneNumberData"]) == 2)
        await until(lambda: any("98765" in row.tlf for row in office.advo.rows(other)))


async def test_it_starts_while_both_sides_are_down(office: Office) -> None:
    for wire in office.wires.values():
        wire.fault = lambda _: NotSent("no connection")
    async with running(office) as app:
        await until(lambda: not app.outside.gates[Side.ESPOCRM].usable)
        assert "facts" in await app.unready()
        assert "espocrm" in await app.unready()
        assert app.stuck() == ()


async def test_an_outage_in_the_middle_costs_no_attempt(office: Office) -> None:
    async with running(office) as app:
        await until_clean(app)
        office.wires[Side.ADVOWARE].fault = lambda _: NotSent("switched off at night")
        await until(lambda: not app.outside.gates[Side.ADVOWARE].usable)
        office.espo.edit_person(next(iter(office.ids.values())), phones=[phone("+4951198765", primary=True)])
        store = app.outside.store
        await until_some_are(app, State.DIRTY)
        await anyio.sleep(0.3)
        assert (await store.counts())[State.FAILED] == 0
        for person in await store.scan_slice("", 10):
            assert person.standing.attempts == 0


async def test_a_paused_side_is_left_alone(office: Office) -> None:
    async with running(office) as app:
        await until_clean(app)
        for side in Side:
            await app.outside.store.set_note(pause_note(side), "by an operator")
        await anyio.sleep(0.3)
        before = office.requests()
        await anyio.sleep(0.5)
        assert office.requests() == before
        assert (await app.unready())["advoware"] == "paused"
        for side in Side:
            await app.outside.store.set_note(pause_note(side), None)
        office.advo.add_row(next(iter(office.ids)), 3, "0170 1234567")
        record_id = next(iter(office.ids.values()))
        await until(lambda: len(office.espo.person(record_id)["phoneNumberData"]) == 2)


async def test_leases_of_a_dead_process_are_given_back(office: Office) -> None:
    async with open_outside(office.settings(), Metrics(), exclusive=True, wires=office.wires) as outside:
        await outside.store.discover("x", 1, None)
        await outside.store.lease("dead", 1)
    async with open_outside(office.settings(), Metrics(), exclusive=True, wires=office.wires) as outside:
        await App(outside).recover()
        person = await outside.store.person("x")
        assert person is not None
        assert (person.standing.state, person.standing.reason) == (State.DIRTY, "interrupted")
        assert outside.metrics.sync_runs["interrupted"]._value.get() == 1


async def test_other_rules_concern_everybody(office: Office) -> None:
    async with running(office) as app:
        await until_clean(app)
    before = office.requests()
    async with running(office) as app:
        await until(lambda: app.facts.known is not None)
        await anyio.sleep(0.1)
        history = [row for bet_nr in office.ids for row in await app.outside.store.history(bet_nr)]
        assert not [row for row in history if row["reason"] == "rules_changed"]
    assert office.requests() > before
    async with running(office, sync={"conflict_policy": "manual"}) as app:
        await until(lambda: app.facts.known is not None)
        history = [row for bet_nr in office.ids for row in await app.outside.store.history(bet_nr)]
        assert len([row for row in history if row["reason"] == "rules_changed"]) == len(office.ids)


async def test_stopping_leaves_nobody_syncing(office: Office) -> None:
    office = Office(office.path, 30)
    async with running(office) as app:
        await until_some_are(app, State.SYNCING)
    async with open_outside(office.settings(), Metrics(), exclusive=True, wires=office.wires) as outside:
        assert (await outside.store.counts())[State.SYNCING] == 0
        assert await outside.store.move("nobody", Event(Trigger.ASKED)) is None
