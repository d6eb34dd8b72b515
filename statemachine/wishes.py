"""What an operator wants undone: a change made in somebody's place on one side (interfaces: ``undo``).

Called by plan before anything else. A wish is written alone and moves no base, so that the next look shows it like an
edit of that side's users, and everything else follows from the ordinary rules. One attempt for each row, never a
second: the journal names the wish. It is refused where the entry no longer shows what it was made for; where its one
attempt came to nothing, people are told.
"""

from __future__ import annotations

from statemachine import marker
from statemachine.admission import Admission
from statemachine.case import Notice, Outcome, Variant, Wish, Write
from statemachine.diff import Change
from statemachine.draft import Draft, change_on
from statemachine.kommkz import KommKz
from statemachine.model import Item, Kind, Side
from statemachine.pairing import Tie
from statemachine.rowplan import New
from statemachine.rows import Row


def carry(draft: Draft, admission: Admission) -> bool:
    """Plan the first open wish that can be; True: nothing else is planned in this round, the next wish neither: it
    may ask for the same."""
    return any(_carry(draft, admission, wish) for wish in draft.s.case.wishes)


def _carry(draft: Draft, admission: Admission, wish: Wish) -> bool:
    attempts = [
        w for w in draft.s.case.writes if w.link_key == _name(wish) and w.outcome is not Outcome.NOT_SENT
    ]
    found = next((d for d in draft.diff.differences if d.tie.link and d.tie.link.key == wish.link_key), None)
    is_done = bool(attempts) and all(w.outcome is Outcome.DONE for w in attempts)
    if not is_done and found is not None and change_on(found, wish.side) is Change.MISSING:
        return False  # one look that does not show it refuses nothing
    tie = found.tie if found else None
    rows = _untried(tie, attempts) if tie and wish.side is Side.ADVOWARE else []
    if attempts and not rows:
        _end(draft, wish, tie, attempts)
        return False
    return _plan(draft, admission, wish, tie, rows)


def _untried(tie: Tie, attempts: list[Write]) -> list[Row]:
    """The entry's own rows; one that joined it since is somebody's."""
    tried = {write.advoware_id for write in attempts}
    own = {row.id for row in tie.agreed.rows}
    return [row for row in tie.rows if row.id in own - tried]


def _end(draft: Draft, wish: Wish, tie: Tie | None, attempts: list[Write]) -> None:
    """Whether the one attempt came to something; without an answer it has some time to show itself."""
    unanswered = [w.at for w in attempts if w.outcome in (Outcome.UNKNOWN, None)]
    shown = all(w.outcome is Outcome.DONE for w in attempts) or _shows(draft, wish, tie)
    until = max(unanswered, default=0.0) + draft.s.rules.deletion_confirm
    if not shown and unanswered and draft.s.now < until:
        draft.again.append(until)
        return
    draft.wishes_done.append(wish.id)
    if not shown:
        draft.notices.append(Notice(_name(wish), "wish_failed"))


def _name(wish: Wish) -> str:
    return f"wish:{wish.id}"


def _plan(draft: Draft, admission: Admission, wish: Wish, tie: Tie | None, rows: list[Row]) -> bool:
    if not draft.s.rules.may_write(wish.side) or not _still_shows(wish, tie, rows):
        draft.wishes_done.append(wish.id)
        draft.notices.append(Notice(_name(wish), "wish_refused"))
        return False
    if tie is None and _is_there(draft, wish):
        draft.wishes_done.append(wish.id)
        return False
    if wish.side is Side.ADVOWARE:
        if tie is None and not admission.rows_settled():
            return False
        _in_advoware(draft, wish, rows)
        return True
    if admission.blocked(wish.kind) is not None:
        return False
    if wish.value is None and tie is not None:
        draft.items[wish.kind].remove(tie.shown, Variant.WISH, _name(wish), None)
    else:
        _in_espocrm(draft, wish, wish.value or "", tie)
    return True


def _still_shows(wish: Wish, tie: Tie | None, rows: list[Row]) -> bool:
    """A new entry needs nothing; an existing one must show what the write to be undone left there."""
    if wish.link_key is None:
        return wish.value is not None
    if tie is None:
        return False
    if wish.side is Side.ESPOCRM:
        return tie.item is not None and tie.item.value == wish.expected
    return bool(rows) and all(row.now.tlf == wish.expected for row in rows)


def _shows(draft: Draft, wish: Wish, tie: Tie | None) -> bool:
    """What was wanted is there, whoever brought it."""
    if wish.value is not None:
        return _is_there(draft, wish)
    return tie is None or not (tie.rows if wish.side is Side.ADVOWARE else tie.item)


def _is_there(draft: Draft, wish: Wish) -> bool:
    """What is to be created anew has come back without us (§5: nothing is written twice)."""
    wanted = draft.s.canonical(wish.value or "", wish.kind)
    if wish.side is Side.ESPOCRM:
        return draft.items[wish.kind].holds(wanted)
    return any((row.kind, row.canonical) == (wish.kind, wanted) for row in draft.diff.rows.relevant)


def _in_advoware(draft: Draft, wish: Wish, rows: list[Row]) -> None:
    if wish.link_key is None:
        text = marker.read(wish.bemerkung)[1]
        new = New(wish.kind, wish.value or "", wish.komm_kz or _default(wish.kind), text=text)
        draft.rows.create(new, Variant.WISH, _name(wish))
        return
    for row in rows:
        if wish.value is None:
            draft.rows.empty(row, Variant.WISH, _name(wish))
        else:
            draft.rows.give(row, wish.value, Variant.WISH, _name(wish))


def _in_espocrm(draft: Draft, wish: Wish, wanted: str, tie: Tie | None) -> None:
    """Type and flags belong to the value (facts EspoCRM §5): whoever holds it now says what they are, else what they
    were when it was taken away."""
    array, item = draft.items[wish.kind], tie.item if tie else None
    value = (wish.kind, draft.s.canonical(wanted, wish.kind))
    if value not in draft.s.holders:
        draft.lookups[value] = wanted
        return
    holder = draft.s.holders[value]
    after = Item(
        wish.kind,
        holder.value if holder and wish.kind is Kind.EMAIL else wanted,
        (holder.type if holder else None) or wish.type or (item.type if item else None),
        primary=bool(item and item.primary),
        opt_out=wish.opt_out or bool(holder and holder.opt_out),
        invalid=bool(holder.invalid) if holder else wish.invalid,
        wire=item.wire if item else "",
    )
    if item is None:
        array.add(after, Variant.WISH, _name(wish), None)
    else:
        array.edit(item, after, Variant.WISH, _name(wish))


def _default(kind: Kind) -> int:
    return KommKz.MailGesch if kind is Kind.EMAIL else KommKz.Sonstige
