"""The command line as a whole: all commands in one app, and how an error becomes an exit code.

:func:`main` is the entry point. Every command lives in the module of its noun.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Annotated, NoReturn

import typer

from daemon.cli import conflicts, fuses, people, process, rollout, showing, store, undoing
from daemon.cli.failure import FAILED, explained

app = typer.Typer(
    name="kommsync",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would show values
    rich_markup_mode=None,
    help="Keeps the phones, faxes and mail addresses of a law firm equal between EspoCRM and Advoware.",
)
for module in (showing, process, store, people, conflicts, fuses, rollout, undoing):
    module.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kommsync {version('kommsync')}")
        raise typer.Exit


@app.callback()
def choose_configuration(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            help="The configuration; else $KOMMSYNC_CONFIG, ./kommsync.toml, /etc/kommsync/kommsync.toml."
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version this is."),
    ] = False,
) -> None:
    ctx.obj = config


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code. What goes wrong on purpose is one sentence on stderr; anything else is
    our bug and logged with its trace, redacted."""
    from daemon import logs

    logs.set_up("warning")
    sys.excepthook = _crash
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(_config_first(given))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - told in one sentence, or logged as the bug it is
        told = explained(error)
        if told is None:
            _crash(type(error), error, error.__traceback__)  # typer puts a hook of its own in ours' place
            sys.exit(FAILED)
        typer.echo(f"kommsync: {told.text}", err=True)
        sys.exit(told.code)
    sys.exit(0)


def _config_first(arguments: list[str]) -> list[str]:
    """``--config FILE`` may stand anywhere."""
    rest, chosen, words = [], [], iter(arguments)
    for word in words:
        if word == "--config":
            chosen += [word, *(value for value in [next(words, None)] if value is not None)]
        elif word.startswith("--config="):
            chosen.append(word)
        else:
            rest.append(word)
    return [*chosen, *rest]


def _crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    import structlog

    structlog.get_logger(__name__).critical(
        "crashed",
        exc_info=(kind, error, trace),
        remedy="this is a bug of kommsync: please report these lines",
    )
