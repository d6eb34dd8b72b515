"""What is written on the EspoCRM record for people (sync rules §11)."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from statemachine import status
from statemachine.model import Kommunikation
from statemachine.rules import Direction
from tests.statemachine.world import RULES, World, agreed

FIELDS = frozenset(
    {
        "syncStatus",
        "advowareLastSync",
        "kommunikationHash",
        "syncErrorMessage",
        "syncRetryCount",
        "syncNextRetry",
        "syncAutoResetAt",
    }
)
OPTIONS = frozenset({"clean", "failed", "conflict", "permanently_failed"})
SHOWING = replace(RULES, status_fields=FIELDS, status_options=OPTIONS)


def test_status_travels_with_data_in_one_put() -> None:
    world = World(SHOWING)
    world.row("0511/1234560")
    world.sync()
    assert len([c for c in world.sent if hasattr(c, "phones")]) == 1
    assert world.fields["syncStatus"] == "clean"
    assert world.fields["advowareLastSync"] == "2026-01-01 00:00:00"
    assert world.fields["kommunikationHash"] == status.kommunikation_hash(world.advoware())
    assert (world.fields["syncErrorMessage"], world.fields["syncRetryCount"]) == (None, 0)
    world.quiet()


def test_a_conflict_shows() -> None:
    situation = World(SHOWING).situation()
    assert dict(status.fields_with_data(situation, True))["syncStatus"] == "conflict"


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"status_fields": frozenset({"syncStatus", "syncRetryCount"})}, {"syncStatus", "syncRetryCount"}),
        ({"status_options": frozenset({"failed"})}, FIELDS - {"syncStatus"}),
        ({"status_fields": frozenset()}, set()),
        ({"direction": Direction.TO_ADVOWARE}, set()),
    ],
)
def test_only_what_is_there_and_may_be_written(changes: dict[str, object], names: set[str]) -> None:
    situation = World(replace(SHOWING, **changes)).situation()  # type: ignore[arg-type]
    assert {name for name, _ in status.fields_with_data(situation, False)} == names


def test_status_alone() -> None:
    shown = dict(status.fields_alone("failed", "EspoCRM: 500", 2, "2026-01-01 00:01:00", None, SHOWING))
    assert shown == {
        "syncStatus": "failed",
        "syncErrorMessage": "EspoCRM: 500",
        "syncRetryCount": 2,
        "syncNextRetry": "2026-01-01 00:01:00",
        "syncAutoResetAt": None,
    }


@pytest.mark.parametrize(
    ("visible", "wanted", "answered", "due"),
    [
        ("clean", "clean", True, False),
        ("clean", "failed", False, True),
        ("failed", "clean", False, True),
        ("conflict", "clean", False, True),
        ("clean", "deleted_in_advoware", False, True),
        ("dirty", "clean", True, True),
        ("pending_sync", "clean", True, True),
        ("dirty", "clean", False, False),
        ("", "clean", True, False),
    ],
)
def test_alone_only_to_or_from_what_needs_attention(
    visible: str, wanted: str, answered: bool, due: bool
) -> None:
    world = World()
    world.fields["syncStatus"] = visible
    assert status.is_due(world.espocrm(), wanted, answered) is due


def test_the_hash_covers_sync_relevant_rows_only() -> None:
    """#8: not slots, blanks, web sites; #6: it is written with data only."""
    rows = {
        1: Kommunikation(1, "BBBB", "0511/1234560", "", False, 0),
        2: Kommunikation(2, "AAAA", "max@example.de", "", False, 0),
        3: Kommunikation(3, "CCCC", " ", "[ESPOCRM-SLOT:1]", False, 0),
        4: Kommunikation(4, "DDDD", "www.example.de", "", False, 0),
        5: Kommunikation(5, "EEEE", "Startseite", "", False, 5),
    }
    world = World(rows=rows, shown_kz=True)
    expected = hashlib.md5(b"AAAABBBB", usedforsecurity=False).hexdigest()[:16]
    assert status.kommunikation_hash(world.advoware()) == expected


def test_nothing_is_written_for_the_hash_alone() -> None:
    world = agreed("0511/1234560", rules=SHOWING)
    world.edit_row(101, bemerkung="neu")
    world.sync()
    assert world.history == []


def test_times_are_written_in_utc_and_whole_seconds() -> None:
    """Espocrm facts §1.2."""
    assert status.stamp(0.9) == "1970-01-01 00:00:00"
    assert status.stamp(1_767_225_600.0) == "2026-01-01 00:00:00"
