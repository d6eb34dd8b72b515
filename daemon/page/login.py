"""The login: a token or a password, as often as the rate limit allows, and the way out."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import partial

import anyio.to_thread
import structlog
from aiohttp import web

from daemon.page import password
from daemon.page.desk import Desk
from daemon.page.door import LOGIN_PATH, give_cookie
from daemon.page.language import Text
from daemon.page.sessions import Attempts, Sessions
from daemon.page.visit import Sorry, Visit, go
from daemon.settings import Web

#: scrypt takes 16 MB each: many at once must not.
_AT_ONCE = 2
_LONGEST = 200

log = structlog.get_logger(__name__)


class Login:
    """``clock``: seconds that never jump."""

    def __init__(self, desk: Desk, settings: Web, sessions: Sessions, clock: Callable[[], float]) -> None:
        self._desk = desk
        self._settings = settings
        self._sessions = sessions
        self._attempts = Attempts(clock)
        self._limiter: anyio.CapacityLimiter | None = None

    async def show(self, visit: Visit) -> web.Response:
        return self._desk.show(visit, "login", wrong=False)

    async def log_in(self, visit: Visit) -> web.Response:
        """Every try counts until it turns out to be right."""
        address = visit.request.remote or ""
        wait = self._attempts.wait(address)
        if wait > 0:
            raise Sorry(429, _too_often(wait))
        self._attempts.count(address)
        if not await self._is_right(visit.field("secret")):
            log.warning("login_refused", remedy="web.token or web.password_hash")
            return self._desk.show(visit, "login", wrong=True, status=401)
        self._attempts.forgive(address)
        response = go("/")
        give_cookie(response, visit.request, self._sessions.log_in())
        return response

    async def log_out(self, visit: Visit) -> web.Response:
        self._sessions.log_out(visit.id)
        response = go(LOGIN_PATH)
        give_cookie(response, visit.request, self._sessions.new_visit())
        return response

    async def _is_right(self, secret: str) -> bool:
        token, hashed = self._settings.token, self._settings.password_hash
        if not secret or len(secret) > _LONGEST:
            return False
        if token is not None and hmac.compare_digest(token.get_secret_value().encode(), secret.encode()):
            return True
        if hashed is None:
            return False
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        check = partial(password.fits, secret, hashed.get_secret_value())
        return await anyio.to_thread.run_sync(check, limiter=self._limiter)


def _too_often(wait: float) -> Text:
    seconds = int(wait) + 1
    return Text(
        f"Zu viele falsche Anmeldungen. Bitte in {seconds} Sekunden noch einmal.",
        f"Too many wrong logins. Please try again in {seconds} seconds.",
    )
