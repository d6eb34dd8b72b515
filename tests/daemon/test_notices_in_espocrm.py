"""The Tasks of sync rules §11 as a secretary finds them: the whole daemon against both simulated systems."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.admin import conflicts
from daemon.notices import Notices
from daemon.ports import Answer
from daemon.simulators.espocrm import mail, phone
from statemachine.case import Keep
from statemachine.errors import UnknownOutcome
from statemachine.model import Side
from tests.daemon.house import House, house
from tests.daemon.wires import Once

CLOSED = ("Completed", "Canceled")
#: A betNr that no Beteiligter in Advoware has.
NOBODY = 987654


@pytest.fixture
async def firm(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, 4, SYNC__CONFLICT_POLICY="manual", SYNC__TYPE_CHANGE="ask") as found:
        yield found


async def reconcile(firm: House) -> None:
    out = firm.app.outside
    await Notices(out.espocrm, out.store, firm.espo.human.id).reconcile()


async def tasks(firm: House) -> list[dict[str, Any]]:
    """Those that are open, after the loop that opens and closes them has had its turn twice."""
    for _ in range(2):
        await reconcile(firm)
    return [row for row in firm.espo.tasks.rows() if row["status"] not in CLOSED]


def task_about(found: list[dict[str, Any]], title: str) -> dict[str, Any]:
    [task] = [row for row in found if title in row["name"]]
    return task


async def test_each_cause_has_one_task_that_says_what_to_do_and_closes_by_itself(firm: House) -> None:
    pair = firm.new(
        rows=[(1, "0511 4711001"), (4, "alt@example.com")],
        phones=[phone("+495114711001", "Office", primary=True)],
        mails=[mail("alt@example.com", primary=True)],
    )
    await firm.look()
    already = {row["id"] for row in await tasks(firm)}
    firm.advoware.add_row(pair.bet_nr, 1, "k.A.")
    firm.advoware.edit_row(firm.row(pair, "0511 4711001").id, tlf="0511 4711002")
    firm.espo.edit_person(pair.espocrm_id, phones=[phone("+495114711003", "Office", primary=True)])
    await firm.look()
    await firm.look()
    found = [row for row in await tasks(firm) if row["id"] not in already]
    assert len(found) == 2
    for task in found:
        assert (task["parentId"], task["assignedUserId"]) == (pair.espocrm_id, firm.espo.human.id)
        assert str(pair.bet_nr) in task["description"]
        assert "Bitte" in task["description"]
        assert "schließt sich von selbst" in task["description"]
        assert not re.search(
            r"4711|@|k\.A\.", task["name"] + task["description"].replace(str(pair.bet_nr), "")
        )
    assert task_about(found, "Widerspruch zwischen EspoCRM und Advoware")["priority"] == "High"
    task_about(found, "Ein Eintrag kann nicht übertragen werden")
    store = firm.app.outside.store
    [conflict] = await conflicts.waiting(store)
    await conflicts.resolve(store, conflict["id"], Keep.ADVOWARE)
    await firm.settle()
    left = [row for row in await tasks(firm) if row["id"] not in already]
    assert [task_about(found, "kann nicht übertragen")["id"]] == [row["id"] for row in left]
    firm.advoware.edit_row(firm.row(pair, "k.A.").id, tlf="0511 4711009")
    await firm.look()
    assert {row["id"] for row in await tasks(firm)} <= already
    assert {"0511 4711002", "0511 4711009"} <= {tlf for _, tlf in firm.rows(pair)}


async def test_who_is_given_up_has_a_task_until_he_is_back(firm: House) -> None:
    pair = firm.new(rows=[(1, "0511 4711001")])
    twin = firm.espo.create_person(lastName="Muster", betnr=pair.bet_nr)
    await firm.look()
    found = await tasks(firm)
    assert {row["parentId"] for row in found if "ist gescheitert" in row["name"]} >= {pair.espocrm_id}
    firm.espo.edit_person(twin, betnr=None)
    await firm.look()
    await firm.look()
    assert not [row for row in await tasks(firm) if row["parentId"] == pair.espocrm_id]
    assert firm.phones(pair)


async def test_two_who_share_a_betnr_that_advoware_lacks_keep_their_tasks(tmp_path: Path) -> None:
    """§11: the two causes would take turns, and each sweep would close the Tasks and open new ones."""
    async with house(tmp_path, 0) as firm:
        for name in ("Muster", "Maier"):
            firm.espo.create_person(lastName=name, betnr=NOBODY)
        await firm.look()
        await firm.look()
        await tasks(firm)
        before = [row["id"] for row in firm.espo.tasks.rows()]
        assert len(before) == 2
        for _ in range(5):
            firm.clock.time += 600
            await firm.sweep()
            await firm.settle()
            await tasks(firm)
        assert [row["id"] for row in firm.espo.tasks.rows()] == before


async def test_a_task_that_could_not_be_closed_at_once_does_not_keep_the_next_one_away(
    tmp_path: Path,
) -> None:
    """§11: the same cause comes again; the old Task must not be taken for the new one, and closed afterwards."""
    async with house(tmp_path, 0) as firm:
        firm.espo.create_person(lastName="Muster", betnr=NOBODY)
        await firm.look()
        await firm.look()
        (task,) = await tasks(firm)
        await firm.app.outside.store.ask([task["parentId"]], "test")
        await firm.settle()
        firm.wires[Side.ESPOCRM].fault = once = Once(
            lambda r: Answer(500, {}, b"") if r.method == "PUT" and "/Task/" in r.url else None
        )
        with pytest.raises(UnknownOutcome):
            await reconcile(firm)
        assert once.given
        await tasks(firm)
        assert len(await tasks(firm)) == 1


async def test_a_type_that_advoware_cannot_change_is_asked_about(firm: House) -> None:
    pair = firm.new(rows=[(1, "0511 4711001")], phones=[phone("+495114711001", "Office", primary=True)])
    await firm.look()
    before, already = firm.rows(pair), {row["id"] for row in await tasks(firm)}
    firm.espo.edit_person(pair.espocrm_id, phones=[phone("+495114711001", "Fax", primary=True)])
    await firm.look()
    task = task_about(await tasks(firm), "Die Art eines Eintrags weicht ab")
    assert "Advoware lässt sie nicht ändern" in task["description"]
    assert firm.rows(pair) == before
    firm.espo.edit_person(pair.espocrm_id, phones=[phone("+495114711001", "Office", primary=True)])
    await firm.look()
    assert {row["id"] for row in await tasks(firm)} == already
