"""Did a journalled write have an effect? Judged by what was seen after it (sync rules §8).

Called by rebase. What was seen after a write is what the next write to the same entry found there, or, after the last
one, what the side shows now. Only writes that certainly happened are judged, and those of unknown outcome whose
effect is plainly there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum

from statemachine import looks, marker
from statemachine.case import Outcome, Shown, Variant, Write
from statemachine.commands import shown_item
from statemachine.model import Kind, Kommunikation, Side
from statemachine.situation import Situation, subject

_KEEP_THE_VALUE = (Variant.MARKER, Variant.FLAG, Variant.WISH)
_PART = {Kind.EMAIL: looks.EMAILS, Kind.PHONE: looks.PHONES}


class Effect(StrEnum):
    TAKEN = "taken"
    NOT_TAKEN = "not_taken"


def of(situation: Situation) -> Iterator[tuple[Write, Effect]]:
    """Every unsettled write that happened, oldest first, with its effect; and what shows itself late."""
    writes = (w for w in situation.case.writes if not w.settled or _may_come_late(w, situation))
    unsettled = [_with_its_row(w, situation) for w in writes]
    open_ = [w for w in unsettled if _happened(w, situation)]
    for place, write in enumerate(open_):
        later = next((w for w in open_[place + 1 :] if target(w) == target(write)), None)
        none = _no_row_effect if write.side is Side.ADVOWARE else _no_item_effect
        yield write, Effect.NOT_TAKEN if none(write, later, situation) else Effect.TAKEN


def came(situation: Situation) -> tuple[int, ...]:
    """Journal ids of unanswered PUTs whose effect is there, and that no other attempt can have brought: they are done,
    and what they gave can come late no more. A second attempt may show what the first one would still bring (§8). One
    that changes nothing was sent for its answer, and has not come without it."""
    writes = {write.id: write for write in situation.case.writes}
    seen = (writes[write.id] for write, effect in of(situation) if effect is Effect.TAKEN)
    puts = (w for w in seen if w.outcome in (Outcome.UNKNOWN, None) and w.operation == "put")
    unanswered = (w for w in puts if not (w.before and w.after and w.before == w.after))
    return tuple(w.id for w in unanswered if not any(_same_attempt(w, other) for other in writes.values()))


def _same_attempt(one: Write, other: Write) -> bool:
    same = (other.side, target(other), other.gives) == (one.side, target(one), one.gives)
    return other.may_have_come and same and other.id != one.id


def target(write: Write) -> str:
    """The entry that a write was aimed at; a POST is aimed at the row it made."""
    if write.side is Side.ADVOWARE:
        return f"row:{write.advoware_id}"
    shown = write.after or write.before
    return write.link_key or f"{write.kind}:{shown.value if shown else ''}"


def _happened(write: Write, situation: Situation) -> bool:
    if write.outcome is Outcome.DONE:
        return True
    if write.outcome not in (Outcome.UNKNOWN, None) or write.variant is Variant.STATUS:
        return False
    seen = _row_shows if write.side is Side.ADVOWARE else _item_shows
    return seen(write, situation)


# Advoware


def _with_its_row(write: Write, situation: Situation) -> Write:
    """A POST without an answer, and the row that only it can have made: unlinked, and exactly as it was sent, or with
    its marker under a value that staff have changed or emptied since. Where a later attempt was answered, that one's
    row is known, and this one's would be a double; an earlier one that was answered or given up had come to its end."""
    if write.operation != "post" or write.outcome not in (Outcome.UNKNOWN, None) or write.after is None:
        return write
    tried = (w for w in situation.case.writes if w.may_have_come)
    same = [w for w in tried if w.operation == "post" and w.gives == write.gives]
    ended = max((w.id for w in same if w.outcome is Outcome.DONE and w.id < write.id), default=-1)
    attempts = [w for w in same if w.id > ended and (w.outcome is Outcome.DONE or not w.settled)]
    if attempts[0].id != write.id or any(w.outcome is Outcome.DONE for w in attempts):
        return write
    linked = {row.id for link in situation.case.base.links for row in link.rows}
    rows = [r for r in situation.advoware.rows if r.id not in linked and _left_by(write.after, r)]
    if not rows:
        return write
    value = write.after.value
    made = min(rows, key=lambda r: (r.tlf != value, r.id))
    return replace(write, advoware_id=made.id, outcome=Outcome.DONE)


def _left_by(sent: Shown, row: Kommunikation) -> bool:
    """Its marker tells, though staff changed the value or the text beside it; without one nothing may differ."""
    mark = marker.read(sent.bemerkung)[0]
    same_text, same_value = row.bemerkung == sent.bemerkung, row.tlf == sent.value
    if mark is None:
        return same_text and same_value
    return same_text or (same_value and marker.read(row.bemerkung)[0] == mark)


def _row_shows(write: Write, situation: Situation) -> bool:
    """Its value is there, or the marker that it brought under a value that staff have typed since."""
    row = _row_after(write, situation)
    if row is None or write.after is None:
        return False
    brought = (
        write.after.bemerkung if write.before and write.before.bemerkung != write.after.bemerkung else ""
    )
    marked = row.bemerkung == brought and marker.read(brought)[0] is not None
    return marked or _same_row(row, write.after) or _respelt(row, write, situation)


def _row_after(write: Write, situation: Situation) -> Shown | None:
    """What the next write of ours to this row found there; without one, what the row shows now."""
    later = (w for w in situation.case.writes if w.id > write.id and w.advoware_id == write.advoware_id)
    found = next((w.before for w in later if w.side is Side.ADVOWARE and w.before is not None), None)
    row = next((row for row in situation.advoware.rows if row.id == write.advoware_id), None)
    return found or (_shown_row(row) if row is not None else None)


def _respelt(row: Shown, write: Write, situation: Situation) -> bool:
    """Staff put blanks around what we had brought."""
    before, now = _value(write.before, write, situation), situation.canonical(row.value, write.kind)
    if write.before and write.after and row.bemerkung == write.before.bemerkung != write.after.bemerkung:
        return False
    return bool(row.value.strip()) and before != now == _value(write.after, write, situation)


def _no_row_effect(write: Write, later: Write | None, situation: Situation) -> bool:
    if write.after is None or write.variant is Variant.MARKER:
        return False
    if answered_otherwise(write, write.after, situation):
        return True
    if write.before is None:
        return False
    row = next((row for row in situation.advoware.rows if row.id == write.advoware_id), None)
    seen = later.before if later is not None else _shown_row(row) if row is not None else None
    return seen is not None and _same_row(seen, write.before) and not _same_row(seen, write.after)


def answered_otherwise(write: Write, after: Shown, situation: Situation) -> bool:
    """The answer itself showed another value than the one that was sent: a stump, or nothing happened."""
    given = subject(Side.ADVOWARE, write.kind, situation.canonical(after.value, write.kind))
    return bool(after.value) and bool(write.gives) and write.gives != given


def _shown_row(row: Kommunikation) -> Shown:
    return Shown(row.tlf, row.bemerkung, row.online)


def _same_row(one: Shown, other: Shown) -> bool:
    online = None in (one.online, other.online) or one.online == other.online
    return online and (one.value, one.bemerkung) == (other.value, other.bemerkung)


# EspoCRM


def _item_shows(write: Write, situation: Situation) -> bool:
    """Whether its value is there and the one before is not; of those that were handed on within one request the others
    tell. An entry that is not there proves a removal only in a settled read: it could be half an array (§8)."""
    siblings = _siblings(write, situation)
    if _is_ambiguous(write, siblings, situation):
        telling = [w for w in siblings if not _is_ambiguous(w, siblings, situation)]
        if telling:
            return any(_shows_alone(w, siblings, situation) for w in telling)
        if write.before is None:
            return False  # nothing tells; to send it once more changes nothing
    return _shows_alone(write, siblings, situation)


def _siblings(write: Write, situation: Situation) -> list[Write]:
    return [w for w in situation.case.writes if w.call == write.call and _moves(w, situation)]


def _shows_alone(write: Write, siblings: Sequence[Write], situation: Situation) -> bool:
    seen = _seen_items(write, None, situation)
    before, after = _like(write.before, seen, write, situation), _like(write.after, seen, write, situation)
    if write.after is None:
        return not before and _PART[write.kind] in situation.settled
    if not after or not _moves(write, situation):
        return any(_same_flags(one, write.after) for one in after)
    others = [w.after for w in siblings if w is not write and w.after is not None]
    if not _like(write.before, others, write, situation):
        return not before
    flags = any(_same_flags(one, write.after) for one in after)
    return flags or not _is_ambiguous(write, siblings, situation)


def _is_ambiguous(write: Write, siblings: Sequence[Write], situation: Situation) -> bool:
    """A value that went from one entry to another in the same request is there before and after it: what became of
    the others tells whether the request came."""
    if not _moves(write, situation):
        return False
    kin = [w for w in siblings if w.kind is write.kind]
    taken = {_value(one.before, write, situation) for one in kin}
    given = {_value(one.after, write, situation) for one in kin}
    before, after = _value(write.before, write, situation), _value(write.after, write, situation)
    return (before is None or before in given) and (after is None or after in taken)


def _moves(write: Write, situation: Situation) -> bool:
    return _value(write.before, write, situation) != _value(write.after, write, situation)


def _may_come_late(write: Write, situation: Situation) -> bool:
    """A new value of an entry, or its removal, whose answer never came, while the entry is as it was: it may show
    itself now, and is nobody's edit then. In Advoware its marker tells, under whatever staff type into that row."""
    gives = write.side is Side.ESPOCRM or (write.operation == "put" and write.variant not in _KEEP_THE_VALUE)
    if not gives or write.outcome not in (Outcome.UNKNOWN, None) or write.before is None:
        return False
    before, after = _value(write.before, write, situation), _value(write.after, write, situation)
    links = (link for link in situation.case.base.links if link.key == write.link_key)
    waits = any(
        situation.canonical(link.value, write.kind) == before
        and (write.side is Side.ESPOCRM or any(row.id == write.advoware_id for row in link.rows))
        for link in links
    )
    recent = write.at >= situation.now - situation.rules.late_effect
    return waits and before != after and recent and not had_come(write, situation)


def had_come(write: Write, situation: Situation) -> bool:
    """A later write of ours took the entry away from the value that only this one can have brought there: so it had
    its effect, and does not have it a second time."""
    given = _value(write.after, write, situation)
    for later in (w for w in situation.case.writes if w.id > write.id and w.may_have_come):
        before, after = _value(later.before, later, situation), _value(later.after, later, situation)
        if after == given and later.side is write.side and target(later) == target(write):
            return False  # tried again: that one may have brought it
        same_entry = write.link_key is not None and later.link_key == write.link_key
        if same_entry and before == given != after:
            return True
    return False


def _no_item_effect(write: Write, later: Write | None, situation: Situation) -> bool:
    """What was to come is not there, or what was to go is still there."""
    if write.variant is Variant.STATUS:
        return False
    seen = _seen_items(write, later, situation)
    before = _like(write.before, seen, write, situation)
    if write.after is None:
        return bool(before) and not _came_back(write, situation)
    after = _like(write.after, seen, write, situation)
    if not after:
        handed_on = _is_ambiguous(write, _siblings(write, situation), situation)
        return write.before is None or (bool(before) and not handed_on)
    same = [shown for shown in after if _same_flags(shown, write.after)]
    return write.before is not None and not same and any(_same_flags(one, write.before) for one in before)


def _came_back(write: Write, situation: Situation) -> bool:
    """The same request took the value from one entry and gave it to another."""
    others = (w for w in situation.case.writes if w.call == write.call and w.after is not None)
    gone = _value(write.before, write, situation)
    return any(_value(w.after, w, situation) == gone for w in others)


def _value(shown: Shown | None, write: Write, situation: Situation) -> str | None:
    return situation.canonical(shown.value, write.kind) if shown else None


def _seen_items(write: Write, later: Write | None, situation: Situation) -> Sequence[Shown]:
    if later is not None:
        return [later.before] if later.before else []
    return [shown for item in situation.espocrm.items(write.kind) if (shown := shown_item(item))]


def _like(wanted: Shown | None, seen: Sequence[Shown], write: Write, situation: Situation) -> list[Shown]:
    if wanted is None:
        return []
    value = _value(wanted, write, situation)
    return [one for one in seen if _value(one, write, situation) == value]


def _same_flags(one: Shown, other: Shown) -> bool:
    return (one.type, one.primary) == (other.type, other.primary)
