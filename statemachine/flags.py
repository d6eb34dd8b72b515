"""primary and online of mail addresses (sync rules §5): which one is *the* address, on both sides.

Called by plan after every entry was decided. Compared with the base, never enforced: where nothing moved, nothing is
written, and at a first sync both are recorded as they are.
"""

from __future__ import annotations

from statemachine import looks
from statemachine.admission import Admission
from statemachine.case import Variant, Write
from statemachine.diff import Change, Difference
from statemachine.draft import Draft, equal
from statemachine.model import Kind, Link, Side
from statemachine.pairing import Tie
from statemachine.rows import Row
from statemachine.situation import subject


def carry_flags(draft: Draft, admission: Admission) -> None:
    """Plan the writes that make primary and online agree again."""
    mails = [d for d in draft.diff.differences if d.tie.kind is Kind.EMAIL]
    before = next((d for d in mails if d.tie.link and d.tie.link.primary), None)
    now = next((d for d in mails if d.tie.item and d.tie.item.primary), None)
    if before is None:
        return
    if now is None:
        _wait_for_a_primary(draft, before.tie)
    elif now is not before:
        _move_in_advoware(draft, admission, before, now)
    elif draft.s.rules.may_write(Side.ESPOCRM):
        _move_in_espocrm(draft, admission, [d.tie for d in mails])


def _wait_for_a_primary(draft: Draft, before: Tie) -> None:
    """Between two statements of a save no address is primary; only a settled read says that none is."""
    if looks.EMAILS not in draft.s.settled and any(
        d.tie.item for d in draft.diff.differences if d.tie.kind is Kind.EMAIL
    ):
        _still_open(draft, before)
        draft.again.append(draft.s.now + draft.s.rules.settle)


def _move_in_advoware(draft: Draft, admission: Admission, before: Difference, now: Difference) -> None:
    """The primary moved in EspoCRM: the new one's row goes online, the old one's offline."""
    if not draft.s.rules.may_write(Side.ADVOWARE):
        return
    if before.espocrm is Change.MISSING or not equal(draft, now.tie):
        _still_open(draft, before.tie, now.tie)
        return
    moves = [_put_online(draft, admission, now.tie.rows[0], True, now.tie.link)]
    moves += [_put_online(draft, admission, row, False, before.tie.link) for row in before.tie.rows]
    if any(moves):
        _still_open(draft, before.tie, now.tie)


def _still_open(draft: Draft, *ties: Tie) -> None:
    """The move is not over: a deletion is not confirmed, the new address not on both sides, or a row not written."""
    draft.keeps_primary.update(tie.link.key for tie in ties if tie.link)


def _put_online(draft: Draft, admission: Admission, row: Row, online: bool, link: Link | None) -> bool:
    def again(write: Write) -> bool:
        same = (write.side, write.variant, write.advoware_id) == (Side.ADVOWARE, Variant.FLAG, row.id)
        return same and write.before is not None and write.before.online is not online

    if row.now.online is online or admission.tires(f"online:{row.id}:{online}", again):
        return False
    draft.rows.online(row, online, link.key if link else None)
    return True


def _move_in_espocrm(draft: Draft, admission: Admission, ties: list[Tie]) -> None:
    """In Advoware exactly one row turned online and EspoCRM's primary did not move: its item becomes primary."""
    turned = [tie for tie in ties if tie.link and tie.item and _turned_online(tie, tie.link)]
    if len(turned) != 1 or turned[0].item is None or turned[0].item.primary:
        return
    item, link = turned[0].item, turned[0].agreed
    gives = subject(Side.ESPOCRM, Kind.EMAIL, draft.of_item(item))
    if admission.tires(f"primary:{gives}", lambda w: w.gives == gives and _made_primary(w)):
        return
    draft.keeps_base.add(link.key)
    if gives in draft.s.refused or not equal(draft, turned[0]) or admission.blocked(Kind.EMAIL):
        return
    keys = {id(tie.item): tie.link.key for tie in ties if tie.item and tie.link}
    draft.items[Kind.EMAIL].make_primary(item, lambda one: keys.get(id(one)))


def _made_primary(write: Write) -> bool:
    return write.variant is Variant.FLAG and write.after is not None and write.after.primary is True


def _turned_online(tie: Tie, link: Link) -> bool:
    known = {row.id: row.online for row in link.rows}
    return any(row.now.online and known.get(row.id) is False for row in tie.rows)
