"""List calls: filters, paging and their traps (facts: EspoCRM §1)."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from daemon.simulators.espocrm import EspoWorld, mail, phone
from tests.daemon.simulators.worlds import Call, Clock


@pytest.fixture
def ids(espo: EspoWorld, clock: Clock) -> list[str]:
    made = []
    for place in range(6):
        items = [phone(f"+4951100000{place}", primary=True), phone(f"+4951100001{place}")]
        mails = [mail(f"Nr{place}@ex.de", primary=True)]
        made.append(espo.create_person(lastName=f"N{place}", betnr=place or None, phones=items, mails=mails))
        clock.tick()
    return made


def _found(call: Call, where: list[dict[str, object]], **more: object) -> list[str]:
    packed = quote(json.dumps({"where": where, "orderBy": "id", "order": "asc", **more}))
    answer = call("GET", f"CBeteiligte?searchParams={packed}")
    assert answer.status == 200, answer.header("X-Status-Reason")
    return [row["id"] for row in answer.json()["list"]]


def _item(kind: str, attribute: str, value: object = None) -> dict[str, object]:
    return {"type": kind, "attribute": attribute, "value": value}


@pytest.mark.parametrize(
    ("kind", "attribute", "value", "expected"),
    [
        ("equals", "betnr", 3, [3]),
        ("notEquals", "betnr", 3, [1, 2, 4, 5]),
        ("in", "betnr", [1, "2", 99], [1, 2]),
        ("notIn", "betnr", [1, 2], [3, 4, 5]),
        ("lessThan", "betnr", 3, [1, 2]),
        ("lessThanOrEquals", "betnr", 3, [1, 2, 3]),
        ("between", "betnr", [2, 4], [2, 3, 4]),
        ("isNull", "betnr", None, [0]),
        ("isNotNull", "betnr", None, [1, 2, 3, 4, 5]),
        ("isTrue", "deleted", None, []),
        ("isFalse", "deleted", None, [0, 1, 2, 3, 4, 5]),
        ("equals", "lastName", "n4", [4]),
        ("startsWith", "lastName", "n", [0, 1, 2, 3, 4, 5]),
        ("equals", "phoneNumber", "+49511000013", [3]),
        ("in", "phoneNumber", ["+49511000003", "+49511000014"], [3, 4]),
        ("contains", "phoneNumber", "00001", [0, 1, 2, 3, 4, 5]),
        ("equals", "emailAddress", "NR2@EX.DE", [2]),
        ("isNull", "emailAddress", None, []),
        ("isNotLinked", "modifiedBy", None, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_filters(
    call: Call, ids: list[str], kind: str, attribute: str, value: object, expected: list[int]
) -> None:
    assert _found(call, [_item(kind, attribute, value)]) == [ids[place] for place in expected]


def test_groups_nest(call: Call, ids: list[str]) -> None:
    inner = {"type": "and", "value": [_item("greaterThan", "betnr", 1), _item("lessThan", "betnr", 4)]}
    group = {"type": "or", "value": [_item("equals", "betnr", 5), inner]}
    assert _found(call, [group]) == [ids[2], ids[3], ids[5]]
    assert _found(call, [{"type": "not", "value": [_item("greaterThan", "betnr", 1)]}]) == ids[:2]
    assert _found(call, [_item("equals", "betnr", 5), _item("equals", "betnr", 4)]) == []


@pytest.mark.parametrize("form", ["whereGroup", "where"])
def test_bracket_forms(call: Call, ids: list[str], form: str) -> None:
    where = f"{form}[0][type]=in&{form}[0][attribute]=id&{form}[0][value][0]={ids[1]}&{form}[0][value][1]=zzz"
    assert [row["id"] for row in call("GET", f"CBeteiligte?{where}").json()["list"]] == [ids[1]]


@pytest.mark.parametrize(
    ("size", "status", "rows"),
    [
        ("200", 200, 6),
        ("201", 403, None),
        ("-1", 500, None),
        ("0", 200, 0),
        ("abc", 200, 0),
        ("", 200, 6),
        ("2", 200, 2),
    ],
)
def test_max_size(call: Call, ids: list[str], size: str, status: int, rows: int | None) -> None:
    answer = call("GET", f"CBeteiligte?maxSize={size}")
    assert answer.status == status
    assert (len(answer.json()["list"]) if rows is not None else None) == rows


def test_pages_skip_rows_that_move(espo: EspoWorld, call: Call, clock: Clock, ids: list[str]) -> None:
    page = "CBeteiligte?select=id&orderBy=modifiedAt&order=asc&maxSize=2&offset="
    first = [row["id"] for row in call("GET", f"{page}0").json()["list"]]
    clock.tick()
    espo.edit_person(first[0], description="moved")
    second = [row["id"] for row in call("GET", f"{page}2").json()["list"]]
    assert first + second == [ids[0], ids[1], ids[3], ids[4]]


@pytest.mark.parametrize(("offset", "total"), [(0, -1), (4, -2), (1, -1), (99, -2)])
def test_total_without_counting(call: Call, ids: list[str], offset: int, total: int) -> None:
    answer = call("GET", f"CBeteiligte?maxSize=2&offset={offset}", X_No_Total="true")
    assert answer.json()["total"] == total


def test_lists_never_show_the_arrays(call: Call, ids: list[str]) -> None:
    row = call("GET", "CBeteiligte?maxSize=1&select=id,emailAddressData,phoneNumberData,fooBar").json()[
        "list"
    ][0]
    assert set(row) == {"id", "createdAt", "createdById", "assignedUserId"}
    row = call("GET", "CBeteiligte?maxSize=1").json()["list"][0]
    assert not {"emailAddressData", "phoneNumberData"} & row.keys()
    assert row["phoneNumber"] == "+49511000005"


def test_garbage_times_match_everything_and_zones_are_ignored(
    call: Call, ids: list[str], clock: Clock
) -> None:
    from daemon.simulators.espocrm_fields import stamp

    assert _found(call, [_item("greaterThanOrEquals", "modifiedAt", "garbage")]) == ids
    late = stamp(clock.now - 2).replace(" ", "T") + "+05:00"
    assert _found(call, [_item("greaterThanOrEquals", "modifiedAt", late)]) == ids[4:]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("orderBy=fooBar", "Order by non-existing field 'fooBar'."),
        ("orderBy=id&order=up", "order value is bad."),
        ("where[0][type]=x&where[0][attribute]=id", "Unknown where item type 'x'."),
        ("where[0][type]=equals&where[0][attribute]=x", "Not existing attribute 'x' in where."),
        ("primaryFilter=deleted", "No primary filter 'deleted' for 'CBeteiligte'."),
        ("searchParams={bad", "Invalid search params JSON."),
    ],
)
def test_refusals(call: Call, ids: list[str], query: str, reason: str) -> None:
    answer = call("GET", f"CBeteiligte?{query}")
    assert (answer.status, answer.header("X-Status-Reason")) == (400, reason)


def test_local_times(call: Call, ids: list[str]) -> None:
    base = "CBeteiligte?where[0][attribute]=modifiedAt&where[0][dateTime]=true&where[0][type]="
    assert call("GET", f"{base}today").json()["total"] == 6
    assert call("GET", f"{base}lastXDays&where[0][value]=1").json()["total"] == 6
    assert call("GET", f"{base}before&where[0][value]=2020-01-01").json()["total"] == 0
    assert (
        call("GET", f"{base}after&where[0][value]=x").header("X-Status-Reason")
        == "Bad date value or timezone."
    )
