"""What EspoCRM takes: would it accept a value, and what would it show afterwards (espocrm.md §3, sync-rules §2 and §8).

Called by plan, before anything is sent: one refused item makes EspoCRM refuse the whole request. `shown` imitates
EspoCRM's sanitizer and validators; every other answer is derived from it. It must not know records or rows.

Mail addresses are judged by EspoCRM's rule alone (PHP's FILTER_VALIDATE_EMAIL, rebuilt from its measured manners). A
stricter library would keep addresses apart that EspoCRM takes, such as `kanzlei@server.local`: they would not be
synced though nothing stands in the way.
"""

import ipaddress
import re
from dataclasses import dataclass

from statemachine import normalize

MAX_PHONE_LENGTH = 36
MAX_LOCAL_PART = 64
MAX_EMAIL_LENGTH = 254
_MAX_EXTENSION = 6

_PHP_BLANKS = " \t\n\r\0\v"
_PHONE_CHARACTERS = re.compile(r"[A-Za-z0-9_@:#+().\- ]+")
_EXTENSION_DELIMITERS = ("ext.", "x.", "x", "#")

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_QUOTED = r'"(?:[\x01-\x08\x0b\x0c\x0e-\x1f!#-\[\]-\x7f]|\\[\x00-\x7f])*"'
_LOCAL_PART = re.compile(rf"(?:{_ATOM}|{_QUOTED})(?:\.(?:{_ATOM}|{_QUOTED}))*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z]){_LABEL}", re.IGNORECASE)
_SAFE_ID = re.compile(r"DE\.[A-Z_]+\.|govello-", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The settings of an EspoCRM that decide what it takes (`GET /Settings` and the metadata of `phoneNumber`)."""

    international: bool = True
    extensions: bool = False
    phone_types: tuple[str, ...] = ("Mobile", "Office", "Home", "Fax", "Other")
    max_phones: int = 10
    max_emails: int = 10


def espocrm_form(value: str, kind: str, region: str, acceptance: Acceptance) -> tuple[str | None, str | None]:
    """(spelling to send, None), or (None, why the value is unsyncable).

    What EspoCRM will show for the spelling has the canonical value of `value`, extension included (sync-rules §2).
    Reasons: `blank`, `no_mail_address`, `safe_id`, `umlaut_domain`, `two_values`, `too_long`, `refused_characters`,
    `not_a_number`, `extension_dropped`.
    """
    wanted = normalize.canonical(value, kind, region)
    if not wanted:
        return None, "blank"
    for spelling in _spellings(value, kind, region, acceptance):
        answer = shown(spelling, kind, acceptance)
        if answer is not None and normalize.canonical(answer, kind, region) == wanted:
            return spelling, None
    return None, _refusal(value, kind, region, acceptance)


def is_stored_form(value: str, kind: str, acceptance: Acceptance) -> bool:
    """Whether a stored value may be sent back as it is: EspoCRM takes it and it keeps its canonical value.

    False for spellings from before `phoneNumberInternational` was switched on, also for an accepted one that would
    silently lose its extension.
    """
    answer = shown(value, kind, acceptance)
    region = (
        "ZZ"  # what is taken in international mode names its country, in the other mode nothing is changed
    )
    return answer is not None and normalize.canonical(answer, kind, region) == normalize.canonical(
        value, kind, region
    )


def shown(value: str, kind: str, acceptance: Acceptance) -> str | None:
    """What EspoCRM stores and shows when `value` is sent; None if it refuses the request (espocrm.md §3.5)."""
    if kind == "email":
        return value if email_refusal(value) is None else None
    line = value.strip(_PHP_BLANKS)
    stored = _sanitized(line, acceptance) if acceptance.international else line
    taken = stored is not None and len(stored) <= MAX_PHONE_LENGTH and _PHONE_CHARACTERS.fullmatch(stored)
    return stored if taken else None


def email_refusal(value: str) -> str | None:
    """Why EspoCRM would refuse exactly this mail address (it does not trim); None if it takes it."""
    local_part, at, domain = value.rpartition("@")
    if at and "@" in local_part.strip('"') and not local_part.startswith('"'):
        return "two_values"
    if not at:
        return "safe_id" if _SAFE_ID.match(value) else "no_mail_address"
    if len(local_part) > MAX_LOCAL_PART or len(value) > MAX_EMAIL_LENGTH:
        return "too_long"
    if not domain.isascii():
        return "umlaut_domain"
    if not local_part.isascii():
        return "refused_characters"
    taken = _LOCAL_PART.fullmatch(local_part) and (_DOMAIN.fullmatch(domain) or _is_address_literal(domain))
    return None if taken else "no_mail_address"


def _is_address_literal(domain: str) -> bool:
    """`[127.0.0.1]` or `[IPv6:::1]`."""
    inner = domain[1:-1]
    if domain != f"[{inner}]":
        return False
    try:
        ipaddress.ip_address(inner.removeprefix("IPv6:"))
    except ValueError:
        return False
    return True


def _sanitized(line: str, acceptance: Acceptance) -> str | None:
    """International mode: E.164, and the extension where EspoCRM finds one; None if it is refused."""
    if not line.startswith("+"):
        return None
    base, extension = _split_extension(line) if acceptance.extensions else (line, "")
    number = normalize.plausible_e164(base)
    if number is None or not extension:
        return number
    fits = len(extension) <= _MAX_EXTENSION and re.search("[0-9]", extension)
    return f"{number} ext. {extension}" if fits else None


def _split_extension(line: str) -> tuple[str, str]:
    """EspoCRM's own way: at the last delimiter it knows, so that ` ext 12` is cut in the middle of its `ext`."""
    for delimiter in _EXTENSION_DELIMITERS:
        base, found, extension = line.rpartition(delimiter)
        if found:
            return base.strip(_PHP_BLANKS), extension.strip(_PHP_BLANKS)
    return line, ""


def _spellings(value: str, kind: str, region: str, acceptance: Acceptance) -> list[str]:
    """Candidates, best first."""
    if kind == "email":
        return [value.strip()]
    originals = [value.strip(), _without_refused_characters(value)]
    number = _international_spelling(value, region)
    if number is None:
        return originals
    return [number, *originals] if acceptance.international else [*originals, number]


def _without_refused_characters(value: str) -> str:
    return " ".join(value.replace("/", " ").replace("–", "-").split())


def _international_spelling(value: str, region: str) -> str | None:
    """` ext. 12` is the one spelling of an extension that EspoCRM does not garble."""
    number, extension = normalize.e164(value, region), normalize.extension(value, region)
    return number if number is None or extension is None else f"{number} ext. {extension}"


def _refusal(value: str, kind: str, region: str, acceptance: Acceptance) -> str:
    if kind == "email":
        return email_refusal(value.strip()) or "no_mail_address"
    if normalize.holds_several(value, region):
        return "two_values"
    if not acceptance.international:
        return "too_long" if len(value.strip()) > MAX_PHONE_LENGTH else "refused_characters"
    return "not_a_number" if normalize.extension(value, region) is None else "extension_dropped"
