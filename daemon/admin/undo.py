"""``undo``: one write of ours taken back, planned like a human edit on the side of that write (interfaces, *Commands*).

What Advoware cannot take back: an entry that was emptied does not become the same entry again, it is created anew
(or a slot of its kind is used).
"""

from __future__ import annotations

from daemon.admin.desk import OPERATOR, NotPossible
from daemon.outside import Outside
from statemachine.case import Outcome, Shown, Wish, Write
from statemachine.model import Base, Link, Side
from statemachine.normalize import canonical


async def undo(desk: Outside, bet_nr: int, write_id: int) -> str:
    """What will be done, in a sentence without values. Raises NotPossible when the entry no longer shows what that
    write left there, except where it was emptied; or when there is nothing to take back."""
    found = await desk.store.write(write_id)
    if found is None or found[1] != bet_nr:
        raise NotPossible(f"betNr {bet_nr} has no write {write_id}. Type: kommsync history {bet_nr}")
    espocrm_id, _, write = found
    region = desk.settings.sync.default_region
    _refuse_nothing(write, region)
    case = await desk.store.case(espocrm_id, bet_nr, 0.0)
    wish, sentence = _wish(write, case.base, region)
    if await desk.store.add_wish(espocrm_id, wish, by=OPERATOR) is None:
        raise NotPossible(f"betNr {bet_nr} is not tracked any more, so nothing can be written for it.")
    return f"write {write_id}: {sentence} in {write.side} by the next sync. Type: kommsync history {bet_nr}"


def _refuse_nothing(write: Write, region: str) -> None:
    if write.outcome is not Outcome.DONE:
        raise NotPossible(
            f"write {write.id} was never done ({write.outcome or 'under way'}): nothing to take back."
        )
    before, after = _value(write.before), _value(write.after)
    if canonical(before, write.kind, region) == canonical(after, write.kind, region):
        raise NotPossible(
            f"write {write.id} changed no value, only a marker, a type or a flag: nothing to take back."
        )


def _wish(write: Write, base: Base, region: str) -> tuple[Wish, str]:
    before, after = write.before, _value(write.after)
    if before is not None and before.value and not after:
        return anew(write, before), "the value is created anew"
    link = _link(write, base, region)
    if link is None:
        raise NotPossible(
            f"write {write.id} cannot be taken back: its entry shows something else now."
            " Write the old value by hand; kommsync history has it."
        )
    key, shown = link.key, _as_shown(write, link)
    wish = back(write, before, key, shown)
    return wish, "the value is taken away" if wish.value is None else "the old value is put back"


def back(write: Write, before: Shown | None, key: str, shown: str) -> Wish:
    """The entry shows ``before`` again, or nothing."""
    if before is None or not before.value:
        return Wish(0, write.side, write.kind, key, None, expected=shown)
    opt_out, invalid = bool(before.opt_out), bool(before.invalid)
    return Wish(
        0,
        write.side,
        write.kind,
        key,
        before.value,
        before.type,
        expected=shown,
        opt_out=opt_out,
        invalid=invalid,
    )


def anew(write: Write, before: Shown) -> Wish:
    """A new entry like the one that this write emptied, with its kind, type, flags and user text."""
    known = (write.after.komm_kz if write.after else 0) or before.komm_kz
    opt_out, invalid = bool(before.opt_out), bool(before.invalid)
    return Wish(
        0, write.side, write.kind, None, before.value, before.type, known, before.bemerkung,
        opt_out=opt_out, invalid=invalid,
    )  # fmt: skip


def _link(write: Write, base: Base, region: str) -> Link | None:
    """The link that holds what the write left, if it still does."""
    left = canonical(_value(write.after), write.kind, region)
    for link in base.links:
        if link.kind is not write.kind:
            continue
        if write.side is Side.ESPOCRM and canonical(link.value, link.kind, region) == left:
            return link
        if write.side is Side.ADVOWARE and any(
            row.id == write.advoware_id and canonical(row.tlf, link.kind, region) == left for row in link.rows
        ):
            return link
    return None


def _as_shown(write: Write, link: Link) -> str:
    """As that side spells it, for the comparison with what it will show then."""
    if write.side is Side.ESPOCRM:
        return link.value
    return next(row.tlf for row in link.rows if row.id == write.advoware_id)


def _value(shown: Shown | None) -> str:
    return shown.value if shown else ""
