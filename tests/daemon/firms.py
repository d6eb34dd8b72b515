"""For the tests of demo, admin and check: an invented firm on loopback, settings in a hurry, whole rounds of sync."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from daemon.admin.desk import open_desk
from daemon.admin.rounds import one_round
from daemon.demo.agreement import Agreement, compare
from daemon.demo.firm import Firm
from daemon.demo.tempo import demo_settings
from daemon.once import Ended
from daemon.outside import Outside
from daemon.settings import Settings
from daemon.simulators.advoware_rows import Row
from daemon.simulators.espocrm import PHONE
from daemon.simulators.people import Pair


class Office:
    """A firm with a store: what people do in both systems, and what a round makes of it."""

    def __init__(self, firm: Firm, directory: Path, **sync: Any) -> None:
        self.firm = firm
        quick = demo_settings(firm, directory)
        values = {"settle_seconds": 0.05, "deletion_confirm_seconds": 0.1, **sync}
        self.settings = quick.model_copy(update={"sync": quick.sync.model_copy(update=values)})

    def guarded(self, **guard: Any) -> Settings:
        """The settings with another fuse."""
        return self.settings.model_copy(update={"guard": self.settings.guard.model_copy(update=guard)})

    async def round(self, settings: Settings | None = None) -> Ended:
        """``kommsync once``."""
        return await one_round(settings or self.settings, 30)

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Outside]:
        async with open_desk(self.settings) as desk:
            yield desk

    async def agreement(self) -> Agreement:
        async with self.desk() as desk:
            return await compare(self.firm, desk.store)

    def number(self, place: int = 0) -> tuple[Pair, Row, str]:
        """The ``place``-th number that both sides hold, once in Advoware: whose, which row, EspoCRM's spelling."""
        found = []
        for pair in self.firm.pairs:
            items = {item[PHONE.scalar][-6:]: item[PHONE.scalar] for item in self.phones(pair)}
            rows = [row for row in self.firm.advoware.rows(pair.bet_nr) if row.tlf and "@" not in row.tlf]
            digits = ["".join(filter(str.isdigit, row.tlf or ""))[-6:] for row in rows]
            found += [
                (pair, row, items[end])
                for row, end in zip(rows, digits, strict=True)
                if digits.count(end) == 1 and end in items
            ]
        return found[place]

    def phones(self, pair: Pair) -> list[dict[str, Any]]:
        return [dict(item) for item in self.firm.espocrm.person(pair.espocrm_id)[PHONE.data]]

    def values(self, pair: Pair) -> set[str]:
        return {item[PHONE.scalar] for item in self.phones(pair)}

    def edit(self, pair: Pair, value: str, wanted: str | None) -> None:
        """Somebody changes a number in EspoCRM, or takes it out."""
        items = [item for item in self.phones(pair) if wanted is not None or item[PHONE.scalar] != value]
        for item in items:
            if item[PHONE.scalar] == value:
                item[PHONE.scalar] = wanted
        if items and not any(item["primary"] for item in items):
            items[0]["primary"] = True
        self.firm.espocrm.edit_person(pair.espocrm_id, phones=items)

    def writes(self) -> int:
        """Requests that changed something, on both sides."""
        return self.firm.espocrm.written() + self.firm.advoware.written()
