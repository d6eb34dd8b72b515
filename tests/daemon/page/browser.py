"""A real browser: Debian's chromium, driven over the WebDriver protocol (W3C), which is JSON over HTTP.

A library for it would be larger than what is needed of the protocol, and would block the loop that serves the page.
"""

from __future__ import annotations

import base64
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import anyio.abc

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --window-size=1280,900"
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_BY_TEXT = """
return [...document.querySelectorAll(arguments[0])].find(one => one.textContent.trim() == arguments[1])
"""
_STARTED = re.compile(rb"started successfully on port (\d+)")


@dataclass
class Browser:
    """One window."""

    session: aiohttp.ClientSession
    url: str

    async def open(self, address: str) -> None:
        """Returns when the page has been loaded."""
        await self._send("url", url=address)

    async def address(self) -> str:
        return str(await self._get("url"))

    async def click(self, css: str, text: str | None = None) -> None:
        """The first element that fits, by its label if ``text`` is given."""
        await self._send(f"element/{await self._find(css, text)}/click")

    async def follow(self, css: str, text: str | None = None) -> None:
        """A click that leads to another page, which is there when this returns."""
        async with self.leaving():
            await self.click(css, text)

    @asynccontextmanager
    async def leaving(self) -> AsyncIterator[None]:
        """What is done within leads to another page."""
        await self.run("window.left = true")
        yield
        with anyio.fail_after(20):
            while not await self.run("return !window.left && document.readyState == 'complete'"):  # noqa: ASYNC110
                await anyio.sleep(0.01)

    async def type(self, css: str, text: str) -> None:
        await self._send(f"element/{await self._find(css)}/value", text=text)

    async def press(self, key: str) -> None:
        """Wherever the focus is."""
        strokes = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        await self._send("actions", actions=[{"type": "key", "id": "keyboard", "actions": strokes}])

    async def text(self, css: str = "body") -> str:
        """As it is seen: what is hidden is left out."""
        return str(await self._get(f"element/{await self._find(css)}/text"))

    async def run(self, script: str, *values: object) -> Any:
        return await self._send("execute/sync", script=script, args=list(values))

    async def picture(self, file: Path) -> None:
        """The whole page, not only what fits into the window."""
        height = await self.run("return document.documentElement.scrollHeight")
        await self._send("window/rect", width=1280, height=max(900, min(int(height) + 20, 4000)))
        await anyio.Path(file).write_bytes(base64.b64decode(await self._get("screenshot")))

    async def travel(self, zone: str) -> None:
        """The reader sits in this time zone."""
        params = {"timezoneId": zone}
        await self._send("goog/cdp/execute", cmd="Emulation.setTimezoneOverride", params=params)

    @asynccontextmanager
    async def on_a_telephone(self) -> AsyncIterator[None]:
        screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
        await self._send("goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=screen)
        yield
        await self._send("goog/cdp/execute", cmd="Emulation.clearDeviceMetricsOverride", params={})

    async def complaints(self) -> list[str]:
        """What the console says: refused scripts and styles, errors."""
        return [str(line["message"]) for line in await self._send("se/log", type="browser")]

    async def _find(self, css: str, text: str | None = None) -> str:
        if text is None:
            found = await self._send("element", using="css selector", value=css)
        else:
            found = await self.run(_BY_TEXT, css, text)
            assert found is not None, f"there is no {css} that says {text}"
        return str(found[_ELEMENT])

    async def _send(self, command: str, **values: object) -> Any:
        async with self.session.post(f"{self.url}/{command}", json=values) as answer:
            return _value(await answer.json())

    async def _get(self, command: str) -> Any:
        async with self.session.get(f"{self.url}/{command}") as answer:
            return _value(await answer.json())


def _value(answer: dict[str, Any]) -> Any:
    value = answer["value"]
    if isinstance(value, dict) and "error" in value:
        raise AssertionError(f"{value['error']}: {value['message']}")
    return value


@asynccontextmanager
async def driver() -> AsyncIterator[str]:
    """The address of a chromedriver of our own."""
    process = await anyio.open_process(["chromedriver", "--port=0"])
    try:
        yield f"http://127.0.0.1:{await _port(process)}"
    finally:
        process.terminate()
        with anyio.CancelScope(shield=True):
            await process.wait()
            await process.aclose()


async def _port(process: anyio.abc.Process) -> int:
    assert process.stdout is not None
    said = b""
    with anyio.fail_after(20):
        while not (found := _STARTED.search(said)):
            said += await process.stdout.receive()
    return int(found[1])


@asynccontextmanager
async def browsing(language: str = "de", *flags: str) -> AsyncIterator[Browser]:
    """``flags``: further ones of chromium."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        options = {
            "args": [*_FLAGS.split(), f"--user-data-dir={profile}", f"--lang={language}", *flags],
            "prefs": {"intl.accept_languages": language},
        }
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        timeout = aiohttp.ClientTimeout(total=60)
        async with driver() as url, aiohttp.ClientSession(timeout=timeout) as session:
            body = {"capabilities": {"alwaysMatch": wanted}}
            async with session.post(f"{url}/session", json=body) as answer:
                window = f"{url}/session/{_value(await answer.json())['sessionId']}"
            try:
                yield Browser(session, window)
            finally:
                with anyio.CancelScope(shield=True):
                    await session.delete(window)
