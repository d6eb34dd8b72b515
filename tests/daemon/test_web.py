"""The HTTP face, over real HTTP on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import anyio
import pytest
from aiohttp import web

from daemon.metrics import Metrics
from daemon.web import Face


class Health:
    def __init__(self) -> None:
        self.loops: tuple[str, ...] = ()
        self.reasons: dict[str, str] = {}

    def stuck(self) -> tuple[str, ...]:
        return self.loops

    async def unready(self) -> dict[str, str]:
        return self.reasons


@asynccontextmanager
async def serving(face: Face) -> AsyncIterator[aiohttp.ClientSession]:
    async with anyio.create_task_group() as group:
        port = await group.start(face.serve, "127.0.0.1", 0)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield session
        group.cancel_scope.cancel()


async def test_metrics_are_prometheus_text() -> None:
    metrics = Metrics("1.2.3")
    metrics.conflicts_open.set(4)
    async with serving(Face(Health(), metrics)) as session, session.get("/metrics") as answer:
        text = await answer.text()
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "kommsync_conflicts_open 4.0" in text
    assert 'kommsync_build_info{version="1.2.3"} 1.0' in text


@pytest.mark.parametrize(("loops", "status"), [((), 200), (("poll",), 503)])
async def test_healthy_while_the_loops_make_progress(loops: tuple[str, ...], status: int) -> None:
    health = Health()
    health.loops = loops
    async with serving(Face(health, Metrics())) as session, session.get("/healthz") as answer:
        assert answer.status == status
        assert (await answer.json())["stuck"] == list(loops)


@pytest.mark.parametrize(("reasons", "status"), [({}, 200), ({"advoware": "side_down"}, 503)])
async def test_readiness_says_what_is_not_fine(reasons: dict[str, str], status: int) -> None:
    health = Health()
    health.reasons = reasons
    async with serving(Face(health, Metrics())) as session, session.get("/readyz") as answer:
        assert answer.status == status
        assert await answer.json() == {"ready": not reasons, "reasons": reasons}


async def test_a_page_takes_the_place_of_the_index() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="for people")

    async with serving(Face(Health(), Metrics())) as session, session.get("/") as answer:
        assert "/metrics" in await answer.text()
    with_page = Face(Health(), Metrics(), [web.get("/", page), web.get("/more", page)])
    async with serving(with_page) as session, session.get("/") as answer, session.get("/more") as more:
        assert (await answer.text(), await more.text()) == ("for people", "for people")


async def test_the_port_is_free_again_when_it_ends() -> None:
    face = Face(Health(), Metrics())
    async with anyio.create_task_group() as group:
        port = await group.start(face.serve, "127.0.0.1", 0)
        group.cancel_scope.cancel()
    async with anyio.create_task_group() as group:
        assert await group.start(face.serve, "127.0.0.1", port) == port
        group.cancel_scope.cancel()
