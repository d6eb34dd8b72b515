"""``undo --to`` and ``undo --since``: what was written since a moment, or in a window, taken back entry by entry.

First a list of what would be done, then the same carried out: each line becomes a wish, that is an ordinary edit of one
side with its own history, and the next sync carries it to the other. What cannot be taken back is listed with its
reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from daemon.admin.chains import Chain, chains, value_of
from daemon.admin.desk import OPERATOR, tracked
from daemon.admin.undo import anew, back
from daemon.outside import Outside
from statemachine.case import Case, Wish, Write
from statemachine.model import Link, Side
from statemachine.normalize import canonical

_AT_ONCE = 1000
_NEW_ROW = "Advoware gets a new row or an empty slot of this kind, not the old row"
_NEW_ENTRY = (
    "the row in Advoware will be a new one, its kind from the type in EspoCRM; staff's remark is lost there"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry. ``wish`` None: it is left alone, ``remark`` says why; else ``remark`` says what does not come back."""

    espocrm_id: str
    bet_nr: int
    side: Side
    kind: str
    now: str | None
    then: str | None
    does: str
    remark: str = ""
    wish: Wish | None = None

    def as_json(self) -> dict[str, Any]:
        shown = ("bet_nr", "side", "kind", "now", "then", "does", "remark")
        return {**{name: getattr(self, name) for name in shown}, "possible": self.wish is not None}


@dataclass(frozen=True, slots=True)
class Window:
    """Unix seconds, ``until`` not included. ``side``, ``bet_nr``: only what was written there, only of this one."""

    since: float
    until: float
    side: Side | None = None
    bet_nr: int | None = None


async def plan(desk: Outside, window: Window) -> list[Line]:
    """By betNr; nothing is written or asked for. Raises NotPossible for a betNr that is not tracked."""
    if window.bet_nr is not None:
        await tracked(desk.store, window.bet_nr)
    region = desk.settings.sync.default_region
    lines: list[Line] = []
    for (espocrm_id, bet_nr), writes in sorted(
        (await _written(desk, window)).items(), key=lambda one: one[0][1]
    ):
        person = await desk.store.person(espocrm_id)
        if person is None or person.bet_nr != bet_nr:
            lines += [
                _left_alone(espocrm_id, bet_nr, one, "not tracked any more") for one in chains(writes, region)
            ]
            continue
        case = await desk.store.case(espocrm_id, bet_nr, 0.0)
        found = (
            line for one in chains(writes, region) for line in _lines(espocrm_id, bet_nr, one, case, region)
        )
        asked = [replace(wish, id=0) for wish in case.wishes]
        lines += [_none(line, "asked for already") if line.wish in asked else line for line in found]
    return _once_each(lines)


async def carry_out(desk: Outside, lines: list[Line]) -> int:
    """How many entries the next syncs will change."""
    asked = 0
    for line in lines:
        if line.wish is not None:
            person = await desk.store.add_wish(line.espocrm_id, line.wish, by=OPERATOR)
            asked += person is not None
    return asked


async def _written(desk: Outside, window: Window) -> dict[tuple[str, int], list[Write]]:
    """(EspoCRM id, betNr) → writes, oldest first."""
    found: dict[tuple[str, int], list[Write]] = {}
    after = (window.since, 0)
    while page := await desk.store.writes_between(after, window.until, _AT_ONCE):
        for espocrm_id, bet_nr, write in page:
            if window.side in (None, write.side) and window.bet_nr in (None, bet_nr):
                found.setdefault((espocrm_id, bet_nr), []).append(write)
        after = (page[-1][2].at, page[-1][2].id)
    return found


def _lines(espocrm_id: str, bet_nr: int, chain: Chain, case: Case, region: str) -> Iterator[Line]:
    if not chain.left:
        yield from _anew(espocrm_id, bet_nr, chain, case, region)
        return
    link = _showing(chain.left, chain.first, case, region)
    if link is None:
        yield _left_alone(espocrm_id, bet_nr, chain, "the entry shows something else now")
        return
    first = chain.first
    shown = link.value if first.side is Side.ESPOCRM else link.rows[0].tlf
    then = value_of(first.before) or None
    wish = back(first, first.before, link.key, shown)
    does = "put back" if then else "taken away"
    yield Line(espocrm_id, bet_nr, first.side, first.kind.value, shown, then, does, wish=wish)


def _anew(espocrm_id: str, bet_nr: int, chain: Chain, case: Case, region: str) -> Iterator[Line]:
    """One line per row that was emptied: Advoware may hold a number as phone and as fax."""
    first = chain.first
    if _showing(chain.began, first, case, region) is not None:
        yield _left_alone(espocrm_id, bet_nr, chain, "its old value is there already")
        return
    for ended in chain.emptied if first.side is Side.ADVOWARE else chain.emptied[:1]:
        here = ended if ended.side is first.side else first
        shown = here.before or first.before
        if shown is None or first.before is None:
            continue
        wish = anew(replace(here, side=first.side), replace(shown, value=first.before.value))
        remark = _NEW_ROW if first.side is Side.ADVOWARE else _NEW_ENTRY
        yield Line(
            espocrm_id, bet_nr, first.side, first.kind.value, None, wish.value, "created anew", remark, wish
        )  # fmt: skip


def _showing(value: str, write: Write, case: Case, region: str) -> Link | None:
    """The link whose entry on the side of that write holds this canonical value."""
    for link in case.base.links:
        here = link.value if write.side is Side.ESPOCRM else link.rows[0].tlf if link.rows else ""
        if link.kind is write.kind and canonical(here, link.kind, region) == value:
            return link
    return None


def _left_alone(espocrm_id: str, bet_nr: int, chain: Chain, why: str) -> Line:
    first = chain.first
    then = value_of(first.before) or None
    return Line(espocrm_id, bet_nr, first.side, first.kind.value, None, then, "nothing", why)


def _none(line: Line, why: str) -> Line:
    return replace(line, wish=None, does="nothing", remark=why)


def _once_each(lines: list[Line]) -> list[Line]:
    """Two chains may end in one entry; it can get one value only."""
    taken: set[tuple[str, str]] = set()
    found = []
    for line in lines:
        key = (line.espocrm_id, line.wish.link_key) if line.wish and line.wish.link_key else None
        found.append(_none(line, "the same entry is in another line") if key in taken else line)
        if key is not None:
            taken.add(key)
    return found
