"""Pure predicates that stop us: the mass-deletion fuse, an emptied side, the loop breaker (sync rules §9, §10).

Called by :mod:`statemachine.plan` and by the store, which counts. Nothing here reads a clock: moments come in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from statemachine.case import Outcome, Variant, Write

#: Below this many the share alone never blows the fuse: a small firm may lose ten numbers a day by hand.
SMALL_NUMBER = 10

_GIVES_A_VALUE = frozenset(
    {Variant.VAR1, Variant.VAR4, Variant.VAR5, Variant.VAR6, Variant.RESTORE, Variant.TYPE}
)


def exceeds(count: int, links: int, max_deletions: int, max_share: float) -> bool:
    """Whether ``count`` vanished entries within the window are more than a human would delete (§9)."""
    return count > max_deletions or (count > SMALL_NUMBER and count > max_share * links)


def emptied(links: int, relevant_entries: int) -> bool:
    """A whole side emptied: two links or more, and nothing sync-relevant left there (§9)."""
    return links >= 2 and relevant_entries == 0


def loops(writes: Iterable[Write], gives: str, since: float, limit: int) -> bool:
    """Whether the same value was given to this Beteiligte as often as [loop_limit] since ``since``, whoever wrote in
    between (§10). ``gives``: the stored spelling-independent key that ``Write.gives`` holds."""
    return sum(1 for write in writes if _gave(write, gives) and write.at >= since) >= limit


def repeated(writes: Iterable[Write], again: Callable[[Write], bool], since: float, limit: int) -> bool:
    """Whether ``again`` is true of as many writes as [loop_limit] since ``since`` (§10)."""
    return sum(1 for write in writes if _happened(write) and again(write) and write.at >= since) >= limit


def _happened(write: Write) -> bool:
    """A side that takes writes and never says so makes no loop: it makes the attempt fail, with its growing waits."""
    return write.outcome is Outcome.DONE


def _gave(write: Write, gives: str) -> bool:
    return _happened(write) and write.variant in _GIVES_A_VALUE and write.gives == gives
