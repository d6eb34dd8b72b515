"""A turn: one transaction on SQLite's thread, with all that its functions may use.

Most other modules of the store are made of plain functions that take a turn; they run from BEGIN to COMMIT in one hop
and must not await, wait or call anybody outside the core.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from daemon.ports import Random
from statemachine.standing import Schedule
from statemachine.states import State, Trigger

#: What one column of SQLite may hold. Rows come back as tuples of it; typing them further is the reader's business.
Row = tuple[Any, ...]


class Moved(NamedTuple):
    """One transition of one person, for the counts and the metrics."""

    source: State | None
    target: State | None
    trigger: Trigger


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for the life of a store. ``region``: [default_region]; ``history_seconds``: [history_days]."""

    schedule: Schedule
    region: str
    history_seconds: float


@dataclass(frozen=True, slots=True)
class Turn:
    """``now``: wall clock when the transaction was asked for. ``moved`` is filled by :mod:`daemon.store.people`."""

    sql: sqlite3.Connection
    now: float
    rules: Rules
    random: Random
    moved: list[Moved] = field(default_factory=list)

    def rows(self, statement: str, *values: object) -> list[Row]:
        return self.sql.execute(statement, values).fetchall()

    def row(self, statement: str, *values: object) -> Row | None:
        found: Row | None = self.sql.execute(statement, values).fetchone()
        return found

    def number(self, statement: str, *values: object) -> int:
        """The first column of the first row; 0 when there is none."""
        found = self.row(statement, *values)
        return int(found[0]) if found is not None and found[0] is not None else 0

    def do(self, statement: str, *values: object) -> int:
        """How many rows it changed."""
        return self.sql.execute(statement, values).rowcount

    def insert(self, statement: str, *values: object) -> int:
        """The id of the new row."""
        return self.sql.execute(statement, values).lastrowid or 0

    def many(self, statement: str, rows: Iterable[Row]) -> None:
        self.sql.executemany(statement, rows)


def body(value: object) -> str:
    """A value of the core as JSON text, the same text for equal values."""
    return msgspec.json.encode(value).decode()
