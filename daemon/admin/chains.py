"""What became of entries between two moments: the writes that carried an edit over, entry by entry. Pure.

Used by :mod:`daemon.admin.reversal`. A value that goes from A to B and on to C, on whichever side, is one chain from A
to C. Edits of people are not in the journal, but the write that carried each of them over is; an earlier undo counts as
such an edit, and what only restored or re-typed an entry gave it no other value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from statemachine.case import Outcome, Shown, Variant, Write
from statemachine.normalize import canonical

_CARRYING = frozenset({Variant.VAR1, Variant.VAR2, Variant.VAR3, Variant.VAR4, Variant.VAR5, Variant.VAR6})


@dataclass(slots=True)
class Chain:
    """``first``: what is to be taken back to its ``before``. ``left``: canonical value at the end, "" for none.
    ``emptied``: the writes that ended it, one for each row that was emptied."""

    first: Write
    began: str
    left: str
    key: str | None = None
    emptied: list[Write] = field(default_factory=list)

    @property
    def came_back(self) -> bool:
        return self.began == self.left


def chains(writes: Iterable[Write], region: str) -> list[Chain]:
    """Of one Beteiligte's writes, oldest first; those that led back to where they began are left out."""
    found: list[Chain] = []
    for write in writes:
        before, after = (
            canonical(value_of(shown), write.kind, region) for shown in (write.before, write.after)
        )
        if write.outcome is Outcome.DONE and write.variant in _CARRYING and before != after:
            _continue(found, write, before, after)
    return [chain for chain in found if not chain.came_back]


def _continue(found: list[Chain], write: Write, before: str, after: str) -> None:
    chain = next((one for one in reversed(found) if _belongs(one, write, before, after)), None)
    if chain is None:
        chain = Chain(write, before, after)
        found.append(chain)
    chain.left = after
    chain.key = write.link_key or chain.key
    chain.emptied = [] if after else [*chain.emptied, write]


def _belongs(chain: Chain, write: Write, before: str, after: str) -> bool:
    """The next change of that entry, or the same one in another of its rows; or a deleted value that came again."""
    if chain.first.kind is not write.kind:
        return False
    if not chain.left and not before:
        return chain.began == after
    if write.link_key is not None and chain.key is not None:
        return chain.key == write.link_key and chain.left in (before, after)
    return bool(before) and chain.left == before


def value_of(shown: Shown | None) -> str:
    """\"\" where there was no entry."""
    return shown.value if shown else ""
