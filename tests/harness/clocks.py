"""Time cannot hurt: the same history with other clocks writes the same.

A history of edits without faults is lived through twice: with right clocks, and with partners' clocks that are wrong by
up to 26 hours, drift, or jump. What was written to whom, in which order, must be equal, sync stamps apart.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from datetime import UTC, datetime

from tests.harness.history import drawn, play
from tests.harness.misfortune import Mood
from tests.harness.town import Plan, Town
from tests.harness.virtual import BEGINNING

Clocks = tuple[tuple[float, str, float], ...]

#: Fields that hold moments, or hashes of random row ids.
_STAMPS = ("advowareLastSync", "kommunikationHash", "syncNextRetry", "syncAutoResetAt")


def _drifting(whose: str, per_hour: float) -> Clocks:
    return tuple((float(t), whose, t / 3600 * per_hour) for t in range(0, 600, 10))


def _night(year: int, month: int, day: int) -> float:
    """Seconds from the beginning of the histories to 00:58 UTC of that night, just before Berlin's clocks change."""
    return datetime(year, month, day, 0, 58, tzinfo=UTC).timestamp() - BEGINNING


#: By name; every clock is constant, drifting or jumping against the true time.
CLOCKS: dict[str, Clocks] = {
    "EspoCRM 26 h ahead": ((0.0, "espocrm", 26 * 3600.0),),
    "EspoCRM 26 h behind": ((0.0, "espocrm", -26 * 3600.0),),
    "Advoware 26 h ahead": ((0.0, "advoware", 26 * 3600.0),),
    "Advoware 26 h behind": ((0.0, "advoware", -26 * 3600.0),),
    "apart by two days": ((0.0, "advoware", -26 * 3600.0), (0.0, "espocrm", 26 * 3600.0)),
    "EspoCRM drifts": _drifting("espocrm", 30.0),
    "Advoware drifts": _drifting("advoware", -30.0),
    "EspoCRM jumps ahead": ((70.0, "espocrm", 3600.0),),
    "EspoCRM jumps back": ((70.0, "espocrm", -3600.0),),
    "Advoware jumps": ((50.0, "advoware", 7200.0), (90.0, "advoware", -7200.0)),
    "ours is wrong": ((0.0, "daemon", 26 * 3600.0), (0.0, "espocrm", -50.0)),
    "the night summer time ends": tuple(
        (0.0, who, _night(2026, 10, 25)) for who in ("espocrm", "advoware", "daemon")
    ),
    "the night summer time begins": tuple(
        (0.0, who, _night(2027, 3, 28)) for who in ("espocrm", "advoware", "daemon")
    ),
}


def plan_of(seed: int) -> Plan:
    """A calm history: people edit, nothing fails."""
    return replace(
        drawn(seed),
        people=2,
        mood=Mood(),
        outages=(),
        stops=(),
        clocks=(),
        operator=False,
        lose_store_at=None,
        active=160.0,
        edits=12,
        quiet_polls=3,
        settled_for=160.0,
    )


def written(seed: int, clocks: Clocks) -> tuple[list[str], list[str]]:
    """(violations, what was written in the end to each Beteiligter, in order)."""
    writes: list[str] = []

    def begin(town: Town) -> None:
        chance = random.Random(f"{seed}/edits")
        for n in range(town.plan.edits):
            # far enough apart that a poll or a sweep more or less changes nothing
            town.timeline.at(20.0 + n * 11.0 + chance.random(), town.office.edit)
        town.on_write = lambda side, method, path, body: writes.append(_plain(side, method, path, body))

    result = play(replace(plan_of(seed), clocks=clocks), begin=begin)
    return result.violations, writes


def _plain(side: str, method: str, path: str, body: bytes) -> str:
    told = json.loads(body or b"{}")
    for name in _STAMPS:
        told.pop(name, None)
    path = re.sub(r"/[0-9a-f]{17}$", "/*", path)  # ids begin with the moment of creation
    return f"{side} {method} {path} {json.dumps(told, sort_keys=True)}"
