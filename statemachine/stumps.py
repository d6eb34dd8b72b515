"""What an answer left of a value that Advoware cut off, where we died before it was taken back (sync rules §6).

Called by plan before anything else: nothing is derived from a stump, so it is written over with what was there before,
alone, and the next round sees the row as it was.
"""

from __future__ import annotations

from statemachine import effects
from statemachine.case import Outcome, Variant, Write
from statemachine.draft import Draft
from statemachine.model import Side
from statemachine.rows import Row


def take_back(draft: Draft) -> bool:
    """Plan to write back what stood in each row that shows a stump; True: nothing else is planned in this round."""
    stumps = [(row, write) for row in draft.diff.rows.relevant if (write := _cut_off(draft, row)) is not None]
    if not draft.s.rules.may_write(Side.ADVOWARE):
        return False
    for row, write in stumps:
        if write.before is None or not write.before.value:
            draft.rows.empty(row, Variant.RESTORE, write.link_key)
        else:
            draft.rows.put_back(row, write.before, write.link_key)
    return bool(stumps)


def _cut_off(draft: Draft, row: Row) -> Write | None:
    """The last write that reached this row, if the row shows just what its answer had left of the value; where that is
    what stood there before, nothing was cut off, and the write has not been taken (§8)."""
    writes = (w for w in draft.s.case.writes if w.side is Side.ADVOWARE and w.advoware_id == row.id)
    last = next((w for w in reversed([*writes]) if w.outcome is Outcome.DONE), None)
    if last is None or last.after is None or last.settled or last.variant is Variant.RESTORE:
        return None
    if last.before is not None and last.before.value == row.now.tlf:
        return None
    shows = (row.now.tlf, row.now.bemerkung) == (last.after.value, last.after.bemerkung)
    return last if shows and effects.answered_otherwise(last, last.after, draft.s) else None
