"""No phone number, no address and no secret gets through, whatever is written around it."""

import json
import re
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.provisional import domains

from daemon.redaction import Redactor

GAPS = st.sampled_from(["", "", "", " ", "-", "/", " / ", ".", ") ", " (", "–", "\u00a0", " - ", "%20", "+"])
LETTERS = "abcdefghijklmnopqrstuvwxyzäöüß"


@st.composite
def phones(draw: st.DrawFn) -> str:
    """Six digits and more, as people write them."""
    digits = draw(st.text("0123456789", min_size=6, max_size=15))
    text = digits[0] + "".join(draw(GAPS) + digit for digit in digits[1:])
    return draw(st.sampled_from(["", "+", "00", "(", "+("])) + text


@st.composite
def addresses(draw: st.DrawFn) -> str:
    local = draw(st.text(LETTERS + "0123456789._%+-'", min_size=1, max_size=30) | st.just('"max mustermann"'))
    return f"{local}{draw(st.sampled_from(['@', '%40']))}{draw(domains() | st.just('müller.example'))}"


AROUND = st.sampled_from(["", " ", "Nummer ", "tel:", "'", '{"value":"', ", ", "\n", "ä", "=", ">"])


def digits(text: str) -> str:
    return re.sub(r"\D", "", text.replace("%20", ""))


@given(AROUND, phones(), AROUND)
def test_no_phone_number_gets_through(before: str, phone: str, after: str) -> None:
    masked = Redactor().text(before + phone + after)
    assert phone not in masked
    assert "[number]" in masked
    assert digits(masked) == ""


@given(AROUND, addresses(), AROUND)
def test_no_address_gets_through(before: str, address: str, after: str) -> None:
    masked = Redactor().text(before + address + after)
    local, domain = re.split("@|%40", address, maxsplit=1)
    assume(domain.lower() not in before + after)
    assert domain not in masked
    assert len(local) < 3 or local not in masked


@given(st.text(min_size=4, max_size=40).filter(str.strip), AROUND, AROUND)
def test_no_secret_gets_through(secret: str, before: str, after: str) -> None:
    assume(secret not in "[secret][number][address][marker]")
    redactor = Redactor([secret])
    for spelling in (secret, repr(secret), f"?key={secret}&x"):
        assume(secret not in before and secret not in after)
        assert secret not in redactor.text(before + spelling + after)


def test_a_secret_is_known_in_every_spelling() -> None:
    secret = "back\\slash'quote\"and/slash"
    redactor = Redactor([secret])
    for spelled in (repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret), quote(secret, safe="")):
        assert redactor.text(spelled) == "[secret]"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T10:11:12.123456Z",
        "seen at 2026-11-23 10:11:12",
        "betNr 104711 has two records",
        "bet_nr=104711",
        "type: kommsync show 104711",
        "record 6b02f5a1c3d4e5f60 is gone",
        "http://127.0.0.1:9469/metrics",
        "port 9469, 12 rows, 3 % in 0.25 s",
        "@property",
    ],
)
def test_what_is_no_contact_stays_readable(text: str) -> None:
    assert Redactor(["hunter2-hunter2"]).text(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("call +49 (511) 12345-60 now", "call [number] now"),
        ("betNr 4711 0511 1234560", "betNr 4711 [number]"),
        ("/CBeteiligte?value=%2B495111234560", "/CBeteiligte?value=%2B[number]"),
        ("[ESPOCRM:bWF4QGV4YW1wbGUuY29t:4] Sekretariat", "[marker] Sekretariat"),
        ("https://me:pw@crm.example/api", "[address]"),
        ("2026-11-23", "[number]"),
    ],
)
def test_in_doubt_it_is_masked(text: str, masked: str) -> None:
    assert Redactor().text(text) == masked


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("bet_nr", 104711, 104711),
        ("bet_nr", "104711", "104711"),
        ("bet_nr", "0511123456", "[number]"),
        ("espocrm_id", "6b02f5a1c3d4e5f60", "6b02f5a1c3d4e5f60"),
        ("espocrm_id", "12345678901234567", "12345678901234567"),
        ("espocrm_id", "0511 1234560", "[number]"),
        ("advoware_ids", [12345678, 87654321], [12345678, 87654321]),
        ("next_attempt_at", 1795402947, 1795402947),
        ("duration_seconds", 0.123456789, 0.123456789),
        ("rows", 200_000, 200_000),
        ("value", 495111234560, "[number]"),
        ("ok", True, True),
        ("why", None, None),
        ("rows", ({"tlf": "0511 1234560", "id": 7},), [{"tlf": "[number]", "id": 7}]),
        ("error", ValueError("max@example.com"), "[address]"),
    ],
)
def test_known_keys_keep_their_ids(key: str, value: object, shown: object) -> None:
    assert Redactor().value(value, key) == shown
