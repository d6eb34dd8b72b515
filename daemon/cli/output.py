"""How answers are printed: JSON for scripts, tables for people.

Used by every module of the command line. Moments are Unix seconds in JSON and local time in tables.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

#: ``--json`` of the commands whose answer is a table unless scripts want it.
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
#: The other way round: JSON is the contract, the table is for reading.
AsTable = Annotated[bool, typer.Option("--table", help="A table for people instead of JSON.")]
#: Accepted where JSON is what comes anyway.
JsonAnyway = Annotated[bool, typer.Option("--json", help="JSON, which is what comes without it as well.")]

_PIPE_WIDTH = 220
_MARKS = {"fine": ("✓", "green"), "warning": ("!", "yellow"), "prevents": ("✗", "bold red")}
_MOMENTS = frozenset({"at", "since", "next_attempt_at", "paused_until"})


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_table(rows: Iterable[Mapping[str, object]], columns: Sequence[str], title: str = "") -> None:
    """One row per mapping, the named keys only."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(column, row.get(column))) for column in columns))
    console().print(table)


def print_finding(what: str, result: str, detail: str, remedy: str) -> None:
    """One line, and the remedy below it; the mark tells the result without colour too."""
    from rich.text import Text

    mark, style = _MARKS[result]
    console().print(Text.assemble((f"{mark} {what}", style), f": {detail}"), soft_wrap=True)
    if remedy:
        console().print(Text(f"    → {remedy}"), soft_wrap=True)


def console() -> Console:
    """As wide as the terminal; in a pipe wide enough that nothing has to be folded."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=_PIPE_WIDTH)


def shown(key: str, value: object) -> str:
    """A cell: moments as local time, lists with commas, nothing as nothing."""
    if value is None:
        return ""
    if key in _MOMENTS and isinstance(value, int | float):
        return (
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
            if value < 32_503_680_000
            else "for ever"
        )
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return str(value)
