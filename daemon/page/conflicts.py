"""Conflicts: list and filter them, see what a decision would write, decide one or many with the same rule."""

from __future__ import annotations

import structlog
from aiohttp import web

from daemon.admin import conflicts
from daemon.page import foresee
from daemon.page.desk import PAGE, Desk
from daemon.page.language import Text
from daemon.page.visit import Sorry, Visit, as_number, go, not_found
from daemon.store.inbox import Waiting
from statemachine.case import ConflictKind, Keep

#: So many are decided with one click at most.
_MOST_AT_ONCE = 1000
#: In one log line.
_NAMED = 20

_NOTHING_CHOSEN = Text(
    "Es war kein Konflikt ausgewählt, der noch offen ist.", "No conflict that is still open was selected."
)

log = structlog.get_logger(__name__)


class Conflicts:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> web.Response:
        kind = _kind(visit.query("kind"))
        after = visit.number("after")
        found = await self._desk.store.waiting_conflicts(kind, after=after, limit=PAGE + 1)
        glance = await self._desk.store.glance()
        return self._desk.show(
            visit,
            "conflicts",
            waiting=found[:PAGE],
            next=found[PAGE - 1].open.conflict.id if len(found) > PAGE else None,
            after=after,
            kind=kind,
            counts=glance.conflicts,
            all_chosen=visit.query("chosen") == "all",
            decided=visit.number("decided"),
            void=visit.number("void"),
        )

    async def confirm(self, visit: Visit) -> web.Response:
        """What the decision would write; nothing is done yet."""
        keep, chosen = await self._chosen(visit)
        open_ones = [one for one in chosen if _may_keep(one, keep)]
        if not open_ones:
            raise Sorry(409, _NOTHING_CHOSEN)
        foreseen = await foresee.decisions(self._desk.app, open_ones, keep)
        return self._desk.show(
            visit,
            "confirm_conflicts",
            keep=keep,
            pairs=list(zip(open_ones, foreseen, strict=True)),
            left_out=len(chosen) - len(open_ones),
            possible=[one for one, seen in zip(open_ones, foreseen, strict=True) if not seen.gone],
        )

    async def decide(self, visit: Visit) -> web.Response:
        """As ``kommsync resolve`` does."""
        keep = _keep(visit.field("keep"))
        ids = [as_number(text) for text in visit.fields("id")[:_MOST_AT_ONCE]]
        decided = await conflicts.resolve_many(self._desk.store, ids, keep)
        log.info("decided", conflicts=decided[:_NAMED], number=len(decided), keep=keep.value, by="page")
        return go(f"/conflicts?decided={len(decided)}&void={len(ids) - len(decided)}")

    async def _chosen(self, visit: Visit) -> tuple[Keep, list[Waiting]]:
        """One (its own button), the ticked ones, or all of a kind."""
        store = self._desk.store
        if one := visit.field("one"):
            number, _, keep = one.partition(" ")
            return _keep(keep), await store.these_conflicts([as_number(number)])
        if everybody := visit.field("all"):
            kind = _kind(visit.field("kind"))
            found = await store.waiting_conflicts(kind, limit=_MOST_AT_ONCE)
            return _keep(everybody), [one for one in found if one.decided is None]
        ids = [as_number(text) for text in visit.fields("id")[:_MOST_AT_ONCE]]
        return _keep(visit.field("keep")), await store.these_conflicts(ids)


def _may_keep(one: Waiting, keep: Keep) -> bool:
    """A side that was emptied has no entries to keep both of."""
    return keep is not Keep.BOTH or one.open.conflict.kind is not ConflictKind.SIDE_EMPTIED


def _keep(text: str) -> Keep:
    return Keep(text) if text in set(Keep) else not_found()


def _kind(text: str) -> ConflictKind | None:
    if not text:
        return None
    return ConflictKind(text) if text in set(ConflictKind) else not_found()
