"""Discovery and tokens of the simulated Advoware (facts: Advoware §1, §2)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.advoware_login import LOCKED, WRONG_PASSWORD, signature
from daemon.simulators.wire import Answer, Request
from tests.daemon.simulators.worlds import Clock, request


def _login(world: AdvowareWorld, clock: Clock, nonce: str = "n", skew: float = 0.0, **changes: Any) -> Answer:
    stamp = datetime.fromtimestamp(clock.now + skew, UTC).isoformat()
    access = world.access
    body = {
        "AppID": access.app_id,
        "Kanzlei": access.kanzlei,
        "Database": access.database,
        "User": access.user,
        "Role": access.role,
        "Product": access.product,
        "Password": access.password,
        "Nonce": nonce,
        "RequestTimeStamp": stamp,
        "HMAC512Signature": signature(access.api_key, f"{access.product}:{access.app_id}:{nonce}:{stamp}"),
    }
    return world.answer(request("POST", "/api/v1/Token", {}, body | changes))


def _read(world: AdvowareWorld, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return world.answer(Request.of("GET", "/api/v1/advonet/Beteiligte/1", headers)).status


def test_the_known_signature() -> None:
    key = base64.b64encode(b"test-secret-key").decode()
    assert signature(key, "64:app-123:nonce-abc:2026-08-30T00:00:00.000Z") == (
        "o7rz9KmoXZs550HfzO6ffiG17XwiPmlBHlksUYKZ3jcfolELow51Fw5KlrQqCK5y41aIValDjrh1iQ2GZ2WtqQ=="
    )


def test_discovery_wants_the_exact_name(advoware: AdvowareWorld) -> None:
    target = "/AdvonetConfigurator/api/Url?Kanzlei="
    headers = {"Host": "127.0.0.1:5000"}
    found = advoware.answer(Request.of("GET", f"{target}Muster%20%26%20Partner", headers)).json()
    base = "http://127.0.0.1:5000/"
    assert found == {"relayUrl": base, "connectorUrl": None, "securityGateway": base}
    advoware.access.connector = True
    found = advoware.answer(Request.of("GET", f"{target}Muster+%26+Partner", headers)).json()
    assert (found["connectorUrl"], found["relayUrl"]) == (base, "http://relay.invalid/")
    cut = advoware.answer(Request.of("GET", f"{target}Muster & Partner", headers))
    assert (cut.status, cut.body.decode()) == (404, "Die Kanzlei ist nicht registriert.")


def test_a_token_works_until_it_expires(advoware: AdvowareWorld, clock: Clock) -> None:
    answer = _login(advoware, clock)
    assert answer.status == 200
    token = answer.json()["access_token"]
    assert answer.json()["expiration_utc"].startswith("2026-11-22T05:00:00")
    assert _read(advoware, token) == 200
    clock.tick(advoware.access.token_seconds)
    assert _read(advoware, token) == 401
    assert _read(advoware, "") == 401


def test_tokens_can_be_revoked(advoware: AdvowareWorld, clock: Clock) -> None:
    token = _login(advoware, clock).json()["access_token"]
    advoware.office.revoke_all()
    assert _read(advoware, token) == 401


def test_the_three_ways_to_tell_the_expiry(advoware: AdvowareWorld, clock: Clock) -> None:
    advoware.access.expiry_as = "expires_in"
    assert _login(advoware, clock, "a").json()["expires_in"] == 3600
    advoware.access.expiry_as = "nothing"
    assert set(_login(advoware, clock, "b").json()) == {"access_token"}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"HMAC512Signature": "x"}, 401),
        ({"RequestTimeStamp": "2026-11-22T04:00:00+00:00"}, 401),
        ({"RequestTimeStamp": "yesterday"}, 401),
        ({"Product": 1}, 401),
        ({"Role": 3}, 403),
        ({"Kanzlei": "Other"}, 401),
        ({"Password": "x"}, 401),
    ],
)
def test_refused_logins(advoware: AdvowareWorld, clock: Clock, change: dict[str, Any], status: int) -> None:
    clock.tick(0.25)
    assert _login(advoware, clock, **change).status == status


def test_a_nonce_counts_once(advoware: AdvowareWorld, clock: Clock) -> None:
    assert _login(advoware, clock, "same").status == 200
    assert _login(advoware, clock, "same").status == 401


def test_clock_skew_is_tolerated_up_to_a_limit(advoware: AdvowareWorld, clock: Clock) -> None:
    assert _login(advoware, clock, "a", skew=299).status == 200
    assert _login(advoware, clock, "b", skew=-301).status == 401
    advoware.access.max_skew_seconds = None
    assert _login(advoware, clock, "c", skew=-99999).status == 200


def test_wrong_passwords_lock_the_account(advoware: AdvowareWorld, clock: Clock) -> None:
    for attempt in range(advoware.access.lock_after):
        assert _login(advoware, clock, f"{attempt}", Password="x").body.decode() == WRONG_PASSWORD
    locked = _login(advoware, clock, "right")
    assert (locked.status, locked.body.decode()) == (403, LOCKED)
    advoware.office.failures = 0
    assert _login(advoware, clock, "unlocked").status == 200


def test_nonsense_instead_of_a_login(advoware: AdvowareWorld) -> None:
    assert advoware.answer(request("POST", "/api/v1/Token", {}, b"{")).status == 400
