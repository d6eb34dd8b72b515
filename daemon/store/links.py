"""The base of a pair and its links; who else holds a value.

A base is written link by link: what did not change costs nothing. The canonical form is the core's, kept in a column
so that looking for the holders of a value is a step in an index.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from daemon.store.turn import Turn, body
from statemachine import normalize
from statemachine.case import Shown
from statemachine.model import Base, Kind, Link, Side

LINK = msgspec.json.Decoder(Link)
_BASE = msgspec.json.Decoder(Base)
HOLDERS = (
    "SELECT l.espocrm_id, l.body FROM links l JOIN persons p USING (espocrm_id, bet_nr)"
    " WHERE l.kind = ? AND l.canonical = ? AND l.espocrm_id <> ?"
)


def read(turn: Turn, espocrm_id: str, bet_nr: int) -> Base | None:
    """The base of the pair, kept aside or not; None when nothing is known of it."""
    pair = turn.row("SELECT body FROM pairs WHERE espocrm_id = ? AND bet_nr = ?", espocrm_id, bet_nr)
    if pair is None:
        return None
    rows = turn.rows(
        "SELECT body FROM links WHERE espocrm_id = ? AND bet_nr = ? ORDER BY place", espocrm_id, bet_nr
    )
    return replace(_BASE.decode(pair[0]), links=tuple(LINK.decode(row[0]) for row in rows))


def write(turn: Turn, espocrm_id: str, bet_nr: int, base: Base) -> None:
    """Replaces the base of the pair. A pair that nobody is tracked under stays (or is put) aside."""
    _open_pair(turn, espocrm_id, bet_nr)
    known: dict[str, str] = dict(
        turn.rows(
            "SELECT key, place || body FROM links WHERE espocrm_id = ? AND bet_nr = ?", espocrm_id, bet_nr
        )
    )
    for place, link in enumerate(base.links):
        text = body(link)
        if known.pop(link.key, None) != f"{place}{text}":
            _put(turn, espocrm_id, bet_nr, place, link, text)
    turn.many(
        "DELETE FROM links WHERE espocrm_id = ? AND bet_nr = ? AND key = ?",
        ((espocrm_id, bet_nr, key) for key in known),
    )
    _resize(turn, espocrm_id, bet_nr, "links", len(base.links))
    turn.do(
        "UPDATE pairs SET body = ?3 WHERE espocrm_id = ?1 AND bet_nr = ?2 AND body <> ?3",
        espocrm_id, bet_nr, body(replace(base, links=())),
    )  # fmt: skip


def _open_pair(turn: Turn, espocrm_id: str, bet_nr: int) -> None:
    tracked = turn.row("SELECT 1 FROM persons WHERE espocrm_id = ? AND bet_nr = ?", espocrm_id, bet_nr)
    turn.do(
        "INSERT INTO pairs (espocrm_id, bet_nr, body, kept_until) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        espocrm_id, bet_nr, body(Base()), None if tracked else turn.now + turn.rules.history_seconds,
    )  # fmt: skip


def _put(turn: Turn, espocrm_id: str, bet_nr: int, place: int, link: Link, text: str) -> None:
    canonical = normalize.canonical(link.value, link.kind, turn.rules.region)
    turn.do(
        "INSERT OR REPLACE INTO links (espocrm_id, bet_nr, key, place, kind, canonical, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        espocrm_id, bet_nr, link.key, place, link.kind, canonical, text,
    )  # fmt: skip


def set_empty_slots(turn: Turn, espocrm_id: str, bet_nr: int, number: int) -> None:
    """How many empty slots the last read showed."""
    _resize(turn, espocrm_id, bet_nr, "empty_slots", number)


def _resize(turn: Turn, espocrm_id: str, bet_nr: int, column: str, number: int) -> None:
    where = "WHERE espocrm_id = ? AND bet_nr = ?"
    before = turn.row(f"SELECT {column}, kept_until FROM pairs {where}", espocrm_id, bet_nr)  # noqa: S608 - ours
    if before is None or before[0] == number:
        return
    turn.do(f"UPDATE pairs SET {column} = ? {where}", number, espocrm_id, bet_nr)  # noqa: S608 - ours
    if before[1] is None:
        _add(turn, column, number - before[0])


def _add(turn: Turn, name: str, number: int) -> None:
    if number:
        turn.do("UPDATE totals SET number = number + ? WHERE name = ?", number, name)


def total(turn: Turn, name: str) -> int:
    """``links`` or ``empty_slots`` of everybody who is tracked."""
    return turn.number("SELECT number FROM totals WHERE name = ?", name)


def put_aside(turn: Turn, espocrm_id: str, bet_nr: int, asked: tuple[Side, ...] = ()) -> None:
    """Nobody is tracked under this pair any more: kept [history_days], not counted (§7). ``asked``: sides whose
    emptying waits for a human; he is asked again when the pair is back (§9)."""
    _ask_later(turn, espocrm_id, bet_nr, asked)
    _switch(turn, espocrm_id, bet_nr, turn.now + turn.rules.history_seconds, -1)


def give_up(turn: Turn, espocrm_id: str, bet_nr: int) -> None:
    """A base kept aside that is valid no more: when the betnr changes back that is asked about like any change (§7)."""
    pair = turn.row(
        "SELECT 1 FROM pairs WHERE espocrm_id = ? AND bet_nr = ? AND kept_until IS NOT NULL",
        espocrm_id,
        bet_nr,
    )
    if pair is not None:
        turn.do("DELETE FROM links WHERE espocrm_id = ? AND bet_nr = ?", espocrm_id, bet_nr)
        turn.do(
            "DELETE FROM vanished WHERE espocrm_id = ? AND bet_nr = ? AND hold <> 'carried'",
            espocrm_id,
            bet_nr,
        )
        turn.do("DELETE FROM pairs WHERE espocrm_id = ? AND bet_nr = ?", espocrm_id, bet_nr)


def take_up(turn: Turn, espocrm_id: str, bet_nr: int) -> tuple[Side, ...]:
    """The pair is tracked (again): a base kept aside is valid again, otherwise an empty one begins. Returns the sides
    about which a question was open."""
    _open_pair(turn, espocrm_id, bet_nr)
    _switch(turn, espocrm_id, bet_nr, None, 1)
    return _ask_later(turn, espocrm_id, bet_nr, ())


def _ask_later(turn: Turn, espocrm_id: str, bet_nr: int, sides: tuple[Side, ...]) -> tuple[Side, ...]:
    """Returns what was noted before."""
    where = "WHERE espocrm_id = ? AND bet_nr = ?"
    pair = turn.row(f"SELECT body FROM pairs {where}", espocrm_id, bet_nr)  # noqa: S608 - ours
    if pair is None:
        return ()
    base = _BASE.decode(pair[0])
    if base.asked != sides:
        turn.do(f"UPDATE pairs SET body = ? {where}", body(replace(base, asked=sides)), espocrm_id, bet_nr)  # noqa: S608
    return base.asked


def _switch(turn: Turn, espocrm_id: str, bet_nr: int, kept_until: float | None, sign: int) -> None:
    where = "WHERE espocrm_id = ? AND bet_nr = ?"
    pair = turn.row(f"SELECT links, empty_slots, kept_until FROM pairs {where}", espocrm_id, bet_nr)  # noqa: S608
    if pair is None or (pair[2] is None) == (kept_until is None):
        return
    turn.do(f"UPDATE pairs SET kept_until = ? {where}", kept_until, espocrm_id, bet_nr)  # noqa: S608 - ours
    _add(turn, "links", sign * pair[0])
    _add(turn, "empty_slots", sign * pair[1])


def agreed(turn: Turn, espocrm_id: str, bet_nr: int) -> bool:
    """Whether anything was ever agreed under this pair."""
    base = turn.row("SELECT body FROM pairs WHERE espocrm_id = ? AND bet_nr = ?", espocrm_id, bet_nr)
    return base is not None and not _BASE.decode(base[0]).first


def youngest_aside(turn: Turn, espocrm_id: str) -> int | None:
    """The betNr this record was last agreed with, of the bases kept aside."""
    rows = turn.rows(
        "SELECT bet_nr FROM pairs WHERE espocrm_id = ? AND kept_until IS NOT NULL ORDER BY kept_until DESC",
        espocrm_id,
    )
    return next((row[0] for row in rows if agreed(turn, espocrm_id, row[0])), None)


def holders(turn: Turn, kind: Kind, canonical: str, besides: str) -> list[tuple[str, Shown]]:
    """Other tracked persons whose base holds the value, with the item as of the base."""
    rows = turn.rows(HOLDERS, kind, canonical, besides)
    return [(row[0], _shown(LINK.decode(row[1]))) for row in rows]


def _shown(link: Link) -> Shown:
    return Shown(link.value, type=link.type, primary=link.primary, opt_out=link.opt_out, invalid=link.invalid)


def judge_values_again(turn: Turn, made_by: str) -> int:
    """Canonical forms that other rules made (region, metadata of numbers) are made anew; returns how many changed."""
    before = turn.row("SELECT value FROM notes WHERE name = 'canonical'")
    if before is not None and before[0] == made_by:
        return 0
    changed = 0
    for espocrm_id, bet_nr, key, old, text in turn.rows(
        "SELECT espocrm_id, bet_nr, key, canonical, body FROM links"
    ):
        link = LINK.decode(text)
        new = normalize.canonical(link.value, link.kind, turn.rules.region)
        if new != old:
            changed += turn.do(
                "UPDATE links SET canonical = ? WHERE espocrm_id = ? AND bet_nr = ? AND key = ?",
                new, espocrm_id, bet_nr, key,
            )  # fmt: skip
    turn.do("INSERT OR REPLACE INTO notes (name, value) VALUES ('canonical', ?)", made_by)
    return changed
