"""Finding the simulated Advoware and getting a token from it (facts: Advoware §1, §2).

Used by the world before any data call. Checks the signature for real.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from daemon.simulators.wire import Answer, Clock, JsonObject, Request, json_answer, text_answer

WRONG_PASSWORD = "Falscher Name oder falsches Kennwort."  # noqa: S105 - a text of the server
NOT_REGISTERED = "Die Kanzlei ist nicht registriert."
NOT_LICENSED = "Das Produkt ist für diesen Benutzer nicht freigeschaltet."
LOCKED = "Das Benutzerkonto ist gesperrt."


@dataclass(slots=True)
class Access:
    """The firm, its login and how tokens behave. Change it at any time."""

    kanzlei: str = "Muster & Partner"
    database: str = "ADVOWARE"
    user: str = "AB"
    password: str = "advoware-password"  # noqa: S105 - invented
    app_id: str = "kommsync-app"
    api_key: str = base64.b64encode(b"invented advoware api key").decode()
    product: int = 64
    role: int = 2
    licensed: bool = True
    token_seconds: float = 3600.0
    expiry_as: Literal["expiration_utc", "expires_in", "nothing"] = "expiration_utc"
    max_skew_seconds: float | None = 300.0
    lock_after: int = 5
    """Wrong passwords in a row until the account is locked."""
    base_url: str | None = None
    """What discovery tells; None = wherever the request was sent to."""
    connector: bool = False
    """Discovery names a connectorUrl, which then must be used."""


@dataclass(slots=True)
class TokenOffice:
    """Discovery, tokens, and the account's lock."""

    clock: Clock
    chance: random.Random
    access: Access
    failures: int = 0
    _tokens: dict[str, float] = field(default_factory=dict)
    _nonces: set[str] = field(default_factory=set)

    @property
    def locked(self) -> bool:
        """Whether too many wrong passwords were sent; `failures = 0` unlocks."""
        return self.failures >= self.access.lock_after

    def discover(self, request: Request) -> Answer:
        """`GET /AdvonetConfigurator/api/Url?Kanzlei=`; values end in a slash."""
        if request.parameter("Kanzlei") != self.access.kanzlei:
            return text_answer(NOT_REGISTERED, 404, "text/plain; charset=utf-8")
        host = request.header("Host") or "advoware.invalid"
        base = self.access.base_url or f"http://{host}/"
        connector = base if self.access.connector else None
        relay = "http://relay.invalid/" if self.access.connector else base
        return json_answer({"relayUrl": relay, "connectorUrl": connector, "securityGateway": base})

    def token(self, request: Request) -> Answer:
        """`POST /api/v1/Token`."""
        try:
            body = dict(json.loads(request.body))
        except (ValueError, TypeError):
            return _plain("Die Anfrage ist ungültig.", 400)
        refused = self._bad_signature(body) or self._bad_login(body)
        if refused is not None:
            return refused
        self.failures = 0
        token = f"{self.chance.getrandbits(256):064x}"
        self._tokens[token] = self.clock() + self.access.token_seconds
        return json_answer({"access_token": token, **self._expiry()})

    def _expiry(self) -> JsonObject:
        end = self.clock() + self.access.token_seconds
        match self.access.expiry_as:
            case "expiration_utc":
                return {"expiration_utc": datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
            case "expires_in":
                return {"expires_in": int(self.access.token_seconds)}
            case _:
                return {}

    def _bad_signature(self, body: JsonObject) -> Answer | None:
        stamp, nonce = str(body.get("RequestTimeStamp")), str(body.get("Nonce"))
        if not self._in_time(stamp):
            return _plain("Der Zeitstempel der Anfrage ist abgelaufen.", 401)
        if not nonce or nonce in self._nonces:
            return _plain("Die Anfrage wurde bereits verarbeitet.", 401)
        self._nonces.add(nonce)
        message = f"{body.get('Product')}:{body.get('AppID')}:{nonce}:{stamp}"
        right = signature(self.access.api_key, message)
        if not hmac.compare_digest(right.encode(), str(body.get("HMAC512Signature")).encode()):
            return _plain("Die Signatur ist ungültig.", 401)
        return None

    def _in_time(self, stamp: str) -> bool:
        try:
            sent = datetime.fromisoformat(stamp)
        except ValueError:
            return False
        aware = sent if sent.tzinfo else sent.replace(tzinfo=UTC)
        skew = abs(aware.timestamp() - self.clock())
        return self.access.max_skew_seconds is None or skew <= self.access.max_skew_seconds

    def _bad_login(self, body: JsonObject) -> Answer | None:
        access = self.access
        if body.get("Kanzlei") != access.kanzlei or body.get("Database") != access.database:
            return _plain(NOT_REGISTERED, 401)
        if body.get("AppID") != access.app_id or body.get("Product") != access.product or not access.licensed:
            return _plain(NOT_LICENSED, 403)
        if body.get("Role") != access.role:
            return _plain(NOT_LICENSED, 403)
        if self.locked:
            return _plain(LOCKED, 403)
        if (body.get("User"), body.get("Password")) != (access.user, access.password):
            self.failures += 1
            return _plain(WRONG_PASSWORD, 401)
        return None

    def admits(self, request: Request) -> bool:
        """Whether a data call carries a token that is still good."""
        scheme, _, token = (request.header("Authorization") or "").partition(" ")
        return scheme.lower() == "bearer" and self._tokens.get(token, 0.0) > self.clock()

    def issue(self) -> str:
        """A good token without the ceremony, for tests that are not about it."""
        token = f"{self.chance.getrandbits(256):064x}"
        self._tokens[token] = self.clock() + self.access.token_seconds
        return token

    def revoke_all(self) -> None:
        """Every token is refused from now on."""
        self._tokens.clear()


def signature(api_key: str, message: str) -> str:
    """HMAC-SHA512 under the decoded key, as Base64 (§2)."""
    digest = hmac.new(base64.b64decode(api_key), message.encode(), hashlib.sha512).digest()
    return base64.b64encode(digest).decode()


def _plain(text: str, status: int) -> Answer:
    return text_answer(text, status, "text/plain; charset=utf-8")
