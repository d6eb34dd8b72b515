"""``fuse``: mass deletions that are held, and the operator's word on them."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon.cli.context import with_desk
from daemon.cli.output import Json, print_json, print_table
from statemachine.model import Side

SideArgument = Annotated[
    Side, typer.Argument(help="espocrm or advoware: the side on which entries vanished.")
]


def register(app: typer.Typer) -> None:
    fuse = typer.Typer(
        invoke_without_command=True,
        help="Held mass deletions: list them, approve or reject them.",
        rich_markup_mode=None,
    )
    fuse.callback()(held)
    fuse.command("approve")(approve)
    fuse.command("reject")(reject)
    app.add_typer(fuse, name="fuse")


def held(ctx: typer.Context, as_json: Json = False) -> None:
    """Without a further word: list both fuses and what is held."""
    from daemon.admin import fuses

    if ctx.invoked_subcommand is not None:
        return
    found = with_desk(ctx, lambda desk: fuses.held(desk.store))
    if as_json:
        print_json(found)
        return
    print_table(found["fuses"], ("side", "fuse", "reason", "since", "held"))
    if found["held"]:
        print_table(found["held"], ("side", "bet_nr", "value", "since", "approving"), "held")
        typer.echo("To decide: kommsync fuse approve SIDE, or kommsync fuse reject SIDE")


def approve(ctx: typer.Context, side: SideArgument) -> None:
    """Carry out exactly the deletions that are listed."""
    _settle(ctx, side, approve=True)


def reject(ctx: typer.Context, side: SideArgument) -> None:
    """Write the listed entries back where they vanished."""
    _settle(ctx, side, approve=False)


def _settle(ctx: typer.Context, side: Side, *, approve: bool) -> None:
    from daemon.admin import fuses

    number = with_desk(ctx, lambda desk: fuses.settle(desk.store, side, approve=approve))
    typer.echo(
        f"{number} deletions {'approved' if approve else 'rejected'}; the fuse of {side} is intact again."
    )
