"""``kommsync status``: the firm's state in one answer (interfaces, *Commands*)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from daemon.admin import address, health, people
from daemon.outside import Outside
from daemon.store import owner_of
from statemachine.case import Fuse
from statemachine.states import State


async def status(desk: Outside) -> dict[str, Any]:
    """``running``: the process that syncs, None when there is none. Seconds and numbers; see the README."""
    counts = await desk.store.counts()
    sums = await desk.store.sums()
    sides = await health.sides(desk)
    path = desk.settings.store.path
    oldest = sums.oldest_unsynced
    return {
        "states": {state.value: counts.get(state, 0) for state in State},
        "sides": {side.value: asdict(found) for side, found in sides.items()},
        "oldest_unsynced_seconds": 0.0 if oldest is None else max(desk.clock.now() - oldest, 0.0),
        "conflicts_open": sums.conflicts_open,
        "pending_deletions": sums.pending_deletions,
        "held_deletions": sums.held_deletions,
        "unsyncable": sums.unsyncable,
        "parked": sums.parked,
        "empty_slots": sums.empty_slots,
        "fuse": {side.value: fuse is not Fuse.INTACT for side, fuse in sums.fuses},
        "paused_beteiligte": [
            {"bet_nr": bet_nr, "paused_until": people.finite(until)}
            for bet_nr, until in await desk.store.paused_people()
        ],
        "tracked": sums.tracked,
        "links": sums.links,
        "running": owner_of(path),
        "page": address.find(path),
        "version": version("kommsync"),
    }


def flat(found: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """``states.clean`` → 12 and so on, for a table."""
    for name, value in found.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
