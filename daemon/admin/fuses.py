"""``fuse``: what is held, and the operator's word on it (sync rules §9)."""

from __future__ import annotations

from typing import Any

from daemon.admin.desk import OPERATOR, NotPossible
from daemon.store import HeldDeletion, ShownList, SqliteStore
from statemachine.case import Fuse
from statemachine.model import Side


async def held(store: SqliteStore) -> dict[str, Any]:
    """``fuses``: one line per side; ``held``: each deletion with what approving it would do."""
    details = {one.side: one for one in await store.fuse_details()}
    listed = await store.held_deletions()
    fuses = []
    for side in Side:
        one = details.get(side)
        fuses.append(
            {
                "side": side.value,
                "fuse": (one.fuse if one else Fuse.INTACT).value,
                "reason": one.reason if one else None,
                "since": one.at if one else None,
                "held": sum(1 for line in listed if line.side is side),
            }
        )
    return {"fuses": fuses, "held": [_line(line) for line in listed]}


def _line(one: HeldDeletion) -> dict[str, Any]:
    other = "emptied in Advoware" if one.side is Side.ESPOCRM else "removed from EspoCRM"
    return {
        "side": one.side.value,
        "bet_nr": one.bet_nr,
        "espocrm_id": one.espocrm_id,
        "link_key": one.link_key,
        "value": one.base_value,
        "since": one.since,
        "approving": other,
        "rejecting": f"written back to {'EspoCRM' if one.side is Side.ESPOCRM else 'Advoware'}",
    }


async def settle(store: SqliteStore, side: Side, *, approve: bool, shown: ShownList | None = None) -> int:
    """How many deletions were decided. ``shown``: what whoever decides has seen. Raises NotPossible when
    the fuse is intact, or when what is held has changed since it was shown."""
    if await store.fuse(side) is Fuse.INTACT:
        raise NotPossible(f"the fuse of {side} is intact: there is nothing to decide. Type: kommsync fuse")
    settled = await store.settle_fuse(side, approve, OPERATOR, shown)
    if shown and not settled:
        raise NotPossible(f"what the fuse of {side} holds has changed meanwhile. Type: kommsync fuse")
    return settled
