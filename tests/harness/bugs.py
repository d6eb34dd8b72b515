"""Planted bugs: each breaks one guard, limit or promise of the daemon, and the harness must notice (quality.md 5).

A bug is a replacement of one named thing while a history runs. ``BUGS`` by name; :func:`caught` says by what.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from daemon.ports import Finish
from statemachine import diff as core_diff
from statemachine.case import Fuse, Outcome, Variant
from statemachine.decide import Action
from statemachine.diff import Change
from statemachine.errors import IncompleteAnswer, ServerError, SideTrouble
from statemachine.model import AdvowareRecord
from statemachine.standing import Event
from statemachine.states import Trigger
from tests.harness.history import drawn, play
from tests.harness.scenarios import SCENARIOS

#: The broken thing, made from the right one.
Broken = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Bug:
    """``where``: module and path of what is replaced. ``crashes``: only a kill shows it, so it is sought at the crash
    points of this scenario."""

    name: str
    where: str
    broken: Broken
    crashes: str = ""
    likely: tuple[str, ...] = ()


BUGS: dict[str, Bug] = {}


def _bug(name: str, where: str, broken: Broken, crashes: str = "", likely: tuple[str, ...] = ()) -> None:
    BUGS[name] = Bug(name, where, broken, crashes, likely)


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    module, _, path = bug.where.partition(":")
    owner: Any = importlib.import_module(module)
    *way, last = path.split(".")
    for name in way:
        owner = getattr(owner, name)
    right = owner.__dict__[last] if isinstance(owner, type) else getattr(owner, last)
    setattr(owner, last, bug.broken(right))
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
)
_bug("primary is not carried over", "statemachine.plan:carry_flags", _always(None))
_bug(
    "equal spellings are written again",
    "statemachine.carry:Carry._nothing",
    lambda right: lambda self, d: self._give_advoware(d) if d.tie.item and d.tie.rows else right(self, d),
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
