"""``undo``: one write, a Beteiligte to a moment, or a whole window of time."""

from __future__ import annotations

import math
import time
from datetime import datetime
from typing import Annotated

import typer

from daemon.cli.context import with_desk
from daemon.cli.output import Json, print_json, print_table
from statemachine.model import Side

_MOMENT = "YYYY-MM-DD[ HH:MM[:SS]] in local time, with +HH:MM in another, or Unix seconds."


def register(app: typer.Typer) -> None:
    app.command("undo")(undo)


def undo(
    ctx: typer.Context,
    bet_nr: Annotated[
        int | None, typer.Argument(metavar="[BETNR]", help="The number of the Beteiligte in Advoware.")
    ] = None,
    write_id: Annotated[
        int | None, typer.Argument(metavar="[WRITE_ID]", help="One write, as kommsync history names it.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="MOMENT", help=f"All of BETNR that was written since. {_MOMENT}")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="MOMENT", help="All that was written from here on …")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="MOMENT", help="… to here; now if not given.")] = None,
    side: Annotated[Side | None, typer.Option(help="Only what was written to this side.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without it, only say what would be done.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take writes of ours back, as if somebody edited that side: one write, or with --to or --since all of a time."""
    if to is None and since is None:
        _one(ctx, bet_nr, write_id)
        return
    if write_id is not None or (
        to is not None and (bet_nr is None or since is not None or until is not None)
    ):
        raise typer.BadParameter(
            "give BETNR WRITE_ID, or BETNR --to MOMENT, or --since MOMENT --until MOMENT"
        )
    start = _moment(to if to is not None else since)
    end = time.time() + 1 if until is None else _moment(until)
    if end <= start:
        raise typer.BadParameter("the window ends before it begins")
    _many(ctx, start, end, side, bet_nr, yes=yes, as_json=as_json)


def _one(ctx: typer.Context, bet_nr: int | None, write_id: int | None) -> None:
    from daemon.admin import undo

    if bet_nr is None or write_id is None:
        raise typer.BadParameter(
            "give BETNR WRITE_ID, or BETNR --to MOMENT, or --since MOMENT --until MOMENT"
        )
    typer.echo(with_desk(ctx, lambda desk: undo.undo(desk, bet_nr, write_id)))


def _many(
    ctx: typer.Context,
    since: float,
    until: float,
    side: Side | None,
    bet_nr: int | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    from daemon.admin import reversal
    from daemon.outside import Outside

    async def work(desk: Outside) -> tuple[list[reversal.Line], int]:
        lines = await reversal.plan(desk, reversal.Window(since, until, side, bet_nr))
        return lines, await reversal.carry_out(desk, lines) if yes else 0

    lines, asked = with_desk(ctx, work)
    rows = [line.as_json() for line in lines]
    if as_json:
        print_json({"entries": rows, "asked": asked})
        return
    print_table(rows, ("bet_nr", "side", "kind", "now", "then", "does", "remark"))
    possible = sum(row["possible"] for row in rows)
    if yes:
        typer.echo(f"{asked} entries are taken back by the next sync. To watch: kommsync list --state dirty")
    else:
        typer.echo(
            f"Nothing was changed. {possible} of {len(rows)} entries can be taken back: the same again with --yes"
        )


def _moment(text: str | None) -> float:
    """Unix seconds."""
    try:
        number = float(text or "")
        if math.isfinite(number):
            return number
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(f"{text!r} is no moment: {_MOMENT}") from None
