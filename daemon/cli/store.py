"""``status``, ``pause``, ``resume`` and ``backup``: the firm as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.context import with_desk
from daemon.cli.output import AsTable, JsonAnyway, print_json, print_table
from statemachine.model import Side

BetNr = Annotated[int | None, typer.Option("--bet-nr", help="Only this Beteiligte.")]


def register(app: typer.Typer) -> None:
    app.command("status")(status)
    app.command("pause")(pause)
    app.command("resume")(resume)
    app.command("backup")(backup)


def status(ctx: typer.Context, as_json: JsonAnyway = False, table: AsTable = False) -> None:
    """How the firm stands: states, both sides, what waits. JSON."""
    from daemon.admin import status

    found = with_desk(ctx, status.status)
    if not table:
        print_json(found)
        return
    print_table([{"what": name, "is": value} for name, value in status.flat(found)], ("what", "is"))


def pause(
    ctx: typer.Context,
    side: Annotated[Side | None, typer.Argument(help="espocrm or advoware; both if none is given.")] = None,
    bet_nr: BetNr = None,
    seconds: Annotated[
        float | None,
        typer.Option("--for", min=1, help="It ends by itself after so many seconds."),
    ] = None,
) -> None:
    """Stop using a side, or stop syncing one Beteiligte, until resumed or for a time."""
    from daemon.admin import pauses

    _refuse_both(side, bet_nr)
    typer.echo(with_desk(ctx, lambda desk: pauses.pause(desk, side, bet_nr, seconds)))


def resume(
    ctx: typer.Context,
    side: Annotated[Side | None, typer.Argument(help="espocrm or advoware; both if none is given.")] = None,
    bet_nr: BetNr = None,
) -> None:
    """End a pause."""
    from daemon.admin import pauses

    _refuse_both(side, bet_nr)
    typer.echo(with_desk(ctx, lambda desk: pauses.resume(desk, side, bet_nr)))


def backup(ctx: typer.Context, file: Annotated[Path, typer.Argument(help="Where the copy goes.")]) -> None:
    """A consistent copy of the store, also while the daemon runs."""
    from daemon.admin import backups

    with_desk(ctx, lambda desk: backups.backup(desk, file))
    typer.echo(f"{file}: done. To restore: stop kommsync, put it in the store's place, start kommsync.")


def _refuse_both(side: Side | None, bet_nr: int | None) -> None:
    if side is not None and bet_nr is not None:
        raise typer.BadParameter("give a side or --bet-nr, not both")
