"""``once``: one round of everything, with the store for itself."""

from __future__ import annotations

from importlib.metadata import version

from daemon.app import App
from daemon.metrics import Metrics
from daemon.once import Ended, run_once
from daemon.outside import open_outside
from daemon.settings import Settings


async def one_round(settings: Settings, seconds: float) -> Ended:
    """Raises what opening the store raises (StoreInUse while a daemon runs)."""
    async with open_outside(settings, Metrics(version("kommsync")), exclusive=True) as outside:
        return await run_once(App(outside), seconds)
