"""One request: which error every outcome is (states, error classes), and that no error shows what must not be shown."""

import anyio
import anyio.lowlevel
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import advoware_judge, espocrm_judge
from daemon.answers import Reply, decode
from daemon.ports import Answer, Request
from daemon.transport import Lost, NotSent, TooLarge, Unreachable, WireError
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
    SideTrouble,
    Throttled,
    UnexpectedAnswer,
    UnknownOutcome,
)
from statemachine.model import Side
from tests.daemon.wires import (
    START,
    VIRTUAL,
    LoopClock,
    ScriptedWire,
    Seen,
    date,
    gate,
    json_answer,
    nothing,
    text_answer,
    texts,
    transport,
)

GET = Request("GET", "http://crm.invalid/api/v1/CBeteiligte/1")
PUT = Request("PUT", "http://crm.invalid/api/v1/CBeteiligte/1", json={})
JUDGES = {Side.ESPOCRM: espocrm_judge.judge, Side.ADVOWARE: advoware_judge.judge}
OFFLINE = "Der advoware Manager der Kanzlei ist nicht angemeldet."
PAGE = "<html><body>nginx</body></html>"
SAVED = "Record 6b02664591611d68b does not exist."


@pytest.fixture
def anyio_backend() -> object:
    return VIRTUAL


async def outcome(
    side: Side, request: Request, step: Answer | WireError, record: str = "betNr 1"
) -> tuple[type[KommsyncError], bool]:
    """(error class, side still usable) of one request."""
    door = gate(side)
    with pytest.raises(KommsyncError) as caught:
        await transport(ScriptedWire(step), JUDGES[side], door).call(request, _json, record=record)
    return type(caught.value), door.usable


_ANY: msgspec.json.Decoder[dict[str, object]] = msgspec.json.Decoder(dict[str, object])


def _json(reply: Reply) -> object:
    return decode(reply.body, _ANY, Side.ESPOCRM)


E, A = Side.ESPOCRM, Side.ADVOWARE
BOTH = (E, A)


@pytest.mark.parametrize(
    ("sides", "answer", "error", "usable"),
    [
        # the side is down
        (BOTH, text_answer(status=502), SideDown, False),
        (BOTH, text_answer(PAGE, 502), SideDown, False),
        (BOTH, text_answer(status=503), SideDown, False),
        (BOTH, text_answer(status=504), SideDown, False),
        ((E,), json_answer({"message": "Wartung"}, 503, X_Status_Reason="maintenance"), SideDown, False),
        # throttled
        (BOTH, text_answer(status=429), Throttled, False),
        (BOTH, text_answer(status=429, Retry_After="5"), Throttled, False),
        (BOTH, text_answer(status=503, Retry_After="5"), Throttled, False),
        ((A,), text_answer(OFFLINE, 429), Throttled, False),
        # credentials
        ((E,), text_answer(status=401), CredentialsRefused, False),
        ((E,), text_answer(status=403), CredentialsRefused, False),
        (
            (A,),
            text_answer("Falscher Name oder falsches Kennwort.", 500),
            advoware_judge.WrongPassword,
            False,
        ),
        ((A,), text_answer("Das Produkt ist nicht freigeschaltet.", 403), CredentialsRefused, False),
        ((A,), text_answer("Die Kanzlei ist nicht registriert.", 404), CredentialsRefused, False),
        ((A,), text_answer("Die Anmeldung ist abgelaufen.", 401), advoware_judge.TokenRefused, True),
        # German text with any status, even 200
        ((A,), text_answer(OFFLINE, 200), SideDown, False),
        ((A,), text_answer(OFFLINE, 400), SideDown, False),
        ((A,), text_answer(OFFLINE, 404), SideDown, False),
        ((A,), text_answer(OFFLINE, 500), SideDown, False),
        ((A,), text_answer("Etwas ganz anderes.", 200), UnexpectedAnswer, True),
        ((A,), json_answer({"bemerkung": OFFLINE}, 500), ServerError, True),
        # the record
        (BOTH, text_answer(status=500), ServerError, True),
        (BOTH, text_answer(status=501), ServerError, True),
        ((E,), json_answer({}, 409, X_Status_Reason="modified"), Modified, True),
        ((E,), json_answer([], 409, X_Status_Reason="duplicate"), Refused, True),
        ((E,), json_answer([], 409), Refused, True),
        ((E,), text_answer(status=403, X_Status_Reason="No edit access."), AccessDenied, True),
        ((A,), text_answer("Verboten.", 403), AccessDenied, True),
        (BOTH, text_answer(status=400), Refused, True),
        ((A,), text_answer(status=413), Refused, True),
        ((E,), text_answer(status=404, X_Status_Reason=SAVED), RecordMissing, True),
        ((A,), text_answer("Nicht gefunden.", 404), RecordMissing, True),
        # not the record, although the status says so
        ((E,), text_answer(PAGE, 404), UnexpectedAnswer, True),
        (
            (E,),
            text_answer(status=404, X_Status_Reason="Controller 'X' does not exist."),
            UnexpectedAnswer,
            True,
        ),
        ((A,), text_answer(PAGE, 404), UnexpectedAnswer, True),
        # not what the facts describe
        (BOTH, text_answer(status=301, Location="https://elsewhere.invalid"), UnexpectedAnswer, True),
        (BOTH, text_answer(PAGE, 405), UnexpectedAnswer, True),
        ((E,), text_answer(PAGE, 414), UnexpectedAnswer, True),
        (BOTH, text_answer(PAGE, 200), UnexpectedAnswer, True),
        (BOTH, text_answer("", 200), UnexpectedAnswer, True),
        (BOTH, text_answer('{"id": "6b', 200), UnexpectedAnswer, True),
        (BOTH, text_answer("17", 200), UnexpectedAnswer, True),
        (BOTH, text_answer("[" * 100_000, 200), UnexpectedAnswer, True),
        (BOTH, Answer(200, {}, b'{"a": "\xff\xfe"}'), UnexpectedAnswer, True),
        # no answer: without a probe to ask, the side
        (BOTH, NotSent("refused"), Unreachable, False),
        (BOTH, Lost("reset"), SideDown, False),
        (BOTH, TooLarge("10 MB"), UnexpectedAnswer, True),
    ],
)
async def test_what_a_failed_read_is(
    sides: tuple[Side, ...], answer: Answer | WireError, error: type[KommsyncError], usable: bool
) -> None:
    for side in sides:
        assert await outcome(side, GET, answer) == (error, usable)


@pytest.mark.parametrize(
    ("sides", "answer", "error", "usable"),
    [
        # it may have happened
        (BOTH, Lost("reset"), UnknownOutcome, True),
        (BOTH, TooLarge("10 MB"), UnknownOutcome, True),
        (BOTH, text_answer(status=500), UnknownOutcome, True),
        (BOTH, text_answer(status=408), UnknownOutcome, True),
        (BOTH, text_answer(status=502), UnknownOutcome, False),
        (BOTH, text_answer(status=503), UnknownOutcome, False),
        (BOTH, text_answer(status=503, Retry_After="9"), UnknownOutcome, False),
        (BOTH, text_answer(status=504), UnknownOutcome, False),
        (BOTH, text_answer("", 200), UnknownOutcome, True),
        (BOTH, text_answer(PAGE, 200), UnknownOutcome, True),
        ((A,), text_answer(OFFLINE, 200), UnknownOutcome, False),
        ((A,), text_answer(OFFLINE, 500), UnknownOutcome, False),
        # it did not
        (BOTH, NotSent("refused"), Unreachable, False),
        (BOTH, text_answer(status=429), Throttled, False),
        ((E,), text_answer(status=401), CredentialsRefused, False),
        ((A,), text_answer(status=401), advoware_judge.TokenRefused, True),
        (BOTH, text_answer(status=400), Refused, True),
        ((A,), text_answer(OFFLINE, 400), SideDown, False),
        ((A,), text_answer(status=403), AccessDenied, True),
        ((E,), json_answer({}, 409, X_Status_Reason="modified"), Modified, True),
        (BOTH, text_answer(status=302), UnexpectedAnswer, True),
        (BOTH, text_answer(PAGE, 405), UnexpectedAnswer, True),
    ],
)
async def test_what_a_failed_write_is(
    sides: tuple[Side, ...], answer: Answer | WireError, error: type[KommsyncError], usable: bool
) -> None:
    for side in sides:
        assert await outcome(side, PUT, answer) == (error, usable)


async def test_a_write_that_is_called_none_is_none() -> None:
    """Asking for a token is a POST, and repeating it does no harm."""
    door = gate()
    with pytest.raises(SideDown):
        await transport(ScriptedWire(Lost("reset")), espocrm_judge.judge, door).call(
            PUT, nothing, write=False
        )


async def test_a_refused_value_names_field_and_rule() -> None:
    reason = "Field validation failure; entityType: CBeteiligte, field: phoneNumber, type: valid."
    wire = ScriptedWire(json_answer({}, 400, X_Status_Reason=reason))
    with pytest.raises(Refused) as caught:
        await transport(wire, espocrm_judge.judge, gate()).call(PUT, nothing)
    assert (caught.value.field, caught.value.rule) == ("phoneNumber", "valid")


async def test_nothing_is_sent_while_the_side_is_unusable_and_no_write_is_in_doubt() -> None:
    door, wire = gate(), ScriptedWire(json_answer({}))
    door.report(SideDown("gone"))
    with pytest.raises(SideDown):
        await transport(wire, espocrm_judge.judge, door).call(PUT, nothing)
    assert wire.sent == []


async def test_polling_a_pausing_side_does_not_lengthen_the_pause() -> None:
    door = gate()
    line = transport(
        ScriptedWire(text_answer(status=429, Retry_After="3"), json_answer({})), espocrm_judge.judge, door
    )
    began = anyio.current_time()
    with pytest.raises(Throttled):
        await line.call(GET, nothing)

    async def probe() -> None:
        await line.call(GET, nothing)

    async with anyio.create_task_group() as group:
        group.start_soon(door.tend, probe)
        for _ in range(25):
            await anyio.sleep(0.1)
            with pytest.raises(Throttled):
                await line.call(GET, nothing)
        await door.wait_until_usable()
        group.cancel_scope.cancel()
    assert anyio.current_time() - began == pytest.approx(3)


# -- one slow record or a dead side? -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probe_answer", "error", "usable"),
    [
        (json_answer({}), ServerError, True),
        (Lost("too"), SideDown, False),
        (text_answer(status=500), SideDown, False),
    ],
)
async def test_a_probe_tells_a_slow_record_from_a_dead_side(
    probe_answer: Answer | WireError, error: type[KommsyncError], usable: bool
) -> None:
    door = gate(max_concurrent=1)
    line = transport(ScriptedWire(Lost("timeout"), probe_answer), espocrm_judge.judge, door)

    async def probe() -> None:
        await line.call(GET, nothing)

    async with anyio.create_task_group() as group:
        group.start_soon(door.tend, probe)
        await anyio.lowlevel.checkpoint()
        with pytest.raises(error):
            await line.call(GET, nothing, record="betNr 1")
        assert door.usable is usable
        group.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("probe_answer", "last", "usable"),
    [(text_answer(status=500), SideDown, False), (json_answer({}), ServerError, True)],
)
async def test_an_empty_500_on_three_records_asks_the_probe(
    probe_answer: Answer, last: type[KommsyncError], usable: bool
) -> None:
    door = gate()
    wire = ScriptedWire(*[text_answer(status=500)] * 3, probe_answer)
    line = transport(wire, espocrm_judge.judge, door)
    found: list[type[KommsyncError]] = []

    async def probe() -> None:
        await line.call(GET, nothing)

    async with anyio.create_task_group() as group:
        group.start_soon(door.tend, probe)
        await anyio.lowlevel.checkpoint()
        for name in "abc":
            with pytest.raises(KommsyncError) as caught:
                await line.call(GET, nothing, record=name)
            found.append(type(caught.value))
        group.cancel_scope.cancel()
    assert found == [ServerError, ServerError, last]
    assert door.usable is usable


# -- clocks and measures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "12"}, 12),
        ({"Retry_After": " 12 "}, 12),
        ({"Retry_After": "1.5"}, 1.5),
        ({"Retry_After": "-4"}, 0),
        ({"Retry_After": date(START + 90)}, 90),
        ({"Retry_After": date(START - 90)}, 0),
        ({"Retry_After": date(START + 500 + 90), "Date": date(START + 500)}, 90),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "nan"}, None),
        ({"Retry_After": "inf"}, None),
        ({"Retry_After": "Mon, 99 Xyz 99999 99:99:99 GMT"}, None),
        ({}, None),
    ],
)
def test_retry_after_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    reply = Reply.of(text_answer(status=429, **headers), START - 1, START)
    assert reply.retry_after() == seconds


async def test_every_request_is_measured_and_the_clocks_compared() -> None:
    seen = Seen()
    now = LoopClock().now()
    script: list[Answer | Exception] = [
        json_answer({}, Date=date(now + 100)),
        text_answer(status=404),
        NotSent("refused"),
    ]
    line = transport(ScriptedWire(*script), espocrm_judge.judge, gate(), seen)
    reply = await line.call(GET, lambda reply: reply)
    assert (reply.asked_at, reply.answered_at) == (now, now)
    assert reply.server_time == pytest.approx(now + 100, abs=1)
    for _ in range(2):
        with pytest.raises(KommsyncError):
            await line.call(GET, nothing)
    assert [(method, code) for method, code, _ in seen.requests] == [
        ("GET", "200"),
        ("GET", "404"),
        ("GET", "none"),
    ]
    assert seen.offsets == [pytest.approx(100, abs=1)]


def test_a_missing_key_is_told_from_a_wrong_type() -> None:
    class Thing(msgspec.Struct):
        a: int

    things = msgspec.json.Decoder(Thing)
    with pytest.raises(IncompleteAnswer, match="`a`"):
        decode(b"{}", things, Side.ESPOCRM)
    with pytest.raises(UnexpectedAnswer, match=r"\$\.a"):
        decode(b'{"a": "7"}', things, Side.ESPOCRM)


# -- what must never be shown --------------------------------------------------------------------------------

SECRET = st.text(
    "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789+/=", min_size=12, max_size=40
).map("7".__add__)
NUMBER = st.from_regex(r"\+49[ /-]?[1-9][0-9]{2}[ /-]?[0-9]{6,8}", fullmatch=True)
ADDRESS = st.from_regex(r"[a-z]{3,8}\.[a-z]{3,8}@[a-z]{4,8}\.de", fullmatch=True)
STATUSES = st.sampled_from(
    [200, 201, 204, 301, 400, 401, 403, 404, 405, 408, 409, 413, 418, 429, 500, 502, 503, 504]
)


def answers(hidden: str) -> st.SearchStrategy[Answer]:
    """Whatever a server may say with what must not be shown in it: in every place, in every shape."""
    text = st.sampled_from(
        [hidden, f"Der Wert {hidden} ist nicht angemeldet", f'{{"a": "{hidden}"', f'["{hidden}"]']
    )
    shapes = st.one_of(
        text.map(str.encode),
        st.builds(
            lambda key: msgspec.json.encode({key: hidden, hidden: [hidden]}),
            st.sampled_from(["id", "a", "list"]),
        ),
    )
    reasons = st.sampled_from([hidden, f"Record {hidden} not found.", f"field: {hidden}, type: valid", ""])
    return st.builds(
        lambda status, body, reason: Answer(status, {"X-Status-Reason": reason, "Retry-After": hidden}, body),
        STATUSES,
        shapes,
        reasons,
    )


@st.composite
def encounters(draw: st.DrawFn) -> tuple[str, Side, Request, Answer]:
    """What must be hidden, and a request and an answer that are full of it."""
    hidden = draw(st.one_of(SECRET, NUMBER, ADDRESS))
    request = Request(
        draw(st.sampled_from(["GET", "PUT", "POST"])),
        "http://crm.invalid/api",
        query=(("searchParams", hidden), (hidden, "x")),
        headers=(("X-Api-Key", hidden), ("Authorization", f"Bearer {hidden}")),
        json={"phoneNumber": hidden, hidden: hidden},
    )
    return hidden, draw(st.sampled_from(BOTH)), request, draw(answers(hidden))


class Strict(msgspec.Struct):
    id: int


_STRICT = msgspec.json.Decoder(Strict)


@given(encounter=encounters())
async def test_no_error_shows_a_secret_a_number_or_an_address(
    encounter: tuple[str, Side, Request, Answer],
) -> None:
    hidden, side, request, answer = encounter
    door = gate(side)
    line = transport(ScriptedWire(answer), JUDGES[side], door)
    try:
        await line.call(request, lambda reply: decode(reply.body, _STRICT, side), record="betNr 104711")
    except KommsyncError as error:
        for text in texts(error):
            assert hidden not in text
        if isinstance(error, SideTrouble):
            assert hidden not in str(door.trouble)
