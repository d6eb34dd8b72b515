"""``conflicts`` and ``resolve`` (sync rules §5, "A decision carries the two values it was made for")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daemon.admin.desk import OPERATOR, NotPossible
from daemon.store import OpenConflict, SqliteStore
from statemachine.case import ConflictKind, Keep


async def waiting(store: SqliteStore) -> list[dict[str, Any]]:
    """Oldest first; what somebody has decided already is not in it."""
    return [_line(one) for one in await store.open_conflicts()]


def _line(one: OpenConflict) -> dict[str, Any]:
    conflict = one.conflict
    return {
        "id": conflict.id,
        "bet_nr": one.bet_nr,
        "kind": conflict.kind.value,
        "base": conflict.base,
        "espocrm": conflict.espocrm,
        "advoware": conflict.advoware,
        "since": conflict.since,
        "emptied": conflict.emptied.value if conflict.emptied else None,
        "espocrm_id": one.espocrm_id,
    }


async def resolve(store: SqliteStore, conflict_id: int, keep: Keep) -> int:
    """The betNr whose next sync carries it out. Raises NotPossible for an id that is void, naming the new one."""
    known = await store.conflict(conflict_id)
    if known is None:
        raise await _void(store, conflict_id)
    if known.conflict.kind is ConflictKind.SIDE_EMPTIED and keep is Keep.BOTH:
        raise NotPossible(
            f"conflict {conflict_id} is about a whole side that was emptied: one side's state must win."
            f" Type: kommsync resolve {conflict_id} --keep espocrm, or --keep advoware"
        )
    if await store.decide(conflict_id, keep, OPERATOR) is None:
        raise await _void(store, conflict_id)
    return known.bet_nr


async def resolve_many(store: SqliteStore, conflict_ids: Sequence[int], keep: Keep) -> list[int]:
    """Each as :func:`resolve` would; returns those that were decided, the others are void or do not allow it."""
    known = await store.these_conflicts(conflict_ids)
    allowed = [
        one.open.conflict.id
        for one in known
        if keep is not Keep.BOTH or one.open.conflict.kind is not ConflictKind.SIDE_EMPTIED
    ]
    return await store.decide_many(allowed, keep, OPERATOR)


async def _void(store: SqliteStore, conflict_id: int) -> NotPossible:
    successor = await store.successor(conflict_id)
    if successor is None:
        return NotPossible(f"conflict {conflict_id} is not open (any more). Type: kommsync conflicts")
    return NotPossible(
        f"conflict {conflict_id} is void: its values have changed since. It is conflict {successor} now."
        f" Look at it (kommsync conflicts), then: kommsync resolve {successor} --keep espocrm|advoware|both"
    )
