"""Three-way: what happened to each entry on each side since the base (sync rules §5, first half).

Called by plan. It reads the base as the journal completes it, pairs, and says for every tie ``same``, ``changed`` or
``gone`` per side; ``gone`` only when a second look confirmed it (§9), ``missing`` until then. Decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from statemachine import echoes, rows
from statemachine.case import Pending
from statemachine.model import Base, Link, Side
from statemachine.pairing import Pairing, Tie
from statemachine.rows import Row, Rows
from statemachine.situation import Situation


class Change(StrEnum):
    SAME = "same"
    CHANGED = "changed"
    #: not there in this look, not yet confirmed
    MISSING = "missing"
    GONE = "gone"
    #: nothing was ever agreed here and nothing is here
    NONE = "none"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Difference:
    """One tie with what happened on each side. ``rewrite_*``: that side shows an echo of ours (late effect,
    older form): it counts as unchanged, and what is wanted now is written there again."""

    tie: Tie
    advoware: Change
    espocrm: Change
    rewrite_advoware: bool = False
    rewrite_espocrm: bool = False


@dataclass(frozen=True, slots=True)
class Diff:
    """All differences, the rows they were made from, and the links whose entry is not there on a side."""

    differences: tuple[Difference, ...]
    rows: Rows
    pending: tuple[Pending, ...]


def diff(situation: Situation, base: Base) -> Diff:
    """Compare both sides with the base, entry by entry."""
    known = rows.read(situation, base)
    ties = Pairing(situation, base, known, lambda row, link: _edited(row, link, situation)).ties()
    pending: list[Pending] = []
    differences = tuple(_difference(tie, situation, pending) for tie in ties)
    return Diff(differences, known, tuple(pending))


def _edited(row: Row, link: Link, situation: Situation) -> bool:
    agreed = {known.id: known.tlf for known in link.rows}.get(row.id)
    if agreed is None or situation.canonical(agreed, link.kind) == row.canonical:
        return False
    return not echoes.is_echo(row.now, situation)


def _difference(tie: Tie, situation: Situation, pending: list[Pending]) -> Difference:
    if tie.link is None:
        via_marker = Change.CHANGED if tie.via_marker else Change.NEW
        return Difference(
            tie,
            via_marker if tie.rows else Change.NONE,
            (Change.SAME if tie.via_marker else Change.NEW) if tie.item else Change.NONE,
        )
    agreed = situation.canonical(tie.link.value, tie.kind)
    advoware, rewrite_advoware = _advoware(tie, agreed, situation)
    espocrm, rewrite_espocrm = _espocrm(tie, agreed, situation)
    advoware = _confirm(tie.link, Side.ADVOWARE, advoware, situation, pending)
    espocrm = _confirm(tie.link, Side.ESPOCRM, espocrm, situation, pending)
    if rewrite_advoware and tie.item is not None and advoware is Change.GONE:
        advoware = Change.SAME
    if rewrite_espocrm and tie.rows and espocrm is Change.GONE:
        espocrm = Change.SAME
    same = (advoware is Change.SAME, espocrm is Change.SAME)
    return Difference(tie, advoware, espocrm, rewrite_advoware and same[0], rewrite_espocrm and same[1])


def _advoware(tie: Tie, agreed: str, situation: Situation) -> tuple[Change, bool]:
    if not tie.rows:
        return Change.MISSING, _emptied_by_an_older_form(tie, situation)
    if all(_edited(row, tie.agreed, situation) for row in tie.rows):
        return Change.CHANGED, False
    if not any(situation.canonical(known.tlf, tie.kind) == agreed for known in tie.agreed.rows):
        # what was agreed is another number now, as the rules have become others ([default_region], a newer
        # libphonenumber): nobody has touched it, and it is no echo of ours
        return Change.SAME, False
    return Change.SAME, any(row.canonical != agreed for row in tie.rows)


def _emptied_by_an_older_form(tie: Tie, situation: Situation) -> bool:
    blank = [row for row in situation.advoware.rows if row.id in tie.gone_rows]
    return any(echoes.stale_row(row, situation, echoes.GAVE_A_VALUE) for row in blank)


def _espocrm(tie: Tie, agreed: str, situation: Situation) -> tuple[Change, bool]:
    if tie.item is None:
        return Change.MISSING, echoes.stale_item(tie.kind, agreed, None, situation)
    if situation.canonical(tie.item.value, tie.kind) == agreed:
        return Change.SAME, False
    if echoes.stale_item(tie.kind, agreed, tie.item, situation):
        return Change.SAME, True
    return Change.CHANGED, False


def _confirm(link: Link, side: Side, change: Change, situation: Situation, pending: list[Pending]) -> Change:
    """``gone`` needs a second look; the first one is remembered as pending (§9)."""
    if change is not Change.MISSING:
        return change
    first, confirmed = situation.second_look(link.key, side)
    pending.append(first)
    return Change.GONE if confirmed else Change.MISSING
