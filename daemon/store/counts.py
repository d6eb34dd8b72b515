"""How many persons are in which state, kept in memory.

Lives on SQLite's thread. Counting everybody takes tens of milliseconds, so it happens at the start and when another
process has written to the file; our own moves are added as they are committed.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable

from daemon.store.turn import Moved
from statemachine.states import State

COUNT = "SELECT state, count(*) FROM persons GROUP BY state"


class Counts:
    """One per connection."""

    def __init__(self) -> None:
        self._numbers: Counter[State] = Counter()
        self._version: int | None = None

    def add(self, moved: Iterable[Moved]) -> None:
        """Moves that are committed."""
        for source, target, _ in moved:
            if source is not None:
                self._numbers[source] -= 1
            if target is not None:
                self._numbers[target] += 1

    def read(self, sql: sqlite3.Connection) -> dict[State, int]:
        """All six states. ``data_version`` changes only when somebody else has committed."""
        version = sql.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._numbers = Counter({State(state): number for state, number in sql.execute(COUNT)})
            self._version = version
        return {state: self._numbers[state] for state in State}
