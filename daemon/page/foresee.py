"""What would be written, shown before anybody decides.

Used by the views. Live, it is the plan of the core made from a fresh look at both sides (:mod:`daemon.admin.foresight`,
as for ``kommsync plan``), with the decision put into the case file; nothing is written. Where a side cannot be read, or
for hundreds at once, the stored conflict itself tells what its decision means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import anyio

from daemon.admin import foresight
from daemon.admin.foresight import Foresight, Seer
from daemon.app import App
from daemon.ports import Person
from daemon.store.inbox import Waiting
from statemachine import plan
from statemachine.case import Conflict, ConflictKind, Decision, Keep
from statemachine.decide import same_conflict
from statemachine.errors import KommsyncError
from statemachine.model import Kind, Side
from statemachine.plan import Plan
from statemachine.situation import Situation

#: Longer than that nobody waits for a page.
_PATIENCE_SECONDS = 10.0
#: Beyond that nobody reads on, and both systems would be asked for everybody.
_MOST_LIVE = 10


@dataclass(frozen=True, slots=True)
class Stroke:
    """One thing that is written. ``before`` None: it is created; ``after`` None: it is emptied or removed. Both alike:
    only what hangs on the value changes (its type, primary, the marker)."""

    side: Side
    before: str | None
    after: str | None
    kind: Kind | None = None

    @property
    def is_small(self) -> bool:
        return self.before == self.after


@dataclass(frozen=True, slots=True)
class Foreseen:
    """``live``: both sides were read for it. ``trouble``: why they could not be; then ``strokes`` are what the stored
    values tell. ``gone``: the values have changed, a decision would be void."""

    strokes: tuple[Stroke, ...] = ()
    live: bool = False
    trouble: str | None = None
    gone: bool = False


async def decisions(app: App, chosen: Sequence[Waiting], keep: Keep) -> list[Foreseen]:
    """One per conflict, in their order."""
    told = [Foreseen(tuple(_told(one.open.conflict, keep))) for one in chosen]
    if len(chosen) > _MOST_LIVE:
        return told

    async def one_of(place: int, waiting: Waiting) -> None:
        told[place] = await _decision(app, waiting, keep, told[place])

    async with anyio.create_task_group() as group:
        for place, waiting in enumerate(chosen):
            group.start_soon(one_of, place, waiting)
    return told


async def next_sync(app: App, person: Person) -> Foreseen:
    """What the next sync of this Beteiligte would write."""
    found = await look(app, person)
    return Foreseen(tuple(strokes(found)), found.made is not None, found.trouble)


async def look(app: App, person: Person) -> Foresight:
    """A fresh look at both sides with the plan for it, or the trouble that prevents it."""
    try:
        with anyio.fail_after(_PATIENCE_SECONDS):
            return await Seer(app.outside, app.facts.rules()).foresee(person)
    except KommsyncError as error:
        return Foresight(person, trouble=error.reason)
    except TimeoutError:
        return Foresight(person, trouble="took_too_long")


async def _decision(app: App, waiting: Waiting, keep: Keep, told: Foreseen) -> Foreseen:
    person = await app.outside.store.person(waiting.open.espocrm_id)
    if person is None:
        return Foreseen(gone=True)
    found = await look(app, person)
    if found.made is None or found.situation is None:
        return replace(told, trouble=found.trouble)
    current = [one for one in found.made.conflicts if same_conflict(one, waiting.open.conflict)]
    if not current:
        return Foreseen(live=True, gone=True)
    decided = _decided(found.situation, Decision(current[0], keep, "operator"))
    return Foreseen(tuple(strokes(replace(found, made=decided))), live=True)


def _decided(situation: Situation, decision: Decision) -> Plan:
    """The plan as if this had been decided. Who else holds a value makes no difference to what is shown here."""
    others = (one for one in situation.case.decisions if not same_conflict(one.conflict, decision.conflict))
    situation = replace(situation, case=replace(situation.case, decisions=(*others, decision)))
    made = plan.make(situation)
    nobody = {(kind, canonical): None for kind, canonical, _ in made.lookups}
    asked = situation.asked | set(made.questions)
    return plan.make(replace(situation, holders={**situation.holders, **nobody}, asked=asked))


def strokes(found: Foresight) -> Iterator[Stroke]:
    """What the plan of this look writes, in the order in which it is sent."""
    for line in foresight.writes(found):
        yield Stroke(Side(line["side"]), line["before"] or None, line["after"] or None, Kind(line["kind"]))


def _told(conflict: Conflict, keep: Keep) -> Iterator[Stroke]:
    """What a decision means, from the conflict alone (the table of §5)."""
    here, there = conflict.espocrm, conflict.advoware
    if conflict.kind not in (ConflictKind.EDIT_EDIT, ConflictKind.EDIT_DELETE):
        return
    if conflict.kind is ConflictKind.EDIT_DELETE and keep is Keep.BOTH:
        keep = Keep.ESPOCRM if there is None else Keep.ADVOWARE
    if keep is Keep.ESPOCRM:
        yield Stroke(Side.ADVOWARE, there, here)
    elif keep is Keep.ADVOWARE:
        yield Stroke(Side.ESPOCRM, here, there)
    else:
        yield Stroke(Side.ADVOWARE, None, here)
        yield Stroke(Side.ESPOCRM, None, there)
