"""The mass-deletion fuse as one entry meets it: what counts, what is held, what was approved (sync rules §9).

Called by holds and carry. Counting and blowing are the store's; here a deletion is only named and let through or not.
"""

from __future__ import annotations

from dataclasses import replace

from statemachine.case import REJECTED, Fuse, Hold, Vanished
from statemachine.decide import Action
from statemachine.diff import Change, Difference
from statemachine.draft import Draft, change_on
from statemachine.model import Link, Side

#: What carries a deletion out, by the side from which the entry vanished.
_DELETES = {Side.ESPOCRM: Action.EMPTY_ADVOWARE, Side.ADVOWARE: Action.REMOVE_FROM_ESPOCRM}


#: How the key of an entry begins that exists only on the written side and has no link (§12).
EXTRA = "extra:"


class Fuses:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._case = draft.s.case

    def holds(self, d: Difference, action: Action) -> str | None:
        """Why this entry is not deleted: ``fuse`` waits for the operator, ``kept`` had his answer but may not be
        written back. Names what vanished on the way."""
        held = [self._held_by(d, action, side) for side in Side]
        if not any(held):
            return None
        kept = d.tie.link is not None and any(
            self.rejected(d.tie.link, side) and not self._swept(d, side) for side in Side
        )
        return "kept" if kept else "fuse"

    def mark(self, link: Link, side: Side) -> None:
        """Name a vanished entry, keeping what is already known of it."""
        self.name(self._vanished(link, side))

    def reject(self, link: Link, side: Side) -> None:
        """Name a vanished entry that is not to be deleted, whatever becomes of the decision that said so."""
        vanished = replace(self._of(link, side) or self._vanished(link, side), hold=Hold.REJECTED)
        self._draft.vanished = [one for one in self._draft.vanished if _what(one) != _what(vanished)]
        self._draft.vanished.append(vanished)

    def keep_marks(self) -> None:
        """While nothing is done: what is known of entries that are still not to be seen, and of those that are no part
        of the mirror (§12)."""
        links = {d.tie.link.key: d for d in self._draft.diff.differences if d.tie.link is not None}
        for mark in self._case.vanished:
            d = links.get(mark.link_key)
            is_gone = d is not None and change_on(d, mark.side) is not Change.SAME
            if is_gone or mark.link_key.startswith(EXTRA):
                self.name(mark)

    def name(self, found: Vanished) -> None:
        mark = self.known(found) or found
        if mark not in self._draft.vanished:
            self._draft.vanished.append(mark)

    def rejected(self, link: Link, side: Side) -> bool:
        mark = self._of(link, side)
        return mark is not None and mark.hold in REJECTED

    def reverted(self, link: Link, side: Side) -> bool:
        """Rejected, and so is an edit (§7)."""
        mark = self._of(link, side)
        return mark is not None and mark.hold is Hold.REVERTED

    def approved(self, link: Link, side: Side) -> bool:
        mark = self._of(link, side)
        return mark is not None and mark.hold is Hold.APPROVED

    def stops(self, mark: Vanished | None, side: Side) -> bool:
        """An approved deletion passes, a rejected one never does."""
        if mark is not None and mark.hold in (Hold.APPROVED, *REJECTED):
            return mark.hold in REJECTED
        return self._case.fuse_of(side) is not Fuse.INTACT

    def known(self, mark: Vanished) -> Vanished | None:
        """The mark of this round, else the one of the last."""
        marks = (*self._draft.vanished, *self._case.vanished)
        return next((one for one in marks if _what(one) == _what(mark)), None)

    def _held_by(self, d: Difference, action: Action, side: Side) -> bool:
        deletes = action is _DELETES[side]
        swept = self._swept(d, side)
        if d.tie.link is None:
            return swept and change_on(d, side.other) is Change.NONE
        rejected = self.rejected(d.tie.link, side)
        if deletes or swept or (rejected and change_on(d, side) is not Change.SAME):
            self.mark(d.tie.link, side)
        # that a deletion was rejected says nothing of another value, which is there since
        if swept and rejected and (change_on(d, side) is Change.GONE or self.reverted(d.tie.link, side)):
            return False
        return (deletes or swept) and self.stops(self._of(d.tie.link, side), side)

    def _swept(self, d: Difference, side: Side) -> bool:
        """A restored EspoCRM: the fuse holds edits too (§7)."""
        moved = (Change.CHANGED, Change.NEW, Change.GONE)
        return self._case.fuse_of(side) is Fuse.EVERYTHING and change_on(d, side) in moved

    def _of(self, link: Link, side: Side) -> Vanished | None:
        return self.known(self._vanished(link, side))

    def _vanished(self, link: Link, side: Side) -> Vanished:
        value = self._draft.s.canonical(link.value, link.kind)
        return Vanished(link.key, side, value, since=self._draft.s.now)


def _what(mark: Vanished) -> tuple[str, Side, str]:
    return (mark.link_key, mark.side, mark.base_value)
