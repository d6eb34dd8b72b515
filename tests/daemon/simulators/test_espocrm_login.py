"""Logins, the lock-out and HMAC of the simulated EspoCRM (facts: EspoCRM §8.3, §12)."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from daemon.simulators.espocrm import EspoWorld
from daemon.simulators.espocrm_login import User
from daemon.simulators.wire import Request
from tests.daemon.simulators.worlds import Clock, request

LIST = "/api/v1/CBeteiligte?maxSize=1"


def _status(espo: EspoWorld, headers: dict[str, str]) -> int:
    return espo.answer(Request.of("GET", LIST, headers)).status


def test_without_login_there_is_a_challenge_except_for_post(espo: EspoWorld) -> None:
    get = espo.answer(Request.of("GET", LIST))
    assert (get.status, get.header("WWW-Authenticate"), get.body) == (401, 'Basic realm=""', b"")
    post = espo.answer(request("POST", "/api/v1/CBeteiligte", {}, {"lastName": "x"}))
    assert (post.status, post.header("WWW-Authenticate")) == (401, None)


def test_only_settings_answer_without_login(espo: EspoWorld) -> None:
    shown = espo.answer(Request.of("GET", "/api/v1/Settings")).json()
    assert "version" not in shown
    assert shown["timeZone"] == "Europe/Berlin"


def test_more_than_ten_failures_lock_everybody_out_for_a_minute(espo: EspoWorld, clock: Clock) -> None:
    good, bad = espo.headers(espo.api_user), {"X-Api-Key": "wrong"}
    assert [_status(espo, bad) for _ in range(13)] == [401] * 11 + [403] * 2
    locked = espo.answer(Request.of("GET", LIST, good))
    assert (locked.status, locked.header("X-Status-Reason"), locked.body) == (403, None, b"")
    clock.tick(59)
    assert _status(espo, good) == 403
    clock.tick(1)
    assert _status(espo, good) == 200


def test_ten_failures_do_not(espo: EspoWorld) -> None:
    for _ in range(10):
        _status(espo, {"X-Api-Key": "wrong"})
    assert _status(espo, espo.headers(espo.api_user)) == 200


def test_inactive_users_and_impersonation_are_refused(espo: EspoWorld) -> None:
    headers = espo.headers(espo.api_user)
    assert _status(espo, {**headers, "X-Another-User": "human1"}) == 401
    espo.api_user.is_active = False
    assert _status(espo, headers) == 401


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Bearer x", "Basic aHVtYW4xOndyb25n"])
def test_bad_passwords(espo: EspoWorld, header: str) -> None:
    assert _status(espo, {"Authorization": header}) == 401


def test_a_bearer_next_to_the_key_is_ignored(espo: EspoWorld) -> None:
    assert _status(espo, {**espo.headers(espo.api_user), "Authorization": "Bearer x"}) == 200


def _signed(user: User, message: str, *, raw: bool = False) -> dict[str, str]:
    signature = hmac.new(str(user.secret_key).encode(), message.encode(), hashlib.sha256)
    proof = signature.digest() if raw else signature.hexdigest().encode()
    return {"X-Hmac-Authorization": base64.b64encode(f"{user.api_key}:".encode() + proof).decode()}


def test_hmac_signs_method_and_path_without_query(espo: EspoWorld) -> None:
    user = espo.add_api_user("hmac", "Hmac")
    assert _status(espo, _signed(user, "GET /CBeteiligte")) == 200
    assert _status(espo, _signed(user, "GET /CBeteiligte", raw=True)) == 200
    assert _status(espo, _signed(user, "GET /CBeteiligte?maxSize=1")) == 401
    assert _status(espo, _signed(user, "PUT /CBeteiligte")) == 401
    assert _status(espo, {"X-Api-Key": str(user.api_key)}) == 401
    assert _status(espo, {"X-Hmac-Authorization": "no base64"}) == 401
