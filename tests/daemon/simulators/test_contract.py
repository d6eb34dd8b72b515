"""One contract for EspoCRM, kept by the simulator and, where one is named, by a real instance.

`KOMMSYNC_TEST_ESPOCRM_URL` and `KOMMSYNC_TEST_ESPOCRM_API_KEY` name a *test* instance with CBeteiligte and an API user
who may create, read and edit; every run leaves one record there, named "Kommsync Contract".
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from daemon.simulators.espocrm import EspoWorld, mail, phone
from daemon.simulators.espocrm_fields import PERSON
from daemon.simulators.face import serve

URL, KEY = (os.environ.get(f"KOMMSYNC_TEST_ESPOCRM_{name}") for name in ("URL", "API_KEY"))
NUMBER, OTHER = "+493023125123", "+493023125124"


@pytest.fixture(params=["simulator", "real"])
async def session(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[aiohttp.ClientSession]:
    if request.param == "real":
        if not URL or not KEY:
            pytest.skip("KOMMSYNC_TEST_ESPOCRM_URL and KOMMSYNC_TEST_ESPOCRM_API_KEY are not set")
        async with aiohttp.ClientSession(headers={"X-Api-Key": KEY}) as real:
            yield real
        return
    world = EspoWorld(time.time, random.Random(1))
    world.api_user.roles[0].data[PERSON] = {"create": "yes", "read": "all", "edit": "all", "delete": "no"}
    headers = world.headers(world.api_user)
    async with serve(world, time.time) as url, aiohttp.ClientSession(url, headers=headers) as simulated:
        yield simulated


async def _call(
    session: aiohttp.ClientSession, method: str, path: str, body: Any = None
) -> tuple[int, Any, str]:
    base = "" if session._base_url else str(URL).rstrip("/")
    headers = {"X-Skip-Duplicate-Check": "true"}
    async with session.request(method, f"{base}/api/v1/{path}", json=body, headers=headers) as answer:
        shown = await answer.json(content_type=None) if await answer.read() else None
        return answer.status, shown, answer.headers.get("X-Status-Reason", "")


async def test_the_life_of_a_record(session: aiohttp.ClientSession) -> None:
    """Create, read, list, echo, duplicates, refusals: what the daemon leans on most."""
    address = f"contract{time.time_ns()}@example.de"
    phones, mails = [phone(NUMBER, "Office", primary=True)], [mail(address, primary=True)]
    body = {"lastName": "Kommsync Contract", "phoneNumberData": phones, "emailAddressData": mails}
    status, made, _reason = await _call(session, "POST", PERSON, body)
    assert status == 200
    path = f"{PERSON}/{made['id']}"
    _status, read, _reason = await _call(session, "GET", path)
    assert read["modifiedById"] is None
    assert [item["emailAddress"] for item in read["emailAddressData"]] == [address]
    assert set(read["phoneNumberData"][0]) == {"phoneNumber", "type", "primary", "optOut", "invalid"}

    _status, same, _reason = await _call(session, "PUT", path, {"phoneNumberData": read["phoneNumberData"]})
    assert same["modifiedById"] is None  # identical: not even bumped

    where = "whereGroup[0][type]=equals&whereGroup[0][attribute]=emailAddress&whereGroup[0][value]="
    list_call = f"{PERSON}?{where}{address.upper()}&select=id,phoneNumberData&maxSize=5"
    _status, listed, _reason = await _call(session, "GET", list_call)
    assert [row["id"] for row in listed["list"]] == [made["id"]]
    assert "phoneNumberData" not in listed["list"][0]

    bad = {"emailAddressData": [mail("n/a", primary=True)]}
    status, _body, reason = await _call(session, "PUT", path, bad)
    assert (status, "field: emailAddress, type: emailAddress" in reason) == (400, True)

    twice = [phone(OTHER, "Office", primary=True), phone(OTHER, "Fax")]
    await _call(session, "PUT", path, {"phoneNumberData": twice})
    _status, read, _reason = await _call(session, "GET", path)
    assert (read["phoneNumber"], [item["type"] for item in read["phoneNumberData"]]) == (None, ["Fax"])

    _status, echo, _reason = await _call(session, "PUT", path, {"phoneNumber": None, "phoneNumberData": []})
    assert echo["phoneNumberData"] == []
    _status, read, _reason = await _call(session, "GET", path)
    assert (read["phoneNumber"], read["phoneNumberData"]) == (None, [])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{PERSON}?maxSize=201", 403),
        (f"{PERSON}?orderBy=fooBar", 400),
        (f"{PERSON}/6b000000000000000", 404),
        ("FooBar?maxSize=1", 404),
        ("Metadata?key=entityDefs.Nope.fields", 200),
        ("App/user", 200),
    ],
)
async def test_answers_to_odd_questions(session: aiohttp.ClientSession, path: str, status: int) -> None:
    assert (await _call(session, "GET", path))[0] == status
