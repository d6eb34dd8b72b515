"""The second row of a POST that was sent twice because its first answer never came (sync rules §8).

Called by carry. Only the journal may prove it: two attempts of the same command, one of unknown outcome, and no base
that contains both rows. Any other equal row is staff's.
"""

from __future__ import annotations

from statemachine.case import Outcome, Write
from statemachine.pairing import Tie
from statemachine.rows import Row
from statemachine.situation import Situation


def younger_double(tie: Tie, situation: Situation) -> Row | None:
    """The row that is to become a slot; None when nothing is proven."""
    agreed = {row.id for row in tie.link.rows} if tie.link else set()
    for write in situation.case.writes:
        if write.operation != "post" or write.after is None or write.outcome not in (Outcome.UNKNOWN, None):
            continue
        attempts = [other for other in situation.case.writes if _same_command(write, other)]
        twins = [
            row
            for row in tie.rows
            if (row.now.tlf, row.now.bemerkung) == (write.after.value, write.after.bemerkung)
        ]
        if len(attempts) >= 2 and len(twins) >= 2 and not {row.id for row in twins} <= agreed:
            return max(twins, key=lambda row: row.id)
    return None


def _same_command(one: Write, other: Write) -> bool:
    return (
        other.operation == "post"
        and other.after is not None
        and one.after is not None
        and other.gives == one.gives
        and (other.after.value, other.after.bemerkung) == (one.after.value, one.after.bemerkung)
        and other.may_have_come
    )
