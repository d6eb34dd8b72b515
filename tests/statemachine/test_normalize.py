"""Two spellings of one value are the same, two values never are (sync-rules §2)."""

import string
import unicodedata

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachine import normalize

NUMBER = "+495111234560"

SAME_NUMBER = [
    ("as EspoCRM stores it", "+495111234560"),
    ("slash and dash, §2's own example", "0511/12345-60"),
    ("blanks", "+49 511 12345 60 "),
    ("dash", "+49 511 12345-60"),
    ("en dash", "0511 – 1234560"),
    ("slash behind the country code", "+49511/12345-60"),
    ("trunk zero in brackets", "+49 (0)511 1234560"),
    ("trunk zero in brackets and slash", "+49 (0)511/12345-60"),
    ("area code in brackets", "(0511) 1234560"),
    ("country code in brackets", "(+49) 511 1234560"),
    ("dots", "0511.1234560"),
    ("everything at once", "+49 5.111 (234) 560"),
    ("international prefix", "0049 511 1234560"),
    ("no-break space and tab", "0511\u00a012345\t60"),
]

#: A spelling in groups of which libphonenumber calls the first a valid (very short) number of its own.
IN_GROUPS = ("+49 69 900 09063 18", "069 900 0906318", "+49 (0)69 90009063-18")

WITH_EXTENSION = [
    ("words", "+49 511 1234560 ext 12"),
    ("with a dot", "+495111234560 ext. 12"),
    ("EspoCRM's quirk (espocrm.md §3.5)", "+495111234560 ext. t 12"),
    ("comma", "+495111234560,12"),
    ("RFC 3966", "+495111234560;ext=12"),
    ("x", "0511 1234560 x12"),
    ("x and a dot", "0511/1234560 x. 12"),
    ("hash", "0511 1234560 #12"),
    ("in brackets", "0511 1234560 (ext 12)"),
]

NO_NUMBER = [
    ("fax behind it: libphonenumber invents 329", "0511 1234560 Fax"),
    ("fax with a dash", "0511-1234560 Fax"),
    ("note behind it", "0170 1234567 (privat)"),
    ("name behind it", "0511 / 12 34 56 (Frau Müller)"),
    ("German extension: libphonenumber invents 27760", "0511 12345 App. 60"),
    ("label before it", "Tel. 0511 1234560"),
    ("URI", "tel:+495111234560"),
    ("letters as keypad digits", "0511 FLOWERS"),
    ("two numbers, slash", "0511 1234560 / 0170 1234567"),
    ("two numbers that together look valid, slash", "0511 12345 / 12346"),
    ("two numbers that together look valid, blank", "030 12345 030 12345"),
    ("two numbers that together look valid, dash", "030 12345 - 030 12345"),
    ("two endings", "0511 123456/57"),
    ("two numbers, comma: libphonenumber takes the second for an extension", "0511 1234560, 030123456"),
    ("two numbers, semicolon", "0511 1234560; 0170 1234567"),
    ("two numbers, line break", "0511 12345\n12346"),
    ("two numbers, word", "0511 1234560 und 0170 1234567"),
    ("extension of a stray letter", "0511 1234560 p ext 12"),
    ("extension of a second extension", "0511 1234560 ext 12 ext 13"),
    ("words before the extension", "0511 1234560 Fax ext 12"),
    ("extension label without digits", "0511 1234560 ext"),
    ("extension of an in-house number", "60 ext 12"),
    ("digits before a hash, as Americans write", "0511 1234560 12#"),
    ("in-house number", "60"),
    ("emergency", "110"),
    ("local number", "1234567"),
    ("country code without plus may also be an area code", "49 511 1234560"),
    ("plus before a trunk zero", "+0511123456"),
    ("area code alone", "+49511"),
    ("much too long", "+11111111111111111111111111111111111"),
    ("two pluses", "++495111234560"),
    ("plus inside", "0511+1234560"),
    ("full-width digits", "０５１１ １２３４５６０"),
    ("zeros", "000000000000000000000000000000000000"),
    ("service code", "*31#0511123"),
    ("none", "k.A."),
    ("none", "n/a"),
    ("dash", "-"),
    ("mail address", "max@x.de"),
    ("empty", ""),
]


@pytest.mark.parametrize(("why", "spelling"), SAME_NUMBER)
def test_spellings_of_one_number_are_the_same(why: str, spelling: str) -> None:
    assert normalize.phone(spelling, "DE") == NUMBER, why
    assert normalize.e164(spelling, "DE") == NUMBER
    assert normalize.extension(spelling, "DE") is None


@pytest.mark.parametrize(("why", "spelling"), WITH_EXTENSION)
def test_an_extension_belongs_to_the_number(why: str, spelling: str) -> None:
    assert normalize.phone(spelling, "DE") == NUMBER + ";ext=12", why
    assert normalize.e164(spelling, "DE") == NUMBER
    assert normalize.extension(spelling, "DE") == "12"


@pytest.mark.parametrize(("why", "value"), NO_NUMBER)
def test_everything_else_is_compared_as_text(why: str, value: str) -> None:
    assert not normalize.is_number(value, "DE"), why
    assert normalize.phone(value, "DE") == normalize.text(value)
    assert normalize.e164(value, "DE") is None
    assert normalize.extension(value, "DE") is None
    assert not normalize.is_mobile(value, "DE")
    assert normalize.international(value, "DE") == value
    assert normalize.national(value, "DE") == value


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        ("+43 1 5811234", "+4315811234"),
        ("+41 44 668 18 00", "+41446681800"),
        ("+1 212 555 0100", "+12125550100"),
        ("+39 06 698 12345", "+390669812345"),
    ],
)
def test_numbers_of_every_country_count(value: str, canonical: str) -> None:
    assert normalize.phone(value, "DE") == canonical


def test_the_region_reads_numbers_without_country_code() -> None:
    assert normalize.phone("01 5811234", "AT") == "+4315811234"
    assert normalize.phone("1 212 555 0100", "US") == "+12125550100"
    assert not normalize.is_number("01 5811234", "ZZ")


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        ("  Frau  MÜLLER, Durchwahl 12 ", "frau müller, durchwahl 12"),
        ("Mu\u0308ller", "müller"),
        ("STRASSE", "strasse"),
        ("a\u00a0 b", "a b"),
        ("\n a  b \n\n c ", "a b\nc"),
    ],
)
def test_text_is_trimmed_collapsed_and_folded(value: str, canonical: str) -> None:
    assert normalize.text(value) == canonical


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        (" Max@X.de ", "max@x.de"),
        ("MAX@X.DE\n", "max@x.de"),
        ("mu\u0308ller@x.de", "müller@x.de"),
        ("max@M\u00dcLLER.de", "max@müller.de"),
    ],
)
def test_mail_addresses_are_trimmed_and_folded(value: str, canonical: str) -> None:
    assert normalize.email(value) == canonical


def test_the_kind_decides_the_form() -> None:
    assert normalize.canonical(" 0511/12345-60", "phone", "DE") == NUMBER
    assert normalize.canonical(" 0511/12345-60", "email", "DE") == "0511/12345-60"


@pytest.mark.parametrize(
    ("value", "international", "national"),
    [
        ("0511/12345-60", "+49 511 1234560", "0511 1234560"),
        ("+495111234560;ext=12", "+49 511 1234560 ext. 12", "0511 1234560 ext. 12"),
        ("+431 5811234", "+43 1 5811234", "+43 1 5811234"),
        ("+49 170 1234567", "+49 170 1234567", "0170 1234567"),
    ],
)
def test_spellings_for_phone_format(value: str, international: str, national: str) -> None:
    """sync-rules §2, [phone_format]: a foreign number in national spelling would be another number here."""
    assert normalize.international(value, "DE") == international
    assert normalize.national(value, "DE") == national


@pytest.mark.parametrize(
    ("value", "mobile"),
    [("0170 1234567", True), ("+43 664 1234567", True), ("0511 1234560", False), ("+1 212 555 0100", False)],
)
def test_mobile_numbers(value: str, mobile: bool) -> None:
    assert normalize.is_mobile(value, "DE") is mobile


@pytest.mark.parametrize(
    ("value", "plausible"),
    [
        ("+49511", "+49511"),
        ("+49 (0)511 1234560", NUMBER),
        ("+495111234560;ext=12", NUMBER),
        ("0511 1234560", None),
        ("+4951112345678901234", None),
        ("+49", None),
    ],
)
def test_plausible_numbers_as_espocrm_judges(value: str, plausible: str | None) -> None:
    assert normalize.plausible_e164(value) == plausible


@pytest.mark.parametrize(
    ("value", "several"),
    [
        ("0511 1234560 / 0170 1234567", True),
        ("0511 1234560; 0170 1234567", True),
        ("0511 1234560 oder 0170 1234567", True),
        ("0511 1234560\n0170 1234567", True),
        ("0511 12345 / 12346", True),
        ("0511 1234560, privat", False),
        ("0511/12345-60", False),
        ("k.A.", False),
    ],
)
def test_several_numbers_in_one_field(value: str, several: bool) -> None:
    assert normalize.holds_several(value, "DE") is several


# ── properties ─────────────────────────────────────────────────────────────────────────────────────────────────

_PHONE_LIKE = st.text(alphabet=string.digits + "+ ()/.-–,;#x\n\tpaetE\u00a0", max_size=24)
_DIALLED = st.builds(
    lambda area, local: f"{area}{local}",
    st.sampled_from(["0511", "030", "0170", "+43 1", "+1 212 ", "+39 06", "0049 89", "49 511"]),
    st.text(alphabet=string.digits + " -/", min_size=3, max_size=12),
)
_ANY = st.one_of(st.text(max_size=30), _PHONE_LIKE, _DIALLED)
_REGIONS = st.sampled_from(["DE", "AT", "US", "IT", "ZZ"])


@given(_ANY, _REGIONS, st.sampled_from(["email", "phone"]))
def test_canonical_is_idempotent(value: str, region: str, kind: str) -> None:
    once = normalize.canonical(value, kind, region)
    assert normalize.canonical(once, kind, region) == once


@given(_ANY, _REGIONS)
def test_a_number_is_what_has_a_plus_and_digits_only(value: str, region: str) -> None:
    number, canonical = normalize.e164(value, region), normalize.phone(value, region)
    assert normalize.is_number(value, region) == (number is not None)
    if number is not None:
        assert canonical.split(";ext=")[0] == number
        assert number[0] == "+"
        assert number[1:].isdecimal()
        assert phonenumbers.is_valid_number(phonenumbers.parse(number))


@given(_ANY, _REGIONS)
def test_phone_formats_keep_the_canonical_value(value: str, region: str) -> None:
    canonical = normalize.phone(value, region)
    assert normalize.phone(normalize.international(value, region), region) == canonical
    assert normalize.phone(normalize.national(value, region), region) == canonical


@given(
    st.sampled_from(["511", "30", "170", "89"]),
    st.integers(1_000_000, 9_999_999).map(str),
    st.sampled_from(
        [
            "+49 {a} {n}",
            "0{a}/{n}",
            "+49 (0){a} {n}",
            "0{a}.{n}",
            "(0{a}) {h}-{t}",
            "0049{a}{n}",
            "+49{a}/{h}–{t}",
        ]
    ),
)
def test_every_spelling_of_a_number_is_equal(area: str, local: str, pattern: str) -> None:
    spelling = pattern.format(a=area, n=local, h=local[:4], t=local[4:])
    assert normalize.phone(spelling, "DE") == f"+49{area}{local}"


@given(st.text(max_size=30))
def test_letter_case_and_composition_do_not_matter(value: str) -> None:
    for form in (normalize.email, normalize.text):
        assert form(unicodedata.normalize("NFD", value)) == form(value)
        assert form(f" {value}\t") == form(value)


@pytest.mark.parametrize("spelling", IN_GROUPS)
def test_a_number_in_groups_is_one_number(spelling: str) -> None:
    assert normalize.phone(spelling, "DE") == "+49699000906318"
    assert not normalize.holds_several(spelling, "DE")
