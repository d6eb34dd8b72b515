"""Where the firm's Advoware is and the token to get in (facts/advoware.md §1, §2).

Used by :mod:`daemon.advoware` alone. Whatever goes wrong in here is trouble of the side, never of a record. The
password is sent to the token service and nowhere else; nothing in here is ever shown.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
import msgspec
import structlog

from daemon.advoware_judge import TokenRefused, WrongPassword
from daemon.answers import Reply, decode
from daemon.ports import Clock, Request
from daemon.transport import Transport, Unreachable
from statemachine.errors import (
    AccessDenied,
    CredentialsRefused,
    KommsyncError,
    Refused,
    SideDown,
    SideTrouble,
)
from statemachine.model import Side

T = TypeVar("T")

#: Where the answer names no lifetime, and how long before its end a token is not used any more; seconds.
_LIFETIME, _MARGIN = 55 * 60.0, 120.0
#: So many connection errors in a row, and the addresses are looked up again.
_STALE_AFTER = 2

#: A wrong password is sent a second time, for it may have been corrected over there; then it rests.
_PASSWORD_TRIES, _PASSWORD_REST = 2, 6 * 3600.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are at Advoware; ``api_key`` is Base64 as the vendor hands it out."""

    kanzlei: str
    database: str
    user: str
    app_id: str
    password: str = field(repr=False)
    api_key: str = field(repr=False)
    role: int = 2
    product: int = 64


@dataclass(frozen=True, slots=True)
class Addresses:
    """Base of the API and of the token service; both end in a slash."""

    base: str
    gateway: str


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    good_until: float  # of the monotonic clock


class _Found(msgspec.Struct, rename="camel"):
    relay_url: str | None = None
    connector_url: str | None = None
    security_gateway: str | None = None


class _Granted(msgspec.Struct):
    access_token: str
    expiration_utc: Any = None
    expires_in: Any = None


_FOUND = msgspec.json.Decoder(_Found)
_GRANTED = msgspec.json.Decoder(_Granted)


def signature(account: Account, nonce: str, timestamp: str) -> str:
    """HMAC-SHA512 with the decoded API key over ``{Product}:{AppID}:{Nonce}:{RequestTimeStamp}``, in Base64."""
    message = f"{account.product}:{account.app_id}:{nonce}:{timestamp}".encode()
    return base64.b64encode(hmac.digest(base64.b64decode(account.api_key), message, hashlib.sha512)).decode()


class Directory:
    """The addresses: fixed ones, or what discovery says until connections fail repeatedly."""

    def __init__(
        self, transport: Transport, kanzlei: str, discovery_url: str, *, base: str | None, gateway: str | None
    ) -> None:
        self._transport = transport
        self._kanzlei = kanzlei
        self._discovery_url = discovery_url
        self._base = base
        self._gateway = gateway
        self._known: Addresses | None = _addresses(base, gateway)
        self._fixed = self._known is not None
        self._unreachable = 0
        self._asking = anyio.Lock()

    async def addresses(self) -> Addresses:
        async with self._asking:
            if self._known is None or (self._unreachable >= _STALE_AFTER and not self._fixed):
                self._known = await self._discover(self._known)
                self._unreachable = 0
            return self._known

    def unreachable(self) -> None:
        """There was no connection to one of the addresses."""
        self._unreachable += 1

    def reached(self) -> None:
        self._unreachable = 0

    async def _discover(self, known: Addresses | None) -> Addresses:
        request = Request("GET", self._discovery_url, (("Kanzlei", self._kanzlei),))
        try:
            return await ask(self._transport, request, self._read)
        except SideTrouble:
            if known is None:
                raise
            return known  # the old ones may still be right, the probe will tell

    def _read(self, reply: Reply) -> Addresses:
        found = decode(reply.body, _FOUND, Side.ADVOWARE)
        addresses = _addresses(
            self._base or found.connector_url or found.relay_url, self._gateway or found.security_gateway
        )
        if addresses is None:
            raise SideDown("discovery names no server for advoware.kanzlei; check it", side=Side.ADVOWARE)
        for url in (addresses.base, addresses.gateway):
            _check(url, self._discovery_url)
        return addresses


class Login:
    """Hands out the token; gets a new one when it is needed, one caller at a time."""

    def __init__(self, transport: Transport, directory: Directory, account: Account, clock: Clock) -> None:
        self._transport = transport
        self._directory = directory
        self._account = account
        self._clock = clock
        self._token: _Token | None = None
        self._wrong: list[float] = []  # when the password was refused, monotonic
        self._asking = anyio.Lock()

    async def token(self, refused: str = "") -> str:
        """A token that is not ``refused``. Raises SideTrouble."""
        async with self._asking:
            held = self._token
            if held is None or held.text == refused or self._clock.monotonic() >= held.good_until:
                held = self._token = await self._fetch()
            return held.text

    async def _fetch(self) -> _Token:
        self._token = None
        self._spare_the_account()
        gateway = (await self._directory.addresses()).gateway
        request = Request("POST", f"{gateway}api/v1/Token", json=self._application())
        try:
            token = await ask(self._transport, request, self._read)
        except Unreachable:
            self._directory.unreachable()
            raise
        except WrongPassword:
            self._wrong.append(self._clock.monotonic())
            raise
        self._wrong.clear()
        return token

    def _spare_the_account(self) -> None:
        """The probe comes every few minutes; a wrong password sent each time would lock the account."""
        if len(self._wrong) >= _PASSWORD_TRIES and self._clock.monotonic() < self._wrong[-1] + _PASSWORD_REST:
            detail = (
                "wrong user or password, not sent again for hours; correct [advoware] and restart kommsync"
            )
            raise self._transport.report(WrongPassword(detail, side=Side.ADVOWARE))

    def _application(self) -> dict[str, object]:
        account, nonce = self._account, str(uuid.uuid4())
        moment = datetime.fromtimestamp(self._clock.now(), UTC)
        timestamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "AppID": account.app_id,
            "Kanzlei": account.kanzlei,
            "Database": account.database,
            "User": account.user,
            "Role": account.role,
            "Product": account.product,
            "Password": account.password,
            "Nonce": nonce,
            "HMAC512Signature": signature(account, nonce, timestamp),
            "RequestTimeStamp": timestamp,
        }

    def _read(self, reply: Reply) -> _Token:
        granted = decode(reply.body, _GRANTED, Side.ADVOWARE)
        if not granted.access_token or not (
            granted.access_token.isascii() and granted.access_token.isprintable()
        ):
            raise SideDown("the token service gave no token", side=Side.ADVOWARE)
        lifetime = _lifetime(granted, reply)
        return _Token(granted.access_token, self._clock.monotonic() + lifetime - min(_MARGIN, lifetime / 2))


async def ask(transport: Transport, request: Request, read: Callable[[Reply], T]) -> T:
    """One call on which everything depends. Raises SideTrouble and nothing else."""
    try:
        return await transport.call(request, read, write=False)
    except SideTrouble:
        raise
    except (TokenRefused, AccessDenied, Refused) as error:
        detail = f"{_host(request)} {error.detail}; check [advoware] and the clocks, then `kommsync check`"
        trouble: SideTrouble = CredentialsRefused(detail, side=Side.ADVOWARE)
    except KommsyncError as error:
        trouble = SideDown(f"{_host(request)} {error.detail}", side=Side.ADVOWARE)
    raise transport.report(trouble)


def _lifetime(granted: _Granted, reply: Reply) -> float:
    """Seconds. An end is compared with the server's own clock where it shows one: ours may be wrong."""
    if isinstance(granted.expires_in, int | float) and granted.expires_in > 0:
        return float(granted.expires_in)
    end = _moment(granted.expiration_utc)
    if end is None:
        return _LIFETIME
    ours = end - reply.answered_at
    lifetime = ours if reply.server_time is None else end - reply.server_time
    if ours <= 0:
        _log.warning("clock_skew", side=Side.ADVOWARE.value, token_expired_seconds_ago=round(-ours))
    if lifetime <= 0:
        detail = f"the token had expired {-lifetime:.0f} s before it arrived: clock skew; check this machine's clock"
        raise SideDown(detail, side=Side.ADVOWARE)
    return lifetime


def _moment(text: object) -> float | None:
    """Unix seconds of an ISO moment; without a zone it is UTC, as the key's name says."""
    try:
        moment = datetime.fromisoformat(str(text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _addresses(base: str | None, gateway: str | None) -> Addresses | None:
    return Addresses(base.rstrip("/") + "/", gateway.rstrip("/") + "/") if base and gateway else None


def _check(url: str, discovery_url: str) -> None:
    """A password goes there: no weaker protection than that of the discovery itself."""
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https") or (scheme == "http" and discovery_url.startswith("https:")):
        raise SideDown("discovery names an address without TLS; set advoware.base_url", side=Side.ADVOWARE)


def _host(request: Request) -> str:
    return urlsplit(request.url).hostname or "the server"
