"""One thing that was looked at, what was found, and what to do.

Made by the modules of :mod:`daemon.check`. A remedy is one sentence; there is none where all is well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_FINE, _HUMAN_NEEDED = 0, 3


class Result(StrEnum):
    """``warning``: a sync works, but less well. ``prevents``: nobody, or no entry of a kind, can be synced."""

    FINE = "fine"
    WARNING = "warning"
    PREVENTS = "prevents"


@dataclass(frozen=True, slots=True)
class Finding:
    """``what``: the requirement, always the same words, for scripts."""

    what: str
    result: Result
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, object]:
        return {
            "what": self.what,
            "result": self.result.value,
            "ok": self.result is Result.FINE,
            "detail": self.detail,
            "remedy": self.remedy,
        }


def fine(what: str, detail: str) -> Finding:
    return Finding(what, Result.FINE, detail)


def warn(what: str, detail: str, remedy: str) -> Finding:
    return Finding(what, Result.WARNING, detail, remedy)


def prevent(what: str, detail: str, remedy: str) -> Finding:
    return Finding(what, Result.PREVENTS, detail, remedy)


def judged(what: str, ok: bool, detail: str, remedy: str, *, fatal: bool = True) -> Finding:
    """Fine, or else what is to be done about it."""
    return fine(what, detail) if ok else (prevent if fatal else warn)(what, detail, remedy)


def verdict(findings: Iterable[Finding]) -> int:
    """The exit code."""
    return _HUMAN_NEEDED if any(one.result is Result.PREVENTS for one in findings) else _FINE
