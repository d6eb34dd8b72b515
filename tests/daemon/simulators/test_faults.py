"""Misfortune on a schedule."""

from __future__ import annotations

import json

import pytest

from daemon.simulators import faults
from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.faults import FaultyWorld, Rules
from daemon.simulators.wire import Request
from tests.daemon.simulators.worlds import Clock, request


@pytest.fixture
def rules() -> Rules:
    return Rules()


@pytest.fixture
def faulty(advoware: AdvowareWorld, clock: Clock, rules: Rules) -> FaultyWorld:
    bet_nr = advoware.add_person("Müller", None, 1)
    for place in range(3):
        advoware.add_row(bet_nr, 1, f"{place}")
    return FaultyWorld(advoware, clock, rules)


@pytest.fixture
def post(advoware: AdvowareWorld) -> Request:
    target = "/api/v1/advonet/Beteiligte/1/Kommunikationen"
    return request("POST", target, advoware.headers(), {"kommKz": 1, "tlf": "new"})


@pytest.fixture
def get(advoware: AdvowareWorld) -> Request:
    return request("GET", "/api/v1/advonet/Beteiligte/1", advoware.headers())


def _rows(advoware: AdvowareWorld) -> int:
    return len(advoware.rows(1))


def test_without_rules_nothing_happens(faulty: FaultyWorld, advoware: AdvowareWorld, post: Request) -> None:
    delivery = faulty.deliver(post)
    assert delivery.answer is not None
    assert (delivery.answer.status, _rows(advoware)) == (201, 4)


@pytest.mark.parametrize(
    ("fault", "status", "rows"),
    [
        (faults.status(503, b"down"), 503, 3),
        (faults.DROP_BEFORE, None, 3),
        (faults.DROP_AFTER, None, 4),
        (faults.ERROR_AFTER, 500, 4),
        (faults.late(30), None, 3),
    ],
)
def test_answers_and_effects(
    faulty: FaultyWorld,
    advoware: AdvowareWorld,
    rules: Rules,
    post: Request,
    fault: faults.Fault,
    status: int | None,
    rows: int,
) -> None:
    rules.add(fault, method="POST")
    answer = faulty.deliver(post).answer
    assert (answer.status if answer else None) == status
    assert _rows(advoware) == rows


def test_a_late_effect_comes_in_time(
    faulty: FaultyWorld, advoware: AdvowareWorld, rules: Rules, post: Request, get: Request, clock: Clock
) -> None:
    rules.add(faults.late(30))
    faulty.deliver(post)
    clock.tick(29)
    faulty.deliver(get)
    assert (_rows(advoware), faulty.waiting) == (3, 1)
    clock.tick(1)
    faulty.settle()
    assert (_rows(advoware), faulty.waiting) == (4, 0)


def test_a_stale_answer_is_an_earlier_one(
    faulty: FaultyWorld, rules: Rules, post: Request, get: Request
) -> None:
    first = faulty.answer(get)
    faulty.answer(post)
    assert faulty.answer(get).body != first.body
    rules.add(faults.STALE)
    assert faulty.answer(get).body == first.body
    assert faulty.answer(get).body != first.body


def test_a_stale_answer_needs_an_earlier_one(faulty: FaultyWorld, rules: Rules, get: Request) -> None:
    rules.add(faults.STALE)
    assert faulty.answer(get).status == 200


def test_cut_lists(faulty: FaultyWorld, rules: Rules, get: Request) -> None:
    rules.add(faults.cut(1))
    assert len(faulty.answer(get).json()[0]["kommunikation"]) == 1
    assert len(faulty.answer(get).json()[0]["kommunikation"]) == 3


def test_slow_answers_say_how_slow(
    faulty: FaultyWorld, advoware: AdvowareWorld, rules: Rules, get: Request
) -> None:
    advoware.manners.read_seconds = 0.1
    rules.add(faults.slow(2.0))
    assert faulty.deliver(get).seconds == 2.1


def test_rules_choose_by_place_number_and_time(
    faulty: FaultyWorld, rules: Rules, get: Request, clock: Clock
) -> None:
    rules.add(faults.status(500), path="/Beteiligte/2")
    rules.add(faults.status(502), method="GET", skip=1, times=2)
    assert [faulty.answer(get).status for _ in range(4)] == [200, 502, 502, 200]
    rules.clear()
    rules.add(faults.status(503), times=None, since=clock.now + 10, until=clock.now + 20)
    seen = []
    for _ in range(4):
        seen.append(faulty.answer(get).status)
        clock.tick(7)
    assert seen == [200, 200, 503, 200]


def test_too_many_requests(faulty: FaultyWorld, rules: Rules, get: Request) -> None:
    rules.add(faults.too_many(17))
    answer = faulty.answer(get)
    assert (answer.status, answer.header("Retry-After")) == (429, "17")
    assert answer.header("Date") == "Sun, 22 Nov 2026 04:00:00 GMT"


@pytest.mark.parametrize(
    ("form", "parses"), [("html", False), ("json", False), ("scalar", True), ("empty", False)]
)
def test_nonsense(faulty: FaultyWorld, rules: Rules, get: Request, form: str, parses: bool) -> None:
    rules.add(faults.nonsense(form))
    answer = faulty.answer(get)
    assert answer.status == 200
    try:
        json.loads(answer.body)
    except ValueError:
        assert not parses
    else:
        assert parses


def test_a_huge_body(faulty: FaultyWorld, rules: Rules, get: Request) -> None:
    rules.add(faults.nonsense("huge"))
    assert len(faulty.answer(get).body) > 10 * 2**20


def test_a_lost_connection_is_a_504_for_those_who_cannot_lose_one(
    faulty: FaultyWorld, rules: Rules, get: Request
) -> None:
    rules.add(faults.DROP_BEFORE)
    assert faulty.answer(get).status == 504


def test_cutting_what_is_no_json_leaves_it(
    faulty: FaultyWorld, rules: Rules, advoware: AdvowareWorld, get: Request
) -> None:
    advoware.manners.manager_offline = True
    rules.add(faults.cut(1))
    assert "angemeldet" in faulty.answer(get).body.decode()
