"""For the tests of the two sides: wires without sockets, a gate and a transport on virtual time."""

import asyncio
import json
import random
import selectors
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from daemon.answers import Reply
from daemon.gate import Gate
from daemon.ports import Answer, Request
from daemon.simulators import wire as simulated
from daemon.transport import Judge, Transport, WireError
from statemachine.errors import KommsyncError
from statemachine.model import Side

T = TypeVar("T")
START = 1_795_000_000.0
#: Asked before each request of a WorldWire; its answer or error comes instead.
Fault = Callable[[Request], Answer | WireError | None]


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer when there is nothing else to do."""

    def __init__(self) -> None:
        self.virtual = 1000.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.virtual


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self._loop.virtual += timeout
        return ready


VIRTUAL = ("asyncio", {"loop_factory": VirtualLoop})


class LoopClock:
    """``ports.Clock`` on the running loop's time; ``ahead`` seconds before the world."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead = ahead

    def now(self) -> float:
        return START + asyncio.get_running_loop().time() + self.ahead

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Middling:
    """``ports.Random`` without chance: no jitter."""

    def random(self) -> float:
        return 0.5


class ScriptedWire:
    """Gives the scripted answers in turn, the last one for ever; an exception is raised. Keeps what was asked."""

    def __init__(self, *script: Answer | Exception) -> None:
        self.script = list(script)
        self.sent: list[Request] = []

    async def send(self, request: Request, timeout: float) -> Answer:
        self.sent.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return step


class WorldWire:
    """A simulated world without sockets, but for what its ``fault`` makes of a request."""

    def __init__(self, world: simulated.World) -> None:
        self.world = world
        self.sent: list[Request] = []
        self.fault: Fault = lambda _: None

    async def send(self, request: Request, timeout: float) -> Answer:
        self.sent.append(request)
        fault = self.fault(request)
        if isinstance(fault, WireError):
            raise fault
        return fault or self.pass_on(request)

    def pass_on(self, request: Request) -> Answer:
        parts = urlsplit(request.url)
        headers = {"Host": parts.netloc, **dict(request.headers)}
        body = b""
        if request.json is not None:
            headers["Content-Type"] = "application/json"
            body = msgspec.json.encode(request.json)
        answer = self.world.answer(
            simulated.Request(request.method, unquote(parts.path), request.query, headers, body)
        )
        return Answer(answer.status, answer.headers, answer.body)


def json_answer(value: object, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, {"Content-Type": "application/json", **named}, msgspec.json.encode(value))


def text_answer(text: str = "", status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"Content-Type": "text/plain", **named}, text.encode())


@dataclass
class Once:
    """The first answer that this fault gives, and no more."""

    fault: Fault
    given: bool = False

    def __call__(self, asked: Request) -> Answer | WireError | None:
        came = None if self.given else self.fault(asked)
        self.given = self.given or came is not None
        return came


def is_record(asked: Request) -> bool:
    """EspoCRM is asked for one CBeteiligte."""
    return asked.method == "GET" and "CBeteiligte/" in asked.url


def without(wire: WorldWire, asked: Request, kind: str, *hidden: str) -> Answer:
    """EspoCRM's record with half an array."""
    shown = json.loads(wire.pass_on(asked).body)
    kept = [one for one in shown[f"{kind}Data"] if one[kind] not in hidden]
    return json_answer({**shown, f"{kind}Data": kept})


def truncated(wire: WorldWire, asked: Request, *hidden: str) -> Answer:
    """Advoware's Beteiligter with rows left out."""
    whole = json.loads(wire.pass_on(asked).body)
    return json_answer(
        [
            {**one, "kommunikation": [k for k in one["kommunikation"] if k["tlf"] not in hidden]}
            for one in whole
        ]
    )


def refusing(field: str) -> Answer:
    """EspoCRM takes no value of this field."""
    return Answer(400, {"X-Status-Reason": f"Field validation failure; field: {field}, type: valid"}, b"")


def date(moment: float) -> str:
    return formatdate(moment, usegmt=True)


def nothing(_reply: Reply) -> None:
    """Reads nothing."""


@dataclass
class Seen:
    """What a transport reported."""

    requests: list[tuple[str, str, float]] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)
    troubles: list[object] = field(default_factory=list)


def gate(side: Side = Side.ESPOCRM, seen: Seen | None = None, **options: Any) -> Gate:
    seen = seen or Seen()
    options = {"max_concurrent": 4, "on_trouble": seen.troubles.append, **options}
    return Gate(side, LoopClock(), Middling(), **options)


def transport(wire: Any, judge: Judge, door: Gate, seen: Seen | None = None) -> Transport:
    seen = seen or Seen()

    def observe(method: str, code: str, seconds: float) -> None:
        seen.requests.append((method, code, seconds))

    return Transport(door, wire, LoopClock(), judge, timeout=30, observe=observe, offset=seen.offsets.append)


def dice(seed: int = 1) -> random.Random:
    return random.Random(seed)


def texts(error: BaseException) -> Iterable[str]:
    """Everything that a log could show of an error, its hidden causes too."""
    yield "".join(traceback.format_exception(error))
    while error is not None:
        yield str(error)
        if isinstance(error, KommsyncError):
            yield repr(error)
            yield repr(vars(error))
        error = error.__context__  # type: ignore[assignment]
