"""Entries that exist only on the written side of one direction (sync rules §12, [extras]).

Called by carry. Kept, or removed like any deletion: after a second look, and by the fuse (§9).
"""

from __future__ import annotations

from statemachine.admission import Admission
from statemachine.case import Vanished, Variant
from statemachine.diff import Difference
from statemachine.draft import Draft
from statemachine.fuse import EXTRA, Fuses
from statemachine.model import Side
from statemachine.rules import Extras


class ExtraEntries:
    def __init__(self, draft: Draft, admission: Admission) -> None:
        self._draft = draft
        self._s = draft.s
        self._admission = admission
        self._fuses = Fuses(draft)

    def out(self, d: Difference) -> str | None:
        """An entry that exists only on the written side: kept, or removed by §9 when it is to be a mirror."""
        if self._s.rules.extras is Extras.KEEP or self._draft.base.first:
            return "extra"
        source = Side.ADVOWARE if d.tie.item else Side.ESPOCRM
        value = self._draft.of_item(d.tie.item) if d.tie.item else d.tie.rows[0].canonical
        key = f"{EXTRA}{d.tie.kind}:{value}"
        first, confirmed = self._s.second_look(key, source)
        self._draft.pending.append(first)
        self._fuses.name(Vanished(key, source, value, since=self._s.now))
        if not confirmed:
            self._draft.again.append(first.since + self._s.rules.deletion_confirm)
            return "pending"
        return self._remove(d, key, source, value)

    def _remove(self, d: Difference, key: str, source: Side, value: str) -> str | None:
        if self._fuses.stops(self._fuses.known(Vanished(key, source, value)), source):
            return "fuse"
        if d.tie.item is not None:
            if problem := self._admission.blocked(d.tie.kind):
                return problem
            self._draft.items[d.tie.kind].remove(d.tie.item, Variant.VAR3, key, source)
        for row in d.tie.rows:
            if problem := self._admission.empty(row, Variant.VAR2, key, source):
                return problem
        return None
