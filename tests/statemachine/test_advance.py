"""What of a plan's base may be kept before its run has come to its end (sync rules §8)."""

from __future__ import annotations

from dataclasses import replace

from statemachine.advance import agreed_so_far
from statemachine.model import Base, Kind, Link, LinkRow

A, B = "+495111234560", "+495111234561"


def link(key: str, value: str, *rows: int) -> Link:
    known = tuple(LinkRow(row, "r", 1, True, value, False, "") for row in rows)
    return Link(key, Kind.PHONE, value, "Office", True, False, False, known)


BEFORE = Base((link("L1", A, 1), link("L2", B, 2)), first=True, counter=2, stamp="then")


def test_only_what_was_agreed_is_new() -> None:
    """A run that did not end says nothing about *first* and about whose edit the record's stamp is."""
    after = replace(
        BEFORE,
        links=(link("L1", B, 1), link("L2", B, 2), link("L3", A, 3)),
        first=False,
        counter=3,
        stamp="now",
    )
    assert agreed_so_far(BEFORE, after) == replace(BEFORE, links=after.links, counter=3)


def test_nothing_new_is_not_written() -> None:
    marked = replace(BEFORE.links[0], rows=(replace(BEFORE.links[0].rows[0], row_id="other"),))
    assert agreed_so_far(BEFORE, replace(BEFORE, links=(marked, BEFORE.links[1]), first=False)) is None


def test_what_ended_is_kept_unless_its_rows_went_over_to_another() -> None:
    """A deletion or a decision is over when it has been carried out."""
    ended = replace(BEFORE, links=(link("L2", B, 2),))
    assert agreed_so_far(BEFORE, ended) is None
    merged = replace(BEFORE, links=(link("L2", B, 1, 2),))
    assert agreed_so_far(BEFORE, merged) == replace(BEFORE, links=(link("L2", B, 1, 2),))
