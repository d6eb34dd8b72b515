"""``demo`` and ``simulators``: nothing to configure."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from daemon.cli.failure import FAILED

_PEOPLE = 25


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)
    app.command("simulators")(simulators)


def demo(
    people: Annotated[int, typer.Option(min=1, help="How many invented people live in the firm.")] = _PEOPLE,
    seconds: Annotated[float | None, typer.Option(min=1, help="End by itself; else Ctrl-C ends it.")] = None,
) -> None:
    """Watch the real daemon at work for an invented firm: edits, conflicts, an outage. Nothing to configure."""
    import anyio
    from rich.console import Console

    from daemon.demo.show import Show

    async def run() -> bool:
        return await Show(people, seconds, Console()).run()

    if not anyio.run(run):
        raise typer.Exit(FAILED)


def simulators(
    people: Annotated[int, typer.Option(min=1, help="How many invented people live in the firm.")] = _PEOPLE,
    seed: Annotated[int | None, typer.Option(help="The same seed makes the same people.")] = None,
) -> None:
    """Only the two simulated systems on loopback; prints the environment that points a daemon at them."""
    import anyio

    from daemon.demo.firm import open_firm

    async def run() -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with open_firm(people, seed) as firm:
                for name, value in firm.environment().items():
                    typer.echo(f"{name}={value}")
                admin = firm.espocrm.admin
                typer.echo(f"EspoCRM's administrator: {admin.user_name}, {admin.password}", err=True)
                typer.echo("Ctrl-C ends both systems and forgets their people.", err=True)
                async for _ in signals:
                    return

    anyio.run(run)
