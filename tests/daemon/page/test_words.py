"""Everything that the core and the daemon can say has words in both languages, and values are compared for the eye."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.page import reasons, words
from daemon.page.language import Language, Text, preferred
from daemon.page.marks import marked
from daemon.page.render import age, moment
from statemachine import acceptance, errors
from statemachine.case import ConflictKind, Keep, Outcome, Variant
from statemachine.decide import Action
from statemachine.model import Kind, Side
from statemachine.states import State, Trigger

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("enum", "names"),
    [
        (State, words.STATES),
        (State, words.STATE_HELP),
        (Trigger, words.TRIGGERS),
        (Variant, words.VARIANTS),
        (Outcome, words.OUTCOMES),
        (ConflictKind, words.CONFLICTS),
        (Keep, words.CHOICES),
        (Kind, words.KINDS),
        (Side, words.SIDES),
        (Action, words.RULES),
    ],
)
def test_every_word_of_the_core_has_a_name(enum: type, names: dict[object, object]) -> None:
    assert set(names) == set(enum)  # type: ignore[call-overload]


def test_every_error_is_explained() -> None:
    kinds = [
        one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.KommsyncError)
    ]
    assert len(kinds) > 10
    assert {one.reason for one in kinds} <= set(reasons.ALL)


def test_every_refusal_of_a_value_is_explained() -> None:
    """``espocrm_form`` names its reasons in its docstring."""
    told = (acceptance.espocrm_form.__doc__ or "").partition("Reasons: ")[2].split("`")[1::2]
    assert len(told) >= 9
    assert set(told) <= set(reasons.VALUES)


#: Words that are handed on as the reason of an event, a parked entry or a problem, and where.
SPOKEN = {"Event": 1, "_park": 1, "unsyncable": 3, "Parked": 1}


def test_every_reason_that_is_spelt_in_the_code_is_explained() -> None:
    said = {word for path in _sources() for word in _spoken(ast.parse(path.read_text(encoding="utf-8")))}
    assert {"discovered", "betnr_changed", "stopping", "quarantined", "betnr_doubled"} <= said
    assert said - set(reasons.ALL) == set()


def _sources() -> list[Path]:
    return [
        path
        for package in ("daemon", "statemachine")
        for path in (ROOT / package).rglob("*.py")
        if not {"simulators", "demo", "check"} & set(path.relative_to(ROOT).parts)
    ]


def _spoken(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        place = SPOKEN.get(name)
        spoken = [node.args[place]] if place is not None and len(node.args) > place else []
        if place is not None or name == "HopelessRecord":
            spoken += [keyword.value for keyword in node.keywords if keyword.arg == "reason"]
        found |= {one.value for one in spoken if isinstance(one, ast.Constant) and one.value}
    return found


def test_reasons_are_put_together() -> None:
    assert reasons.plain("conflict, safe_id").de.count(".") >= 2
    assert reasons.plain("retry by operator") == reasons.RECORDS["retry"]
    assert reasons.plain("7 of 90 entries vanished").de == "7 von 90 Einträgen sind verschwunden."
    assert reasons.plain("conflict 12") == reasons.ENTRIES["conflict"]
    assert reasons.plain("") == Text("", "")
    assert reasons.plain("never_heard_of") == Text("never_heard_of", "never_heard_of")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", Language.DE),
        ("de-AT,en;q=0.8", Language.DE),
        ("en-GB,de;q=0.9", Language.EN),
        ("en;q=0.3, de;q=0.7", Language.DE),
        ("fr, de;q=0.1", Language.DE),
        ("fr", Language.EN),
        ("", Language.EN),
        ("de;q=0, en;q=0.1", Language.EN),
        ("de;q=x", Language.EN),
        ("*", Language.EN),
    ],
)
def test_the_browser_chooses_the_language(header: str, language: Language) -> None:
    assert preferred(header) is language


@given(st.text())
def test_no_header_breaks_it(header: str) -> None:
    assert preferred(header) in Language


@pytest.mark.parametrize(
    ("base", "value", "shown"),
    [
        ("+49511123", "+49511124", "+4951112[4]"),
        ("+495117600000", "+495117620000", "+4951176[2]0000"),
        ("0511 1234", "0511 12345", "0511 1234[5]"),
        ("0511 12345", "0511 1234", "0511 1234[]"),
        ("anna@a.de", "otto@b.example", "[otto@b.example]"),
        ("same", "same", "same"),
        (None, "new", "new"),
        ("gone", "", "[]"),
    ],
)
def test_what_differs_is_found(base: str | None, value: str, shown: str) -> None:
    assert "".join(f"[{one.text}]" if one.differs else one.text for one in marked(base, value)) == shown


@given(st.one_of(st.none(), st.text(max_size=400)), st.text(max_size=400))
def test_nothing_of_a_value_is_lost_and_every_difference_is_marked(base: str | None, value: str) -> None:
    pieces = marked(base, value)
    assert "".join(one.text for one in pieces) == value
    assert any(one.differs for one in pieces) == (base is not None and base != value)


def test_times() -> None:
    assert moment(0, Language.DE) == '<time datetime="1970-01-01T00:00:00Z">01.01.1970 00:00:00 UTC</time>'
    assert moment(0, Language.EN) == '<time datetime="1970-01-01T00:00:00Z">1970-01-01 00:00:00 UTC</time>'
    assert [age(one, Language.DE) for one in (-1, 59, 61, 7300, 86400, 200_000)] == [
        "0 Sek.", "59 Sek.", "1 Min.", "2 Std.", "1 Tag", "2 Tagen",
    ]  # fmt: skip
    assert [age(one, Language.EN) for one in (5, 86400, 200_000)] == ["5 s", "1 day", "2 days"]
