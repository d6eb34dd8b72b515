"""Every deliberate exception, sorted by what happens next (states: error classes).

Raised by the transport, the adapters and the store; read by the worker, which turns them into a trigger. No text in
here ever holds a phone number, a mail address or a secret: ``reason`` is a short machine word, ``detail`` a
sentence for the administrator.
"""

from __future__ import annotations

from statemachine.model import Side


class KommsyncError(Exception):
    """Root of all errors that we raise on purpose."""

    reason = "error"

    def __init__(self, detail: str = "", *, reason: str | None = None, side: Side | None = None) -> None:
        self.detail = detail
        self.side = side
        if reason is not None:
            self.reason = reason
        super().__init__(": ".join(part for part in (self.reason, detail) if part))


class SideTrouble(KommsyncError):
    """The side cannot be used just now: nobody loses an attempt, the record is postponed."""


class SideDown(SideTrouble):
    """Connect error, TLS, 502/503/504, Advoware's Manager is off, EspoCRM's maintenance: the breaker opens."""

    reason = "side_down"


class Throttled(SideTrouble):
    """429 or 503 with Retry-After: the side pauses for ``retry_after`` seconds."""

    reason = "throttled"

    def __init__(self, retry_after: float, detail: str = "", *, side: Side | None = None) -> None:
        super().__init__(detail, side=side)
        self.retry_after = retry_after


class CredentialsRefused(SideTrouble):
    """The side refuses who we are: it stops and is probed at most once a minute."""

    reason = "credentials_refused"


class ClockSet(SideTrouble):
    """Our own clock was set in the middle of a run: how long ago anything was seen is not known."""

    reason = "clock_set"


class RecordTrouble(KommsyncError):
    """An error of this record that may heal: ``failed`` with backoff."""

    reason = "record_error"


class IncompleteAnswer(RecordTrouble):
    """An answer without what the facts promise; nothing may be derived from it (§9)."""

    reason = "incomplete_answer"


class UnexpectedAnswer(RecordTrouble):
    """An answer that is not what the facts describe: wrong JSON, HTML, wrong types, too large."""

    reason = "unexpected_answer"


class ServerError(RecordTrouble):
    """A 500 for this record. On three or more records while the probe fails too it counts as side down."""

    reason = "server_error"


class Modified(RecordTrouble):
    """EspoCRM's 409 ``modified``: somebody saved since our read; load and decide again."""

    reason = "modified_meanwhile"


class HopelessRecord(KommsyncError):
    """An error that cannot heal by itself: ``permanently_failed`` at once."""

    reason = "cannot_heal"


class AccessDenied(HopelessRecord):
    """403 for this record with a reason from the server."""

    reason = "access_denied"


class RecordMissing(KommsyncError):
    """404, or an empty list in Advoware. Only a confirmed second look makes it true (§9)."""

    reason = "record_missing"


class Refused(RecordTrouble):
    """The server answered 400 to a value or a request, a read too. ``field`` and ``rule`` as the server names them."""

    reason = "refused"

    def __init__(
        self, detail: str = "", *, side: Side | None = None, field: str = "", rule: str = ""
    ) -> None:
        super().__init__(detail, side=side)
        self.field = field
        self.rule = rule


class UnknownOutcome(KommsyncError):
    """Timeout, reset or 5xx after a write was sent: it may or may not have happened (§8)."""

    reason = "unknown_outcome"


class ContractBroken(KommsyncError):
    """A (state, trigger) pair that is not in the table: our own bug."""

    reason = "our_bug"
