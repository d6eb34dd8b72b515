"""What the daemon costs the two systems, counted on the simulators (the bounds of the README, *What it costs*)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from daemon.app import App
from daemon.metrics import Metrics
from daemon.outside import open_outside
from daemon.simulators.people import Pair
from statemachine.model import Side
from tests.daemon.house import PEOPLE, House, house
from tests.daemon.wires import Middling, WorldWire


async def test_an_idle_poll_is_one_list_call_whatever_the_number_of_people(tmp_path: Path) -> None:
    async with house(tmp_path) as firm:
        for _ in range(100):
            await firm.poll()
            await firm.settle()
        assert firm.asked() == {"espocrm list": 100}


async def test_a_sweep_is_one_get_for_each_and_writes_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as firm:
        await firm.sweep()
        await firm.settle()
        asked = firm.asked()
        assert asked.pop("advoware POST", 0) <= 1  # the token, when the last one has expired
        assert asked == {"advoware GET": PEOPLE}


async def test_one_edit_in_espocrm_costs_two_looks_the_write_and_one_look(tmp_path: Path) -> None:
    async with house(tmp_path) as firm:
        person = _with_phone(firm)
        items = firm.espo.person(person.espocrm_id)["phoneNumberData"]
        items[0]["phoneNumber"] = "+493023125999"
        firm.espo.edit_person(person.espocrm_id, phones=items)
        await firm.poll()
        await firm.settle()
        assert firm.asked() == {"espocrm list": 1, "espocrm GET": 1, "advoware GET": 2, "advoware PUT": 1}
        for _ in range(20):
            await firm.poll()
            await firm.settle()
        assert firm.asked() == {"espocrm list": 20}


async def test_one_edit_in_advoware_costs_the_look_that_found_it_and_one_of_each_written_side(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as firm:
        person = _with_phone(firm)
        row = next(row for row in firm.advoware.rows(person.bet_nr) if row.komm_kz == 1 and row.tlf)
        firm.advoware.edit_row(row.id, tlf="030 23125888")
        await firm.app.sweep.sweep_everybody()
        asked = firm.asked()
        assert asked["advoware GET"] == PEOPLE
        await firm.settle()
        asked = firm.asked()
        holder_looks = asked.pop("espocrm list", 0)
        assert holder_looks <= 1  # who holds the new value already? (sync rules §5)
        assert asked == {"espocrm GET": 2, "espocrm PUT": 1, "advoware GET": 1, "advoware PUT": 1}
        await firm.poll()
        await firm.settle()
        asked = firm.asked()
        assert asked["espocrm list"] == 1
        assert asked["espocrm PUT"] == asked["advoware PUT"] == asked["advoware POST"] == 0


async def test_a_lost_database_costs_no_write_where_both_sides_agree(tmp_path: Path) -> None:
    async with house(tmp_path) as firm:
        truth = (_espo_truth(firm), _advoware_truth(firm))
        espo, advoware, clock = firm.espo, firm.advoware, firm.clock
        other = tmp_path / "new"
        other.mkdir()
        wires = {Side.ESPOCRM: WorldWire(espo), Side.ADVOWARE: WorldWire(advoware)}
        settings = firm.app.outside.settings
        settings = settings.model_copy(
            update={"store": settings.store.model_copy(update={"path": other / "s.sqlite3"})}
        )
        async with open_outside(
            settings, Metrics("test"), exclusive=True, wires=wires, clock=clock, random=Middling()
        ) as outside:
            again = House(App(outside), espo, advoware, firm.pairs, clock, wires)
            await again.app.facts.refresh()
            await again.poll()
            await again.app.scan.scan_espocrm()
            await again.settle()
            await again.sweep()
            await again.settle()
            asked = again.asked()
        assert asked["espocrm PUT"] == asked["advoware PUT"] == 0
        assert (_espo_truth(firm), _advoware_truth(firm)) == truth


def _with_phone(firm: House) -> Pair:
    """Somebody with an office number on both sides that nobody shares."""
    count: Counter[str] = Counter()
    for pair in firm.pairs:
        count.update(item["phoneNumber"] for item in firm.espo.person(pair.espocrm_id)["phoneNumberData"])
    for pair in firm.pairs:
        items = firm.espo.person(pair.espocrm_id)["phoneNumberData"]
        rows = [row for row in firm.advoware.rows(pair.bet_nr) if row.komm_kz == 1 and row.tlf]
        if items and items[0]["type"] == "Office" and count[items[0]["phoneNumber"]] == 1 and len(rows) == 1:
            return pair
    raise AssertionError("nobody suits")


def _espo_truth(firm: House) -> list[object]:
    return [
        (person["phoneNumberData"], person["emailAddressData"])
        for person in (firm.espo.person(pair.espocrm_id) for pair in firm.pairs)
    ]


def _advoware_truth(firm: House) -> list[object]:
    return [
        (row.id, row.tlf, row.bemerkung) for pair in firm.pairs for row in firm.advoware.rows(pair.bet_nr)
    ]
