"""Looks over the daemon's shoulder: what it has written and which conflicts wait, read from its store.

Used by :mod:`daemon.demo.show`. It reads as any command would and changes nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from daemon.demo.line import Line, of_write
from daemon.store import OpenConflict, SqliteStore

_AT_ONCE = 200
#: A write that has no outcome after so long will not get one soon; those behind it are shown.
_PATIENCE = 5.0


class Watch:
    """``written``: entries by side, without those that only inform people. ``waiting``: conflicts not decided yet."""

    def __init__(
        self, store: SqliteStore, name_of: Callable[[int], str], say: Callable[[Line], None]
    ) -> None:
        self.written: Counter[str] = Counter()
        self.conflicts = 0
        self.waiting: list[OpenConflict] = []
        self._store = store
        self._name_of = name_of
        self._say = say
        self._newest = 0
        self._known: set[int] = set()

    async def look(self) -> None:
        """Tell what is new since the last look."""
        await self._writes()
        self.waiting = await self._store.open_conflicts()
        for one in self.waiting:
            if one.conflict.id not in self._known:
                self._known.add(one.conflict.id)
                self.conflicts += 1
                self._say(self._conflict(one))

    async def _writes(self) -> None:
        while lines := await self._store.written_after(self._newest, _AT_ONCE):
            for bet_nr, row in lines:
                if row["outcome"] is None and time.time() - row["at"] < _PATIENCE:
                    return
                self._newest = row["id"]
                if row["variant"] != "status":
                    self.written[str(row["side"])] += 1
                    self._say(of_write(row, self._name_of(bet_nr)))

    def _conflict(self, one: OpenConflict) -> Line:
        conflict = one.conflict
        what = f"EspoCRM {conflict.espocrm or '–'} | Advoware {conflict.advoware or '–'}"
        return Line(
            time.time(), "conflict", self._name_of(one.bet_nr), "both", what, f"conflict {conflict.id}: waits"
        )
