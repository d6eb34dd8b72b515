"""For the tests of the simulators: a clock that only the test moves, and how one calls a world."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from daemon.simulators.wire import Answer, Request

Call = Callable[..., Answer]
"""`call(method, target, body=None, *, user=None, **headers)`"""


@dataclass
class Clock:
    """Call it for the time, set `now` or `tick` to move it."""

    now: float = 1_795_320_000.0

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float = 1.0) -> None:
        self.now += seconds


def request(method: str, target: str, headers: dict[str, str], body: Any = None) -> Request:
    """One with a JSON body; bytes are sent as they are."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if body is None else {"Content-Type": "application/json"}
    return Request.of(method, target, kind | headers, data)
