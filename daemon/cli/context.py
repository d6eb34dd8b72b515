"""What every command needs first: the settings, logging that knows the secrets, an event loop.

Used by the modules of the command line only.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from daemon.outside import Outside
    from daemon.settings import Settings

T = TypeVar("T")


def settings_of(ctx: typer.Context, *, quiet: bool = True) -> Settings:
    """From file, credentials and environment. ``quiet``: a command's own answer is enough, so only errors are logged.
    Raises ConfigError."""
    from daemon import config, logs

    settings = config.load(ctx.obj, os.environ)
    level = "error" if quiet and settings.log.level != "debug" else settings.log.level
    logs.set_up(level, settings.log.format, secrets=settings.secrets())
    return settings


def with_desk(ctx: typer.Context, work: Callable[[Outside], Awaitable[T]]) -> T:
    """Opens the store beside a running daemon, and both sides; runs ``work`` with them. Raises what both raise."""
    import anyio

    from daemon.admin.desk import open_desk

    settings = settings_of(ctx)

    async def run() -> T:
        async with open_desk(settings) as desk:
            return await work(desk)

    return anyio.run(run)
