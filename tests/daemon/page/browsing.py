"""For the tests of the page: a browser without a screen, over real HTTP on loopback."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from daemon.app import App
from daemon.metrics import Metrics
from daemon.page import Page
from daemon.settings import Web
from daemon.web import Face
from tests.daemon.store.building import HandClock

GERMAN = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}
ENGLISH = {"Accept-Language": "en"}
_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
_TAG = re.compile(r"<[^>]+>")


class NoHealth:
    """The web face wants to know it; the page does not."""

    def stuck(self) -> tuple[str, ...]:
        return ()

    async def unready(self) -> dict[str, str]:
        return {}


@dataclass
class Answer:
    status: int
    body: str
    headers: dict[str, str]
    url: str

    @property
    def text(self) -> str:
        """What a reader sees, blanks collapsed."""
        return " ".join(html.unescape(_TAG.sub(" ", self.body)).split())

    def hidden(self, name: str) -> list[str]:
        return re.findall(rf'type="hidden" name="{name}" value="([^"]*)"', self.body)


class Visitor:
    """Keeps cookies and brings the form token of the last page along, as a browser does."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url
        self.token = ""

    async def get(self, path: str, **headers: str) -> Answer:
        async with self.session.get(f"{self.url}{path}", headers=_named(headers)) as answer:
            return await self._read(answer)

    async def post(self, path: str, fields: dict[str, object] | None = None, **headers: str) -> Answer:
        """Values may be lists. ``form_token`` is the last page's unless given."""
        data = [
            (name, str(one))
            for name, value in {"form_token": self.token, **(fields or {})}.items()
            for one in (value if isinstance(value, list) else [value])
        ]
        origin = {"Origin": self.url, **_named(headers)}
        async with self.session.post(f"{self.url}{path}", data=data, headers=origin) as answer:
            return await self._read(answer)

    async def _read(self, answer: aiohttp.ClientResponse) -> Answer:
        body = await answer.text()
        if found := _TOKEN.search(body):
            self.token = found[1]
        return Answer(answer.status, body, dict(answer.headers), str(answer.url.relative()))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@asynccontextmanager
async def serving(app: App | None, clock: HandClock | None = None, **settings: object) -> AsyncIterator[str]:
    """The page at a loopback address. ``settings``: of [web]."""
    clock = clock or HandClock()
    page = Page(lambda: app, Web.model_validate(settings), clock.monotonic)
    runner = web.AppRunner(Face(NoHealth(), Metrics(), page.routes()).application(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def visiting(
    app: App | None, clock: HandClock | None = None, language: dict[str, str] = GERMAN, **settings: object
) -> AsyncIterator[Visitor]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        serving(app, clock, **settings) as url,
        aiohttp.ClientSession(headers=language, cookie_jar=jar) as session,
    ):
        yield Visitor(session, url)
