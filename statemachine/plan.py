"""Diff + rules + decisions → what to write, what to ask, what to remember (sync rules §5-§12).

Called by ``daemon/sync.py`` before and after each round of writes, and by ``plan`` and ``explain``, which stop here.
``make`` is pure and level-triggered: it looks only at the situation, so the same call serves the first round, the
round after the Advoware writes, the last one that finds nothing left to do, and the one after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from statemachine import looks, moved, stumps, wishes
from statemachine.admission import Admission
from statemachine.advance import advance
from statemachine.carry import Carry
from statemachine.case import (
    Conflict,
    Decision,
    Notice,
    Parked,
    Pending,
    Unsyncable,
    Vanished,
)
from statemachine.commands import PutRecord, RowCommand
from statemachine.decide import Action
from statemachine.diff import Change, Difference, diff
from statemachine.draft import PASSING, UNSYNCED, Draft, Entry
from statemachine.flags import carry_flags
from statemachine.holds import Holds
from statemachine.itemplan import ItemPlan
from statemachine.model import Base, Kind
from statemachine.rebase import rebase
from statemachine.rowplan import RowPlan
from statemachine.rules import Extras
from statemachine.situation import Situation, Value
from statemachine.status import fields_with_data
from statemachine.verdicts import Verdicts, dissolving


@dataclass(frozen=True, slots=True)
class Plan:
    """``rows`` come first; ``record`` is to be sent only when ``rows`` is empty and ``lookups`` and ``questions`` are
    answered. ``look_again_at``: when something pending wants another look. ``base``: what may be remembered as
    agreed now. ``decided``: decisions that this plan follows. ``carried_out``: those that an earlier one
    did. ``void``: those made for values that are no longer there. ``not_taken``: journal ids that had no effect."""

    rows: tuple[RowCommand, ...]
    record: PutRecord | None
    entries: tuple[Entry, ...]
    base: Base
    pending: tuple[Pending, ...] = ()
    over: tuple[Pending, ...] = ()
    vanished: tuple[Vanished, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    decided: tuple[Decision, ...] = ()
    carried_out: tuple[Decision, ...] = ()
    parked: tuple[Parked, ...] = ()
    unsyncable: tuple[Unsyncable, ...] = ()
    notices: tuple[Notice, ...] = ()
    lookups: tuple[tuple[Kind, str, str], ...] = ()
    questions: tuple[Value, ...] = ()
    not_taken: tuple[int, ...] = ()
    void: tuple[Decision, ...] = ()
    wishes_done: tuple[int, ...] = ()
    look_again_at: float | None = None
    empty_slots: int = 0

    @property
    def idle(self) -> bool:
        """Nothing is left to write or to ask."""
        return not (self.rows or self.record or self.lookups or self.questions)

    @property
    def waits(self) -> bool:
        """Something was decided that could not be carried out yet."""
        return any(entry.problem in PASSING for entry in self.entries)

    @property
    def unsynced(self) -> bool:
        """Something waits that is neither a deletion waiting for its second look nor stopped by the fuse: somebody
        who keeps saving may hold it up for ever, so the lag must tell."""
        return any(entry.problem in UNSYNCED for entry in self.entries)


def make(situation: Situation) -> Plan:
    """The plan for this situation."""
    draft = _drawn_up(situation, frozenset())
    frozen = frozenset(kind for kind, items in draft.items.items() if items.changes and items.frozen())
    return _finished(_drawn_up(situation, frozen) if frozen else draft)


def _drawn_up(situation: Situation, frozen: frozenset[Kind]) -> Draft:
    draft = _draft(situation, frozen)
    verdicts = Verdicts(draft)
    holds, admission = Holds(draft, verdicts), Admission(draft)
    if stumps.take_back(draft) or wishes.carry(draft, admission):
        holds.wait()
        verdicts.wait()
    elif holds.whole():
        holds.wait()
    else:
        _entries(draft, holds)
        carry_flags(draft, admission)
    verdicts.close()
    return draft


def _draft(situation: Situation, frozen: frozenset[Kind]) -> Draft:
    rebased = rebase(situation)
    both = dissolving(situation, rebased.base)
    base = replace(rebased.base, links=tuple(x for x in rebased.base.links if x.key not in both))
    base = moved.follow(situation, base)
    difference = diff(situation, base)
    blank = {row.id: row for row in situation.advoware.rows if row.id in difference.rows.blank}
    rules = situation.rules
    rows = RowPlan(difference.rows, blank, rules, situation.case.limits)
    items = {
        kind: ItemPlan(
            kind, situation.espocrm.items(kind), rules.acceptance, rules.region, situation.canonical
        )
        for kind in Kind
    }
    draft = Draft(situation, rebased, base, difference, rows, items, frozen=frozen)
    draft.decided.extend(both.values())
    return draft


def _entries(draft: Draft, holds: Holds) -> None:
    carry = Carry(draft)
    for d in sorted(draft.diff.differences, key=_places_first):
        action = holds.action(d)
        draft.note(d, action, holds.reason(d, action) or carry.out(d, action))


def _places_first(d: Difference) -> tuple[bool, bool, int]:
    """What frees a place comes first, then linked entries, then by Advoware id (§3, the ten-item limit)."""
    return (d.advoware is not Change.GONE, d.tie.link is None, d.tie.rows[0].id if d.tie.rows else 0)


def _finished(draft: Draft) -> Plan:
    if draft.base.first and not draft.s.settled >= looks.WHOLE:
        # of what a truncated answer hides nobody would ever ask (§7)
        draft.again.append(draft.s.now + draft.s.rules.settle)
    base = advance(draft)
    if draft.base.first and not base.first and _is_to_be_a_mirror(draft):
        draft.again.append(draft.s.now + draft.s.rules.settle)
    return Plan(
        rows=draft.rows.commands(),
        record=_record(draft),
        entries=tuple(draft.entries),
        base=base,
        pending=_pending(draft, base),
        over=_over(draft, base),
        vanished=tuple(draft.vanished),
        conflicts=tuple(draft.conflicts),
        decided=tuple(draft.decided),
        carried_out=tuple(draft.carried_out),
        parked=tuple(dict.fromkeys(draft.parked)),
        unsyncable=tuple(draft.unsyncable),
        notices=tuple(dict.fromkeys(draft.notices)),
        lookups=tuple((kind, canonical, value) for (kind, canonical), value in draft.lookups.items()),
        questions=tuple(draft.questions),
        not_taken=draft.rebased.unsettled,
        wishes_done=tuple(draft.wishes_done),
        void=tuple(draft.void),
        look_again_at=min(draft.again, default=None),
        empty_slots=len(draft.diff.rows.slots),
    )


def _is_to_be_a_mirror(draft: Draft) -> bool:
    """What exists only on the written side was kept by the first sync alone; nobody else would ask for it (§12)."""
    extras = any(entry.action is Action.EXTRA and entry.problem == "extra" for entry in draft.entries)
    return extras and draft.s.rules.extras is Extras.REMOVE


def _pending(draft: Draft, base: Base) -> tuple[Pending, ...]:
    """A link that was dropped because both its sides are gone waits for nothing any more."""
    links = {link.key for link in base.links}
    return (*(one for one in draft.diff.pending if one.link_key in links), *draft.pending)


def _over(draft: Draft, base: Base) -> tuple[Pending, ...]:
    """The rest of them. The rounds of this run that follow still begin with the base of its beginning, where these
    links live: were their first looks forgotten, they would be missing anew in each run, for ever."""
    links = {link.key for link in base.links}
    return tuple(one for one in draft.diff.pending if one.link_key not in links)


def _record(draft: Draft) -> PutRecord | None:
    """One PUT with everything: the arrays that change, plus the sync fields (§8)."""
    linked = [d.tie.item for d in draft.diff.differences if d.tie.item and d.tie.link]
    emails, phones = (draft.items[kind].array(linked) for kind in (Kind.EMAIL, Kind.PHONE))
    if emails is None and phones is None:
        return None
    changes = (*draft.items[Kind.EMAIL].changes, *draft.items[Kind.PHONE].changes)
    return PutRecord(emails, phones, changes, fields_with_data(draft.s, bool(draft.conflicts)))
