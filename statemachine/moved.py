"""Values that changed places in Advoware while EspoCRM edits or deletes one of them (sync rules §4.1).

Called by plan before anything is compared. Rows stay in their link by id, so a value that staff type into another row
is an edit of that row's entry. While EspoCRM shows what was agreed, both sides come out equal that way. But an edit or
a deletion over there means a value, and must not meet a row that holds another one by now: what nobody touched would be
written over, and what was corrected would live on. There the two links exchange their rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from statemachine import echoes
from statemachine.model import Base, Kommunikation, Link, LinkRow, Side
from statemachine.rules import Direction
from statemachine.situation import Situation


@dataclass(frozen=True, slots=True)
class _Place:
    """A link of one row: the value agreed and the one that the row shows now, both canonical; None: blank or absent."""

    link: Link
    agreed: str
    shows: str | None


def follow(situation: Situation, base: Base) -> Base:
    """``base`` with each row in the link of the value that it shows, where EspoCRM has changed one of the two."""
    if situation.rules.direction is not Direction.BOTH:
        return base
    places = [place for link in base.links if (place := _place(link, situation)) is not None]
    links = {link.key: link for link in base.links}
    for place in places:
        other = next((one for one in places if _have_changed_places(place, one)), None)
        untouched = links[place.link.key] is place.link and other and links[other.link.key] is other.link
        if other is not None and untouched and not _has_its_item(place, situation):
            links[place.link.key] = _with_rows_of(place.link, other.link)
            links[other.link.key] = _with_rows_of(other.link, place.link)
    return replace(base, links=tuple(links.values()))


def _place(link: Link, situation: Situation) -> _Place | None:
    """None where several rows stand for the entry, or a write of ours may still be what the row shows."""
    if len(link.rows) != 1:
        return None
    known, now = link.rows[0], _now(link.rows[0], situation)
    ours = (w for w in situation.case.writes if w.side is Side.ADVOWARE and not w.settled)
    if any(w.advoware_id == known.id or w.link_key == link.key for w in ours):
        return None
    if now is not None and echoes.is_echo(now, situation):
        return None
    return _Place(
        link,
        situation.canonical(link.value, link.kind),
        situation.canonical(now.tlf, link.kind) if now is not None and now.tlf.strip() else None,
    )


def _now(known: LinkRow, situation: Situation) -> Kommunikation | None:
    return next((row for row in situation.advoware.rows if row.id == known.id), None)


def _have_changed_places(one: _Place, other: _Place) -> bool:
    """The row of one shows the value of the other, which has left its own."""
    if one.link.kind is not other.link.kind or one.link.key == other.link.key:
        return False
    came = one.shows == other.agreed != other.shows
    return came or other.shows == one.agreed != one.shows


def _has_its_item(place: _Place, situation: Situation) -> bool:
    kind = place.link.kind
    return any(
        situation.canonical(item.value, kind) == place.agreed for item in situation.espocrm.items(kind)
    )


def _with_rows_of(link: Link, other: Link) -> Link:
    agreed = link.rows[0].tlf
    return replace(link, rows=tuple(replace(row, tlf=agreed) for row in other.rows))
