"""What the next sync of a Beteiligte would find and do, without doing it: only GETs.

Used by ``explain``, ``plan``, ``apply`` and ``audit``. Second looks are taken for granted: what waits only for one is
shown as it will be once that look shows the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio

from daemon.outside import Outside
from daemon.ports import GuardLimits, Person
from daemon.rulebook import rules_for
from daemon.sync import Syncer
from statemachine import explain
from statemachine.commands import DeleteRow, ItemChange, PostRow, RowCommand
from statemachine.draft import Entry
from statemachine.errors import KommsyncError
from statemachine.plan import Plan
from statemachine.rules import Rules
from statemachine.situation import Situation

#: (done, of how many)
Step = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Foresight:
    """``made`` None: there is nothing to plan, ``trouble`` says why."""

    person: Person
    situation: Situation | None = None
    made: Plan | None = None
    trouble: str | None = None


class Seer:
    """``syncer`` is the daemon's own; :meth:`foresee` never lets it write."""

    def __init__(self, desk: Outside, rules: Rules) -> None:
        guard = desk.settings.guard
        limits = GuardLimits(guard.max_deletions, guard.max_deletion_share, guard.window_seconds)
        self.syncer = Syncer(
            desk.espocrm, desk.advoware, desk.store, desk.clock, lambda: rules, lambda: limits
        )

    async def foresee(self, person: Person) -> Foresight:
        """Trouble with one record is told, not raised."""
        try:
            found = await self.syncer.preview(person)
        except KommsyncError as error:
            return Foresight(person, trouble=error.reason)
        if found is None:
            return Foresight(person, trouble="record_gone_or_betnr_changed")
        return Foresight(person, *found)


async def open_seer(desk: Outside) -> Seer:
    """Asks EspoCRM for its fields and limits first. Raises what the port raises."""
    return Seer(desk, rules_for(desk.settings, await desk.espocrm.facts()))


async def for_everybody(
    desk: Outside, people: Sequence[Person], work: Callable[[Person], Awaitable[None]], step: Step
) -> None:
    """As many at once as Advoware may be asked at once."""
    waiting, done = iter(people), 0

    async def take() -> None:
        nonlocal done
        for person in waiting:
            await work(person)
            done += 1
            step(done, len(people))

    async with anyio.create_task_group() as group:
        for _ in range(desk.settings.advoware.max_connections):
            group.start_soon(take)


def entries(found: Foresight) -> list[dict[str, Any]]:
    """What stands for each entry now, and the rule that applies to it."""
    if found.made is None:
        return []
    return [
        {
            "kind": entry.tie.kind.value,
            "base": entry.tie.link.value if entry.tie.link else None,
            "espocrm_value": entry.tie.item.value if entry.tie.item else None,
            "advoware_value": entry.tie.rows[0].now.tlf if entry.tie.rows else None,
            "advoware_ids": [row.id for row in entry.tie.rows],
            "espocrm": entry.espocrm.value,
            "advoware": entry.advoware.value,
            "rule": entry.action.value,
            "problem": entry.problem,
            "sentence": _sentence(entry),
        }
        for entry in found.made.entries
    ]


def _sentence(entry: Entry) -> str:
    """A server may name a reason that nobody has put into words."""
    try:
        return explain.sentence(entry)
    except KeyError:
        return f"{explain.sentence(replace(entry, problem=None))} Not yet: {entry.problem}."


def writes(found: Foresight) -> list[dict[str, Any]]:
    """In the order in which they would be sent: Advoware's rows, then the one PUT on EspoCRM's record."""
    if found.made is None:
        return []
    changes = found.made.record.changes if found.made.record else ()
    return [*map(_of_row, found.made.rows), *map(_of_item, changes)]


def _of_row(command: RowCommand) -> dict[str, Any]:
    if isinstance(command, PostRow):
        return _write("advoware", "post", command, None, command.after.tlf, None)
    operation, put = ("delete", command.slot) if isinstance(command, DeleteRow) else ("put", command)
    return _write("advoware", operation, put, put.before.tlf, put.after.tlf, put.id)


def _of_item(change: ItemChange) -> dict[str, Any]:
    before, after = change.before, change.after
    return _write(
        "espocrm", "put", change, before.value if before else None, after.value if after else None, None
    )


def _write(
    side: str, operation: str, command: Any, before: str | None, after: str | None, row_id: int | None
) -> dict[str, Any]:
    return {
        "side": side,
        "operation": operation,
        "variant": command.variant.value,
        "kind": command.kind.value,
        "before": before,
        "after": after,
        "advoware_id": row_id,
    }
