"""What stops an entry or a whole Beteiligte: second looks, the fuse, conflicts, an emptied side (§5, §7, §9).

Called by plan for every entry before anything is carried out. It answers with a reason, or lets pass.
"""

from __future__ import annotations

from statemachine import decide, guard
from statemachine.case import Conflict, ConflictKind, Fuse, Hold, Notice, Vanished
from statemachine.decide import Action
from statemachine.diff import Change, Difference
from statemachine.draft import Draft, change_on
from statemachine.model import Link, Side
from statemachine.pairing import Tie
from statemachine.rules import Direction

_WRITTEN = {Direction.TO_ESPOCRM: Side.ESPOCRM, Direction.TO_ADVOWARE: Side.ADVOWARE}


class Holds:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._s = draft.s
        self._give_back: set[Side] = set()

    # --- one entry ----------------------------------------------------------------------------------------------

    def action(self, d: Difference) -> Action:
        """The row of the decision table, with conflicts decided where somebody (or the policy) has."""
        action = decide.decide(d.advoware, d.espocrm, equal(self._draft, d.tie), self._s.rules.direction)
        if action in (Action.EDIT_EDIT, Action.EDIT_DELETE):
            return self._conflict(d, action)
        return action

    def reason(self, d: Difference, action: Action) -> str | None:
        """Why nothing is done about this entry just now; None: go on."""
        if action is Action.PENDING:
            self._wait_for_second_look(d)
            return "pending"
        if action in (Action.EDIT_EDIT, Action.EDIT_DELETE):
            return "conflict"
        return "fuse" if self._fused(d, action) else None

    def instead(self, d: Difference, action: Action) -> Action:
        """A rejected deletion, and the losing side of an emptied one, is written back and the link lives on."""
        for side, back in ((Side.ESPOCRM, Action.ADD_TO_ESPOCRM), (Side.ADVOWARE, Action.CREATE_IN_ADVOWARE)):
            if d.tie.link is None or not (self._rejected(d.tie.link, side) or side in self._give_back):
                continue
            if change_on(d, side) is Change.GONE and change_on(d, side.other) is not Change.GONE:
                return back
            if (change_on(d, side), side) == (Change.CHANGED, Side.ESPOCRM) and side not in self._give_back:
                return Action.GIVE_ESPOCRM
        return action

    def _conflict(self, d: Difference, action: Action) -> Action:
        conflict = self._known(_conflict_of(d, ConflictKind(action.value), self._s.now))
        verdict = decide.verdict_of(conflict, self._s.rules.conflict_policy, self._s.case.decisions)
        if verdict is None:
            self._draft.conflicts.append(conflict)
            self._draft.notices.append(
                Notice(f"conflict:{conflict.link_key}", "conflict", conflict.kind.value)
            )
            return action
        self._draft.decided.append((verdict, "done"))
        return decide.decided(d.advoware, d.espocrm, verdict.keep)

    def _wait_for_second_look(self, d: Difference) -> None:
        for pending in self._draft.diff.pending:
            if pending.link_key == d.tie.agreed.key:
                self._count(d, pending.side)
                if change_on(d, pending.side) is Change.MISSING:
                    self._draft.again.append(pending.since + self._s.rules.deletion_confirm)

    # --- the fuse -----------------------------------------------------------------------------------------------

    def _fused(self, d: Difference, action: Action) -> bool:
        held = False
        for side in Side:
            vanished = change_on(d, side) is Change.GONE and action not in (Action.DROP, Action.NOTHING)
            swept = self._s.case.fuse_of(side) is Fuse.EVERYTHING and change_on(d, side) in (
                Change.CHANGED,
                Change.NEW,
                Change.GONE,
            )
            if d.tie.link is None:
                held = held or (swept and change_on(d, side.other) is Change.NONE)
            elif vanished or swept:
                self._count(d, side)
                held = held or self._fuse_holds(d.tie.link, side)
        return held

    def _count(self, d: Difference, side: Side) -> None:
        link = d.tie.agreed
        mark = self._vanished(link, side) or Vanished(
            link.key, side, self._s.canonical(link.value, link.kind), since=self._s.now
        )
        if mark not in self._draft.vanished:
            self._draft.vanished.append(mark)

    def _vanished(self, link: Link, side: Side) -> Vanished | None:
        wanted = (link.key, side, self._s.canonical(link.value, link.kind))
        return next((v for v in self._s.case.vanished if (v.link_key, v.side, v.base_value) == wanted), None)

    def _fuse_holds(self, link: Link, side: Side) -> bool:
        mark = self._vanished(link, side)
        decided = mark is not None and mark.hold in (Hold.APPROVED, Hold.REJECTED)
        return not decided and self._s.case.fuse_of(side) is not Fuse.INTACT

    def _rejected(self, link: Link, side: Side) -> bool:
        mark = self._vanished(link, side)
        return mark is not None and mark.hold is Hold.REJECTED

    # --- the Beteiligte as a whole ------------------------------------------------------------------------------

    def whole(self) -> bool:
        """Whether nothing at all may be written before a human has answered."""
        emptied = [self._emptied(side) for side in Side]
        return self._pair_changed() or any(emptied)

    def _pair_changed(self) -> bool:
        if self._s.case.previous is None:
            return False
        bet_nr = str(self._s.advoware.bet_nr)
        return (
            self._ask(Conflict(0, ConflictKind.BETNR_CHANGED, None, None, None, bet_nr, self._s.now)) is None
        )

    def _emptied(self, side: Side) -> bool:
        """Once asked, it stays asked until none of its entries is gone any more or somebody decided (§9)."""
        gone = [d for d in self._draft.diff.differences if d.tie.link and change_on(d, side) is Change.GONE]
        lost = [d for d in gone if change_on(d, side.other) is not Change.GONE]
        if not lost or self._s.rules.empty_side != "hold" or _WRITTEN.get(self._s.rules.direction) is side:
            return False
        asked = any(c.kind is ConflictKind.SIDE_EMPTIED and c.emptied is side for c in self._s.case.conflicts)
        if not asked and not guard.emptied(len(self._draft.base.links), self._entries_on(side)):
            return False
        for d in lost:
            self._count(d, side)
        keep = self._ask(Conflict(0, ConflictKind.SIDE_EMPTIED, None, None, None, None, self._s.now, side))
        if keep is not None and keep != side.value:
            self._give_back.add(side)
        return keep is None

    def _entries_on(self, side: Side) -> int:
        if side is Side.ADVOWARE:
            return len(self._draft.diff.rows.relevant)
        return len(self._s.espocrm.emails) + len(self._s.espocrm.phones)

    def _ask(self, conflict: Conflict) -> str | None:
        """What a human decided to keep; None while he has not."""
        conflict = self._known(conflict)
        verdict = decide.verdict_of(conflict, self._s.rules.conflict_policy, self._s.case.decisions)
        if verdict is not None:
            self._draft.decided.append((verdict, "done"))
            return verdict.keep.value
        self._draft.conflicts.append(conflict)
        if all(fuse is Fuse.INTACT for _, fuse in self._s.case.fuse):
            self._draft.notices.append(Notice(f"conflict:{conflict.kind}", "conflict", conflict.kind.value))
        return None

    def _known(self, conflict: Conflict) -> Conflict:
        return next((c for c in self._s.case.conflicts if decide.same_conflict(c, conflict)), conflict)


def equal(draft: Draft, tie: Tie) -> bool:
    """Both sides show the same canonical value now."""
    if tie.item is None or not tie.rows:
        return False
    shown = draft.of_item(tie.item)
    return all(row.canonical == shown for row in tie.rows)


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
