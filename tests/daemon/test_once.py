"""``once``: everything once, and how it ended (interfaces, Commands)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.app import App
from daemon.metrics import Metrics
from daemon.once import Ended, run_once
from daemon.outside import open_outside
from daemon.simulators.espocrm import phone
from daemon.transport import NotSent
from statemachine.case import Fuse
from statemachine.model import Side
from statemachine.states import State
from tests.daemon.firm import Office


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


async def once(office: Office, seconds: float = 20, fuse: bool = False, **sections: dict[str, Any]) -> Ended:
    settings = office.settings(**sections)
    async with open_outside(settings, Metrics(), exclusive=True, wires=office.wires) as outside:
        if fuse:
            await outside.store.blow_fuse(Side.ADVOWARE, Fuse.DELETIONS, "test")
        return await run_once(App(outside), seconds)


async def test_all_is_brought_together(office: Office) -> None:
    ended = await once(office)
    assert (ended.code, ended.reason, ended.states[State.CLEAN]) == (0, "clean", 3)
    assert all(map(office.is_equal, office.ids))


async def test_the_second_time_nothing_is_written(office: Office) -> None:
    await once(office)
    sent = {side: len(wire.sent) for side, wire in office.wires.items()}
    assert (await once(office)).code == 0
    for side, wire in office.wires.items():
        others = {request.method for request in wire.sent[sent[side] :] if not request.url.endswith("Token")}
        assert others == {"GET"}


async def test_it_waits_for_what_is_pending(office: Office) -> None:
    """A deletion needs a second look; and the edit came in the same second as our own last write."""
    await once(office)
    bet_nr, record_id = next(iter(office.ids.items()))
    office.espo.edit_person(record_id, mails=[])
    assert (await once(office)).code == 0
    assert [row.tlf for row in office.advo.rows(bet_nr) if row.tlf] == ["0511 1234500"]


async def test_an_edit_in_advoware_is_found(office: Office) -> None:
    await once(office)
    bet_nr, record_id = next(iter(office.ids.items()))
    office.advo.add_row(bet_nr, 3, "0170 1234567")
    assert (await once(office)).code == 0
    assert len(office.espo.person(record_id)["phoneNumberData"]) == 2


async def test_a_side_that_is_down(office: Office) -> None:
    office.wires[Side.ADVOWARE].fault = lambda _: NotSent("no connection")
    ended = await once(office)
    assert (ended.code, ended.reason) == (1, "side_down")


async def test_the_timeout(office: Office) -> None:
    ended = await once(office, seconds=0.3, sync={"settle_seconds": 60})
    assert (ended.code, ended.reason) == (1, "timeout")
    assert ended.states[State.SYNCING] == 0


async def test_a_human_is_needed(office: Office) -> None:
    bet_nr = next(iter(office.ids))
    office.advo.delete_person(bet_nr)
    ended = await once(office)
    assert (ended.code, ended.states[State.PERMANENTLY_FAILED]) == (3, 1)


async def test_a_conflict_needs_a_human(office: Office) -> None:
    await once(office, sync={"conflict_policy": "manual"})
    bet_nr, record_id = next(iter(office.ids.items()))
    row = next(row for row in office.advo.rows(bet_nr) if "0511" in row.tlf)
    office.advo.edit_row(row.id, tlf="0511 1111111")
    office.espo.edit_person(record_id, phones=[phone("+495112222222", "Office", primary=True)])
    ended = await once(office, sync={"conflict_policy": "manual"})
    assert (ended.code, ended.states[State.CONFLICT]) == (3, 1)


async def test_a_blown_fuse_needs_a_human(office: Office) -> None:
    ended = await once(office, fuse=True)
    assert (ended.code, ended.reason) == (3, "fuse_blown")
