"""The real clock: the one place of the daemon that reads time.

Made by :mod:`daemon.app`; tests and the virtual-clock harness hand in their own (``ports.Clock``).
"""

from __future__ import annotations

import time


class SystemClock:
    """``ports.Clock`` on the clocks of the machine."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()
