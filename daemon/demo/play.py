"""What happens in the invented firm: staff edit all the time, now and then two of them the same entry, and Advoware's
Manager goes off for a while.

Run by :mod:`daemon.demo.show`; it acts on the two worlds only, never on the daemon.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import anyio

from daemon.demo.firm import Firm
from daemon.demo.line import Line, of_edit
from daemon.simulators.espocrm import PHONE, NotSaved
from daemon.simulators.people import Pair
from daemon.simulators.staff import Edit

#: One round of scenes, seconds; a shorter demo plays it quicker.
ROUND_SECONDS = 60.0
_QUICKEST, _SLOWEST = 0.5, 1.5
_LOOK_SECONDS = 0.1
#: Who moved in first is synced first: in a big firm only they have something to disagree about from the start.
_EARLY = 50

Say = Callable[[Line], None]


class Play:
    """``seconds``: how long it will be watched; None: until stopped. ``ready``: whether the first sync is over."""

    def __init__(self, firm: Firm, seconds: float | None, say: Say, ready: Callable[[], bool]) -> None:
        self.scene = "the two address books meet for the first time"
        self.edits = 0
        self.outages = 0
        self._firm = firm
        self._say = say
        self._ready = ready
        self._chance = random.Random()  # noqa: S311 - an invented day
        self._length = min(seconds or ROUND_SECONDS, ROUND_SECONDS)
        self._pause = min(max(self._length / 40, _QUICKEST), _SLOWEST)

    async def run(self) -> None:
        """Until cancelled; then all is switched on again (:meth:`end`)."""
        with anyio.move_on_after(self._length / 4):
            await self._first_sync()
        while True:
            await self._edit_for(0.15, "staff edit in both systems")
            self._disagree(self._both_edit)
            await self._edit_for(
                0.2, "two people changed the same entry: the office decides, the rest goes on"
            )
            await self._outage(0.15)
            await self._edit_for(0.2, "Advoware is back: what had to wait is synced")
            self._disagree(self._one_deletes)
            await self._edit_for(0.15, "one deleted what another changed: the office decides")

    async def _first_sync(self) -> None:
        while not self._ready():  # noqa: ASYNC110 - the daemon does not know that it is watched
            await anyio.sleep(_LOOK_SECONDS)

    def end(self) -> None:
        """Nobody edits any more, both systems are on."""
        self._firm.advoware.manners.manager_offline = False
        self.scene = "everybody has gone home: the last changes are synced"

    async def _edit_for(self, share: float, scene: str) -> None:
        self.scene = scene
        until = time.monotonic() + share * self._length
        while time.monotonic() < until:
            self._tell(self._firm.staff.edit())
            await anyio.sleep(self._pause * (0.5 + self._chance.random()))

    async def _outage(self, share: float) -> None:
        self.outages += 1
        self._announce("Advoware's Manager is switched off, as at night")
        self._firm.advoware.manners.manager_offline = True
        try:
            await self._edit_for(share, "Advoware is down: changes wait, nobody loses an attempt")
        finally:
            self._firm.advoware.manners.manager_offline = False
        self._announce("Advoware's Manager is on again")

    # -- two people, one entry -------------------------------------------------------------------------------

    def _disagree(self, how: Callable[[Pair, int, str], None]) -> None:
        """With a number that both sides hold. Nothing happens where nobody has one."""
        early = self._firm.pairs[:_EARLY]
        for pair in self._chance.sample(early, len(early)):
            if (found := self._on_both_sides(pair)) is not None:
                how(pair, *found)
                return

    def _on_both_sides(self, pair: Pair) -> tuple[int, str] | None:
        """(row, EspoCRM's value) of a number that looks alike on both sides."""
        record = self._firm.espocrm.person(pair.espocrm_id)
        values = {item[PHONE.scalar][-6:]: item[PHONE.scalar] for item in record[PHONE.data]}
        for row in self._firm.advoware.rows(pair.bet_nr):
            digits = "".join(filter(str.isdigit, row.tlf or ""))
            if digits[-6:] and f"{digits[-6:]}" in {value.lstrip("+") for value in values}:
                return row.id, values[digits[-6:]]
        return None

    def _both_edit(self, pair: Pair, row_id: int, value: str) -> None:
        here, there = f"+49 171 39200{self._two_digits()}", f"+49 171 39201{self._two_digits()}"
        self._edit_row(pair, row_id, there)
        self._edit_item(pair, value, here.replace(" ", ""))

    def _one_deletes(self, pair: Pair, row_id: int, value: str) -> None:
        self._edit_row(pair, row_id, f"+49 171 39201{self._two_digits()}")
        self._edit_item(pair, value, None)

    def _edit_row(self, pair: Pair, row_id: int, value: str) -> None:
        before = self._firm.advoware.row(row_id).tlf
        self._firm.advoware.edit_row(row_id, tlf=value)
        self._tell(Edit("advoware", "change_row", pair, before, value))

    def _edit_item(self, pair: Pair, value: str, wanted: str | None) -> None:
        items = [dict(item) for item in self._firm.espocrm.person(pair.espocrm_id)[PHONE.data]]
        kept = [item for item in items if wanted is not None or item[PHONE.scalar] != value]
        for item in kept:
            if item[PHONE.scalar] == value:
                item[PHONE.scalar] = wanted
        if kept and not any(item["primary"] for item in kept):
            kept[0]["primary"] = True
        try:
            self._firm.espocrm.edit_person(pair.espocrm_id, phones=kept)
        except NotSaved:
            return
        self._tell(Edit("espocrm", "change_item" if wanted else "remove_item", pair, value, wanted))

    def _two_digits(self) -> str:
        return f"{self._chance.randrange(100):02}"

    # -- telling ---------------------------------------------------------------------------------------------

    def _tell(self, edit: Edit | None) -> None:
        if edit is not None:
            self.edits += 1
            self._say(of_edit(edit, self._firm.name_of(edit.pair.bet_nr), time.time()))

    def _announce(self, what: str) -> None:
        self._say(Line(time.time(), "scene", "", "", what))
