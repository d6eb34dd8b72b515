"""What stops an entry or a whole Beteiligte: second looks, the fuse, conflicts, an emptied side (§5, §7, §9).

Called by plan for every entry before anything is carried out. It answers with a reason, or lets pass.
"""

from __future__ import annotations

from statemachine import decide, guard
from statemachine.case import Conflict, ConflictKind, Keep, Pending
from statemachine.decide import Action
from statemachine.diff import Change, Difference
from statemachine.draft import Draft, change_on, equal
from statemachine.fuse import Fuses
from statemachine.model import Side
from statemachine.situation import Value
from statemachine.verdicts import Verdicts

#: How a side gets back what vanished there, and by which action.
_BACK = {Side.ESPOCRM: Action.ADD_TO_ESPOCRM, Side.ADVOWARE: Action.CREATE_IN_ADVOWARE}


class Holds:
    def __init__(self, draft: Draft, verdicts: Verdicts) -> None:
        self._draft = draft
        self._s = draft.s
        self._verdicts = verdicts
        self._fuses = Fuses(draft)
        self._of_old_pair: set[Value] = set()

    # --- one entry ----------------------------------------------------------------------------------------------

    def action(self, d: Difference) -> Action:
        """The row of the decision table, with conflicts decided where somebody (or the policy) has."""
        if self._came_from_old_pair(d):
            return Action.REMOVE_FROM_ESPOCRM
        action = decide.decide(d.advoware, d.espocrm, equal(self._draft, d.tie), self._s.rules.direction)
        if action is Action.PENDING:
            return action
        instead = self._instead(d, action)
        if instead in (Action.EDIT_EDIT, Action.EDIT_DELETE):
            return self._verdicts.on_entry(d, action)
        return instead

    def reason(self, d: Difference, action: Action) -> str | None:
        """Why nothing is done about this entry just now; None: go on."""
        if action is Action.PENDING:
            self._wait_for_second_look(d)
            return "pending"
        if action in (Action.EDIT_EDIT, Action.EDIT_DELETE):
            return "conflict"
        if action is Action.REMOVE_FROM_ESPOCRM and not self._s.rules.may_write(Side.ESPOCRM):
            return "extra"  # of the old Beteiligte (§7): not to be removed here, and nothing for the new one
        return self._fuses.holds(d, action)

    def _instead(self, d: Difference, action: Action) -> Action:
        """A rejected deletion is written back and the link lives on (§9)."""
        for side in Side:
            if d.tie.link is None or not self._s.rules.may_write(side):
                continue
            if not self._fuses.rejected(d.tie.link, side):
                continue
            if change_on(d, side) is Change.GONE:
                return action if change_on(d, side.other) is Change.GONE else _BACK[side]
            if side is Side.ESPOCRM and self._is_set_back(d):
                return Action.GIVE_ESPOCRM
        return action

    def _is_set_back(self, d: Difference) -> bool:
        """An edit of a restored EspoCRM: its old value does not win over what staff entered in Advoware since (§7)."""
        swept = d.espocrm is Change.CHANGED and d.advoware in (Change.SAME, Change.CHANGED)
        return swept and self._fuses.reverted(d.tie.agreed, Side.ESPOCRM)

    def _wait_for_second_look(self, d: Difference) -> None:
        for pending in self._draft.diff.pending:
            if pending.link_key == d.tie.agreed.key:
                self._wait_for(d, pending)

    def _wait_for(self, d: Difference, pending: Pending) -> None:
        if self._s.rules.may_write(pending.side.other):  # else nothing can follow from it
            self._fuses.mark(d.tie.agreed, pending.side)
        if change_on(d, pending.side) is Change.MISSING:
            self._draft.again.append(pending.since + self._s.rules.deletion_confirm)

    # --- the Beteiligte as a whole ------------------------------------------------------------------------------

    def whole(self) -> bool:
        """Whether nothing at all may be written before a human has answered."""
        emptied = [self._emptied(side) for side in Side]
        return self._pair_changed() or any(emptied)

    def wait(self) -> None:
        """Nothing is done about any entry in this round; what was decided about them is not forgotten."""
        for d in self._draft.diff.differences:
            self._draft.note(d, Action.NOTHING, "waits")
        self._fuses.keep_marks()

    def _pair_changed(self) -> bool:
        """Another betnr (§7). Keeping Advoware's state takes out what came from the old Beteiligte."""
        previous = self._s.case.previous
        if previous is None:
            return False
        bet_nr = str(self._s.advoware.bet_nr)
        conflict = Conflict(0, ConflictKind.BETNR_CHANGED, None, None, None, bet_nr, self._s.now)
        keep = self._verdicts.on_whole(conflict)
        if keep is Keep.ADVOWARE:
            self._of_old_pair = {
                (link.kind, self._s.canonical(link.value, link.kind)) for link in previous.links
            }
        return keep is None

    def _came_from_old_pair(self, d: Difference) -> bool:
        item = d.tie.item
        if item is None or d.tie.link is not None or d.tie.rows:
            return False
        return (item.kind, self._draft.of_item(item)) in self._of_old_pair

    def _emptied(self, side: Side) -> bool:
        """Once asked, it stays asked until none of its entries is gone any more or somebody decided (§9); of what he
        decided to keep nobody is asked again."""
        asked = any(c.kind is ConflictKind.SIDE_EMPTIED and c.emptied is side for c in self._s.case.conflicts)
        lost = self._lost(side, asked)
        if not lost or self._s.rules.empty_side != "hold" or not self._s.rules.may_write(side.other):
            return False
        if not asked and not guard.emptied(len(self._draft.base.links), self._entries_on(side)):
            return False
        conflict = Conflict(0, ConflictKind.SIDE_EMPTIED, None, None, None, None, self._s.now, side)
        if not self._verdicts.has_been_decided(conflict) and self._is_answered(lost, side):
            return False
        if not asked and self._waits_for_the_rest(side):
            return True
        keep = self._verdicts.on_whole(conflict)
        gives_back = keep is not None and keep.value != side.value
        for d in lost:
            if gives_back and not self._verdicts.entry_has_been_decided(d):
                self._fuses.reject(d.tie.agreed, side)
            else:
                self._fuses.mark(d.tie.agreed, side)
        return keep is None

    def _lost(self, side: Side, asked: bool) -> list[Difference]:
        """Linked entries that are gone there and not on the other side. What was asked about and is missing in one look
        counts: an edit there, or our own writing back, has only begun the looks anew."""
        gone = {Change.GONE, Change.MISSING} if asked else {Change.GONE}
        absent = (d for d in self._draft.diff.differences if d.tie.link and change_on(d, side) in gone)
        return [d for d in absent if change_on(d, side.other) is not Change.GONE]

    def _is_answered(self, lost: list[Difference], side: Side) -> bool:
        """Each of them was approved, or each rejected, when the list of held deletions was decided about."""
        of, links = self._fuses, [d.tie.agreed for d in lost]
        return all(of.rejected(x, side) for x in links) or all(of.approved(x, side) for x in links)

    def _waits_for_the_rest(self, side: Side) -> bool:
        """That a side is empty must have been seen twice as well, of every entry; until then nothing follows."""
        missing = [
            pending.since
            for pending in self._draft.diff.pending
            if pending.side is side
            for d in self._draft.diff.differences
            if d.tie.key == pending.link_key and change_on(d, side) is Change.MISSING
        ]
        self._draft.again.extend(since + self._s.rules.deletion_confirm for since in missing)
        return bool(missing)

    def _entries_on(self, side: Side) -> int:
        if side is Side.ADVOWARE:
            return len(self._draft.diff.rows.relevant)
        return len(self._s.espocrm.emails) + len(self._s.espocrm.phones)
