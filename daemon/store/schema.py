"""The schema of the file: forward migrations from ``daemon/migrations/*.sql``, one transaction each.

``NNNN_name.sql`` brings a file from NNNN-1 to NNNN, kept in SQLite's ``user_version``. There is no way back: a file of
a newer kommsync is refused.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from daemon.store.errors import StoreTooNew, StoreTrouble

#: "KoSy" in the header of the file, so that we never take another program's database for ours.
APPLICATION_ID = 0x4B6F5379


@dataclass(frozen=True, slots=True)
class Step:
    """One migration."""

    version: int
    script: str


def steps(folder: Traversable | None = None) -> list[Step]:
    """All migrations, oldest first."""
    folder = files("daemon") / "migrations" if folder is None else folder
    scripts = sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=lambda one: one.name)
    return [Step(int(one.name[:4]), one.read_text(encoding="utf-8")) for one in scripts]


def missing(sql: sqlite3.Connection, known: list[Step]) -> list[Step]:
    """What this file still needs. Raises StoreTooNew, and StoreTrouble for another program's database."""
    version = sql.execute("PRAGMA user_version").fetchone()[0]
    newest = known[-1].version
    if version > newest:
        raise StoreTooNew(
            f"the store has schema {version}, this kommsync knows schemas up to {newest}:"
            " start the newer kommsync again, or restore a backup made before the update"
        )
    _check_ours(sql)
    return [step for step in known if step.version > version]


def _check_ours(sql: sqlite3.Connection) -> None:
    empty = sql.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not empty and sql.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreTrouble(
            "the file is another program's SQLite database: set store.path to a file of its own"
        )


def migrate(sql: sqlite3.Connection, wanted: list[Step]) -> None:
    """All or nothing per step; a step that fails leaves the file as it was."""
    for step in wanted:
        try:
            sql.executescript(
                f"BEGIN IMMEDIATE;\n{step.script}\nPRAGMA application_id = {APPLICATION_ID};"
                f" PRAGMA user_version = {step.version}; COMMIT;"
            )
        except sqlite3.Error as error:
            if sql.in_transaction:
                sql.execute("ROLLBACK")
            raise StoreTrouble(f"the migration to schema {step.version} failed: {error}") from error
