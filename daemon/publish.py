"""What a sync asks of EspoCRM beside the arrays: who holds a value, and what people see of the sync (§5, §11).

Called by :mod:`daemon.sync`. Showing a status is best effort: it informs, nothing depends on it.
"""

from __future__ import annotations

import structlog

from daemon.ports import Clock, Espocrm, Person, Store
from statemachine import journal, status
from statemachine.case import Case, Outcome, Shown
from statemachine.commands import PutRecord, shown_item
from statemachine.errors import HopelessRecord, KommsyncError, RecordTrouble, UnknownOutcome
from statemachine.model import EspocrmRecord, Kind
from statemachine.normalize import canonical
from statemachine.rules import Rules
from statemachine.standing import Event, Schedule, move
from statemachine.states import State, Trigger

log = structlog.get_logger(__name__)


class Publisher:
    def __init__(self, espocrm: Espocrm, store: Store, clock: Clock) -> None:
        self._espocrm = espocrm
        self._store = store
        self._clock = clock

    async def holder(
        self, kind: Kind, wanted: str, value: str, besides: str, region: str, *, attempts: int = 0
    ) -> Shown | None:
        """How the value's present holder shows it now: by one list call and one GET, else from our store, which cannot
        know what became of a shared value since (nobody's ``modifiedAt`` moves, facts §4.1): an opt-out would be
        lifted. So a holder who cannot be read is asked once more, after the wait of a failed attempt. ``attempts``:
        those that have failed."""
        trouble: RecordTrouble | None = None
        try:
            record = await self._espocrm.holder(kind, value, besides)
        except RecordTrouble as error:  # of the holder's record, which is not the one that is synced
            record, trouble = None, error
        for item in record.items(kind) if record else ():
            if canonical(item.value, kind, region) == wanted:
                return shown_item(item)
        known = await self._store.holders(kind, wanted, besides)
        if trouble is not None and (not known or not attempts):
            raise trouble
        return next((shown for _, shown in known), None)

    async def shares(self, kind: Kind, wanted: str, value: str, besides: str) -> bool:
        """Whether another tracked Beteiligter holds the value: one that was synced with it, or shows it now."""
        if await self._store.holders(kind, wanted, besides):
            return True
        record = await self._espocrm.holder(kind, value, besides)
        return record is not None and record.bet_nr is not None

    async def show(
        self, person: Person, run: str, record: EspocrmRecord, wanted: str | None, case: Case, rules: Rules
    ) -> EspocrmRecord | None:
        """Write ``wanted`` as syncStatus if it is due on its own; returns the record as read afterwards, None when
        nothing was written. A user's request is answered when he made it since the last sync."""
        visible = record.value_of("syncStatus")
        answered = case.visible_status not in (None, visible)
        if wanted is None or not status.is_due(record, wanted, answered):
            return None
        fields = status.fields_alone(wanted, None, 0, None, None, rules)
        return await self._put(person, run, record, fields, rules)

    async def read(self, person: Person) -> EspocrmRecord | None:
        """The record of somebody whose load failed on the other side; None when it cannot be had either."""
        try:
            return await self._espocrm.get(person.espocrm_id)
        except KommsyncError:
            return None

    async def show_failure(
        self,
        person: Person,
        run: str,
        record: EspocrmRecord,
        rules: Rules,
        error: KommsyncError,
    ) -> EspocrmRecord | None:
        """What this run ends as, ``failed`` or ``permanently_failed`` (``deleted_in_advoware`` where the enum knows
        it), with the reason and about when it goes on; returns the record as read afterwards, None when nothing was
        written."""
        trigger = Trigger.GAVE_UP if isinstance(error, HopelessRecord) else Trigger.ATTEMPT_FAILED
        schedule = Schedule(rules.retries, rules.auto_reset)
        after = move(person.standing, Event(trigger), self._clock.now(), schedule)
        if after is None:
            return None
        wanted, due = after.state.value, None if after.due_at is None else status.stamp(after.due_at)
        retry_at, reset_at = (due, None) if after.state is State.FAILED else (None, due)
        if error.reason == "missing_in_advoware" and "deleted_in_advoware" in rules.status_options:
            wanted = "deleted_in_advoware"
        if not status.is_due(record, wanted, answered=False):
            return None
        fields = status.fields_alone(wanted, str(error), after.attempts, retry_at, reset_at, rules)
        return await self._put(person, run, record, fields, rules)

    async def _put(
        self, person: Person, run: str, record: EspocrmRecord, fields: status.Fields, rules: Rules
    ) -> EspocrmRecord | None:
        if "syncStatus" not in dict(fields):
            return None
        command = PutRecord(None, None, (), fields)
        lines = journal.of_record(command, f"status-{run}"[:40], self._clock.now(), rules.region)
        ids = await self._store.journal(person.espocrm_id, person.bet_nr, run, lines)
        try:
            await self._espocrm.put(record, command)
            await self._store.record(ids, Outcome.DONE)
            return await self._espocrm.get(person.espocrm_id)
        except UnknownOutcome:
            await self._store.record(ids, Outcome.UNKNOWN)
        except KommsyncError as trouble:
            await self._store.record(ids, Outcome.REFUSED)
            log.info("status_not_shown", reason=trouble.reason)
        return None
