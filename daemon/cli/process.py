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


def run(ctx: typer.Context) -> None:
    """The daemon. SIGTERM ends it, SIGHUP reads the configuration again."""
    import anyio

    from daemon.admin import address
    from daemon.process import Daemon

    settings = settings_of(ctx, quiet=False)
    address.refuse_second(settings.store.path)

    def reload() -> Settings:
        return settings_of(ctx, quiet=False)

    def started(host: str, port: int) -> None:
        typer.echo(f"kommsync: {address.publish(settings.store.path, host, port)}")

    anyio.run(lambda: Daemon(settings, reload, environ=os.environ).run(started=started))


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
