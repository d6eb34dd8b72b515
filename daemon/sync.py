"""The story of one sync, top to bottom: load both sides, plan, write Advoware, read it, write EspoCRM, read it,
remember.

Called by :mod:`daemon.worker` for a Beteiligte that was leased. What to do is decided by ``statemachine.plan``,
which is asked again after every round of writes; how it is written by :mod:`daemon.apply`. Level-triggered: a run
only looks at what is there, so a crash anywhere in here is healed by the next run. On success the run ends with the
one transaction of ``store.finish``; otherwise it raises, and the worker turns the error into a transition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import anyio

from daemon.apply import Applied, Applier
from daemon.arrival import Arrival, Gone, make_known
from daemon.ending import Ending, ending
from daemon.locks import ValueLocks
from daemon.ports import Advoware, Clock, Espocrm, Finish, GuardLimits, Person, Store
from daemon.publish import Publisher
from daemon.result import SyncResult, result_of
from daemon.steadiness import Steadiness
from daemon.view import View
from statemachine import looks, plan
from statemachine.advance import agreed_so_far
from statemachine.case import Conflict, Decision, Outcome, Variant
from statemachine.commands import PutRecord
from statemachine.decide import POLICY, same_conflict
from statemachine.errors import ClockSet, HopelessRecord, KommsyncError, RecordTrouble
from statemachine.model import AdvowareRecord, Side
from statemachine.plan import Plan
from statemachine.rules import Rules
from statemachine.situation import Situation
from statemachine.standing import Event
from statemachine.states import Trigger

#: More rounds than any plan can need; what is left then is looked at again.
_MOST_ROUNDS = 24
#: Why somebody is at rest in a dry run although something is left to write.
WOULD_WRITE = "would_write"


class Syncer:
    """One per daemon. ``rules``: asked at the start of every run, so that a reload counts from the next one."""

    def __init__(
        self,
        espocrm: Espocrm,
        advoware: Advoware,
        store: Store,
        clock: Clock,
        rules: Callable[[], Rules],
        guard: Callable[[], GuardLimits],
    ) -> None:
        self.espocrm = espocrm
        self.advoware = advoware
        self.store = store
        self.clock = clock
        self.steadiness = Steadiness(clock)
        self.rules = rules
        self.guard = guard
        self.applier = Applier(espocrm, advoware, store, clock)
        self.publisher = Publisher(espocrm, store, clock)
        self.locks = ValueLocks()

    async def run(self, person: Person, run: str, fresh: AdvowareRecord | None = None) -> SyncResult:
        """Sync one Beteiligte. ``fresh``: a look of the sweep that may serve as the load of Advoware.

        Raises SideTrouble, RecordTrouble, HopelessRecord; whatever was seen until then is remembered.
        """
        sync = _Sync(self, person, run, self.rules())
        try:
            async with AsyncExitStack() as held:
                return await sync.tell(fresh, held)
        except (RecordTrouble, HopelessRecord) as error:
            await sync.show_failure(error)
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await sync.remember_looks()

    async def preview(self, person: Person) -> tuple[Situation, Plan] | None:
        """What a run would do, without writing anything: ``plan`` and ``explain`` stop here. Second looks are taken for
        granted. None: the record is gone on one side, or its betNr has changed."""
        sync = _Sync(self, person, "preview", self.rules())
        if isinstance(await sync.load(None), Gone):
            return None
        settled = frozenset({looks.EMAILS, looks.PHONES, looks.ROWS})
        sync.view.change(settled=settled)
        made = await sync.answered()
        return sync.situation, made

    async def rehearse(
        self, person: Person, run: str, fresh: AdvowareRecord | None = None
    ) -> tuple[SyncResult, Plan | None]:
        """A run without its writes, for a dry run: only GETs, and what is agreed already is remembered. The plan is
        what would be written, None where there is nothing to plan. Raises as :meth:`run` does."""
        sync = _Sync(self, person, run, self.rules())
        try:
            return await sync.rehearse(fresh)
        finally:
            with anyio.CancelScope(shield=True):
                await sync.remember_looks()


class _Sync:
    """One run."""

    def __init__(self, syncer: Syncer, person: Person, run: str, rules: Rules) -> None:
        self._syncer = syncer
        self._store = syncer.store
        self._clock = syncer.clock
        self._steady_since = syncer.steadiness.since()
        self._person = person
        self._run = run
        self._rules = rules
        self.view = View(syncer, person, rules)
        self._finished = False
        self._count: Counter[tuple[Side, Variant]] = Counter()
        self._unknown: list[Side] = []
        self._decided: dict[tuple[object, ...], Decision] = {}
        self._wrote_record = False
        self._agreed_is_noted = False
        self._locked: frozenset[str] | None = None

    # 1-2: load both sides

    async def tell(self, fresh: AdvowareRecord | None, held: AsyncExitStack) -> SyncResult:
        """The whole story."""
        arrival = await self.load(fresh)
        if isinstance(arrival, Gone):
            return await self._end_without_plan(arrival)
        made = await self._rounds(held)
        return await self._remember(made)

    async def load(self, fresh: AdvowareRecord | None) -> Arrival:
        """Both sides at once, and the case file; says if there is nothing to plan."""
        case = await self._store.case(self._person.espocrm_id, self._person.bet_nr, _recent(self._rules))
        return await self.view.load(looks.on_our_clock(case, self._steady_since, self._clock.now()), fresh)

    @property
    def situation(self) -> Situation:
        return self.view.situation

    # 3-6: plan, write, read again, until nothing is left

    async def _rounds(self, held: AsyncExitStack) -> Plan:
        made = self._plan()
        for _ in range(_MOST_ROUNDS):
            if made.idle:
                break
            goes_on = await self._step(made, held)
            made = self._plan()
            if not goes_on:
                break
        return made

    def _plan(self) -> Plan:
        """What a look shows again is no longer pending for the looks that follow, of this run or a later one (§9)."""
        if self._syncer.steadiness.since() != self._steady_since:
            raise ClockSet("the server's clock was set; if that happens often, look at its time service")
        self.view.change(now=self._clock.now())
        self.view.note_foreign_types()
        made = plan.make(self.situation)
        self.view.change(case=replace(self.situation.case, pending=(*made.pending, *made.over)))
        for decision in made.decided:
            conflict = decision.conflict
            key = (conflict.kind, conflict.link_key, conflict.espocrm, conflict.advoware, conflict.emptied)
            self._decided[key] = decision
        return made

    async def _step(self, made: Plan, held: AsyncExitStack) -> bool:
        """The next thing to do; False when it must wait for another run."""
        if self.situation.espocrm.bet_nr != self._person.bet_nr:
            return False  # a save while we looked: what it shows is not meant for this Beteiligte (§7)
        if made.questions:
            await self._ask_who_shares(made)
            return True
        if await self._was_there_in_between():
            return True
        await self._note_agreed(made)
        await self._note_decisions(made)
        if made.rows and not self._wrote_record:
            return await self._write_advoware(made)
        if made.lookups:
            return await self._look_up_holders(made, held)
        if made.record is not None and (not self._wrote_record or self.situation.one_at_a_time):
            return await self._write_espocrm(made.record)
        return False

    async def _was_there_in_between(self) -> bool:
        """A look of the sweep or of the poll that ended while this run was looking has shown again what was missing
        before: then this look is the first one (§9), and everything is decided anew."""
        if not self.view.case.pending:
            return False
        known = await self._store.first_looks(self._person.espocrm_id)
        refuted = [mark for mark in self.view.case.pending if mark not in known]
        still = tuple(mark for mark in self.situation.case.pending if mark not in refuted)
        if still == self.situation.case.pending:
            return False
        self.view.change(case=replace(self.situation.case, pending=still))
        self._decided.clear()  # what of it was carried out, the next plan sees in the journal
        return True

    async def _note_agreed(self, made: Plan) -> None:
        """Once, before the first write; from then on the journal knows. The rounds of this run judge by it as well."""
        base = None if self._agreed_is_noted else agreed_so_far(self.view.case.base, made.base)
        self._agreed_is_noted = True
        if base is not None:
            await self._store.note_agreed(self._person.espocrm_id, self._person.bet_nr, base)
            self.view.change(case=replace(self.situation.case, base=base))

    async def _note_decisions(self, made: Plan) -> None:
        """What loses by the policy is in the history before it is overwritten, whatever becomes of this run (§5)."""
        case = self.situation.case
        known = [decision.conflict for decision in case.decisions]
        new = tuple(
            decision
            for decision in made.decided
            if decision.by == POLICY and not any(same_conflict(decision.conflict, one) for one in known)
        )
        if new:
            await self._store.note_decisions(self._person.espocrm_id, self._person.bet_nr, new)
            self.view.change(case=replace(case, decisions=(*case.decisions, *new)))

    async def _write_advoware(self, made: Plan) -> bool:
        if self.view.is_too_old(Side.ADVOWARE):
            await self.view.read_advoware()
            return True
        applied = await self._syncer.applier.rows(
            self._person, self._run, made.rows, self.situation.case.limits, self._rules.region
        )
        await self._take_in(applied, Side.ADVOWARE)
        await self.view.read_advoware()
        return not applied.unknown and not applied.fused

    async def _write_espocrm(self, record: PutRecord) -> bool:
        if self.view.is_too_old(Side.ESPOCRM):
            await self.view.read_espocrm_anew()
            return True
        applied = await self._syncer.applier.record(
            self._person, self._run, self.situation.espocrm, record, self._rules.region
        )
        await self._take_in(applied, Side.ESPOCRM)
        if applied.fused:
            return False
        refused = applied.refused or applied.array_refused or applied.fields_refused
        self._wrote_record = self._wrote_record or not (refused or applied.modified)
        if refused:
            return True
        await self.view.read_what_came_of(record, applied)
        return not applied.unknown

    async def _take_in(self, applied: Applied, side: Side) -> None:
        """What really happened becomes part of the situation before anything else is decided."""
        situation, case = self.situation, self.situation.case
        if applied.limits != case.limits and side is Side.ADVOWARE:
            await self._store.learn(applied.limits)
            case = replace(case, limits=applied.limits)
        case = replace(case, writes=(*case.writes, *applied.writes))
        rules = (
            replace(situation.rules, status_fields=frozenset()) if applied.fields_refused else situation.rules
        )
        self.view.change(
            case=case,
            rules=rules,
            refused={**situation.refused, **applied.refused, **_inseparable(applied, situation)},
            one_at_a_time=situation.one_at_a_time or applied.array_refused,
        )
        for write in applied.writes:
            if write.outcome is Outcome.DONE:
                self._count[write.side, write.variant] += 1
        if applied.unknown:
            self._unknown.append(side)

    async def _ask_who_shares(self, made: Plan) -> None:
        shared = set(self.situation.shared)
        for kind, canonical in made.questions:
            items = self.situation.espocrm.items(kind)
            value = next(i.value for i in items if self.situation.canonical(i.value, kind) == canonical)
            publisher, me = self._syncer.publisher, self._person.espocrm_id
            if await publisher.shares(kind, canonical, value, me):
                shared.add((kind, canonical))
        asked = self.situation.asked | set(made.questions)
        self.view.change(asked=asked, shared=frozenset(shared))

    async def _look_up_holders(self, made: Plan, held: AsyncExitStack) -> bool:
        """Who holds the value now? Nobody else may write it until we have (two rows would come of it, facts §10).
        False: a further value must wait for another run, as who holds one and waits for another could wait for ever."""
        names = frozenset(f"{kind}:{value}" for kind, value, _ in made.lookups)
        if self._locked is None:
            self._locked = names
            await held.enter_async_context(self._syncer.locks.hold(names))
        elif not names <= self._locked:
            return False
        holders = dict(self.situation.holders)
        for kind, canonical, value in made.lookups:
            holders[kind, canonical] = await self._syncer.publisher.holder(
                kind,
                canonical,
                value,
                self._person.espocrm_id,
                self._rules.region,
                attempts=self._person.standing.attempts,
            )
        self.view.change(holders=holders)
        return True

    # 7: remember everything in one transaction

    async def _remember(self, made: Plan) -> SyncResult:
        if self.view.is_doubtful:
            settled_at = self._clock.now() + self._rules.settle
            made = replace(made, look_again_at=min(made.look_again_at or settled_at, settled_at))
        end = ending(
            made, self.situation, tuple(self._decided.values()), bool(self._unknown), self._clock.now()
        )
        visible, end = await self._show_status(end)
        return await self._finish(replace(made, base=self.view.stamped(made.base)), end, visible)

    async def _finish(self, made: Plan, end: Ending, visible: str | None) -> SyncResult:
        finish = Finish(
            base=made.base,
            event=end.event,
            seen_espocrm=self.view.espocrm,
            seen_advoware=self.view.advoware,
            pending=made.pending,
            vanished=made.vanished,
            conflicts=end.conflicts,
            decided=end.decided,
            parked=made.parked,
            unsyncable=made.unsyncable,
            notices=made.notices,
            wishes_done=made.wishes_done,
            settled=end.settled,
            came=end.came,
            empty_slots=made.empty_slots,
            visible_status=visible,
        )
        person = await self._store.finish(
            self._person.espocrm_id, self._person.bet_nr, finish, run=self._run, guard=self._syncer.guard()
        )
        self._finished = True
        before = self._person.standing
        return result_of(person, before, self.view.case, end, made, self._count, self._unknown)

    async def _show_status(self, end: Ending) -> tuple[str | None, Ending]:
        """syncStatus on its own, only when it changes to or from one that needs attention (§11). The read after it
        may show an edit that the plan did not know: then the run ends without having seen everything."""
        record, rules, publisher = self.situation.espocrm, self.situation.rules, self._syncer.publisher
        if end.event.trigger is Trigger.ATTEMPT_FAILED:
            error = KommsyncError(reason=end.event.reason)
            shown = await publisher.show_failure(self._person, self._run, record, rules, error)
        else:
            shown = await publisher.show(self._person, self._run, record, end.status, self.view.case, rules)
        if shown is not None:
            self.view.showed(shown)
            if not looks.same_entries(record, shown):
                again = Event(Trigger.LOOK_AGAIN, "edited_meanwhile", self._clock.now(), unsynced=True)
                end = replace(end, event=again)
        if end.status is None:  # a user's request stays unanswered until the run has really ended
            return self.view.case.visible_status, end
        visible = (shown or record).value_of("syncStatus")
        return None if visible is None else str(visible), end

    async def _end_without_plan(self, gone: Gone) -> SyncResult:
        """The record is gone on one side, or belongs to another betNr now (§7, §9)."""
        await make_known(gone, self._store)
        if gone.hopeless is not None:
            raise gone.hopeless
        if gone.finish is None:
            person = await self._store.move(self._person.espocrm_id, gone.event, run=self._run)
        else:
            person = await self._store.finish(
                self._person.espocrm_id,
                self._person.bet_nr,
                gone.finish,
                run=self._run,
                guard=self._syncer.guard(),
            )
        return SyncResult(person, "dirty" if person else "clean")

    # the same without writing

    async def rehearse(self, fresh: AdvowareRecord | None) -> tuple[SyncResult, Plan | None]:
        """The story as far as it goes without a write, and the plan that it stops at."""
        arrival = await self.load(fresh)
        if isinstance(arrival, Gone):
            return await self._end_without_plan(arrival), None
        made = await self.answered()
        end = ending(made, self.situation, (), False, self._clock.now())
        if made.idle:
            return await self._finish(made, end, self.view.case.visible_status), made
        end = replace(end, event=_unwritten(made, end.conflicts))
        result = await self._finish(made, end, self.view.case.visible_status)
        return replace(result, lag=None), made

    async def answered(self) -> Plan:
        """The plan when all that it asks has been answered; nothing is written in between."""
        made = self._plan()
        async with AsyncExitStack() as held:
            for _ in range(_MOST_ROUNDS):
                if made.questions:
                    await self._ask_who_shares(made)
                elif not made.lookups or not await self._look_up_holders(made, held):
                    break
                made = self._plan()
        return made

    async def show_failure(self, error: RecordTrouble | HopelessRecord) -> None:
        """Let people see in EspoCRM that this record failed; best effort."""
        publisher, record = self._syncer.publisher, self.view.record
        if record is None and error.side is Side.ADVOWARE:
            record = await publisher.read(self._person)
        if record is None:
            return
        shown = await publisher.show_failure(self._person, self._run, record, self._rules, error)
        if shown is not None:
            self.view.showed(shown)

    async def remember_looks(self) -> None:
        """Unless the end of the run has done so."""
        if not self._finished:
            await self.view.remember_looks()


def _unwritten(made: Plan, conflicts: tuple[Conflict, ...]) -> Event:
    """How a rehearsal ends that has left something to write."""
    if made.look_again_at is not None:
        return Event(Trigger.LOOK_AGAIN, "second_look", made.look_again_at, unsynced=made.unsynced)
    if conflicts:  # those that are decided too: nothing has been carried out
        return Event(Trigger.CONFLICT_FOUND, ", ".join(sorted({one.kind.value for one in conflicts})))
    return Event(Trigger.SYNCED, WOULD_WRITE)


def _recent(rules: Rules) -> float:
    return max(rules.stale_form, rules.late_effect, rules.loop_window)


def _inseparable(applied: Applied, situation: Situation) -> dict[str, str]:
    """Changes that can only be sent together and were refused once more when nothing else travelled with them."""
    again = applied.array_refused and situation.one_at_a_time
    return {write.gives: "refused_by_espocrm" for write in applied.writes} if again else {}
