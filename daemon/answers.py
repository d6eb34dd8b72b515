"""Reading an HTTP answer: typed JSON, the server's clock, Retry-After, and which error a status is.

Called by :mod:`daemon.transport` and the adapters. It knows no gate, no socket and neither of the two systems. No text
made here holds anything of a body or a query.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec

from daemon.ports import Answer
from statemachine.errors import (
    AccessDenied,
    CredentialsRefused,
    IncompleteAnswer,
    KommsyncError,
    Refused,
    ServerError,
    SideDown,
    Throttled,
    UnexpectedAnswer,
)
from statemachine.model import Side

T = TypeVar("T")

#: Where 429 comes without Retry-After.
_DEFAULT_PAUSE = 30.0
#: What a server says of a refusal is shown only if it cannot hold a number, an address or a secret.
_HARMLESS = re.compile(r"[A-Za-z ,.:;'()-]{1,120}")
_NOT_THERE = "missing required field"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and when it was asked for and given, by our own clock. Header names are in lower case.
    ``server_time``: the answer's Date as Unix seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    asked_at: float
    answered_at: float
    server_time: float | None

    @classmethod
    def of(cls, answer: Answer, asked_at: float, answered_at: float) -> Reply:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return cls(answer.status, headers, answer.body, asked_at, answered_at, _moment(headers.get("date")))

    def retry_after(self) -> float | None:
        """Retry-After in seconds from now, given as seconds or as a date; None if there is none that can be read."""
        text = self.headers.get("retry-after", "").strip()
        try:
            seconds = float(text)
        except ValueError:
            moment = _moment(text)
            if moment is None:
                return None
            seconds = moment - (self.answered_at if self.server_time is None else self.server_time)
        return max(0.0, seconds) if math.isfinite(seconds) else None

    def is_json(self) -> bool:
        """An object or an array; a number or a text alone is no answer of either system."""
        return self.body.lstrip()[:1] in (b"{", b"[")


def decode(body: bytes, decoder: msgspec.json.Decoder[T], side: Side) -> T:
    """The typed value of a JSON body. Raises IncompleteAnswer for a missing key, UnexpectedAnswer for all else."""
    if not body.strip():
        raise UnexpectedAnswer("the answer is empty", side=side)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise misfit(error, side) from None
    except (ValueError, RecursionError):
        raise UnexpectedAnswer("the answer is not JSON", side=side) from None


def misfit(error: msgspec.ValidationError, side: Side) -> KommsyncError:
    """What a value of the wrong shape is called; msgspec names keys and types, never values."""
    kind = IncompleteAnswer if _NOT_THERE in str(error) else UnexpectedAnswer
    return kind(str(error), side=side)


def verdict(reply: Reply, side: Side) -> KommsyncError | None:
    """What a status means wherever it comes from (states, error classes); None for 2xx. The adapters know more of
    401, 403, 404 and 409 and ask here for what is left."""
    status = reply.status
    if 200 <= status < 300:
        return None
    pause = reply.retry_after()
    if status == 429 or (status == 503 and pause is not None):
        return Throttled(_DEFAULT_PAUSE if pause is None else pause, answered(status), side=side)
    if status in (502, 503, 504):
        return SideDown(answered(status), side=side)
    if status == 401:
        return CredentialsRefused(answered(status), side=side)
    if status == 403:
        return AccessDenied(answered(status), side=side)
    if status in (400, 413, 422):
        return Refused(answered(status), side=side, rule=str(status))
    if status >= 500:
        return ServerError(answered(status), side=side)
    return UnexpectedAnswer(answered(status), side=side)


def answered(status: int, reason: str = "") -> str:
    """A sentence about an answer; ``reason`` is shown only if it is harmless."""
    shown = f": {reason}" if _HARMLESS.fullmatch(reason) else ""
    return f"answered {status}{shown}"


def _moment(text: str | None) -> float | None:
    """Unix seconds of an HTTP date."""
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, TypeError, OverflowError):
        return None
