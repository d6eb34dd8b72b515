"""When two values are the same and what EspoCRM can hold, in the oracle's own words: nothing of ours in it."""

from __future__ import annotations

import base64
import re
import unicodedata
from functools import lru_cache

import phonenumbers

from daemon.simulators.espocrm_values import mail_is_valid

_NUMBER = re.compile(r"\+?[0-9 \-–()/.]+( ?ext\.? ?(t ?)?[0-9]+)?")
EMAIL, PHONE = "email", "phone"
#: kommKz → which of EspoCRM's arrays; 5 is a web site and never synced.
FAMILY = {**dict.fromkeys((4, 8, 11, 12), EMAIL), **dict.fromkeys((1, 2, 3, 6, 7, 9, 10), PHONE)}
_MARKER = re.compile(r"\[ESPOCRM(-SLOT:([1-9]|1[0-2])|:[A-Za-z0-9+/_=-]*:([1-9]|1[0-2]))\] ?")
_STUMP = re.compile(r"^\[ESPOCRM[A-Za-z0-9+/_=:-]*$")
_PAYLOAD = re.compile(r"\[ESPOCRM:([A-Za-z0-9+/_=-]*):")


@lru_cache(maxsize=200_000)
def same(kind: str, value: str) -> str:
    """Equal for values that mean the same."""
    text = unicodedata.normalize("NFC", value).strip()
    if kind == EMAIL:
        return text.casefold()
    found = _number(text)
    if found is None:
        return " ".join(text.casefold().split())
    number = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
    return f"{number}x{found.extension}" if found.extension else number


def _number(text: str) -> phonenumbers.PhoneNumber | None:
    if not _NUMBER.fullmatch(text):
        return None
    try:
        found = phonenumbers.parse(text, "DE")
    except phonenumbers.NumberParseException:
        return None
    return found if phonenumbers.is_valid_number(found) else None


@lru_cache(maxsize=200_000)
def espocrm_takes(kind: str, value: str) -> bool:
    """Whether EspoCRM in international mode, without extensions, can hold this value of Advoware."""
    if kind == EMAIL:
        return mail_is_valid(value.strip())
    found = _number(unicodedata.normalize("NFC", value).strip())
    return found is not None and not found.extension


def marked_values(bemerkung: str) -> list[tuple[str, str]]:
    """What a Base64 marker may speak of, as either kind."""
    found = _PAYLOAD.search(bemerkung)
    if found is None:
        return []
    payload = found[1].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        text = base64.b64decode(payload + "=" * (-len(payload) % 4)).decode()
    except ValueError:
        return []
    return [(kind, same(kind, text)) for kind in (EMAIL, PHONE)]


def own_text(bemerkung: str) -> str:
    """What the user wrote himself, without the first marker, or what Advoware's limit left of it."""
    return _STUMP.sub("", _MARKER.sub("", bemerkung, count=1))
