"""kommKz: the twelve kinds of a Kommunikation in Advoware and what they are in EspoCRM (sync-rules §3, advoware.md §4).

Called by pairing, diff and plan. It knows kinds and what a value looks like; the order in which a row's sources are
asked for its kommKz is decided by the caller.
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Literal

from statemachine import normalize

Family = Literal["phone", "email"]


class KommKz(IntEnum):
    """Advoware's kinds, with Advoware's names."""

    TelGesch = 1
    FaxGesch = 2
    Mobil = 3
    MailGesch = 4
    Internet = 5
    TelPrivat = 6
    FaxPrivat = 7
    MailPrivat = 8
    AutoTelefon = 9
    Sonstige = 10
    EPost = 11
    Bea = 12


_EMAILS = frozenset({KommKz.MailGesch, KommKz.MailPrivat, KommKz.EPost, KommKz.Bea})

SYNCED: frozenset[int] = frozenset(KommKz) - {KommKz.Internet}
"""The kinds that are synced at all: a web site is none of them."""

_PHONES = SYNCED - _EMAILS

_TYPES: Mapping[int, str] = MappingProxyType(
    {
        KommKz.TelGesch: "Office",
        KommKz.FaxGesch: "Fax",
        KommKz.FaxPrivat: "Fax",
        KommKz.Mobil: "Mobile",
        KommKz.AutoTelefon: "Mobile",
        KommKz.TelPrivat: "Home",
        KommKz.Sonstige: "Other",
    }
)

_FROM_TYPE: Mapping[str, KommKz] = MappingProxyType(
    {
        "Office": KommKz.TelGesch,
        "Fax": KommKz.FaxGesch,
        "Mobile": KommKz.Mobil,
        "Home": KommKz.TelPrivat,
        "Other": KommKz.Sonstige,
    }
)

CONVENIENCE: Mapping[str, int] = MappingProxyType(
    {
        "telGesch": KommKz.TelGesch,
        "tel": KommKz.TelGesch,
        "faxGesch": KommKz.FaxGesch,
        "fax": KommKz.FaxGesch,
        "mobil": KommKz.Mobil,
        "emailGesch": KommKz.MailGesch,
        "email": KommKz.MailGesch,
        "internet": KommKz.Internet,
        "telPrivat": KommKz.TelPrivat,
        "faxPrivat": KommKz.FaxPrivat,
        "autotelefon": KommKz.AutoTelefon,
        "sonstige": KommKz.Sonstige,
        "ePost": KommKz.EPost,
        "bea": KommKz.Bea,
    }
)
"""The fields of a Beteiligte that repeat one value each, and its kommKz (advoware.md §4)."""

_KEPT = frozenset({KommKz.FaxPrivat, KommKz.MailPrivat, KommKz.AutoTelefon, KommKz.EPost, KommKz.Bea})
_URL = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*://|www\.)", re.IGNORECASE)
_DIGITS_ONLY = re.compile(r"[\s()/.+–-]*[0-9][0-9\s()/.+–-]*")


def family(komm_kz: int) -> Family | None:
    """The array of EspoCRM it belongs to; None for Internet and for an unknown kommKz such as 0."""
    if komm_kz in _EMAILS:
        return "email"
    return "phone" if komm_kz in _PHONES else None


def from_espocrm_type(type_: str | None) -> int:
    """kommKz of a new row for a phone of this EspoCRM type; Sonstige for a type nobody told us of."""
    return _FROM_TYPE.get(type_ or "", KommKz.Sonstige)


def to_espocrm_type(komm_kz: int) -> str | None:
    """EspoCRM's phone type; None for the mail kinds, Internet and an unknown kommKz."""
    return _TYPES.get(komm_kz)


def keeps(komm_kz: int) -> bool:
    """Whether EspoCRM cannot express it, so that only the link remembers it on the way back (7, 8, 9, 11, 12)."""
    return komm_kz in _KEPT


def guess(value: str, region: str) -> int:
    """The kommKz a value looks like, the last resort: `@`, then a URL, then a mobile number, else TelGesch."""
    if "@" in value:
        return KommKz.MailGesch
    if _URL.match(value):
        return KommKz.Internet
    return KommKz.Mobil if normalize.is_mobile(value, region) else KommKz.TelGesch


def contradicts(komm_kz: int, value: str) -> bool:
    """Whether the value is surely of the other family: a phone kind with an `@`, a mail kind with bare digits.

    Doubt is no contradiction: a beA SAFE-ID has no `@`, and a URL or `k.A.` may stand in any row.
    """
    kind = family(komm_kz)
    if kind == "phone":
        return "@" in value
    return kind == "email" and _DIGITS_ONLY.fullmatch(value) is not None
