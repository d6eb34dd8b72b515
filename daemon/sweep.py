"""Looks at everybody in Advoware once per [sweep_interval_seconds]: it has no list of changes (facts/Advoware §3).

Run as a loop by :mod:`daemon.app`. The looks are spread evenly over the interval, the oldest first, and in front of
them a few people who were just edited. Only fingerprints are compared; what changed is the sync's to find out.
People are taken in slices, and an unchanged look costs no trip to the store.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import anyio
import structlog

from daemon.fresh import FreshLooks
from daemon.metrics import Metrics
from daemon.ports import Advoware, Clock, Person
from daemon.store import StoreTrouble
from statemachine.case import Seen
from statemachine.errors import HopelessRecord, RecordMissing, RecordTrouble, SideTrouble
from statemachine.looks import changed, look_advoware
from statemachine.model import AdvowareRecord, Side
from statemachine.standing import Event
from statemachine.states import State, Trigger

MISSING = "missing_in_advoware"
#: The most people of one slice, and how long a slice should last when there are fewer: steps, not a stream, so
#: that the store is asked once for many.
_LARGEST, _SLICE_SECONDS = 1000, 5.0
#: Someone who was just edited is likely to be edited again: looked at once more after so long.
_LOOK_AGAIN_SECONDS = 60.0
_MOST_EDITED = 200
#: Nothing else would look at these; who is due or has failed is synced anyway.
_AT_REST = (State.CLEAN, State.CONFLICT)

log = structlog.get_logger(__name__)


class SweepBook(Protocol):
    """What the sweep asks of the store."""

    async def person(self, espocrm_id: str) -> Person | None: ...
    async def sweep_slice(self, before: float, limit: int) -> list[Person]: ...
    async def seen(self, espocrm_ids: Sequence[str], side: Side) -> Mapping[str, Seen]: ...
    async def looked(self, espocrm_id: str, side: Side, seen: Seen) -> None: ...
    async def move(self, espocrm_id: str, event: Event, *, run: str = "") -> Person | None: ...
    async def forget_first_looks(self, espocrm_id: str, side: Side) -> None: ...
    async def counts(self) -> dict[State, int]: ...


class Sweep:
    """``interval``: [sweep_interval_seconds]. ``concurrency``: [max_connections]; the gate holds the ceiling.
    ``wake`` is called whenever somebody became due."""

    def __init__(
        self,
        advoware: Advoware,
        book: SweepBook,
        fresh: FreshLooks,
        clock: Clock,
        metrics: Metrics,
        *,
        interval: float,
        concurrency: int,
        wake: Callable[[], None],
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._advoware = advoware
        self._book = book
        self._fresh = fresh
        self._clock = clock
        self._metrics = metrics
        self._interval = interval
        self._concurrency = concurrency
        self._wake = wake
        self._alive = alive
        self._edited: OrderedDict[str, float] = OrderedDict()
        self._next_at: float | None = None
        self._is_late = False

    def edited(self, espocrm_id: str) -> None:
        """This one was just edited: look at it again soon."""
        self._edited.setdefault(espocrm_id, self._clock.monotonic() + _LOOK_AGAIN_SECONDS)
        while len(self._edited) > _MOST_EDITED:
            self._edited.popitem(last=False)

    async def sweep_advoware(self) -> float:
        """One slice. Returns the seconds from its beginning to the next one. Raises SideTrouble, StoreTrouble."""
        started = self._clock.monotonic()
        size, pause = self._pace(await self._tracked())
        await self._look_at(await self._slice(size))
        self._metrics.poll_last_success[Side.ADVOWARE].set(self._clock.now())
        self._metrics.poll_duration[Side.ADVOWARE].observe(self._clock.monotonic() - started)
        return self._until_next(started, pause)

    async def sweep_everybody(self) -> None:
        """Everyone once, as fast as the ceiling allows; who is being synced is looked at by his sync. Raises
        SideTrouble."""
        began = self._clock.now()
        for _ in range(await self._tracked() // _LARGEST + 2):
            self._alive()
            if not await self._look_at(await self._book.sweep_slice(began, _LARGEST)):
                return

    async def _tracked(self) -> int:
        return sum((await self._book.counts()).values())

    def _pace(self, tracked: int) -> tuple[int, float]:
        """How many now, and how long they should last."""
        if tracked == 0:
            return 1, min(self._interval, _SLICE_SECONDS)
        size = min(max(math.floor(tracked * _SLICE_SECONDS / self._interval), 1), _LARGEST)
        return size, size * self._interval / tracked

    def _until_next(self, started: float, pause: float) -> float:
        """Slices follow a timetable, so that what one lost the next ones make up for, up to one interval."""
        if self._next_at is None or started - self._next_at > 2 * self._interval:
            self._next_at = started  # the beginning, or the end of an outage
        due = self._next_at + pause
        late = started - due > self._interval
        if late and not self._is_late:
            log.warning(
                "sweep_cannot_keep_up", remedy="raise sweep_interval_seconds or max_requests_per_second"
            )
        self._is_late = late or (self._is_late and due < started)
        self._next_at = max(due, started - self._interval)
        return max(self._next_at - started, 0.0)

    async def _slice(self, size: int) -> list[Person]:
        edited = await self._just_edited(max(size // 4, 1))
        oldest = await self._book.sweep_slice(self._clock.now(), size)
        named = {person.espocrm_id for person in edited}
        return edited + [person for person in oldest if person.espocrm_id not in named]

    async def _just_edited(self, most: int) -> list[Person]:
        now = self._clock.monotonic()
        ripe = [espocrm_id for espocrm_id, at in self._edited.items() if at <= now][:most]
        people = [await self._book.person(espocrm_id) for espocrm_id in ripe]
        for espocrm_id in ripe:
            del self._edited[espocrm_id]
        return [person for person in people if person is not None]

    async def _look_at(self, people: list[Person]) -> int:
        """Concurrently; returns at how many. The first trouble that is nobody's own ends it and is raised."""
        waiting = [person for person in people if person.standing.state is not State.SYNCING]
        before = (
            await self._book.seen([person.espocrm_id for person in waiting], Side.ADVOWARE) if waiting else {}
        )
        turns = iter(waiting)
        trouble: list[SideTrouble | StoreTrouble] = []

        async def look_on() -> None:
            for person in turns:
                try:
                    await self._take_turn(person, before.get(person.espocrm_id))
                except (SideTrouble, StoreTrouble) as error:
                    trouble.append(error)
                if trouble:
                    return

        async with anyio.create_task_group() as group:
            for _ in range(min(self._concurrency, len(waiting))):
                group.start_soon(look_on)
        if trouble:
            raise trouble[0]
        return len(waiting)

    async def _take_turn(self, person: Person, before: Seen | None) -> None:
        """Raises SideTrouble, StoreTrouble; whatever else goes wrong is this record's own."""
        asked_at = self._clock.now()
        try:
            await self._look(person, before)
        except RecordMissing:
            await self._was_asked(person, asked_at)
            # who was given up for another reason is tried again all the same, and his Task stays one
            if person.standing.reason != MISSING and person.standing.state is not State.PERMANENTLY_FAILED:
                await self._change_seen(person, MISSING)
        except (RecordTrouble, HopelessRecord) as error:
            log.info(
                "look_at_advoware_failed", bet_nr=person.bet_nr, reason=error.reason, detail=error.detail
            )
            await self._have_it_fail(person, asked_at)
        except (SideTrouble, StoreTrouble):
            raise
        except Exception:  # our own bug on one record must not end the looks at the others
            log.exception("look_at_advoware_crashed", bet_nr=person.bet_nr)
            await self._have_it_fail(person, asked_at)

    async def _look(self, person: Person, before: Seen | None) -> None:
        record = await self._advoware.get(person.bet_nr)
        after = look_advoware(record, before)
        if changed(before, after) or person.standing.reason == MISSING:  # it is back
            await self._changed(person, record)
        else:
            await self._book.looked(person.espocrm_id, Side.ADVOWARE, after)

    async def _was_asked(self, person: Person, asked_at: float) -> None:
        """An answer that shows nothing is one as well: without it all such records stayed the oldest, and hid who waits
        in truth. What is known of the record stays as it is, unless a run has looked at it meanwhile."""
        known = (await self._book.seen([person.espocrm_id], Side.ADVOWARE)).get(person.espocrm_id)
        if known is None or known.at < asked_at:
            shown = replace(known or Seen((), 0.0), at=asked_at)
            await self._book.looked(person.espocrm_id, Side.ADVOWARE, shown)

    async def _have_it_fail(self, person: Person, asked_at: float) -> None:
        """Who cannot be looked at would seem fine for ever. So whoever is at rest is synced: that run heals it, or it
        fails where people see it, with the waits of a failure and a Task in the end."""
        await self._was_asked(person, asked_at)
        now = await self._book.person(person.espocrm_id)
        if now is not None and now.bet_nr == person.bet_nr and now.standing.state in _AT_REST:
            await self._book.move(person.espocrm_id, Event(Trigger.ASKED, reason="look_failed"))
            self._wake()

    async def _changed(self, person: Person, record: AdvowareRecord) -> None:
        """Slices are minutes old at worst, so ask the store once more before saying so."""
        known = (await self._book.seen([person.espocrm_id], Side.ADVOWARE)).get(person.espocrm_id)
        now = await self._book.person(person.espocrm_id)
        if now is None or now.bet_nr != person.bet_nr:
            return
        after = look_advoware(record, known)
        if now.standing.state is State.SYNCING or (known is not None and known.at >= record.asked_at):
            # its run may be what we saw: look again
            self._edited[person.espocrm_id] = self._clock.monotonic()
            if changed(known, after):
                await self._book.forget_first_looks(person.espocrm_id, Side.ADVOWARE)
            return
        if changed(known, after) or now.standing.reason == MISSING:
            self._fresh.put(person.espocrm_id, record)
            await self._book.forget_first_looks(person.espocrm_id, Side.ADVOWARE)
            await self._change_seen(person, "advoware_changed")
        await self._book.looked(person.espocrm_id, Side.ADVOWARE, after)

    async def _change_seen(self, person: Person, reason: str) -> None:
        event = Event(Trigger.CHANGE_SEEN, reason=reason, changed_at=self._clock.now(), side=Side.ADVOWARE)
        if await self._book.move(person.espocrm_id, event) is not None:
            self._metrics.changes_detected[Side.ADVOWARE].inc()
            self._wake()
