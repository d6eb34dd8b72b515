"""The firm at a glance: states, both sides, lag, and the inbox with the first conflicts ready to be decided."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from daemon.app import App
from daemon.page.desk import Desk
from daemon.page.visit import Visit
from daemon.store.inbox import Glance
from statemachine.case import Fuse
from statemachine.model import Side
from statemachine.states import State

#: Conflicts that are shown at once; the rest is one click away.
_FIRST = 5
#: As the alerts and dashboards have it: yellow after 5 minutes, red after 15.
_WATCH, _ACT = 300.0, 900.0


@dataclass(frozen=True, slots=True)
class SideShown:
    """``trouble``: why it cannot be used, None while it can. ``since``: Unix seconds of the trouble."""

    side: Side
    trouble: str | None
    since: float | None
    paused: bool
    fuse_blown: bool


class Overview:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> web.Response:
        app = self._desk.app
        glance = await app.outside.store.glance()
        counts = await app.outside.store.counts()
        lag = None if glance.oldest_unsynced is None else self._desk.now() - glance.oldest_unsynced
        return self._desk.show(
            visit,
            "overview",
            counts=counts,
            tracked=sum(counts.values()),
            glance=glance,
            waits=waits_for_human(glance, counts),
            sides=[await _side(app, side, glance) for side in Side],
            lag_level="good" if lag is None or lag < _WATCH else "watch" if lag < _ACT else "act",
            waiting=await app.outside.store.waiting_conflicts(limit=_FIRST),
        )


def waits_for_human(glance: Glance, counts: dict[State, int]) -> int:
    """How many things do not settle themselves. Unsyncable entries are known and harm nobody: they are not counted."""
    given_up = counts[State.PERMANENTLY_FAILED]
    return glance.open_conflicts + sum(glance.held.values()) + given_up + glance.parked


async def _side(app: App, side: Side, glance: Glance) -> SideShown:
    trouble = app.outside.gates[side].trouble
    blown = any(one.side is side and one.fuse is not Fuse.INTACT for one in glance.fuses)
    return SideShown(
        side,
        trouble.reason if trouble else None,
        trouble.since if trouble else None,
        await app.admissions[side].is_paused(),
        blown,
    )
