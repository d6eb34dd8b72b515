"""How the demo is shown: a live screen on a terminal, plain lines anywhere else.

Used by :mod:`daemon.demo.show`, which hands in a :class:`View` of the moment.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from daemon.demo.line import Line
from daemon.store import OpenConflict

#: The same colour means the same everywhere, on the dashboards too.
COLOURS = {
    "clean": "green",
    "dirty": "yellow",
    "syncing": "blue",
    "conflict": "magenta",
    "failed": "dark_orange",
    "permanently_failed": "red",
}
_WHO = {
    "staff": "white",
    "kommsync": "cyan",
    "office": "magenta",
    "conflict": "magenta",
    "scene": "bold yellow",
}
_MOST_LINES = 500
_FRAMES_PER_SECOND = 8


@dataclass(frozen=True, slots=True)
class View:
    """One moment. ``sides``: name → None while it is fine, else what is wrong."""

    address: str
    scene: str
    seconds: float
    states: Mapping[str, int]
    sides: Mapping[str, str | None]
    waiting: list[OpenConflict]
    edits: int
    writes: int


class Screen(Protocol):
    """Where it is shown."""

    def say(self, line: Line) -> None: ...
    def show(self, view: View) -> None: ...


@contextmanager
def open_screen(console: Console, name_of: Callable[[int], str]) -> Iterator[Screen]:
    """The one that fits the console."""
    if not console.is_terminal:
        yield PlainScreen(console)
        return
    screen = LiveScreen(console, name_of)
    with Live(
        console=console, screen=True, auto_refresh=False, get_renderable=screen.picture, redirect_stderr=False
    ) as live:
        screen.live = live
        yield screen


class PlainScreen:
    """One line per event, and a line about everybody whenever the scene changes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._scene = ""

    def say(self, line: Line) -> None:
        parts = (
            time.strftime("%H:%M:%S", time.localtime(line.at)),
            line.who,
            line.person,
            line.where,
            line.what,
        )
        why = f" – {line.why}" if line.why else ""
        text = "  ".join(part for part in parts if part) + why
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, view: View) -> None:
        if view.scene != self._scene:
            self._scene = view.scene
            states = ", ".join(f"{number} {state}" for state, number in view.states.items() if number)
            text = f"--- {view.scene} ({states or 'nobody known yet'})"
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class LiveScreen:
    """States and sides on top, conflicts below, then what happened last."""

    def __init__(self, console: Console, name_of: Callable[[int], str]) -> None:
        self.live: Live | None = None
        self._console = console
        self._name_of = name_of
        self._lines: deque[Line] = deque(maxlen=_MOST_LINES)
        self._view: View | None = None
        self._drawn = 0.0

    def say(self, line: Line) -> None:
        self._lines.append(line)

    def show(self, view: View) -> None:
        self._view = view
        if self.live is not None and time.monotonic() - self._drawn > 1 / _FRAMES_PER_SECOND:
            self._drawn = time.monotonic()
            self.live.refresh()

    def picture(self) -> RenderableType:
        """What is on the screen now."""
        view = self._view
        if view is None:
            return Text("kommsync demo: two systems and their people are being invented …")
        top = Table.grid(expand=True, padding=(0, 1))
        top.add_column(ratio=3)
        top.add_column(ratio=2)
        top.add_row(_states(view), _sides(view))
        fixed = 14 + max(len(view.waiting), 1)
        room = max(self._console.size.height - fixed - 3, 3)
        return Group(_title(view), top, self._conflicts(view), self._changes(room))

    def _conflicts(self, view: View) -> RenderableType:
        if not view.waiting:
            return Panel(Text("no conflict waits", style="dim"), title="conflicts", title_align="left")
        table = Table.grid(padding=(0, 2))
        for one in view.waiting[:5]:
            conflict = one.conflict
            table.add_row(
                Text(f"#{conflict.id} {conflict.kind}", style="magenta"),
                self._name_of(one.bet_nr),
                f"was {conflict.base or '–'}",
                f"EspoCRM {conflict.espocrm or '–'}",
                f"Advoware {conflict.advoware or '–'}",
            )
        return Panel(table, title="conflicts", title_align="left", border_style="magenta")

    def _changes(self, room: int) -> RenderableType:
        table = Table(expand=True, box=None, padding=(0, 1), header_style="dim")
        for name, ratio in (("", 2), ("who", 2), ("Beteiligter", 4), ("where", 2), ("what", 7), ("why", 5)):
            table.add_column(name, ratio=ratio, no_wrap=True, overflow="ellipsis")
        for line in list(self._lines)[-room:]:
            clock = time.strftime("%H:%M:%S", time.localtime(line.at))
            cells = (clock, line.who, line.person, line.where, line.what, line.why)
            table.add_row(*(Text(cell) for cell in cells), style=_WHO.get(line.who, ""))
        return Panel(table, title="what changed where, and why", title_align="left")


def _title(view: View) -> RenderableType:
    text = Text.assemble(
        ("kommsync demo  ", "bold"),
        view.scene,
        ("   Ctrl-C ends it", "dim"),
        overflow="ellipsis",
        no_wrap=True,
    )
    return Panel(text, subtitle=f"{view.address}   {view.seconds:.0f} s", subtitle_align="right")


def _states(view: View) -> RenderableType:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=19)
    table.add_column(width=6, justify="right")
    table.add_column(ratio=1)
    total = sum(view.states.values()) or 1
    for state, number in view.states.items():
        colour = COLOURS.get(state, "white")
        bar = ProgressBar(total, number, complete_style=colour, finished_style=colour)
        table.add_row(Text(state, style=colour), str(number), bar)
    return Panel(table, title="Beteiligte", title_align="left")


def _sides(view: View) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for side, trouble in view.sides.items():
        table.add_row(
            side, Text(f"✗ {trouble}", style="red") if trouble else Text("✓ reachable", style="green")
        )
    table.add_row("", "")
    table.add_row("edits by staff", str(view.edits))
    table.add_row("entries written", str(view.writes))
    table.add_row("conflicts waiting", str(len(view.waiting)))
    return Panel(table, title="both sides", title_align="left")
