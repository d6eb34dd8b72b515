"""``explain``: base, both sides, the rule for each entry, and what comes next and when."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from daemon.admin import foresight
from daemon.admin.desk import tracked
from daemon.admin.entries import entries, not_synced
from daemon.admin.people import line
from daemon.outside import Outside
from daemon.ports import Person
from statemachine.errors import KommsyncError
from statemachine.states import State


async def explain(desk: Outside, bet_nr: int) -> dict[str, Any]:
    """Where a side cannot be read the base is explained all the same, and ``trouble`` says why there is no more."""
    person = (await tracked(desk.store, bet_nr))[0]
    case = await desk.store.case(person.espocrm_id, bet_nr, 0.0)
    found = await _foresee(desk, person)
    situation = found.situation
    return {
        **line(person),
        "base": entries(case),
        "espocrm_shows": [item.value for item in (*situation.espocrm.emails, *situation.espocrm.phones)]
        if situation
        else None,
        "advoware_shows": [row.tlf for row in situation.advoware.rows] if situation else None,
        "entries": foresight.entries(found),
        "would_write": foresight.writes(found),
        "not_synced": not_synced(case),
        "trouble": found.trouble,
        "next": next_step(_with_pause_that_lasts(person, desk.clock.now()), found.trouble),
    }


async def _foresee(desk: Outside, person: Person) -> foresight.Foresight:
    try:
        seer = await foresight.open_seer(desk)
    except KommsyncError as error:
        return foresight.Foresight(person, trouble=error.reason)
    return await seer.foresee(person)


def _with_pause_that_lasts(person: Person, now: float) -> Person:
    """A pause that has ended stays written until somebody resumes."""
    over = person.paused_until is not None and person.paused_until <= now
    return replace(person, paused_until=None) if over else person


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(" ", "seconds")


def next_step(person: Person, trouble: str | None) -> str:
    """What the daemon, or a human, will do next, and when."""
    standing = person.standing
    if person.paused_until is not None:
        end = "" if math.isinf(person.paused_until) else f", until {_stamp(person.paused_until)} UTC"
        return f"nothing while it is paused{end} (kommsync resume --bet-nr {person.bet_nr})"
    when = "" if standing.due_at is None else _stamp(standing.due_at)
    told = {
        State.CLEAN: "nothing, until something changes",
        State.DIRTY: f"a sync, due at {when} UTC",
        State.SYNCING: "a sync is under way",
        State.CONFLICT: "a human decides: kommsync conflicts",
        State.FAILED: f"the next attempt at {when} UTC (kommsync retry {person.bet_nr} for now)",
        State.PERMANENTLY_FAILED: f"a new round of attempts at {when} UTC (kommsync retry {person.bet_nr} for now)",
    }[standing.state]
    return f"{told}; just now: {trouble}" if trouble else told
