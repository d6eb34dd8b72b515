"""What goes over the wire to a simulated server and comes back, as values.

Used by the worlds, the fault schedule, the HTTP face and by tests that talk to a world without sockets.
Knows nothing of EspoCRM or Advoware.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

Clock = Callable[[], float]
"""Seconds since the epoch, UTC. The only time a world knows."""

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the server sees it. `path` is decoded and has no query; header names are case-insensitive."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    target_length: int = 0
    """Length of path and query as they came over the wire; 0 = not known (then no 414)."""

    @classmethod
    def of(
        cls, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Request:
        """Build one from an encoded target, `/api/v1/X?maxSize=1`, or a whole URL."""
        parts = urlsplit(target)
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        length = len(parts.path) + len(parts.query)
        return cls(method.upper(), unquote(parts.path), query, dict(headers or {}), body, length)

    def header(self, name: str) -> str | None:
        """The value of a header, whatever its letter case; None if it was not sent."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), None)

    def parameter(self, name: str) -> str | None:
        """The last value of a plain query parameter, None if absent."""
        return next((value for key, value in reversed(self.query) if key == name), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `seconds` is how long the server works before it sends it (a slow save)."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0

    def json(self) -> Any:
        """The decoded body; raises ValueError for an empty or non-JSON one."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The value of a header, whatever its letter case."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), None)


class World(Protocol):
    """A simulated server."""

    def answer(self, request: Request) -> Answer:
        """Take a request, change what it changes, give the answer. Never raises for bad input."""
        ...


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An application/json answer."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Answer(status, {"Content-Type": "application/json", **(headers or {})}, body)


def text_answer(text: str, status: int = 200, content_type: str = "text/html; charset=UTF-8") -> Answer:
    """An answer that is not JSON."""
    return Answer(status, {"Content-Type": content_type}, text.encode())


def dated(answer: Answer, now: float) -> Answer:
    """The answer with the server's `Date`, one second fine, as every web server adds it."""
    return Answer(
        answer.status, {"Date": formatdate(now, usegmt=True), **answer.headers}, answer.body, answer.seconds
    )


def nested(query: Sequence[tuple[str, str]], name: str) -> Any:
    """Read PHP's bracket parameters: `where[0][type]=x` becomes `[{"type": "x"}]`; None if there are none."""
    root: JsonObject = {}
    for key, value in query:
        head, *rest = key.replace("]", "").split("[")
        if head == name and rest:
            _insert(root, rest, value)
    return _lists(root) if root else None


def _insert(node: JsonObject, keys: list[str], value: str) -> None:
    for key in keys[:-1]:
        child = node.setdefault(key or str(len(node)), {})
        node = child if isinstance(child, dict) else {}
    node[keys[-1] or str(len(node))] = value


def _lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node and all(key.isdigit() for key in node):
        return [_lists(node[key]) for key in sorted(node, key=int)]
    return {key: _lists(value) for key, value in node.items()}
