"""Kinds survive any round trip (sync-rules §3, advoware.md §4 and §6 rows 15 and 18)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachine import kommkz
from statemachine.kommkz import KommKz

TABLE = [
    (1, "TelGesch", "phone", "Office", False),
    (2, "FaxGesch", "phone", "Fax", False),
    (3, "Mobil", "phone", "Mobile", False),
    (4, "MailGesch", "email", None, False),
    (5, "Internet", None, None, False),
    (6, "TelPrivat", "phone", "Home", False),
    (7, "FaxPrivat", "phone", "Fax", True),
    (8, "MailPrivat", "email", None, True),
    (9, "AutoTelefon", "phone", "Mobile", True),
    (10, "Sonstige", "phone", "Other", False),
    (11, "EPost", "email", None, True),
    (12, "Bea", "email", None, True),
]


@pytest.mark.parametrize(("number", "name", "family", "espocrm_type", "keeps"), TABLE)
def test_the_twelve_kinds(
    number: int, name: str, family: str | None, espocrm_type: str | None, keeps: bool
) -> None:
    assert KommKz(number).name == name
    assert kommkz.family(number) == family
    assert kommkz.to_espocrm_type(number) == espocrm_type
    assert kommkz.keeps(number) is keeps
    assert (number in kommkz.SYNCED) is (family is not None)


def test_there_are_twelve() -> None:
    assert [kind.value for kind in KommKz] == [row[0] for row in TABLE]


@pytest.mark.parametrize("number", [0, -1, 13])
def test_an_unknown_kind_is_nothing(number: int) -> None:
    assert kommkz.family(number) is None
    assert kommkz.to_espocrm_type(number) is None
    assert not kommkz.keeps(number)
    assert number not in kommkz.SYNCED


@pytest.mark.parametrize(
    ("espocrm_type", "number"),
    [
        ("Office", 1),
        ("Fax", 2),
        ("Mobile", 3),
        ("Home", 6),
        ("Other", 10),
        ("Pager", 10),
        ("office", 10),
        ("", 10),
        (None, 10),
    ],
)
def test_from_espocrm(espocrm_type: str | None, number: int) -> None:
    assert kommkz.from_espocrm_type(espocrm_type) == number


@pytest.mark.parametrize("number", sorted(kommkz.SYNCED))
def test_what_does_not_survive_the_round_trip_is_kept_by_the_link(number: int) -> None:
    """A phone kind that comes back as itself, a mail kind that is the one EspoCRM's mails become, or kept."""
    espocrm_type = kommkz.to_espocrm_type(number)
    back = KommKz.MailGesch if espocrm_type is None else kommkz.from_espocrm_type(espocrm_type)
    assert kommkz.keeps(number) is (back != number)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("max@x.de", 4),
        ("max@x.de; y@z.de", 4),
        ("https://user@x.de", 4),
        ("https://x.de", 5),
        ("HTTP://X.DE", 5),
        (" www.x.de", 5),
        ("wwwx.de", 1),
        ("0170 1234567", 3),
        ("+43 664 1234567", 3),
        ("0511/12345-60", 1),
        ("+1 212 555 0100", 1),
        ("0170 1234567 (privat)", 1),
        ("k.A.", 1),
        ("DE.BRAK.02b5dcc7-5b8b-4f4d-9e6f-1f5cf6e1a001.7ab1", 1),
    ],
)
def test_guess(value: str, number: int) -> None:
    assert kommkz.guess(value, "DE") == number


@pytest.mark.parametrize(
    ("number", "value", "contradicts"),
    [
        (1, "max@x.de", True),
        (10, "max@x.de", True),
        (1, "0511 1234560", False),
        (1, "k.A.", False),
        (1, "www.x.de", False),
        (4, "0511/12345-60", True),
        (8, "+49 511 – 60", True),
        (12, "0511 1234560", True),
        (12, "DE.BRAK.02b5dcc7-5b8b-4f4d-9e6f-1f5cf6e1a001.7ab1", False),
        (11, "max@x.de-mail.de", False),
        (4, "max@x.de", False),
        (4, "k.A.", False),
        (4, "-", False),
        (4, "www.x.de", False),
        (5, "max@x.de", False),
        (0, "max@x.de", False),
    ],
)
def test_a_family_contradicts_a_value(number: int, value: str, contradicts: bool) -> None:
    assert kommkz.contradicts(number, value) is contradicts


def test_convenience_fields() -> None:
    fields = kommkz.CONVENIENCE
    assert {
        number: {name for name in fields if fields[name] == number} for number in set(fields.values())
    } == {
        1: {"telGesch", "tel"},
        2: {"faxGesch", "fax"},
        3: {"mobil"},
        4: {"emailGesch", "email"},
        5: {"internet"},
        6: {"telPrivat"},
        7: {"faxPrivat"},
        9: {"autotelefon"},
        10: {"sonstige"},
        11: {"ePost"},
        12: {"bea"},
    }


@given(st.text())
def test_a_guess_never_contradicts_its_value(value: str) -> None:
    assert not kommkz.contradicts(kommkz.guess(value, "DE"), value)
