"""``list``, ``show``, ``explain``, ``history`` and ``retry``: single Beteiligte."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon.cli.context import with_desk
from daemon.cli.output import AsTable, Json, JsonAnyway, print_json, print_table
from statemachine.states import State

BetNr = Annotated[int, typer.Argument(metavar="BETNR", help="The number of the Beteiligte in Advoware.")]


def register(app: typer.Typer) -> None:
    app.command("list")(list_)
    app.command("show")(show)
    app.command("explain")(explain)
    app.command("history")(history)
    app.command("retry")(retry)


def list_(
    ctx: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    as_json: JsonAnyway = False,
    table: AsTable = False,
) -> None:
    """Every tracked Beteiligte with its state. JSON."""
    from daemon.admin import people

    rows = with_desk(ctx, lambda desk: people.everybody(desk.store, state))
    if table:
        print_table(rows, ("bet_nr", "espocrm_id", "state", "reason", "since", "attempts", "next_attempt_at"))
    else:
        print_json(rows)


def show(ctx: typer.Context, bet_nr: BetNr, as_json: JsonAnyway = False, table: AsTable = False) -> None:
    """One Beteiligte with its entries, and what is not synced and why. JSON."""
    from daemon.admin import people

    found = with_desk(ctx, lambda desk: people.show(desk, bet_nr))
    if not table:
        print_json(found)
        return
    typer.echo(f"betNr {bet_nr}: {found['state']} ({found['reason'] or 'no reason given'})")
    print_table(
        found["entries"], ("kind", "komm_kz", "advoware_value", "espocrm_value", "espocrm_type", "problem")
    )
    print_table(found["not_synced"], ("side", "value", "why", "reason"), "not synced")


def explain(ctx: typer.Context, bet_nr: BetNr, as_json: Json = False) -> None:
    """What was agreed, what both sides show now, the rule for each entry, and what comes next. Reads only."""
    from daemon.admin import explain

    found = with_desk(ctx, lambda desk: explain.explain(desk, bet_nr))
    if as_json:
        print_json(found)
        return
    typer.echo(f"betNr {bet_nr}: {found['state']} ({found['reason'] or 'no reason given'})")
    print_table(found["entries"], ("base", "espocrm_value", "advoware_value", "rule", "problem", "sentence"))
    print_table(
        found["would_write"], ("side", "operation", "variant", "before", "after"), "would be written now"
    )
    typer.echo(f"Next: {found['next']}")


def history(ctx: typer.Context, bet_nr: BetNr, as_json: JsonAnyway = False, table: AsTable = False) -> None:
    """Everything that happened to one Beteiligte: transitions, writes, decisions; oldest first. JSON."""
    from daemon.admin import people

    rows = with_desk(ctx, lambda desk: people.history(desk.store, bet_nr))
    if not table:
        print_json(rows)
        return
    columns = (
        "id",
        "at",
        "what",
        "from",
        "to",
        "trigger",
        "reason",
        "side",
        "variant",
        "before",
        "after",
        "outcome",
    )
    print_table(rows, columns)


def retry(
    ctx: typer.Context,
    bet_nrs: Annotated[list[int] | None, typer.Argument(metavar="BETNR…", help="Who is due now.")] = None,
    all_failed: Annotated[
        bool, typer.Option("--all-failed", help="Everybody failed or permanently failed.")
    ] = False,
) -> None:
    """Have somebody synced again at once, whatever his state."""
    from daemon.admin import people

    if bool(bet_nrs) == all_failed:
        raise typer.BadParameter("give one or more BETNR, or --all-failed")
    number = with_desk(ctx, lambda desk: people.retry(desk.store, tuple(bet_nrs or ())))
    typer.echo(f"{number} due now. To watch: kommsync list --state dirty")
