"""What is not in sync though nobody has to choose: entries that are left out, and records that failed."""

from __future__ import annotations

import structlog
from aiohttp import web

from daemon.admin import people
from daemon.admin.desk import NotPossible
from daemon.page import foresee
from daemon.page.desk import PAGE, Desk
from daemon.page.visit import Visit, as_number, go, not_found
from daemon.store.inbox import Finding, Place
from statemachine.states import State

log = structlog.get_logger(__name__)


class Troubles:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def unsyncable(self, visit: Visit) -> web.Response:
        """Values that the other side would refuse."""
        found = await self._desk.store.unsyncable_page(after=_place(visit), limit=PAGE + 1)
        return self._show(visit, "unsyncable", found)

    async def parked(self, visit: Visit) -> web.Response:
        """Entries that are left alone until a human does something."""
        found = await self._desk.store.parked_page(after=_place(visit), limit=PAGE + 1)
        return self._show(visit, "parked", found)

    def _show(self, visit: Visit, what: str, found: list[Finding]) -> web.Response:
        following = found[PAGE - 1].place if len(found) > PAGE else None
        return self._desk.show(visit, "findings", what=what, findings=found[:PAGE], next=following)

    async def confirm_retry(self, visit: Visit) -> web.Response:
        """For one: what the next sync would write. For all who failed: how many."""
        number = visit.field("bet_nr")
        if not number:
            counts = await self._desk.store.counts()
            failed = counts[State.FAILED] + counts[State.PERMANENTLY_FAILED]
            return self._desk.show(visit, "confirm_retry", bet_nr=None, number=failed, pairs=[])
        found = await self._desk.store.by_bet_nr(as_number(number))
        if not found:
            not_found()
        pairs = [(person, await foresee.next_sync(self._desk.app, person)) for person in found]
        return self._desk.show(visit, "confirm_retry", bet_nr=int(number), number=len(found), pairs=pairs)

    async def retry(self, visit: Visit) -> web.Response:
        """By the same function as ``kommsync retry``."""
        text = visit.field("bet_nr")
        numbers = [as_number(text)] if text else []
        try:
            asked = await people.retry(self._desk.store, numbers)
        except NotPossible:
            not_found()
        log.info("retried", bet_nr=numbers[0] if numbers else None, number=asked, by="page")
        return go(
            f"/beteiligte/{numbers[0]}?asked=1" if numbers else f"/beteiligte?state=dirty&asked={asked}"
        )


def _place(visit: Visit) -> Place:
    after = visit.query("after")
    return (after, visit.number("place")) if after else ("", -1)
