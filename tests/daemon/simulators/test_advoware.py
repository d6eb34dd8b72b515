"""The manners of Advoware's data API one by one (facts: Advoware §3, §4)."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.simulators.advoware import OFFLINE, AdvowareWorld
from daemon.simulators.advoware_rows import Row
from tests.daemon.simulators.worlds import Call, Clock


@pytest.fixture
def bet_nr(advoware: AdvowareWorld) -> int:
    return advoware.add_person("Müller", "Anna", 104711)


@pytest.fixture
def row(advoware: AdvowareWorld, bet_nr: int) -> Row:
    return advoware.add_row(bet_nr, 4, "anna@example.de", "Büro", online=True)


def _put(ask: Call, row: Row, **body: Any) -> Any:
    return ask("PUT", f"Beteiligte/{row.bet_nr}/Kommunikationen/{row.id}", body)


def test_get_is_a_list_of_one_that_hides_the_kinds(ask: Call, advoware: AdvowareWorld, row: Row) -> None:
    (person,) = ask("GET", f"Beteiligte/{row.bet_nr}").json()
    assert person["kommunikation"] == [
        {
            "id": row.id,
            "betNr": row.bet_nr,
            "rowId": row.row_id,
            "kommKz": 0,
            "kommArt": 0,
            "tlf": "anna@example.de",
            "bemerkung": "Büro",
            "online": True,
        }
    ]
    assert person["geaendertAm"] == "2026-11-22T05:00:00"  # naive, Berlin
    assert (person["emailGesch"], person["email"], person["telGesch"]) == (
        "anna@example.de",
        "anna@example.de",
        None,
    )
    assert len(row.row_id) == 40
    assert set(row.row_id) <= set("ABCDEFGHIJKLMNOP")
    assert advoware.row(row.id).komm_kz == 4


def test_post_and_put_tell_the_kind(ask: Call, bet_nr: int) -> None:
    made = ask(
        "POST", f"Beteiligte/{bet_nr}/Kommunikationen", {"kommKz": 3, "tlf": "0171 3920012", "online": False}
    )
    assert made.status == 201
    (entry,) = made.json()
    assert (entry["kommKz"], entry["kommArt"], entry["bemerkung"]) == (3, 3, "")
    body = {"kommKz": 1, "tlf": "0171 3920013", "bemerkung": "x", "online": True}
    changed = ask("PUT", f"Beteiligte/{bet_nr}/Kommunikationen/{entry['id']}", body).json()
    assert (changed["kommKz"], changed["tlf"]) == (3, "0171 3920013")  # ignored ...
    assert changed["rowId"] != entry["rowId"]  # ... but the rowId moves


def test_row_id_of_the_beteiligter_stands_still(
    ask: Call, advoware: AdvowareWorld, clock: Clock, row: Row
) -> None:
    before = ask("GET", f"Beteiligte/{row.bet_nr}").json()[0]
    clock.tick(100)
    _put(ask, row, tlf="b@example.de", bemerkung="", online=True)
    after = ask("GET", f"Beteiligte/{row.bet_nr}").json()[0]
    assert (after["rowId"], after["geaendertAm"]) == (before["rowId"], before["geaendertAm"])
    assert after["kommunikation"][0]["rowId"] != before["kommunikation"][0]["rowId"]


@pytest.mark.parametrize(
    ("blanks", "expected"), [(True, ("", "", False)), (False, ("anna@example.de", "Büro", True))]
)
def test_what_a_partial_put_does_to_the_rest(
    ask: Call, advoware: AdvowareWorld, row: Row, blanks: bool, expected: tuple[str, str, bool]
) -> None:
    advoware.manners.partial_put_blanks = blanks
    _put(ask, row)
    now = advoware.row(row.id)
    assert (now.tlf, now.bemerkung, now.online) == expected


def test_delete_is_forbidden_unless_switched_on(ask: Call, advoware: AdvowareWorld, row: Row) -> None:
    target = f"Beteiligte/{row.bet_nr}/Kommunikationen/{row.id}"
    assert ask("DELETE", target).status == 403
    assert advoware.rows(row.bet_nr) == [row]
    advoware.manners.delete_allowed = True
    assert ask("DELETE", target).status == 204
    assert advoware.rows(row.bet_nr) == []
    assert ask("DELETE", target).status == 404


def test_too_long_is_cut_or_refused(ask: Call, advoware: AdvowareWorld, row: Row) -> None:
    advoware.manners.bemerkung_max, advoware.manners.tlf_max = 10, 5
    shown = _put(ask, row, tlf="1234567", bemerkung="x" * 20, online=False).json()
    assert (shown["tlf"], shown["bemerkung"]) == ("12345", "x" * 10)
    advoware.manners.too_long = "refuse"
    assert _put(ask, row, tlf="1", bemerkung="x" * 11).status == 400
    assert (
        ask("POST", f"Beteiligte/{row.bet_nr}/Kommunikationen", {"kommKz": 1, "tlf": "123456"}).status == 400
    )
    assert len(advoware.rows(row.bet_nr)) == 1


def test_manager_off_at_night(ask: Call, advoware: AdvowareWorld, row: Row) -> None:
    advoware.manners.manager_offline, advoware.manners.offline_status = True, 200
    answer = ask("GET", f"Beteiligte/{row.bet_nr}")
    assert (answer.status, answer.body.decode()) == (200, OFFLINE)
    assert str(answer.header("Content-Type")).startswith("text/plain")
    advoware.manners.manager_offline, advoware.manners.licensed = False, False
    assert "freigeschaltet" in ask("GET", f"Beteiligte/{row.bet_nr}").body.decode()


def test_unknown_people_and_rows(ask: Call, advoware: AdvowareWorld, row: Row) -> None:
    assert ask("GET", "Beteiligte/1").json() == []
    advoware.manners.unknown_bet_nr = "404"
    assert ask("GET", "Beteiligte/1").status == 404
    assert ask("POST", "Beteiligte/1/Kommunikationen", {"kommKz": 1}).status == 404
    assert ask("PUT", f"Beteiligte/{row.bet_nr}/Kommunikationen/1", {}).status == 404
    assert ask("PUT", f"Beteiligte/1/Kommunikationen/{row.id}", {}).status == 404
    assert ask("GET", "Beteiligte").status == 404
    assert ask("GET", "Beteiligte/abc").status == 404


@pytest.mark.parametrize("body", [{}, {"kommKz": 0}, {"kommKz": 13}, [1], b"{"])
def test_bad_posts(ask: Call, advoware: AdvowareWorld, bet_nr: int, body: Any) -> None:
    assert ask("POST", f"Beteiligte/{bet_nr}/Kommunikationen", body).status == 400
    assert advoware.rows(bet_nr) == []


def test_convenience_fields_have_two_spellings(ask: Call, advoware: AdvowareWorld, bet_nr: int) -> None:
    advoware.add_row(bet_nr, 1, "")
    advoware.add_row(bet_nr, 1, "first")
    advoware.add_row(bet_nr, 1, "second")
    assert ask("GET", f"Beteiligte/{bet_nr}").json()[0]["telGesch"] == "first"
    advoware.manners.convenience = "short"
    shown = ask("GET", f"Beteiligte/{bet_nr}").json()[0]
    assert (shown["tel"], "telGesch" in shown) == ("first", False)
    advoware.manners.convenience = "none"
    assert not {"tel", "telGesch", "mobil"} & ask("GET", f"Beteiligte/{bet_nr}").json()[0].keys()


def test_null_and_fractions(ask: Call, advoware: AdvowareWorld, clock: Clock) -> None:
    advoware.manners.null_when_empty, advoware.manners.fraction_digits = True, 7
    clock.tick(0.25)
    empty = advoware.add_person("Leer")
    shown = ask("GET", f"Beteiligte/{empty}").json()[0]
    assert shown["kommunikation"] is None
    assert shown["geaendertAm"] == "2026-11-22T05:00:00.2500000"


def test_kinds_can_be_shown(ask: Call, advoware: AdvowareWorld, row: Row) -> None:
    advoware.manners.shows_komm_kz = True
    assert ask("GET", f"Beteiligte/{row.bet_nr}").json()[0]["kommunikation"][0]["kommKz"] == 4


def test_work_takes_time(ask: Call, advoware: AdvowareWorld, row: Row) -> None:
    advoware.manners.read_seconds, advoware.manners.write_seconds = 0.1, 0.05
    assert ask("GET", f"Beteiligte/{row.bet_nr}").seconds == 0.1
    assert _put(ask, row, tlf="x").seconds == 0.05


def test_staff_at_the_desktop(advoware: AdvowareWorld, row: Row) -> None:
    edited = advoware.edit_row(row.id, tlf="neu@example.de")
    assert (edited.bemerkung, edited.online, edited.komm_kz) == ("Büro", True, 4)
    assert edited.row_id != row.row_id
    other = advoware.add_person("Kopie")
    copied = advoware.copy_row(row.id, bet_nr=other)
    assert (copied.tlf, copied.bemerkung, copied.komm_kz, copied.bet_nr) == (
        "neu@example.de",
        "Büro",
        4,
        other,
    )
    assert copied.id != row.id
    advoware.delete_row(row.id)
    assert advoware.rows(row.bet_nr) == []
    with pytest.raises(KeyError):
        advoware.row(row.id)
    advoware.delete_person(other)
    assert advoware.bet_nrs() == [row.bet_nr]


def test_requests_are_counted_by_kind(ask: Call, advoware: AdvowareWorld, row: Row) -> None:
    ask("GET", f"Beteiligte/{row.bet_nr}")
    _put(ask, row, tlf="x")
    assert advoware.counts[("GET", "Beteiligte/*")] == 1
    assert advoware.counts[("PUT", "Beteiligte/*/Kommunikationen/*")] == 1
    assert advoware.written() == 1
