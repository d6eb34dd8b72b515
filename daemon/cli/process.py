"""``run``, ``once`` and ``check``: the daemon itself, one round of it, and the doctor."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.context import settings_of
from daemon.cli.output import Json, print_finding, print_json

if TYPE_CHECKING:
    from daemon.settings import Settings


def register(app: typer.Typer) -> None:
    app.command("run")(run)
    app.command("once")(once)
    app.command("check")(check)


def run(
    ctx: typer.Context,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Live with both systems and write nothing; the page and /readyz say what would be.",
        ),
    ] = False,
) -> None:
    """The daemon. SIGTERM ends it, SIGHUP reads the configuration again."""
    import anyio

    from daemon.admin import address, dryrun
    from daemon.process import Daemon

    settings = settings_of(ctx, quiet=False)
    if dry_run:
        settings = anyio.run(dryrun.apart, settings)
    path = settings.store.path
    address.refuse_second(path)

    def reload() -> Settings:
        found = settings_of(ctx, quiet=False)
        return dryrun.beside(found) if dry_run else found

    def started(host: str, port: int) -> None:
        page = address.publish(path, host, port)
        typer.echo(f"kommsync: {page}")
        if dry_run:
            typer.echo(f"dry run: nothing is written to EspoCRM or Advoware; what would be: {page}readyz")
            typer.echo(f"its own memory: {path}. To ask it: KOMMSYNC_STORE__PATH={path} kommsync list")

    daemon = Daemon(settings, reload, environ=os.environ, dry_run=dry_run)
    anyio.run(lambda: daemon.run(started=started))


def once(
    ctx: typer.Context,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds after which it gives up.")] = 300,
) -> None:
    """Look at everybody, sync until nothing is due. Exit 0: all clean; 3: a human is needed; 1: not done."""
    import anyio

    from daemon.admin.rounds import one_round

    ended = anyio.run(one_round, settings_of(ctx, quiet=False), timeout)
    states = ", ".join(f"{number} {state}" for state, number in ended.states.items() if number)
    typer.echo(f"{ended.reason}: {states or 'nobody is tracked'}{_NEXT.get(ended.code, '')}", err=True)
    raise typer.Exit(ended.code)


_NEXT = {
    1: ". Type: kommsync status",
    3: ". Type: kommsync conflicts, kommsync fuse, kommsync list --state …",
}


def check(ctx: typer.Context, as_json: Json = False) -> None:
    """The doctor: every requirement on both systems and on this machine, each with its remedy."""
    import anyio

    from daemon.check import examine, verdict

    findings = anyio.run(examine, settings_of(ctx))
    rows = [finding.as_json() for finding in findings]
    if as_json:
        print_json(rows)
    else:
        for finding in findings:
            print_finding(finding.what, finding.result, finding.detail, finding.remedy)
    raise typer.Exit(verdict(findings))
