"""Which characters of a value differ from the base, so that an eye finds them.

Pure. It compares what people see, character by character; what counts as the same value is the core's business.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import NamedTuple

#: Beyond that everything is marked: the comparison costs the square of it, and nobody reads it.
_LONGEST = 300


class Piece(NamedTuple):
    text: str
    differs: bool


def marked(base: str | None, value: str) -> list[Piece]:
    """``value`` in pieces; without a base nothing differs."""
    if base is None or base == value:
        return [Piece(value, differs=False)] if value else []
    if max(len(base), len(value)) > _LONGEST:
        return [Piece(value, differs=True)]
    matcher = SequenceMatcher(None, base, value, autojunk=False)
    pieces = [
        Piece(value[start:end], operation != "equal")
        for operation, _, _, start, end in matcher.get_opcodes()
        if end > start
    ]
    return _whole(pieces, value)


def _whole(pieces: list[Piece], value: str) -> list[Piece]:
    """Confetti helps nobody: where less than a third is the same, the whole value is another one."""
    same = sum(len(piece.text) for piece in pieces if not piece.differs)
    return [Piece(value, differs=True)] if same * 3 < len(value) else pieces
