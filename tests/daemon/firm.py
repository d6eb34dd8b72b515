"""For the tests of the whole daemon: both simulated systems without sockets, and settings that fit them."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from pathlib import Path
from typing import Any

import anyio

from daemon.settings import Settings
from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.espocrm import EspoWorld, mail
from statemachine.model import Side
from tests.daemon.wires import WorldWire


class Office:
    """A firm with ``people`` Beteiligte that are not synced yet: a phone in Advoware, a mail address in EspoCRM."""

    def __init__(self, path: Path, people: int = 3) -> None:
        self.path = path
        self.espo = EspoWorld(time.time, random.Random(1))
        self.advo = AdvowareWorld(time.time, random.Random(2))
        self.wires = {Side.ESPOCRM: WorldWire(self.espo), Side.ADVOWARE: WorldWire(self.advo)}
        self.ids: dict[int, str] = {}
        for number in range(people):
            self.hire(number)

    def hire(self, number: int) -> int:
        bet_nr = self.advo.add_person(f"Person {number}")
        self.advo.add_row(bet_nr, 1, f"0511 12345{number:02}")
        self.ids[bet_nr] = self.espo.create_person(
            lastName=f"Person {number}", betnr=bet_nr, mails=[mail(f"p{number}@example.com", primary=True)]
        )
        return bet_nr

    def settings(self, **sections: dict[str, Any]) -> Settings:
        access = self.advo.access
        key = next(user.api_key for user in self.espo.accounts.users.values() if user.user_name == "sync-api")
        values: dict[str, dict[str, Any]] = {
            "espocrm": {
                "url": "http://crm.invalid", "api_key": key, "poll_interval_seconds": 0.1,
                "poll_overlap_seconds": 1, "notice_user_id": self.espo.human.id,
            },
            "advoware": {
                "kanzlei": access.kanzlei, "database": access.database, "user": access.user,
                "password": access.password, "app_id": access.app_id, "api_key": access.api_key,
                "base_url": "http://advoware.invalid", "security_gateway_url": "http://gateway.invalid",
                "sweep_interval_seconds": 1, "max_requests_per_second": 0,
            },
            "sync": {"settle_seconds": 0.05, "deletion_confirm_seconds": 0.5},
            "store": {"path": self.path / "kommsync.sqlite3"},
            "web": {"port": 0},
        }  # fmt: skip
        return Settings(
            **{name: {**values.get(name, {}), **sections.get(name, {})} for name in {*values, *sections}}
        )

    def is_equal(self, bet_nr: int) -> bool:
        """Both sides hold one phone and one mail address."""
        record = self.espo.person(self.ids[bet_nr])
        filled = [row for row in self.advo.rows(bet_nr) if row.tlf]
        return len(record["phoneNumberData"]) + len(record["emailAddressData"]) == len(filled) > 1

    def requests(self) -> int:
        return sum(len(wire.sent) for wire in self.wires.values())


async def until(done: Callable[[], bool | Awaitable[bool]], seconds: float = 60) -> None:
    """Waits in real time: what is watched goes on by itself."""
    with anyio.fail_after(seconds):
        while not (await now if isawaitable(now := done()) else now):  # noqa: ASYNC110 - nobody rings a bell for tests
            await anyio.sleep(0.01)
