"""``plan``, ``apply`` and ``audit``: the whole firm before, and after."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.context import settings_of, with_desk
from daemon.cli.failure import HUMAN_NEEDED
from daemon.cli.output import Json, print_json, print_table

_SUMMED = (
    "people",
    "links",
    "add_to_espocrm",
    "add_to_advoware",
    "to_espocrm",
    "to_advoware",
    "conflicts",
    "unsyncable",
    "waiting",
    "unreadable",
)


def register(app: typer.Typer) -> None:
    app.command("plan")(plan)
    app.command("apply")(apply)
    app.command("audit")(audit)


def plan(
    ctx: typer.Context,
    bet_nrs: Annotated[
        list[int] | None, typer.Argument(metavar="BETNR…", help="Everybody if none is given.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A file for kommsync apply.")] = None,
    as_json: Json = False,
) -> None:
    """What would be written, without writing: only GETs."""
    from daemon.admin import plans
    from daemon.cli.progress import progress

    with progress("planning") as step:
        found = with_desk(ctx, lambda desk: plans.plan(desk, tuple(bet_nrs or ()), step))
    if out is not None:
        plans.save(found, out)
    if as_json:
        print_json(found.as_json())
        return
    print_table(
        found.writes(), ("bet_nr", "side", "operation", "variant", "before", "after"), "would be written"
    )
    print_table([found.summary()], _SUMMED, "in all")
    if out is not None:
        typer.echo(f"To carry out exactly this: kommsync apply {out}")


def apply(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(help="Made by kommsync plan --out.")]
) -> None:
    """Carry out exactly what the file says, or refuse as a whole if the world has moved."""
    import anyio

    from daemon.admin import plans

    number = anyio.run(plans.apply, settings_of(ctx), plans.load(file))
    typer.echo(f"{number} Beteiligte synced as planned.")


def audit(
    ctx: typer.Context,
    out: Annotated[Path | None, typer.Option(help="A file for the report, as JSON.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Only so many Beteiligte, chosen by chance.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the audit for --out that was interrupted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare base and both sides for everybody; reads only. Exit 3 if anything drifted."""
    from daemon.admin import audits
    from daemon.cli.progress import progress

    if resume and (out is None or sample is not None):
        raise typer.BadParameter("--resume needs the --out of the interrupted audit, and nothing else")
    with progress("reading both sides") as step:
        found = with_desk(ctx, lambda desk: audits.audit(desk, step, sample=sample, out=out, resume=resume))
    if as_json:
        print_json(found)
    else:
        print_table(
            found["entries"],
            ("bet_nr", "kind", "rule", "problem", "espocrm_value", "advoware_value"),
            "not equal",
        )
        typer.echo(audits.as_text(found))
    if found["drift"] or found["unreadable"]:
        raise typer.Exit(HUMAN_NEEDED)
