"""Which address shows what; every view behind the door.

Made by :mod:`daemon.process` once for the life of the process. A betNr may stand in an address, a number or a name of a
person never does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from daemon.app import App
from daemon.page import assets
from daemon.page.beteiligte import Beteiligte
from daemon.page.conflicts import Conflicts
from daemon.page.deletions import Deletions
from daemon.page.desk import Desk
from daemon.page.door import LOGIN_PATH, Door
from daemon.page.login import Login
from daemon.page.overview import Overview
from daemon.page.sessions import Sessions
from daemon.page.troubles import Troubles
from daemon.page.undoing import Undoing
from daemon.settings import Web


class Page:
    """``app``: the running parts of the moment, None while there are none."""

    def __init__(
        self, app: Callable[[], App | None], settings: Web, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._desk = Desk(app)
        sessions = Sessions(clock)
        self._door = Door(settings, sessions, self._desk.apologise)
        self._login = Login(self._desk, settings, sessions, clock)

    def routes(self) -> list[web.RouteDef]:
        desk, behind = self._desk, self._door.behind
        conflicts, deletions = Conflicts(desk), Deletions(desk)
        troubles, beteiligte, undoing = Troubles(desk), Beteiligte(desk), Undoing(desk)
        return [
            *assets.routes(),
            web.get(LOGIN_PATH, behind(self._login.show, login=False)),
            web.post(LOGIN_PATH, behind(self._login.log_in, login=False)),
            web.post("/logout", behind(self._login.log_out, login=False)),
            web.get("/", behind(Overview(desk).show)),
            web.get("/conflicts", behind(conflicts.show)),
            web.post("/conflicts/confirm", behind(conflicts.confirm)),
            web.post("/conflicts/decide", behind(conflicts.decide)),
            web.get("/deletions", behind(deletions.show)),
            web.post("/deletions/confirm", behind(deletions.confirm)),
            web.post("/deletions/settle", behind(deletions.settle)),
            web.get("/unsyncable", behind(troubles.unsyncable)),
            web.get("/parked", behind(troubles.parked)),
            web.post("/retry/confirm", behind(troubles.confirm_retry)),
            web.post("/retry", behind(troubles.retry)),
            web.get("/beteiligte", behind(beteiligte.list)),
            web.get("/beteiligte/{bet_nr}", behind(beteiligte.show)),
            web.get("/beteiligte/{bet_nr}/now", behind(beteiligte.now)),
            web.post("/beteiligte/{bet_nr}/undo/confirm", behind(undoing.confirm)),
            web.post("/beteiligte/{bet_nr}/undo", behind(undoing.undo)),
            web.post("/search", behind(beteiligte.search)),
        ]
