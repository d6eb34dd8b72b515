"""Which characters of a value differ from the base, so that an eye finds them.

Pure. It compares what people see, character by character; what counts as the same value is the core's business.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import NamedTuple

#: Beyond that everything is marked: the comparison costs the square of it, and nobody reads it.
_LONGEST = 300


class Piece(NamedTuple):
    """A part of a value; "" that differs: here the base has more."""

    text: str
    differs: bool


def marked(base: str | None, value: str) -> list[Piece]:
    """``value`` in pieces, an empty one where characters of the base are missing; without a base nothing differs."""
    if base is None or base == value:
        return [Piece(value, differs=False)] if value else []
    if max(len(base), len(value)) > _LONGEST:
        return [Piece(value, differs=True)]
    start, end = _common(base, value), _common(base[::-1], value[::-1])
    end = min(end, min(len(base), len(value)) - start)
    middle = _compared(base[start : len(base) - end], value[start : len(value) - end])
    pieces = [Piece(value[:start], differs=False), *middle, Piece(value[len(value) - end :], differs=False)]
    return _whole([piece for piece in pieces if piece.text or piece.differs], value)


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    unlike = (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(unlike, min(len(one), len(other)))


def _compared(base: str, value: str) -> list[Piece]:
    matcher = SequenceMatcher(None, base, value, autojunk=False)
    return [
        Piece(value[start:end], operation != "equal") for operation, _, _, start, end in matcher.get_opcodes()
    ]


def _whole(pieces: list[Piece], value: str) -> list[Piece]:
    """Confetti helps nobody: where less than a third is the same, the whole value is another one."""
    same = sum(len(piece.text) for piece in pieces if not piece.differs)
    return [Piece(value, differs=True)] if same * 3 < len(value) else pieces
