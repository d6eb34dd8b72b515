"""Worlds on a clock that only the test moves."""

from __future__ import annotations

import random
from typing import Any

import pytest

from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.espocrm import EspoWorld
from daemon.simulators.espocrm_login import User
from daemon.simulators.wire import Answer
from tests.daemon.simulators.worlds import Call, Clock, request


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def espo(clock: Clock) -> EspoWorld:
    return EspoWorld(clock, random.Random(1))


@pytest.fixture
def advoware(clock: Clock) -> AdvowareWorld:
    return AdvowareWorld(clock, random.Random(2))


@pytest.fixture
def call(espo: EspoWorld) -> Call:
    """`call("PUT", "CBeteiligte/…", {…}, X_Version_Number="1")`, as the API user unless `user` is given."""

    def send(method: str, target: str, body: Any = None, user: User | None = None, **headers: str) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return espo.answer(
            request(method, f"/api/v1/{target}", espo.headers(user or espo.api_user) | given, body)
        )

    return send


@pytest.fixture
def ask(advoware: AdvowareWorld) -> Call:
    """`ask("PUT", "Beteiligte/1/Kommunikationen/2", {…})` with a good token."""

    def send(method: str, target: str, body: Any = None) -> Answer:
        return advoware.answer(request(method, f"/api/v1/advonet/{target}", advoware.headers(), body))

    return send
