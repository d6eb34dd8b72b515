"""The examination: this machine, then both sides at once.

Called by :mod:`daemon.cli`. No side is asked twice after it has refused our credentials.
"""

from __future__ import annotations

from importlib.metadata import version

import anyio
import anyio.to_thread

from daemon.check import espocrm, machine
from daemon.check.finding import Finding, Result, fine, judged, prevent
from daemon.metrics import Metrics
from daemon.outside import Outside, open_outside
from daemon.settings import Settings
from daemon.store import StoreTrouble, owner_of
from statemachine.errors import CredentialsRefused, KommsyncError, SideDown, Throttled
from statemachine.model import Side

_LARGEST_OFFSET = 60.0
_NAMES = {Side.ESPOCRM: "EspoCRM", Side.ADVOWARE: "Advoware"}


async def examine(settings: Settings) -> list[Finding]:
    """Everything. Never raises for what it is about to find."""
    findings = [fine("configuration", "can be read"), *await anyio.to_thread.run_sync(_machine, settings)]
    owner = await anyio.to_thread.run_sync(owner_of, settings.store.path)
    findings.append(fine("daemon", f"runs: {owner}" if owner else "does not run"))
    try:
        async with open_outside(settings, Metrics(version("kommsync")), exclusive=False) as outside:
            for side, found in (await _sides(outside, settings)).items():
                findings += found
                if _reached(side, found):
                    findings.append(_offset(side, outside.metrics))
    except StoreTrouble as error:
        findings.append(prevent("store", error.detail, "See what it says; kommsync check again afterwards."))
    return findings


def _machine(settings: Settings) -> list[Finding]:
    return list(machine.examine(settings))


async def _sides(outside: Outside, settings: Settings) -> dict[Side, list[Finding]]:
    found: dict[Side, list[Finding]] = {}

    async def one(side: Side) -> None:
        found[side] = await _espocrm(outside, settings) if side is Side.ESPOCRM else await _advoware(outside)

    async with anyio.create_task_group() as both:
        for side in Side:
            both.start_soon(one, side)
    return {side: found[side] for side in Side}


def _reached(side: Side, found: list[Finding]) -> bool:
    return all((one.what, one.result) != (_NAMES[side], Result.PREVENTS) for one in found)


async def _espocrm(outside: Outside, settings: Settings) -> list[Finding]:
    try:
        facts = await outside.espocrm.facts()
    except KommsyncError as error:
        return [_unusable(Side.ESPOCRM, error)]
    return list(espocrm.examine(facts, settings))


async def _advoware(outside: Outside) -> list[Finding]:
    try:
        await outside.advoware.probe()
    except KommsyncError as error:
        return [_unusable(Side.ADVOWARE, error)]
    return [fine("Advoware", "reachable, credentials accepted")]


def _unusable(side: Side, error: KommsyncError) -> Finding:
    match error:
        case CredentialsRefused():
            remedy = (
                f"Correct the credentials in [{side}]; then wait a minute, for wrong ones may lock us out."
            )
        case Throttled():
            remedy = "Wait for as long as it says; set max_requests_per_second lower if it comes again."
        case SideDown():
            remedy = "Nothing to do if it is switched off on purpose; else look at its address, name and certificate."
        case _:
            remedy = f"Look at the address and the rights in [{side}]."
    return prevent(_NAMES[side], str(error), remedy)


def _offset(side: Side, metrics: Metrics) -> Finding:
    """As the transport measured it from the answers' Date."""
    labels = {"side": side.value}
    seconds = metrics.registry.get_sample_value("kommsync_clock_offset_seconds", labels) or 0.0
    return judged(
        f"clock of {_NAMES[side]}",
        abs(seconds) <= _LARGEST_OFFSET,
        f"{seconds:+.0f} s against ours",
        "Let both machines ask a time server; signatures are refused and times mislead while they differ.",
        fatal=False,
    )
