"""The worlds behind real HTTP on loopback."""

from __future__ import annotations

import io
import time

import aiohttp
import pytest

from daemon.simulators import faults
from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.espocrm import EspoWorld, phone
from daemon.simulators.face import serve
from daemon.simulators.faults import Rules
from tests.daemon.simulators.worlds import Clock


async def test_espocrm_over_http(espo: EspoWorld, clock: Clock) -> None:
    record_id = espo.create_person(lastName="Ümlaut", phones=[phone("+4951133330", primary=True)])
    headers = espo.headers(espo.api_user)
    async with serve(espo, clock) as url, aiohttp.ClientSession(url, headers=headers) as session:
        where = {"whereGroup[0][type]": "equals", "whereGroup[0][attribute]": "phoneNumber"}
        query = {**where, "whereGroup[0][value]": "+4951133330", "select": "id,name"}
        async with session.get("/api/v1/CBeteiligte", params=query) as answer:
            assert [row["name"] for row in (await answer.json())["list"]] == ["Ümlaut"]
            assert answer.headers["Date"] == "Sun, 22 Nov 2026 04:00:00 GMT"
        async with session.put(f"/api/v1/CBeteiligte/{record_id}", json={"betnr": 5}) as answer:
            assert answer.status == 200
        async with session.put(
            f"/api/v1/CBeteiligte/{record_id}", data=io.BytesIO(b"x" * (21 * 2**20))
        ) as answer:
            assert answer.status == 413
        packed = {"searchParams": "x" * 9000}
        async with session.get("/api/v1/CBeteiligte", params=packed) as answer:
            assert answer.status == 414
    assert espo.person(record_id)["betnr"] == 5


async def test_advoware_finds_itself(advoware: AdvowareWorld, clock: Clock) -> None:
    async with serve(advoware, clock) as url, aiohttp.ClientSession() as session:
        query = {"Kanzlei": advoware.access.kanzlei}
        async with session.get(f"{url}/AdvonetConfigurator/api/Url", params=query) as answer:
            found = await answer.json()
        assert found["relayUrl"] == f"{url}/"
        headers = advoware.headers()
        async with session.get(f"{found['relayUrl']}api/v1/advonet/Beteiligte/1", headers=headers) as answer:
            assert await answer.json() == []


async def test_lost_connections_and_latency_are_real(espo: EspoWorld, clock: Clock) -> None:
    rules = Rules()
    record_id = espo.create_person(lastName="A")
    headers = espo.headers(espo.api_user)
    async with serve(espo, clock, rules) as url, aiohttp.ClientSession(url, headers=headers) as session:
        rules.add(faults.DROP_AFTER, times=2)  # aiohttp's client sends an idempotent request twice on its own
        with pytest.raises(aiohttp.ClientError):
            await session.put(f"/api/v1/CBeteiligte/{record_id}", json={"betnr": 7})
        assert (espo.person(record_id)["betnr"], espo.written()) == (7, 2)
        rules.add(faults.slow(0.02))
        before = time.monotonic()
        async with session.get("/api/v1/") as answer:
            assert await answer.text() == "EspoCRM REST API"
        assert time.monotonic() - before >= 0.02


async def test_reasons_travel_in_headers(espo: EspoWorld, clock: Clock) -> None:
    headers = espo.headers(espo.api_user)
    async with serve(espo, clock) as url, aiohttp.ClientSession(url, headers=headers) as session:
        answer = await session.head("/api/v1/CBeteiligte/x")
        assert answer.status == 404
        assert answer.headers["X-Status-Reason"].startswith("Action HEAD 'read'")
