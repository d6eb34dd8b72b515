"""The daemon's HTTP face: /metrics, /healthz, /readyz, and a place for the page for people.

Started by :mod:`daemon.app` for as long as the process lives; it shows, it never changes anything. No person, number or
address is in what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import anyio
from aiohttp import web
from anyio.abc import TaskStatus

from daemon.metrics import CONTENT_TYPE, Metrics

#: Open requests have so long when the daemon ends.
_SHUTDOWN_SECONDS = 1.0
_INDEX = "kommsync\n\n/metrics  Prometheus\n/healthz  whether the loops make progress\n/readyz   what is not fine\n"


class Health(Protocol):
    """How the daemon is."""

    def stuck(self) -> tuple[str, ...]:
        """Loops that make no progress."""
        ...

    async def unready(self) -> dict[str, str]:
        """What is not fine, with the reason; empty when all is."""
        ...


class Face:
    """The handlers. ``routes`` come before our own ``/``, so that a page can take its place. ``rehearsed``: what a dry
    run would write, None when this is none."""

    def __init__(
        self,
        health: Health,
        metrics: Metrics,
        routes: Sequence[web.RouteDef] = (),
        rehearsed: Callable[[], dict[str, int] | None] = lambda: None,
    ) -> None:
        self._health = health
        self._metrics = metrics
        self._routes = routes
        self._rehearsed = rehearsed

    def application(self) -> web.Application:
        application = web.Application()
        application.add_routes(
            [
                web.get("/metrics", self._show_metrics),
                web.get("/healthz", self._show_health),
                web.get("/readyz", self._show_readiness),
                *self._routes,
            ]
        )
        if not any(route.path == "/" for route in self._routes):
            application.add_routes([web.get("/", self._show_index)])
        return application

    async def serve(
        self, host: str, port: int, *, task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Until cancelled. Started with the port (0 becomes a free one). Raises OSError if it is taken."""
        runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            task_status.started(int(runner.addresses[0][1]))
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await runner.cleanup()

    async def _show_metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    async def _show_health(self, request: web.Request) -> web.Response:
        stuck = self._health.stuck()
        return _json({"healthy": not stuck, "stuck": list(stuck)}, ok=not stuck)

    async def _show_readiness(self, request: web.Request) -> web.Response:
        reasons = await self._health.unready()
        rehearsed = self._rehearsed()
        dry_run = {} if rehearsed is None else {"dry_run": rehearsed}
        return _json({"ready": not reasons, "reasons": reasons, **dry_run}, ok=not reasons)

    async def _show_index(self, request: web.Request) -> web.Response:
        return web.Response(text=_INDEX)


def _json(body: dict[str, object], *, ok: bool) -> web.Response:
    return web.json_response(body, status=200 if ok else 503, headers={"Cache-Control": "no-store"})
