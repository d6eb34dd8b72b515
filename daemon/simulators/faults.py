"""Misfortune between a caller and a world, as data: what may go wrong, when, how often.

`FaultyWorld.deliver()` asks a schedule before each request and gives a `Delivery`: an answer, or none because the
connection was lost. The HTTP face and the in-process harness use the same mechanism; nothing here waits or knows
which world it spoils.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from daemon.simulators.wire import Answer, Clock, Request, World, dated


class Kind(Enum):
    """What can go wrong with one request."""

    ANSWER = "answer"
    """The fault's own answer instead of the world's; the world is not asked."""
    ANSWER_AFTER = "answer_after"
    """The world does its work, but the fault's answer is sent (a 500 after the effect)."""
    DROP_BEFORE = "drop_before"
    """The connection breaks before the world saw the request."""
    DROP_AFTER = "drop_after"
    """The world did its work, the answer is lost."""
    LATE_EFFECT = "late_effect"
    """No answer now; the request takes effect `seconds` later."""
    STALE = "stale"
    """An earlier, different answer to the same GET, if there was one."""
    CUT_LIST = "cut_list"
    """The first JSON list under `cut_key` is shortened to `keep` elements."""
    SLOW = "slow"
    """The right answer, `seconds` later."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One misfortune."""

    kind: Kind
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    cut_key: str = "kommunikation"
    keep: int = 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """What reaches the caller after `seconds`; `answer` None = the connection is lost without one."""

    answer: Answer | None
    seconds: float = 0.0


class Schedule(Protocol):
    """Decides per request."""

    def pick(self, request: Request, now: float) -> Fault | None:
        """The fault for this request, None for none."""
        ...


@dataclass(slots=True)
class Rule:
    """A fault for the requests that match, from `skip` matches on, at most `times` times, inside a time window."""

    fault: Fault
    method: str = ""
    """Empty = any."""
    path: str = ""
    """Regular expression searched in the path; empty = any."""
    skip: int = 0
    times: int | None = 1
    since: float = float("-inf")
    until: float = float("inf")
    hits: int = 0

    def applies(self, request: Request, now: float) -> bool:
        """Whether it is this request's turn; counts the matches."""
        if self.method not in ("", request.method) or not self.since <= now < self.until:
            return False
        if not re.search(self.path, request.path):
            return False
        self.hits += 1
        return self.hits > self.skip and (self.times is None or self.hits <= self.skip + self.times)


@dataclass(slots=True)
class Rules:
    """The plain schedule: the first rule that applies."""

    rules: list[Rule] = field(default_factory=list)

    def pick(self, request: Request, now: float) -> Fault | None:
        """The first match wins."""
        return next((rule.fault for rule in self.rules if rule.applies(request, now)), None)

    def add(self, fault: Fault, **conditions: Any) -> Rule:
        """One more rule; conditions are the fields of Rule."""
        rule = Rule(fault, **conditions)
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """From now on all is well."""
        self.rules.clear()


# -- the common ones -----------------------------------------------------------------------------------------

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    """An error answer; the world was not asked. Underscores in header names become dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(Kind.ANSWER, code, named, body)


def too_many(retry_after: float) -> Fault:
    """429 with Retry-After."""
    return status(429, Retry_After=str(int(retry_after)))


def nonsense(form: str = "html") -> Fault:
    """A 200 that cannot be an answer: html, json (broken), scalar, empty or huge (10 MB)."""
    bodies = {
        "html": ("text/html", HTML),
        "json": ("application/json", b'{"id": "6b02'),
        "scalar": ("application/json", b"17"),
        "empty": ("application/json", b""),
        "huge": ("application/json", b'{"filler": "' + b"x" * 10 * 2**20 + b'"}'),
    }
    kind, body = bodies[form]
    return Fault(Kind.ANSWER, 200, {"Content-Type": kind}, body)


DROP_BEFORE = Fault(Kind.DROP_BEFORE)
DROP_AFTER = Fault(Kind.DROP_AFTER)
STALE = Fault(Kind.STALE)
ERROR_AFTER = Fault(Kind.ANSWER_AFTER, 500)


def late(seconds: float) -> Fault:
    """No answer; the effect comes later."""
    return Fault(Kind.LATE_EFFECT, seconds=seconds)


def slow(seconds: float) -> Fault:
    """The right answer, late."""
    return Fault(Kind.SLOW, seconds=seconds)


def cut(keep: int = 1, key: str = "kommunikation") -> Fault:
    """A truncated list under `key`."""
    return Fault(Kind.CUT_LIST, cut_key=key, keep=keep)


# -- the world behind it -------------------------------------------------------------------------------------


class FaultyWorld:
    """A world and its misfortunes. Late effects happen at the first call after their time, or by `settle()`."""

    def __init__(self, world: World, clock: Clock, schedule: Schedule | None = None) -> None:
        self.world = world
        self.clock = clock
        self.schedule: Schedule = schedule if schedule is not None else Rules()
        self._late: list[tuple[float, Request]] = []
        self._earlier: dict[tuple[str, tuple[tuple[str, str], ...]], list[Answer]] = {}

    def deliver(self, request: Request) -> Delivery:
        """One request through the schedule."""
        self.settle()
        fault = self.schedule.pick(request, self.clock())
        if fault is None:
            return _in_time(self._ask(request))
        return self._spoiled(request, fault)

    def answer(self, request: Request) -> Answer:
        """Like `deliver`, for callers who cannot lose a connection: a lost one is a 504."""
        return self.deliver(request).answer or Answer(504)

    def settle(self) -> None:
        """Let the late effects happen whose time has come."""
        due = [entry for entry in self._late if entry[0] <= self.clock()]
        self._late = [entry for entry in self._late if entry[0] > self.clock()]
        for _at, request in sorted(due, key=lambda entry: entry[0]):
            self.world.answer(request)

    @property
    def waiting(self) -> int:
        """How many late effects are still to come."""
        return len(self._late)

    def _ask(self, request: Request) -> Answer:
        answer = self.world.answer(request)
        if request.method == "GET" and answer.status == 200:
            seen = self._earlier.setdefault((request.path, tuple(request.query)), [])
            if not seen or seen[-1].body != answer.body:
                self._earlier[(request.path, tuple(request.query))] = [*seen[-1:], answer]
        return answer

    def _spoiled(self, request: Request, fault: Fault) -> Delivery:
        match fault.kind:
            case Kind.ANSWER:
                return Delivery(self._own_answer(fault), fault.seconds)
            case Kind.DROP_BEFORE:
                return Delivery(None, fault.seconds)
            case Kind.LATE_EFFECT:
                self._late.append((self.clock() + fault.seconds, request))
                return Delivery(None)
        answer = self._ask(request)
        match fault.kind:
            case Kind.ANSWER_AFTER:
                return Delivery(self._own_answer(fault), answer.seconds + fault.seconds)
            case Kind.DROP_AFTER:
                return Delivery(None, answer.seconds + fault.seconds)
            case Kind.STALE:
                return _in_time(self._stale(request, answer))
            case Kind.CUT_LIST:
                return _in_time(_cut(answer, fault))
        return Delivery(answer, answer.seconds + fault.seconds)

    def _own_answer(self, fault: Fault) -> Answer:
        return dated(Answer(fault.status, fault.headers, fault.body), self.clock())

    def _stale(self, request: Request, answer: Answer) -> Answer:
        seen = self._earlier.get((request.path, tuple(request.query)), [])
        return seen[0] if len(seen) > 1 else answer


def _in_time(answer: Answer) -> Delivery:
    return Delivery(answer, answer.seconds)


def _cut(answer: Answer, fault: Fault) -> Answer:
    try:
        value = answer.json()
    except ValueError:
        return answer
    _shorten(value, fault)
    body = json.dumps(value, ensure_ascii=False).encode()
    return Answer(answer.status, answer.headers, body, answer.seconds)


def _shorten(value: Any, fault: Fault) -> None:
    if isinstance(value, list):
        for element in value:
            _shorten(element, fault)
    elif isinstance(value, dict):
        found = value.get(fault.cut_key)
        if isinstance(found, list):
            value[fault.cut_key] = found[: fault.keep]
