"""``conflicts`` and ``resolve``: what waits for a human, and his decision."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon.cli.context import with_desk
from daemon.cli.output import AsTable, JsonAnyway, print_json, print_table
from statemachine.case import Keep


def register(app: typer.Typer) -> None:
    app.command("conflicts")(conflicts)
    app.command("resolve")(resolve)


def conflicts(ctx: typer.Context, as_json: JsonAnyway = False, table: AsTable = False) -> None:
    """What waits for a decision, oldest first. JSON."""
    from daemon.admin import conflicts

    rows = with_desk(ctx, lambda desk: conflicts.waiting(desk.store))
    if table:
        print_table(rows, ("id", "bet_nr", "kind", "base", "espocrm", "advoware", "since"))
    else:
        print_json(rows)


def resolve(
    ctx: typer.Context,
    conflict_id: Annotated[int, typer.Argument(metavar="ID", help="As kommsync conflicts names it.")],
    keep: Annotated[Keep, typer.Option(help="Whose value wins; both: each is kept as an entry of its own.")],
) -> None:
    """Decide a conflict. If its values have changed since, it is void: exit 1, and the new one is named."""
    from daemon.admin import conflicts

    bet_nr = with_desk(ctx, lambda desk: conflicts.resolve(desk.store, conflict_id, keep))
    typer.echo(f"Conflict {conflict_id} is decided: {keep}. The next sync does it: kommsync show {bet_nr}")
