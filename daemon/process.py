"""``kommsync run``: the daemon as a process – signals, systemd, the web face, and a new :class:`App` per reload.

Called by :mod:`daemon.cli`. The web face and the metrics live as long as the process; the store, both sides and the
loops live as long as the settings hold.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio
import structlog
from aiohttp.web import RouteDef
from anyio.abc import TaskGroup

from daemon.app import App
from daemon.metrics import Metrics
from daemon.nightly import Nightly
from daemon.outside import Wires, open_outside
from daemon.page import Page
from daemon.ports import Clock, Random
from daemon.settings import Settings
from daemon.systemd import Notifier, watchdog_interval
from daemon.web import Face

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = structlog.get_logger(__name__)


class Daemon:
    """``reload`` reads the configuration again and raises if it is wrong. ``app``: the parts of the moment, None while
    they are being exchanged; :class:`daemon.web.Health` is answered from them. ``dry_run``: nothing is written to
    either side."""

    def __init__(
        self,
        settings: Settings,
        reload: Callable[[], Settings],
        *,
        environ: Mapping[str, str] | None = None,
        routes: Callable[[Daemon], Sequence[RouteDef]] = lambda daemon: daemon.page(),
        wires: Wires | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
        dry_run: bool = False,
    ) -> None:
        environ = os.environ if environ is None else environ
        self.app: App | None = None
        self.metrics = Metrics(version("kommsync"))
        self._settings = settings
        self._reload = reload
        self._notifier = Notifier(environ)
        self._watchdog_seconds = watchdog_interval(environ)
        self._routes = routes
        self._wires = wires
        self._clock = clock
        self._random = random
        self._dry_run = dry_run
        self._ending = False

    async def run(self, *, started: Callable[[str, int], None] = lambda host, port: None) -> None:
        """Until SIGTERM or SIGINT. ``started`` is told where the web face is. Raises what opening the store raises,
        and OSError when the port is taken."""
        try:
            with anyio.open_signal_receiver(*SIGNALS) as signals:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._obey, signals)
                    group.start_soon(self._feed_watchdog)
                    await self._serve_while_living(group, started)
                    group.cancel_scope.cancel()
        except BaseExceptionGroup as errors:
            raise _alone(errors) from None

    async def _serve_while_living(self, group: TaskGroup, started: Callable[[str, int], None]) -> None:
        web = self._settings.web
        face = Face(self, self.metrics, self._routes(self), self.rehearsed)
        started(web.host, await group.start(face.serve, web.host, web.port))
        while not self._ending:
            await self._live()

    def stuck(self) -> tuple[str, ...]:
        return self.app.stuck() if self.app is not None else ()

    def rehearsed(self) -> dict[str, int] | None:
        """What a dry run would write, in numbers; None for a daemon that writes."""
        rehearsal = self.app.rehearsal if self.app is not None else None
        return None if rehearsal is None else rehearsal.summary()

    def page(self) -> Sequence[RouteDef]:
        """The page for people, which lives as long as the process and shows the parts of the moment."""
        return Page(lambda: self.app, self._settings.web).routes()

    async def unready(self) -> dict[str, str]:
        return await self.app.unready() if self.app is not None else {"daemon": "starting"}

    async def _live(self) -> None:
        """For as long as the settings hold."""
        settings = self._settings
        async with open_outside(
            settings,
            self.metrics,
            exclusive=True,
            wires=self._wires,
            clock=self._clock,
            random=self._random,
            dry_run=self._dry_run,
        ) as outside:
            self.app = App(outside)
            if self._ending or self._settings is not settings:
                return  # told so while the store was being opened
            try:
                async with _audited(self.app), anyio.create_task_group() as group:
                    await group.start(self.app.run)
                    self._notifier.ready("running")
                    log.info("started", pid=os.getpid(), **({"dry_run": True} if self._dry_run else {}))
            finally:
                if (rehearsed := self.rehearsed()) is not None:
                    log.info("dry_run_summary", **rehearsed)
                self.app = None

    async def _obey(self, signals: AsyncIterable[signal.Signals]) -> None:
        async for number in signals:
            if number is signal.SIGHUP:
                self._exchange_settings()
            else:
                log.info("stopping", signal=signal.Signals(number).name)
                self._ending = True
                self._notifier.stopping()
                self._stop_app()

    def _exchange_settings(self) -> None:
        """The old ones stay if the new ones are wrong."""
        self._notifier.reloading()
        try:
            settings = self._reload()
        except Exception as error:  # noqa: BLE001 - a bad file must not end a running daemon
            self.metrics.config_reloads["refused"].inc()
            log.error("reload_refused", why=str(error), consequence="the old settings stay")
            self._notifier.ready("running with the old settings: the new ones are wrong, see the log")
            return
        self.metrics.config_reloads["ok"].inc()
        self._settings = _bound(settings, self._settings)
        log.info("reloaded")
        self._stop_app()

    def _stop_app(self) -> None:
        if self.app is not None:
            self.app.stop()

    async def _feed_watchdog(self) -> None:
        """Fed by the progress of the loops, not by a timer: a stuck daemon is restarted."""
        if self._watchdog_seconds is None:
            return
        while True:
            if stuck := self.stuck():
                log.error("no_progress", loops=list(stuck), consequence="systemd will restart us")
            else:
                self._notifier.watchdog()
            await anyio.sleep(self._watchdog_seconds)


@asynccontextmanager
async def _audited(app: App) -> AsyncIterator[None]:
    """With the nightly audit beside it, where one is wanted."""
    async with anyio.create_task_group() as beside:
        if app.outside.settings.audit.at:
            beside.start_soon(Nightly(app, app.outside.settings.audit).run)
        yield
        beside.cancel_scope.cancel()


def _bound(new: Settings, old: Settings) -> Settings:
    """Where the process lives cannot change while it lives."""
    store = new.store.model_copy(update={"path": old.store.path})
    if (new.store.path, new.web) != (old.store.path, old.web):
        log.warning(
            "needs_restart", keys=["store.path", "web.host", "web.port"], consequence="the old values stay"
        )
    return new.model_copy(update={"store": store, "web": old.web})


def _alone(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """One error says what happened; task groups wrap even a single one."""
    inner = errors.exceptions
    if len(inner) > 1:
        return errors
    return _alone(inner[0]) if isinstance(inner[0], BaseExceptionGroup) else inner[0]
