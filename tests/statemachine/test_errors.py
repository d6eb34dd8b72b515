"""Deliberate exceptions name a reason, a side, and what happened; never a value."""

from __future__ import annotations

import inspect

import pytest

from statemachine import errors
from statemachine.model import Side

ALL = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.KommsyncError)]


@pytest.mark.parametrize("error", [one for one in ALL if one is not errors.Throttled])
def test_reason_and_detail(error: type[errors.KommsyncError]) -> None:
    plain = error("the server said no", side=Side.ADVOWARE)
    assert str(plain) == f"{error.reason}: the server said no"
    assert plain.side is Side.ADVOWARE
    assert str(error()) == error.reason


def test_every_class_has_a_reason_of_its_own() -> None:
    reasons = {one.__dict__.get("reason") for one in ALL}
    assert len(reasons - {None}) == len(ALL) - 1
    assert "reason" not in errors.SideTrouble.__dict__


def test_what_some_say_more() -> None:
    assert errors.KommsyncError(reason="special").reason == "special"
    assert errors.Throttled(30.0, "slow down").retry_after == 30.0
    refused = errors.Refused("400", field="phoneNumber", rule="valid")
    assert (refused.field, refused.rule) == ("phoneNumber", "valid")


def test_the_classes_are_sorted_by_what_happens_next() -> None:
    for one in (errors.SideDown, errors.Throttled, errors.CredentialsRefused):
        assert issubclass(one, errors.SideTrouble)
    for one in (
        errors.IncompleteAnswer,
        errors.ServerError,
        errors.Modified,
        errors.UnexpectedAnswer,
        errors.Refused,
    ):
        assert issubclass(one, errors.RecordTrouble)
    assert issubclass(errors.AccessDenied, errors.HopelessRecord)
