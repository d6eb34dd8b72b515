"""One side's wire without sockets: latency, misfortune, and a ledger of which writes ran over which edits.

Fulfils ``daemon.ports.Wire``; one per process life and side.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from daemon.gate import _PROBING  # what a probe is answered is a look at nobody
from daemon.ports import Answer, Request
from daemon.simulators import wire as sim
from daemon.transport import Lost, NotSent

if TYPE_CHECKING:
    from tests.harness.town import Process, Town

_BET_NR = re.compile(r"/Beteiligte/(\d+)")
_RECORD = re.compile(r"/CBeteiligte/([0-9a-f]{17})$")
_ROW = re.compile(r"/Kommunikationen/(\d+)$")
OFFLINE = "Der advoware Manager der Kanzlei ist nicht angemeldet."


class SimWire:
    def __init__(self, side: str, town: Town, process: Process) -> None:
        self._side = side
        self._town = town
        self._process = process
        self._chance = town.net_chance

    async def send(self, request: Request, timeout: float) -> Answer:
        town, process, chance = self._town, self._process, self._chance
        asked = _asked(request)
        person = self._person(asked)
        outage = town.outage(self._side)
        if person is None and outage is not None and outage.startswith(("gone", "cut")):
            outage = None
        if outage is not None:
            town.knocks[self._side] += 1
        fault = outage or town.fault(self._side, asked, person)
        context = structlog.contextvars.get_contextvars()
        run = str(context.get("run", ""))
        town.trace.say("daemon", asked.method, self._side, _short(asked), fault or "")
        if town.timeline.now < process.rests_until.get(self._side, 0.0) - 0.01:
            town.violations.append(
                f"{self._side} was asked at {town.timeline.now:.3f} though it wanted its rest"
            )
        await process.effect(f"{self._side} {asked.method}", "before")
        basis = town.basis(self._side, person, run)
        await self._sleep(0.002 + 0.05 * chance.random())
        if fault is not None:
            town.trace.counts[f"fault {'outage ' if outage else ''}{fault}"] += 1
            if outage is None or outage.startswith(("incomplete", "gone", "cut", "error_500")):
                town.blame(fault, person or town.person_of(context.get("bet_nr")))
            early = await self._fails_early(fault, asked, timeout, person, basis, run)
            if early is not None:
                return early
        if fault == "foreign_before" and person is not None:
            town.foreign_edit(self._side, person)
        if fault == "interrupted":
            town.interruption()
        answer = town.deliver(self._side, asked, person, basis, run)
        effect_at = town.timeline.now
        await process.effect(f"{self._side} {asked.method}", "after")
        if answer.seconds:
            await self._sleep(answer.seconds)
        if fault is not None:
            answer = await self._fails_late(fault, asked, answer, timeout, person)
        await self._sleep(0.002 + 0.05 * chance.random())
        if asked.method != "GET" and person is not None and answer.status < 300 and fault != "garbage_after":
            town.was_answered(self._side, person, effect_at)
        if asked.method == "GET" and person is not None and answer.status == 200 and not _PROBING.get():
            town.was_read(self._side, person, run, effect_at, answer, fault)
        return Answer(answer.status, dict(answer.headers), answer.body)

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._process.alive()

    async def _fails_early(
        self, fault: str, asked: sim.Request, timeout: float, person: str | None, basis: float, run: str
    ) -> Answer | None:
        """Before the server has done anything."""
        now = self._town.timeline.now
        match fault:
            case "not_sent":
                raise NotSent("no connection")
            case "drop_before":
                raise Lost("broken off")
            case "timeout_before":
                await self._sleep(timeout)
                raise Lost("no answer in time")
            case "late" | "very_late":
                delay = 100.0 if fault == "very_late" else timeout * self._chance.random() * 1.5 + 0.05
                town, side = self._town, self._side
                town.late(delay, lambda: town.deliver(side, asked, person, basis, run, late=True))
                await self._sleep(timeout)
                raise Lost("no answer in time")
            case "error_500":
                return self._answer(500)
            case "error_502":
                return self._answer(502, b"<html>Bad Gateway</html>")
            case "error_503":
                return self._answer(503)
            case "gone" if self._side == "espocrm":
                return self._answer(404, b"", {"X-Status-Reason": "Record x does not exist."})
            case "gone":
                return self._answer(200, b"[]", {"Content-Type": "application/json"})
            case "throttled":
                status, seconds = self._chance.choice((429, 503)), self._chance.randrange(1, 20)
                self._process.rests_until[self._side] = now + seconds
                return self._answer(status, b"", {"Retry-After": str(seconds)})
            case "unauthorized":
                return self._answer(401)
            case "offline":
                return self._answer(500, OFFLINE.encode(), {"Content-Type": "text/plain; charset=utf-8"})
        return None

    async def _fails_late(
        self, fault: str, asked: sim.Request, answer: sim.Answer, timeout: float, person: str | None
    ) -> sim.Answer:
        """The server has done its work."""
        chance = self._chance
        match fault:
            case "drop_after":
                raise Lost("broken off")
            case "timeout_after":
                await self._sleep(timeout)
                raise Lost("no answer in time")
            case "slow":
                await self._sleep(chance.random() * min(timeout * 0.9, 20.0))
            case "error_500_after":
                return sim.Answer(500, answer.headers, b"")
            case "error_502_after":
                return sim.Answer(502, {}, b"<html>Bad Gateway</html>")
            case "garbage" | "garbage_after" if answer.status < 400:  # rubbish, but no success that was none
                return sim.Answer(200, {**answer.headers}, chance.choice(_GARBAGE))
            case "incomplete" if self._side == "advoware":
                return _without(answer, "kommunikation")
            case "incomplete":
                return _without(answer, chance.choice(("phoneNumberData", "emailAddressData")))
            case "cut0" | "cut1" | "cut2" | "cut3":
                return _first(answer, int(fault[3:]))
            case "cut":
                return self._town.cut(self._side, asked, answer, person)
            case "stale":
                return self._town.stale(self._side, asked, answer, person)
        return answer

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        return Answer(status, headers or {}, body)

    def _person(self, asked: sim.Request) -> str | None:
        return person_of(self._town, self._side, asked)


def person_of(town: Town, side: str, asked: sim.Request) -> str | None:
    """The EspoCRM id of the Beteiligte that a request is about."""
    if side == "espocrm":
        found = _RECORD.search(asked.path)
        return found[1] if found else None
    bet_nr = _BET_NR.search(asked.path)
    book = town.ledger.by_bet_nr.get(int(bet_nr[1])) if bet_nr else None
    return book.pair.espocrm_id if book else None


_GARBAGE = (
    b"",
    b"null",
    b"17",
    b"[]]",
    b"<html><body>Wartung</body></html>",
    b'{"id": "6b02',
    b'{"list": null}',
    b"[null]",
    b"{}",
    b"\xff\xfe\x00",
)


def row_of(asked: sim.Request) -> int | None:
    found = _ROW.search(asked.path)
    return int(found[1]) if found else None


def _asked(request: Request) -> sim.Request:
    body = b"" if request.json is None else json.dumps(request.json).encode()
    headers = dict(request.headers)
    if body:
        headers["Content-Type"] = "application/json"
    return sim.Request(request.method, urlsplit(request.url).path, request.query, headers, body)


def _short(asked: sim.Request) -> str:
    path = asked.path.removeprefix("/api/v1/").removeprefix("advonet/")
    if asked.method == "GET" or path == "Token":
        return path
    return f"{path} {asked.body.decode()}"


def _first(answer: sim.Answer, keep: int) -> sim.Answer:
    """So many elements of each list of entries."""
    try:
        value = answer.json()
    except ValueError:
        return answer
    for one in value if isinstance(value, list) else [value]:
        for key in ("kommunikation", "phoneNumberData", "emailAddressData"):
            if isinstance(one, dict) and isinstance(one.get(key), list):
                one[key] = one[key][:keep]
    return sim.Answer(answer.status, answer.headers, json.dumps(value).encode(), answer.seconds)


def _without(answer: sim.Answer, key: str) -> sim.Answer:
    try:
        value = answer.json()
    except ValueError:
        return answer
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            one.pop(key, None)
    return sim.Answer(answer.status, answer.headers, json.dumps(value).encode(), answer.seconds)
