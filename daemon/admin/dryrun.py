"""``run --dry-run``: a store of its own, begun as a copy of the real one, so that the real one is never touched."""

from __future__ import annotations

import anyio.to_thread

from daemon.settings import Settings
from daemon.store import database


async def apart(settings: Settings) -> Settings:
    """As :func:`beside`, and the store is begun as a copy of the real one if it is not there yet. Whoever wants it
    begun anew removes that file. Raises StoreTrouble."""
    there = beside(settings)
    real, own = settings.store.path, there.store.path
    if real.exists() and not own.exists():
        await anyio.to_thread.run_sync(database.copy, real, own)
    return there


def beside(settings: Settings) -> Settings:
    """The settings with the dry run's store: beside the real one, where the daemon may write."""
    real = settings.store.path
    own = real.with_name(f"{real.stem}-dry-run{real.suffix}")
    return settings.model_copy(update={"store": settings.store.model_copy(update={"path": own})})
