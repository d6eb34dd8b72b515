"""One HTTP request to one side: through the gate, with a time limit, and every outcome one of our error classes.

Called by the adapters, which say what to send, how to read the answer and (``judge``) what their system means by a
status. It tells *not sent* (nothing happened) from *no answer* (it may have happened), reports trouble of the side to
the gate, and never repeats anything. It must not know either system. Nothing of a query, a body or a header gets
into a text.

The contract for a write: **UnknownOutcome whenever it may have happened; any other error means that it did not.**
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from daemon.answers import Reply
from daemon.gate import Gate
from daemon.ports import Answer, Clock, Request, Wire
from statemachine.errors import (
    KommsyncError,
    ServerError,
    SideDown,
    SideTrouble,
    UnexpectedAnswer,
    UnknownOutcome,
)

T = TypeVar("T")

#: ``code`` of a request that got no answer.
NO_ANSWER = "none"

Judge = Callable[[Reply], KommsyncError | None]


class WireError(Exception):
    """What a Wire raises instead of an answer. Its text is shown: an error's kind, a host, never a query."""


class NotSent(WireError):
    """No connection: the request has not left us."""


class Lost(WireError):
    """Sent, or partly, and no whole answer came (reset, timeout, cut off)."""


class TooLarge(WireError):
    """An answer began that is larger than any we ask for."""


class Unreachable(SideDown):
    """Nothing was sent, as there is no connection; the address may be stale."""


def _ignore(*_: object) -> None:
    """Nobody measures."""


class Transport:
    """``judge``: the side's verdict on an answer, None if it is fine. ``observe(method, code, seconds)`` is called
    once per request, ``offset(seconds)`` with the side's clock minus ours for every answer that has a Date."""

    def __init__(
        self,
        gate: Gate,
        wire: Wire,
        clock: Clock,
        judge: Judge,
        *,
        timeout: float,
        observe: Callable[[str, str, float], object] = _ignore,
        offset: Callable[[float], object] = _ignore,
    ) -> None:
        self.side = gate.side
        self._gate = gate
        self._wire = wire
        self._clock = clock
        self._judge = judge
        self._timeout = timeout
        self._observe = observe
        self._offset = offset

    async def call(
        self, request: Request, read: Callable[[Reply], T], *, record: str = "", write: bool | None = None
    ) -> T:
        """Send once and read the answer. ``record``: whom it is about, for texts and for telling one sick record
        from a sick side. ``write``: may change something; None: whatever is no GET does.

        Raises what ``judge`` and ``read`` find, SideTrouble, ServerError, UnexpectedAnswer; for a write see above.
        """
        write = request.method != "GET" if write is None else write
        try:
            reply = await self._exchange(request)
        except WireError as error:
            raise await self._unanswered(error, write, record) from None
        try:
            result = self._read(reply, read)
        except KommsyncError as error:
            raise await self._consequence(error, reply.status, write, record) from None
        if record:
            self._gate.well()
        return result

    def report(self, error: SideTrouble) -> SideTrouble:
        """For trouble that only an adapter can recognise; gives it back to be raised."""
        self._gate.report(error)
        return error

    async def _exchange(self, request: Request) -> Reply:
        async with self._gate.passing():
            asked, started, code = self._clock.now(), self._clock.monotonic(), NO_ANSWER
            try:
                answer: Answer = await self._wire.send(request, self._timeout)
                code = str(answer.status)
            finally:
                self._observe(request.method, code, self._clock.monotonic() - started)
            reply = Reply.of(answer, asked, self._clock.now())
        if reply.server_time is not None:
            self._offset(reply.server_time - (reply.asked_at + reply.answered_at) / 2)
        return reply

    def _read(self, reply: Reply, read: Callable[[Reply], T]) -> T:
        trouble = self._judge(reply)
        if trouble is not None:
            raise trouble
        return read(reply)

    async def _unanswered(self, lost: WireError, write: bool, record: str) -> KommsyncError:
        """Slow record or dead side? One probe tells. What is about no record (a list, a token, the probe) has no
        record to blame; a write is read again anyway."""
        if isinstance(lost, NotSent):
            return self.report(Unreachable(str(lost), side=self.side))
        if write:
            return UnknownOutcome(_of(record, str(lost)), side=self.side)
        if isinstance(lost, TooLarge):
            return UnexpectedAnswer(_of(record, str(lost)), side=self.side)
        if record and await self._gate.answers(unless_asked=False):
            return ServerError(_of(record, str(lost)), side=self.side)
        return self.report(SideDown(str(lost), side=self.side))

    async def _consequence(
        self, trouble: KommsyncError, status: int, write: bool, record: str
    ) -> KommsyncError:
        error = await self._suspected(trouble, record)
        if isinstance(error, SideTrouble):
            self.report(error)
        if write and _may_have_happened(status):
            return UnknownOutcome(_of(record, error.detail), side=self.side)
        return error

    async def _suspected(self, trouble: KommsyncError, record: str) -> KommsyncError:
        sick = isinstance(trouble, ServerError | UnexpectedAnswer)
        if sick and record and await self._gate.suspect(record):
            return SideDown(f"{trouble.detail}, as for others, and the probe fails too", side=self.side)
        return trouble


def _may_have_happened(status: int) -> bool:
    """3xx and 4xx are refusals, except 408: the server gave up waiting."""
    return not 300 <= status < 500 or status == 408


def _of(record: str, detail: str) -> str:
    return f"{record} {detail}" if record else detail
