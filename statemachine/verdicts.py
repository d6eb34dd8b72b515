"""Conflicts and who decides them: an operator, the policy, or nobody yet (sync rules §5, §7, §9).

Called by holds and plan. A decision is *followed* when nothing holds its entry back any more; until then its conflict
stays open and the decision waits with it. One that was made for other values is void.
"""

from __future__ import annotations

import hashlib

from statemachine import decide, looks
from statemachine.case import Conflict, ConflictKind, Decision, Fuse, Keep, Notice, Variant, Write
from statemachine.decide import Action
from statemachine.diff import Difference
from statemachine.draft import PASSING, Draft, Entry
from statemachine.model import Base, Side
from statemachine.rules import Direction
from statemachine.situation import Situation

#: What follows for linked entries from a decision about an emptied side: the other one is emptied as well, or all is
#: written back.
_EMPTIES_OR_GIVES_BACK = (Variant.VAR1, Variant.VAR2, Variant.VAR3, Variant.VAR4, Variant.RESTORE)


class Verdicts:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._s = draft.s
        self._on_entries: dict[str, Decision] = {}
        self._on_whole: list[Decision] = []

    def on_entry(self, d: Difference, action: Action) -> Action:
        """What a conflict of one entry becomes; ``action`` itself while it waits for a human."""
        conflict = self._known(_conflict_of(d, ConflictKind(action.value), self._s.now))
        verdict = decide.verdict_of(conflict, self._s.rules.conflict_policy, self._s.case.decisions)
        if verdict is None:
            self._draft.conflicts.append(conflict)
            self._draft.notices.append(_notice(conflict))
            return action
        self._on_entries[d.tie.agreed.key] = verdict
        return decide.decided(d.advoware, d.espocrm, verdict.keep)

    def entry_has_been_decided(self, d: Difference) -> bool:
        """By a human, for the values that are there now: his word on one entry counts more than on the whole side."""
        return self.has_been_decided(_conflict_of(d, ConflictKind.EDIT_DELETE, self._s.now))

    def has_been_decided(self, conflict: Conflict) -> bool:
        """By a human, and his decision waits to be followed."""
        return any(
            decide.same_conflict(one.conflict, conflict) and one.by != decide.POLICY
            for one in self._s.case.decisions
        )

    def on_whole(self, conflict: Conflict) -> Keep | None:
        """What a human decided about an emptied side or a changed pair; None while he has not."""
        conflict = self._known(conflict)
        verdict = decide.verdict_of(conflict, self._s.rules.conflict_policy, self._s.case.decisions)
        if verdict is not None:
            self._on_whole.append(verdict)
            return verdict.keep
        self._draft.conflicts.append(conflict)
        if all(fuse is Fuse.INTACT for _, fuse in self._s.case.fuse):
            self._draft.notices.append(_notice(conflict))
        return None

    def wait(self) -> None:
        """Nothing was asked in this round: all questions stay open, and what was decided waits with them (§9)."""
        intact = all(fuse is Fuse.INTACT for _, fuse in self._s.case.fuse)
        for conflict in self._s.case.conflicts:
            self._draft.conflicts.append(conflict)
            if intact or conflict.link_key is not None:
                self._draft.notices.append(_notice(conflict))

    def close(self) -> None:
        """After all entries: what was followed, what waits, what is void."""
        held = {e.tie.link.key for e in self._draft.entries if e.tie.link and e.problem is not None}
        for key, verdict in self._on_entries.items():
            self._end(verdict, key in held)
        for verdict in self._on_whole:
            problems = {e.problem for e in self._draft.entries if _touched(e, verdict.conflict)} - {None}
            # were it over, what was not emptied would be asked about again, and what was not removed would go to the
            # new Beteiligte; what was to be given back is marked
            emptied = verdict.conflict.emptied
            gives_back = emptied is not None and verdict.keep.value != emptied
            self._end(verdict, bool(problems & PASSING if gives_back else problems))
        self._keep_asking()
        for decision in self._left_over():
            if self._carried_out(decision):
                self._draft.carried_out.append(decision)
            elif decision.by != decide.POLICY and not self._s.settled >= looks.WHOLE:
                # its values are not there in one look, which may be an older answer (§8)
                self._stands(decision)
                self._draft.again.append(self._s.now + self._s.rules.settle)
            else:
                self._draft.void.append(decision)
        for decision in self._s.case.decisions:
            if decision.by != decide.POLICY and self._waits(decision):
                self._stands(decision)

    def _stands(self, decision: Decision) -> None:
        known = self._known(decision.conflict)
        if known not in self._draft.conflicts:
            self._draft.conflicts.append(known)

    def _waits(self, decision: Decision) -> bool:
        """With its entry, which nothing can be said about just now."""
        used = [*self._draft.decided, *self._on_entries.values(), *self._on_whole]
        waiting = {e.tie.link.key for e in self._draft.entries if e.tie.link and e.problem in PASSING}
        return decision not in used and decision.conflict.link_key in waiting

    def _end(self, verdict: Decision, waits: bool) -> None:
        if not waits:
            self._draft.decided.append(verdict)
        elif verdict in self._s.case.decisions and verdict.by != decide.POLICY:
            self._draft.conflicts.append(self._known(verdict.conflict))

    def _keep_asking(self) -> None:
        """An entry that waits for a second look keeps its question: the first look may have been a torn one (§8)."""
        waiting = {e.tie.link.key for e in self._draft.entries if e.tie.link and e.problem == "pending"}
        for conflict in self._s.case.conflicts:
            if conflict.link_key in waiting:
                self._draft.conflicts.append(conflict)
                self._draft.notices.append(_notice(conflict))

    def _carried_out(self, decision: Decision) -> bool:
        """An earlier run did it and could not say so any more (a crash, an outage), whatever was done since."""
        conflict = decision.conflict
        if conflict.emptied is None and conflict.link_key is None:
            return False
        if conflict.emptied is None and decision.keep is Keep.BOTH:
            return self._are_both_agreed(conflict)
        if any(_overwrote(write, decision) for write in self._s.case.writes):
            return True
        wanted = conflict.espocrm if decision.keep is Keep.ESPOCRM else conflict.advoware
        return wanted is not None and any(
            self._s.canonical(link.value, link.kind) == self._s.canonical(wanted, link.kind)
            for link in self._draft.base.links
            if link.key == conflict.link_key
        )

    def _are_both_agreed(self, conflict: Conflict) -> bool:
        """The old link is dissolved; each value has one of its own now."""
        of, links = self._s.canonical, self._draft.base.links
        values = [value for value in (conflict.espocrm, conflict.advoware) if value is not None]
        return all(
            any(of(value, link.kind) == of(link.value, link.kind) for link in links) for value in values
        )

    def _left_over(self) -> list[Decision]:
        """Decisions whose conflict is no longer there."""
        used = [*self._draft.decided, *self._on_entries.values(), *self._on_whole]
        waiting = {e.tie.link.key for e in self._draft.entries if e.tie.link and e.problem in PASSING}
        whole = any(e.problem == "waits" for e in self._draft.entries)
        return [
            d
            for d in self._s.case.decisions
            if d not in used and not whole and d.conflict.link_key not in waiting
        ]

    def _known(self, conflict: Conflict) -> Conflict:
        return next((c for c in self._s.case.conflicts if decide.same_conflict(c, conflict)), conflict)


def _notice(conflict: Conflict) -> Notice:
    """Other values are another cause: whoever has completed the Task too early gets a new one."""
    about = str(conflict.kind)
    if conflict.link_key is not None:
        values = repr((conflict.kind, conflict.base, conflict.espocrm, conflict.advoware))
        about = f"{conflict.link_key}:{hashlib.sha256(values.encode()).hexdigest()[:8]}"
    return Notice(f"conflict:{about}", "conflict", conflict.kind.value)


def dissolving(situation: Situation, base: Base) -> dict[str, Decision]:
    """By link: decisions to keep ``both`` halves of an edit_edit, while both values are still there (§5). Taken before
    anything is paired, so that a crash in the middle finds neither half gone."""
    if situation.rules.direction is not Direction.BOTH:
        return {}
    rows = {row.id: row.tlf for row in situation.advoware.rows}
    both = {
        d.conflict.link_key: d
        for d in situation.case.decisions
        if d.keep is Keep.BOTH and d.conflict.kind is ConflictKind.EDIT_EDIT
    }
    return {
        link.key: both[link.key]
        for link in base.links
        if link.key in both
        and both[link.key].conflict.advoware in {rows.get(row.id) for row in link.rows}
        and any(both[link.key].conflict.espocrm == item.value for item in situation.espocrm.items(link.kind))
    }


def _overwrote(write: Write, decision: Decision) -> bool:
    """A write that took away what lost, or may have, as its answer never came."""
    conflict, emptied = decision.conflict, decision.conflict.emptied
    side, lost = Side.ESPOCRM, conflict.espocrm
    if decision.keep is Keep.ESPOCRM:
        side, lost = Side.ADVOWARE, conflict.advoware
    if emptied is not None:
        side = emptied.other if decision.keep.value == emptied.value else emptied
    if write.side is not side or write.at < decision.at or not write.may_have_come:
        return False
    if emptied is not None:
        return write.link_key is not None and write.variant in _EMPTIES_OR_GIVES_BACK
    return write.before is not None and (write.link_key, write.before.value) == (conflict.link_key, lost)


def _touched(entry: Entry, conflict: Conflict) -> bool:
    if conflict.emptied is None:
        return entry.action is Action.REMOVE_FROM_ESPOCRM
    change = entry.espocrm if conflict.emptied is Side.ESPOCRM else entry.advoware
    return entry.tie.link is not None and change is not change.SAME


def _conflict_of(d: Difference, kind: ConflictKind, now: float) -> Conflict:
    link, tie = d.tie.agreed, d.tie
    return Conflict(
        0,
        kind,
        link.key,
        link.value,
        tie.item.value if tie.item else None,
        tie.rows[0].now.tlf if tie.rows else None,
        now,
    )
