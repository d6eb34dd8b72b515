"""Who may come in, and what every answer carries: host names, the login, forged posts, headers.

Put around every view by :mod:`daemon.page.routes`. It knows no page. The rules: a request must name a host that is
ours (a foreign name is DNS rebinding); from anywhere but this machine it needs a login; a post needs the token of our
own form and must come from our own page, on loopback too. Nothing is ever cached but the style.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

import structlog
from aiohttp import HttpVersion11, web

from daemon.page.language import Text, preferred
from daemon.page.sessions import Sessions
from daemon.page.visit import Form, Sorry, Visit, go
from daemon.settings import Web
from statemachine.errors import KommsyncError

COOKIE = "kommsync"
TOKEN_FIELD = "form_token"  # noqa: S105 - the name of a field
LOGIN_PATH = "/login"
#: No script and no style but ours, nothing from elsewhere, in nobody's frame. ``same-origin``: with ``no-referrer``
#: browsers send a post with ``Origin: null``.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
#: What a proxy adds; whoever sends one of these does not sit at this machine.
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")

_FOREIGN_HOST = Text(
    "Diese Adresse gehört nicht zu kommsync. Der Administrator kann sie mit web.allowed_hosts zulassen.",
    "This address is none of kommsync's. The administrator can allow it with web.allowed_hosts.",
)
_NO_LOGIN_SET = Text(
    "Von einem anderen Rechner aus ist eine Anmeldung nötig, und es ist keine eingerichtet. Der Administrator setzt"
    " web.token oder web.password_hash und startet kommsync neu.",
    "From another machine a login is needed, and none is set up. The administrator sets web.token or"
    " web.password_hash and restarts kommsync.",
)
_FORGED = Text(
    "Das Formular war zu alt oder kam nicht von dieser Seite. Es ist nichts geschehen; bitte die Seite neu laden.",
    "The form was too old or did not come from this page. Nothing was done; please load the page again.",
)
_BROKEN = Text(
    "Das hat nicht geklappt. Es steht im Protokoll von kommsync; bitte später noch einmal versuchen.",
    "That did not work. The log of kommsync says why; please try again later.",
)

View = Callable[[Visit], Awaitable[web.Response]]
Apology = Callable[[Visit, Sorry], web.Response]

log = structlog.get_logger(__name__)


class Door:
    """``apologise`` renders what went wrong."""

    def __init__(self, settings: Web, sessions: Sessions, apologise: Apology) -> None:
        self._settings = settings
        self._sessions = sessions
        self._apologise = apologise

    def behind(self, view: View, *, login: bool = True) -> Callable[[web.Request], Awaitable[web.Response]]:
        """``login=False``: also for those who have not logged in (the login itself)."""

        async def answer(request: web.Request) -> web.Response:
            visit = self._visit(request)
            response = await self._answer(view, visit, login)
            self._dress(response, visit)
            return response

        return answer

    def needs_login(self, request: web.Request) -> bool:
        """Whether it comes from elsewhere, or a login is wanted here as well."""
        return self._has_login or not is_loopback(self._settings.host) or _is_forwarded(request)

    @property
    def _has_login(self) -> bool:
        web = self._settings
        return bool(web.token or web.password_hash or web.allowed_hosts)

    def _visit(self, request: web.Request, form: Mapping[str, list[str]] | None = None) -> Visit:
        known = request.cookies.get(COOKIE, "")
        visit = known if 20 <= len(known) <= 100 else self._sessions.new_visit()
        return Visit(
            request,
            visit,
            preferred(request.headers.get("Accept-Language", "")),
            self._sessions.form_token(visit),
            dict(form or {}),
            self._sessions.is_logged_in(visit),
        )

    async def _answer(self, view: View, visit: Visit, login: bool) -> web.Response:
        try:
            self._check_host(visit.request)
            if login and self.needs_login(visit.request) and not visit.known:
                return self._to_login(visit)
            return await view(await self._with_form(visit) if visit.request.method == "POST" else visit)
        except Sorry as sorry:
            return self._apologise(visit, sorry)
        except KommsyncError as error:
            log.warning("page_failed", reason=error.reason, detail=error.detail)
            return self._apologise(visit, Sorry(503, _BROKEN))
        except web.HTTPException:
            raise
        except Exception as error:
            log.error("page_failed", exc_info=error)
            return self._apologise(visit, Sorry(500, _BROKEN))

    def _check_host(self, request: web.Request) -> None:
        """An address made of numbers cannot be rebound; a name must be one of ours."""
        name = _name_of(request.host)
        ours = {"localhost", self._settings.host.lower(), *self._settings.allowed_hosts}
        if name not in ours and f"[{name}]" not in ours and not _is_address(name):
            raise Sorry(421, _FOREIGN_HOST)

    def _to_login(self, visit: Visit) -> web.Response:
        if not (self._settings.token or self._settings.password_hash):
            raise Sorry(403, _NO_LOGIN_SET)
        return go(LOGIN_PATH)

    async def _with_form(self, visit: Visit) -> Visit:
        """Raises Sorry for a post that did not come from one of our forms in this very browser."""
        request = visit.request
        posted: Form = await request.post()
        form = {name: [str(one) for one in posted.getall(name)] for name in posted}
        token = form.get(TOKEN_FIELD, [""])[0]
        known = request.cookies.get(COOKIE, "") == visit.id
        if not known or not _same_origin(request) or not self._sessions.is_form_token(visit.id, token):
            raise Sorry(403, _FORGED)
        return self._visit(request, form)

    def _dress(self, response: web.Response, visit: Visit) -> None:
        response.headers.update(HEADERS)
        response.headers["Vary"] = "Accept-Language, Cookie"
        response.headers["Content-Language"] = visit.language.value
        if COOKIE not in response.cookies and visit.request.cookies.get(COOKIE) != visit.id:
            give_cookie(response, visit.request, visit.id)


def give_cookie(response: web.Response, request: web.Request, visit: str) -> None:
    """Not readable by scripts, not sent from other sites, gone with the browser; over TLS only where there is TLS."""
    response.set_cookie(COOKIE, visit, httponly=True, samesite="Strict", secure=_is_tls(request), path="/")


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name_of(host: str) -> str:
    """Without its port; "" for what is no host at all."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_forwarded(request: web.Request) -> bool:
    """A proxy that says nothing of itself still speaks HTTP/1.0, which no browser does (nginx as it comes)."""
    return request.version < HttpVersion11 or any(name in request.headers for name in _FORWARDED)


def _is_tls(request: web.Request) -> bool:
    return request.headers.get("X-Forwarded-Proto", request.scheme).lower() == "https"


def _same_origin(request: web.Request) -> bool:
    """Browsers name the origin of every post; who names none is no browser, and needs the token all the same."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc.lower() == request.host.lower()
