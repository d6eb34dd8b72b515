"""Somebody in the office who decides conflicts, as ``kommsync resolve`` does.

Used by :mod:`daemon.demo.show`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable

from daemon.demo.line import Line
from daemon.store import OpenConflict, SqliteStore
from statemachine.case import ConflictKind, Keep


class Office:
    """Decides what has waited for ``patience`` seconds; in turn for EspoCRM, for Advoware, and for both."""

    def __init__(
        self,
        store: SqliteStore,
        name_of: Callable[[int], str],
        say: Callable[[Line], None],
        patience: float,
    ) -> None:
        self.patience = patience
        self.decided = 0
        self._store = store
        self._name_of = name_of
        self._say = say
        self._turns = itertools.cycle((Keep.ESPOCRM, Keep.ADVOWARE, Keep.BOTH))

    async def decide(self, waiting: Iterable[OpenConflict]) -> None:
        for one in waiting:
            if time.time() - one.conflict.since >= self.patience:
                await self._decide(one)

    async def _decide(self, one: OpenConflict) -> None:
        conflict, keep = one.conflict, next(self._turns)
        if conflict.kind is ConflictKind.SIDE_EMPTIED:
            # what one side still has is more than what the other has lost
            keep = Keep.ESPOCRM if conflict.emptied == "advoware" else Keep.ADVOWARE
        if await self._store.decide(conflict.id, keep, "operator") is None:
            return
        self.decided += 1
        what = f"kommsync resolve {conflict.id} --keep {keep}"
        self._say(Line(time.time(), "office", self._name_of(one.bet_nr), "both", what, "a human decided"))
