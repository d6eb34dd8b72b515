"""For the tests of the loops: both sides as plain objects behind the ports, on a clock moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import anyio

from daemon.ports import AdvowareRecord, EspocrmRecord, Listed, Page
from daemon.sightings import stamp_of
from statemachine.errors import RecordMissing
from statemachine.model import Item, Kind, Kommunikation, Side
from tests.daemon.store.building import HandClock


@dataclass
class Row:
    bet_nr: int | None
    modified_at: str
    phone: str = "+495111234560"
    version: int | None = None


class Crm:
    """``ports.Espocrm`` as far as polls, scans and looks need it. ``ahead``: its clock minus ours."""

    def __init__(self, clock: HandClock, *, size: int = 200) -> None:
        self.clock = clock
        self.ahead = 0.0
        self.size = size
        self.rows: dict[str, Row] = {}
        self.calls: list[tuple[object, ...]] = []
        self.error: Exception | None = None
        self.sick: dict[str, Exception] = {}

    def save(
        self, espocrm_id: str, bet_nr: int | None = 7, *, phone: str = "+495111234560", ago: float = 0
    ) -> None:
        """Somebody saves a record; visible now, its stamp ``ago`` seconds old."""
        self.rows[espocrm_id] = Row(bet_nr, stamp_of(self.clock.now() + self.ahead - ago), phone)

    def lists(self) -> list[tuple[object, ...]]:
        return [call for call in self.calls if call[0] in ("changed", "census")]

    async def changed(self, since: str, after: tuple[str, str] | None) -> Page:
        self._called("changed", since, after)
        rows = sorted((row.modified_at, espocrm_id) for espocrm_id, row in self.rows.items())
        return self._page([key for key in rows if (key > after if after else key[0] >= since)])

    async def census(self, after_id: str) -> Page:
        self._called("census", after_id)
        return self._page(
            [(row.modified_at, one) for one, row in sorted(self.rows.items()) if one > after_id]
        )

    async def get(self, espocrm_id: str) -> EspocrmRecord:
        self._called("get", espocrm_id)
        if espocrm_id in self.sick:
            raise self.sick[espocrm_id]
        if espocrm_id not in self.rows:
            raise RecordMissing(side=Side.ESPOCRM)
        row, now = self.rows[espocrm_id], self.clock.now()
        item = Item(Kind.PHONE, row.phone, "Office", primary=True)
        return EspocrmRecord(
            espocrm_id,
            row.bet_nr,
            (),
            (item,),
            row.modified_at,
            None,
            row.version,
            (),
            now,
            now,
            now + self.ahead,
        )

    def _page(self, keys: list[tuple[str, str]]) -> Page:
        listed = tuple(
            Listed(one, self.rows[one].bet_nr, at, self.rows[one].version) for at, one in keys[: self.size]
        )
        return Page(listed, len(keys) > self.size, self.clock.now() + self.ahead)

    def _called(self, *call: object) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error


@dataclass
class Firm:
    """``ports.Advoware`` as far as looks need it. ``seconds``: how long an answer takes. ``before``: called first."""

    clock: HandClock
    tlf: dict[int, str] = field(default_factory=dict)
    sick: dict[int, Exception] = field(default_factory=dict)
    calls: list[int] = field(default_factory=list)
    seconds: float = 0.0
    before: Callable[[int], None] = lambda _: None
    now: int = 0
    most: int = 0

    async def get(self, bet_nr: int) -> AdvowareRecord:
        self.calls.append(bet_nr)
        self.before(bet_nr)
        if bet_nr in self.sick:
            raise self.sick[bet_nr]
        asked = self.clock.now()
        self.now += 1
        self.most = max(self.most, self.now)
        await anyio.sleep(self.seconds)
        self.now -= 1
        row = Kommunikation(1, "A", self.tlf.get(bet_nr, "0511 1234560"), "", online=False)
        return AdvowareRecord(bet_nr, (row,), (), asked, self.clock.now())


def renamed(row: Row, bet_nr: int | None, modified_at: str) -> Row:
    return replace(row, bet_nr=bet_nr, modified_at=modified_at)
