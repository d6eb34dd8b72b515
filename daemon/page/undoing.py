"""Taking one write back: what that would write, and doing it."""

from __future__ import annotations

import structlog
from aiohttp import web

from daemon.admin import undo
from daemon.admin.desk import NotPossible
from daemon.page.desk import Desk
from daemon.page.foresee import Stroke
from daemon.page.language import Text
from daemon.page.visit import Sorry, Visit, as_number, go, not_found
from statemachine.case import Outcome

_NOT_POSSIBLE = Text(
    "Das lässt sich nicht mehr zurücknehmen: der Eintrag zeigt inzwischen etwas anderes, oder es gibt nichts"
    " zurückzunehmen. Der alte Wert steht im Verlauf und kann von Hand eingetragen werden.",
    "This cannot be taken back any more: the entry shows something else by now, or there is nothing to take back. The"
    " old value is in the timeline and can be entered by hand.",
)

log = structlog.get_logger(__name__)


class Undoing:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def confirm(self, visit: Visit) -> web.Response:
        bet_nr, number = _named(visit)
        found = await self._desk.store.write(number)
        if found is None or found[1] != bet_nr:
            not_found()
        write = found[2]
        before, after = (shown.value if shown else "" for shown in (write.before, write.after))
        if write.outcome is not Outcome.DONE or before == after:
            raise Sorry(409, _NOT_POSSIBLE)
        stroke = Stroke(write.side, after or None, before or None, write.kind)
        return self._desk.show(
            visit, "confirm_undo", bet_nr=bet_nr, write=number, stroke=stroke, anew=not after
        )

    async def undo(self, visit: Visit) -> web.Response:
        """By the same function as ``kommsync undo``."""
        bet_nr, number = _named(visit)
        try:
            await undo.undo(self._desk.app.outside, bet_nr, number)
        except NotPossible:
            raise Sorry(409, _NOT_POSSIBLE) from None
        log.info("undone", bet_nr=bet_nr, write=number, by="page")
        return go(f"/beteiligte/{bet_nr}?asked=1")


def _named(visit: Visit) -> tuple[int, int]:
    """betNr and number of the write."""
    return as_number(visit.request.match_info["bet_nr"]), as_number(visit.field("write"))
