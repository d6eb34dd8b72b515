"""A dry run's stand-in for the syncer: looks at everybody as the real one does, writes nothing, and keeps count of what
would be written.

Made by :mod:`daemon.app` in its place, asked by the worker. What would be written lives in memory and is found anew
after a start; what is agreed already lives in the dry run's own store. Counts only, never a value.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import structlog

from daemon.metrics import Metrics
from daemon.ports import Person
from daemon.result import SyncResult
from daemon.sync import Syncer
from statemachine.case import Variant
from statemachine.commands import DeleteRow, PostRow, PutRow, RowCommand
from statemachine.model import AdvowareRecord, Side
from statemachine.plan import Plan

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a plan says of one Beteiligte in numbers. ``links``: pairs of equal values; ``waits``: entries that are left
    alone for a reason. ``writes``: side and variant of each entry that would be written."""

    links: int = 0
    conflicts: int = 0
    unsyncable: int = 0
    waits: int = 0
    writes: tuple[tuple[Side, Variant], ...] = ()

    def on(self, side: Side, *variants: Variant) -> int:
        """Entries that would be written there, of these variants only if any is named."""
        return sum(one is side and (not variants or variant in variants) for one, variant in self.writes)


def tally(made: Plan) -> Tally:
    changes = made.record.changes if made.record else ()
    return Tally(
        links=sum(1 for entry in made.entries if entry.tie.rows and entry.tie.item),
        conflicts=len(made.conflicts),
        unsyncable=len(made.unsyncable),
        waits=sum(1 for entry in made.entries if entry.problem),
        writes=(
            *((Side.ADVOWARE, _put(command).variant) for command in made.rows),
            *((Side.ESPOCRM, change.variant) for change in changes),
        ),
    )


def _put(command: RowCommand) -> PutRow | PostRow:
    return command.slot if isinstance(command, DeleteRow) else command


class Rehearsal:
    """In the syncer's place."""

    def __init__(self, syncer: Syncer, metrics: Metrics) -> None:
        self._syncer = syncer
        self._metrics = metrics
        self._known: dict[str, Tally] = {}
        for written in metrics.dry_run_writes.values():  # they outlive a reload, what is known does not
            written.set(0)

    async def run(self, person: Person, run: str, fresh: AdvowareRecord | None = None) -> SyncResult:
        """As the syncer's; whoever cannot be read, or is gone, has nothing that would be written."""
        found = None
        try:
            result, made = await self._syncer.rehearse(person, run, fresh)
            found = None if made is None else tally(made)
        finally:
            self._note(person.espocrm_id, found)
        return result

    def summary(self) -> dict[str, int]:
        """Of all who were looked at since the start; the words of ``kommsync plan``."""
        known = self._known.values()
        return {
            "people": len(self._known),
            "links": sum(one.links for one in known),
            "add_to_espocrm": sum(one.on(Side.ESPOCRM, Variant.VAR4) for one in known),
            "add_to_advoware": sum(one.on(Side.ADVOWARE, Variant.VAR1) for one in known),
            "to_espocrm": sum(one.on(Side.ESPOCRM) for one in known),
            "to_advoware": sum(one.on(Side.ADVOWARE) for one in known),
            "conflicts": sum(one.conflicts for one in known),
            "unsyncable": sum(one.unsyncable for one in known),
            "waiting": sum(one.waits for one in known),
        }

    def _note(self, espocrm_id: str, found: Tally | None) -> None:
        before = self._known.pop(espocrm_id, Tally())
        if found is not None:
            self._known[espocrm_id] = found
        after = found or Tally()
        if after.writes == before.writes:
            return
        for written, number in (Counter(after.writes) - Counter(before.writes)).items():
            self._metrics.dry_run_writes[written].inc(number)
        for written, number in (Counter(before.writes) - Counter(after.writes)).items():
            self._metrics.dry_run_writes[written].dec(number)
        variants = Counter(f"{side}.{variant}" for side, variant in after.writes)
        log.info("would_write", espocrm=after.on(Side.ESPOCRM), advoware=after.on(Side.ADVOWARE), **variants)
