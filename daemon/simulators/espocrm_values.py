"""Which phone numbers and mail addresses EspoCRM accepts, and in what form it keeps them.

Pure functions for the simulated EspoCRM (facts: EspoCRM §3.4, §3.5). Deliberately shares nothing with the
daemon's own normalisation: it is the other side's opinion.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import phonenumbers

PHONE_TYPES = ("Mobile", "Office", "Home", "Fax", "Other")
DEFAULT_PHONE_TYPE = "Mobile"
_PHONE_CHARACTERS = re.compile(r"[A-Za-z0-9_@:#+()\-. ]+")
_EXTENSION_MARKS = ("ext.", "x.", "x", "#")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_QUOTED = r'"(?:[\x21\x23-\x5b\x5d-\x7e]|\\[\x21-\x7e])*"'
_LABEL = r"[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*"
_TOP = r"(?:[A-Za-z][A-Za-z0-9]*|xn--[A-Za-z0-9]+)(?:-+[A-Za-z0-9]+)*"
_IPV4 = r"\[(?:(?:25[0-5]|2[0-4]\d|1\d\d|\d?\d)(?:\.(?!\])|(?=\]))){4}\]"
_MAIL = re.compile(
    rf"(?P<local>(?:{_ATOM}|{_QUOTED})(?:\.(?:{_ATOM}|{_QUOTED}))*)"
    rf"@(?P<domain>(?:{_LABEL}\.)+{_TOP}|{_IPV4})"
)


def mail_is_valid(value: Any) -> bool:
    """PHP's FILTER_VALIDATE_EMAIL: not trimmed, ASCII only, a dot in the domain, no all-digit top level."""
    found = _MAIL.fullmatch(value) if isinstance(value, str) else None
    if found is None or len(value) > 254:
        return False
    return len(found["local"]) <= 64 and all(len(label) <= 63 for label in found["domain"].split("."))


def stored_phone(value: Any, international: bool, extensions: bool) -> Any:
    """The form in which EspoCRM keeps a number: trimmed; E.164 in international mode if it starts with `+`."""
    if not isinstance(value, str):
        return value
    value = value.strip()
    if not international or not value.startswith("+"):
        return value
    number, extension = _split_extension(value) if extensions else (value, "")
    parsed = _parse(number)
    if parsed is None:
        return number
    return parsed + (f" ext. {extension}" if extension else "")


def phone_problem(value: Any, international: bool, extensions: bool) -> str | None:
    """Why the validator refuses a number that was already brought into its stored form; None if it does not."""
    if not isinstance(value, str) or not value:
        return "valid"
    if not international:
        if not _PHONE_CHARACTERS.fullmatch(value):
            return "valid"
        return "maxLength" if len(value) > 36 else None
    number = _split_extension(value)[0] if extensions else value
    if not number.startswith("+") or _parse(number) != number:
        return "valid"
    return None if _is_possible(number) else "valid"


@lru_cache(maxsize=4096)
def _is_possible(e164: str) -> bool:
    return phonenumbers.is_possible_number(phonenumbers.parse(e164))


@lru_cache(maxsize=4096)
def _parse(value: str) -> str | None:
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _split_extension(value: str) -> tuple[str, str]:
    for mark in _EXTENSION_MARKS:
        number, found, extension = value.partition(mark)
        if found:
            return number.strip(), extension.strip()
    return value, ""
