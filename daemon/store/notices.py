"""What people should see in EspoCRM: one Task per cause, closed when it is no longer wanted (sync rules §11).

A run says what it wants; whoever opens and closes the Tasks asks here and reports back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.store.turn import Turn
from statemachine.case import Notice


@dataclass(frozen=True, slots=True)
class StoredNotice:
    """A notice and its Task, if there is one."""

    id: int
    espocrm_id: str
    bet_nr: int
    notice: Notice
    task_id: str | None = None


_WISH_TOLD_SECONDS = 7 * 86400.0
_COLUMNS = "id, espocrm_id, bet_nr, cause, topic, detail, task_id"
TO_OPEN = f"SELECT {_COLUMNS} FROM notices WHERE wanted = 1 AND task_id IS NULL ORDER BY id LIMIT ?"  # noqa: S608
TO_CLOSE = f"SELECT {_COLUMNS} FROM notices WHERE wanted = 0 ORDER BY id LIMIT ?"  # noqa: S608 - ours


def replace_all(turn: Turn, espocrm_id: str, bet_nr: int, notices: Sequence[Notice]) -> None:
    """What a run still wants. What it no longer wants stays until its Task is closed. Of a wish that came to nothing no
    later run knows, so that is told for some time."""
    turn.do(
        "UPDATE notices SET wanted = 0 WHERE espocrm_id = ? AND NOT (cause LIKE 'wish:%' AND since > ?)",
        espocrm_id,
        turn.now - _WISH_TOLD_SECONDS,
    )
    for one in notices:
        want(turn, espocrm_id, bet_nr, one)
    turn.do("DELETE FROM notices WHERE espocrm_id = ? AND wanted = 0 AND task_id IS NULL", espocrm_id)


def want(turn: Turn, espocrm_id: str, bet_nr: int, one: Notice) -> None:
    """One more, until a run says what it still wants."""
    turn.do(
        "INSERT INTO notices (espocrm_id, bet_nr, cause, topic, detail, since, wanted) VALUES (?, ?, ?, ?, ?, ?, 1)"
        " ON CONFLICT DO UPDATE SET wanted = 1, bet_nr = excluded.bet_nr, topic = excluded.topic,"
        " detail = excluded.detail",
        espocrm_id, bet_nr, one.cause, one.topic, one.detail, turn.now,
    )  # fmt: skip


def ask_anew(turn: Turn, espocrm_id: str, cause: str) -> None:
    """Somebody has done something about it: should it be wanted again, then by a Task of its own, as this one may have
    been completed."""
    turn.do("DELETE FROM notices WHERE espocrm_id = ? AND cause = ? AND task_id IS NULL", espocrm_id, cause)
    turn.do(
        "UPDATE notices SET wanted = 0, cause = cause || ' ' || id WHERE espocrm_id = ? AND cause = ?",
        espocrm_id,
        cause,
    )


def to_open(turn: Turn, limit: int) -> list[StoredNotice]:
    return _listed(turn, TO_OPEN, limit)


def to_close(turn: Turn, limit: int) -> list[StoredNotice]:
    return _listed(turn, TO_CLOSE, limit)


def _listed(turn: Turn, statement: str, limit: int) -> list[StoredNotice]:
    return [
        StoredNotice(row[0], row[1], row[2], Notice(row[3], row[4], row[5]), row[6])
        for row in turn.rows(statement, limit)
    ]


def opened(turn: Turn, notice_id: int, task_id: str) -> bool:
    """False when the notice is gone: the Task is nobody's and should be closed. One that was found again, as it could
    not be closed for an earlier notice, is this one's now."""
    known = turn.do("UPDATE notices SET task_id = ? WHERE id = ?", task_id, notice_id) > 0
    if known:
        turn.do("DELETE FROM notices WHERE task_id = ? AND id <> ? AND wanted = 0", task_id, notice_id)
    return known


def closed(turn: Turn, notice_id: int) -> None:
    """If it became wanted again meanwhile, it gets a new Task."""
    turn.do("UPDATE notices SET task_id = NULL WHERE id = ? AND wanted = 1", notice_id)
    turn.do("DELETE FROM notices WHERE id = ? AND wanted = 0", notice_id)
