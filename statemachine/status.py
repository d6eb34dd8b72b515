"""What people see of the sync on the EspoCRM record: syncStatus and its companions (sync rules §11).

Called by plan (together with data) and by ``daemon/sync.py`` (on its own, when the visible status changes to or from
one that needs attention). Nothing of it is ever read back as a decision.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from statemachine import kommkz, looks
from statemachine.model import AdvowareRecord, EspocrmRecord, Kommunikation, Side
from statemachine.rules import Rules
from statemachine.situation import Situation
from statemachine.states import State

#: Changes to or from these are shown at once, even when no data is written.
LOUD = frozenset({"failed", "conflict", "permanently_failed", "deleted_in_advoware"})

Fields = tuple[tuple[str, str | int | None], ...]


def fields_with_data(situation: Situation, conflict: bool) -> Fields:
    """The sync fields that travel with a write of the arrays."""
    shown: dict[str, str | int | None] = {
        "syncStatus": State.CONFLICT.value if conflict else State.CLEAN.value,
        "advowareLastSync": situation.stamp,
        "kommunikationHash": kommunikation_hash(situation.advoware),
        "syncErrorMessage": None,
        "syncRetryCount": 0,
        "syncNextRetry": None,
        "syncAutoResetAt": None,
    }
    return _allowed(shown, situation.rules)


def fields_alone(
    status: str, reason: str | None, attempts: int, retry_at: str | None, reset_at: str | None, rules: Rules
) -> Fields:
    """The sync fields for a status that changed without data. ``reason``: a sentence without
    contact data; times in UTC as EspoCRM writes them."""
    shown: dict[str, str | int | None] = {
        "syncStatus": status,
        "syncErrorMessage": reason,
        "syncRetryCount": attempts,
        "syncNextRetry": retry_at,
        "syncAutoResetAt": reset_at,
    }
    return _allowed(shown, rules)


def stamp(moment: float) -> str:
    """Unix seconds as EspoCRM writes them: UTC, whole seconds (facts §1.2)."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")


def is_due(record: EspocrmRecord, status: str, answered: bool) -> bool:
    """Whether the visible status must be written on its own: to or from a loud one, or a user's request was
    ``answered`` and would otherwise stay on the screen for ever."""
    visible = record.value_of("syncStatus")
    if visible == status:
        return False
    return status in LOUD or visible in LOUD or (answered and visible in looks.REQUESTS)


def kommunikation_hash(record: AdvowareRecord) -> str:
    """The predecessor's hash: 16 hex digits of MD5 over the sorted rowIds of the sync-relevant rows (facts §5)."""
    ids = sorted(
        row.row_id for row in record.rows if row.tlf.strip() and _kind(row) != kommkz.KommKz.Internet
    )
    return hashlib.md5("".join(ids).encode(), usedforsecurity=False).hexdigest()[:16]


def _kind(row: Kommunikation) -> int:
    """GET hides the kommKz (facts §4.1): a web site is known by its look."""
    return row.komm_kz or kommkz.guess(row.tlf, "ZZ")


def _allowed(shown: dict[str, str | int | None], rules: Rules) -> Fields:
    if not rules.may_write(Side.ESPOCRM):
        return ()
    if shown["syncStatus"] not in rules.status_options:
        del shown["syncStatus"]
    return tuple((name, value) for name, value in shown.items() if name in rules.status_fields)
