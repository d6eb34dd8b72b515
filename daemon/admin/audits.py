"""``audit``: base and both sides compared for everybody or for a sample, by GETs alone; drift as a number.

Called by the command and, at night, by :mod:`daemon.nightly`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import SystemRandom
from typing import Any

from daemon.admin import foresight
from daemon.admin.desk import everybody
from daemon.admin.foresight import Foresight, Step
from daemon.admin.notebook import Notebook
from daemon.maintenance import AUDIT_NOTE
from daemon.outside import Outside
from daemon.ports import Person
from statemachine.decide import Action

#: Both sides show the same, or what is left there is meant to be.
_NO_DRIFT = frozenset({Action.NOTHING.value, Action.AGREE.value, Action.DROP.value, Action.EXTRA.value})


async def audit(
    desk: Outside,
    step: Step,
    *,
    sample: int | None = None,
    out: Path | None = None,
    resume: bool = False,
) -> dict[str, Any]:
    """``drift``: entries that a sync would have to write; ``apart``: problem → entries that wait or cannot be synced;
    ``unreadable``: betNr → why nothing can be said. ``sample``: so many, chosen by chance. ``out``: the report, beside
    which an interrupted audit leaves what it needs to go on with ``resume``. Raises what EspoCRM's facts raise,
    NotPossible when there is nothing to resume, OSError."""
    seer = await foresight.open_seer(desk)
    people = await everybody(desk.store)
    with Notebook(out) as notebook:
        chosen = set(notebook.take_up()) if resume else notebook.begin(_chosen(people, sample))
        told = {line["espocrm_id"] for line in notebook.lines}
        before = len(told)

        async def one(person: Person) -> None:
            notebook.add(_line(await seer.foresee(person)))

        left = [person for person in people if person.espocrm_id in chosen - told]
        await foresight.for_everybody(
            desk, left, one, lambda done, total: step(before + done, before + total)
        )
        report = _report(notebook.lines)
        notebook.end(report)
    if len(report["unreadable"]) < report["people"] or not report["people"]:
        await desk.store.set_note(AUDIT_NOTE, str(report["drift"]))
    return report


def _chosen(people: list[Person], sample: int | None) -> set[str]:
    ids = [person.espocrm_id for person in people]
    return set(ids if sample is None else SystemRandom().sample(ids, min(sample, len(ids))))


def _line(found: Foresight) -> dict[str, Any]:
    """What is kept of one Beteiligte: only what differs."""
    entries = [entry for entry in foresight.entries(found) if _differs(entry)]
    person = found.person
    return {
        "espocrm_id": person.espocrm_id,
        "bet_nr": person.bet_nr,
        "trouble": found.trouble,
        "entries": entries,
    }


def _differs(entry: dict[str, Any]) -> bool:
    return entry["problem"] is not None or entry["rule"] not in _NO_DRIFT


def _report(lines: Iterable[dict[str, Any]]) -> dict[str, Any]:
    lines = sorted(lines, key=lambda line: line["bet_nr"])
    listed = [{"bet_nr": line["bet_nr"], **entry} for line in lines for entry in line["entries"]]
    drifted = [entry for entry in listed if entry["problem"] is None]
    return {
        "people": len(lines),
        "drift": len(drifted),
        "drift_by_rule": dict(Counter(entry["rule"] for entry in drifted)),
        "drift_by_kind": dict(Counter(entry["kind"] for entry in drifted)),
        "apart": dict(Counter(entry["problem"] for entry in listed if entry["problem"])),
        "unreadable": {str(line["bet_nr"]): line["trouble"] for line in lines if line["trouble"]},
        "entries": listed,
    }


def as_text(report: dict[str, Any]) -> str:
    """One line for people."""
    kinds = {**report["drift_by_rule"], **report["drift_by_kind"]}
    by_kind = f" ({', '.join(f'{name}: {number}' for name, number in kinds.items())})" if kinds else ""
    apart = ", ".join(f"{name}: {number}" for name, number in report["apart"].items()) or "none"
    return (
        f"drift: {report['drift']} entries of {report['people']} Beteiligte{by_kind};"
        f" apart: {apart}; unreadable: {len(report['unreadable'])}"
    )
