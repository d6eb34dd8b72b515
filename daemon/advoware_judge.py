"""What Advoware means by an answer (facts/advoware.md §4.9). Handed to :mod:`daemon.transport` by the app.

Errors are German plain text with any status, even 200: a status that speaks for itself comes first, then the known
texts. It must not know records.
"""

from __future__ import annotations

from daemon.answers import Reply, answered, verdict
from statemachine.errors import (
    CredentialsRefused,
    KommsyncError,
    RecordMissing,
    SideDown,
    SideTrouble,
    UnexpectedAnswer,
)
from statemachine.model import Side


class WrongPassword(CredentialsRefused):
    """Too many of these may lock the account (§2)."""


class TokenRefused(KommsyncError):
    """401: the adapter gets one fresh token and tries once more (§2)."""

    reason = "token_refused"


#: A phrase of the server → what we call it, and what the administrator should know.
_TEXTS: tuple[tuple[str, type[SideTrouble], str], ...] = (
    ("falscher name oder falsches kennwort", WrongPassword, "wrong user or password; check [advoware]"),
    ("ist nicht registriert", CredentialsRefused, "the firm is not registered; check advoware.kanzlei"),
    ("freigeschaltet", CredentialsRefused, "the product or user is not licensed; ask the vendor"),
    ("ist nicht angemeldet", SideDown, "the firm's advoware Manager is offline"),
)
_SPEAKS_FOR_ITSELF = (429, 502, 503, 504)


def judge(reply: Reply) -> KommsyncError | None:
    """The error that an answer stands for; None for 2xx with JSON or nothing in it."""
    if reply.status in _SPEAKS_FOR_ITSELF:
        return verdict(reply, Side.ADVOWARE)
    if said := _said(reply):
        return said
    match reply.status:
        case 401:
            return TokenRefused(answered(401), side=Side.ADVOWARE)
        case 404 if _is_page(reply):
            detail = "answered 404 with a web page; check advoware.base_url and advoware.api_prefix"
            return UnexpectedAnswer(detail, side=Side.ADVOWARE)
        case 404:
            return RecordMissing(answered(404), side=Side.ADVOWARE)
        case _:
            return verdict(reply, Side.ADVOWARE)


def _said(reply: Reply) -> SideTrouble | None:
    """Only in plain text: a bemerkung may well say "ist nicht angemeldet"."""
    if reply.is_json():
        return None
    text = reply.body[:2000].decode(errors="replace").casefold()
    return next((kind(detail, side=Side.ADVOWARE) for phrase, kind, detail in _TEXTS if phrase in text), None)


def _is_page(reply: Reply) -> bool:
    return "html" in reply.headers.get("content-type", "") or reply.body.lstrip().startswith(b"<")
