"""primary and online of mail addresses (sync rules §5): which one is *the* address, on both sides.

Called by plan after every entry was decided. Compared with the base, never enforced: where nothing moved, nothing is
written, and at a first sync both are recorded as they are.
"""

from __future__ import annotations

from statemachine.admission import Admission
from statemachine.draft import Draft
from statemachine.holds import equal
from statemachine.model import Item, Kind, Link
from statemachine.pairing import Tie
from statemachine.rules import Direction


def carry_flags(draft: Draft, admission: Admission) -> None:
    """Plan the writes that make primary and online agree again."""
    ties = [d.tie for d in draft.diff.differences if d.tie.kind is Kind.EMAIL]
    before = next((tie for tie in ties if tie.link and tie.link.primary), None)
    now = next((tie for tie in ties if tie.item and tie.item.primary), None)
    if before is None or now is None:
        return
    if now is not before:
        _move_in_advoware(draft, before, now)
    elif draft.s.rules.direction is not Direction.TO_ADVOWARE:
        _move_in_espocrm(draft, admission, ties)


def _move_in_advoware(draft: Draft, before: Tie, now: Tie) -> None:
    """The primary moved in EspoCRM: the new one's row goes online, the old one's offline."""
    if draft.s.rules.direction is Direction.TO_ESPOCRM or not equal(draft, now):
        return
    draft.rows.online(now.rows[0], True, now.link.key if now.link else None)
    if before.rows and before.link is not None:
        for row in before.rows:
            draft.rows.online(row, False, before.link.key)


def _move_in_espocrm(draft: Draft, admission: Admission, ties: list[Tie]) -> None:
    """In Advoware exactly one row turned online and EspoCRM's primary did not move: its item becomes primary."""
    turned = [tie for tie in ties if tie.link and tie.item and _turned_online(tie, tie.link)]
    if len(turned) != 1 or turned[0].item is None or turned[0].item.primary:
        return
    if not equal(draft, turned[0]) or not admission.ready(Kind.EMAIL):
        if turned[0].link:
            draft.keeps_base.add(turned[0].link.key)
        return
    keys = {id(tie.item): tie.link.key for tie in ties if tie.item and tie.link}
    draft.items[Kind.EMAIL].make_primary(turned[0].item, lambda item: _key_of(item, keys))


def _key_of(item: Item, keys: dict[int, str]) -> str | None:
    return keys.get(id(item))


def _turned_online(tie: Tie, link: Link) -> bool:
    known = {row.id: row.online for row in link.rows}
    return any(row.now.online and known.get(row.id) is False for row in tie.rows)
