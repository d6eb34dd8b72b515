"""Masks whatever looks like a phone number, a mail address, one of our markers or a known secret.

The last line of defence for logs and error texts, not the first: whoever writes a text names people by betNr. It works
on text alone and knows no configuration. In doubt it masks: a version number may fall victim, a phone number
may not get through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

#: Between two digits of one number people write up to four of these; %2x is such a character in a URL.
_GAP = r"(?:[\s./\\()\[\]+~·\-‐‑‒–—―−]|%2[0-9A-Fa-f]){0,4}"
_PHONE = rf"\+?\d(?:{_GAP}\d){{5,}}"
#: What has as many digits and is none: a moment, a record's id, a betNr that says so, our own commands, loopback.
_NO_PHONE = r"""
    \d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:\d\d)?
  | \b(?=[0-9]*[a-f])[0-9a-f]{17}\b
  | (?i:\bbet_?nr)\W{0,3}[1-9]\d{0,8}\b
  | \bkommsync[ ][a-z]+[ ][1-9]\d{0,8}\b
  | \b127\.0\.0\.1(?::\d{1,5})?\b
"""
_NUMBERS = re.compile(f"(?P<keep>{_NO_PHONE})|{_PHONE.replace(' ', '[ ]')}", re.VERBOSE)
#: An address, plain or as it stands in a URL; a quoted local part may hold blanks. 320 is the longest there is.
_ADDRESSES = re.compile(r'(?:"[^"\n]{1,320}"|\S{1,320})(?:[@＠]|%40)\S+')
_MARKERS = re.compile(r"\[ESPOCRM:[^\]]*\]?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")

#: Keys whose whole numbers are counts, ids or moments.
_NUMBER_KEYS = re.compile(
    r"(?:^|_)(?:ids?|nrs?|pid|port|run|seed|version|bytes|seconds|usec|at|since|until|count|total|line)$"
)
#: Keys that hold ids as text: at most nine digits without a leading 0 (betNr, row id), or EspoCRM's 17 hex digits.
_ID_KEYS = re.compile(r"(?:^|_)(?:ids?|nrs?|run)$")
_ID = re.compile(r"[1-9]\d{0,8}|[0-9a-f]{17}")
_SHORTEST_NUMBER = 1_000_000


class Redactor:
    """``secrets``: whatever must never be shown; shorter than four characters it would mutilate every text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings = {form for secret in secrets if len(secret) >= 4 for form in _spellings(secret)}
        alternatives = "|".join(map(re.escape, sorted(spellings, key=len, reverse=True)))
        self._secrets = re.compile(alternatives) if alternatives else None

    def text(self, text: str) -> str:
        if self._secrets:
            text = self._secrets.sub("[secret]", text)
        text = _MARKERS.sub("[marker]", text)
        text = _ADDRESSES.sub("[address]", text)
        return _NUMBERS.sub(lambda found: found["keep"] or "[number]", text)

    def value(self, value: object, key: str = "") -> object:
        """A copy of what is logged under ``key``; objects become their redacted repr."""
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            return value if abs(value) < _SHORTEST_NUMBER or _NUMBER_KEYS.search(key) else "[number]"
        if isinstance(value, str):
            known = _MOMENT.fullmatch(value) or (_ID_KEYS.search(key) and _ID.fullmatch(value))
            return value if known else self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(name)): self.value(item, str(name)) for name, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item, key) for item in value]
        return self.text(repr(value))


def _spellings(secret: str) -> set[str]:
    """As it is, in a URL, in JSON and in a repr."""
    return {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
