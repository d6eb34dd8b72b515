"""A dry run lives with both systems, tells what it would write, and writes nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.admin import dryrun
from daemon.app import App
from daemon.metrics import Metrics
from daemon.outside import open_outside
from daemon.process import Daemon
from daemon.simulators.espocrm import phone
from statemachine.errors import ContractBroken
from statemachine.states import State
from tests.daemon.firm import Office, until
from tests.daemon.test_app import all_are_clean, running, until_clean
from tests.daemon.test_process import House, living

#: The edits come right after the writes; they are no forms that were opened before.
NO_FORMS = {"stale_form_seconds": 0}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@asynccontextmanager
async def rehearsing(office: Office, **sections: dict[str, Any]) -> AsyncIterator[App]:
    settings = await dryrun.apart(office.settings(**sections))
    async with open_outside(settings, Metrics(), exclusive=True, wires=office.wires, dry_run=True) as outside:
        app = App(outside)
        with anyio.fail_after(90):
            async with anyio.create_task_group() as group:
                await group.start(app.run)
                yield app
                app.stop()


def written(office: Office) -> list[str]:
    """Requests that are no GET; signing in to Advoware is one, and writes nothing."""
    sent = [request for wire in office.wires.values() for request in wire.sent]
    return [f"{one.method} {one.url}" for one in sent if one.method != "GET" and "Token" not in one.url]


def would_write(app: App) -> dict[tuple[str, str], float]:
    found = {}
    for family in text_string_to_metric_families(app.outside.metrics.render().decode()):
        if family.name == "kommsync_dry_run_writes":
            found = {
                (one.labels["side"], one.labels["variant"]): one.value for one in family.samples if one.value
            }
    return found


async def rehearsed(office: Office) -> House:
    """A process that is to rehearse."""
    house = House(office)
    settings = await dryrun.apart(office.settings())
    house.daemon = Daemon(settings, house.reload, environ={}, wires=office.wires, dry_run=True)
    return house


async def all_is_told(house: House) -> bool:
    return '"add_to_advoware": 3' in (await house.get("/readyz"))[1]


def summary(app: App) -> dict[str, int]:
    assert app.rehearsal is not None
    return app.rehearsal.summary()


async def test_a_first_roll_out_is_told_and_not_done(office: Office) -> None:
    async with rehearsing(office) as app:
        await until(lambda: summary(app)["add_to_espocrm"] == summary(app)["add_to_advoware"] == 3)
        await until_clean(app)
        assert would_write(app) == {
            ("advoware", "var1"): 3,
            ("advoware", "marker"): 3,
            ("espocrm", "var4"): 3,
        }
        assert (summary(app)["people"], summary(app)["conflicts"]) == (3, 0)
        runs = app.outside.metrics.sync_runs["clean"]._value.get()
        await anyio.sleep(1.5)  # sweeps and polls that change nothing cost no further run
        assert app.outside.metrics.sync_runs["clean"]._value.get() <= runs + 3
        history = await app.outside.store.history(next(iter(office.ids)))
    assert written(office) == []
    assert {line["what"] for line in history} == {"transition"}
    assert history[-1]["reason"] == "would_write"
    assert not office.settings().store.path.exists()


async def test_it_sees_what_people_do_and_what_another_program_settles(office: Office) -> None:
    bet_nr, espocrm_id = next(iter(office.ids.items()))
    async with running(office, sync=NO_FORMS) as real:
        await until_clean(real)
    for wire in office.wires.values():
        wire.sent.clear()
    before = _rows(office.settings().store.path)
    async with rehearsing(office, sync=NO_FORMS) as app:
        await until(lambda: summary(app)["people"] == 3)
        assert would_write(app) == {}
        office.espo.edit_person(espocrm_id, phones=[phone("+4951198765", "Office", primary=True)])
        await until(lambda: would_write(app) == {("advoware", "var5"): 1})
        row = next(one for one in office.advo.rows(bet_nr) if "12345" in one.tlf)
        office.advo.edit_row(row.id, tlf="0511 98765")
        await until(lambda: would_write(app) == {})
        await until(lambda: all_are_clean(app))
        assert summary(app)["links"] == 6
    assert written(office) == []
    assert _rows(office.settings().store.path) == before


async def test_deletions_take_their_two_looks_and_the_fuse_of_its_own(office: Office) -> None:
    async with running(office, sync=NO_FORMS) as real:
        await until_clean(real)
    for wire in office.wires.values():
        wire.sent.clear()
    async with rehearsing(office, guard={"max_deletions": 1}, sync=NO_FORMS) as app:
        await until(lambda: summary(app)["people"] == 3)
        ids = list(office.ids.values())
        office.espo.edit_person(ids[0], phones=[])
        await until(lambda: would_write(app) == {("advoware", "var2"): 1})
        office.espo.edit_person(ids[1], phones=[])
        await until(lambda: summary(app)["waiting"] == 1)
        assert len(await app.outside.store.held_deletions()) >= 1
    assert written(office) == []


async def test_a_restart_goes_on_with_its_own_memory_and_finds_everything_again(office: Office) -> None:
    async with rehearsing(office) as app:
        await until(lambda: summary(app)["add_to_espocrm"] == 3)
    async with rehearsing(office) as app:
        await until(lambda: summary(app)["add_to_espocrm"] == summary(app)["add_to_advoware"] == 3)
    assert written(office) == []


async def test_no_task_and_no_status_for_people(office: Office) -> None:
    """A conflict and a value that nobody takes would raise Tasks; a failing record would show it."""
    bet_nr = next(iter(office.ids))
    office.advo.add_row(bet_nr, 1, "k.A.")
    async with rehearsing(office) as app:
        await until(lambda: summary(app)["unsyncable"] == 1)
        await until_clean(app)
        assert (await app.outside.store.sums()).unsyncable == 1
    assert written(office) == []
    assert office.espo.person(office.ids[bet_nr])["syncStatus"] in (None, "", "pending_sync")


async def test_every_write_is_refused_before_it_leaves(office: Office) -> None:
    settings = await dryrun.apart(office.settings())
    async with open_outside(settings, Metrics(), exclusive=True, wires=office.wires, dry_run=True) as outside:
        record = await outside.espocrm.get(next(iter(office.ids.values())))
        for write in (
            outside.espocrm.put(record, None),  # type: ignore[arg-type]
            outside.espocrm.open_task("a", "b", "c", "d", False),
            outside.espocrm.close_task("a"),
            outside.advoware.post(1, None),  # type: ignore[arg-type]
            outside.advoware.put(1, 1, None),  # type: ignore[arg-type]
            outside.advoware.delete(1, 1),
        ):
            with pytest.raises(ContractBroken, match="a dry run writes nothing"):
                await write
        assert await outside.espocrm.find_task(record.id, "none") is None
        await outside.espocrm.probe()
    assert written(office) == []


async def test_the_process_tells_at_readyz(office: Office) -> None:
    house = await rehearsed(office)
    async with living(house):
        await until(lambda: all_is_told(house))
        assert (
            "Dry run: nothing is written. Would be written now: 3 entries in EspoCRM"
            in (await house.get("/"))[1]
        )
        before = house.daemon.app
        os.kill(os.getpid(), signal.SIGHUP)
        await house.until_exchanged(before)
        await house.until_ready()
        await until(lambda: all_is_told(house))
        app = house.daemon.app
        assert app is not None
        assert app.outside.dry_run
        assert (await app.outside.store.counts())[State.FAILED] == 0
    assert written(office) == []
    assert not office.settings().store.path.exists()


async def test_a_reload_does_not_count_twice_what_would_be_written(office: Office) -> None:
    """The metric outlives the daemon that found it, and everybody is looked at again after the reload."""
    house = await rehearsed(office)
    async with living(house):
        await until(lambda: all_is_told(house))
        before = house.daemon.app
        assert before is not None
        told = would_write(before)
        os.kill(os.getpid(), signal.SIGHUP)
        await house.until_exchanged(before)
        await house.until_ready()
        await until(lambda: all_is_told(house))
        after = house.daemon.app
        assert after is not None
        assert would_write(after) == told


def _rows(store: Path) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True) as sql:
        tables = [row[0] for row in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(name, *row) for name in tables for row in sql.execute(f"SELECT * FROM {name}")]
