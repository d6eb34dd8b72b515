"""The CRM side: what is sent, what is read, and every kind of bad answer (facts: EspoCRM)."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest

from daemon.answers import Reply
from daemon.clock import SystemClock
from daemon.espocrm import HttpEspocrm, SignIn, by_hmac, by_key
from daemon.espocrm_codec import read_bet_nr, read_page, write_body, write_item
from daemon.espocrm_judge import judge
from daemon.gate import Gate
from daemon.ports import Answer
from daemon.simulators.espocrm import EspoWorld, mail, phone
from daemon.simulators.face import serve
from daemon.transport import Lost, NotSent, Transport
from daemon.wire import HttpWire
from statemachine.commands import PutRecord
from statemachine.errors import (
    AccessDenied,
    CredentialsRefused,
    IncompleteAnswer,
    KommsyncError,
    Modified,
    RecordMissing,
    Refused,
    ServerError,
    SideDown,
    UnexpectedAnswer,
    UnknownOutcome,
)
from statemachine.model import EspocrmRecord, Item, Kind, Side
from tests.daemon.wires import START, ScriptedWire, WorldWire, dice, gate, json_answer, text_answer, transport

ID = "6b02664591611d68b"
MAIL = {
    "emailAddress": "Max@Example.de",
    "lower": "max@example.de",
    "primary": True,
    "optOut": True,
    "invalid": False,
}
PHONE = {"phoneNumber": "+495111234560", "type": "Office", "primary": True, "optOut": False, "invalid": False}
RECORD: dict[str, Any] = {
    "id": ID,
    "deleted": False,
    "modifiedAt": "2026-11-22 03:50:54",
    "modifiedById": None,
    "betnr": 104711,
    "syncStatus": "something_new",
    "syncRetryCount": None,
    "emailAddressData": [MAIL],
    "phoneNumberData": [PHONE],
}


def without(key: str, record: dict[str, Any] = RECORD) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != key}


def client(wire: Any, sign_in: SignIn | None = None, **options: Any) -> HttpEspocrm:
    line = transport(wire, judge, gate())
    return HttpEspocrm(line, "http://crm.invalid/", sign_in or by_key("key"), **options)


class Office:
    """An EspoCRM in memory with one client in front of it."""

    def __init__(self, **settings: Any) -> None:
        self.now = START
        self.world = EspoWorld(lambda: self.now, dice(), **settings)
        self.wire = WorldWire(self.world)
        assert self.world.api_user.api_key
        self.crm = client(self.wire, by_key(self.world.api_user.api_key))

    def add(self, number: int, **more: Any) -> str:
        self.now += 1
        return self.world.create_person(lastName=f"Muster{number}", betnr=number, **more)


def shown(value: object, **headers: Any) -> HttpEspocrm:
    return client(ScriptedWire(json_answer(value, **headers)))


# -- a record ------------------------------------------------------------------------------------------------


async def test_a_record_is_read_with_every_item_as_it_came() -> None:
    record = await shown(RECORD, Date="Sun, 22 Nov 2026 03:51:00 GMT").get(ID)
    assert (record.id, record.bet_nr, record.modified_at) == (ID, 104711, "2026-11-22 03:50:54")
    assert record.emails == (Item(Kind.EMAIL, "Max@Example.de", None, True, True, False),)
    assert record.phones == (Item(Kind.PHONE, "+495111234560", "Office", True, False, False),)
    assert json.loads(record.emails[0].wire) == MAIL
    assert json.loads(record.phones[0].wire) == PHONE
    assert record.fields == (("syncStatus", "something_new"), ("syncRetryCount", None))
    assert record.version_number is None
    assert record.asked_at <= record.answered_at
    assert record.server_time == 1795319460.0


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (without("emailAddressData"), IncompleteAnswer),
        (without("phoneNumberData"), IncompleteAnswer),
        (without("modifiedAt"), IncompleteAnswer),
        (without("id"), IncompleteAnswer),
        ({}, IncompleteAnswer),
        ({**RECORD, "emailAddressData": None}, UnexpectedAnswer),
        ({**RECORD, "phoneNumberData": None}, UnexpectedAnswer),
        ({**RECORD, "phoneNumberData": {}}, UnexpectedAnswer),
        ({**RECORD, "phoneNumberData": "+49"}, UnexpectedAnswer),
        ({**RECORD, "phoneNumberData": [None]}, UnexpectedAnswer),
        ({**RECORD, "phoneNumberData": ["+495111234560"]}, UnexpectedAnswer),
        ({**RECORD, "phoneNumberData": [{**PHONE, "phoneNumber": 495111234560}]}, UnexpectedAnswer),
        ({**RECORD, "phoneNumberData": [{**PHONE, "phoneNumber": None}]}, UnexpectedAnswer),
        ({**RECORD, "phoneNumberData": [{**PHONE, "primary": "true"}]}, UnexpectedAnswer),
        ({**RECORD, "phoneNumberData": [without("type", PHONE)]}, IncompleteAnswer),
        ({**RECORD, "emailAddressData": [without("optOut", MAIL)]}, IncompleteAnswer),
        ({**RECORD, "emailAddressData": [{**MAIL, "invalid": None}]}, UnexpectedAnswer),
        ({**RECORD, "versionNumber": "3"}, UnexpectedAnswer),
        ({**RECORD, "versionNumber": 10**30}, UnexpectedAnswer),
        ({**RECORD, "modifiedAt": 1795319460}, UnexpectedAnswer),
        ({**RECORD, "modifiedAt": "yesterday"}, UnexpectedAnswer),
        ({**RECORD, "id": 7}, UnexpectedAnswer),
        ({**RECORD, "id": "6b02664591611d68c"}, UnexpectedAnswer),
        ({**RECORD, "deleted": True}, RecordMissing),
        ([RECORD], UnexpectedAnswer),
        (None, UnexpectedAnswer),
        ("text", UnexpectedAnswer),
    ],
)
async def test_a_bad_record_is_an_error_and_never_an_empty_array(
    body: object, error: type[KommsyncError]
) -> None:
    with pytest.raises(error):
        await shown(body).get(ID)


@pytest.mark.parametrize(
    "body",
    [b"", b"  ", b"<html></html>", b'{"id": "6b', b"\xff\xfe", b"null", b"[" * 5000, b'{"id": "\\ud800"}'],
)
async def test_what_is_no_json_is_an_error(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        await client(ScriptedWire(Answer(200, {}, body))).get(ID)


async def test_unknown_words_and_further_keys_do_no_harm() -> None:
    odd = {
        **RECORD,
        "syncStatus": "nie gehört",
        "neu": [1],
        "phoneNumberData": [{**PHONE, "type": "Sekretariat"}],
    }
    record = await shown(odd).get(ID)
    assert record.value_of("syncStatus") == "nie gehört"
    assert record.phones[0].type == "Sekretariat"


@pytest.mark.parametrize("value", [1.5, True, [1], {"a": 1}])
async def test_a_sync_field_of_an_odd_type_does_not_stop_anybody(value: object) -> None:
    record = await shown({**RECORD, "syncRetryCount": value}).get(ID)
    assert "syncRetryCount" in dict(record.fields)


@pytest.mark.parametrize(
    ("value", "bet_nr", "problem"),
    [
        (104711, 104711, False),
        ("104711", 104711, False),
        (" 104711 ", 104711, False),
        (None, None, False),
        ("", None, False),
        (0, None, True),
        (-5, None, True),
        (2**31, None, True),
        (1.5, None, True),
        (True, None, True),
        ("0104711", None, True),
        ("12a", None, True),
        ("٣", None, True),
        ([104711], None, True),
        ({}, None, True),
    ],
)
async def test_betnr_in_every_form(value: object, bet_nr: int | None, problem: bool) -> None:
    assert read_bet_nr(value) == (bet_nr, problem)
    assert (await shown({**RECORD, "betnr": value}).get(ID)).bet_nr == bet_nr
    row = {"id": ID, "modifiedAt": "2026-11-22 03:50:54", "betnr": value}
    (listed,) = (await shown({"total": -2, "list": [row]}).census("")).rows
    assert (listed.bet_nr, listed.bet_nr_problem) == (bet_nr, problem)


async def test_a_record_that_does_not_show_its_betnr_has_not_lost_it() -> None:
    """An empty one is shown as null; whoever may not read the field must not end the tracking of everybody."""
    with pytest.raises(IncompleteAnswer):
        await shown(without("betnr")).get(ID)


# -- writing -------------------------------------------------------------------------------------------------


async def test_what_is_sent_back_untouched_bumps_nothing() -> None:
    """Facts §4.1: a missing or extra key, or another order, would bump modifiedAt and come back as an echo."""
    office = Office()
    person = office.add(
        1,
        phones=[phone("+495111234560", "Office", primary=True), phone("+491701234567")],
        mails=[mail("Max@X.de", primary=True)],
    )
    before = await office.crm.get(person)
    office.now += 60
    await office.crm.put(before, PutRecord(before.emails, before.phones, ()))
    after = await office.crm.get(person)
    assert after.modified_at == before.modified_at
    assert (after.emails, set(after.phones)) == (before.emails, set(before.phones))


async def test_only_what_changed_is_touched() -> None:
    record = await shown({**RECORD, "phoneNumberData": [{**PHONE, "extra": [1, 2]}]}).get(ID)
    changed = replace(record.phones[0], type="Home")
    assert write_item(record.phones[0]) == {**PHONE, "extra": [1, 2]}
    assert write_item(changed) == {**PHONE, "type": "Home", "extra": [1, 2]}
    odd = {**MAIL, "lower": "STRANGE"}
    record = await shown({**RECORD, "emailAddressData": [odd]}).get(ID)
    assert write_item(record.emails[0]) == odd
    moved = write_item(replace(record.emails[0], value="Neu@X.de"))
    assert moved == {**odd, "emailAddress": "Neu@X.de", "lower": "neu@x.de"}


def test_a_new_item_has_exactly_the_keys_that_get_shows() -> None:
    assert list(write_item(Item(Kind.EMAIL, "A@x.de", None, True))) == list(MAIL)
    assert list(write_item(Item(Kind.PHONE, "+49", "Fax"))) == list(PHONE)
    assert write_item(Item(Kind.EMAIL, "A@x.de"))["lower"] == "a@x.de"


def test_each_array_goes_with_its_scalar() -> None:
    """Facts §3.6: without it a stored old primary refuses every array."""
    second = Item(Kind.PHONE, "+4922", "Fax", primary=True)
    body = write_body(
        PutRecord(None, (Item(Kind.PHONE, "+4911", "Home"), second), (), (("syncStatus", "clean"),))
    )
    assert body["phoneNumber"] == "+4922"
    assert body["syncStatus"] == "clean"
    assert "emailAddress" not in body
    assert "emailAddressData" not in body
    assert write_body(PutRecord((), None, ())) == {"emailAddress": None, "emailAddressData": []}
    assert write_body(PutRecord(None, None, (), (("syncErrorMessage", None),))) == {"syncErrorMessage": None}


async def test_the_headers_of_a_put() -> None:
    wire = ScriptedWire(json_answer(RECORD))
    record = await client(wire).get(ID)
    await client(wire).put(record, PutRecord(None, (), ()))
    await client(wire).put(replace(record, version_number=7), PutRecord(None, (), ()))
    plain, versioned = (dict(request.headers) for request in wire.sent[1:])
    assert plain["X-Skip-Duplicate-Check"] == "true"
    assert "X-Version-Number" not in plain
    assert versioned["X-Version-Number"] == "7"
    assert wire.sent[1].url == f"http://crm.invalid/api/v1/CBeteiligte/{ID}"


async def test_a_write_arrives() -> None:
    office = Office()
    person = office.add(1)
    record = await office.crm.get(person)
    new = Item(Kind.EMAIL, "max@x.de", None, primary=True, opt_out=True)
    await office.crm.put(record, PutRecord((new,), None, (), (("syncErrorMessage", "nichts"),)))
    after = await office.crm.get(person)
    assert after.emails == (new,)
    assert after.value_of("syncErrorMessage") == "nichts"


def saved(record: EspocrmRecord) -> PutRecord:
    return PutRecord(None, record.phones, ())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (json_answer({"values": {}}, 409, X_Status_Reason="modified"), Modified),
        (json_answer([], 409, X_Status_Reason="duplicate"), Refused),
        (
            text_answer(
                status=400, X_Status_Reason="Field validation failure; field: phoneNumber, type: valid."
            ),
            Refused,
        ),
        (text_answer(status=403, X_Status_Reason="No edit access."), AccessDenied),
        (text_answer(status=403), CredentialsRefused),
        (text_answer(status=401), CredentialsRefused),
        (text_answer(status=404, X_Status_Reason=f"Record {ID} not found."), RecordMissing),
        (text_answer(status=500), UnknownOutcome),
        (text_answer("<html></html>", 200), UnknownOutcome),
        (text_answer("", 200), UnknownOutcome),
        (NotSent("x"), SideDown),
        (Lost("x"), UnknownOutcome),
    ],
)
async def test_a_save_that_fails(answer: Answer | Exception, error: type[KommsyncError]) -> None:
    wire = ScriptedWire(json_answer(RECORD), answer)
    crm = client(wire)
    record = await crm.get(ID)
    with pytest.raises(error):
        await crm.put(record, saved(record))


async def test_the_world_refuses_a_bad_number_and_a_stale_version() -> None:
    office = Office()
    office.world.entities["CBeteiligte"].versioned = True
    person = office.add(1)
    record = await office.crm.get(person)
    bad = Item(Kind.PHONE, "0511 / nein", "Office", primary=True)
    with pytest.raises(Refused) as caught:
        await office.crm.put(record, PutRecord(None, (bad,), ()))
    assert (caught.value.field, caught.value.rule) == ("phoneNumber", "valid")
    assert record.version_number is not None
    office.world.edit_person(person, description="neu")
    good = Item(Kind.PHONE, "+495111234560", "Office", primary=True)
    with pytest.raises(Modified):
        await office.crm.put(record, PutRecord(None, (good,), ()))


# -- lists ---------------------------------------------------------------------------------------------------


async def test_everything_is_listed_once_by_keyset_although_rows_share_a_second() -> None:
    office = Office(recordListMaxSizeLimit=7)
    for number in range(1, 21):
        office.now -= 0.6  # several in one second
        office.add(number)
    assert (await office.crm.facts()).list_limit == 7
    seen: list[str] = []
    after, more = None, True
    while more:
        page = await office.crm.changed("", after)
        seen += [row.id for row in page.rows]
        after, more = (page.rows[-1].modified_at, page.rows[-1].id), page.more
    assert sorted(seen) == sorted(office.world.ids())
    assert len(set(seen)) == 20
    census: list[str] = []
    more = True
    while more:
        page = await office.crm.census(census[-1] if census else "")
        census += [row.id for row in page.rows]
        more = page.more
    assert census == sorted(office.world.ids())


async def test_since_includes_its_own_second() -> None:
    office = Office()
    first, second = office.add(1), office.add(2)
    everything = (await office.crm.changed("", None)).rows
    since = next(row.modified_at for row in everything if row.id == second)
    assert [row.id for row in (await office.crm.changed(since, None)).rows] == [second]
    assert {row.id for row in everything} == {first, second}
    assert everything[0].bet_nr == 1


async def test_a_limit_that_was_lowered_meanwhile_is_learnt() -> None:
    office = Office()
    for number in range(1, 6):
        office.add(number)
    office.world.settings["recordListMaxSizeLimit"] = 2
    page = await office.crm.census("")
    assert len(page.rows) == 2
    assert page.more
    before = len(office.wire.sent)
    await office.crm.census(page.rows[-1].id)
    assert len(office.wire.sent) == before + 1


@pytest.mark.parametrize(
    ("total", "rows", "more"),
    [
        (-1, 2, True),
        (-2, 2, False),
        (-2, 200, False),
        (7, 2, False),
        (500, 200, True),
        (None, 200, True),
        (-1, 0, False),
    ],
)
async def test_whether_there_is_more(total: int | None, rows: int, more: bool) -> None:
    row = {"id": ID, "modifiedAt": "2026-11-22 03:50:54"}
    assert (await shown({"total": total, "list": [row] * rows}).census("")).more is more


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"total": -2}, IncompleteAnswer),
        ({"total": -2, "list": None}, UnexpectedAnswer),
        ({"total": -2, "list": [None]}, UnexpectedAnswer),
        ({"total": -2, "list": [{"id": ID}]}, IncompleteAnswer),
        ({"total": -2, "list": [{"id": "../x", "modifiedAt": None}]}, UnexpectedAnswer),
        ({"total": -2, "list": [{"id": ID, "modifiedAt": "2026-11-22T03:50:54Z"}]}, UnexpectedAnswer),
        ({"total": -2, "list": [{"id": ID, "modifiedAt": 5}]}, UnexpectedAnswer),
        ([], UnexpectedAnswer),
    ],
)
async def test_a_bad_list_is_an_error(body: object, error: type[KommsyncError]) -> None:
    with pytest.raises(error):
        await shown(body).changed("", None)


async def test_a_row_that_was_never_saved_has_no_stamp_and_comes_first() -> None:
    wire = ScriptedWire(json_answer({"total": -2, "list": [{"id": ID, "modifiedAt": None}]}))
    page = await client(wire).changed("", None)
    assert page.rows[0].modified_at == ""
    await client(wire).changed("", ("", ID))
    params = json.loads(dict(wire.sent[-1].query)["searchParams"])
    assert [part["type"] for part in params["where"][0]["value"]] == ["isNotNull", "and"]


async def test_lists_do_not_count() -> None:
    wire = ScriptedWire(json_answer({"total": -2, "list": []}))
    await client(wire).changed("2026-11-22 03:50:54", None)
    assert ("X-No-Total", "true") in wire.sent[0].headers


# -- who we are ----------------------------------------------------------------------------------------------


async def test_hmac_signs_the_path_without_the_query() -> None:
    wire = ScriptedWire(json_answer({"total": -2, "list": []}))
    await client(wire, by_hmac("key", "secret")).census("x")
    digest = hmac.new(b"secret", b"GET /CBeteiligte", hashlib.sha256).hexdigest()
    expected = base64.b64encode(f"key:{digest}".encode()).decode()
    assert ("X-Hmac-Authorization", expected) in wire.sent[0].headers


async def test_hmac_is_accepted_for_reads_and_writes() -> None:
    office = Office()
    user = office.world.add_api_user("hmac-api", "Hmac")
    assert user.api_key
    assert user.secret_key
    crm = client(office.wire, by_hmac(user.api_key, user.secret_key))
    record = await crm.get(office.add(1))
    await crm.put(record, PutRecord((), None, ()))
    assert (await crm.facts()).user_id == user.id


async def test_a_wrong_key_stops_before_it_locks_us_out() -> None:
    office = Office()
    crm = client(office.wire, by_key("wrong"))
    for _ in range(50):
        with pytest.raises(CredentialsRefused):
            await crm.census("")
    assert len(office.wire.sent) == 1


async def test_the_facts_of_a_real_looking_instance() -> None:
    office = Office()
    facts = await office.crm.facts()
    assert facts.user_id == office.world.api_user.id
    assert facts.version == "9.2.7"
    assert "Office" in facts.phone_types
    assert facts.international
    assert (facts.max_phones, facts.max_emails, facts.list_limit) == (10, 10, 200)
    assert facts.time_zone == "Europe/Berlin"
    assert facts.fields["kommunikationHash"]["maxLength"] == 16
    assert facts.entity_rights["edit"] == "all"
    assert facts.task_rights_missing == ()
    assert not facts.optimistic_concurrency


async def test_the_facts_of_an_instance_without_the_entity() -> None:
    """Metadata answers 200 with nothing for what it does not know."""
    office = Office()
    crm = client(office.wire, by_key(office.world.api_user.api_key or ""), entity="CNirgends")
    facts = await crm.facts()
    assert facts.fields == {}
    assert facts.phone_types == ()
    assert facts.entity_rights == {}
    assert not facts.optimistic_concurrency


async def test_missing_rights_for_tasks_are_named() -> None:
    me = {
        "user": {"id": "u"},
        "acl": {"table": {"Task": {"create": "yes", "read": "all", "edit": "own"}, "User": False}},
    }
    wire = ScriptedWire(json_answer(me), json_answer({}), json_answer({}), text_answer("true"))
    facts = await client(wire).facts()
    assert facts.task_rights_missing == ("Task: edit all", "User: read all", "assignmentPermission: all")
    assert facts.optimistic_concurrency


# -- holders and tasks ---------------------------------------------------------------------------------------


async def test_another_holder_of_a_value_is_found_whatever_the_case() -> None:
    office = Office()
    one = office.add(1, mails=[mail("Share@x.de", primary=True, optOut=True)])
    assert await office.crm.holder(Kind.EMAIL, "share@X.de", one) is None
    two = office.add(2, mails=[mail("share@x.de", primary=True, optOut=True)])
    for besides, other in ((one, two), (two, one)):
        found = await office.crm.holder(Kind.EMAIL, "share@X.de", besides)
        assert found is not None
        assert found.id == other
        assert found.emails[0].opt_out
    assert await office.crm.holder(Kind.PHONE, "+495110000000", one) is None


async def test_a_holder_that_vanishes_between_the_two_requests_is_none() -> None:
    wire = ScriptedWire(
        json_answer({"list": [{"id": ID}]}),
        text_answer(status=404, X_Status_Reason=f"Record {ID} does not exist."),
    )
    assert await client(wire).holder(Kind.EMAIL, "a@x.de", "other") is None


async def test_a_task_is_opened_found_and_closed_once() -> None:
    office = Office()
    person, human = office.add(1), office.world.human.id
    assert await office.crm.find_task(person, "Konflikt") is None
    task = await office.crm.open_task(person, "Konflikt", "Bitte ansehen", human, True)
    assert await office.crm.find_task(person, "Konflikt") == task
    assert await office.crm.find_task(person, "Anderes") is None
    await office.crm.close_task(task)
    assert await office.crm.find_task(person, "Konflikt") is None


async def test_a_task_that_was_thrown_away_counts_as_closed() -> None:
    await client(ScriptedWire(text_answer(status=404, X_Status_Reason="Record x not found."))).close_task("x")


async def test_a_task_of_which_nobody_knows_whether_it_was_made() -> None:
    with pytest.raises(UnknownOutcome):
        await client(ScriptedWire(Lost("x"))).open_task(ID, "n", "d", "u", False)
    with pytest.raises(UnknownOutcome):
        await client(ScriptedWire(json_answer({}))).open_task(ID, "n", "d", "u", False)


# -- the whole way -------------------------------------------------------------------------------------------


async def test_maintenance_is_an_outage() -> None:
    office = Office(maintenanceMode=True)
    with pytest.raises(SideDown):
        await office.crm.probe()


async def test_a_deleted_record_is_missing_and_a_sick_one_is_not() -> None:
    office = Office()
    person = office.add(1)
    office.world.delete_person(person)
    with pytest.raises(RecordMissing):
        await office.crm.get(person)
    office.wire.fault = lambda _: text_answer(status=500)
    with pytest.raises(ServerError):
        await office.crm.get(person)


async def test_over_real_http() -> None:
    office = Office()
    person = office.add(1, phones=[phone("+495111234560", "Office", primary=True)])
    async with serve(office.world, lambda: office.now) as url, HttpWire(4) as wire:
        clock = SystemClock()
        door = Gate(Side.ESPOCRM, clock, dice(), max_concurrent=4)
        line = Transport(door, wire, clock, judge, timeout=5)
        crm = HttpEspocrm(line, url, by_key(office.world.api_user.api_key or ""))
        await crm.probe()
        record = await crm.get(person)
        await crm.put(record, PutRecord((Item(Kind.EMAIL, "a&b@x.de", None, True),), None, ()))
        assert (await crm.get(person)).emails[0].value == "a&b@x.de"
        assert [row.id for row in (await crm.changed("", None)).rows] == [person]
        found = await crm.holder(Kind.PHONE, "+495111234560", "other")
        assert found is not None


def test_the_reply_of_a_page_without_rows_has_no_more() -> None:
    reply = Reply.of(json_answer({"total": -1, "list": []}), 0, 0)
    assert not read_page(reply, 200).more
