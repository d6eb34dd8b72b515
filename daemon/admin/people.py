"""``list``, ``show``, ``history`` and ``retry`` (interfaces, *Commands*)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from daemon.admin.desk import NotPossible, tracked
from daemon.admin.entries import entries, not_synced
from daemon.outside import Outside
from daemon.ports import Person
from daemon.store import HistoryRow, Listing, SqliteStore
from statemachine.states import State

_AT_ONCE = 1000
_END_OF_TIME = 253_402_300_799.0


async def everybody(store: SqliteStore, state: State | None = None) -> list[dict[str, Any]]:
    """By betNr."""
    lines: list[Listing] = []
    while True:
        after = (lines[-1].bet_nr, lines[-1].espocrm_id) if lines else (0, "")
        page = await store.listing(state, after=after, limit=_AT_ONCE)
        lines += page
        if len(page) < _AT_ONCE:
            return [{**asdict(one), "paused_until": finite(one.paused_until)} for one in lines]


async def show(desk: Outside, bet_nr: int) -> dict[str, Any]:
    """As last agreed and last found, from the store alone. ``twins``: others with the same betNr."""
    person, *twins = await tracked(desk.store, bet_nr)
    case = await desk.store.case(person.espocrm_id, bet_nr, 0.0)
    return {
        **line(person),
        "entries": entries(case),
        "not_synced": not_synced(case),
        "twins": [twin.espocrm_id for twin in twins],
    }


def line(person: Person) -> dict[str, Any]:
    """One line of ``list``."""
    standing = person.standing
    return {
        "bet_nr": person.bet_nr,
        "espocrm_id": person.espocrm_id,
        "state": standing.state.value,
        "reason": standing.reason,
        "since": standing.since,
        "attempts": standing.attempts,
        "next_attempt_at": standing.due_at,
        "paused_until": finite(person.paused_until),
    }


def finite(moment: float | None) -> float | None:
    """JSON knows no infinity: a pause without an end lasts until the end of the year 9999."""
    return None if moment is None else min(moment, _END_OF_TIME)


async def history(store: SqliteStore, bet_nr: int) -> list[HistoryRow]:
    """Oldest first. Raises NotPossible when nothing is known of the betNr."""
    rows = await store.history(bet_nr)
    if not rows:
        raise NotPossible(f"nothing has happened to betNr {bet_nr} yet. Type: kommsync list")
    return rows


async def retry(store: SqliteStore, bet_nrs: Sequence[int]) -> int:
    """How many are due now; without a betNr everybody who failed. Raises NotPossible before anybody is asked."""
    if not bet_nrs:
        return await store.ask_failed("retry")
    people = [person for bet_nr in bet_nrs for person in await tracked(store, bet_nr)]
    return await store.ask([person.espocrm_id for person in people], "retry")
