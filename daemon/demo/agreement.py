"""Do both sides agree? Asked of the two worlds' truth, not of the daemon's memory.

Used by :mod:`daemon.demo.show`. What cannot be synced is excused, with its reason; everything else must be equal.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from daemon.demo.firm import Firm
from daemon.simulators.espocrm import MAIL, PHONE
from daemon.simulators.people import Pair
from daemon.store import SqliteStore
from statemachine import marker, normalize
from statemachine.model import Kind, Side

_INTERNET = 5
_REGION = "DE"

#: (kind, canonical value)
Values = frozenset[tuple[Kind, str]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """``entries``: values that both sides hold. ``excused``: reason → how many values live on one side only.
    ``differ``: what should be equal and is not, one sentence each."""

    people: int
    entries: int
    excused: Counter[str]
    differ: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.differ


async def compare(firm: Firm, store: SqliteStore) -> Agreement:
    """Everybody, in truth."""
    entries, excused, differ = 0, Counter[str](), []
    for pair in firm.pairs:
        here, there = _in_espocrm(firm, pair), _in_advoware(firm, pair)
        entries += len(here & there)
        differ += _doubled(firm, pair)
        if here == there:
            continue
        reasons = await _excuses(firm, store, pair)
        for side, value in (
            *((Side.ESPOCRM, v) for v in here - there),
            *((Side.ADVOWARE, v) for v in there - here),
        ):
            if value in reasons:
                excused[reasons[value]] += 1
            else:
                differ.append(f"betNr {pair.bet_nr}: {value[1]} is only in {side}")
    return Agreement(len(firm.pairs), entries, excused, tuple(differ))


async def _excuses(firm: Firm, store: SqliteStore, pair: Pair) -> dict[tuple[Kind, str], str]:
    """Values that the other side would refuse, and what belonged to them before somebody made them so."""
    case = await store.case(pair.espocrm_id, pair.bet_nr, 0.0)
    reasons = {_value(one.value): one.reason for one in case.unsyncable}
    linked = {one.link_key: one.reason for one in case.unsyncable if one.link_key}
    halves = {_value(link.value): linked[link.key] for link in case.base.links if link.key in linked}
    return {**_named_by_markers(firm, pair, reasons), **halves, **reasons}


def _named_by_markers(
    firm: Firm, pair: Pair, reasons: dict[tuple[Kind, str], str]
) -> dict[tuple[Kind, str], str]:
    """EspoCRM's values whose rows in Advoware, by their markers, show something that EspoCRM would refuse."""
    named: dict[tuple[Kind, str], str] = {}
    for row in firm.advoware.rows(pair.bet_nr):
        reason = reasons.get(_value(row.tlf or ""))
        mark = marker.read(row.bemerkung or "")[0] if reason else None
        if mark is not None and reason is not None:
            named |= {_value(text): reason for text in _shown(firm, pair) if marker.matches(mark, text)}
    return named


def _in_espocrm(firm: Firm, pair: Pair) -> Values:
    return frozenset(_value(value) for value in _shown(firm, pair))


def _shown(firm: Firm, pair: Pair) -> list[str]:
    record = firm.espocrm.person(pair.espocrm_id)
    return [str(item[family.scalar]) for family in (PHONE, MAIL) for item in record[family.data]]


def _in_advoware(firm: Firm, pair: Pair) -> Values:
    rows = firm.advoware.rows(pair.bet_nr)
    return frozenset(
        _value(row.tlf) for row in rows if row.tlf and row.tlf.strip() and row.komm_kz != _INTERNET
    )


def _doubled(firm: Firm, pair: Pair) -> list[str]:
    counted = Counter(map(_value, _shown(firm, pair)))
    return [f"betNr {pair.bet_nr}: {value[1]} is doubled in espocrm" for value, n in counted.items() if n > 1]


def _value(text: str) -> tuple[Kind, str]:
    kind = Kind.EMAIL if "@" in text else Kind.PHONE
    return kind, normalize.canonical(text, kind, _REGION)
