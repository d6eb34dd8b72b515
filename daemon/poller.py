"""Asks EspoCRM what has changed: one list call per poll while nothing has, whatever the number of people.

Run as a loop by :mod:`daemon.app`; what a row means is :mod:`daemon.sightings`' business. The cursor is the
newest modifiedAt seen, with an overlap, because saves become visible seconds after their modifiedAt (facts/EspoCRM
§1.2). Pages follow each other by key, never by offset (§1.5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from daemon.loop import Bell
from daemon.metrics import Metrics
from daemon.ports import Clock, Espocrm, Listed, Page, Store
from daemon.sightings import Sightings, moment, stamp_of
from statemachine.model import Side

CURSOR_NOTE = "espocrm_cursor"
OFFSET_NOTE = "espocrm_clock_offset"
#: Nothing is newer: one call that lists nobody and tells the time.
_END_OF_TIME = "9999-12-31 23:59:59"
#: Without any clock of EspoCRM's the first poll looks back so far.
_FIRST_LOOK_BACK = 3600.0
#: Dates have whole seconds; smaller differences are no news.
_OFFSET_STEP = 2.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Cursor:
    """``newest``: key (modifiedAt, id) of the newest row. ``since``: monotonic moment since when it is the newest.
    ``strict``: everything up to it has been listed late enough, ask only for what is behind it."""

    newest: tuple[str, str]
    since: float
    strict: bool = False


class Poller:
    """``overlap``: [poll_overlap_seconds]. ``scan_wanted`` is rung when only a full scan can tell what happened.
    ``alive`` is called as a long poll makes progress. ``polled``: whether any poll has succeeded yet."""

    def __init__(
        self,
        espocrm: Espocrm,
        store: Store,
        sightings: Sightings,
        clock: Clock,
        metrics: Metrics,
        *,
        overlap: float,
        scan_wanted: Bell,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self.polled = False
        self._espocrm = espocrm
        self._store = store
        self._sightings = sightings
        self._clock = clock
        self._metrics = metrics
        self._overlap = overlap
        self._scan_wanted = scan_wanted
        self._alive = alive
        self._cursor: _Cursor | None = None
        self._offset: float | None = None

    async def poll_espocrm(self) -> None:
        """One poll. Raises what the port raises; the cursor moves only when all that was listed has been noted."""
        started = self._clock.monotonic()
        cursor, page = await self._first_page()
        newest = cursor.newest
        while True:
            self._alive()
            newest = max([newest, *[_key(row) for row in page.rows]])
            for row in page.rows:
                await self._sightings.saw(row)
            if not page.more or not page.rows:
                break
            page = await self._espocrm.changed(self._since(cursor), _key(page.rows[-1]))
        await self._sightings.revisit()
        await self._advance(cursor, newest, page.server_time, started)
        self.polled = True
        self._metrics.poll_last_success[Side.ESPOCRM].set(self._clock.now())
        self._metrics.poll_duration[Side.ESPOCRM].observe(self._clock.monotonic() - started)

    async def _begun(self) -> _Cursor:
        if self._cursor is not None:
            return self._cursor
        stored, offset = await self._store.get_note(CURSOR_NOTE), await self._store.get_note(OFFSET_NOTE)
        if offset is not None:
            self._offset = self._sightings.offset = float(offset)
        start = stored if stored is not None else await self._now_there()
        self._cursor = _Cursor((start, ""), self._clock.monotonic())
        return self._cursor

    async def _now_there(self) -> str:
        """Where a first poll begins; everything older is the full scan's, which comes after it."""
        page = await self._espocrm.changed(_END_OF_TIME, None)
        start = page.server_time
        start = self._clock.now() - _FIRST_LOOK_BACK if start is None else start
        await self._store.set_note(CURSOR_NOTE, stamp_of(start))
        return stamp_of(start)

    async def _first_page(self) -> tuple[_Cursor, Page]:
        cursor = await self._begun()
        page = await self._espocrm.changed(self._since(cursor), cursor.newest if cursor.strict else None)
        if page.server_time is not None and await self._set_back(page.server_time):
            return await self._first_page()
        return cursor, page

    def _since(self, cursor: _Cursor) -> str:
        return stamp_of((moment(cursor.newest[0]) or 0.0) - self._overlap)

    async def _set_back(self, server_time: float) -> bool:
        """EspoCRM's clock against ours. Where it jumped back, changes get stamps that lie behind the cursor. The
        cursor moves before the offset is remembered: killed in between, we move it back once more."""
        offset = server_time - self._clock.now()
        before, self._sightings.offset = self._offset, offset
        jump = self._jump(server_time, before, offset)
        if jump > max(self._overlap, _OFFSET_STEP) and self._cursor is not None:
            await self._go_back(self._cursor, jump, server_time)
        if before is None or abs(offset - before) >= _OFFSET_STEP:
            await self._store.set_note(OFFSET_NOTE, repr(offset))
            self._offset = offset
        return jump > max(self._overlap, _OFFSET_STEP)

    def _jump(self, server_time: float, before: float | None, offset: float) -> float:
        """By how much it has gone back, as its offset or our cursor show: no cursor lies in the future by itself."""
        known = before - offset if before is not None else 0.0
        newest = moment(self._cursor.newest[0]) if self._cursor is not None else None
        return max(known, newest - server_time if newest is not None else 0.0)

    async def _go_back(self, cursor: _Cursor, jump: float, server_time: float) -> None:
        back = stamp_of((moment(cursor.newest[0]) or server_time) - jump)
        log.warning("clock_of_espocrm_jumped_back", seconds=round(jump), remedy="check its time service")
        await self._store.set_note(CURSOR_NOTE, back)
        self._cursor = _Cursor((back, ""), self._clock.monotonic())
        self._scan_wanted.ring()

    async def _advance(
        self, cursor: _Cursor, newest: tuple[str, str], server_time: float | None, started: float
    ) -> None:
        """A stamp from the future must not carry the cursor over what is saved until then."""
        present = server_time if server_time is not None else self._clock.now()
        ahead = (moment(newest[0]) or 0.0) > present
        if ahead:
            newest = (stamp_of(present), "")
        if newest > cursor.newest:
            if newest[0] != cursor.newest[0]:
                await self._store.set_note(CURSOR_NOTE, newest[0])
            self._cursor = _Cursor(newest, started)
        elif not ahead and started - cursor.since >= 2 * self._overlap:
            cursor.strict = True


def _key(row: Listed) -> tuple[str, str]:
    return row.modified_at, row.id
