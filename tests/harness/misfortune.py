"""What goes wrong between the daemon and a side in one history: kinds, how often, until when. All from one seed.

The menu of faults is quality.md's. A fault is data; :mod:`tests.harness.wire` lets it happen.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

READS = (
    "not_sent",
    "drop_before",
    "drop_after",
    "timeout_before",
    "error_500",
    "error_502",
    "error_503",
    "throttled",
    "unauthorized",
    "garbage",
    "incomplete",
    "cut",
    "stale",
    "slow",
)
WRITES = (
    "not_sent",
    "drop_before",
    "drop_after",
    "timeout_before",
    "timeout_after",
    "late",
    "error_500",
    "error_500_after",
    "error_502",
    "error_502_after",
    "error_503",
    "throttled",
    "unauthorized",
    "garbage_after",
    "slow",
    "foreign_before",
)
#: Faults after which a record may rightly count an attempt: they are about this record, not about the side.
BLAMES_RECORD = frozenset(
    {
        "drop_before",
        "drop_after",
        "timeout_before",
        "error_500",
        "garbage",
        "incomplete",
        "slow",
        "garbage_after",
        "error_500_after",
        "timeout_after",
        "late",
        "error_502_after",
        "error_502",
    }
)


@dataclass(slots=True)
class Mood:
    """``reads``/``writes``: kind → chance per request. ``dies``: chance per effect that the process is killed there.
    ``until``: virtual second from which on all is well."""

    reads: dict[str, float] = field(default_factory=dict)
    writes: dict[str, float] = field(default_factory=dict)
    dies: float = 0.0
    until: float = 0.0

    @classmethod
    def drawn(cls, chance: random.Random, until: float, *, dense: bool = False) -> Mood:
        """Some histories know a few kinds of trouble, some know all, some none. ``dense``: much in a short time."""
        style = chance.random()
        if style < 0.1:
            return cls(until=until)
        share = 1.0 if style < 0.4 else chance.choice((0.1, 0.25, 0.5))
        rate = chance.choice((0.02, 0.05, 0.15) if dense else (0.005, 0.02, 0.05))
        reads = {kind: rate * chance.random() for kind in READS if chance.random() < share}
        if chance.random() < 0.3:
            reads["cut"] = chance.choice((0.05, 0.2))
        writes = {kind: 4 * rate * chance.random() for kind in WRITES if chance.random() < share}
        dies = chance.choice((0.0, 0.0, 0.01, 0.03) if dense else (0.0, 0.0, 0.002, 0.01))
        return cls(reads, writes, dies, until)

    def pick(self, chance: random.Random, method: str, now: float) -> str | None:
        rates = self.reads if method == "GET" else self.writes
        if now >= self.until or not rates:
            return None
        drawn = chance.random()
        for kind, rate in rates.items():
            if drawn < rate:
                return kind
            drawn -= rate
        return None
