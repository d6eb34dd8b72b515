"""Idling costs nothing in virtual time but everything in real time: what only counts seconds looks less often here.

The due times themselves stay exact (the worker wakes for them); the runs with a real process use the real constants.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from daemon import app, maintenance, worker

_SLOWER: tuple[tuple[object, str, float], ...] = (
    (worker, "_LOOK_SECONDS", 15.0),
    (app, "_LAG_SECONDS", 3600.0),
    (maintenance, "GAUGES_SECONDS", 600.0),
)


@contextmanager
def idling_slowly() -> Iterator[None]:
    right = [(module, name, getattr(module, name)) for module, name, _ in _SLOWER]
    if not all(isinstance(value, float) for _, _, value in right):
        raise TypeError("what only counts seconds has other names now")
    try:
        for module, name, seconds in _SLOWER:
            setattr(module, name, seconds)
        yield
    finally:
        for module, name, value in right:
            setattr(module, name, value)
