"""The Beteiligte: the list by state, the search, and one of them with its entries and its timeline."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from daemon.admin.entries import entries, not_synced
from daemon.page import foresee
from daemon.page.desk import PAGE, Desk
from daemon.page.language import Text
from daemon.page.visit import Sorry, Visit, as_number, go, not_found
from daemon.ports import Person
from daemon.store.inbox import Waiting
from statemachine.states import State

#: What EspoCRM's ids look like: 17 hex digits, or a UUID.
_ESPOCRM_ID = re.compile(r"[0-9A-Za-z-]{10,36}")
_MOMENT = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}")

_NOBODY = Text(
    "Unter dieser Nummer wird niemand abgeglichen. Gesucht werden kann nach der betNr aus Advoware und nach der ID aus"
    " EspoCRM (die letzten Zeichen der Adresse eines Datensatzes).",
    "Nobody is synced under this number. You can search for the betNr of Advoware and for the id of EspoCRM (the last"
    " characters of a record's address).",
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One record under a betNr; while a betNr is doubled there are two."""

    person: Person
    entries: list[dict[str, Any]]
    left_out: list[dict[str, Any]]
    waiting: list[Waiting]


class Beteiligte:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def list(self, visit: Visit) -> web.Response:
        state = _state(visit.query("state"))
        after = (visit.number("after"), visit.query("id"))
        found = await self._desk.store.listing(state, after=after, limit=PAGE + 1)
        return self._desk.show(
            visit,
            "list",
            people=found[:PAGE],
            state=state,
            next=found[PAGE - 1] if len(found) > PAGE else None,
            counts=await self._desk.store.counts(),
            asked=visit.number("asked"),
        )

    async def search(self, visit: Visit) -> web.Response:
        """A form that is posted: whatever people type must not end up in an address."""
        wanted = visit.field("q").strip()
        if wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
            if await self._is_known(int(wanted)):
                return go(f"/beteiligte/{int(wanted)}")
        elif _ESPOCRM_ID.fullmatch(wanted):
            person = await self._desk.store.person(wanted)
            if person is not None:
                return go(f"/beteiligte/{person.bet_nr}")
        raise Sorry(404, _NOBODY)

    async def show(self, visit: Visit) -> web.Response:
        bet_nr = as_number(visit.request.match_info["bet_nr"])
        before = _moment(visit.query("before"))
        lines = await self._desk.store.timeline(bet_nr, before=before, limit=PAGE)
        people = await self._desk.store.by_bet_nr(bet_nr)
        if not people and not lines:
            not_found()
        return self._desk.show(
            visit,
            "beteiligte",
            bet_nr=bet_nr,
            people=[await self._shown(person) for person in people],
            lines=lines,
            older=repr(lines[-1]["at"]) if len(lines) >= PAGE else None,
            asked=bool(visit.query("asked")),
        )

    async def now(self, visit: Visit) -> web.Response:
        """Both sides as they are at this moment, the rule for each entry, and what comes next."""
        bet_nr = as_number(visit.request.match_info["bet_nr"])
        people = await self._desk.store.by_bet_nr(bet_nr)
        if not people:
            not_found()
        looks = [await foresee.look(self._desk.app, person) for person in people]
        strokes = [list(foresee.strokes(look)) for look in looks]
        return self._desk.show(visit, "now", bet_nr=bet_nr, looks=list(zip(looks, strokes, strict=True)))

    async def _shown(self, person: Person) -> Shown:
        store = self._desk.store
        case = await store.case(person.espocrm_id, person.bet_nr, 0.0)
        ids = [conflict.id for conflict in case.conflicts]
        waiting = await store.these_conflicts(ids)
        left_out = [one for one in not_synced(case) if one["why"] != "conflict"]
        return Shown(person, entries(case), left_out, waiting)

    async def _is_known(self, bet_nr: int) -> bool:
        store = self._desk.store
        return bool(await store.by_bet_nr(bet_nr) or await store.timeline(bet_nr, limit=1))


def _state(text: str) -> State | None:
    if not text:
        return None
    return State(text) if text in set(State) else not_found()


def _moment(text: str) -> float | None:
    """Where a page of the timeline begins, exactly as it was put into the link."""
    if not text:
        return None
    return float(text) if _MOMENT.fullmatch(text) else not_found()
