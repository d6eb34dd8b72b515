"""``audit``: base and both sides compared for everybody, by GETs alone; drift as a number."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from daemon.admin import foresight
from daemon.admin.desk import everybody
from daemon.admin.foresight import Step
from daemon.maintenance import AUDIT_NOTE
from daemon.outside import Outside
from daemon.ports import Person
from statemachine.decide import Action

#: Both sides show the same, or what is left there is meant to be.
_NO_DRIFT = frozenset({Action.NOTHING.value, Action.AGREE.value, Action.DROP.value, Action.EXTRA.value})


async def audit(desk: Outside, step: Step) -> dict[str, Any]:
    """``drift``: entries that a sync would have to write; ``apart``: problem → entries that wait or cannot be synced;
    ``unreadable``: betNr → why nothing can be said. Raises what EspoCRM's facts raise."""
    seer = await foresight.open_seer(desk)
    people = await everybody(desk.store)
    listed: list[dict[str, Any]] = []
    unreadable: dict[int, str] = {}

    async def one(person: Person) -> None:
        found = await seer.foresee(person)
        if found.trouble is not None:
            unreadable[person.bet_nr] = found.trouble
        listed.extend(
            {"bet_nr": person.bet_nr, **entry} for entry in foresight.entries(found) if _differs(entry)
        )

    await foresight.for_everybody(desk, people, one, step)
    listed.sort(key=lambda entry: entry["bet_nr"])
    drifted = [entry for entry in listed if entry["problem"] is None]
    await desk.store.set_note(AUDIT_NOTE, str(len(drifted)))
    return {
        "people": len(people),
        "drift": len(drifted),
        "drift_by_rule": dict(Counter(entry["rule"] for entry in drifted)),
        "apart": dict(Counter(entry["problem"] for entry in listed if entry["problem"])),
        "unreadable": {str(bet_nr): why for bet_nr, why in sorted(unreadable.items())},
        "entries": listed,
    }


def _differs(entry: dict[str, Any]) -> bool:
    return entry["problem"] is not None or entry["rule"] not in _NO_DRIFT


def save(found: dict[str, Any], file: Path) -> None:
    """Raises OSError. It holds contact data, so it is for its owner's eyes."""
    file.touch(mode=0o600)
    file.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
