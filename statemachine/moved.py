"""Values that changed places in Advoware while EspoCRM edits or deletes one of them (sync rules §4.1).

Called by plan before anything is compared. Rows stay in their link by id, so a value that staff type into another row
is an edit of that row's entry. While EspoCRM shows what was agreed, both sides come out equal that way. But an edit or
a deletion over there means a value, and must not meet a row that holds another one by now: what nobody touched would be
written over, and what was corrected would live on. There the two links exchange their rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from statemachine import echoes, rows
from statemachine.case import Write
from statemachine.model import Base, Link, LinkRow, Side
from statemachine.rows import Row
from statemachine.rules import Direction
from statemachine.situation import Situation


@dataclass(frozen=True, slots=True)
class _Place:
    """A row of a link: the value agreed and the one that it shows now, both canonical; None: blank or absent."""

    link: Link
    row: LinkRow
    agreed: str
    shows: str | None


def follow(situation: Situation, base: Base) -> Base:
    """``base`` with each row in the link of the value that it shows, where EspoCRM has changed one of the two."""
    gone = {link.key for link in base.links if not _is_shown(_agreed(link, situation), link, situation)}
    if not gone or situation.rules.direction is not Direction.BOTH:
        return base
    now = rows.read(situation, base).by_id()
    held = {row.id for link in base.links for row in link.rows}
    free = [row for row in now.values() if row.id not in held]
    links = {link.key: link for link in base.links}
    left = [
        place for link in base.links for place in _places(link, now, situation) if place.shows != place.agreed
    ]
    for place in [place for place in left if place.link.key in gone]:
        if place not in left:
            continue  # its row has gone to another link already
        other = next((one for one in left if _have_changed_places(place, one)), None)
        row = next((row for row in free if _went_to(place, row, situation)), None)
        if other is not None:
            left = [one for one in left if one not in (place, other)]
            _put(links, place, other.row)
            _put(links, other, place.row)
        elif row is not None:
            free.remove(row)
            _put(links, place, row.linked())
    return replace(base, links=tuple(links.values()))


def _places(link: Link, now: dict[int, Row], situation: Situation) -> list[_Place]:
    """Without rows that may still show a write of ours."""
    ours = [w for w in situation.case.writes if w.side is Side.ADVOWARE and _may_show(w)]
    places: list[_Place] = []
    for known in link.rows:
        row = now.get(known.id)
        doubtful = any(write.advoware_id == known.id or write.link_key == link.key for write in ours)
        if not doubtful and (row is None or not echoes.is_echo(row.now, situation)):
            shows = row.canonical if row is not None else None
            places.append(_Place(link, known, _agreed(link, situation), shows))
    return places


def _may_show(write: Write) -> bool:
    """It gives a value, and nobody has seen yet what became of it."""
    keeps = write.before is not None and write.after is not None and write.before.value == write.after.value
    return write.may_have_come and not write.settled and not keeps


def _have_changed_places(one: _Place, other: _Place) -> bool:
    """Neither row shows the value of its own link any more, and one of them that of the other's."""
    if one.link.kind is not other.link.kind or one.link.key == other.link.key:
        return False
    return one.shows == other.agreed or other.shows == one.agreed


def _went_to(place: _Place, row: Row, situation: Situation) -> bool:
    """Something else was typed where the value stood, and it stands in a row now that no link holds. Where EspoCRM
    shows the same something, both sides have edited the entry, and the row is new."""
    if place.shows is None or (row.kind, row.canonical) != (place.link.kind, place.agreed):
        return False
    return not _is_shown(place.shows, place.link, situation)


def _agreed(link: Link, situation: Situation) -> str:
    return situation.canonical(link.value, link.kind)


def _is_shown(value: str, link: Link, situation: Situation) -> bool:
    items = situation.espocrm.items(link.kind)
    return any(situation.canonical(item.value, link.kind) == value for item in items)


def _put(links: dict[str, Link], place: _Place, row: LinkRow) -> None:
    """``row`` in the place of the one that was there, as if it had always been."""
    link = links[place.link.key]
    others = [one for one in link.rows if one.id != place.row.id]
    given = sorted((*others, replace(row, tlf=place.row.tlf)), key=lambda one: one.id)
    links[link.key] = replace(link, rows=tuple(given))
