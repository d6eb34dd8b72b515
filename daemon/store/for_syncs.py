"""The half of the store that a running sync uses: fulfils the Protocol :class:`daemon.ports.Store`.

Docstrings and units are the Protocol's. Each method is one turn of :class:`daemon.store.engine.Engine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from daemon.ports import Finish, GuardLimits, Person
from daemon.store import casefile, conflicts, fuses, journal, leases, links, looks, notes, people
from daemon.store.engine import Engine
from statemachine.case import Case, Decision, Fuse, Keep, Limits, Outcome, Pending, Seen, Shown, Write
from statemachine.model import Base, Kind, Side
from statemachine.standing import Event
from statemachine.states import State


class ForSyncs:
    """Persons, leases, case files, journal, fuse."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # people and their states

    async def person(self, espocrm_id: str) -> Person | None:
        found = await self._engine.read(people.find, espocrm_id)
        return None if found is None else self._engine.recent.on(found)

    async def by_bet_nr(self, bet_nr: int) -> list[Person]:
        return self._as_seen(await self._engine.read(people.by_bet_nr, bet_nr))

    async def discover(self, espocrm_id: str, bet_nr: int, changed_at: float | None) -> Person:
        return await self._engine.write(people.discover, espocrm_id, bet_nr, changed_at)

    async def rebind(self, espocrm_id: str, bet_nr: int, event: Event) -> Person:
        bound = await self._engine.write(people.rebind, espocrm_id, bet_nr, event)
        self._engine.recent.forget(espocrm_id, Side.ADVOWARE)
        return self._engine.recent.on(bound)

    async def move(self, espocrm_id: str, event: Event, *, run: str = "") -> Person | None:
        moved = await self._engine.write(people.move_found, espocrm_id, event, run)
        if moved is None:
            self._engine.recent.forget(espocrm_id, *Side)
            return None
        return self._engine.recent.on(moved)

    async def lease(self, owner: str, limit: int, *, only: Sequence[str] = ()) -> list[Person]:
        return self._as_seen(await self._engine.write(leases.lease, owner, limit, only))

    async def next_due(self) -> float | None:
        """The end of a person's pause counts as a moment at which it may be due."""
        return await self._engine.read(leases.next_due)

    async def recover(self, owner: str) -> int:
        return await self._engine.write(leases.recover, owner)

    async def reset_due(self, limit: int) -> int:
        return await self._engine.write(leases.reset_due, limit)

    # the case file

    async def case(self, espocrm_id: str, bet_nr: int, recent_seconds: float) -> Case:
        stored = await self._engine.read(casefile.read, espocrm_id, bet_nr, recent_seconds)
        recent = self._engine.recent
        return replace(
            stored,
            seen_espocrm=recent.seen(espocrm_id, Side.ESPOCRM, stored.seen_espocrm),
            seen_advoware=recent.seen(espocrm_id, Side.ADVOWARE, stored.seen_advoware),
        )

    async def finish(
        self, espocrm_id: str, bet_nr: int, finish: Finish, *, run: str, guard: GuardLimits
    ) -> Person | None:
        left = await self._engine.write(casefile.finish, espocrm_id, bet_nr, finish, run, guard)
        for side, seen in ((Side.ESPOCRM, finish.seen_espocrm), (Side.ADVOWARE, finish.seen_advoware)):
            if seen is not None:
                self._engine.overtake(espocrm_id, side, seen)
        return None if left is None else self._engine.recent.on(left)

    async def looked(self, espocrm_id: str, side: Side, seen: Seen) -> None:
        await self._engine.looked(espocrm_id, side, seen)

    async def seen(self, espocrm_ids: Sequence[str], side: Side) -> dict[str, Seen]:
        """The last look of many at once, for the sweep; who was never looked at is missing."""
        stored = await self._engine.read(looks.read_many, espocrm_ids, side)
        recent = self._engine.recent
        latest = ((one, recent.seen(one, side, stored.get(one))) for one in espocrm_ids)
        return {one: seen for one, seen in latest if seen is not None}

    # the journal

    async def journal(self, espocrm_id: str, bet_nr: int, run: str, writes: Sequence[Write]) -> list[int]:
        return await self._engine.write(journal.add, espocrm_id, bet_nr, run, writes)

    async def record(
        self,
        ids: Sequence[int],
        outcome: Outcome,
        *,
        advoware_id: int | None = None,
        after: Shown | None = None,
    ) -> None:
        await self._engine.write(journal.record, ids, outcome, advoware_id, after)

    async def may_delete(self, espocrm_id: str, link_key: str, side: Side) -> bool:
        return await self._engine.write(fuses.may_delete, espocrm_id, link_key, side)

    # what all share

    async def holders(self, kind: Kind, canonical: str, besides: str) -> list[tuple[str, Shown]]:
        return await self._engine.read(links.holders, kind, canonical, besides)

    async def learn(self, limits: Limits) -> None:
        await self._engine.write(notes.learn, limits)

    async def get_note(self, name: str) -> str | None:
        return await self._engine.read(notes.get, name)

    async def set_note(self, name: str, value: str | None) -> None:
        await self._engine.write(notes.put, name, value)

    # people's commands

    async def note_decisions(self, espocrm_id: str, bet_nr: int, decisions: Sequence[Decision]) -> None:
        await self._engine.write(conflicts.note, espocrm_id, bet_nr, decisions)

    async def note_agreed(self, espocrm_id: str, bet_nr: int, base: Base) -> None:
        await self._engine.write(links.write, espocrm_id, bet_nr, base)

    async def first_looks(self, espocrm_id: str) -> tuple[Pending, ...]:
        return await self._engine.read(casefile.pending, espocrm_id)

    async def forget_pending(self, espocrm_id: str, back: Sequence[Pending]) -> None:
        await self._engine.write(casefile.forget_pending, espocrm_id, back)

    async def forget_first_looks(self, espocrm_id: str, side: Side) -> None:
        await self._engine.write(casefile.forget_first_looks, espocrm_id, side)

    async def decide(self, conflict_id: int, keep: Keep, by: str) -> Person | None:
        return await self._engine.write(conflicts.decide, conflict_id, keep, by)

    async def settle_fuse(
        self, side: Side, approve: bool, by: str, shown: fuses.ShownList | None = None
    ) -> int:
        """``shown``: what whoever decides has seen; if there are others, nothing is done."""
        return await self._engine.write(fuses.settle, side, approve, by, shown)

    async def blow_fuse(self, side: Side, fuse: Fuse, reason: str) -> None:
        await self._engine.write(fuses.blow, side, fuse, reason)

    async def fuse(self, side: Side) -> Fuse:
        return await self._engine.read(fuses.state, side)

    # the sweep and the scan

    async def sweep_slice(self, before: float, limit: int) -> list[Person]:
        await self._engine.flush()
        return self._as_seen(await self._engine.read(leases.sweep_slice, before, limit))

    async def scan_slice(self, after_id: str, limit: int) -> list[Person]:
        return self._as_seen(await self._engine.read(leases.scan_slice, after_id, limit))

    async def counts(self) -> dict[State, int]:
        return await self._engine.counts()

    def _as_seen(self, persons: list[Person]) -> list[Person]:
        return [self._engine.recent.on(person) for person in persons]
