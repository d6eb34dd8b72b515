"""A real HTTP address for a simulated world: latency is waited for, lost connections are really cut.

Used by `demo`, `simulators` and the tests that want real HTTP on loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from daemon.simulators.faults import FaultyWorld, Schedule
from daemon.simulators.wire import Answer, Clock, Request, World

_OWN_HEADERS = {"content-length", "transfer-encoding", "connection"}


@asynccontextmanager
async def serve(
    world: World,
    clock: Clock,
    faults: Schedule | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[str]:
    """Serve a world; yields its base URL without a slash at the end. Port 0 = any free one."""
    faulty = FaultyWorld(world, clock, faults)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        delivery = faulty.deliver(await _request(request))
        if delivery.seconds:
            await asyncio.sleep(delivery.seconds)
        if delivery.answer is None:
            _cut_connection(request)
            return web.Response(status=504)  # never arrives
        return _response(delivery.answer)

    server = web.Server(handle, access_log=None, max_line_size=65536, max_field_size=65536)
    runner = web.ServerRunner(server, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _request(request: web.BaseRequest) -> Request:
    body = await request.content.read()
    return Request.of(request.method, request.raw_path, dict(request.headers), body)


def _response(answer: Answer) -> web.Response:
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in _OWN_HEADERS}
    return web.Response(status=answer.status, headers=headers, body=answer.body)


def _cut_connection(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()
