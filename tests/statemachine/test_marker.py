"""Every marker form is read, one is written, and the user's text survives byte for byte
(sync-rules §6, advoware.md §5)."""

import base64
import hashlib
import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statemachine import marker
from statemachine.marker import Marker

MAX = "[ESPOCRM:bWF4QGV4YW1wbGUuY29t:4]"
MAX_MARKER = Marker("max@example.com", None, 4, slot=False)
TILDES = "~~~???"
PADDED, URL_SAFE = "fn5+Pz8/", "fn5-Pz8_"

READ = [
    ("standard Base64", MAX, MAX_MARKER, ""),
    ("with text", f"{MAX} Büro", MAX_MARKER, "Büro"),
    ("one blank belongs to the marker", f"{MAX}  Büro", MAX_MARKER, " Büro"),
    ("no blank", f"{MAX}Büro", MAX_MARKER, "Büro"),
    ("text before", f"Büro {MAX}", MAX_MARKER, "Büro "),
    ("text on both sides", f"vor {MAX} nach", MAX_MARKER, "vor nach"),
    ("line break is no blank", f"{MAX}\nBüro", MAX_MARKER, "\nBüro"),
    ("padded", "[ESPOCRM:bWF4QHguZGU=:8]", Marker("max@x.de", None, 8, slot=False), ""),
    ("unpadded", "[ESPOCRM:bWF4QHguZGU:8]", Marker("max@x.de", None, 8, slot=False), ""),
    ("standard alphabet", f"[ESPOCRM:{PADDED}:1]", Marker(TILDES, None, 1, slot=False), ""),
    ("URL-safe alphabet", f"[ESPOCRM:{URL_SAFE}:1]", Marker(TILDES, None, 1, slot=False), ""),
    ("umlaut", "[ESPOCRM:bcO8bGxlcg==:12]", Marker("müller", None, 12, slot=False), ""),
    ("hash", "[ESPOCRM:0a1b2c3d:4] alt", Marker(None, "0a1b2c3d", 4, slot=False), "alt"),
    ("slot", "[ESPOCRM-SLOT:3]", Marker(None, None, 3, slot=True), ""),
    ("slot with text", "[ESPOCRM-SLOT:10] frei", Marker(None, None, 10, slot=True), "frei"),
    ("second marker is text", f"{MAX} [ESPOCRM-SLOT:3]", MAX_MARKER, "[ESPOCRM-SLOT:3]"),
    ("damaged marker before a whole one", f"[ESPOCRM:!:4] {MAX}", MAX_MARKER, "[ESPOCRM:!:4] "),
    ("undecodable marker before a whole one", f"[ESPOCRM:A:4] {MAX}", MAX_MARKER, "[ESPOCRM:A:4] "),
]

TEXT_ONLY = [
    ("nothing", ""),
    ("plain", "Büro, ab 9 Uhr"),
    ("impossible length of Base64", "[ESPOCRM:A:4]"),
    ("padding inside", "[ESPOCRM:YQ==YQ:4]"),
    ("foreign character", "[ESPOCRM:YW!h:4]"),
    ("not UTF-8", "[ESPOCRM:/w==:4]"),
    ("kommKz 0", "[ESPOCRM:YQ==:0]"),
    ("kommKz 13", "[ESPOCRM:YQ==:13]"),
    ("kommKz with a leading zero", "[ESPOCRM:YQ==:04]"),
    ("kommKz missing", "[ESPOCRM:YQ==:]"),
    ("slot of kommKz 0", "[ESPOCRM-SLOT:0]"),
    ("slot of kommKz 13", "[ESPOCRM-SLOT:13]"),
    ("cut off", MAX[:-1]),
    ("head missing", MAX[1:]),
    ("other case", MAX.lower()),
]


@pytest.mark.parametrize(("why", "bemerkung", "wanted", "text"), READ)
def test_every_form_is_read(why: str, bemerkung: str, wanted: Marker, text: str) -> None:
    assert marker.read(bemerkung) == (wanted, text), why


@pytest.mark.parametrize(("why", "bemerkung"), TEXT_ONLY)
def test_a_damaged_marker_is_the_users_text(why: str, bemerkung: str) -> None:
    assert marker.read(bemerkung) == (None, bemerkung), why


def test_what_is_written() -> None:
    assert marker.write("max@example.com", 4) == MAX
    assert marker.write("max@example.com", 4, "Büro") == f"{MAX} Büro"
    assert marker.write("max@x.de", 8) == "[ESPOCRM:bWF4QHguZGU=:8]"
    assert marker.write(TILDES, 1) == f"[ESPOCRM:{PADDED}:1]"
    assert marker.write_slot(3) == "[ESPOCRM-SLOT:3]"
    assert marker.write_slot(3, " frei") == "[ESPOCRM-SLOT:3]  frei"


@pytest.mark.parametrize(
    ("why", "bemerkung", "value", "matches"),
    [
        ("the value", MAX, "max@example.com", True),
        ("another spelling is another value", MAX, "Max@example.com", False),
        (
            "hash of the value",
            f"[ESPOCRM:{hashlib.sha256(b'0511/12345-60').hexdigest()[:8]}:1]",
            "0511/12345-60",
            True,
        ),
        ("hash of another value", "[ESPOCRM:0a1b2c3d:1]", "0511/12345-60", False),
        ("a slot has no value", "[ESPOCRM-SLOT:1]", "", False),
    ],
)
def test_matches(why: str, bemerkung: str, value: str, matches: bool) -> None:
    found, _ = marker.read(bemerkung)
    assert found is not None
    assert marker.matches(found, value) is matches, why


@pytest.mark.parametrize(
    ("why", "a", "b", "same"),
    [
        ("identical", f"{MAX} a", f"{MAX} a", True),
        ("padding", "[ESPOCRM:bWF4QHguZGU=:8] a", "[ESPOCRM:bWF4QHguZGU:8] a", True),
        ("alphabet", f"[ESPOCRM:{PADDED}:1]", f"[ESPOCRM:{URL_SAFE}:1]", True),
        ("place", f"a{MAX}", f"{MAX} a", True),
        ("text", f"{MAX} a", f"{MAX} b", False),
        ("kommKz", MAX, MAX.replace(":4]", ":8]"), False),
        ("slot", "[ESPOCRM-SLOT:4]", MAX, False),
        ("the hash form is migrated", "[ESPOCRM:0a1b2c3d:4]", MAX, False),
        ("no marker", "a", f"{MAX} a", False),
    ],
)
def test_forms_that_decode_to_the_same_are_not_rewritten(why: str, a: str, b: str, same: bool) -> None:
    assert marker.same(a, b) is same, why


@pytest.mark.parametrize(
    ("why", "bemerkung", "last_written", "text"),
    [
        ("whole marker", f"{MAX} Büro", f"{MAX} Büro", "Büro"),
        ("cut by a length limit", MAX[:20], f"{MAX} Büro", ""),
        ("only its head left", "[ESPOCRM", MAX, ""),
        ("bracket lost, text kept", f"{MAX[:-1]} Büro", MAX, "Büro"),
        ("cut slot", "[ESPOCRM-SL", "[ESPOCRM-SLOT:3]", ""),
        ("stump of another marker is text", "[ESPOCRM:bWF5", MAX, "[ESPOCRM:bWF5"),
        ("too short to be ours", "[ESP", MAX, "[ESP"),
        ("text glued to the stump", "[ESPOCRM:bWF4!Büro", MAX, "[ESPOCRM:bWF4!Büro"),
        ("we never wrote a marker", MAX[:20], "Büro", MAX[:20]),
        ("a marker only somewhere in what we wrote", MAX[:20], f"Büro {MAX}", MAX[:20]),
        ("another whole marker", "[ESPOCRM-SLOT:3] x", MAX, "x"),
        ("empty", "", MAX, ""),
    ],
)
def test_a_cut_off_marker_of_ours_is_not_the_users_text(
    why: str, bemerkung: str, last_written: str, text: str
) -> None:
    assert marker.damaged(bemerkung, last_written) == text, why


# ── properties ─────────────────────────────────────────────────────────────────────────────────────────────────

_TEXTS = st.one_of(
    st.text(), st.builds("{}{}{}".format, st.text(), st.sampled_from([MAX, "[ESPOCRM-SLOT:3]"]), st.text())
)
_KINDS = st.integers(1, 12)


@given(st.text(), _KINDS, _TEXTS)
@example("max@example.com", 4, " ")
@example("max@example.com", 4, MAX)
def test_round_trip(value: str, komm_kz: int, text: str) -> None:
    found, kept = marker.read(marker.write(value, komm_kz, text))
    assert kept == text
    assert found is not None
    assert (found.komm_kz, found.slot) == (komm_kz, False)
    assert marker.matches(found, value)


@given(_KINDS, _TEXTS)
def test_round_trip_of_a_slot(komm_kz: int, text: str) -> None:
    assert marker.read(marker.write_slot(komm_kz, text)) == (Marker(None, None, komm_kz, slot=True), text)


@given(st.text(min_size=1), _KINDS)
def test_all_three_old_forms_decode(value: str, komm_kz: int) -> None:
    raw = value.encode()
    digest = hashlib.sha256(raw).hexdigest()[:8]
    payloads = (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("="), digest)
    for payload in payloads:
        found, text = marker.read(f"[ESPOCRM:{payload}:{komm_kz}] text")
        assert found is not None
        assert marker.matches(found, value)
        assert text == "text"


@given(st.text())
def test_whatever_is_read_nothing_of_it_is_lost(bemerkung: str) -> None:
    found, text = marker.read(bemerkung)
    assert found is not None or text == bemerkung


@given(st.text(), _KINDS, st.integers(0, 200))
def test_a_marker_cut_anywhere_leaves_no_invented_text(value: str, komm_kz: int, length: int) -> None:
    written = marker.write(value, komm_kz)
    stump = written[:length]
    assert marker.damaged(stump, written) == ("" if len(stump) >= len("[ESPOCRM") else stump)


def test_no_address_and_no_number_looks_like_a_hash() -> None:
    """Base64 of six bytes may be eight hex digits; then each three bytes come from four of these digits."""
    thirds = [
        base64.b64decode(digits) for digits in map("".join, itertools.product("0123456789abcdef", repeat=4))
    ]
    assert not any(b"@" in third for third in thirds)
    assert not any(third[0] in b"+0123456789 ()/.-" for third in thirds)


def test_a_text_that_looks_like_a_hash_still_matches() -> None:
    """A text of six letters can: the only ambiguous case, and one where nothing is lost."""
    value = base64.b64decode("a000a000").decode()  # "kM4kM4"
    found, _ = marker.read(marker.write(value, 1))
    assert found is not None
    assert found.digest is not None
    assert marker.matches(found, value)
    assert not marker.matches(found, value.upper())
