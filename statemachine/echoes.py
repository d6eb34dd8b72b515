"""Our own writes coming back: late effects and older forms (sync rules §8, §9).

Called by diff and carry. A *late effect* is a write whose answer never came and that shows itself afterwards; a
*stale form* is somebody's save that puts back what was there before our write, because his form was opened before it.
Neither is anybody's decision. What we wrote is in the journal, so both are recognised by content, never by time alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from statemachine import effects, marker
from statemachine.case import Outcome, Variant, Write
from statemachine.model import Item, Kind, Kommunikation, Side
from statemachine.situation import Situation, subject

_UNKNOWN = (Outcome.UNKNOWN, None)
#: Their old state may come back with somebody's older form; the first time only (§9).
GAVE_A_VALUE = (Variant.VAR1, Variant.VAR5)


def is_echo(row: Kommunikation, situation: Situation) -> bool:
    """Nobody's edit of a linked row: a late effect of ours, or an older form over what we had given."""
    return late_put(row, situation) or stale_row(row, situation, GAVE_A_VALUE)


def late_put(row: Kommunikation, situation: Situation) -> bool:
    """The row shows exactly what a PUT of unknown outcome would have made of it. Where Advoware is only the source that
    counts like any edit: nothing could be written over it again (§12)."""
    return situation.rules.may_write(Side.ADVOWARE) and any(
        write.advoware_id == row.id
        and _shows(row, write)
        and _is_late(write)
        and (marker.read(row.bemerkung)[0] is not None or not effects.had_come(write, situation))
        for write in _recent(situation, situation.rules.late_effect)
    )


def late_post(row: Kommunikation, situation: Situation) -> bool:
    """The row is exactly what a POST of unknown outcome would have created."""
    return any(
        write.operation == "post" and write.advoware_id is None and _shows(row, write) and _is_late(write)
        for write in _recent(situation, situation.rules.late_effect)
    )


def is_ours(row: Kommunikation, situation: Situation) -> bool:
    """An unlinked row that only we can have brought about, marker and all, and that nobody wants any more (§8, §9)."""
    marked = marker.read(row.bemerkung)[0] is not None
    late = marked and (late_put(row, situation) or late_post(row, situation))
    return late or stale_row(row, situation, (Variant.VAR2,))


def stale_row(row: Kommunikation, situation: Situation, variants: Iterable[Variant]) -> bool:
    """Old tlf and old bemerkung together, exactly as before a write of ours; the first time only."""
    return any(
        write.side is Side.ADVOWARE
        and write.advoware_id == row.id
        and write.before is not None
        and (row.tlf, row.bemerkung) == (write.before.value, write.before.bemerkung)
        and not _restored_since(write, situation)
        for write in _settled(situation, variants)
    )


def stale_item(kind: Kind, agreed: str, item: Item | None, situation: Situation) -> bool:
    """An item we added has vanished, or one we changed shows again what it showed before; the first time only.

    ``agreed``: canonical value of the link."""
    gives = subject(Side.ESPOCRM, kind, agreed)
    for write in _settled(situation, (Variant.VAR4, Variant.VAR6)):
        if write.side is not Side.ESPOCRM or write.gives != gives or _restored_since(write, situation):
            continue
        if item is None and write.before is None:
            return True
        if (
            item is not None
            and write.before is not None
            and _canonical_before(write, situation) == _of(item, situation)
        ):
            return True
    return False


def stale_readded(item: Item, situation: Situation) -> bool:
    """An item that we took out because Advoware's entry was deleted is back exactly as it was; the first time only."""
    return any(
        write.side is Side.ESPOCRM
        and write.kind is item.kind
        and write.before is not None
        and (write.before.value, write.before.type) == (item.value, item.type)
        and not _removed_again(write, item, situation)
        for write in _settled(situation, (Variant.VAR3,))
    )


def _recent(situation: Situation, window: float) -> list[Write]:
    return [write for write in situation.case.writes if write.at >= situation.now - window]


def _settled(situation: Situation, variants: Iterable[Variant]) -> list[Write]:
    """On sides that may be written: what the source of one direction shows counts, whatever we once wrote there, and
    nothing could be written over it again (§12)."""
    wanted, rules = tuple(variants), situation.rules
    recent = _recent(situation, rules.stale_form)
    return [w for w in recent if w.settled and _came(w) and w.variant in wanted and rules.may_write(w.side)]


def _came(write: Write) -> bool:
    """It had its effect: so it was answered, or what was read accounts for it. One that was only put down before the
    process died counts for nothing: in doubt the value is kept once more."""
    return write.outcome is Outcome.DONE or (write.outcome in _UNKNOWN and write.settled)


def _counts(write: Write) -> bool:
    """An operator's wish counts as soon as it may have had its effect: his word stands against any older form."""
    return _came(write) or (write.variant is Variant.WISH and write.outcome in _UNKNOWN)


def _shows(row: Kommunikation, write: Write) -> bool:
    return (
        write.side is Side.ADVOWARE
        and write.after is not None
        and (row.tlf, row.bemerkung) == (write.after.value, write.after.bemerkung)
    )


def _is_late(write: Write) -> bool:
    """A write that left the value as it was (a marker, a flag) proves nothing: the value is staff's (§8)."""
    same_value = (
        write.before is not None and write.after is not None and write.before.value == write.after.value
    )
    return write.outcome in _UNKNOWN and write.variant is not Variant.WISH and not same_value


def _restored_since(write: Write, situation: Situation) -> bool:
    """It was written again already (the second time is somebody's will), or an operator wanted the old state back."""
    since = (w for w in situation.case.writes if w.id > write.id and w.side is write.side and _counts(w))
    if write.side is Side.ADVOWARE:
        again = (Variant.RESTORE, Variant.WISH)
        return any(w.variant in again and w.advoware_id == write.advoware_id for w in since)
    return any(
        (w.variant is Variant.RESTORE and w.gives == write.gives)
        or (w.variant is Variant.WISH and _took(w, situation) == _gave(write, situation))
        for w in since
    )


def _removed_again(write: Write, item: Item, situation: Situation) -> bool:
    since = (w for w in situation.case.writes if w.id > write.id and w.side is Side.ESPOCRM and _counts(w))
    return any(
        (w.variant is Variant.RESTORE and w.before is not None and w.before.value == item.value)
        or (w.variant is Variant.WISH and w.after is not None and w.after.value == item.value)
        for w in since
    )


def _took(write: Write, situation: Situation) -> str | None:
    return situation.canonical(write.before.value, write.kind) if write.before else None


def _gave(write: Write, situation: Situation) -> str | None:
    return situation.canonical(write.after.value, write.kind) if write.after else None


def _canonical_before(write: Write, situation: Situation) -> str:
    return situation.canonical(write.before.value if write.before else "", write.kind)


def _of(item: Item, situation: Situation) -> str:
    return situation.canonical(item.value, item.kind)
