"""Everything one decision is made from, as one frozen value: both sides as read, the case file, the rules.

Built by ``daemon/sync.py`` before each planning round, read by rows, pairing, diff and plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from statemachine import looks, normalize
from statemachine.case import Case, Pending, Shown
from statemachine.model import AdvowareRecord, EspocrmRecord, Kind, Side
from statemachine.rules import Rules

#: A canonical value with the array it belongs to.
Value = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Situation:
    """``settled``: names of the parts (looks) of which this run began with a settled read. ``holders``: what was
    found when the present holder of a value was looked up, None: nobody. ``asked``/``shared``: of which values it was
    asked whether another tracked Beteiligte holds them, and which are. ``refused``: subject → reason, for what was
    answered 400 in this run; ``one_at_a_time``: to find out which change of an array it was (§8).
    ``stamp``: now, in UTC, as EspoCRM writes it."""

    espocrm: EspocrmRecord
    advoware: AdvowareRecord
    case: Case
    rules: Rules
    now: float
    stamp: str = ""
    settled: frozenset[str] = frozenset()
    holders: Mapping[Value, Shown | None] = field(default_factory=dict)
    shared: frozenset[Value] = frozenset()
    asked: frozenset[Value] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    one_at_a_time: bool = False

    def canonical(self, value: str, kind: Kind) -> str:
        return normalize.canonical(value, kind, self.rules.region)

    def second_look(self, key: str, side: Side) -> tuple[Pending, bool]:
        """The first look that showed ``key`` gone from ``side``, and whether this one confirms it (§9)."""
        look = self.espocrm if side is Side.ESPOCRM else self.advoware
        pending = (one for one in self.case.pending if not self._was_given_back(one))
        return looks.second_look(pending, key, side, look, self.rules.deletion_confirm)

    def _was_given_back(self, mark: Pending) -> bool:
        """What was missing got a row from us since then, and the list does not show that row: it may be truncated, and
        the look before our write is no first look at what came of it. (In EspoCRM such a write has not taken, §8.)"""
        shown = {row.id for row in self.advoware.rows}
        return mark.side is Side.ADVOWARE and any(
            (write.side, write.link_key) == (mark.side, mark.link_key)
            and write.at >= mark.since
            and write.may_have_come
            and write.after is not None
            and bool(write.after.value)
            and write.advoware_id not in shown
            for write in self.case.writes
        )


def subject(side: Side, kind: Kind, canonical: str) -> str:
    """The name of a value that is to be given to one side: for refusals, parking and the loop breaker."""
    return f"{side}:{kind}:{canonical}"


def removal(side: Side, kind: Kind, canonical: str) -> str:
    """The name of taking a value away from one side."""
    return f"{side}:{kind}:-{canonical}"
