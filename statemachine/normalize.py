"""When do two spellings mean the same? Canonical forms of mail addresses and phone numbers (sync-rules §2).

Called by pairing, diff, plan, acceptance and kommkz; the only module that knows libphonenumber. It must not know
what either system accepts, nor which side a value came from. Canonical forms are for comparing, never for writing.
"""

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType

_BLANK = re.compile(r"[^\S\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
"""Blanks within a line. A line break (of `str.splitlines`) is none: it separates two values in one field."""

_PLAIN = re.compile(r"\(? ?\+?[0-9 ()/.–-]*")
"""The characters a number may consist of (§2). Only ASCII digits: EspoCRM refuses all others."""

_ESPOCRM_EXTENSION = re.compile(r" ext\. t (?=[0-9]+$)")
"""EspoCRM stores ` ext 12` as ` ext. t 12` (espocrm.md §3.5)."""

_EXTENSION = re.compile(r"(?P<label>[^0-9]*)(?P<digits>[0-9]+)[)\]. ]*")
_LABELS = frozenset({"", "x", "xx", "ext", "extn", "extension", "int"})
"""Letters before an extension. libphonenumber skips a stray letter without a word; such a text is no number."""

_NEXT_NUMBER = re.compile(r"[ ()/.–-]+(?=0)")
_SEPARATOR = re.compile(r"[;,/|&\n]|\b(?:und|oder|and|or)\b", re.IGNORECASE)
_NO_REGION = "ZZ"

#: Digits of the shortest area code and number that people give each other.
_SHORTEST = 7


def canonical(value: str, kind: str, region: str) -> str:
    """The form in which two values of one kind (`"email"` or `"phone"`, fax included) are compared (§2).

    `region` is [default_region], an ISO 3166 code such as `DE`, used for numbers without a country code.
    """
    return email(value) if kind == "email" else phone(value, region)


def email(value: str) -> str:
    """Canonical mail address: trimmed, Unicode NFC, case-folded (§2)."""
    return _folded(value).strip()


def text(value: str) -> str:
    """Canonical form of what is no number: NFC, trimmed, blanks collapsed, case-folded (§2); line breaks stay."""
    lines = (" ".join(line.split()) for line in _folded(value).splitlines())
    return "\n".join(line for line in lines if line)


def phone(value: str, region: str) -> str:
    """Canonical number, `+495111234560` or `+495111234560;ext=12`; the text form for anything else (§2).

    A text never takes the form of a number: whatever has this form is read as one.
    """
    number = _number(value, region)
    if number is None:
        return text(value)
    return _e164(number) + (f";ext={number.extension}" if number.extension else "")


def is_number(value: str, region: str) -> bool:
    """Whether `value` is one valid phone number, of whatever country (§2)."""
    return _number(value, region) is not None


def e164(value: str, region: str) -> str | None:
    """`+495111234560` without the extension; None if `value` is no number."""
    number = _number(value, region)
    return None if number is None else _e164(number)


def extension(value: str, region: str) -> str | None:
    """The extension's digits; None if there is none or `value` is no number."""
    number = _number(value, region)
    return None if number is None else number.extension or None


def is_mobile(value: str, region: str) -> bool:
    """Whether `value` is surely a mobile number (§3); where a country does not tell (USA), it is not."""
    number = _number(value, region)
    return number is not None and phonenumbers.number_type(number) == PhoneNumberType.MOBILE


def international(value: str, region: str) -> str:
    """[phone_format] `international`: `+49 511 1234560`; `value` itself if it is no number."""
    return _spelled(value, region, PhoneNumberFormat.INTERNATIONAL)


def national(value: str, region: str) -> str:
    """[phone_format] `national`: `0511 1234560`; numbers of another country stay international (§2)."""
    number = _number(value, region)
    at_home = number is not None and number.country_code == phonenumbers.country_code_for_region(region)
    return _spelled(value, region, PhoneNumberFormat.NATIONAL if at_home else PhoneNumberFormat.INTERNATIONAL)


def plausible_e164(value: str) -> str | None:
    """E.164 of a spelling with country code, judged by length alone as EspoCRM does; None if implausible.

    Weaker than `e164`: `+49511` passes, letters count as keypad digits, an extension is dropped (espocrm.md §3.5).
    """
    number = _parsed(value, _NO_REGION)
    return _e164(number) if number is not None and phonenumbers.is_possible_number(number) else None


def holds_several(value: str, region: str) -> bool:
    """Whether a field seems to hold more than one number, e.g. `0511 1234560 / 0170 1234567`."""
    parts = _SEPARATOR.split(value)
    return sum(is_number(part, region) for part in parts) > 1 or _continues(_line(value), region)


def _folded(value: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).casefold())


def _line(value: str) -> str:
    return _BLANK.sub(" ", unicodedata.normalize("NFC", value)).strip()


def _e164(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _spelled(value: str, region: str, form: int) -> str:
    number = _number(value, region)
    spelling = value if number is None else phonenumbers.format_number(number, form)
    return spelling if phone(spelling, region) == phone(value, region) else value


@lru_cache(maxsize=32_768)
def _number(value: str, region: str) -> PhoneNumber | None:
    line = _ESPOCRM_EXTENSION.sub(" ext ", _line(value))
    plain = _PLAIN.match(line)
    base = plain.group() if plain else ""
    number = _plain_number(base, region)
    if number is None or len(base) == len(line):
        return number
    return _with_extension(number, line, line[len(base) :], region)


def _plain_number(base: str, region: str) -> PhoneNumber | None:
    number = _valid(base, region)
    if number is None or _continues(base, region) or _lacks_plus(base, number, region):
        return None
    return number


def _with_extension(base: PhoneNumber, line: str, rest: str, region: str) -> PhoneNumber | None:
    """The whole as number with extension, if libphonenumber reports exactly `rest` as one.

    An "extension" that is a valid number by itself is a second number: `0511 1234560, 0170 1234567`.
    """
    number, match = _valid(line, region), _EXTENSION.fullmatch(rest)
    if number is None or match is None or number.extension != match["digits"] or _e164(number) != _e164(base):
        return None
    label = "".join(filter(str.isalpha, match["label"])).casefold()
    return number if label in _LABELS and _valid(match["digits"], region) is None else None


def _continues(line: str, region: str) -> bool:
    """Whether something follows a complete number that need not belong to it.

    libphonenumber would read `0511 12345 / 12346` and `030 12345 030 12345` as one long valid number. A slash after
    a complete number, or a second complete number that begins with 0, is doubt enough to compare as text.
    """
    if any(_complete(line[: slash.start()], region) for slash in re.finditer("/", line)):
        return True
    gaps = _NEXT_NUMBER.finditer(line)
    return any(
        _complete(line[: gap.start()], region) and _complete(line[gap.end() :], region) for gap in gaps
    )


def _complete(line: str, region: str) -> bool:
    """Whether it may stand alone. libphonenumber calls very short numbers valid: `+49 69 900` in `+49 69 900 09063 18`
    is no number of its own."""
    number = _valid(line, region)
    return number is not None and len(str(number.national_number)) >= _SHORTEST


def _lacks_plus(base: str, number: PhoneNumber, region: str) -> bool:
    """Whether `49 511 1234560` may as well be `+49 511 1234560`: two valid readings are none.

    libphonenumber reads it as the German number `(04951) 11234560`; nobody who types it means that.
    """
    digits = re.sub(r"\D", "", base)
    country_code = str(phonenumbers.country_code_for_region(region))
    if "+" in base or not digits.startswith(country_code):
        return False
    other = _valid("+" + digits, region)
    return other is not None and _e164(other) != _e164(number)


def _valid(line: str, region: str) -> PhoneNumber | None:
    number = _parsed(line, region)
    return number if number is not None and phonenumbers.is_valid_number(number) else None


def _parsed(line: str, region: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(line, region)
    except NumberParseException:
        return None
