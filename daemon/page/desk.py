"""What every view works with: the running parts of the daemon, and the templates.

Made by :mod:`daemon.page.routes`. While the daemon exchanges its parts (a reload) there is nothing to show.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from daemon.app import App
from daemon.clock import SystemClock
from daemon.page.language import Text
from daemon.page.render import Renderer
from daemon.page.visit import Sorry, Visit
from daemon.store import SqliteStore

#: Lines on one page.
PAGE = 50

_STARTING = Text(
    "kommsync startet gerade; bitte in einigen Sekunden neu laden.",
    "kommsync is just starting; please load the page again in some seconds.",
)


class Desk:
    """``app``: the parts of the moment, None while there are none."""

    def __init__(self, app: Callable[[], App | None]) -> None:
        self._app = app
        self._renderer = Renderer(self.now, self.record_link)

    @property
    def app(self) -> App:
        """Raises Sorry while there is none."""
        app = self._app()
        if app is None:
            raise Sorry(503, _STARTING)
        return app

    @property
    def store(self) -> SqliteStore:
        return self.app.outside.store

    def now(self) -> float:
        """Unix seconds."""
        app = self._app()
        return SystemClock().now() if app is None else app.outside.clock.now()

    def record_link(self, espocrm_id: str) -> str:
        """Where people see this record in EspoCRM."""
        espocrm = self.app.outside.settings.espocrm
        return f"{espocrm.url}/#{espocrm.entity}/view/{espocrm_id}"

    def show(self, visit: Visit, template: str, *, status: int = 200, **values: object) -> web.Response:
        return self._renderer.page(visit, template, status=status, **values)

    def apologise(self, visit: Visit, sorry: Sorry) -> web.Response:
        return self._renderer.apology(visit, sorry)
