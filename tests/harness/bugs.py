"""Planted bugs: each breaks one guard, limit or promise of the daemon, and the harness must notice (quality.md 5).

A bug is a replacement of one named thing while a history runs. ``BUGS`` by name; :func:`caught` says by what.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from daemon.ports import Finish
from statemachine import diff as core_diff
from statemachine import journal
from statemachine.case import Fuse, Outcome, Variant
from statemachine.decide import Action
from statemachine.diff import Change
from statemachine.errors import IncompleteAnswer, ServerError, SideTrouble
from statemachine.marker import write as marker_write
from statemachine.model import AdvowareRecord
from statemachine.rules import Direction
from statemachine.standing import Event
from statemachine.states import Trigger
from tests.harness.history import drawn, play
from tests.harness.scenarios import SCENARIOS

#: The broken thing, made from the right one.
Broken = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Bug:
    """``where``: module and path of what is replaced, ``also``: what with it. ``crashes``: only a kill shows it, so it
    is sought at the crash points of this scenario. ``likely``: scenarios that are tried first."""

    name: str
    where: str
    broken: Broken
    crashes: str = ""
    likely: tuple[str, ...] = ()
    also: tuple[tuple[str, Broken], ...] = ()


BUGS: dict[str, Bug] = {}


def _bug(
    name: str,
    where: str,
    broken: Broken,
    crashes: str = "",
    likely: tuple[str, ...] = (),
    also: tuple[tuple[str, Broken], ...] = (),
) -> None:
    BUGS[name] = Bug(name, where, broken, crashes, likely, also)


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    with ExitStack() as stack:
        for where, broken in ((bug.where, bug.broken), *bug.also):
            stack.enter_context(_replaced(where, broken))
        yield


@contextmanager
def _replaced(where: str, broken: Broken) -> Iterator[None]:
    module, _, path = where.partition(":")
    owner: Any = importlib.import_module(module)
    *way, last = path.split(".")
    for name in way:
        owner = getattr(owner, name)
    right = owner.__dict__[last] if isinstance(owner, type) else getattr(owner, last)
    setattr(owner, last, broken(right))
    try:
        yield
    finally:
        setattr(owner, last, right)


@dataclass(frozen=True, slots=True)
class Catch:
    """``by``: the scenario or seed that noticed it, "" if nothing did; ``tried``: how many histories it took."""

    bug: str
    by: str
    tried: int
    problem: str = ""


def caught(bug: Bug, seeds: int = 400, start: int = 1, names: Sequence[str] = ()) -> Catch:
    tried = 0
    with planted(bug):
        for by, run in _histories(bug, seeds, start, names or list(SCENARIOS)):
            tried += 1
            try:
                problems = run()
            except Exception as error:  # noqa: BLE001 - a daemon that does not even start is caught as well
                problems = [f"crashed: {type(error).__name__}"]
            if problems:
                return Catch(bug.name, by, tried, problems[0])
    return Catch(bug.name, "", tried)


def _histories(
    bug: Bug, seeds: int, start: int, names: Sequence[str]
) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    if bug.crashes:
        scenario = SCENARIOS[bug.crashes]
        calm = scenario.run()
        for number in range(calm.first_effect, calm.last_effect + 1):
            yield (
                f"{bug.crashes} killed at {number}",
                lambda n=number: scenario.run(frozenset({n})).violations,  # type: ignore[misc]
            )
    for name in sorted(names, key=lambda name: name not in bug.likely):
        yield name, lambda name=name: SCENARIOS[name].run().violations  # type: ignore[misc]
    for seed in range(start, start + seeds):
        yield f"seed {seed}", lambda seed=seed: play(drawn(seed)).violations  # type: ignore[misc]


def _always(value: Any) -> Broken:
    return lambda right: lambda *args, **kwargs: value


def _property(value: Any) -> Broken:
    return lambda right: property(lambda self: value)


# -- second looks, settled reads, the fuse -------------------------------------------------------------------------


def _gone_at_once(right: Any) -> Any:
    def confirm(link: Any, side: Any, change: Change, situation: Any, pending: list[Any]) -> Change:
        return Change.GONE if change is Change.MISSING else change

    return confirm


def _first_look_counts(right: Any) -> Any:
    def perhaps_gone(
        arrival: Any, person: Any, case: Any, rules: Any, key: str, side: Any, look: Any, *more: Any
    ) -> Any:
        return right(arrival, person, case, replace(rules, deletion_confirm=-1e9), key, side, look, *more)

    return perhaps_gone


def _rows_missing_is_empty(right: Any) -> Any:
    def read_record(reply: Any, bet_nr: int) -> AdvowareRecord:
        try:
            found: AdvowareRecord = right(reply, bet_nr)
        except IncompleteAnswer:
            return AdvowareRecord(bet_nr, (), (), reply.asked_at, reply.answered_at, reply.server_time)
        return found

    return read_record


def _judged_by_what_it_holds_now(right: Any) -> Any:
    return lambda write, situation: right(write, replace(situation, case=replace(situation.case, writes=())))


def _answered_once_for_all(right: Any) -> Any:
    def with_its_row(write: Any, situation: Any) -> Any:
        posts = (one for one in situation.case.writes if one.operation == "post" and one.gives == write.gives)
        return write if any(one.outcome is Outcome.DONE for one in posts) else right(write, situation)

    return with_its_row


def _follow_nothing(_: Any) -> Any:
    return lambda situation, base: base


def _judged_by_the_beginning(right: Any) -> Any:
    async def note(self: Any, made: Any) -> None:
        base = self.situation.case.base
        await right(self, made)
        self.view.change(case=replace(self.situation.case, base=base))

    return note


#: Without the other ways by which such a value is found again.
_bug(
    "an emptied row is judged by what it holds now",
    "statemachine.effects:_row_after",
    _judged_by_what_it_holds_now,
    also=(
        ("statemachine.pairing:Pairing._take_over", _always(None)),
        ("statemachine.moved:follow", _follow_nothing),
        ("daemon.sync:_Sync._note_agreed", _judged_by_the_beginning),
    ),
    crashes="type_changed_then_its_slot_is_taken",
)
_bug(
    "a POST that was answered answers for all of its value",
    "statemachine.effects:_with_its_row",
    _answered_once_for_all,
    crashes="type_changed_twice_then_removed",
)
_bug("a deletion needs no second look", "statemachine.diff:_confirm", _gone_at_once)
_bug(
    "the second look may come at once",
    "statemachine.looks:second_look",
    lambda right: lambda pending, key, side, look, confirm: right(pending, key, side, look, 0.0),
)
_bug("a missing record is gone at once", "daemon.arrival:_perhaps_gone", _first_look_counts)
_bug("a missing key is an empty list", "daemon.advoware_codec:read_record", _rows_missing_is_empty)
_bug("every read is settled", "statemachine.looks:settled", _always(value=True))
_bug(
    "a first sync creates rows without a second look",
    "statemachine.admission:Admission.rows_settled",
    _always(value=True),
)
_bug("an emptied side is nothing special", "statemachine.guard:emptied", _always(value=False))
_bug("the fuse never blows", "daemon.store.fuses:exceeds", _always(value=False))
_bug(
    "the fuse blows one too early",
    "daemon.store.fuses:exceeds",
    lambda right: lambda count, links, most, share: count >= most or right(count, links, most, share),
)
_bug("a blown fuse holds nothing", "statemachine.fuse:Fuses.stops", _always(value=False))
_bug("a blown fuse is forgotten", "statemachine.case:Case.fuse_of", _always(Fuse.INTACT))
_bug("the loop breaker is off", "statemachine.guard:loops", _always(value=False))

# -- echoes, journal, base -----------------------------------------------------------------------------------------

_bug("late effects are edits", "statemachine.echoes:late_put", _always(value=False))
_bug(
    "any unanswered write makes an edit a late effect",
    "statemachine.echoes:_is_late",
    lambda right: lambda write: write.outcome in (Outcome.UNKNOWN, None),
    also=(("statemachine.effects:came", _always(())),),
)
_bug("older forms in EspoCRM are edits", "statemachine.echoes:stale_item", _always(value=False))
_bug("older forms in Advoware are edits", "statemachine.echoes:stale_row", _always(value=False))
_bug("a double row stays", "statemachine.carry:younger_double", _always(None))
_bug(
    "the base moves without agreement",
    "statemachine.advance:equal",
    lambda right: lambda draft, tie: tie.item is not None and bool(tie.rows),
)
_bug(
    "the journal does not stand in for a read",
    "statemachine.effects:of",
    lambda right: lambda situation: iter(()),
)
_bug(
    "unanswered writes never happened",
    "statemachine.effects:_happened",
    lambda right: lambda write, situation: write.outcome is Outcome.DONE,
)
_bug(
    "an unanswered write is taken for done",
    "daemon.apply:Outcome",
    lambda right: _Outcomes,
)
_bug("decisions are not recorded", "daemon.ending:_decided", _always(()))
_bug("nothing is ever settled", "daemon.ending:_settled", _always(()))
_bug("an edit during the status write goes unseen", "statemachine.looks:same_entries", _always(value=True))


class _Outcomes:
    """The outcomes, one of them wrong."""

    DONE = UNKNOWN = Outcome.DONE
    REFUSED = Outcome.REFUSED
    NOT_SENT = Outcome.NOT_SENT


# -- pairing and decisions -----------------------------------------------------------------------------------------

_bug(
    "equal values are not paired", "statemachine.pairing:Pairing._equal_values", lambda right: lambda self: []
)
_bug("rows do not follow their link", "statemachine.pairing:Pairing._let_leave", _always(None))
_bug("equal rows do not join", "statemachine.pairing:Pairing._let_join", _always(None))
_bug("edits are never recognised", "statemachine.pairing:Pairing._left_over_items", _always(None))
_bug(
    "numbers are compared as they are spelt",
    "statemachine.normalize:canonical",
    lambda right: lambda v, k, r: v,
)
_bug(
    "in a conflict Advoware is always right",
    "statemachine.verdicts:decide.decided",
    lambda right: (
        lambda advoware, espocrm, keep: (
            Action.GIVE_ESPOCRM
            if (advoware, espocrm) == (Change.CHANGED, Change.CHANGED)
            else right(advoware, espocrm, keep)
        )
    ),
)
_bug(
    "the policy decides what only people may",
    "statemachine.decide:ConflictKind",
    lambda right: type("Kinds", (), {"SIDE_EMPTIED": None, "BETNR_CHANGED": None}),
)
_bug(
    "a conflict is lost in silence",
    "statemachine.diff:_difference",
    lambda right: lambda tie, situation, pending: _espocrm_only(right(tie, situation, pending)),
)


def _espocrm_only(found: core_diff.Difference) -> core_diff.Difference:
    if (found.advoware, found.espocrm) == (Change.CHANGED, Change.CHANGED):
        return replace(found, advoware=Change.SAME)
    return found


# -- markers, rows, items ------------------------------------------------------------------------------------------

_bug("markers are not read", "statemachine.marker:read", lambda right: lambda bemerkung: (None, bemerkung))
_bug(
    "a marker drops the user's text",
    "statemachine.marker:write",
    lambda right: lambda value, komm_kz, text="": right(value, komm_kz),
)
_bug(
    "a slot of any kind will do",
    "statemachine.rowplan:RowPlan._take_slot",
    lambda right: lambda self, komm_kz, own: self._slots.pop() if self._slots else None,
)
_bug("every number is an office number", "statemachine.kommkz:from_espocrm_type", _always(1))
_bug(
    "a finer kind is forgotten",
    "statemachine.into_advoware:_komm_kz_for",
    lambda right: lambda item, link: right(item, None),
)
_bug(
    "opt-outs are reset",
    "daemon.espocrm_codec:write_item",
    lambda right: lambda item: {**right(item), "optOut": False},
)
_bug(
    "the scalar is not sent",
    "daemon.espocrm_codec:write_body",
    lambda right: (
        lambda command: {k: v for k, v in right(command).items() if k not in ("emailAddress", "phoneNumber")}
    ),
)
_bug("an eleventh number is sent", "statemachine.itemplan:ItemPlan.full", _property(value=False))
_bug("a cut bemerkung is not noticed", "daemon.apply:_Round._check", lambda right: _nothing_async)
_bug("two may write the same new value", "daemon.locks:ValueLocks._one", lambda right: _no_lock)
_bug(
    "a shared type is one user's wish",
    "statemachine.retype:Retype._wished",
    _always(value=True),
    also=(("daemon.view:View.note_foreign_types", _always(None)),),
)
_bug("primary is not carried over", "statemachine.plan:carry_flags", _always(None))
_bug(
    "equal spellings are written again",
    "statemachine.carry:Carry._nothing",
    lambda right: lambda self, d: self._advoware.give(d) if d.tie.item and d.tie.rows else right(self, d),
)


async def _nothing_async(*args: Any, **kwargs: Any) -> None:
    """Does not look."""


@contextmanager
def _open(*args: Any) -> Iterator[None]:
    yield


class _no_lock:  # noqa: N801 - stands in for a method
    def __init__(self, *args: Any) -> None:
        pass

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *args: object) -> None:
        return None


# -- states, loops, the wire ---------------------------------------------------------------------------------------


def _attempts_in_an_outage(right: Any) -> Any:
    def event_for(error: Exception, now: float, jitter: float) -> Event:
        if isinstance(error, SideTrouble):
            return Event(Trigger.ATTEMPT_FAILED, error.reason, side=error.side, jitter=jitter)
        found: Event = right(error, now, jitter)
        return found

    return event_for


_bug("an outage costs attempts", "daemon.worker:event_for", _attempts_in_an_outage)
_bug(
    "retries do not wait",
    "statemachine.retry:wait",
    lambda right: lambda n, schedule, jitter: 0.1 if right(n, schedule, jitter) else None,
)
_bug("nobody is reset", "daemon.maintenance:Maintenance.tidy", lambda right: _nothing_async)
_bug("leases of the dead are kept", "daemon.store.leases:recover", _always(0), crashes="item_edited")
_bug(
    "what happens during a run is not noted",
    "statemachine.standing:replace",
    lambda right: (
        lambda value, **changes: right(value, **{k: v for k, v in changes.items() if k != "noted" or not v})
    ),
)
_bug("the breaker never opens", "daemon.gate:Gate.report", _always(None))
_bug(
    "the poll looks back no further than its cursor",
    "daemon.poller:Poller._since",
    lambda right: lambda self, cursor: cursor.newest[0],
)
_bug("every look is late enough", "daemon.sightings:Sightings._is_ripe", _always(value=True))
_bug("the sweep sees no changes", "daemon.sweep:changed", _always(value=False))
_bug("the poll sees no changes", "daemon.sightings:Sightings.is_known", _always(value=True))


def _drops_new_conflicts(finish: Finish) -> Finish:
    return replace(finish, conflicts=())


_bug(
    "open conflicts are forgotten",
    "daemon.store.casefile:_leave",
    lambda right: (
        lambda turn, espocrm_id, bet_nr, left: right(turn, espocrm_id, bet_nr, _drops_new_conflicts(left))
    ),
)
_bug(
    "a 500 for a record is a side that is down",
    "daemon.worker:KommsyncError",
    lambda right: ServerError,
)
_bug(
    "rows are given other people's text",
    "statemachine.rowplan:RowPlan.give",
    lambda right: (
        lambda self, row, value, variant, key: right(
            self, replace(row, text="") if variant is Variant.VAR5 else row, value, variant, key
        )
    ),
)


# -- limits: one more, one less, none ------------------------------------------------------------------------------


def _to(value: Any) -> Broken:
    """Another constant."""
    return lambda right: value


def _changed_source(old: str, new: str) -> Broken:
    """A statement of the store with another word in it."""

    def broken(right: str) -> str:
        if old not in right:
            raise KeyError(old)
        return right.replace(old, new)

    return broken


def _over(count: int, links: int, most: int, share: float) -> bool:
    return count > most


def _over_small(count: int, links: int, most: int, share: float) -> bool:
    return count > most or count > share * links


def _since_ever(right: Any) -> Any:
    return lambda situation, window: right(situation, 1e12)


def _never_since(right: Any) -> Any:
    return lambda situation, window: right(situation, -1.0)


_bug(
    "one entry that goes is an emptied side",
    "statemachine.guard:emptied",
    lambda right: lambda links, relevant: links >= 1 and relevant == 0,
    likely=("the_only_entry_is_removed",),
)
_bug(
    "two entries that go are no emptied side",
    "statemachine.guard:emptied",
    lambda right: lambda links, relevant: links > 2 and relevant == 0,
    likely=("espocrm_emptied_waits",),
)
_bug(
    "an emptied side is decided after one look",
    "statemachine.holds:Holds._waits_for_the_rest",
    _always(value=False),
    likely=("a_short_list_when_a_deletion_is_confirmed",),
)
_bug(
    "the share does not blow the fuse",
    "daemon.store.fuses:exceeds",
    lambda right: _over,
    likely=("fuse_blows_by_its_share",),
)
_bug(
    "the share blows the fuse over a handful",
    "daemon.store.fuses:exceeds",
    lambda right: _over_small,
    likely=("fuse_share_of_a_small_number",),
)
_bug(
    "the share counts from ten on, not from eleven",
    "daemon.store.fuses:exceeds",
    lambda right: lambda n, links, most, share: n > most or (n >= 10 and n > share * links),
    likely=("fuse_share_of_a_small_number",),
)
_bug(
    "the fuse's window never ends",
    "daemon.store.fuses:register",
    lambda right: (
        lambda turn, who, bet_nr, found, guard: right(
            turn, who, bet_nr, found, replace(guard, window_seconds=1e12)
        )
    ),
    likely=("fuse_forgets_after_its_window",),
)
_bug(
    "both sides have one fuse",
    "daemon.store.fuses:COUNTED",
    _changed_source("side = ?", "side IS NOT ?||'!'"),
    likely=("fuse_counts_each_side_for_itself",),
)
_bug(
    "a rejected deletion is carried out",
    "statemachine.fuse:Fuses.rejected",
    _always(value=False),
    likely=("fuse_blows_and_is_rejected",),
)
_bug(
    "nothing is asked before a deletion is sent",
    "statemachine.fuse:Fuses.holds",
    _always(value=False),
    likely=("fuse_waits_for_the_operator",),
)
_bug(
    "the loop breaker lets one more through",
    "statemachine.guard:loops",
    lambda right: lambda writes, gives, since, limit: right(writes, gives, since, limit + 1),
    likely=("two_robots_never_agree",),
)
_bug(
    "a quarantine never ends",
    "statemachine.admission:Admission._parked",
    lambda right: lambda self, name: next((p.reason for p in self._s.case.parked if p.subject == name), None),
    likely=("two_robots_end_and_the_quarantine_too",),
)
_bug(
    "nobody comes back for a quarantine",
    "daemon.store.leases:PARKED_LONG_AGO",
    _changed_source("<= ?", "< -1 AND 1 <> ?"),
    likely=("two_robots_end_and_the_quarantine_too",),
)
_bug(
    "older forms for ever",
    "statemachine.echoes:_settled",
    lambda right: (
        lambda situation, variants: [
            w
            for w in situation.case.writes
            if w.outcome is Outcome.DONE and w.settled and w.variant in tuple(variants)
        ]
    ),
    likely=("an_older_form_after_its_time",),
)
_bug(
    "an older form is put right every time",
    "statemachine.echoes:_restored_since",
    _always(value=False),
    likely=("an_older_form_twice",),
)
_bug(
    "late effects have no time",
    "statemachine.echoes:_recent",
    _never_since,
    likely=("a_late_value_after_a_newer_one",),
)
_bug(
    "eleven items are ten",
    "statemachine.itemplan:ItemPlan.limit",
    _property(value=11),
    likely=("an_eleventh_number",),
)
_bug(
    "nine items are ten",
    "statemachine.itemplan:ItemPlan.limit",
    _property(value=9),
    likely=("ten_numbers",),
)
_bug(
    "the length of a bemerkung is not learnt",
    "daemon.apply:_Round._learn_bemerkung",
    _always(None),
    likely=("not_even_a_marker_fits",),
)
_bug(
    "a learnt length is not heeded",
    "statemachine.rowplan:RowPlan._bemerkung",
    lambda right: lambda self, value, komm_kz, text: marker_write(value, komm_kz, text),
    likely=("not_even_a_marker_fits",),
)
_bug(
    "the stump of a value stays",
    "daemon.apply:_Round._take_back",
    lambda right: _nothing_async,
    likely=("tlf_is_cut",),
)
_bug(
    "a slot is used twice",
    "statemachine.rowplan:RowPlan._take_slot",
    lambda right: (
        lambda self, komm_kz, own: next((slot for slot in self._slots if slot.komm_kz == komm_kz), None)
    ),
    likely=("two_items_and_one_slot",),
)
_bug(
    "a look of any age serves as the load",
    "daemon.fresh:FreshLooks.take",
    lambda right: lambda self, espocrm_id, bet_nr: self._records.get(espocrm_id),
)
_bug(
    "what was read long ago is written over",
    "daemon.view:View.is_too_old",
    _always(value=False),
    likely=("saved_while_advoware_answers_slowly",),
)
_bug(
    "a clock that is set proves a second look",
    "daemon.steadiness:Steadiness.since",
    _always(0.0),
    likely=("the_clock_is_set_while_a_list_is_short",),
)

# -- the wire, attempts, the breaker -------------------------------------------------------------------------------

_bug(
    "every wait is the first one",
    "statemachine.retry:wait",
    lambda right: lambda n, schedule, jitter: None if right(n, schedule, jitter) is None else schedule[0],
    likely=("four_fail_for_long",),
)
_bug("nobody's wait is spread", "statemachine.retry:_SPREAD", _to(0.0), likely=("four_fail_for_long",))
_bug("waits are spread too far", "statemachine.retry:_SPREAD", _to(0.9), likely=("four_fail_for_long",))
_bug(
    "the fifth failure gives up",
    "statemachine.standing:_give_up_when_used_up",
    lambda right: (
        lambda standing, event, schedule: right(
            replace(standing, attempts=standing.attempts + 1), event, schedule
        )
    ),
    likely=("four_fail_for_long",),
)
_bug(
    "the sixth failure does not give up",
    "statemachine.standing:_give_up_when_used_up",
    lambda right: (
        lambda standing, event, schedule: right(
            replace(standing, attempts=max(standing.attempts - 1, 0)), event, schedule
        )
    ),
    likely=("four_fail_for_long",),
)
_bug(
    "probes never grow rarer",
    "daemon.gate:pause",
    lambda right: lambda attempt, first, cap, jitter: right(1, first, cap, jitter),
    likely=("espocrm_down_for_long",),
)
_bug(
    "who is refused asks again at once",
    "daemon.gate:_REFUSED_FIRST",
    _to(0.5),
    likely=("espocrm_refuses_who_we_are",),
)
_bug(
    "no number of 500s is suspect",
    "daemon.gate:_SUSPECTS",
    _to(10_000),
    likely=("everything_answers_500",),
)
_bug("four 500s are needed, not three", "daemon.gate:_SUSPECTS", _to(4), likely=("everything_answers_500",))
_bug(
    "a pause that was asked for is not kept",
    "daemon.gate:_THROTTLE_CAP",
    _to(0.0),
    likely=("espocrm_asks_for_pauses",),
)
_bug(
    "a Manager that is offline is an error of the record",
    "daemon.advoware_judge:_TEXTS",
    lambda right: right[:-1],
    likely=("advoware_manager_is_offline",),
)

# -- the journal and the base, when the process dies ---------------------------------------------------------------


def _journal_afterwards(right: Any) -> Any:
    """The line is written when the answer has come, not before the request is sent."""

    async def begin(self: Any, command: Any) -> Any:
        return journal.of_row(command, "afterwards", self._clock.now(), self._region)

    return begin


def _ends_unjournalled(right: Any) -> Any:
    async def end(
        self: Any, write: Any, outcome: Any, advoware_id: int | None = None, shown: Any = None
    ) -> Any:
        person = self._person
        (id_,) = await self._store.journal(person.espocrm_id, person.bet_nr, self._run, (write,))
        return await right(self, replace(write, id=id_), outcome, advoware_id, shown)

    return end


BUGS["a write is journalled when it was answered"] = Bug(
    "a write is journalled when it was answered",
    "daemon.apply:_Round._begin",
    _journal_afterwards,
    crashes="item_edited_and_then_the_row",
    also=(("daemon.apply:_Round._end", _ends_unjournalled),),
)
_bug("Advoware is not read after it was written", "daemon.view:View.read_advoware", lambda r: _nothing_async)
_bug(
    "EspoCRM is not read after it was written", "daemon.view:View.read_what_came_of", lambda r: _nothing_async
)
_bug(
    "what the policy decided is written down at the end",
    "daemon.sync:_Sync._note_decisions",
    lambda right: _nothing_async,
    crashes="both_edit_espocrm",
)
_bug(
    "a write that was answered has always taken",
    "statemachine.effects:_no_row_effect",
    _always(value=False),
    likely=("a_write_that_has_not_taken",),
)

# -- pairs, directions, kinds --------------------------------------------------------------------------------------


def _always_async(right: Any) -> Any:
    async def deleted(self: Any, command: Any) -> bool:
        await right(self, command)
        return True

    return deleted


def _forgets_the_pair(right: Any) -> Any:
    def untrack(turn: Any, person: Any) -> None:
        turn.do("DELETE FROM links WHERE espocrm_id = ?", person.espocrm_id)
        turn.do("DELETE FROM pairs WHERE espocrm_id = ?", person.espocrm_id)
        right(turn, person)

    return untrack


_bug(
    "a doubled betnr is synced",
    "daemon.store.people:by_bet_nr",
    lambda right: lambda turn, bet_nr: right(turn, bet_nr)[:1],
    likely=("betnr_is_doubled_for_a_while",),
)
_bug(
    "another betnr is like a first sync",
    "statemachine.holds:Holds._pair_changed",
    _always(value=False),
    likely=("betnr_of_somebody_else",),
)
_bug(
    "a base is not kept for its pair",
    "daemon.store.people:_untrack",
    _forgets_the_pair,
    likely=("betnr_is_removed_and_comes_back",),
)
_bug(
    "who is missing in the census is not missed",
    "daemon.sightings:Sightings.missing",
    lambda right: _nothing_async,
    likely=("a_record_is_deleted",),
)
_bug(
    "who is new in the census is not found",
    "daemon.sightings:Sightings.found",
    lambda right: _nothing_async,
    likely=("a_record_is_forgotten_and_restored",),
)
_bug(
    "one way goes both ways",
    "statemachine.rules:Rules.may_write",
    _always(value=True),
    likely=("one_way_to_espocrm", "one_way_to_advoware"),
)
_bug(
    "one way merges like both",
    "statemachine.decide:_TABLES",
    lambda right: dict.fromkeys(right, right[Direction.BOTH]),
    likely=("one_way_to_espocrm", "one_way_to_advoware"),
)
_bug(
    "extras are always removed",
    "statemachine.extras:Extras",
    lambda right: type("Extras", (), {"KEEP": None}),
    likely=("one_way_to_espocrm",),
)
_bug(
    "extras are always kept",
    "statemachine.extras:ExtraEntries.out",
    _always("extra"),
    likely=("mirror_into_espocrm",),
)
_bug(
    "anything is a value for EspoCRM",
    "statemachine.into_espocrm:espocrm_form",
    lambda right: lambda value, kind, region, acceptance: (value, None),
    likely=("first_sync_odd_values",),
)
_bug(
    "nothing is a value for EspoCRM",
    "statemachine.into_espocrm:espocrm_form",
    _always((None, "refused")),
)
_bug(
    "an array that cannot be written is written",
    "statemachine.itemplan:ItemPlan.frozen",
    _always(value=False),
    likely=("stored_number_cannot_be_rewritten",),
)
_bug(
    "a stored item is left out to please EspoCRM",
    "statemachine.itemplan:ItemPlan._one_of_each",
    lambda right: (
        lambda self, places: right(
            self, [p for p in places if p.item is not None and self._sendable(p.item) == p.item]
        )
    ),
    likely=("stored_number_is_not_accepted_any_more",),
)
_bug(
    "nobody asks who holds a value",
    "daemon.publish:Publisher.holder",
    lambda right: _nothing_async,
    likely=("somebody_else_holds_it_opted_out",),
)
_bug(
    "the kind in an answer is not believed",
    "statemachine.rows:learnt_kinds",
    _always({}),
    likely=("first_sync_two_faxes",),
)
_bug(
    "the kind in a marker counts for any value",
    "statemachine.kommkz:contradicts",
    _always(value=False),
    likely=("a_number_beside_the_marker_of_a_mail",),
)
_bug(
    "a mobile number is an office number",
    "statemachine.kommkz:guess",
    lambda right: lambda value, region: 1 if right(value, region) == 3 else right(value, region),
    likely=("one_way_to_espocrm_from_nothing",),
)
_bug(
    "a decision holds for other values, too",
    "statemachine.decide:same_conflict",
    lambda right: lambda one, other: (one.kind, one.link_key) == (other.kind, other.link_key),
    likely=("decided_for_a_value_that_has_changed",),
)
_bug(
    "only the first of several rows is written",
    "statemachine.into_advoware:IntoAdvoware.give",
    lambda right: lambda self, d: right(self, replace(d, tie=replace(d.tie, rows=d.tie.rows[:1]))),
    likely=("n_to_one_item_edited",),
)
_bug(
    "a refused DELETE is the end of it",
    "daemon.apply:_Round._delete",
    _always_async,
    likely=("item_removed_deletion_by_delete",),
)

# -- what is seen --------------------------------------------------------------------------------------------------


def _arrays_missing_are_empty(right: Any) -> Any:
    def read_record(reply: Any, espocrm_id: str) -> Any:
        shown = {"emailAddressData": [], "phoneNumberData": [], **json.loads(reply.body)}
        return right(replace(reply, body=json.dumps(shown).encode()), espocrm_id)

    return read_record


_bug(
    "an array that is missing is empty",
    "daemon.espocrm_codec:read_record",
    _arrays_missing_are_empty,
    likely=("espocrm_shows_no_arrays_and_an_emptied_side_is_confirmed",),
)
_bug(
    "a look at Advoware compares ids only",
    "statemachine.looks:_rows",
    lambda right: lambda rows: "".join(sorted(str(row.id) for row in rows)),
    likely=("row_edited",),
)
_bug(
    "a look at Advoware compares values only",
    "statemachine.looks:_rows",
    lambda right: lambda rows: "".join(sorted(f"{row.id} {row.tlf}" for row in rows)),
    likely=("online_moved",),
)
_bug(
    "EspoCRM's version is not sent",
    "daemon.espocrm:HttpEspocrm.put",
    lambda right: lambda self, record, command: right(self, replace(record, version_number=None), command),
    likely=("versions_tell_of_a_save_in_between",),
)
_bug(
    "EspoCRM looks for duplicates",
    "daemon.espocrm:HttpEspocrm._send",
    lambda right: (
        lambda self, method, path, read, body, record, headers=(): right(
            self, method, path, read, body, record, tuple(h for h in headers if "Duplicate" not in h[0])
        )
    ),
    likely=("a_namesake_is_no_duplicate",),
)
_bug(
    "a page ends within a second",
    "daemon.poller:_key",
    lambda right: lambda row: (row.modified_at, "~"),
    likely=("six_are_saved_in_one_second",),
)
_bug(
    "the cursor jumps over those of its second",
    "daemon.espocrm:_behind",
    lambda right: lambda modified_at, espocrm_id: right(modified_at, espocrm_id)[0]["value"][:1],
    likely=("six_are_saved_in_one_second",),
)
_bug(
    "what was missing before our write is still missing after it",
    "statemachine.situation:Situation._was_given_back",
    _always(value=False),
    likely=("given_back_and_then_a_short_list",),
)
_bug(
    "the question about an emptied side answers itself",
    "statemachine.holds:Holds._lost",
    lambda right: lambda self, side, asked: right(self, side, asked=False),
    likely=("advoware_emptied_and_one_is_typed_there",),
)
_bug(
    "what came back of an emptied side is not marked",
    "statemachine.fuse:Fuses.reject",
    _always(None),
    likely=("advoware_emptied_and_given_back", "given_back_without_an_answer"),
)
_bug(
    "a value that both sides show is gone as it moved",
    "statemachine.pairing:Pairing._take_over",
    _always(None),
    likely=("moved_to_the_row_of_one_that_goes",),
    also=(("statemachine.moved:follow", _follow_nothing),),
)
_bug(
    "a type goes where its number goes",
    "statemachine.into_espocrm:IntoEspocrm._type",
    lambda right: lambda self, item, row, holder: holder.type if holder and holder.type else item.type,
    likely=("phone_and_fax_change_places",),
)
_bug(
    "a value that moved is not followed",
    "statemachine.moved:follow",
    _follow_nothing,
    likely=("numbers_change_places_while_one_is_edited",),
)
_bug(
    "a guessed kind is taken for the true one",
    "statemachine.retype:Retype._guessed",
    _always([]),
    likely=("type_put_right_over_a_guessed_kind",),
)
_bug(
    "what a change of type has left over stays",
    "statemachine.retype:Retype._left_over",
    _always([]),
    crashes="type_changed_of_a_row_of_another_kind",
)
_bug(
    "each value of a request tells for itself",
    "statemachine.effects:_is_ambiguous",
    _always(value=False),
    likely=("numbers_change_places_and_one_goes_before_we_look",),
)
_bug(
    "an effect may come twice",
    "statemachine.effects:had_come",
    _always(value=False),
    likely=("typed_again_after_a_lost_answer",),
    also=(("statemachine.effects:came", _always(())),),
)

#: Tried first, so that all bugs together take minutes; without it all scenarios come in their order.
_SHOWN_BY = {
    "a deletion needs no second look": "espocrm_shows_only_1_for_some_seconds",
    "the second look may come at once": "espocrm_shows_only_1_for_some_seconds",
    "a missing record is gone at once": "record_missing_for_a_moment",
    "a missing key is an empty list": "advoware_shows_no_kommunikation_and_an_emptied_side_is_confirmed",
    "every read is settled": "first_sync_while_advoware_shows_only_0",
    "a first sync creates rows without a second look": "first_sync_while_advoware_shows_only_0",
    "an emptied side is nothing special": "advoware_emptied_waits",
    "the fuse never blows": "fuse_waits_for_the_operator",
    "the fuse blows one too early": "fuse_at_its_limit_holds_nothing",
    "a blown fuse holds nothing": "fuse_waits_for_the_operator",
    "a blown fuse is forgotten": "fuse_waits_for_the_operator",
    "the loop breaker is off": "two_robots_never_agree",
    "late effects are edits": "a_late_value_after_a_newer_one",
    "any unanswered write makes an edit a late effect": "marker_unanswered_and_then_edited",
    "older forms in EspoCRM are edits": "an_older_form_in_espocrm",
    "older forms in Advoware are edits": "an_older_form_in_advoware",
    "a double row stays": "a_late_row_beside_the_second_attempt",
    "the base moves without agreement": "first_sync_row_changed_since_its_marker",
    "the journal does not stand in for a read": "n_to_one_removed_while_a_row_is_edited",
    "unanswered writes never happened": "removal_unanswered_and_the_row_used_again",
    "an unanswered write is taken for done": "marker_unanswered_and_then_edited",
    "decisions are not recorded": "both_edit_espocrm",
    "nothing is ever settled": "an_older_form_in_espocrm",
    "an edit during the status write goes unseen": "edited_while_only_the_status_is_written",
    "equal values are not paired": "item_edited",
    "rows do not follow their link": "n_to_one_one_row_edited",
    "equal rows do not join": "a_second_row_of_the_same_number",
    "edits are never recognised": "item_edited",
    "numbers are compared as they are spelt": "first_sync_equal",
    "in a conflict Advoware is always right": "both_edit_espocrm",
    "the policy decides what only people may": "advoware_emptied_waits",
    "a conflict is lost in silence": "both_edit_espocrm",
    "markers are not read": "item_added_takes_a_slot",
    "a marker drops the user's text": "edited_before_the_first_sync_ends",
    "a slot of any kind will do": "first_sync_with_old_markers",
    "every number is an office number": "first_sync_only_espocrm",
    "a finer kind is forgotten": "advoware_emptied_and_given_back",
    "opt-outs are reset": "opt_out_survives_an_edit",
    "the scalar is not sent": "stored_number_is_not_accepted_any_more",
    "an eleventh number is sent": "an_eleventh_number",
    "a cut bemerkung is not noticed": "tlf_is_cut",
    "two may write the same new value": "both_get_a_number_at_once_in_slow_saves",
    "a shared type is one user's wish": "an_administrator_changes_a_value",
    "primary is not carried over": "online_moved",
    "equal spellings are written again": "type_changed",
    "an outage costs attempts": "advoware_down",
    "retries do not wait": "advoware_shows_no_kommunikation_for_a_minute",
    "nobody is reset": "it_fails_for_long",
    "what happens during a run is not noted": "decided_while_it_is_synced",
    "the breaker never opens": "espocrm_down_for_long",
    "the poll looks back no further than its cursor": "a_save_becomes_visible_late",
    "every look is late enough": "two_edits_in_one_second",
    "the sweep sees no changes": "row_emptied",
    "the poll sees no changes": "item_added",
    "open conflicts are forgotten": "both_edit_manual",
    "a 500 for a record is a side that is down": "advoware_shows_no_kommunikation_for_a_minute",
    "rows are given other people's text": "item_edited",
}
for _name, _scenario in _SHOWN_BY.items():
    BUGS[_name] = replace(BUGS[_name], likely=(_scenario,))
