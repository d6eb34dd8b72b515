"""The base moves link by link, and only from what was read (sync rules §8, §3).

Called by plan at the end of every round; the shell stores the result of the last one. A link advances when both sides
show the same canonical value now; a parked, pending, held or disputed one keeps its old base; a link goes only
when both sides were read without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from statemachine import kommkz, looks
from statemachine.case import Outcome, Variant, Write
from statemachine.diff import Change, Difference
from statemachine.doubles import younger_double
from statemachine.draft import PASSING, Draft, equal
from statemachine.model import Base, Item, Kind, Link, LinkRow, Side
from statemachine.pairing import Tie
from statemachine.situation import Situation, subject


def advance(draft: Draft) -> Base:
    """The base after this round. ``first`` ends when nothing waits for a second look any more."""
    links: list[Link] = []
    counter = draft.base.counter
    for d in draft.diff.differences:
        if d.tie.link is not None and not _over(d, draft):
            keeps = d.tie.link.key in draft.keeps_base or not equal(draft, d.tie)
            links.append(d.tie.link if keeps else _moved(d.tie, d.tie.link, draft))
        elif d.tie.link is None and equal(draft, d.tie):
            counter += 1
            links.append(_agreed(d.tie, f"L{counter}", draft.s))
    return replace(
        draft.base,
        links=tuple(links),
        counter=counter,
        stamp=draft.base.stamp if _type_waits(draft) else draft.s.espocrm.modified_at,
        by_marker=tuple(row.id for e in draft.entries if e.tie.via_marker for row in e.tie.rows),
        first=draft.base.first and (bool(draft.again) or any(e.problem in PASSING for e in draft.entries)),
    )


def agreed_so_far(before: Base, after: Base) -> Base | None:
    """``before`` with all that ``after`` knows better, for the store before anything is written: if the run then breaks
    off and one side is edited, the other one is known not to have changed. What ended is kept, and so is what only the
    end of a run may change. None: nothing new."""
    held = {row.id for link in after.links for row in link.rows}
    still = {link.key for link in after.links}
    ended = (link for link in before.links if link.key not in still)
    links = (*after.links, *(link for link in ended if not any(row.id in held for row in link.rows)))
    if {_essence(link) for link in links} == {_essence(link) for link in before.links}:
        return None
    return replace(before, links=links, counter=after.counter)


def with_types(base: Base, shown: Mapping[str, str | None], canonical: Callable[[str, Kind], str]) -> Base:
    """The base with the types that EspoCRM shows now, by canonical number; nobody of ours has changed them."""
    links: list[Link] = []
    for link in base.links:
        type_ = shown.get(canonical(link.value, link.kind)) if link.kind is Kind.PHONE else None
        foreign = type_ is not None and type_ != link.type
        links.append(replace(link, type=type_, derived_type=False) if foreign else link)
    return replace(base, links=tuple(links))


def _essence(link: Link) -> tuple[str, str, str | None, tuple[tuple[int, str], ...]]:
    return link.key, link.value, link.type, tuple((row.id, row.tlf) for row in link.rows)


def _type_waits(draft: Draft) -> bool:
    """A user's wish for another type that could not be carried out yet must still look like one next time (§5)."""
    ties = (d.tie for d in draft.diff.differences if d.tie.link and d.tie.link.key in draft.keeps_base)
    return any(tie.item is not None and tie.link and tie.item.type != tie.link.type for tie in ties)


def _over(d: Difference, draft: Draft) -> bool:
    return (d.advoware, d.espocrm) == (Change.GONE, Change.GONE) or d.tie.agreed.key in draft.merges


def _moved(tie: Tie, link: Link, draft: Draft) -> Link:
    moved = _agreed(tie, link.key, draft.s)
    return replace(moved, primary=link.primary) if link.key in draft.keeps_primary else moved


def _agreed(tie: Tie, key: str, situation: Situation) -> Link:
    item = tie.shown
    # the second row of a POST that was sent twice is known by being in no base, so it must not come into one (§8)
    double = younger_double(tie, situation)
    held = [row.linked() for row in tie.rows if row is not double]
    rows = sorted((*held, *_hidden(tie, situation)), key=lambda row: row.id)
    return Link(
        key,
        tie.kind,
        item.value,
        item.type,
        item.primary,
        item.opt_out,
        item.invalid,
        tuple(rows),
        _derived(tie, item, situation),
    )


def _hidden(tie: Tie, situation: Situation) -> list[LinkRow]:
    """A row leaves silently where others stand for the entry (§4.1), but not because of one truncated list (§9)."""
    if tie.link is None or looks.ROWS in situation.settled:
        return []
    shown = {row.id for row in situation.advoware.rows}
    return [row for row in tie.link.rows if row.id in tie.gone_rows and row.id not in shown]


def _derived(tie: Tie, item: Item, situation: Situation) -> bool:
    """We made up the type from a guess, and it is still the guessed one."""
    if tie.rows[0].certain or item.type is None or kommkz.to_espocrm_type(tie.rows[0].komm_kz) != item.type:
        return False
    if tie.link is not None:
        return tie.link.derived_type and tie.link.type == item.type
    gives = subject(Side.ESPOCRM, item.kind, situation.canonical(item.value, item.kind))
    return any(w.variant is Variant.VAR4 and _came(w) and w.gives == gives for w in situation.case.writes)


def _came(write: Write) -> bool:
    return write.outcome in (Outcome.DONE, Outcome.UNKNOWN, None)
