"""The real wire: HTTP by aiohttp. One per side, made by the app, used by :mod:`daemon.transport` alone.

TLS certificates are always verified; a CA of one's own comes from the environment (``SSL_CERT_FILE``,
``SSL_CERT_DIR``), nothing switches the check off. No cookies, no redirects, no proxies or ``.netrc`` picked up by the
way.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import aiohttp
import msgspec
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from daemon.ports import Answer, Request
from daemon.transport import Lost, NotSent, TooLarge

#: The largest answer we ask for is a page of 200 rows, some 100 kB; this is far above and no danger.
MAX_BODY = 4 * 1024 * 1024
#: A server that takes longer to accept a connection is not there.
_CONNECT_SECONDS = 10.0
_TIMEOUTS = (TimeoutError, aiohttp.ServerTimeoutError)


class HttpWire:
    """An async context manager. ``max_connections`` at the same time; more wait (the gate lets no more through)."""

    def __init__(self, max_connections: int, *, max_body: int = MAX_BODY) -> None:
        self._max_connections = max_connections
        self._max_body = max_body
        self._reads: aiohttp.ClientSession | None = None
        self._writes: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._reads = self._session(force_close=False)
        # A kept-alive connection may be dying, and then nobody knows whether a write arrived: each gets its own.
        self._writes = self._session(force_close=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in (self._reads, self._writes):
            if session is not None:
                await session.close()
        self._reads = self._writes = None

    async def send(self, request: Request, timeout: float) -> Answer:
        """Raises NotSent, Lost or TooLarge, with texts that hold an error's kind and a host."""
        session = self._reads if request.method == "GET" else self._writes
        if session is None:
            raise NotSent("the connection has been closed")
        host = request.url.partition("//")[2].partition("/")[0] or "no host"
        try:
            return await self._exchange(session, request, timeout)
        except aiohttp.ConnectionTimeoutError:
            raise NotSent(f"{host} does not accept connections in time") from None
        except aiohttp.ClientConnectorCertificateError:
            raise NotSent(f"{host} shows a certificate that is not trusted; own CA: SSL_CERT_FILE") from None
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise NotSent(f"no connection to {host} ({_kind(error)})") from None
        except _TIMEOUTS:
            raise Lost(f"{host} did not answer within {timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Lost(f"{host} broke off ({_kind(error)})") from None
        except ValueError:  # a header with a line break, a character that no header can hold
            raise NotSent(
                "the request cannot be sent; check URL and credentials for stray characters"
            ) from None

    def _session(self, *, force_close: bool) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._max_connections, force_close=force_close),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "application/json", "User-Agent": "kommsync"},
            trust_env=False,
            middlewares=(_once,),
        )

    async def _exchange(self, session: aiohttp.ClientSession, request: Request, timeout: float) -> Answer:
        headers = dict(request.headers)
        data = None
        if request.json is not None:
            headers["Content-Type"] = "application/json"  # without it EspoCRM answers 200 and does nothing
            data = msgspec.json.encode(request.json)
        async with session.request(
            request.method,
            URL(request.url, encoded=True),
            params=list(request.query) or None,
            headers=headers,
            data=data,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=min(_CONNECT_SECONDS, timeout / 2)),
        ) as response:
            return Answer(response.status, dict(response.headers), await self._body(response))

    async def _body(self, response: ClientResponse) -> bytes:
        """Piece by piece, and so is it unpacked: a bomb is dropped when it has grown to the limit."""
        pieces, size = [], 0
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > self._max_body:
                response.close()
                raise TooLarge(f"answered with more than {self._max_body} bytes")
            pieces.append(piece)
        return b"".join(pieces)


async def _once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """aiohttp repeats a PUT or DELETE by itself when the connection breaks; a write is never repeated blindly (§8)."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, *_TIMEOUTS):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method == "GET":
            raise
        raise Lost(f"{request.url.host} broke off ({_kind(error)})") from None


def _kind(error: Exception) -> str:
    """The system's words where there are some; a library's own may hold a URL."""
    cause = getattr(error, "os_error", error)
    return getattr(cause, "strerror", None) or type(cause).__name__
