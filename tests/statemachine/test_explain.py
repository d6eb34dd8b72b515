"""Every action and every problem has its sentence, in two languages."""

from __future__ import annotations

import ast
import re
from itertools import product
from pathlib import Path

import pytest

from statemachine import explain
from statemachine.decide import Action
from statemachine.diff import Change
from statemachine.draft import PASSING, Entry
from statemachine.explain import ACTIONS, PROBLEMS, satz, sentence
from statemachine.model import Kind
from statemachine.pairing import Tie

CORE = Path(explain.__file__).parent
#: Texts that look like problem words and are none.
NO_PROBLEMS = {"add_to_espocrm", "give_advoware", "give_espocrm"}


def entry(action: Action, problem: str | None) -> Entry:
    return Entry(Tie(Kind.PHONE), Change.SAME, Change.SAME, action, problem)


@pytest.mark.parametrize(
    ("action", "problem"), [*product(Action, [None]), *product([Action.NOTHING], PROBLEMS)]
)
def test_every_word_is_explained(action: Action, problem: str | None) -> None:
    for text in (sentence(entry(action, problem)), satz(entry(action, problem))):
        assert re.fullmatch(r"[A-ZÄÖÜ].*\.", text)
        assert problem is None or "; " in text


def test_nobody_returns_a_word_that_is_not_explained() -> None:
    """Every literal that the carrying modules return, park or note as a reason."""
    words = set(PASSING)
    for name in (
        "admission",
        "into_advoware",
        "into_espocrm",
        "extras",
        "retype",
        "holds",
        "draft",
        "acceptance",
    ):
        words |= _reasons((CORE / f"{name}.py").read_text())
    assert words - NO_PROBLEMS <= set(PROBLEMS)
    assert {"not_taken", "quarantined", "settling", "too_many", "safe_id", "readonly_field"} <= words


def _reasons(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Return) and node.value is not None:
            found |= _words(node.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("_park", "unsyncable"):
            found |= {word for part in node.args for word in _words(part)}
    return found


def _words(node: ast.AST) -> set[str]:
    values = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return {value for value in values if re.fullmatch(r"[a-z]+(_[a-z]+)*", value)} - {
        "email",
        "phone",
        "primary",
    }


def test_a_word_nobody_explained_is_an_error() -> None:
    with pytest.raises(KeyError):
        sentence(entry(Action.NOTHING, "no such word"))


def test_the_tables_hold_nothing_else() -> None:
    assert set(ACTIONS) == set(Action)
    assert sentence(entry(Action.EMPTY_ADVOWARE, "fuse")).startswith("It was deleted in EspoCRM")
    assert satz(entry(Action.EXTRA, "extra")).startswith("Den Eintrag gibt es nur")
