"""What EspoCRM accepts as a number or a mail address (facts: EspoCRM §3.5)."""

from __future__ import annotations

import pytest

from daemon.simulators.espocrm_values import mail_is_valid, phone_problem, stored_phone


@pytest.mark.parametrize(
    ("value", "international", "plain"),
    [
        ("0511/12345-60", "valid", "valid"),
        ("0170 1234567 (privat)", "valid", None),
        ("k.A.", "valid", None),
        ("+49511", None, None),
        ("+0511123456", "valid", None),
        ("0" * 36, "valid", None),
        ("0" * 37, "valid", "maxLength"),
        ("0511 – 1234560", "valid", "valid"),
        ("", "valid", "valid"),
        (None, "valid", "valid"),
    ],
)
def test_who_refuses_which_number(value: str, international: str | None, plain: str | None) -> None:
    assert phone_problem(stored_phone(value, True, False), True, False) == international
    assert phone_problem(stored_phone(value, False, False), False, False) == plain


@pytest.mark.parametrize(
    "value", ["+49 511 12345-60", "+49511/12345-60", "+49 (0)511 1234560", "+49 511 12345 60 "]
)
def test_international_mode_stores_e164(value: str) -> None:
    assert stored_phone(value, True, False) == "+495111234560"
    assert stored_phone(value, False, False) == value.strip()


@pytest.mark.parametrize("value", ["+49 511 1234560 ext 12", "+495111234560,12", "+495111234560;ext=12"])
def test_extension_is_cut_off_without_a_word(value: str) -> None:
    assert stored_phone(value, True, False) == "+495111234560"


def test_extensions_mode_has_its_quirk() -> None:
    stored = stored_phone("+49 511 1234560 ext 12", True, True)
    assert stored == "+495111234560 ext. t 12"
    assert stored_phone(stored, True, True) == stored
    assert phone_problem(stored, True, True) is None


GOOD_MAILS = (
    *(
        "max@xn--mller-kva.de",
        "max@x.d",
        "MAX@X.DE",
        "max+tag@x.de",
        "max'o@x.de",
        "max&co@x.de",
        "max@[127.0.0.1]",
    ),
    f"{'a' * 64}@x.de",
)
BAD_MAILS = (
    *("max@x.de; foo@y.de", "n/a", "-", "www.x.de", "max@localhost", "Max <max@x.de>", "mailto:max@x.de"),
    *("max@müller.de", "müller@x.de", "max..m@x.de", ".max@x.de", "max@x.de.", "max@x_y.de", " max@x.de"),
    *("max@x.de\n", '"max m"@x.de', f"{'a' * 65}@x.de", f"a@{'b' * 64}.de", "max@x.123", "max@[127.0.0.256]"),
    *(7, None),
)


@pytest.mark.parametrize("value", GOOD_MAILS)
def test_accepted_mails(value: str) -> None:
    assert mail_is_valid(value)


@pytest.mark.parametrize("value", BAD_MAILS)
def test_refused_mails(value: object) -> None:
    assert not mail_is_valid(value)
