"""The mass-deletion fuse as one entry meets it: what counts, what is held, what was approved (sync rules §9).

Called by holds and carry. Counting and blowing are the store's; here a deletion is only named and let through or not.
"""

from __future__ import annotations

from statemachine.case import Fuse, Hold, Vanished
from statemachine.decide import Action
from statemachine.diff import Change, Difference
from statemachine.draft import Draft, change_on
from statemachine.model import Link, Side

#: What carries a deletion out, by the side from which the entry vanished.
_DELETES = {Side.ESPOCRM: Action.EMPTY_ADVOWARE, Side.ADVOWARE: Action.REMOVE_FROM_ESPOCRM}


class Fuses:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._case = draft.s.case

    def holds(self, d: Difference, action: Action) -> bool:
        """Whether this entry must wait for the operator; names what vanished on the way."""
        held = [self._held_by(d, action, side) for side in Side]
        return any(held)

    def mark(self, link: Link, side: Side) -> None:
        """Name a vanished entry, keeping what is already known of it."""
        self.name(
            Vanished(link.key, side, self._draft.s.canonical(link.value, link.kind), since=self._draft.s.now)
        )

    def name(self, found: Vanished) -> None:
        mark = self.known(found) or found
        if mark not in self._draft.vanished:
            self._draft.vanished.append(mark)

    def rejected(self, link: Link, side: Side) -> bool:
        mark = self._of(link, side)
        return mark is not None and mark.hold is Hold.REJECTED

    def stops(self, mark: Vanished | None, side: Side) -> bool:
        """An approved deletion passes, a rejected one never does."""
        if mark is not None and mark.hold in (Hold.APPROVED, Hold.REJECTED):
            return mark.hold is Hold.REJECTED
        return self._case.fuse_of(side) is not Fuse.INTACT

    def known(self, mark: Vanished) -> Vanished | None:
        wanted = (mark.link_key, mark.side, mark.base_value)
        return next((v for v in self._case.vanished if (v.link_key, v.side, v.base_value) == wanted), None)

    def _held_by(self, d: Difference, action: Action, side: Side) -> bool:
        deletes = action is _DELETES[side]
        swept = self._swept(d, side)
        if d.tie.link is None:
            return swept and change_on(d, side.other) is Change.NONE
        rejected = self.rejected(d.tie.link, side)
        if deletes or swept or (rejected and change_on(d, side) is not Change.SAME):
            self.mark(d.tie.link, side)
        if swept and rejected:
            return False
        return (deletes or swept) and self.stops(self._of(d.tie.link, side), side)

    def _swept(self, d: Difference, side: Side) -> bool:
        """A restored EspoCRM: the fuse holds edits too (§7)."""
        moved = (Change.CHANGED, Change.NEW, Change.GONE)
        return self._case.fuse_of(side) is Fuse.EVERYTHING and change_on(d, side) in moved

    def _of(self, link: Link, side: Side) -> Vanished | None:
        return self.known(Vanished(link.key, side, self._draft.s.canonical(link.value, link.kind)))
