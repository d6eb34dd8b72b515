"""German or English: which of the two a browser asks for, and texts that exist in both.

Used by every module of the page that says something.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Language(StrEnum):
    DE = "de"
    EN = "en"


class Text(NamedTuple):
    """The same in both languages."""

    de: str
    en: str

    def in_(self, language: Language) -> str:
        return self.de if language is Language.DE else self.en


def preferred(accept_language: str) -> Language:
    """By ``Accept-Language``, the highest quality wins, the first of equals; English for everybody else."""
    wanted = [_range(part) for part in accept_language.lower().split(",")]
    known = [(quality, tag) for tag, quality in wanted if quality > 0 and tag in set(Language)]
    return Language(max(known, key=lambda one: one[0])[1]) if known else Language.EN


def _range(part: str) -> tuple[str, float]:
    tag, _, parameters = part.strip().partition(";")
    try:
        quality = float(parameters.partition("q=")[2] or 1)
    except ValueError:
        quality = 0.0
    return tag.strip().partition("-")[0], quality
