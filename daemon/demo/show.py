"""The demo from beginning to end: firm, daemon, play, screen; then quiet, comparison, summary.

Called by :mod:`daemon.cli`. The daemon is the real composition (:class:`daemon.app.App`) with its web face.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import anyio
from anyio.abc import TaskGroup
from rich.console import Console

from daemon import logs
from daemon.app import App
from daemon.demo import agreement
from daemon.demo.agreement import Agreement
from daemon.demo.firm import Firm, open_firm
from daemon.demo.office import Office
from daemon.demo.play import Play
from daemon.demo.screen import Screen, View, open_screen
from daemon.demo.tempo import FIRST_PROBE, demo_settings
from daemon.demo.watch import Watch
from daemon.metrics import Metrics
from daemon.outside import open_outside
from daemon.page import Page
from daemon.store import Listing
from daemon.web import Face
from statemachine.model import Side
from statemachine.states import State

_TICK = 0.1
#: All is quiet and they differ: whatever it is, it does not help to ask at once again.
_AGAIN = 1.0
#: How long everything may take to become quiet: a minute, and more for a big firm.
_QUIET_SECONDS, _PER_PERSON = 60.0, 0.1
#: After so long everything that was saved before has been listed.
_SEVERAL_POLLS = 3.0
_LAST_LOG_LINES = 30
_NAMES = {Side.ESPOCRM: "EspoCRM", Side.ADVOWARE: "Advoware"}


class Show:
    """One performance. ``people``: how many live in the firm; ``seconds``: how long they edit, None: until Ctrl-C."""

    def __init__(self, people: int, seconds: float | None, console: Console) -> None:
        self._people = people
        self._seconds = seconds
        self._console = console
        self._begun = time.time()
        self._over = anyio.Event()
        self._quiet = anyio.CancelScope()

    async def run(self) -> bool:
        """Whether both sides agreed in the end."""
        with tempfile.TemporaryDirectory(prefix="kommsync-demo-") as name:
            directory = Path(name)
            journal = directory / "kommsync.log"
            with journal.open("w", encoding="utf-8") as stream:
                logs.set_up("warning", "console", stream=stream)
                try:
                    async with open_firm(self._people, seed=None) as firm:
                        found, left = await self._perform(firm, directory)
                finally:
                    logs.set_up("warning")
            if found is not None and not found.holds:
                self._explain(found, left, journal)
            return found is not None and found.holds

    async def _perform(self, firm: Firm, directory: Path) -> tuple[Agreement | None, list[Listing]]:
        """The comparison, and who is not clean; None when nobody wanted to wait for it."""
        found: Agreement | None = None
        settings = demo_settings(firm, directory)
        metrics = Metrics(version("kommsync"))
        async with (
            open_outside(settings, metrics, exclusive=True, first_probe=FIRST_PROBE) as outside,
            anyio.create_task_group() as group,
        ):
            app = App(outside)
            face = Face(app, metrics, Page(lambda: app, settings.web).routes())
            port = await group.start(face.serve, settings.web.host, settings.web.port)
            address = f"http://{settings.web.host}:{port}/"
            self._console.print(
                f"kommsync demo: {self._people} invented people; the daemon's page: {address}"
            )
            await group.start(app.run)
            group.start_soon(self._obey)
            with open_screen(self._console, firm.name_of) as screen:
                stage = _Stage(firm, app, screen, self._seconds, address)
                await self._watch_play(stage)
                with self._quiet:
                    found = await stage.wind_down(_QUIET_SECONDS + _PER_PERSON * self._people)
            left = await _troubled(app)
            app.stop()
            group.cancel_scope.cancel()
        if found is None:
            self._console.print("Ended before both sides could be compared.")
        else:
            self._console.print(stage.summary(found, time.time() - self._begun), highlight=False)
        return found, left

    async def _watch_play(self, stage: _Stage) -> None:
        async with stage.performing() as group:
            with anyio.move_on_after(self._seconds):
                await self._over.wait()
            group.cancel_scope.cancel()

    async def _obey(self) -> None:
        """The first signal ends the play, the second the waiting for quiet."""
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                if self._over.is_set():
                    self._quiet.cancel()
                self._over.set()

    def _explain(self, found: Agreement, left: list[Listing], journal: Path) -> None:
        for sentence in found.differ:
            self._console.print(f"  {sentence}", markup=False, highlight=False)
        for one in left:
            text = f"  betNr {one.bet_nr}: {one.state}, {one.reason}, attempts {one.attempts}"
            self._console.print(text, markup=False, highlight=False)
        said = journal.read_text(encoding="utf-8").splitlines()[-_LAST_LOG_LINES:]
        for line in said:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Stage:
    """Everybody who takes part."""

    def __init__(self, firm: Firm, app: App, screen: Screen, seconds: float | None, address: str) -> None:
        self._firm = firm
        self._app = app
        self._screen = screen
        self._address = address
        self._begun = time.monotonic()
        self._counts: dict[State, int] = {}
        store = app.outside.store
        patience = min((seconds or 60.0) / 12, 4.0)
        self._watch = Watch(store, firm.name_of, screen.say)
        self._office = Office(store, firm.name_of, screen.say, patience)
        self._play = Play(firm, seconds, screen.say, self._first_sync_done)

    @asynccontextmanager
    async def performing(self) -> AsyncIterator[TaskGroup]:
        """The play and the screen, until the group is cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._play.run)
            group.start_soon(self._keep_showing)
            yield group
        self._play.end()

    async def wind_down(self, seconds: float) -> Agreement:
        """Wait until both sides agree and nothing is left to do, at most so long; the last comparison."""
        self._office.patience = 0.0
        with anyio.move_on_after(seconds):
            await self._until_agreed(time.time())
        return await agreement.compare(self._firm, self._app.outside.store)

    async def _until_agreed(self, since: float) -> None:
        while True:
            await self._tick()
            await anyio.sleep(_TICK)
            if await self._is_quiet(since):
                if (await agreement.compare(self._firm, self._app.outside.store)).holds:
                    return
                await anyio.sleep(_AGAIN)

    def summary(self, found: Agreement, seconds: float) -> str:
        """The last word."""
        written = self._watch.written
        excused = ", ".join(f"{number} × {reason}" for reason, number in sorted(found.excused.items()))
        verdict = (
            f"[bold green]Both sides agree[/]: {found.people} people, {found.entries} entries equal"
            if found.holds
            else f"[bold red]The two sides differ[/] in {len(found.differ)} entries"
        )
        left_out = f"; left out, because the other side would refuse it: {excused}" if excused else ""
        return (
            f"\n{verdict}{left_out}\n"
            f"  {self._play.edits} edits by staff, {written['espocrm']} entries written to EspoCRM,"
            f" {written['advoware']} to Advoware\n"
            f"  {self._watch.conflicts} conflicts found, {self._office.decided} decided,"
            f" {self._play.outages} outages survived, in {seconds:.0f} s"
        )

    async def _keep_showing(self) -> None:
        while True:
            await self._tick()
            await anyio.sleep(_TICK)

    async def _tick(self) -> None:
        await self._watch.look()
        await self._office.decide(self._watch.waiting)
        self._counts = await self._app.outside.store.counts()
        self._screen.show(self._view())

    def _view(self) -> View:
        gates = self._app.outside.gates
        return View(
            address=self._address,
            scene=self._play.scene,
            seconds=time.monotonic() - self._begun,
            states={state.value: number for state, number in self._counts.items()},
            sides={
                _NAMES[side]: gate.trouble.reason if gate.trouble else None for side, gate in gates.items()
            },
            waiting=self._watch.waiting,
            edits=self._play.edits,
            writes=self._watch.written.total(),
        )

    def _first_sync_done(self) -> bool:
        return self._counts.get(State.CLEAN, 0) >= len(self._firm.pairs)

    async def _is_quiet(self, since: float) -> bool:
        """Nobody is due, and everybody was looked at since."""
        store = self._app.outside.store
        if self._watch.waiting or any(
            number for state, number in self._counts.items() if state is not State.CLEAN
        ):
            return False
        sums = await store.sums()
        looked = sums.oldest_look is not None and sums.oldest_look > since
        return looked and time.time() - since > _SEVERAL_POLLS


async def _troubled(app: App) -> list[Listing]:
    return [one for one in await app.outside.store.listing() if one.state is not State.CLEAN]
