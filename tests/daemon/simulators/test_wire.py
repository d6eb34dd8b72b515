"""Requests and PHP's bracket parameters."""

from __future__ import annotations

import pytest

from daemon.simulators.wire import Answer, Request, nested


def test_a_request_from_an_encoded_target() -> None:
    made = Request.of("get", "/api/v1/A%20B?x=1&x=%2B49&empty=", {"X-Api-Key": "k"})
    assert (made.method, made.path, made.parameter("x"), made.parameter("empty")) == (
        "GET",
        "/api/v1/A B",
        "+49",
        "",
    )
    assert (made.header("x-api-key"), made.header("nope"), made.parameter("nope")) == ("k", None, None)
    assert made.target_length == len("/api/v1/A%20Bx=1&x=%2B49&empty=")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", None),
        ("where=1", None),
        ("where[0][type]=a&where[1][type]=b", [{"type": "a"}, {"type": "b"}]),
        ("where[1]=b&where[0]=a", ["a", "b"]),
        ("where[]=a&where[]=b", ["a", "b"]),
        ("where[0][value][0][value][1]=x", [{"value": [{"value": ["x"]}]}]),
    ],
)
def test_brackets(query: str, expected: object) -> None:
    assert nested(Request.of("GET", f"/?{query}").query, "where") == expected


def test_an_empty_answer_is_no_json() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        Answer(200).json()
