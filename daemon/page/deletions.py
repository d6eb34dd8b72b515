"""Mass deletions that the fuse holds: what is held, what approving or rejecting does, and the decision."""

from __future__ import annotations

import math
from dataclasses import dataclass

import structlog
from aiohttp import web

from daemon.admin import fuses
from daemon.admin.desk import NotPossible
from daemon.page.desk import PAGE, Desk
from daemon.page.language import Text
from daemon.page.visit import Sorry, Visit, as_number, go, not_found
from daemon.store import BlownFuse, HeldDeletion, ShownList
from statemachine.case import Fuse
from statemachine.model import Side

_MOVED_ON = Text(
    "Inzwischen hat sich geändert, was angehalten ist. Es ist nichts geschehen; bitte noch einmal ansehen.",
    "What is held has changed meanwhile. Nothing was done; please look again.",
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """One side's fuse, how many deletions it holds, and the first of them."""

    fuse: BlownFuse
    number: int
    at_ms: int
    first: list[HeldDeletion]
    next: tuple[int, str] | None


class Deletions:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> web.Response:
        blown = await self._blown()
        after = (visit.number("after"), visit.query("key"))
        wanted = visit.query("side")
        held = [await self._held(fuse, after if wanted == fuse.side else (0, "")) for fuse in blown]
        return self._desk.show(visit, "deletions", held=held, settled=visit.number("settled"))

    async def confirm(self, visit: Visit) -> web.Response:
        fuse = await self._wanted(visit)
        held = await self._held(fuse, (0, ""))
        return self._desk.show(visit, "confirm_deletions", held=held, approve=_approve(visit))

    async def settle(self, visit: Visit) -> web.Response:
        """By the same function as ``kommsync fuse``; exactly those that were shown, or none."""
        fuse = await self._wanted(visit)
        seen = ShownList(as_number(visit.field("number")), as_number(visit.field("at")) / 1000)
        try:
            number = await fuses.settle(self._desk.store, fuse.side, approve=_approve(visit), shown=seen)
        except NotPossible:
            raise Sorry(409, _MOVED_ON) from None
        log.info("fuse_settled", side=fuse.side, approved=_approve(visit), number=number, by="page")
        return go(f"/deletions?settled={number}")

    async def _blown(self) -> list[BlownFuse]:
        details = await self._desk.store.fuse_details()
        return [fuse for fuse in details if fuse.fuse is not Fuse.INTACT]

    async def _wanted(self, visit: Visit) -> BlownFuse:
        blown = {fuse.side.value: fuse for fuse in await self._blown()}
        side = visit.field("side")
        if side not in set(Side):
            not_found()
        if side not in blown:
            raise Sorry(409, _MOVED_ON)
        return blown[side]

    async def _held(self, fuse: BlownFuse, after: tuple[int, str]) -> Held:
        store = self._desk.store
        found = await store.held_page(fuse.side, after=after, limit=PAGE + 1)
        last = found[PAGE - 1] if len(found) > PAGE else None
        return Held(
            fuse,
            await store.held_count(fuse.side),
            math.ceil(self._desk.now() * 1000),
            found[:PAGE],
            (last.bet_nr, last.link_key) if last else None,
        )


def _approve(visit: Visit) -> bool:
    word = visit.field("what")
    return word == "approve" if word in ("approve", "reject") else not_found()
