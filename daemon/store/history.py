"""The history of one betNr: transitions, writes and decisions in one list (interfaces: `kommsync history`)."""

from __future__ import annotations

from typing import TypedDict

import msgspec

from daemon.store import journal, questions
from daemon.store.turn import Row, Turn
from statemachine.case import Keep, Shown

_CONFLICT = questions.CONFLICT

#: One line. ``before`` and ``after`` are values as people see them; ``detail`` has everything else that is known.
HistoryRow = TypedDict(
    "HistoryRow",
    {
        "id": int,
        "at": float,
        "what": str,
        "espocrm_id": str,
        "from": str | None,
        "to": str | None,
        "trigger": str | None,
        "reason": str | None,
        "side": str | None,
        "operation": str | None,
        "variant": str | None,
        "before": str | None,
        "after": str | None,
        "outcome": str | None,
        "run": str | None,
        "detail": dict[str, object],
    },
)


def of_bet_nr(turn: Turn, bet_nr: int, limit: int) -> list[HistoryRow]:
    """The youngest ``limit`` lines, oldest first."""
    lines = [
        *map(_transition, turn.rows(_TRANSITIONS, bet_nr, limit)),
        *map(_write, turn.rows(_WRITES, bet_nr, limit)),
        *map(_decision, turn.rows(_DECISIONS, bet_nr, limit)),
    ]
    lines.sort(key=lambda line: (line["at"], _rank(line), line["id"]))
    return lines[-limit:]


def page_of_bet_nr(turn: Turn, bet_nr: int, before: float | None, limit: int) -> list[HistoryRow]:
    """``limit`` lines from before that moment and those of the last one's moment, youngest first."""
    before = _LATEST if before is None else before
    moments = [row[0] for one in MOMENTS for row in turn.rows(one, bet_nr, before, limit)]
    since = sorted(moments, reverse=True)[:limit][-1] if moments else before
    lines = [
        *map(_transition, turn.rows(TRANSITIONS_BETWEEN, bet_nr, since, before)),
        *map(_write, turn.rows(WRITES_BETWEEN, bet_nr, since, before)),
        *map(_decision, turn.rows(DECISIONS_BETWEEN, bet_nr, since, before)),
    ]
    return sorted(lines, key=lambda line: (line["at"], _rank(line), line["id"]), reverse=True)


def written_after(turn: Turn, write_id: int, limit: int) -> list[tuple[int, HistoryRow]]:
    """(betNr, line) of the writes with a higher id, of everybody, oldest first; those under way have no outcome."""
    return [(row[6], _write(row)) for row in turn.rows(WRITTEN_AFTER, write_id, limit)]


#: Later than any line; a number that SQL can write.
_LATEST = 9e15


def _rank(line: HistoryRow) -> int:
    """Within one moment: what led to a run, what it did, how it ended."""
    if line["what"] != "transition":
        return 1
    return 2 if line["from"] == "syncing" else 0


_NEWEST = "WHERE bet_nr = ? ORDER BY at DESC, id DESC LIMIT ?"
_BETWEEN = "WHERE bet_nr = ? AND at >= ? AND at < ?"
_OF_TRANSITIONS = "SELECT id, at, espocrm_id, source, target, trigger, reason, side, run FROM transitions"
_OF_WRITES = "SELECT id, outcome, settled, body, espocrm_id, run FROM writes"
_OF_DECISIONS = "SELECT id, at, espocrm_id, keep, decided_by, outcome, conflict_id, body FROM decisions"
_TRANSITIONS, TRANSITIONS_BETWEEN = f"{_OF_TRANSITIONS} {_NEWEST}", f"{_OF_TRANSITIONS} {_BETWEEN}"
_WRITES, WRITES_BETWEEN = f"{_OF_WRITES} {_NEWEST}", f"{_OF_WRITES} {_BETWEEN}"
_DECISIONS, DECISIONS_BETWEEN = f"{_OF_DECISIONS} {_NEWEST}", f"{_OF_DECISIONS} {_BETWEEN}"
MOMENTS = tuple(
    f"SELECT at FROM {table} WHERE bet_nr = ? AND at < ? ORDER BY at DESC LIMIT ?"  # noqa: S608 - ours
    for table in ("transitions", "writes", "decisions")
)
WRITTEN_AFTER = (
    "SELECT id, outcome, settled, body, espocrm_id, run, bet_nr FROM writes WHERE id > ? ORDER BY id LIMIT ?"
)


def _line(row_id: int, at: float, what: str, espocrm_id: str) -> HistoryRow:
    return {
        "id": row_id, "at": at, "what": what, "espocrm_id": espocrm_id, "from": None, "to": None, "trigger": None,
        "reason": None, "side": None, "operation": None, "variant": None, "before": None, "after": None,
        "outcome": None, "run": None, "detail": {},
    }  # fmt: skip


def _transition(row: Row) -> HistoryRow:
    return {
        **_line(row[0], row[1], "transition", row[2]),
        "from": row[3], "to": row[4], "trigger": row[5], "reason": row[6], "side": row[7], "run": row[8],
    }  # fmt: skip


def _write(row: Row) -> HistoryRow:
    write = journal.from_row(row)
    return {
        **_line(write.id, write.at, "write", row[4]),
        "side": write.side,
        "operation": write.operation,
        "variant": write.variant,
        "before": _value(write.before),
        "after": _value(write.after),
        "outcome": write.outcome,
        "run": row[5],
        "detail": {
            "kind": write.kind,
            "link_key": write.link_key,
            "advoware_id": write.advoware_id,
            "before": msgspec.to_builtins(write.before),
            "after": msgspec.to_builtins(write.after),
        },
    }


def _value(shown: Shown | None) -> str | None:
    return None if shown is None else shown.value


def _decision(row: Row) -> HistoryRow:
    """``before`` is the value that lost, ``after`` the one that was kept; with ``both`` nothing was lost."""
    conflict = _CONFLICT.decode(row[7])
    before, after = {
        Keep.ESPOCRM: (conflict.advoware, conflict.espocrm),
        Keep.ADVOWARE: (conflict.espocrm, conflict.advoware),
        Keep.BOTH: (None, None),
    }[Keep(row[3])]
    return {
        **_line(row[0], row[1], "decision", row[2]),
        "reason": f"{conflict.kind}: {row[3]} by {row[4]}",
        "operation": row[3],
        "before": before,
        "after": after,
        "outcome": row[5],
        "detail": {"conflict": row[6], "decided_by": row[4], **msgspec.to_builtins(conflict)},
    }
