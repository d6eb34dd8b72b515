"""Whether both sides can be used now: asked of the running daemon, else of the sides themselves.

Used by :mod:`daemon.admin.status`. A side that refuses our credentials is not asked again for a minute, because both
systems lock out who tries wrong ones too often (facts/EspoCRM §8.3, facts/Advoware §2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import aiohttp
import anyio

from daemon.admin import address
from daemon.admission import pause_note, paused_until
from daemon.outside import Outside
from statemachine.errors import CredentialsRefused, KommsyncError
from statemachine.model import Side

_PATIENCE_SECONDS = 5.0
_REFUSED_PAUSE = 60.0
_PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class SideHealth:
    """``reason``: why it is not usable, None while it is. ``asked``: daemon (it told us) or side (we asked it).
    ``paused_until``: Unix seconds, None while it is not paused, or until somebody resumes."""

    up: bool
    reason: str | None
    paused: bool
    asked: str
    paused_until: float | None = None


async def sides(desk: Outside) -> dict[Side, SideHealth]:
    """Both at once; at most some seconds."""
    told = await _ask_daemon(desk)
    found: dict[Side, SideHealth] = {}

    async def one(side: Side) -> None:
        until = paused_until(await desk.store.get_note(pause_note(side)), desk.clock.now())
        paused, ends = until is not None, None if until is None or math.isinf(until) else until
        if told is None:
            reason = await _ask_side(desk, side)
            found[side] = SideHealth(reason is None, reason, paused, "side", ends)
        else:
            reason = told.get(side)
            up = reason in (None, _PAUSED)
            found[side] = SideHealth(up, None if up else reason, paused, "daemon", ends)

    async with anyio.create_task_group() as both:
        for side in Side:
            both.start_soon(one, side)
    return found


async def _ask_daemon(desk: Outside) -> dict[str, str] | None:
    """What is not fine, by part; None when no daemon answers."""
    base = await anyio.to_thread.run_sync(address.find, desk.settings.store.path)
    if base is None:
        return None
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{base}readyz") as answer:
            body = await answer.json()
            reasons = body.get("reasons")
    except (aiohttp.ClientError, TimeoutError, ValueError, AttributeError):
        return None
    return {str(part): str(why) for part, why in reasons.items()} if isinstance(reasons, dict) else None


async def _ask_side(desk: Outside, side: Side) -> str | None:
    note = f"refused:{side}"
    refused = await desk.store.get_note(note)
    if refused is not None and desk.clock.now() - float(refused) < _REFUSED_PAUSE:
        return CredentialsRefused.reason
    try:
        with anyio.fail_after(_PATIENCE_SECONDS):
            await (desk.espocrm if side is Side.ESPOCRM else desk.advoware).probe()
    except CredentialsRefused as error:
        await desk.store.set_note(note, str(desk.clock.now()))
        return error.reason
    except KommsyncError as error:
        return error.reason
    except TimeoutError:
        return "no_answer"
    return None
