"""The practice software: finding it, getting in, its rows, and every kind of bad answer (facts: Advoware)."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from daemon.advoware import HttpAdvoware
from daemon.advoware_judge import WrongPassword, judge
from daemon.advoware_login import Account, signature
from daemon.clock import SystemClock
from daemon.gate import Gate
from daemon.ports import Answer, Request
from daemon.simulators import faults
from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.face import serve
from daemon.transport import Lost, NotSent, Transport, WireError
from daemon.wire import HttpWire
from statemachine.commands import RowContent
from statemachine.errors import (
    AccessDenied,
    CredentialsRefused,
    IncompleteAnswer,
    KommsyncError,
    RecordMissing,
    Refused,
    ServerError,
    SideDown,
    SideTrouble,
    Throttled,
    UnexpectedAnswer,
    UnknownOutcome,
)
from statemachine.model import Kommunikation, Side
from tests.daemon.wires import (
    VIRTUAL,
    LoopClock,
    ScriptedWire,
    WorldWire,
    date,
    dice,
    gate,
    json_answer,
    text_answer,
    texts,
    transport,
)

ROW = {
    "id": 80001,
    "betNr": 1,
    "rowId": "ABCDEFGHIJKLMNOPABCDEFGHIJKLMNOPABCDEFGH",
    "kommKz": 0,
    "kommArt": 0,
    "tlf": "0511/12345-60",
    "bemerkung": "Zentrale",
    "online": False,
}
READ = Kommunikation(80001, ROW["rowId"], "0511/12345-60", "Zentrale", False, 0)  # type: ignore[arg-type]
CONTENT = RowContent("0511 1", "Text", False, 1)
DISCOVERY = "http://advoware.invalid/AdvonetConfigurator/api/Url"
TOKEN = json_answer({"access_token": "token-1", "expires_in": 3600})


@pytest.fixture
def anyio_backend() -> object:
    return VIRTUAL


def account(**changes: Any) -> Account:
    plain = {
        "kanzlei": "Muster & Partner",
        "database": "ADVOWARE",
        "user": "AB",
        "app_id": "kommsync-app",
        "password": "advoware-password",
        "api_key": base64.b64encode(b"invented advoware api key").decode(),
    }
    return Account(**{**plain, **changes})


def client(
    wire: Any, door: Gate | None = None, clock: LoopClock | None = None, **options: Any
) -> HttpAdvoware:
    line = transport(wire, judge, door or gate(Side.ADVOWARE))
    who = options.pop("account", account())
    return HttpAdvoware(line, clock or LoopClock(), who, **{"discovery_url": DISCOVERY, **options})


def shown(*answers: Answer | WireError) -> HttpAdvoware:
    """A client that already knows where to go and gets its token first."""
    return client(ScriptedWire(TOKEN, *answers), base_url="http://a.invalid", gateway_url="http://g.invalid")


def beteiligte(*rows: object, **more: object) -> dict[str, object]:
    return {"betNr": 1, "rowId": "X", "kommunikation": list(rows), **more}


class Firm:
    """An Advoware in memory with one client in front of it."""

    def __init__(self, **options: Any) -> None:
        self.world = AdvowareWorld(lambda: LoopClock().now(), dice())
        self.bet_nr = self.world.add_person("Muster")
        self.wire = WorldWire(self.world)
        self.door = gate(Side.ADVOWARE)
        self.advoware = client(self.wire, self.door, **options)

    def count(self, method: str, kind: str) -> int:
        return self.world.counts[method, kind]


# -- a Beteiligte --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda one: [one], lambda one: one])
async def test_a_list_with_one_element_and_the_element_alone_are_the_same(
    wrap: Callable[[object], object],
) -> None:
    record = await shown(json_answer(wrap(beteiligte(ROW)))).get(1)
    assert (record.bet_nr, record.rows) == (1, (READ,))


async def test_an_empty_list_is_nobody_and_an_empty_kommunikation_is_somebody_without() -> None:
    with pytest.raises(RecordMissing):
        await shown(json_answer([])).get(1)
    assert (await shown(json_answer([beteiligte()])).get(1)).rows == ()


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"tlf": None}, "tlf", ""),
        ({"bemerkung": None}, "bemerkung", ""),
        ({"kommKz": None}, "komm_kz", 0),
        ({"kommKz": 4}, "komm_kz", 4),
        ({"kommKz": 13}, "komm_kz", 0),
        ({"kommKz": 999}, "komm_kz", 0),
        ({"kommArt": "x", "neu": {}}, "komm_kz", 0),
    ],
)
async def test_what_a_row_may_look_like(change: dict[str, object], field: str, value: object) -> None:
    record = await shown(json_answer([beteiligte({**ROW, **change})])).get(1)
    assert getattr(record.rows[0], field) == value


def lacking(key: str) -> dict[str, object]:
    return {name: value for name, value in ROW.items() if name != key}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ([{"betNr": 1}], IncompleteAnswer),
        ({}, IncompleteAnswer),
        ([beteiligte() | {"kommunikation": None}], IncompleteAnswer),
        ([beteiligte(lacking("id"))], IncompleteAnswer),
        ([beteiligte(lacking("rowId"))], IncompleteAnswer),
        ([beteiligte(lacking("tlf"))], IncompleteAnswer),
        ([beteiligte(lacking("bemerkung"))], IncompleteAnswer),
        ([beteiligte(lacking("online"))], IncompleteAnswer),
        ([beteiligte() | {"kommunikation": {}}], UnexpectedAnswer),
        ([beteiligte() | {"kommunikation": "none"}], UnexpectedAnswer),
        ([beteiligte(None)], UnexpectedAnswer),
        ([beteiligte({**ROW, "id": "80001"})], UnexpectedAnswer),
        ([beteiligte({**ROW, "id": None})], UnexpectedAnswer),
        ([beteiligte({**ROW, "id": -1})], UnexpectedAnswer),
        ([beteiligte({**ROW, "id": 10**30})], UnexpectedAnswer),
        ([beteiligte({**ROW, "rowId": 5})], UnexpectedAnswer),
        ([beteiligte({**ROW, "tlf": 511123})], UnexpectedAnswer),
        ([beteiligte({**ROW, "online": "false"})], UnexpectedAnswer),
        ([beteiligte({**ROW, "online": 1})], UnexpectedAnswer),
        ([beteiligte({**ROW, "kommKz": "1"})], UnexpectedAnswer),
        ([beteiligte(ROW, ROW)], UnexpectedAnswer),
        ([beteiligte(betNr=2)], UnexpectedAnswer),
        ([beteiligte(betNr="1")], UnexpectedAnswer),
        ([beteiligte(), beteiligte()], UnexpectedAnswer),
        ([None], UnexpectedAnswer),
        ([[beteiligte()]], UnexpectedAnswer),
        (None, UnexpectedAnswer),
        (17, UnexpectedAnswer),
        ("text", UnexpectedAnswer),
    ],
)
async def test_a_bad_answer_is_an_error_and_never_an_empty_list(
    body: object, error: type[KommsyncError]
) -> None:
    with pytest.raises(error):
        await shown(json_answer(body)).get(1)


@pytest.mark.parametrize("form", ["html", "json", "scalar", "empty"])
async def test_nonsense_is_an_error(form: str) -> None:
    fault = faults.nonsense(form)
    with pytest.raises(UnexpectedAnswer):
        await shown(Answer(fault.status, fault.headers, fault.body)).get(1)


async def test_convenience_fields_by_either_name() -> None:
    more = {"tel": "0511 1", "faxGesch": "0511 2", "email": "", "emailGesch": None, "mobil": 7, "bea": " x "}
    record = await shown(json_answer([beteiligte(**more)])).get(1)
    assert sorted(record.convenience) == [(1, "0511 1"), (2, "0511 2"), (12, " x ")]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (text_answer("Nicht gefunden.", 404), RecordMissing),
        (text_answer("<html>", 404), UnexpectedAnswer),
        (text_answer("Verboten.", 403), AccessDenied),
        (text_answer("Fehler.", 500), ServerError),
        (text_answer("Der Manager ist nicht angemeldet.", 200), SideDown),
        (text_answer(status=429), Throttled),
        (NotSent("x"), SideDown),
    ],
)
async def test_a_read_that_fails(answer: Answer | WireError, error: type[KommsyncError]) -> None:
    with pytest.raises(error):
        await shown(answer).get(1)


# -- rows ----------------------------------------------------------------------------------------------------


async def test_a_row_is_created_changed_emptied_and_cannot_be_deleted() -> None:
    firm = Firm()
    made = await firm.advoware.post(firm.bet_nr, RowContent("0511 1", "Text", True, 6))
    assert (made.tlf, made.bemerkung, made.online, made.komm_kz) == ("0511 1", "Text", True, 6)
    changed = await firm.advoware.put(firm.bet_nr, made.id, RowContent("", "[ESPOCRM-SLOT:6]", False, 6))
    assert (changed.id, changed.tlf, changed.komm_kz) == (made.id, "", 6)
    assert changed.row_id != made.row_id
    assert not await firm.advoware.delete(firm.bet_nr, made.id)
    (read,) = (await firm.advoware.get(firm.bet_nr)).rows
    assert (read.id, read.bemerkung, read.komm_kz) == (made.id, "[ESPOCRM-SLOT:6]", 0)


async def test_all_four_fields_are_sent() -> None:
    wire = ScriptedWire(TOKEN, json_answer(ROW))
    await client(wire, base_url="http://a.invalid", gateway_url="http://g.invalid").put(1, 80001, CONTENT)
    assert wire.sent[1].json == {"tlf": "0511 1", "bemerkung": "Text", "online": False, "kommKz": 1}
    assert wire.sent[1].url == "http://a.invalid/api/v1/advonet/Beteiligte/1/Kommunikationen/80001"
    assert wire.sent[1].headers == (("Authorization", "Bearer token-1"),)


@pytest.mark.parametrize("answer", [json_answer([ROW], 201), json_answer(ROW, 200)])
async def test_a_row_comes_back_alone_or_in_a_list(answer: Answer) -> None:
    assert await shown(answer).post(1, CONTENT) == READ
    assert await shown(answer).put(1, 80001, CONTENT) == READ


@pytest.mark.parametrize(
    "answer",
    [
        json_answer([]),
        json_answer({}),
        json_answer({**ROW, "id": "80001"}),
        json_answer(lacking("bemerkung")),
        text_answer(""),
        text_answer("<html></html>"),
        text_answer("Gespeichert."),
        text_answer("Der Manager ist nicht angemeldet."),
        text_answer(status=500),
        text_answer(status=502),
        Lost("x"),
    ],
)
async def test_a_write_whose_answer_cannot_be_read_may_have_happened(answer: Answer | WireError) -> None:
    with pytest.raises(UnknownOutcome):
        await shown(answer).post(1, CONTENT)
    with pytest.raises(UnknownOutcome):
        await shown(answer).put(1, 80001, CONTENT)


async def test_an_answer_about_another_row_proves_nothing() -> None:
    with pytest.raises(UnknownOutcome):
        await shown(json_answer({**ROW, "id": 80002})).put(1, 80001, CONTENT)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (text_answer("Der Wert ist zu lang.", 400), Refused),
        (text_answer("Zu lang.", 413), Refused),
        (text_answer("Nicht gefunden.", 404), RecordMissing),
        (text_answer("Verboten.", 403), AccessDenied),
        (NotSent("x"), SideDown),
    ],
)
async def test_a_write_that_did_not_happen(answer: Answer | WireError, error: type[KommsyncError]) -> None:
    with pytest.raises(error):
        await shown(answer).post(1, CONTENT)


async def test_where_deleting_is_allowed_it_is_said() -> None:
    assert await shown(text_answer(status=204)).delete(1, 80001)
    with pytest.raises(CredentialsRefused):
        await shown(text_answer("Das Produkt ist nicht freigeschaltet.", 403)).delete(1, 80001)


# -- finding it ----------------------------------------------------------------------------------------------


def found(**urls: object) -> Answer:
    plain = {"relayUrl": "http://relay.invalid:90/", "securityGateway": "http://gateway.invalid/"}
    return json_answer({**plain, **urls})


@pytest.mark.parametrize(
    ("answer", "options", "hosts"),
    [
        (found(), {}, ("gateway.invalid", "relay.invalid:90")),
        (found(connectorUrl=None), {}, ("gateway.invalid", "relay.invalid:90")),
        (found(connectorUrl=""), {}, ("gateway.invalid", "relay.invalid:90")),
        (found(connectorUrl="http://own.invalid/x"), {}, ("gateway.invalid", "own.invalid")),
        (found(relayUrl=None, connectorUrl="http://own.invalid"), {}, ("gateway.invalid", "own.invalid")),
        (found(securityGateway="http://gateway.invalid"), {}, ("gateway.invalid", "relay.invalid:90")),
        (found(), {"base_url": "http://fixed.invalid"}, ("gateway.invalid", "fixed.invalid")),
        (found(), {"gateway_url": "http://fixed.invalid/"}, ("fixed.invalid", "relay.invalid:90")),
    ],
)
async def test_where_token_and_data_are_asked_for(
    answer: Answer, options: dict[str, Any], hosts: tuple[str, str]
) -> None:
    wire = ScriptedWire(answer, TOKEN, json_answer([beteiligte()]))
    await client(wire, **options).get(1)
    assert wire.sent[0].query == (("Kanzlei", "Muster & Partner"),)
    assert [request.url.split("/")[2] for request in wire.sent[1:]] == list(hosts)
    assert "//" not in wire.sent[2].url.removeprefix("http://")


async def test_fixed_addresses_need_no_discovery() -> None:
    wire = ScriptedWire(TOKEN, json_answer([beteiligte()]))
    await client(wire, base_url="http://a.invalid", gateway_url="http://g.invalid").get(1)
    assert [request.url.split("/")[2] for request in wire.sent] == ["g.invalid", "a.invalid"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (found(relayUrl=None), SideDown),
        (found(securityGateway=None), SideDown),
        (found(relayUrl=17), SideDown),
        (found(relayUrl="ftp://x.invalid"), SideDown),
        (json_answer([]), SideDown),
        (text_answer("<html>"), SideDown),
        (text_answer(""), SideDown),
        (text_answer(status=500), SideDown),
        (text_answer(status=404), SideDown),
        (text_answer("Die Kanzlei ist nicht registriert.", 404), CredentialsRefused),
        (text_answer(status=403), CredentialsRefused),
        (NotSent("x"), SideDown),
        (Lost("x"), SideDown),
    ],
)
async def test_whatever_goes_wrong_with_discovery_is_no_record_s_fault(
    answer: Answer | WireError, error: type[SideTrouble]
) -> None:
    door = gate(Side.ADVOWARE)
    with pytest.raises(error):
        await client(ScriptedWire(answer), door).get(1)
    assert not door.usable


async def test_a_password_is_not_sent_where_tls_got_lost() -> None:
    wire = ScriptedWire(found(), TOKEN)
    with pytest.raises(SideDown, match="TLS"):
        await client(wire, discovery_url="https://advoware.invalid/Url").get(1)
    assert len(wire.sent) == 1


async def test_stale_addresses_are_looked_up_again_after_repeated_connection_errors() -> None:
    firm = Firm()
    firm.world.access.base_url = "http://old.invalid/"
    gone: set[str] = set()
    firm.wire.fault = lambda request: NotSent("gone") if request.url.split("/")[2] in gone else None
    await firm.advoware.get(firm.bet_nr)
    gone.add("old.invalid")
    firm.world.access.base_url = "http://new.invalid/"
    with capture_logs():
        async with anyio.create_task_group() as group:
            group.start_soon(firm.door.tend, firm.advoware.probe)
            with pytest.raises(SideDown):
                await firm.advoware.get(firm.bet_nr)
            began = anyio.current_time()
            await firm.door.wait_until_usable()
            group.cancel_scope.cancel()
    assert anyio.current_time() - began < 60
    await firm.advoware.get(firm.bet_nr)
    assert firm.wire.sent[-1].url.startswith("http://new.invalid/")


async def test_old_addresses_are_kept_while_discovery_is_down_as_well() -> None:
    firm = Firm()
    await firm.advoware.get(firm.bet_nr)
    down = True
    firm.wire.fault = lambda _: NotSent("gone") if down else None
    with capture_logs():
        async with anyio.create_task_group() as group:
            group.start_soon(firm.door.tend, firm.advoware.probe)
            with pytest.raises(SideDown):
                await firm.advoware.get(firm.bet_nr)
            await anyio.sleep(3600)
            down = False
            await firm.door.wait_until_usable()
            group.cancel_scope.cancel()
    assert (await firm.advoware.get(firm.bet_nr)).bet_nr == firm.bet_nr


# -- the token -----------------------------------------------------------------------------------------------


def test_the_check_vector_of_the_facts() -> None:
    who = account(app_id="app-123", api_key=base64.b64encode(b"test-secret-key").decode())
    assert signature(who, "nonce-abc", "2026-08-30T00:00:00.000Z") == (
        "o7rz9KmoXZs550HfzO6ffiG17XwiPmlBHlksUYKZ3jcfolELow51Fw5KlrQqCK5y41aIValDjrh1iQ2GZ2WtqQ=="
    )


async def test_what_is_signed_is_what_is_sent_and_no_nonce_twice() -> None:
    wire = ScriptedWire(TOKEN)
    nonces = set()
    for _ in range(2):
        with pytest.raises(KommsyncError):
            await client(wire, base_url="http://a.invalid", gateway_url="http://g.invalid").get(1)
    for request in wire.sent[::2]:
        body = request.json
        assert isinstance(body, dict)
        assert body["HMAC512Signature"] == signature(account(), body["Nonce"], body["RequestTimeStamp"])
        assert datetime.fromisoformat(body["RequestTimeStamp"]).tzinfo is UTC
        assert body["RequestTimeStamp"].endswith("Z")
        assert (body["Role"], body["Product"], body["Kanzlei"]) == (2, 64, "Muster & Partner")
        nonces.add(body["Nonce"])
    assert len(nonces) == 2


def granted(**more: object) -> Answer:
    return json_answer({"access_token": "t", **more}, Date=date(LoopClock().now()))


def in_utc(seconds: float, form: str) -> str:
    return datetime.fromtimestamp(LoopClock().now() + seconds, UTC).strftime(form)


@pytest.mark.parametrize(
    ("grant", "usable_for"),
    [
        (lambda: granted(expires_in=600), 480),
        (lambda: granted(expires_in=600.5), 480.5),
        (lambda: granted(expires_in=60), 30),
        (lambda: granted(expiration_utc=in_utc(600, "%Y-%m-%dT%H:%M:%SZ")), 480),
        (lambda: granted(expiration_utc=in_utc(600, "%Y-%m-%dT%H:%M:%S.%f1Z")), 480),
        (lambda: granted(expiration_utc=in_utc(600, "%Y-%m-%dT%H:%M:%S")), 480),
        (lambda: granted(expiration_utc=in_utc(600, "%Y-%m-%dT%H:%M:%S+00:00")), 480),
        (granted, 3180),
        (lambda: granted(expires_in=None, expiration_utc=None), 3180),
        (lambda: granted(expires_in="soon", expiration_utc="later"), 3180),
        (lambda: granted(expires_in=0), 3180),
    ],
)
async def test_how_long_a_token_is_used(grant: Callable[[], Answer], usable_for: float) -> None:
    person = json_answer([beteiligte()])
    wire = ScriptedWire(grant(), person)
    advoware = client(wire, base_url="http://a.invalid", gateway_url="http://g.invalid")
    await advoware.get(1)
    await anyio.sleep(usable_for - 2)
    await advoware.get(1)
    assert len(wire.sent) == 3
    await anyio.sleep(4)
    wire.script = [grant(), person]
    await advoware.get(1)
    assert len(wire.sent) == 5


async def test_a_token_expired_on_arrival_is_called_clock_skew() -> None:
    door = gate(Side.ADVOWARE)
    stale = granted(expiration_utc=in_utc(-5, "%Y-%m-%dT%H:%M:%SZ"))
    advoware = client(ScriptedWire(stale), door, base_url="http://a.invalid", gateway_url="http://g.invalid")
    with capture_logs() as logs, pytest.raises(SideDown, match="clock skew"):
        await advoware.get(1)
    assert logs[0]["event"] == "clock_skew"


async def test_a_token_that_only_our_wrong_clock_calls_expired_is_used_and_the_skew_is_said() -> None:
    """The server's own Date tells how long the token lives."""
    server = LoopClock().now() - 7200
    end = datetime.fromtimestamp(server + 600, UTC).isoformat()
    grant = json_answer({"access_token": "t", "expiration_utc": end}, Date=date(server))
    wire = ScriptedWire(grant, json_answer([beteiligte()]))
    advoware = client(wire, base_url="http://a.invalid", gateway_url="http://g.invalid")
    with capture_logs() as logs:
        await advoware.get(1)
    assert [entry["event"] for entry in logs] == ["clock_skew"]


async def test_one_token_for_everybody_who_waits() -> None:
    firm = Firm()
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(firm.advoware.get, firm.bet_nr)
    assert firm.count("POST", "api/v1/Token") == 1


async def test_a_refused_token_is_renewed_once_for_all_and_the_call_repeated_once() -> None:
    firm = Firm()
    await firm.advoware.get(firm.bet_nr)
    firm.world.office.revoke_all()
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(firm.advoware.get, firm.bet_nr)
    assert firm.count("POST", "api/v1/Token") == 2
    assert firm.count("GET", "Beteiligte/*") == 1 + 4 + 4
    assert firm.door.usable


async def test_a_write_is_repeated_after_401_as_it_has_changed_nothing() -> None:
    firm = Firm()
    await firm.advoware.get(firm.bet_nr)
    firm.world.office.revoke_all()
    await firm.advoware.post(firm.bet_nr, CONTENT)
    assert len(firm.world.rows(firm.bet_nr)) == 1


async def test_a_fresh_token_that_is_refused_stops_the_side() -> None:
    firm = Firm()
    firm.wire.fault = lambda request: text_answer(status=401) if "Beteiligte" in request.url else None
    for _ in range(10):
        with pytest.raises(CredentialsRefused):
            await firm.advoware.get(firm.bet_nr)
    assert firm.count("POST", "api/v1/Token") == 2
    assert not firm.door.usable


async def test_a_wrong_password_stops_the_side_and_never_locks_the_account() -> None:
    firm = Firm(account=account(password="wrong"))
    with capture_logs() as logs:
        async with anyio.create_task_group() as group:
            group.start_soon(firm.door.tend, firm.advoware.probe)
            for _ in range(240):
                with pytest.raises(CredentialsRefused):
                    await firm.advoware.get(firm.bet_nr)
                await anyio.sleep(60)
            group.cancel_scope.cancel()
    assert 1 < firm.count("POST", "api/v1/Token") <= 3
    assert not firm.world.office.locked
    assert [entry["reason"] for entry in logs] == ["credentials_refused"]
    assert firm.door.trouble is not None
    assert "restart" in firm.door.trouble.detail or "check" in firm.door.trouble.detail


async def test_a_password_that_is_right_again_over_there_is_taken_within_hours() -> None:
    firm = Firm()
    firm.world.access.password = "other"
    with capture_logs():
        async with anyio.create_task_group() as group:
            group.start_soon(firm.door.tend, firm.advoware.probe)
            with pytest.raises(WrongPassword):
                await firm.advoware.get(firm.bet_nr)
            await anyio.sleep(1800)
            firm.world.access.password = "advoware-password"
            with anyio.fail_after(7 * 3600):
                await firm.door.wait_until_usable()
            group.cancel_scope.cancel()
    await firm.advoware.get(firm.bet_nr)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (text_answer("Falscher Name oder falsches Kennwort.", 401), WrongPassword),
        (text_answer("Falscher Name oder falsches Kennwort.", 200), WrongPassword),
        (text_answer("Der Benutzer ist nicht freigeschaltet.", 200), CredentialsRefused),
        (text_answer("Die Signatur ist ungültig.", 401), CredentialsRefused),
        (text_answer("Verboten.", 403), CredentialsRefused),
        (text_answer("Ungültig.", 400), CredentialsRefused),
        (text_answer("Der Manager ist nicht angemeldet.", 500), SideDown),
        (text_answer("Kaputt.", 500), SideDown),
        (text_answer("Weg.", 404), SideDown),
        (text_answer(""), SideDown),
        (text_answer("<html>"), SideDown),
        (json_answer({}), SideDown),
        (json_answer({"access_token": None}), SideDown),
        (json_answer({"access_token": ""}), SideDown),
        (json_answer({"access_token": "a\nb"}), SideDown),
        (json_answer({"access_token": "tökén"}), SideDown),
        (text_answer(status=429, Retry_After="7"), Throttled),
        (NotSent("x"), SideDown),
        (Lost("x"), SideDown),
    ],
)
async def test_whatever_goes_wrong_with_the_token_is_no_record_s_fault(
    answer: Answer | WireError, error: type[SideTrouble]
) -> None:
    door = gate(Side.ADVOWARE)
    advoware = client(ScriptedWire(answer), door, base_url="http://a.invalid", gateway_url="http://g.invalid")
    with pytest.raises(error):
        await advoware.put(1, 2, CONTENT)
    assert not door.usable


async def test_a_token_service_that_falls_silent_is_an_outage_and_not_a_deadlock() -> None:
    """Asking the probe whether the side lives would wait for the very token that is being waited for."""
    firm = Firm()
    firm.wire.fault = lambda request: Lost("silent") if "Token" in request.url else None
    async with anyio.create_task_group() as group:
        group.start_soon(firm.door.tend, firm.advoware.probe)
        await anyio.lowlevel.checkpoint()
        with capture_logs() as logs, anyio.fail_after(1), pytest.raises(SideDown, match="silent"):
            await firm.advoware.get(firm.bet_nr)
        assert [entry["event"] for entry in logs] == ["side_not_usable"]  # and no probe_crashed
        group.cancel_scope.cancel()


# -- outages -------------------------------------------------------------------------------------------------


async def test_a_night_without_the_manager_costs_one_probe_every_five_minutes() -> None:
    firm = Firm()
    await firm.advoware.get(firm.bet_nr)
    firm.world.manners.manager_offline = True
    before = len(firm.wire.sent)
    with capture_logs() as logs:
        async with anyio.create_task_group() as group:
            group.start_soon(firm.door.tend, firm.advoware.probe)
            with pytest.raises(SideDown, match="Manager"):
                await firm.advoware.get(firm.bet_nr)
            await anyio.sleep(8 * 3600)
            assert 80 < len(firm.wire.sent) - before < 130
            firm.world.manners.manager_offline = False
            await firm.door.wait_until_usable()
            group.cancel_scope.cancel()
    assert [entry["event"] for entry in logs] == ["side_not_usable", "side_usable_again"]


@pytest.mark.parametrize("unknown", ["empty", "404"])
async def test_the_probe_needs_no_beteiligte_that_exists(unknown: Any) -> None:
    firm = Firm()
    firm.world.manners.unknown_bet_nr = unknown
    await firm.advoware.probe()
    firm.world.manners.manager_offline = True
    with pytest.raises(SideDown):
        await firm.advoware.probe()


@pytest.mark.parametrize("first", [True, False])
async def test_one_sick_record_does_not_keep_the_side_down(first: bool) -> None:
    """Neither the one that is asked for before anybody is known, nor the one that was read last."""
    firm = Firm()
    await firm.advoware.get(firm.bet_nr)
    sick, whose = text_answer(status=500), 1 if first else firm.bet_nr
    firm.wire.fault = lambda request: sick if request.url.endswith(f"/{whose}") else None
    with capture_logs():
        async with anyio.create_task_group() as group:
            group.start_soon(firm.door.tend, firm.advoware.probe)
            firm.door.report(SideDown(side=Side.ADVOWARE))
            with anyio.fail_after(120):
                await firm.door.wait_until_usable()
            group.cancel_scope.cancel()


async def test_a_missing_licence_stops_the_side() -> None:
    firm = Firm()
    firm.world.manners.licensed = False
    with pytest.raises(CredentialsRefused, match="licensed"):
        await firm.advoware.get(firm.bet_nr)
    assert not firm.door.usable


async def test_a_null_list_is_incomplete_in_the_world_too() -> None:
    firm = Firm()
    firm.world.manners.null_when_empty = True
    with pytest.raises(IncompleteAnswer):
        await firm.advoware.get(firm.bet_nr)


async def test_losing_every_answer_in_turn_loses_no_certainty() -> None:
    """At whatever request the connection breaks: a write is in doubt only if it may have been seen."""
    for lost in range(3):
        firm = Firm()
        calls = iter(range(100))

        def fault(_: Request, calls: Any = calls, lost: int = lost) -> WireError | None:
            return Lost("x") if next(calls) == lost else None

        firm.wire.fault = fault
        with pytest.raises(UnknownOutcome if lost == 2 else SideDown):
            await firm.advoware.post(firm.bet_nr, CONTENT)


# -- over real HTTP, and what must never be shown ------------------------------------------------------------


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_over_real_http() -> None:
    clock = SystemClock()
    world = AdvowareWorld(clock.now, dice())
    bet_nr = world.add_person("Muster")
    rules = faults.Rules()
    async with serve(world, clock.now, rules) as url, HttpWire(4) as wire:
        door = Gate(Side.ADVOWARE, clock, dice(), max_concurrent=4, per_second=1000)
        line = Transport(door, wire, clock, judge, timeout=5)
        advoware = HttpAdvoware(line, clock, account(), discovery_url=f"{url}/AdvonetConfigurator/api/Url")
        made = await advoware.post(bet_nr, RowContent("max@müller.de", "ä [x]", True, 4))
        assert (await advoware.get(bet_nr)).rows == (
            Kommunikation(made.id, made.row_id, "max@müller.de", "ä [x]", True, 0),
        )
        rules.add(faults.DROP_AFTER, method="PUT", times=None)
        with pytest.raises(UnknownOutcome):
            await advoware.put(bet_nr, made.id, CONTENT)
        assert world.counts["PUT", "Beteiligte/*/Kommunikationen/*"] == 1
        rules.add(faults.nonsense("huge"), method="GET")
        with pytest.raises(UnexpectedAnswer):
            await advoware.get(bet_nr)
        assert (await advoware.get(bet_nr)).rows[0].tlf == "0511 1"


HIDDEN = st.text("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789", min_size=12, max_size=30).map(
    "7".__add__
)


@given(
    hidden=HIDDEN,
    status=st.sampled_from([200, 400, 401, 403, 404, 409, 429, 500, 502, 503]),
    step=st.integers(0, 2),
    shape=st.sampled_from(
        ["{}", '{{"access_token": {{"{}": 1}}}}', '{{"relayUrl": "{}"}}', "Falsches Kennwort {}", '["{}"]']
    ),
)
async def test_no_error_and_no_repr_shows_the_password_the_key_or_the_token(
    hidden: str, status: int, step: int, shape: str
) -> None:
    """Whatever the server echoes, at discovery, token or data."""
    bad = text_answer(shape.format(hidden), status)
    script: list[Answer | Exception] = [
        found(),
        json_answer({"access_token": hidden}),
        json_answer([beteiligte()]),
    ]
    script[step:] = [bad]
    key = base64.b64encode(hidden.encode()).decode()
    who = account(password=hidden, api_key=key)
    assert hidden not in repr(who)
    assert key not in repr(who)
    try:
        await client(ScriptedWire(*script), account=who).put(1, 2, RowContent(hidden, hidden, False, 1))
    except KommsyncError as error:
        for text in texts(error):
            assert hidden not in text
            assert key not in text
