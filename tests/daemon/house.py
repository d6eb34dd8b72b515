"""A firm, its simulators and its daemon without sockets and without loops: the tests turn the crank by hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from daemon.app import App
from daemon.config import load
from daemon.metrics import Metrics
from daemon.outside import open_outside
from daemon.ports import Answer, Request
from daemon.simulators import people
from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.advoware_rows import Row
from daemon.simulators.espocrm import EspoWorld, mail, phone
from daemon.simulators.people import Pair
from daemon.simulators.wire import JsonObject
from daemon.transport import WireError
from statemachine.case import Keep
from statemachine.model import Side
from statemachine.states import State
from tests.daemon.store.building import HandClock
from tests.daemon.wires import Fault, Middling, WorldWire, truncated

PEOPLE = 30
#: Longer than the overlap and the settle time, so that every look is ripe.
LATER = 30.0

OFFICE, OTHER, MOBILE = "+493023125001", "+493023125002", "+491713920001"


@dataclass
class House:
    """A firm in sync, its daemon, and a count of what the daemon asked for."""

    app: App
    espo: EspoWorld
    advoware: AdvowareWorld
    pairs: list[Pair]
    clock: HandClock
    wires: dict[Side, WorldWire] = field(default_factory=dict)

    async def poll(self) -> None:
        self.clock.time += LATER
        await self.app.poller.poll_espocrm()

    async def sweep(self) -> None:
        self.clock.time += LATER
        await self.app.sweep.sweep_everybody()

    async def settle(self) -> None:
        """Sync until nobody is due, letting time pass for second looks."""
        for _ in range(20):
            while await self._work():
                pass
            if not (await self.app.outside.store.counts())[State.DIRTY]:
                return
            self.clock.time += 120.0
        raise AssertionError("never quiet")

    async def _work(self) -> int:
        """What the dispatcher does, one after the other, so that the requests can be counted."""
        worker = self.app.worker
        due = await self.app.outside.store.lease(worker._owner, 8)
        for person in due:
            worker.running += 1
            await worker._sync(person)
        return len(due)

    async def look(self) -> None:
        """Everything is looked at and synced, until nobody is due."""
        await self.poll()
        await self.app.scan.scan_espocrm()
        await self.settle()
        await self.sweep()
        await self.settle()

    def new(
        self,
        rows: Sequence[tuple[int, str]] = (),
        phones: Sequence[JsonObject] = (),
        mails: Sequence[JsonObject] = (),
    ) -> Pair:
        """A Beteiligter with these (kommKz, tlf) in Advoware and these items in EspoCRM."""
        bet_nr = self.advoware.add_person("Muster")
        for komm_kz, tlf in rows:
            self.advoware.add_row(bet_nr, komm_kz, tlf)
        espocrm_id = self.espo.create_person(
            lastName="Muster", betnr=bet_nr, phones=list(phones), mails=list(mails)
        )
        return Pair(espocrm_id, bet_nr)

    async def synced(self, place: int = 0) -> Pair:
        """Somebody in sync with one number and one address, both his own."""
        address = f"alt{place or ''}@example.de"
        number = f"+49302312{5001 + place * 10}"
        tlf = "030/23125-001" if place == 0 else number
        office = phone(number, "Office", primary=True)
        pair = self.new([(1, tlf), (4, address)], [office], [mail(address, primary=True)])
        await self.look()
        assert await self.state(pair) == ("clean", "")
        return pair

    def edit_both(self, pair: Pair) -> None:
        """The same number, differently on each side."""
        self.advoware.edit_row(self.row(pair, "030/23125-001").id, tlf="030/23125-009")
        self.espo.edit_person(pair.espocrm_id, phones=[phone(OTHER, "Office", primary=True)])

    def phones(self, pair: Pair) -> list[tuple[str, str]]:
        """(type, number) in EspoCRM, sorted."""
        items = self.espo.person(pair.espocrm_id)["phoneNumberData"]
        return sorted((item["type"], item["phoneNumber"]) for item in items)

    def mails(self, pair: Pair) -> list[str]:
        return sorted(item["emailAddress"] for item in self.espo.person(pair.espocrm_id)["emailAddressData"])

    def rows(self, pair: Pair) -> list[tuple[int, str]]:
        """(true kommKz, tlf) of the non-blank rows in Advoware, sorted."""
        return sorted((row.komm_kz, row.tlf) for row in self.advoware.rows(pair.bet_nr) if row.tlf)

    def row(self, pair: Pair, tlf: str) -> Row:
        return next(row for row in self.advoware.rows(pair.bet_nr) if row.tlf == tlf)

    async def state(self, pair: Pair) -> tuple[str, str]:
        """(state, reason)."""
        person = await self.app.outside.store.person(pair.espocrm_id)
        return (person.standing.state.value, person.standing.reason) if person else ("untracked", "")

    def asked(self) -> Counter[str]:
        """Requests since the last call: ``espocrm list``, ``espocrm GET``, ``advoware PUT`` …"""
        count: Counter[str] = Counter()
        for side, wire in self.wires.items():
            for request in wire.sent:
                listing = side is Side.ESPOCRM and request.method == "GET" and bool(request.query)
                count[f"{side} {'list' if listing else request.method}"] += 1
            wire.sent.clear()
        return count


@asynccontextmanager
async def house(path: Path, people_count: int = PEOPLE, **overrides: str) -> AsyncIterator[House]:
    """``overrides``: settings as environment names without the prefix, ``SYNC__CONFLICT_POLICY=\"manual\"``."""
    clock = HandClock()
    espo = EspoWorld(clock.now, random.Random(1))
    advoware = AdvowareWorld(clock.now, random.Random(2))
    pairs = people.settle(espo, advoware, random.Random(3), people_count)
    access = advoware.access
    settings = load(
        None,
        {
            "KOMMSYNC_ESPOCRM__URL": "http://espo.test",
            "KOMMSYNC_ESPOCRM__API_KEY": espo.api_user.api_key or "",
            "KOMMSYNC_ADVOWARE__KANZLEI": access.kanzlei,
            "KOMMSYNC_ADVOWARE__DATABASE": access.database,
            "KOMMSYNC_ADVOWARE__USER": access.user,
            "KOMMSYNC_ADVOWARE__PASSWORD": access.password,
            "KOMMSYNC_ADVOWARE__APP_ID": access.app_id,
            "KOMMSYNC_ADVOWARE__API_KEY": access.api_key,
            "KOMMSYNC_ADVOWARE__BASE_URL": "http://advoware.test/",
            "KOMMSYNC_ADVOWARE__SECURITY_GATEWAY_URL": "http://advoware.test/",
            "KOMMSYNC_ADVOWARE__MAX_REQUESTS_PER_SECOND": "0",
            "KOMMSYNC_STORE__PATH": str(path / "store.sqlite3"),
            **{f"KOMMSYNC_{name}": value for name, value in overrides.items()},
        },
    )
    wires = {Side.ESPOCRM: WorldWire(espo), Side.ADVOWARE: WorldWire(advoware)}
    async with open_outside(
        settings, Metrics("test"), exclusive=True, wires=wires, clock=clock, random=Middling()
    ) as outside:
        app = App(outside)
        await app.facts.refresh()
        firm = House(app, espo, advoware, pairs, clock, wires)
        await firm.poll()
        await app.scan.scan_espocrm()
        await firm.settle()
        await firm.sweep()
        await firm.settle()
        for _ in range(3):
            await firm.poll()
        firm.asked()
        yield firm


def short_list(firm: House, pair: Pair, hidden: str) -> Fault:
    """Advoware's lists of this Beteiligter lack this value."""
    wire = firm.wires[Side.ADVOWARE]

    def fault(asked: Request) -> Answer | WireError | None:
        is_person = asked.method == "GET" and asked.url.endswith(f"/{pair.bet_nr}")
        return truncated(wire, asked, hidden) if is_person else None

    return fault


async def emptied_and_decided(firm: House, side: Side, *others: str) -> Pair:
    """One side was emptied, and an operator wants to keep what the other shows. ``others``: more numbers."""
    pair = await firm.synced()
    if others:
        phones = [phone(OFFICE, "Office", primary=True), *(phone(one, "Office") for one in others)]
        firm.espo.edit_person(pair.espocrm_id, phones=phones)
        await firm.look()
    if side is Side.ADVOWARE:
        for row in list(firm.advoware.rows(pair.bet_nr)):
            firm.advoware.delete_row(row.id)
    else:
        firm.espo.edit_person(pair.espocrm_id, mails=[], phones=[])
    await firm.look()
    assert await firm.state(pair) == ("conflict", "side_emptied")
    (conflict,) = await firm.app.outside.store.open_conflicts()
    await firm.app.outside.store.decide(conflict.conflict.id, Keep(side.other.value), "test")
    return pair
