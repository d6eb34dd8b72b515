"""What an operator wants undone: a change made in somebody's place on one side (interfaces: ``undo``).

Called by plan before anything else. A wish is written alone and moves no base, so that the next look shows it like an
edit of that side's users, and everything else follows from the ordinary rules. One attempt, never a second: the
journal names the wish. It is refused where the entry no longer shows what it was made for.
"""

from __future__ import annotations

from statemachine import marker
from statemachine.admission import Admission
from statemachine.case import Notice, Outcome, Variant, Wish
from statemachine.draft import Draft
from statemachine.kommkz import KommKz
from statemachine.model import Item, Kind, Side
from statemachine.pairing import Tie
from statemachine.rowplan import New


def carry(draft: Draft, admission: Admission) -> bool:
    """Plan the first open wish that can be; True: nothing else is planned in this round, the next wish neither: it
    may ask for the same."""
    opened = [wish for wish in draft.s.case.wishes if not _attempted(draft, wish)]
    draft.wishes_done.extend(wish.id for wish in draft.s.case.wishes if wish not in opened)
    return any(_plan(draft, admission, wish) for wish in opened)


def _attempted(draft: Draft, wish: Wish) -> bool:
    return any(w.link_key == _name(wish) and w.outcome is not Outcome.NOT_SENT for w in draft.s.case.writes)


def _name(wish: Wish) -> str:
    return f"wish:{wish.id}"


def _plan(draft: Draft, admission: Admission, wish: Wish) -> bool:
    tie = next(
        (d.tie for d in draft.diff.differences if d.tie.link and d.tie.link.key == wish.link_key), None
    )
    if not draft.s.rules.may_write(wish.side) or not _still_shows(wish, tie):
        draft.wishes_done.append(wish.id)
        draft.notices.append(Notice(_name(wish), "wish_refused"))
        return False
    if tie is None and _is_there(draft, wish):
        draft.wishes_done.append(wish.id)
        return False
    if wish.side is Side.ADVOWARE:
        _in_advoware(draft, wish, tie)
        return True
    if admission.blocked(wish.kind) is not None:
        return False
    _in_espocrm(draft, wish, tie)
    return True


def _still_shows(wish: Wish, tie: Tie | None) -> bool:
    """A new entry needs nothing; an existing one must show what the write to be undone left there."""
    if wish.link_key is None:
        return wish.value is not None
    if tie is None:
        return False
    if wish.side is Side.ESPOCRM:
        return tie.item is not None and tie.item.value == wish.expected
    return bool(tie.rows) and all(row.now.tlf == wish.expected for row in tie.rows)


def _is_there(draft: Draft, wish: Wish) -> bool:
    """What is to be created anew has come back without us (§5: nothing is written twice)."""
    wanted = draft.s.canonical(wish.value or "", wish.kind)
    if wish.side is Side.ESPOCRM:
        return draft.items[wish.kind].holds(wanted)
    return any((row.kind, row.canonical) == (wish.kind, wanted) for row in draft.diff.rows.relevant)


def _in_advoware(draft: Draft, wish: Wish, tie: Tie | None) -> None:
    if tie is None:
        text = marker.read(wish.bemerkung)[1]
        new = New(wish.kind, wish.value or "", wish.komm_kz or _default(wish.kind), text=text)
        draft.rows.create(new, Variant.WISH, _name(wish))
        return
    for row in tie.rows:
        if wish.value is None:
            draft.rows.empty(row, Variant.WISH, _name(wish))
        else:
            draft.rows.give(row, wish.value, Variant.WISH, _name(wish))


def _in_espocrm(draft: Draft, wish: Wish, tie: Tie | None) -> None:
    array = draft.items[wish.kind]
    if tie is None or tie.item is None:
        array.add(Item(wish.kind, wish.value or "", wish.type), Variant.WISH, _name(wish), None)
    elif wish.value is None:
        array.remove(tie.item, Variant.WISH, _name(wish), None)
    else:
        after = Item(
            wish.kind,
            wish.value,
            wish.type or tie.item.type,
            tie.item.primary,
            tie.item.opt_out,
            wire=tie.item.wire,
        )
        array.edit(tie.item, after, Variant.WISH, _name(wish))


def _default(kind: Kind) -> int:
    return KommKz.MailGesch if kind is Kind.EMAIL else KommKz.Sonstige
