"""What one run sees: both records as they were last read, the looks they make, and the situation a plan is made from.

Held by :mod:`daemon.sync`, which reads again after every write. It says what a read proves and what it does not (sync
rules §8); nothing is decided here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from daemon.apply import FRESH_SECONDS, Applied
from daemon.arrival import Arrival, Gone, World, meet
from daemon.ports import Person
from statemachine import looks, status
from statemachine.advance import with_types
from statemachine.case import Case, Fuse, Seen
from statemachine.commands import PutRecord
from statemachine.model import AdvowareRecord, Base, EspocrmRecord, Kind, Side
from statemachine.rules import Rules
from statemachine.situation import Situation


class View:
    """One per run. ``situation``: there when both records were found; replaced at every step, never changed.
    ``case``: what was remembered when the run began. ``record``: EspoCRM's as it was shown last, after a status of ours
    too. ``espocrm``/``advoware``: the looks, as they will be remembered.
    ``is_doubtful``: an array shows something else although nobody has saved since the last look."""

    situation: Situation

    def __init__(self, world: World, person: Person, rules: Rules) -> None:
        self._world = world
        self._person = person
        self._rules = rules
        self._asked_again: set[Side] = set()
        self._has_arrived = False
        self.case = Case()
        self.record: EspocrmRecord | None = None
        self.espocrm: Seen | None = None
        self.advoware: Seen | None = None
        self.is_doubtful = False

    async def load(self, case: Case, fresh: AdvowareRecord | None) -> Arrival:
        """Both sides at once; says if there is nothing to plan. Raises what the adapters raise."""
        self.case = case
        arrival = await meet(self._world, self._person, case, self._rules, fresh, self._saw)
        self._has_arrived = True
        if not isinstance(arrival, Gone):
            self._set_out(*arrival.both())
        return arrival

    def _saw(self, record: EspocrmRecord | AdvowareRecord) -> None:
        if isinstance(record, AdvowareRecord):
            self.advoware = looks.look_advoware(record, self.case.seen_advoware)
            return
        self.record = record
        self.espocrm = looks.look_espocrm(record, self.case.seen_espocrm)
        self.is_doubtful = looks.unannounced(self.case.seen_espocrm, self.espocrm)

    def _set_out(self, record: EspocrmRecord, beteiligte: AdvowareRecord) -> None:
        now = self._world.clock.now()
        settled = frozenset(
            part.name
            for look in (self.espocrm, self.advoware)
            if look is not None
            for part in look.parts
            if looks.settled(look, part.name, self._rules.settle)
        )
        self.situation = Situation(
            record, beteiligte, self.case, self._rules, now, status.stamp(now), settled
        )

    def change(self, **changes: Any) -> None:
        """Fields of the situation."""
        self.situation = replace(self.situation, **changes)

    def note_foreign_types(self) -> None:
        """A type that changed while nobody saved this record is no wish of its user, and must not become one when our
        own write moves modifiedAt (§5, *type change*); nor is one of a restored EspoCRM, whatever is decided about what
        its fuse holds (§7)."""
        record, case = self.situation.espocrm, self.situation.case
        if record.modified_at == case.base.stamp or case.fuse_of(Side.ESPOCRM) is Fuse.EVERYTHING:
            shown = {self.situation.canonical(item.value, item.kind): item.type for item in record.phones}
            base = with_types(case.base, shown, self.situation.canonical)
            self.change(case=replace(case, base=base))

    # to read again

    async def read_advoware(self) -> None:
        record = await self._world.advoware.get(self._person.bet_nr)
        before, self.advoware = self.advoware, looks.look_advoware(record, self.advoware)
        settled = self.situation.settled
        if looks.changed(before, self.advoware):  # no second look has shown it like this yet
            settled -= {looks.ROWS}
        self.change(advoware=record, settled=settled)

    async def read_espocrm(self) -> None:
        record = await self._world.espocrm.get(self._person.espocrm_id)
        self.showed(record)
        self.change(espocrm=record)

    async def read_espocrm_anew(self) -> None:
        """Before anything is written over it."""
        before = self.situation.espocrm
        await self.read_espocrm()
        if not looks.same_entries(before, self.situation.espocrm):
            self._unsettle()

    async def read_what_came_of(self, sent: PutRecord, applied: Applied) -> None:
        """EspoCRM after a PUT. What the answer lacks may be half an array, or an answer from before the PUT, which must
        not say that nothing was taken; so it is asked once more."""
        before = self.situation.espocrm
        await self.read_espocrm()
        if self._shows_less_than(sent, before):
            await self.read_espocrm()
        if applied.modified or applied.unknown or self._shows_less_than(sent, before):
            self._unsettle()

    def showed(self, record: EspocrmRecord) -> None:
        """A further look at EspoCRM that no plan is made from."""
        self.record, self.espocrm = record, looks.look_espocrm(record, self.espocrm)

    # what a read is good for

    def is_too_old(self, side: Side) -> bool:
        """It was read too long ago to be written over: something was waited for, much was written, or the answer took
        long and shows how it was when it was asked for. Where all answers take long the second one must do."""
        record = self.situation.espocrm if side is Side.ESPOCRM else self.situation.advoware
        now = self._world.clock.now()
        slow = now - record.asked_at > FRESH_SECONDS and side not in self._asked_again
        self._asked_again |= {side} if slow else set()
        return slow or now - record.answered_at > FRESH_SECONDS

    def _shows_less_than(self, sent: PutRecord, before: EspocrmRecord) -> bool:
        """Whether an entry is missing that was sent, or was there in an array that was not; or nothing has changed."""
        if not sent.changes:
            return False
        situation = self.situation
        wanted = (
            *(before.emails if sent.emails is None else sent.emails),
            *(before.phones if sent.phones is None else sent.phones),
        )
        items = ((kind, i.value) for kind in Kind for i in situation.espocrm.items(kind))
        shown = {(kind, situation.canonical(value, kind)) for kind, value in items}
        lacks = any((item.kind, situation.canonical(item.value, item.kind)) not in shown for item in wanted)
        return lacks or looks.same_entries(before, situation.espocrm)

    def _unsettle(self) -> None:
        """Somebody saved since our read, or it proves nothing: the arrays must settle before we write (§8)."""
        self.change(settled=self.situation.settled - {looks.EMAILS, looks.PHONES})

    # to be remembered

    def stamped(self, base: Base) -> Base:
        """A status of ours is nobody's edit: the next run must not take it for one (§5, *type change*)."""
        record, shown = self.situation.espocrm, self.record
        ours = shown is not None and base.stamp == record.modified_at and looks.same_entries(record, shown)
        return replace(base, stamp=shown.modified_at) if shown is not None and ours else base

    async def remember_looks(self) -> None:
        """Seen is renewed by every look, whatever became of the run (§1). Where one side alone was seen, nothing says
        what is still missing there: any change makes the next look the first one."""
        store, espocrm_id, case = self._world.store, self._person.espocrm_id, self.case
        for side, before, seen in (
            (Side.ESPOCRM, case.seen_espocrm, self.espocrm),
            (Side.ADVOWARE, case.seen_advoware, self.advoware),
        ):
            if seen is not None:
                await store.looked(espocrm_id, side, seen)
                if not self._has_arrived and before is not None and looks.changed(before, seen):
                    await store.forget_first_looks(espocrm_id, side)
        still = self.situation.case.pending if hasattr(self, "situation") else case.pending
        back = [mark for mark in case.pending if mark not in still]
        if back:
            await store.forget_pending(espocrm_id, back)
