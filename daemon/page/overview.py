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
#: As the dashboards have it: a change that waits is yellow after 5 minutes and red after 15, a heap is red from 20 on.
_WATCH_SECONDS, _ACT_SECONDS = 300.0, 900.0
_HEAP = 20


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
        held, given_up = sum(glance.held.values()), counts[State.PERMANENTLY_FAILED]
        lag = None if glance.oldest_unsynced is None else self._desk.now() - glance.oldest_unsynced
        return self._desk.show(
            visit,
            "overview",
            counts=counts,
            tracked=sum(counts.values()),
            glance=glance,
            held=held,
            levels={
                "conflicts": level(glance.open_conflicts),
                "held": level(held, 1),
                "given_up": level(given_up),
                "parked": level(glance.parked),
                "unsyncable": "watch" if glance.unsyncable else "good",
                "lag": level(lag or 0.0, _ACT_SECONDS, _WATCH_SECONDS),
            },
            waits=glance.open_conflicts + held + given_up + glance.parked,
            rehearsed=app.rehearsal.summary() if app.rehearsal else None,
            sides=[await _side(app, side, glance) for side in Side],
            waiting=await app.outside.store.waiting_conflicts(limit=_FIRST),
        )


def level(number: float, act: float = _HEAP, watch: float = 1) -> str:
    """good, watch or act: which colour it has."""
    return "act" if number >= act else "watch" if number >= watch else "good"


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
