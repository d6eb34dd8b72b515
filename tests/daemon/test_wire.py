"""The real wire, against real servers on loopback."""

import os
import socket
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from daemon.ports import Request
from daemon.transport import Lost, NotSent, TooLarge
from daemon.wire import HttpWire

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def breaking(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that sends ``answer`` and hangs up; and the requests it got."""
    got: list[bytes] = []

    async def handle(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            got.append(await stream.receive())
            if answer:
                await stream.send(answer)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, handle)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        yield f"http://127.0.0.1:{port}/x", got
        group.cancel_scope.cancel()


async def test_what_is_sent_and_what_comes_back() -> None:
    async def echo(request: web.BaseRequest) -> web.Response:
        return web.json_response(
            {
                "method": request.method,
                "target": request.raw_path,
                "key": request.headers["X-Api-Key"],
                "type": request.headers.get("Content-Type"),
                "body": (await request.read()).decode(),
            },
            status=201,
            headers={"X-Status-Reason": "why"},
        )

    async with serving(echo) as url, HttpWire(2) as wire:
        query = (("searchParams", '{"a":"ä&b +49"}'), ("x", "1"))
        answer = await wire.send(
            Request("PUT", f"{url}/a%2Fb", query, (("X-Api-Key", "k"),), {"tlf": "ä", "n": None}), 5
        )
    assert answer.status == 201
    assert answer.headers["X-Status-Reason"] == "why"
    text = answer.body.decode()
    assert '\\"tlf\\":\\"\\u00e4\\"' in text or '\\"tlf\\":\\"ä\\"' in text
    assert '"type": "application/json"' in text
    assert "/a%2Fb?searchParams=" in text
    assert "%26b" in text
    assert "%2B49" in text


async def test_a_get_has_no_body_and_no_content_type() -> None:
    async def echo(request: web.BaseRequest) -> web.Response:
        return web.Response(text=f"{request.headers.get('Content-Type')} {len(await request.read())}")

    async with serving(echo) as url, HttpWire(2) as wire:
        assert (await wire.send(Request("GET", url), 5)).body == b"None 0"


async def test_no_cookie_is_kept() -> None:
    async def baker(request: web.BaseRequest) -> web.Response:
        answer = web.Response(text=request.headers.get("Cookie", "none"))
        answer.set_cookie("session", "1")
        return answer

    async with serving(baker) as url, HttpWire(2) as wire:
        named = url.replace("127.0.0.1", "localhost")  # no jar keeps cookies of a bare address
        for _ in range(2):
            assert (await wire.send(Request("GET", named), 5)).body == b"none"


async def test_no_redirect_is_followed() -> None:
    seen = []

    async def elsewhere(request: web.BaseRequest) -> web.Response:
        seen.append(request.path)
        return web.Response(status=307, headers={"Location": "/other"})

    async with serving(elsewhere) as url, HttpWire(2) as wire:
        assert (await wire.send(Request("GET", f"{url}/one"), 5)).status == 307
    assert seen == ["/one"]


@pytest.mark.parametrize("length_said", [True, False])
async def test_ten_megabytes_are_not_read(length_said: bool) -> None:
    async def huge(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse()
        if length_said:
            answer.content_length = 10 * 2**20
        await answer.prepare(request)
        for _ in range(160):
            await answer.write(b"x" * 65536)
        return answer

    async with serving(huge) as url, HttpWire(2) as wire:
        with pytest.raises(TooLarge, match="bytes"):
            await wire.send(Request("GET", url), 5)


async def test_a_bomb_is_dropped_before_it_has_unfolded() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(100)) + packer.flush()
    assert len(bomb) < 2**18

    async def handle(_: web.BaseRequest) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with serving(handle) as url, HttpWire(2, max_body=2**20) as wire:
        tracemalloc.start()
        try:
            with pytest.raises(TooLarge):
                await wire.send(Request("GET", url), 10)
            assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
        finally:
            tracemalloc.stop()


async def test_an_answer_in_time_is_waited_for_and_no_longer() -> None:
    async def slow(_: web.BaseRequest) -> web.Response:
        await anyio.sleep(5)
        return web.Response()

    async with serving(slow) as url, HttpWire(2) as wire:
        for method in ("GET", "PUT"):
            with pytest.raises(Lost, match="did not answer"):
                await wire.send(Request(method, url), 0.05)


async def test_nobody_listens_and_so_nothing_was_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x"
        async with HttpWire(2) as wire:
            for method in ("GET", "PUT"):
                with pytest.raises(NotSent, match=r"127\.0\.0\.1"):
                    await wire.send(Request(method, url, query=(("q", "geheim"),)), 5)


@pytest.mark.parametrize("url", ["http://", "nonsense", "ftp://127.0.0.1/", "http://[::bad/"])
async def test_an_address_that_is_none_sends_nothing(url: str) -> None:
    async with HttpWire(2) as wire:
        with pytest.raises(NotSent):
            await wire.send(Request("GET", url), 5)


async def test_credentials_that_no_header_can_hold_send_nothing_and_are_not_shown() -> None:
    async with HttpWire(2) as wire:
        with pytest.raises(NotSent) as caught:
            await wire.send(
                Request("GET", "http://127.0.0.1:9/", headers=(("X-Api-Key", "geheim\r\nX: y"),)), 5
            )
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"rubbish\r\n\r\n"]
)
async def test_a_write_is_never_repeated_by_itself(method: str, answer: bytes) -> None:
    """aiohttp would send a PUT and a DELETE a second time (sync-rules §8)."""
    async with breaking(answer) as (url, got), HttpWire(2) as wire:
        with pytest.raises(Lost):
            await wire.send(Request(method, url, json={}), 5)
    assert len(got) == 1


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"])
async def test_a_read_that_breaks_off_is_lost(answer: bytes) -> None:
    async with breaking(answer) as (url, _), HttpWire(2) as wire:
        with pytest.raises(Lost):
            await wire.send(Request("GET", url), 5)


async def test_each_write_has_a_connection_of_its_own_and_reads_share_one() -> None:
    ports: list[tuple[str, int]] = []

    async def note(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        ports.append((request.method, request.transport.get_extra_info("peername")[1]))
        return web.Response()

    async with serving(note) as url, HttpWire(2) as wire:
        for method in ("GET", "PUT", "GET", "PUT", "GET"):
            await wire.send(Request(method, url), 5)
    reads = [port for method, port in ports if method == "GET"]
    writes = [port for method, port in ports if method == "PUT"]
    assert len(set(reads)) == 1
    assert len(set(writes)) == 2


async def test_a_closed_wire_sends_nothing() -> None:
    wire = HttpWire(2)
    async with wire:
        pass
    with pytest.raises(NotSent):
        await wire.send(Request("GET", "http://127.0.0.1:9/"), 5)


async def test_no_proxy_is_picked_up_from_the_environment() -> None:
    """trust_env would also read ``.netrc``: passwords of somebody else."""
    async with HttpWire(2) as wire:
        assert wire._reads is not None
        assert wire._writes is not None
        assert not wire._reads.trust_env
        assert not wire._writes.trust_env


_TLS = """
import asyncio, ssl, sys
from aiohttp import web
from daemon.ports import Request
from daemon.transport import WireError
from daemon.wire import HttpWire

async def main(folder):
    async def handle(_):
        return web.Response(text="inside")
    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    async with HttpWire(2) as wire:
        try:
            answer = await wire.send(Request("PUT", f"https://127.0.0.1:{runner.addresses[0][1]}/"), 5)
            print(answer.body.decode())
        except WireError as error:
            print(type(error).__name__, error)
    await runner.cleanup()

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.needs_program("openssl")
async def test_a_certificate_is_always_checked_and_a_ca_comes_from_the_environment(tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(certificate)]
    await anyio.run_process([*made.split(), "-addext", "subjectAltName=IP:127.0.0.1", *files])

    async def run(**environment: str) -> str:
        done = await anyio.run_process(
            [sys.executable, "-c", _TLS, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        )
        return done.stdout.decode().strip()

    refused = await run()
    assert refused.startswith("NotSent")
    assert "SSL_CERT_FILE" in refused
    assert await run(SSL_CERT_FILE=str(certificate)) == "inside"
