"""The operator's desk: the store beside a running daemon, both sides, and whom a betNr means.

Used by every module of :mod:`daemon.admin`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio

from daemon.metrics import Metrics
from daemon.outside import Outside, open_outside
from daemon.ports import Person
from daemon.settings import Settings
from daemon.store import SqliteStore
from statemachine.errors import KommsyncError
from statemachine.states import State

#: Who decides at the command line; the label of ``conflicts_decided_total`` as well.
OPERATOR = "operator"


class NotPossible(KommsyncError):
    """What was asked for cannot be done; the text says why and what to type instead."""

    reason = "not_possible"


@asynccontextmanager
async def open_desk(settings: Settings, *, exclusive: bool = False) -> AsyncIterator[Outside]:
    """The gates are tended, so that a pause that a server asks for is kept. Raises what opening the store raises."""
    try:
        async with (
            open_outside(settings, Metrics(version("kommsync")), exclusive=exclusive) as outside,
            anyio.create_task_group() as group,
        ):
            start: Callable[..., object] = group.start_soon
            for side, gate in outside.gates.items():
                start(gate.tend, outside.probe(side))
            yield outside
            group.cancel_scope.cancel()
    except BaseExceptionGroup as errors:
        raise alone(errors) from None


def alone(error: BaseException) -> BaseException:
    """Task groups wrap even a single error; one error says what happened."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def tracked(store: SqliteStore, bet_nr: int) -> list[Person]:
    """Whoever has this betNr: one, or several while it is doubled. Raises NotPossible when nobody has."""
    found = await store.by_bet_nr(bet_nr)
    if not found:
        raise NotPossible(
            f"betNr {bet_nr} is not tracked: no CBeteiligte with it has been seen. Type: kommsync list"
        )
    return found


async def everybody(store: SqliteStore, state: State | None = None) -> list[Person]:
    """All who are tracked, by id; page by page, so that the daemon is never kept waiting."""
    found: list[Person] = []
    while page := await store.scan_slice(found[-1].espocrm_id if found else "", 500):
        found += page
    return [person for person in found if state in (None, person.standing.state)]
