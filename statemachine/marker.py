"""The marker in `bemerkung`: read every form that is in the field, write one (advoware.md §5, sync-rules §6).

Called by pairing, diff, plan and apply. It knows text only: not whether a value is a phone number, not which row it
stands in, and never whether a marker may be believed (sync-rules §4.6 says what it may stand in for).

Forms: `[ESPOCRM:<Base64>:<kommKz>]` with the Base64 of the value, standard or URL-safe, padded or not;
`[ESPOCRM:<8 hex digits>:<kommKz>]` with the head of its SHA-256; the slot `[ESPOCRM-SLOT:<kommKz>]`.

Eight lower-case hex digits could also be the Base64 of six bytes. They are read as a hash, and `matches` tries both.
No mail address and no number is affected: in such Base64 each third begins with a byte >= `h`, its second byte ends
in the nibble 6, 7, D, E or F and its third is 1A-1F, 34-3D or the same + 40, 80, C0, so there is no place for an `@`,
and a number begins with none of these letters.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

_ANY = re.compile(
    r"\[ESPOCRM(?:-SLOT:(?P<slot>[1-9]|1[0-2])|:(?P<payload>[A-Za-z0-9+/_=-]*):(?P<komm_kz>[1-9]|1[0-2]))\]"
)
_HASH = re.compile(r"[0-9a-f]{8}")
_STUMP = "[ESPOCRM"
"""The shortest head of a marker that nobody would type as his own text."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What a marker says. `value` is the synced value; `digest` (8 hex digits) stands for it in the oldest form;
    a slot has neither. `komm_kz` is 1..12."""

    value: str | None
    digest: str | None
    komm_kz: int
    slot: bool


def read(bemerkung: str) -> tuple[Marker | None, str]:
    """(first marker or None, the user's text byte for byte) of a `bemerkung`.

    The text is what stands before the marker plus what follows it without one blank. A marker that does not decode
    (Base64, UTF-8, kommKz outside 1..12) is the user's text; so is a second marker.
    """
    for match in _ANY.finditer(bemerkung):
        marker = _decoded(match)
        if marker is not None:
            return marker, bemerkung[: match.start()] + bemerkung[match.end() :].removeprefix(" ")
    return None, bemerkung


def write(value: str, komm_kz: int, text: str = "") -> str:
    """`bemerkung` of a row that was synced with `value`: marker, one blank, the user's text."""
    return _joined(f"[ESPOCRM:{_base64(value)}:{komm_kz}]", text)


def write_slot(komm_kz: int, text: str = "") -> str:
    """`bemerkung` of an emptied row that waits for a new value of the same kommKz."""
    return _joined(f"[ESPOCRM-SLOT:{komm_kz}]", text)


def matches(marker: Marker, value: str) -> bool:
    """Whether the marker was written for exactly this spelling of a value; never for a slot."""
    if marker.digest is None:
        return marker.value == value
    return marker.digest in (hashlib.sha256(value.encode()).hexdigest()[:8], _base64(value))


def same(bemerkung_a: str, bemerkung_b: str) -> bool:
    """Whether both decode to the same marker and text, so that neither needs to be rewritten as the other."""
    return read(bemerkung_a) == read(bemerkung_b)


def damaged(bemerkung: str, last_written: str) -> str:
    """The user's text of a `bemerkung` in which our marker may have been cut off.

    `last_written` is the `bemerkung` we wrote last. Only a head of its marker is taken for the marker's rest; any
    other damaged marker is the user's text (sync-rules §6).
    """
    marker, text = read(bemerkung)
    written = _ANY.match(last_written)
    if marker is not None or written is None:
        return text
    stump, _, rest = bemerkung.partition(" ")
    return rest if stump.startswith(_STUMP) and written.group().startswith(stump) else text


def _joined(marker: str, text: str) -> str:
    return f"{marker} {text}" if text else marker


def _base64(value: str) -> str:
    return base64.b64encode(value.encode()).decode("ascii")


def _decoded(match: re.Match[str]) -> Marker | None:
    if match["slot"]:
        return Marker(value=None, digest=None, komm_kz=int(match["slot"]), slot=True)
    payload, komm_kz = match["payload"], int(match["komm_kz"])
    if _HASH.fullmatch(payload):
        return Marker(value=None, digest=payload, komm_kz=komm_kz, slot=False)
    value = _value(payload)
    return None if value is None else Marker(value=value, digest=None, komm_kz=komm_kz, slot=False)


def _value(payload: str) -> str | None:
    """The value behind either Base64 alphabet, padded or not; None if it is damaged."""
    digits = payload.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
