"""How long to wait before the next attempt (states: `failed`; the breaker of a side).

Called by the plan of a failed run and by the breaker. No clock and no dice in here: the caller passes the jitter.
"""

from collections.abc import Sequence

_SPREAD = 0.2
"""Share by which a wait is stretched or shortened, so that many failures do not come back at once."""

_DOUBLINGS = 30
"""More would only overflow."""


def wait(failure: int, schedule: Sequence[float], jitter: float) -> float | None:
    """Seconds to wait after the n-th failure in a row (n >= 1); None when the schedule is used up.

    `schedule` is [retry_schedule_seconds]; with its five waits the sixth failure gives up (advoware.md §6, row 2).
    `jitter` in [-1, 1] becomes ±20 %. Raises ValueError for a failure before the first.
    """
    _check_count(failure)
    return _spread(schedule[failure - 1], jitter) if failure <= len(schedule) else None


def pause(attempt: int, first: float, cap: float, jitter: float) -> float:
    """Seconds until the n-th probe (n >= 1) of a side that is down: `first`, doubled each time, up to `cap`, ±20 %.

    Raises ValueError for an attempt before the first.
    """
    _check_count(attempt)
    return _spread(min(cap, first * 2.0 ** min(attempt - 1, _DOUBLINGS)), jitter)


def _check_count(count: int) -> None:
    if count < 1:
        raise ValueError(f"attempts are counted from 1, not {count}")


def _spread(seconds: float, jitter: float) -> float:
    return seconds * (1 + _SPREAD * jitter)
