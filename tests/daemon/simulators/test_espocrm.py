"""The ugly manners of CBeteiligte one by one, where the recordings do not say it all (facts: EspoCRM §1-§8)."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from daemon.simulators.espocrm import MAIL, PHONE, EspoWorld, NotSaved, mail, phone
from daemon.simulators.espocrm_fields import PERSON, stamp
from daemon.simulators.wire import Request
from tests.daemon.simulators.worlds import Call, Clock

PHONES = [phone("+4951133330", "Office", primary=True), phone("+4951133331", "Fax")]
MAILS = [mail("mod1@ex.de", primary=True), mail("mod2@ex.de")]


@pytest.fixture
def record_id(espo: EspoWorld, clock: Clock) -> str:
    made = espo.create_person(firstName="A", lastName="ModAt", phones=PHONES, mails=MAILS, betnr=1)
    clock.tick(10)
    return made


def _without(item: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in names}


@pytest.mark.parametrize(
    ("body", "bumps"),
    [
        ({}, False),
        ({"fooBar": 1}, False),
        ({"modifiedAt": "2020-01-01 00:00:00", "deleted": True, "createdById": "x"}, False),
        ({"phoneNumberData": PHONES, "emailAddressData": MAILS}, False),
        ({"phoneNumberData": [{**PHONES[0], "phoneNumber": "+49 511 33330"}, PHONES[1]]}, False),
        ({"phoneNumberData": [dict(reversed(item.items())) for item in PHONES]}, False),
        ({"phoneNumberData": PHONES[::-1]}, True),
        ({"phoneNumberData": [_without(PHONES[0], "optOut"), PHONES[1]]}, True),
        ({"emailAddressData": [_without(MAILS[0], "lower"), MAILS[1]]}, True),
        ({"phoneNumberData": [{**PHONES[0], "foo": 1}, PHONES[1]]}, True),
        ({"phoneNumberData": [{**PHONES[0], "primary": 1}, PHONES[1]]}, True),
        ({"emailAddressData": None}, True),
        ({"emailAddress": "MOD1@ex.de"}, True),
        ({"emailAddress": "mod1@ex.de"}, False),
        ({"betnr": "1"}, False),
        ({"betnr": 2}, True),
        ({"kommunikationHash": "abc"}, True),
        ({"syncStatus": "pending_sync"}, False),
    ],
)
def test_what_bumps_modified_at(
    espo: EspoWorld, call: Call, clock: Clock, record_id: str, body: dict[str, Any], bumps: bool
) -> None:
    before = espo.person(record_id)
    answer = call("PUT", f"CBeteiligte/{record_id}", body)
    assert answer.status == 200
    after = espo.person(record_id)
    assert (after["modifiedAt"] == stamp(clock.now)) is bumps
    assert (after["modifiedById"] == espo.api_user.id) is bumps
    assert answer.json()["modifiedAt"] == after["modifiedAt"]
    if not bumps:
        assert after == before


def test_modified_by_is_null_until_the_first_update(espo: EspoWorld, call: Call, record_id: str) -> None:
    assert espo.person(record_id)["modifiedById"] is None
    espo.edit_person(record_id, description="by a human")
    assert espo.person(record_id)["modifiedByName"] == "Hanna Human"
    where = "whereGroup[0][type]=notEquals&whereGroup[0][attribute]=modifiedById&whereGroup[0][value]="
    espo.create_person(lastName="Untouched")
    found = call("GET", f"CBeteiligte?{where}{espo.api_user.id}").json()["list"]
    assert [row["id"] for row in found] == [record_id]  # the untouched one is lost: NULL is never unequal


def test_an_empty_array_is_echoed_with_the_old_scalar(espo: EspoWorld, call: Call, record_id: str) -> None:
    echo = call("PUT", f"CBeteiligte/{record_id}", {"phoneNumberData": []}).json()
    assert (echo["phoneNumber"], echo["phoneNumberData"]) == ("+4951133330", [])
    assert espo.person(record_id)["phoneNumber"] is None


def test_unknown_keys_are_echoed_and_not_stored(espo: EspoWorld, call: Call, record_id: str) -> None:
    odd = [{"phoneNumber": "+49 511 33330", "primary": True, "rowId": "x"}]
    echo = call("PUT", f"CBeteiligte/{record_id}", {"phoneNumberData": odd}).json()
    assert echo["phoneNumberData"] == [{"phoneNumber": "+4951133330", "primary": True, "rowId": "x"}]
    assert espo.person(record_id)["phoneNumberData"] == [phone("+4951133330", "Mobile", primary=True)]


def test_duplicates_in_an_array_destroy_the_primary(espo: EspoWorld, call: Call, record_id: str) -> None:
    twice = [phone("+4951122220", "Office", primary=True), phone("+4951122220", "Fax")]
    mails = [mail("Dup@ex.de", primary=True), mail("DUP@ex.de")]
    call("PUT", f"CBeteiligte/{record_id}", {"phoneNumberData": twice, "emailAddressData": mails})
    after = espo.person(record_id)
    assert (after["phoneNumber"], after["emailAddress"]) == (None, None)
    assert after["phoneNumberData"] == [phone("+4951122220", "Fax")]
    assert after["emailAddressData"] == [mail("DUP@ex.de")]


def test_the_scalar_wins_only_over_an_unchanged_array(espo: EspoWorld, call: Call, record_id: str) -> None:
    call("PUT", f"CBeteiligte/{record_id}", {"phoneNumber": "+4951133331", "phoneNumberData": PHONES})
    assert espo.person(record_id)["phoneNumber"] == "+4951133331"
    assert len(espo.person(record_id)["phoneNumberData"]) == 1
    call("PUT", f"CBeteiligte/{record_id}", {"phoneNumber": "+4951100000", "phoneNumberData": PHONES})
    assert espo.person(record_id)["phoneNumberData"] == PHONES


def test_one_bad_item_refuses_everything(espo: EspoWorld, call: Call, record_id: str) -> None:
    before = espo.person(record_id)
    bad = {"description": "x", "phoneNumberData": [*PHONES, phone("0511 1")], "emailAddressData": []}
    answer = call("PUT", f"CBeteiligte/{record_id}", bad)
    assert answer.status == 400
    assert answer.json()["messageTranslation"]["data"] == {"field": "phoneNumber", "type": "valid"}
    assert espo.person(record_id) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"phoneNumberData": [phone("+495115512345", "Office", primary=True)]}, 400),
        ({"phoneNumber": "+495115512345", "phoneNumberData": [phone("+495115512345", primary=True)]}, 200),
        ({"phoneNumber": None, "phoneNumberData": []}, 200),
        ({"phoneNumberData": []}, 400),
        ({"kommunikationHash": "a"}, 200),
        ({"emailAddressData": []}, 200),
    ],
)
def test_a_stored_bad_primary_spoils_every_array_without_scalar(
    espo: EspoWorld, call: Call, body: dict[str, Any], status: int
) -> None:
    espo.settings["phoneNumberInternational"] = False
    record_id = espo.create_person(lastName="Legacy", phones=[phone("0511 12345-60", "Office", primary=True)])
    espo.settings["phoneNumberInternational"] = True
    assert call("PUT", f"CBeteiligte/{record_id}", body).status == status


def test_the_value_row_belongs_to_everybody(
    espo: EspoWorld, call: Call, clock: Clock, record_id: str
) -> None:
    before = espo.person(record_id)["modifiedAt"]
    other = espo.create_person(lastName="B", phones=[phone("+4951133330", "Home", primary=True, optOut=True)])
    shared = espo.person(record_id)["phoneNumberData"][0]
    assert (shared["type"], shared["optOut"], espo.person(record_id)["modifiedAt"]) == ("Home", True, before)
    espo.edit_person(other, phones=[])
    assert espo.person(record_id)["phoneNumberData"][0]["type"] == "Home"
    espo.edit_value(PHONE, "+4951133330", type="Other")
    assert espo.person(record_id)["phoneNumberData"][0]["type"] == "Other"
    assert espo.person(record_id)["modifiedAt"] == before


def test_an_orphaned_row_is_found_again_by_its_scalar(espo: EspoWorld, call: Call) -> None:
    first = espo.create_person(lastName="A", phones=[phone("+4951144440", "Fax", primary=True)])
    espo.edit_person(first, phones=[])
    second = espo.create_person(lastName="B")
    call("PUT", f"CBeteiligte/{second}", {"phoneNumber": "+4951144440"})
    assert espo.person(second)["phoneNumberData"] == [phone("+4951144440", "Fax", primary=True)]


def test_a_value_of_a_user_keeps_its_type(espo: EspoWorld, call: Call, record_id: str) -> None:
    items = [phone("+4951155550", "Office", primary=True)]
    call("PUT", f"User/{espo.human.id}", {"phoneNumberData": items}, user=espo.admin)
    sent = [phone("+4951155550", "Fax", primary=True, optOut=True)]
    echo = call("PUT", f"CBeteiligte/{record_id}", {"phoneNumberData": sent}).json()
    assert echo["phoneNumberData"] == items == espo.person(record_id)["phoneNumberData"]


def test_deleted_records_vanish_and_come_back_unbumped(
    espo: EspoWorld, call: Call, clock: Clock, record_id: str
) -> None:
    espo.delete_person(record_id)
    deleted_at = stamp(clock.now)
    clock.tick(60)
    assert call("GET", f"CBeteiligte/{record_id}").status == 404
    assert call("PUT", f"CBeteiligte/{record_id}", {"description": "x"}).header("X-Status-Reason") == (
        f"Record {record_id} not found."
    )
    assert call("GET", "CBeteiligte").json() == {"total": 0, "list": []}
    assert call("GET", f"CBeteiligte/{record_id}", user=espo.admin).json()["deleted"] is True
    assert espo.ids(deleted=True) == [record_id]
    espo.restore_person(record_id)
    back = call("GET", f"CBeteiligte/{record_id}").json()
    assert (back["modifiedAt"], back["phoneNumberData"], back["emailAddressData"]) == (
        deleted_at,
        PHONES,
        MAILS,
    )


def test_api_user_may_neither_delete_nor_create(espo: EspoWorld, call: Call, record_id: str) -> None:
    assert call("DELETE", f"CBeteiligte/{record_id}").header("X-Status-Reason") == "No delete access."
    assert call("POST", "CBeteiligte", {"lastName": "x"}).header("X-Status-Reason") == "No create access."


def test_fields_the_role_may_not_edit_are_ignored(espo: EspoWorld, call: Call, record_id: str) -> None:
    role = espo.api_user.roles[0]
    role.field_data = {PERSON: {"phoneNumber": {"read": "yes", "edit": "no"}}}
    assert call("PUT", f"CBeteiligte/{record_id}", {"phoneNumber": None, "phoneNumberData": []}).status == 200
    assert espo.person(record_id)["phoneNumberData"] == PHONES
    role.field_data = {PERSON: {"phoneNumber": {"read": "no", "edit": "no"}}}
    shown = call("GET", f"CBeteiligte/{record_id}").json()
    assert not {"phoneNumber", "phoneNumberData", "phoneNumberIsInvalid"} & shown.keys()


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_without_the_json_type_nothing_is_stored(espo: EspoWorld, record_id: str, content_type: str) -> None:
    headers = {**espo.headers(espo.api_user), "Content-Type": content_type}
    body = b'{"description": "lost"}'
    answer = espo.answer(Request.of("PUT", f"/api/v1/CBeteiligte/{record_id}", headers, body))
    assert answer.status == 200
    assert espo.person(record_id)["description"] is None


@pytest.mark.parametrize(
    ("body", "status"),
    [(b'{"a":', 500), (b'{"a":"\xff"}', 500), (b'"abc"', 400), (b"null", 400), (b"[1]", 200), (b"", 200)],
)
def test_bodies_that_are_no_object(call: Call, record_id: str, body: bytes, status: int) -> None:
    assert call("PUT", f"CBeteiligte/{record_id}", body).status == status


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"X_Version_Number": "1"}, {"description": "x"}, 200),
        ({"X_Version_Number": "0"}, {"description": "x"}, 409),
        ({"X_Version_Number": "abc"}, {"phoneNumberData": PHONES}, 409),
        ({"X_Version_Number": "0"}, {"phoneNumberData": []}, 200),
        ({}, {"description": "x"}, 200),
    ],
)
def test_optimistic_concurrency(
    espo: EspoWorld, call: Call, headers: dict[str, str], body: dict[str, Any], status: int
) -> None:
    espo.entities[PERSON].versioned = True
    record_id = espo.create_person(lastName="Occ")
    answer = call("PUT", f"CBeteiligte/{record_id}", body, **headers)
    assert answer.status == status
    if status == 409:
        assert answer.header("X-Status-Reason") == "modified"
        assert answer.json()["versionNumber"] == 1
    else:
        assert answer.json()["versionNumber"] == 2


def test_an_old_record_has_no_version_until_its_next_write(
    espo: EspoWorld, call: Call, record_id: str
) -> None:
    espo.entities[PERSON].versioned = True
    assert espo.person(record_id)["versionNumber"] is None
    assert (
        call("PUT", f"CBeteiligte/{record_id}", {"betnr": 9}, X_Version_Number="77").json()["versionNumber"]
        == 1
    )


def test_the_two_kinds_of_409(espo: EspoWorld, call: Call, record_id: str) -> None:
    espo.api_user.roles[0].data[PERSON] = {"create": "yes", "read": "all", "edit": "all"}
    found = call("POST", "CBeteiligte", {"firstName": "a", "lastName": "MODAT"})
    assert (found.status, found.header("X-Status-Reason")) == (409, "duplicate")
    assert [row["id"] for row in found.json()] == [record_id]
    assert "phoneNumberData" not in found.json()[0]
    by_mail = {"lastName": "Z", "emailAddressData": [mail("MOD2@ex.de")]}
    assert call("POST", "CBeteiligte", by_mail).status == 409
    assert call("POST", "CBeteiligte", by_mail, X_Skip_Duplicate_Check="1").status == 409
    assert call("POST", "CBeteiligte", by_mail, X_Skip_Duplicate_Check="true").status == 200


def test_routes_and_pages(espo: EspoWorld, call: Call) -> None:
    assert call("GET", "FooBar").header("X-Status-Reason") == "Controller 'FooBar' does not exist."
    assert call("GET", "CBeteiligte/a/b/c/d").header("Content-Type") == "text/html;charset=UTF-8"
    assert call("POST", "CBeteiligte/6b02664591611d68b", {}).status == 405
    assert call("HEAD", "CBeteiligte/6b02664591611d68b").status == 404
    assert call("GET", "Account").header("X-Status-Reason") == "No read access."
    assert call("GET", "").body == b"EspoCRM REST API"
    long = "CBeteiligte?" + "&".join(f"whereGroup[0][value][{n}]=5eedb000000000000" for n in range(190))
    assert call("GET", long).status == 414
    espo.settings["maintenanceMode"] = True
    assert call("GET", "CBeteiligte").status == 503
    assert call("GET", "CBeteiligte", user=espo.admin).status == 200


def test_no_call_before_the_api_root(espo: EspoWorld) -> None:
    assert espo.answer(Request.of("GET", "/CBeteiligte")).status == 404


def test_people_in_the_browser_are_told_no(espo: EspoWorld, record_id: str) -> None:
    with pytest.raises(NotSaved) as caught:
        espo.edit_person(record_id, phones=[phone("k.A.")])
    assert caught.value.answer.status == 400
    assert "511" not in str(caught.value)


def test_requests_are_counted_by_kind(espo: EspoWorld, call: Call, record_id: str) -> None:
    call("GET", "CBeteiligte?maxSize=1")
    call("GET", f"CBeteiligte/{record_id}")
    call("GET", f"CBeteiligte/{record_id}")
    call("PUT", f"CBeteiligte/{record_id}", {"betnr": 1})
    assert espo.counts[("GET", "CBeteiligte")] == 1
    assert espo.counts[("GET", "CBeteiligte/*")] == 2
    assert espo.written() == 1


def test_same_seed_same_world(clock: Clock) -> None:
    def story() -> str:
        world = EspoWorld(clock, random.Random(5))
        ids = [
            world.create_person(lastName=f"N{n}", mails=[mail(f"n{n}@ex.de", primary=True)]) for n in range(3)
        ]
        return json.dumps([world.person(one) for one in ids]) + world.api_user.api_key.__str__()

    assert story() == story()


def test_merge_bumps_the_target_and_buries_the_source(
    espo: EspoWorld, call: Call, clock: Clock, record_id: str
) -> None:
    source = espo.create_person(lastName="Source")
    clock.tick(3)
    data = {"sourceIdList": [source], "attributes": {MAIL.data: [*MAILS, mail("ms@ex.de")]}}
    body = {"entityType": PERSON, "action": "merge", "id": record_id, "data": data}
    merged = call("POST", "Action", body, user=espo.admin).json()
    assert (merged["modifiedAt"], len(merged["emailAddressData"])) == (stamp(clock.now), 3)
    assert call("GET", f"CBeteiligte/{source}").status == 404
