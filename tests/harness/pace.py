"""Idling costs nothing in virtual time but everything in real time: what only counts seconds looks less often here.

The due times themselves stay exact (the worker wakes for them); the runs with a real process use the real constants.
"""

from __future__ import annotations

from daemon import app, maintenance, worker

_SLOWER: tuple[tuple[object, str, float], ...] = (
    (worker, "_LOOK_SECONDS", 15.0),
    (app, "_LAG_SECONDS", 3600.0),
    (maintenance, "GAUGES_SECONDS", 600.0),
)


def idle_slowly() -> None:
    for module, name, seconds in _SLOWER:
        if not isinstance(getattr(module, name), float):
            raise TypeError(f"{name} is not what it was")
        setattr(module, name, seconds)
