"""``pause`` and ``resume``: of a side or of one Beteiligte, until resumed or for a time."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from daemon.admin.desk import OPERATOR, tracked
from daemon.admission import pause_note, pause_text
from daemon.outside import Outside
from statemachine.model import Side


async def pause(desk: Outside, side: Side | None, bet_nr: int | None, seconds: float | None) -> str:
    """What was paused, in a sentence. Raises NotPossible for a betNr that is not tracked."""
    until = math.inf if seconds is None else desk.clock.now() + seconds
    ends = "" if seconds is None else f" for {seconds:g} seconds"
    if bet_nr is not None:
        for person in await tracked(desk.store, bet_nr):
            await desk.store.pause_person(person.espocrm_id, until)
        return f"betNr {bet_nr} is paused{ends}. To go on: kommsync resume --bet-nr {bet_nr}"
    stamp = datetime.fromtimestamp(desk.clock.now(), UTC).isoformat(timespec="seconds")
    for one in _sides(side):
        await desk.store.set_note(pause_note(one), pause_text(stamp, OPERATOR, until))
    names = " and ".join(one.value for one in _sides(side))
    on = f"kommsync resume{f' {side}' if side else ''}"
    return f"{names}: paused{ends}; nothing is read or written there. To go on: {on}"


async def resume(desk: Outside, side: Side | None, bet_nr: int | None) -> str:
    """What goes on, in a sentence. Raises NotPossible for a betNr that is not tracked."""
    if bet_nr is not None:
        for person in await tracked(desk.store, bet_nr):
            await desk.store.resume_person(person.espocrm_id)
        return f"betNr {bet_nr} is due now."
    for one in _sides(side):
        await desk.store.set_note(pause_note(one), None)
    return f"{' and '.join(one.value for one in _sides(side))}: in use again."


def _sides(side: Side | None) -> tuple[Side, ...]:
    return tuple(Side) if side is None else (side,)
