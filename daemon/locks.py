"""One writer per value: the same new value is never written for two Beteiligte at the same moment (sync rules §8).

Used by :mod:`daemon.sync`. EspoCRM has no unique key on its shared rows; two saves at once make twin rows that no
API call can clean up (facts §10).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

import anyio


class ValueLocks:
    """Locks by name that exist only while somebody wants them."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[anyio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, names: Iterable[str]) -> AsyncIterator[None]:
        """Hold all of them; always taken in the same order, so that two holders cannot wait for each other.

        Within one run only the first call may wait: call it once."""
        async with AsyncExitStack() as stack:
            for name in sorted(set(names)):
                await stack.enter_async_context(self._one(name))
            yield

    @asynccontextmanager
    async def _one(self, name: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(name, (anyio.Lock(), 0))
        self._locks[name] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(name)
            if users > 1:
                self._locks[name] = (lock, users - 1)
