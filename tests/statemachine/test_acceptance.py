"""Our imitation of EspoCRM agrees with what was measured, and loses nothing
(espocrm.md §3.5, sync-rules §2, §3, §8)."""

import json
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import email_validator
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statemachine import normalize
from statemachine.acceptance import Acceptance, email_refusal, espocrm_form, is_stored_form, shown

INTERNATIONAL = Acceptance()
EXTENSIONS = Acceptance(extensions=True)
VERBATIM = Acceptance(international=False)
NUMBER = "+495111234560"

TAKEN_MAILS = [
    "max@xn--mller-kva.de",
    "max@x.d",
    "MAX@X.DE",
    "max+tag@x.de",
    "max'o@x.de",
    "max&co@x.de",
    "max@[127.0.0.1]",
    "max@[IPv6:::1]",
    "a" * 64 + "@x.de",
    "a@" + ".".join(["b" * 60] * 3) + ".de",
    "kanzlei@server.local",
    "max@example.invalid",
    '"max"@x.de',
]

REFUSED_MAILS = [
    ("max@x.de; foo@y.de", "two_values"),
    ("max@x.de, foo@y.de", "two_values"),
    ("max@x.de foo@y.de", "two_values"),
    ("n/a", "no_mail_address"),
    ("-", "no_mail_address"),
    ("kein", "no_mail_address"),
    ("", "no_mail_address"),
    ("www.x.de", "no_mail_address"),
    ("max@localhost", "no_mail_address"),
    ("max@x", "no_mail_address"),
    ("Max Muster <max@x.de>", "no_mail_address"),
    ("mailto:max@x.de", "no_mail_address"),
    ("max@müller.de", "umlaut_domain"),
    ("müller@x.de", "refused_characters"),
    ("max..m@x.de", "no_mail_address"),
    (".max@x.de", "no_mail_address"),
    ("max@x.de.", "no_mail_address"),
    ("max@x_y.de", "no_mail_address"),
    ("max@sub_domain.x.de", "no_mail_address"),
    (" max@x.de", "no_mail_address"),
    ("max@x.de ", "no_mail_address"),
    ("max@x.de\n", "no_mail_address"),
    ("max @x.de", "no_mail_address"),
    ('"max m"@x.de', "no_mail_address"),
    ("max@x.1", "no_mail_address"),  # an all-digit top-level domain is refused (espocrm.md §12)
    ("max@-x.de", "no_mail_address"),
    ("max@[127.0.0.256]", "no_mail_address"),
    ("max@[]", "no_mail_address"),
    ("@x.de", "no_mail_address"),
    ("max@", "no_mail_address"),
    ("a" * 65 + "@x.de", "too_long"),
    ("a@" + ".".join(["b" * 62] * 4) + ".de", "too_long"),
    ("a@" + "b" * 64 + ".de", "no_mail_address"),
    ("DE.BRAK.02b5dcc7-5b8b-4f4d-9e6f-1f5cf6e1a001.7ab1", "safe_id"),
    ("govello-1164705467512-000005317", "safe_id"),
]


@pytest.mark.parametrize("value", TAKEN_MAILS)
def test_mails_that_espocrm_takes(value: str) -> None:
    assert email_refusal(value) is None
    assert shown(value, "email", INTERNATIONAL) == value
    assert espocrm_form(value, "email", "DE", INTERNATIONAL) == (value, None)
    assert is_stored_form(value, "email", INTERNATIONAL)


@pytest.mark.parametrize(("value", "reason"), REFUSED_MAILS)
def test_mails_that_espocrm_refuses(value: str, reason: str) -> None:
    assert email_refusal(value) == reason
    assert shown(value, "email", INTERNATIONAL) is None
    assert not is_stored_form(value, "email", INTERNATIONAL)


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (" max@x.de\n", ("max@x.de", None)),
        ("MAX@X.de ", ("MAX@X.de", None)),
        ("max@x.de; y@z.de ", (None, "two_values")),
        ("max@müller.de", (None, "umlaut_domain")),
        ("Max <max@x.de>", (None, "no_mail_address")),
        (" \t", (None, "blank")),
    ],
)
def test_mails_cross_trimmed_or_not_at_all(value: str, result: tuple[str | None, str | None]) -> None:
    assert espocrm_form(value, "email", "DE", INTERNATIONAL) == result


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("0511/12345-60", (NUMBER, None)),
        ("0170 1234567", ("+491701234567", None)),
        ("0511 – 1234560", (NUMBER, None)),
        ("+49 (0)511 1234560", (NUMBER, None)),
        ("+43 1 5811234", ("+4315811234", None)),
        ("+49511", ("+49511", None)),  # no number, but EspoCRM takes and keeps it
        ("+49 511", (None, "not_a_number")),  # it would show +49511, another text
        ("0170 1234567 (privat)", (None, "not_a_number")),
        ("0511 1234560 Fax", (None, "not_a_number")),
        ("+49 511 12345 App. 60", (None, "not_a_number")),  # EspoCRM would invent +495111234527760
        ("49 511 1234560", (None, "not_a_number")),
        ("110", (None, "not_a_number")),
        ("k.A.", (None, "not_a_number")),
        ("max@x.de", (None, "not_a_number")),
        ("+49 511 1234560 ext 12", (None, "extension_dropped")),
        ("+495111234560,12", (None, "extension_dropped")),
        ("0511 1234560 / 0170 1234567", (None, "two_values")),
        ("0511 12345 / 12346", (None, "two_values")),
        ("", (None, "blank")),
        ("\u00a0 ", (None, "blank")),
    ],
)
def test_phones_in_international_mode(value: str, result: tuple[str | None, str | None]) -> None:
    assert espocrm_form(value, "phone", "DE", INTERNATIONAL) == result


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("0511 1234560", (NUMBER, None)),
        ("0511 1234560 ext 12", (f"{NUMBER} ext. 12", None)),
        ("+495111234560;ext=12", (f"{NUMBER} ext. 12", None)),
        ("+495111234560 ext. t 12", (f"{NUMBER} ext. 12", None)),
        ("+495111234560 ext 123456", (f"{NUMBER} ext. 123456", None)),
        ("+495111234560 ext 1234567", (None, "extension_dropped")),  # EspoCRM takes six characters
    ],
)
def test_extensions_cross_where_espocrm_keeps_them(value: str, result: tuple[str | None, str | None]) -> None:
    assert espocrm_form(value, "phone", "DE", EXTENSIONS) == result


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("0170 1234567", ("0170 1234567", None)),
        ("(0511) 1234560", ("(0511) 1234560", None)),
        ("0511/12345-60", ("0511 12345-60", None)),
        ("0511 – 1234560", ("0511 - 1234560", None)),
        ("0511 / 1234560", ("0511 1234560", None)),
        ("0511\u00a01234560", ("0511 1234560", None)),
        ("+49 511 1234560 ext 12", ("+49 511 1234560 ext 12", None)),
        ("+495111234560;ext=12", (f"{NUMBER} ext. 12", None)),
        ("0511              1234560              ", ("0511              1234560", None)),
        ("0511                                 1234560", ("0511 1234560", None)),
        ("0  5  1  1  /  1  2  3  4  5  6  0", ("0 5 1 1 1 2 3 4 5 6 0", None)),
        ("(0)(5)(1)(1)-(1)-(2)-(3)-(4)-(5)-(6)-(0)", (NUMBER, None)),  # too long as it stands
        ("k.A.", ("k.A.", None)),
        ("0511 1234560 Fax", ("0511 1234560 Fax", None)),
        ("0511 12345 App. 60", ("0511 12345 App. 60", None)),
        ("n/a", (None, "refused_characters")),
        ("0511 / 12 34 56 (Frau Müller)", (None, "refused_characters")),
        ("*31#0511123", (None, "refused_characters")),
        ("0511 1234560 / 0170 1234567", (None, "two_values")),
        ("a" * 37, (None, "too_long")),
    ],
)
def test_phones_elsewhere_keep_their_spelling(value: str, result: tuple[str | None, str | None]) -> None:
    assert espocrm_form(value, "phone", "DE", VERBATIM) == result


@pytest.mark.parametrize(
    ("why", "value", "acceptance", "stored"),
    [
        ("E.164", NUMBER, INTERNATIONAL, True),
        ("rewritten to E.164 by EspoCRM itself", "+49 511 12345-60", INTERNATIONAL, True),
        ("weakly plausible", "+49511", INTERNATIONAL, True),
        ("from before the switch (§3.6)", "0511 1234560", INTERNATIONAL, False),
        ("taken, but the extension would be lost", f"{NUMBER} ext. t 12", INTERNATIONAL, False),
        ("taken, but another number would be invented", "+49 511 12345 App. 60", INTERNATIONAL, False),
        ("EspoCRM's own spelling", f"{NUMBER} ext. t 12", EXTENSIONS, True),
        ("its better spelling", f"{NUMBER} ext. 12", EXTENSIONS, True),
        ("extension without digits", f"{NUMBER} ext. abc", EXTENSIONS, False),
        ("anything goes", "k.A.", VERBATIM, True),
        ("but no slash", "0511/1234560", VERBATIM, False),
        ("a comma hidden from EspoCRM's splitter", "+495111234560,12", EXTENSIONS, False),
        ("nothing", "", VERBATIM, False),
    ],
)
def test_stored_values_that_may_be_sent_back(
    why: str, value: str, acceptance: Acceptance, stored: bool
) -> None:
    assert is_stored_form(value, "phone", acceptance) is stored, why


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("+49 511 1234560 ext 12", f"{NUMBER} ext. t 12"),
        ("+49 511 1234560 ext. 12", f"{NUMBER} ext. 12"),
        ("+49 511 1234560 x. 12", f"{NUMBER} ext. 12"),
        ("+49 511 1234560 x12", f"{NUMBER} ext. 12"),
        ("+49 511 1234560#12", f"{NUMBER} ext. 12"),
        ("+x12", None),
        ("+495111234560;ext=12", None),
        ("+495111234560,12", NUMBER),
        ("+495111234560 ext 12345", None),
    ],
)
def test_espocrm_splits_extensions_in_its_own_way(value: str, answer: str | None) -> None:
    assert shown(value, "phone", EXTENSIONS) == answer


# ── what a real EspoCRM answered ───────────────────────────────────────────────────────────────────────────────

_MODES = {"intl_false": VERBATIM, "intl_true": INTERNATIONAL, "intl_true_ext": EXTENSIONS}
_FIELDS = {"phone": "phoneNumber", "email": "emailAddress"}


def _recordings() -> Path:
    """The folder of recorded answers, if it lies next to the repository."""
    repository = Path(__file__).resolve().parents[2]
    for folder in repository.parent.glob("*/facts/recordings"):
        return folder
    pytest.skip("the recorded answers of a real EspoCRM are not here")


def _puts(calls: list[dict[str, Any]]) -> Iterator[tuple[str, str, int, str | None]]:
    """(kind, value sent, status, value a GET showed afterwards)."""
    for call, following in zip(calls, [*calls[1:], {}], strict=True):
        for kind, name in _FIELDS.items():
            for item in (
                call["request"].get("body", {}).get(f"{name}Data", []) if call["request"].get("body") else []
            ):
                status = call["response"]["status"]
                after = following["response"]["body"][f"{name}Data"][0][name] if status == 200 else None
                yield kind, item[name], status, after


@pytest.mark.parametrize("mode", sorted(_MODES))
def test_the_imitation_gives_the_recorded_answers(mode: str) -> None:
    calls = json.loads((_recordings() / f"03_validation_{mode}.json").read_text())
    wrong = [
        (kind, value, answer, after)
        for kind, value, _, after in _puts(calls)
        if (answer := shown(value, kind, _MODES[mode])) != after
    ]
    assert wrong == []
    assert len(list(_puts(calls))) > 30


@pytest.mark.parametrize("mode", sorted(_MODES))
def test_recorded_values_cross_or_are_named(mode: str) -> None:
    """Whatever the recorded EspoCRM refused, we send in another spelling of the same value or not at all."""
    for kind, value, _, _ in _puts(json.loads((_recordings() / f"03_validation_{mode}.json").read_text())):
        spelling, reason = espocrm_form(value, kind, "DE", _MODES[mode])
        assert (spelling is None) != (reason is None)


# ── properties ─────────────────────────────────────────────────────────────────────────────────────────────────

_ACCEPTANCES = st.sampled_from([INTERNATIONAL, EXTENSIONS, VERBATIM])
_VALUES = st.one_of(
    st.text(max_size=40),
    st.text(alphabet=string.digits + "+ ()/.-–,;#xet@:", max_size=40),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["0511 ", "+49 170", "+43 1", "030/"]),
        st.integers(0, 10**9),
        st.sampled_from(["", " ext 12", "x1234567", " #5", ",12", " Fax"]),
    ),
    st.emails(),
)


@given(_VALUES, st.sampled_from(["email", "phone"]), st.sampled_from(["DE", "US"]), _ACCEPTANCES)
@example("0511 1234560 ext 12", "phone", "DE", EXTENSIONS)
def test_what_crosses_keeps_its_canonical_value(
    value: str, kind: str, region: str, acceptance: Acceptance
) -> None:
    spelling, reason = espocrm_form(value, kind, region, acceptance)
    assert (spelling is None) != (reason is None)
    if spelling is not None:
        answer = shown(spelling, kind, acceptance)
        assert answer is not None
        assert normalize.canonical(answer, kind, region) == normalize.canonical(value, kind, region)
        assert shown(answer, kind, acceptance) == answer, "what EspoCRM shows, it takes back unchanged"
        assert is_stored_form(answer, kind, acceptance)


@given(_VALUES, st.sampled_from(["email", "phone"]), _ACCEPTANCES)
def test_a_value_that_may_be_sent_back_needs_no_other_spelling(
    value: str, kind: str, acceptance: Acceptance
) -> None:
    assert (
        not is_stored_form(value, kind, acceptance) or espocrm_form(value, kind, "DE", acceptance)[1] is None
    )


@given(st.emails())
def test_ordinary_mail_addresses_cross(value: str) -> None:
    """What a strict library calls an ordinary ASCII address is taken, apart from EspoCRM's own limits."""
    within_limits = value.isascii() and len(value) <= 254 and not value.rpartition(".")[2][0].isdigit()
    assert not (within_limits and _is_ordinary(value)) or email_refusal(value) is None


def _is_ordinary(value: str) -> bool:
    try:
        email_validator.validate_email(value, check_deliverability=False, allow_smtputf8=False)
    except email_validator.EmailNotValidError:
        return False
    return True
