"""What a row of EspoCRM's list means: somebody new, a change, or nothing that we have not seen already.

Used by :mod:`daemon.poller` and :mod:`daemon.scan`, which bring the rows. It decides nothing about content: it says
"look again" and the sync finds out. Rows cost no transition when their stamp and version are those of our last look
and that look was *ripe*: saves become visible seconds after their modifiedAt, and a torn read carries the new
modifiedAt already (facts/EspoCRM §1.2, §10), so an unripe look is repeated once by a plain GET.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

import anyio
import structlog

from daemon.metrics import Metrics
from daemon.ports import Clock, Espocrm, Listed, Person, Store
from statemachine.case import Seen
from statemachine.errors import HopelessRecord, RecordMissing, RecordTrouble
from statemachine.looks import changed, look_espocrm
from statemachine.model import Side
from statemachine.standing import Event
from statemachine.states import State, Trigger

#: How many rows are remembered so that listing them again costs nothing. Ids and stamps only.
_REMEMBERED = 5000
_FORMAT = "%Y-%m-%d %H:%M:%S"

log = structlog.get_logger(__name__)


def moment(stamp: str) -> float | None:
    """EspoCRM's ``YYYY-MM-DD HH:MM:SS`` (always UTC) as Unix seconds of *its* clock; None for anything else."""
    try:
        return datetime.strptime(stamp, _FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def stamp_of(unix: float) -> str:
    """Unix seconds as EspoCRM writes and compares them."""
    return datetime.fromtimestamp(max(unix, 0.0), UTC).strftime(_FORMAT)


class _Remembered:
    """Id → what was shown, the oldest forgotten first."""

    def __init__(self) -> None:
        self._shown: OrderedDict[str, Listed] = OrderedDict()

    def holds(self, row: Listed) -> bool:
        return self._shown.get(row.id) == row

    def add(self, row: Listed) -> None:
        self._shown[row.id] = row
        self._shown.move_to_end(row.id)
        if len(self._shown) > _REMEMBERED:
            self._shown.popitem(last=False)


class Sightings:
    """``overlap``: [poll_overlap_seconds]. ``wake`` is called whenever something became due.

    ``offset``: EspoCRM's clock minus ours, set by the poller; it turns a stamp into a moment of our own clock.
    ``impatient``: repeat an unripe look at once, for who will not be here when it is ripe (``once``).
    """

    def __init__(
        self,
        espocrm: Espocrm,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        *,
        overlap: float,
        wake: Callable[[], None],
    ) -> None:
        self.offset = 0.0
        self.impatient = False
        self._espocrm = espocrm
        self._store = store
        self._clock = clock
        self._detected = metrics.changes_detected[Side.ESPOCRM]
        self._overlap = overlap
        self._wake = wake
        self._settled = _Remembered()
        self._reported = _Remembered()
        self._busy: dict[
            str, str
        ] = {}  # id → modifiedAt, of those that were being synced when they were listed
        self._one_at_a_time = anyio.Lock()

    async def saw(self, row: Listed) -> None:
        """A row of the change feed. Raises SideTrouble from a confirming look."""
        async with self._one_at_a_time:
            if self._settled.holds(row):
                return
            person = await self._store.person(row.id)
            if person is None:
                await self._newcomer(row, self.true_time(row))
            elif person.standing.state is State.SYNCING:
                # its own read or write may be what we see: judged when the run is over
                self._busy[row.id] = row.modified_at
            elif self.is_known(person, row):
                self._busy.pop(row.id, None)
                await self._ripen(person, row)
            else:
                self._busy.pop(row.id, None)
                await self.report(person, row, self.true_time(row))

    async def found(self, row: Listed) -> None:
        """A row of the full scan that nobody is tracked under: created, restored, or given a betnr unnoticed."""
        async with self._one_at_a_time:
            if await self._store.person(row.id) is None:
                await self._newcomer(row, None)

    async def differs(self, person: Person, row: Listed) -> None:
        """A row of the full scan that is not as we last saw it. Who is due anyway will be looked at anyway."""
        standing = person.standing
        due = (
            standing.state is State.DIRTY
            and standing.due_at is not None
            and standing.due_at <= self._clock.now()
        )
        if standing.state is not State.SYNCING and not due:
            await self.report(person, row, self.true_time(row) if row.modified_at > person.stamp else None)

    async def missing(self, person: Person) -> None:
        """The full scan did not list it. A suspicion only: the sync asks for it by id, twice (§9)."""
        await self._move(person.espocrm_id, "record_missing_in_list", None)

    async def revisit(self) -> None:
        """Look once more at those that were being synced when they were listed. To be called once per poll."""
        for espocrm_id, listed in sorted(self._busy.items()):
            person = await self._store.person(espocrm_id)
            if person is None:
                self._busy.pop(espocrm_id, None)
            elif person.standing.state is not State.SYNCING:
                await self._revisit(person, listed)

    def is_known(self, person: Person, row: Listed) -> bool:
        shown = (row.bet_nr, row.modified_at, row.version_number)
        return shown == (person.bet_nr, person.stamp, person.version)

    def true_time(self, row: Listed) -> float | None:
        """The row's modifiedAt on our own clock."""
        return self._on_our_clock(row.modified_at)

    def _on_our_clock(self, stamp: str) -> float | None:
        at = moment(stamp)
        return None if at is None else at - self.offset

    async def report(self, person: Person, row: Listed, changed_at: float | None) -> None:
        """This one may have changed. Told once per row, and never when the change is older than the failure that
        it led to: a failing record must not get a new round of attempts each time it is listed."""
        if self._failed_with_it(person, row):
            seen = await self._seen(person)  # unless the failed run had read it before that change
            if seen is not None and await self._confirm(person, seen):
                self._settled.add(row)
            return
        if self._reported.holds(row) and person.standing.state not in (State.CLEAN, State.CONFLICT):
            return
        await self._move(person.espocrm_id, _reason(person, row), changed_at)
        self._reported.add(row)

    def _failed_with_it(self, person: Person, row: Listed) -> bool:
        at = self.true_time(row)
        failed = person.standing.state in (State.FAILED, State.PERMANENTLY_FAILED)
        return failed and at is not None and at + self._overlap < person.standing.since

    async def _newcomer(self, row: Listed, changed_at: float | None) -> None:
        if row.bet_nr_problem:
            log.warning(
                "betnr_unusable", espocrm_id=row.id, remedy="enter a positive number or leave it empty"
            )
        if row.bet_nr is None:
            self._settled.add(row)
            return
        await self._store.discover(row.id, row.bet_nr, changed_at)
        self._detected.inc()
        self._wake()

    async def _move(self, espocrm_id: str, reason: str, changed_at: float | None) -> None:
        event = Event(Trigger.CHANGE_SEEN, reason=reason, changed_at=changed_at, side=Side.ESPOCRM)
        if await self._store.move(espocrm_id, event) is not None:
            self._detected.inc()
            self._wake()

    async def _ripen(self, person: Person, row: Listed) -> None:
        """Listed again as we know it: was that look late enough to be believed, or is it time for another?"""
        if await self._is_settled(person, await self._seen(person)):
            self._settled.add(row)

    async def _revisit(self, person: Person, listed: str) -> None:
        """A save that was listed after the run had read is in no look, however ripe the last one is."""
        seen = await self._seen(person)
        if seen is not None and listed > seen.stamp:
            is_over = await self._confirm(person, seen)
        else:
            is_over = await self._is_settled(person, seen)
        if is_over:
            self._busy.pop(person.espocrm_id, None)

    async def _is_settled(self, person: Person, seen: Seen | None) -> bool:
        if seen is None or self._is_ripe(person, seen):
            return True
        return self._could_be_ripe(person, seen) and await self._confirm(person, seen)

    async def _seen(self, person: Person) -> Seen | None:
        return (await self._store.case(person.espocrm_id, person.bet_nr, 0.0)).seen_espocrm

    def _is_ripe(self, person: Person, seen: Seen) -> bool:
        looked = seen.server_time if seen.server_time is not None else seen.at + self.offset
        return looked >= self._ripe_from(person)

    def _could_be_ripe(self, person: Person, seen: Seen) -> bool:
        """A stamp from the future says that EspoCRM's clock was set back: then the time since our look counts."""
        left = self._ripe_from(person) - (self._clock.now() + self.offset)
        was_set_back = left > 2 * self._overlap
        late_enough = was_set_back and self._clock.now() - seen.at >= self._overlap
        return self.impatient or left <= 0 or late_enough

    def _ripe_from(self, person: Person) -> float:
        return (moment(person.stamp) or 0.0) + self._overlap

    async def _confirm(self, person: Person, seen: Seen) -> bool:
        """A plain GET compared with what was seen; True when nothing is left to be asked."""
        try:
            record = await self._espocrm.get(person.espocrm_id)
        except RecordMissing:
            await self.missing(person)
            return True
        except (RecordTrouble, HopelessRecord) as error:
            log.debug("confirming_look_failed", bet_nr=person.bet_nr, reason=error.reason)
            self._busy.setdefault(person.espocrm_id, person.stamp)
            return False
        after = look_espocrm(record, seen)
        if changed(seen, after):
            await self._store.forget_first_looks(person.espocrm_id, Side.ESPOCRM)
            await self._move(person.espocrm_id, "espocrm_changed", self._on_our_clock(after.stamp))
        await self._store.looked(person.espocrm_id, Side.ESPOCRM, after)
        return True


def _reason(person: Person, row: Listed) -> str:
    if row.bet_nr is None:
        return "betnr_removed"
    return "betnr_changed" if row.bet_nr != person.bet_nr else "espocrm_changed"
