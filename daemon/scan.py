"""The full scan: everybody in EspoCRM against everybody we track, by id, page by page.

Run as a loop by :mod:`daemon.app`, at start, every [full_scan_interval_seconds] and when the poller asks for it. It
finds what the change feed cannot show: records that are gone or restored (no new modifiedAt, facts/EspoCRM §1.6),
stamps from jumped clocks, a restored EspoCRM. It holds one page at a time and decides nothing about content.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from daemon.metrics import Metrics
from daemon.ports import Clock, Espocrm, Listed, Person, Store
from daemon.sightings import Sightings
from statemachine.case import Fuse
from statemachine.errors import HopelessRecord, RecordMissing, RecordTrouble
from statemachine.model import Side
from statemachine.standing import Event
from statemachine.states import State, Trigger

LAST_SCAN_NOTE = "espocrm_last_scan"
#: Why a Beteiligte that shares its betnr with another is not synced (§7).
DOUBLED_BET_NR = "betnr_doubled"
#: So many records may be older than we know them before it is a restored EspoCRM (§7).
_MOST_OLDER = 10
_SLICE = 500

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Suspects:
    """Records that are older than we have already seen them. Kept back until it is known what they mean: if EspoCRM
    was restored the fuse must blow before any of them is synced."""

    since: float
    blown: bool = False
    kept: list[tuple[Person, Listed]] = field(default_factory=list)


class FullScan:
    """``alive`` is called as a long scan makes progress. ``done``: whether any scan has ever come to its end."""

    def __init__(
        self,
        espocrm: Espocrm,
        store: Store,
        sightings: Sightings,
        clock: Clock,
        metrics: Metrics,
        *,
        overlap: float,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self.done = False
        self._espocrm = espocrm
        self._store = store
        self._sightings = sightings
        self._clock = clock
        self._metrics = metrics
        self._overlap = overlap
        self._alive = alive

    async def scan_espocrm(self) -> None:
        """One scan. Raises what the port raises; then the next one begins anew."""
        started = self._clock.now()
        suspects = _Suspects(await self._last_scan())
        after = ""
        while True:
            self._alive()
            page = await self._espocrm.census(after)
            end = page.rows[-1].id if page.more and page.rows else None
            await self._compare({row.id: row for row in page.rows}, after, end, suspects)
            if end is None:
                break
            after = end
        await self._release(suspects)
        await self._store.set_note(LAST_SCAN_NOTE, repr(started))
        self.done = True
        self._metrics.rescan_last_success.set(self._clock.now())

    async def is_open(self) -> bool:
        """Whether anybody may be synced: before everybody has been listed once, nobody knows who shares a betNr, and
        none of those may be written (§7)."""
        if not self.done:
            self.done = await self._store.get_note(LAST_SCAN_NOTE) is not None
        return self.done

    async def _last_scan(self) -> float:
        """Before the first one nothing was known that could be older."""
        note = await self._store.get_note(LAST_SCAN_NOTE)
        return float(note) if note is not None else self._clock.now()

    async def _compare(
        self, rows: dict[str, Listed], after: str, end: str | None, suspects: _Suspects
    ) -> None:
        """One page against those whom we track between its first and its last id."""
        while True:
            people = await self._store.scan_slice(after, _SLICE)
            within = [person for person in people if end is None or person.espocrm_id <= end]
            for person in within:
                row = rows.pop(person.espocrm_id, None)
                await (self._missing(person) if row is None else self._compare_one(person, row, suspects))
            if len(within) < _SLICE:
                break
            after = people[-1].espocrm_id
        for row in rows.values():
            await self._sightings.found(row)

    async def _missing(self, person: Person) -> None:
        if person.standing.state is not State.SYNCING:
            await self._sightings.missing(person)

    async def _compare_one(self, person: Person, row: Listed, suspects: _Suspects) -> None:
        if not self._sightings.is_known(person, row):
            if not suspects.blown and self._looks_older(person, row, suspects.since):
                await self._suspect(person, row, suspects)
            else:
                await self._sightings.differs(person, row)
        await self._ask_single_twin(person)

    def _looks_older(self, person: Person, row: Listed, last_scan: float) -> bool:
        """A clock that was set back makes stamps look older, too; those were really made since the last scan."""
        true_time = self._sightings.true_time(row)
        return _older(row.modified_at, row.version_number, person) and (
            true_time is None or true_time + self._overlap < last_scan
        )

    async def _suspect(self, person: Person, row: Listed, suspects: _Suspects) -> None:
        """The page may simply be older than our last look: only a GET made now tells."""
        try:
            record = await self._espocrm.get(person.espocrm_id)
        except (RecordMissing, RecordTrouble, HopelessRecord):
            return await self._sightings.differs(person, row)
        if not _older(record.modified_at, record.version_number, person):
            return None
        suspects.kept.append((person, row))
        if len(suspects.kept) > _MOST_OLDER:
            suspects.blown = True
            log.error("espocrm_restored", remedy="kommsync fuse, then approve or reject what is held")
            await self._store.blow_fuse(Side.ESPOCRM, Fuse.EVERYTHING, "espocrm_restored")
            await self._release(suspects)
        return None

    async def _release(self, suspects: _Suspects) -> None:
        for person, row in suspects.kept:
            await self._sightings.differs(person, row)
        suspects.kept.clear()

    async def _ask_single_twin(self, person: Person) -> None:
        """Refused because two records held its betnr, and now it is the only one (§7)."""
        standing = person.standing
        refused = standing.state is State.PERMANENTLY_FAILED and standing.reason == DOUBLED_BET_NR
        if refused and len(await self._store.by_bet_nr(person.bet_nr)) == 1:
            await self._store.move(person.espocrm_id, Event(Trigger.ASKED, reason="betnr_single_again"))


def _older(modified_at: str, version: int | None, person: Person) -> bool:
    """Than our last look at this person showed."""
    if version is not None and person.version is not None and version < person.version:
        return True
    return modified_at < person.stamp
