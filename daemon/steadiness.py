"""Notices when the machine's clock is set.

Asked by :mod:`daemon.sync`. What was seen before the clock was set is no proof of how long ago it was seen: a clock set
ahead by hours would make the second look at a deletion out of one taken a moment later.
"""

from __future__ import annotations

from daemon.ports import Clock

#: Seconds; a time service slews what is less.
_SET = 0.5


class Steadiness:
    """Since when the wall clock has run without being set."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._apart = clock.now() - clock.monotonic()
        self._since = 0.0

    def since(self) -> float:
        """Unix seconds; 0: it was not set in this process's life."""
        now = self._clock.now()
        apart = now - self._clock.monotonic()
        if abs(apart - self._apart) > _SET:
            self._since = now
        self._apart = apart
        return self._since
