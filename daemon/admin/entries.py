"""The entries of one Beteiligte as people see them, from what is remembered: links, and what is left out and why.

Used by ``show`` and ``explain``. Pure.
"""

from __future__ import annotations

from typing import Any

from statemachine.case import Case, Conflict, Hold, Parked, Unsyncable
from statemachine.model import Link


def entries(case: Case) -> list[dict[str, Any]]:
    """One per link, then one per value that lives on one side only."""
    problems = _problems(case)
    linked = [_of_link(link, problems.get(link.key)) for link in case.base.links]
    return linked + [_of_one_side(one) for one in case.unsyncable if one.link_key is None]


def _of_link(link: Link, problem: str | None) -> dict[str, Any]:
    first = link.rows[0] if link.rows else None
    return {
        "key": link.key,
        "advoware_ids": [row.id for row in link.rows],
        "komm_kz": first.komm_kz if first else None,
        "komm_kz_certain": first.certain if first else False,
        "kind": link.kind.value,
        "advoware_value": first.tlf if first else None,
        "espocrm_value": link.value,
        "espocrm_type": link.type,
        "primary": link.primary,
        "problem": problem,
    }


def _of_one_side(one: Unsyncable) -> dict[str, Any]:
    here = one.side.value == "espocrm"
    return {
        "key": None,
        "advoware_ids": [] if one.advoware_id is None else [one.advoware_id],
        "komm_kz": None,
        "komm_kz_certain": False,
        "kind": one.kind.value,
        "advoware_value": None if here else one.value,
        "espocrm_value": one.value if here else None,
        "espocrm_type": None,
        "primary": False,
        "problem": one.reason,
    }


def _problems(case: Case) -> dict[str, str]:
    """Link → why it is not (or not yet) equal."""
    found = {one.link_key: "pending deletion" for one in case.pending}
    found |= {one.link_key: "held by the fuse" for one in case.vanished if one.hold is Hold.HELD}
    found |= {one.link_key: one.reason for one in case.unsyncable if one.link_key}
    found |= {one.link_key: f"conflict {one.id}" for one in case.conflicts if one.link_key}
    return found


def not_synced(case: Case) -> list[dict[str, Any]]:
    """``why``: unsyncable, parked (frozen, quarantined, not taken), pending, held or conflict; ``reason`` in a word."""
    return [
        *map(_unsyncable, case.unsyncable),
        *map(_parked, case.parked),
        *(
            _line(
                "pending",
                one.side.value,
                None,
                "waits for a second look",
                link_key=one.link_key,
                since=one.since,
            )
            for one in case.pending
        ),
        *(
            _line(
                "held",
                one.side.value,
                one.base_value,
                "the fuse is blown",
                link_key=one.link_key,
                since=one.since,
            )
            for one in case.vanished
            if one.hold is Hold.HELD
        ),
        *map(_conflict, case.conflicts),
    ]


def _line(why: str, side: str | None, value: str | None, reason: str, **more: object) -> dict[str, Any]:
    return {"why": why, "side": side, "value": value, "reason": reason, **more}


def _unsyncable(one: Unsyncable) -> dict[str, Any]:
    return _line(
        "unsyncable",
        one.side.value,
        one.value,
        one.reason,
        kind=one.kind.value,
        advoware_id=one.advoware_id,
        link_key=one.link_key,
    )


def _parked(one: Parked) -> dict[str, Any]:
    side = one.subject.partition(":")[0]
    return _line("parked", side, one.value, one.reason, subject=one.subject, since=one.since)


def _conflict(one: Conflict) -> dict[str, Any]:
    return _line(
        "conflict", None, one.base, one.kind.value, id=one.id, espocrm=one.espocrm, advoware=one.advoware
    )
