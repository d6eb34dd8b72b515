"""Invented names, numbers and addresses, spelt in all the ways that staff spell them.

Numbers come from the ranges that the German regulator keeps for film and theatre, or from blocks that are not given
out; domains end in example names. Used by `people` and `staff`.
"""

from __future__ import annotations

import base64
import hashlib
import random
from dataclasses import dataclass

FIRST_NAMES = (
    *(
        "Anna",
        "Björn",
        "Cäcilie",
        "Dörte",
        "Emil",
        "Friederike",
        "Günther",
        "Hannelore",
        "Ingo",
        "Jürgen",
        "Käthe",
    ),
    *("Lars", "Mélanie", "Norbert", "Özlem", "Peer", "Quirin", "Renée", "Sören", "Thea", "Ümit", "Verena"),
    *("Wolfgang", "Xaver", "Yasmin", "Zoë"),
)
LAST_NAMES = (
    *(
        "Müller",
        "Schröder",
        "Weiß",
        "Krüger",
        "Böhm",
        "Jäger",
        "Öztürk",
        "Großmann",
        "Lindström",
        "Ackermann",
    ),
    *(
        "Petersen",
        "von-Wühlisch",
        "Nowak",
        "Çelik",
        "Kühn",
        "Straßburger",
        "Meyer-Ahlers",
        "Döring",
        "Fröhlich",
    ),
    "Hübner",
)
COMPANIES = (
    "Bäckerei",
    "Autohaus",
    "Möbelhof",
    "Gärtnerei",
    "Bauträger",
    "Spedition",
    "Druckerei",
    "Heizungsbau",
)
FORMS = ("GmbH", "GmbH & Co. KG", "e. K.", "AG", "GbR")
AREAS = (("30", "23125"), ("40", "66969"), ("69", "90009"), ("89", "99998"), ("221", "4710"))
TEXTS = (
    "",
    "",
    "",
    "Büro",
    "nur vormittags",
    "Frau Weiß, Sekretariat",
    "bitte nicht nach 18 Uhr",
    "neu seit 03/26",
)


@dataclass(frozen=True, slots=True)
class Number:
    """A German number in its parts."""

    area: str
    base: str
    extension: str = ""

    @property
    def e164(self) -> str:
        """As EspoCRM keeps it in international mode."""
        return f"+49{self.area}{self.base}{self.extension}"

    @property
    def is_mobile(self) -> bool:
        """Whether it is a mobile number."""
        return self.area.startswith("1")

    def spelt(self, chance: random.Random) -> str:
        """One of the spellings of staff; all mean the same number."""
        dash = f"-{self.extension}" if self.extension else ""
        blank = f" {self.extension}" if self.extension else ""
        a, b = self.area, self.base
        return chance.choice(
            (
                f"0{a}/{b}{dash}",
                f"0{a} {b}{dash}",
                f"(0{a}) {b}{dash}",
                f"+49 (0){a} {b}{dash}",
                f"+49 {a} {b[:3]} {b[3:]}{blank}",
                f"0049 {a} {b}{dash}",
                f"0{a}.{b}{dash}",
                f"0{a} – {b}{dash}",
                f"0{a}{b}{self.extension}",
                self.e164,
            )
        )


def landline(place: int, extension: str = "") -> Number:
    """The nth office number; thousands of places, then extensions make the difference."""
    area, block = AREAS[place % len(AREAS)]
    number, more = place // len(AREAS) % 1000, place // len(AREAS) // 1000
    return Number(area, f"{block}{number:03d}", f"{more}{extension}" if more else extension)


def mobile(place: int) -> Number:
    """The nth mobile number: 100 from the film range, then a block that is not given out."""
    return Number("171", f"39200{place:02d}") if place < 100 else Number("157", f"000{place % 100000:05d}")


def mail_address(first: str, last: str, place: int, chance: random.Random) -> str:
    """A mail address in some letter case."""
    domain = chance.choice(("example.de", "kanzlei.example.org", "example.com"))
    name = f"{_ascii(first)}.{_ascii(last)}{place}@{domain}"
    return chance.choice((name.lower(), name.lower(), name, name.upper()))


def umlaut_mail(place: int) -> str:
    """A mail address that EspoCRM refuses."""
    return f"info{place}@müller-söhne.example"


def safe_id(chance: random.Random) -> str:
    """A beA SAFE-ID: no `@` in it."""
    return f"DE.BRAK.{chance.getrandbits(64):016x}.{chance.randrange(9999):04d}"


def odd_value(number: Number, other: Number, chance: random.Random) -> str:
    """What also stands in a number's field, and is no single number."""
    plain = number.spelt(chance)
    return chance.choice(
        (
            "k.A.",
            "-12",
            "App. 27",
            f"{plain} Fax",
            f"{plain} (privat)",
            f"{plain} oder {other.spelt(chance)}",
            f"{plain} App. 60",
            "siehe Akte",
        )
    )


def marker(value: str, komm_kz: int, chance: random.Random) -> str:
    """A marker of an existing installation in one of its three forms (facts: Advoware §5)."""
    form = chance.randrange(3)
    if form == 0:
        code = base64.b64encode(value.encode()).decode()
    elif form == 1:
        code = base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")
    else:
        code = hashlib.sha256(value.encode()).hexdigest()[:8]
    return f"[ESPOCRM:{code}:{komm_kz}]"


def slot_marker(komm_kz: int) -> str:
    """The marker of an emptied entry."""
    return f"[ESPOCRM-SLOT:{komm_kz}]"


_PLAIN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ö": "Oe", "Ü": "Ue", "é": "e", "ë": "e", "Ç": "C"}
)


def _ascii(text: str) -> str:
    return text.translate(_PLAIN)
