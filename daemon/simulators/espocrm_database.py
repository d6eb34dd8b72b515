"""The tables of the simulated EspoCRM, and saves that are no transactions (facts: EspoCRM §10).

A save is a list of statements. They run at once, or spread over `save_seconds` after `hook_seconds`: then whoever
reads in between sees half of it, and two saves of one record mix.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from daemon.simulators.espocrm_shared import MAIL, PHONE, Family, Owner, SharedValues, Statement
from daemon.simulators.wire import Clock, JsonObject

FAMILIES = (MAIL, PHONE)


@dataclass(slots=True)
class Saving:
    """How saves behave. Change it at any time; it counts for the saves that follow."""

    save_seconds: float = 0.0
    """Time between a save's first and last statement."""
    hook_seconds: float = 0.0
    """Time that hooks need before the first statement; `modifiedAt` is older by that much (§1.2)."""
    merge: bool = True
    """Two saves of one record at the same time mix (as it is); False finishes the earlier one first."""

    @property
    def seconds(self) -> float:
        """How long the client waits for the answer."""
        return self.hook_seconds + self.save_seconds


@dataclass(order=True, slots=True)
class _Due:
    at: float
    number: int
    owner: Owner = field(compare=False)
    statement: Statement = field(compare=False)


class Database:
    """Records by entity type, the shared values, and the statements still to run."""

    def __init__(self, clock: Clock, chance: random.Random) -> None:
        self.saving = Saving()
        self.tables: dict[str, dict[str, JsonObject]] = {}
        self._clock = clock
        self._chance = chance
        self._due: list[_Due] = []
        self._count = 0
        self._last_id = 0
        self.shared: dict[str, SharedValues] = {
            family.scalar: SharedValues(family, self.new_id) for family in FAMILIES
        }

    def new_id(self) -> str:
        """17 hex digits, the time of creation first; never twice the same."""
        now = self._clock()
        micro = int((now % 1) * 1e6)
        drawn = (int(now) & 0xFFFFFFFF) << 36 | micro << 16 | self._chance.getrandbits(16)
        self._last_id = max(drawn, self._last_id + 1)  # thousands can be made in one instant
        return f"{self._last_id:017x}"

    def table(self, entity: str) -> dict[str, JsonObject]:
        """All rows of an entity by id, deleted ones included."""
        return self.tables.setdefault(entity, {})

    def values(self, family: Family) -> SharedValues:
        """The table of phone numbers or mail addresses."""
        return self.shared[family.scalar]

    def live(self, entity: str) -> Iterable[JsonObject]:
        """The rows that are not deleted."""
        return (row for row in self.table(entity).values() if not row["deleted"])

    def save(self, owner: Owner, statements: list[Statement]) -> float:
        """Run a save's statements now or bit by bit; returns the seconds until the last one is through."""
        if not self.saving.seconds:
            for statement in statements:
                statement()
            return 0.0
        self._spread(owner, statements)
        self.settle()
        return self.saving.seconds

    def _spread(self, owner: Owner, statements: list[Statement]) -> None:
        start = self._clock() + self.saving.hook_seconds
        step = self.saving.save_seconds / max(1, len(statements) - 1)
        for place, statement in enumerate(statements):
            self._count += 1
            heapq.heappush(self._due, _Due(start + place * step, self._count, owner, statement))

    def prepare(self, owner: Owner) -> None:
        """Before a save reads: without `merge`, finish what is still running on the record."""
        if self.saving.merge or not any(due.owner == owner for due in self._due):
            return
        mine = sorted(due for due in self._due if due.owner == owner)
        self._due = [due for due in self._due if due.owner != owner]
        heapq.heapify(self._due)
        for due in mine:
            due.statement()

    def settle(self) -> None:
        """Run what is due by the clock. Called before every read."""
        now = self._clock()
        while self._due and self._due[0].at <= now:
            heapq.heappop(self._due).statement()

    def finish(self) -> None:
        """Run everything that is still to run, whatever the clock says."""
        while self._due:
            heapq.heappop(self._due).statement()

    def busy(self, owner: Owner | None = None) -> bool:
        """Whether a save (of this record) is still under way."""
        self.settle()
        return any(owner in (None, due.owner) for due in self._due)
