"""The half of the store that commands, the page and housekeeping use.

The daemon and a command may have the file open at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread

from daemon.ports import Person
from daemon.store import conflicts, database, desk, history, journal, notices, people, pruning, wishes
from daemon.store.desk import BlownFuse, HeldDeletion, Listing, OpenConflict, Sums
from daemon.store.engine import Engine
from daemon.store.history import HistoryRow
from daemon.store.notices import StoredNotice
from statemachine.case import Keep, Wish, Write
from statemachine.states import State

#: How many persons are moved in one transaction, so that a running sync never waits long.
_SLICE = 500
_DECIDED_AT_ONCE = 100


class ForPeople:
    """Lists, history, wishes, notices, pruning, backup."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path

    # reading

    async def listing(
        self, state: State | None = None, *, after: tuple[int, str] = (0, ""), limit: int = 1000
    ) -> list[Listing]:
        """One page by betNr. ``after``: (bet_nr, espocrm_id) of the last line of the page before."""
        return await self._engine.read(desk.listing, state, after, limit)

    async def history(self, bet_nr: int, limit: int = 10_000) -> list[HistoryRow]:
        """The youngest ``limit`` lines, oldest first; also of a Beteiligte that is no longer tracked."""
        return await self._engine.read(history.of_bet_nr, bet_nr, limit)

    async def open_conflicts(self, bet_nr: int | None = None) -> list[OpenConflict]:
        """Those that wait for a human, oldest first."""
        return await self._engine.read(desk.open_conflicts, bet_nr)

    async def conflict(self, conflict_id: int) -> OpenConflict | None:
        """None when it is closed or never was."""
        return await self._engine.read(desk.conflict, conflict_id)

    async def decide_many(self, conflict_ids: Sequence[int], keep: Keep, by: str) -> list[int]:
        """The same decision for each; returns those that were open. As ``decide``, but a commit per hundred."""
        decided: list[int] = []
        for start in range(0, len(conflict_ids), _DECIDED_AT_ONCE):
            some = conflict_ids[start : start + _DECIDED_AT_ONCE]
            decided += await self._engine.write(conflicts.decide_many, some, keep, by)
        return decided

    async def successor(self, conflict_id: int) -> int | None:
        """The open conflict that a closed one has become: same entry, other values."""
        return await self._engine.read(conflicts.successor, conflict_id)

    async def held_deletions(self) -> list[HeldDeletion]:
        """What ``fuse approve`` and ``fuse reject`` would decide."""
        return await self._engine.read(desk.held)

    async def fuse_details(self) -> list[BlownFuse]:
        """Of every side whose fuse ever blew: its state, why and since when."""
        return await self._engine.read(desk.fuse_details)

    async def sums(self) -> Sums:
        """What ``status`` and the metrics show."""
        tracked = sum((await self._engine.counts()).values())
        return await self._engine.read(desk.sums, tracked)

    async def write(self, write_id: int) -> tuple[str, int, Write] | None:
        """EspoCRM id, betNr and the journalled write, for ``undo``."""
        return await self._engine.read(journal.find, write_id)

    async def writes_between(
        self, after: tuple[float, int], until: float, limit: int = 1000
    ) -> list[tuple[str, int, Write]]:
        """One page of what was written before ``until``: EspoCRM id, betNr, write. ``after``: (at, id) of the last line
        of the page before, at first (since, 0)."""
        return await self._engine.read(journal.between, after, until, limit)

    async def written_after(self, write_id: int, limit: int = 100) -> list[tuple[int, HistoryRow]]:
        """(betNr, line) of everybody's writes since that one, oldest first; for those who watch."""
        return await self._engine.read(history.written_after, write_id, limit)

    # asking

    async def ask(self, espocrm_ids: Sequence[str], reason: str) -> int:
        """Trigger ``asked``; what was parked is judged afresh. Returns how many of them are tracked."""
        return await self._engine.write(desk.ask, espocrm_ids, reason)

    async def ask_failed(self, reason: str) -> int:
        """``retry --all-failed``: failed and permanently failed ones."""
        asked = 0
        while moved := await self._engine.write(desk.ask_failed, reason, _SLICE):
            asked += moved
        return asked

    async def ask_all(self, reason: str) -> None:
        """Our configuration changed: ``change_seen`` for everybody (states)."""
        last: str | None = ""
        while last is not None:
            last = await self._engine.write(desk.change_everybody, reason, last, _SLICE)

    async def add_wish(self, espocrm_id: str, wish: Wish, *, by: str, reason: str = "undo") -> Person | None:
        """``wish.id`` is given by the store. None when the person is not tracked."""
        return await self._engine.write(wishes.add, espocrm_id, wish, by, reason)

    async def pause_person(self, espocrm_id: str, until: float) -> bool:
        """Not leased before ``until`` (``math.inf``: until resumed). False when it is not tracked."""
        return await self._engine.write(people.pause, espocrm_id, until)

    async def paused_people(self) -> list[tuple[int, float]]:
        """(betNr, until; ``math.inf``: until resumed) of those who are paused now, by betNr."""
        return await self._engine.read(people.paused)

    async def resume_person(self, espocrm_id: str) -> Person | None:
        """Ends its pause; trigger ``asked``. None when it is not tracked."""
        return await self._engine.write(people.resume, espocrm_id)

    # notices

    async def notices_to_open(self, limit: int) -> list[StoredNotice]:
        """Wanted and without a Task."""
        return await self._engine.read(notices.to_open, limit)

    async def notices_to_close(self, limit: int) -> list[StoredNotice]:
        """No longer wanted, with a Task."""
        return await self._engine.read(notices.to_close, limit)

    async def notice_opened(self, notice_id: int, task_id: str) -> bool:
        """False when it was withdrawn meanwhile: close the Task."""
        return await self._engine.write(notices.opened, notice_id, task_id)

    async def notice_closed(self, notice_id: int) -> None:
        await self._engine.write(notices.closed, notice_id)

    # housekeeping

    async def prune(self, batch: int = 500) -> int:
        """Removes what is older than [history_days]; returns how many rows went, call again while it is not 0."""
        return await self._engine.write(pruning.prune, batch)

    async def backup(self, target: Path) -> None:
        """A consistent copy while everybody works. Raises StoreTrouble."""
        await self._engine.flush()
        await anyio.to_thread.run_sync(database.copy, self._path, target)
