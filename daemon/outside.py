"""Everything the daemon stands on, opened from the settings: the store, both sides with their gates, clock and metrics.

Used by :mod:`daemon.app` and the commands. Whoever wants other wires, another clock or another chance (the demo, the
harness on a virtual clock) hands them in; the composition stays the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import SystemRandom

from daemon import advoware_judge, espocrm_judge
from daemon.advoware import HttpAdvoware
from daemon.advoware_login import Account
from daemon.answers import Reply
from daemon.clock import SystemClock
from daemon.espocrm import HttpEspocrm, SignIn, by_hmac, by_key
from daemon.gate import DOWN_FIRST, Gate, Trouble
from daemon.lookonly import LookOnlyAdvoware, LookOnlyEspocrm
from daemon.metrics import NOWHERE, Metrics
from daemon.ports import Advoware, Clock, Espocrm, Random, Wire
from daemon.settings import Settings
from daemon.store import SqliteStore
from daemon.transport import Transport
from daemon.wire import HttpWire
from statemachine.errors import CredentialsRefused, KommsyncError, Throttled
from statemachine.model import Side
from statemachine.standing import Schedule

Wires = Mapping[Side, Wire]


@dataclass(frozen=True, slots=True)
class Outside:
    """``gates`` must be tended (see :meth:`Gate.tend`) by whoever lives longer than one command. ``dry_run``: both
    sides can only be looked at."""

    settings: Settings
    store: SqliteStore
    espocrm: Espocrm
    advoware: Advoware
    gates: Mapping[Side, Gate]
    clock: Clock
    random: Random
    metrics: Metrics
    dry_run: bool = False

    def probe(self, side: Side) -> Callable[[], object]:
        return self.espocrm.probe if side is Side.ESPOCRM else self.advoware.probe


@asynccontextmanager
async def open_outside(
    settings: Settings,
    metrics: Metrics,
    *,
    exclusive: bool,
    wires: Wires | None = None,
    clock: Clock | None = None,
    random: Random | None = None,
    first_probe: float = DOWN_FIRST,
    dry_run: bool = False,
) -> AsyncIterator[Outside]:
    """``exclusive``: for the one process that syncs. ``wires``: instead of real HTTP. ``first_probe``: of a side that
    is down, for those who cannot wait. ``dry_run``: every write to a side is refused in here. Raises what opening the
    store raises (StoreInUse, StoreTooNew, StoreTrouble); no request is sent."""
    clock, random = clock or SystemClock(), random or SystemRandom()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(_open_store(settings, metrics, clock, random, exclusive))
        lines = wires or {
            Side.ESPOCRM: await stack.enter_async_context(HttpWire(settings.espocrm.max_connections)),
            Side.ADVOWARE: await stack.enter_async_context(HttpWire(settings.advoware.max_connections)),
        }
        gates = {side: _gate(side, settings, metrics, clock, random, first_probe) for side in Side}
        espocrm = _espocrm(settings, _transport(gates[Side.ESPOCRM], lines, settings, metrics, clock))
        advoware = _advoware(
            settings, _transport(gates[Side.ADVOWARE], lines, settings, metrics, clock), clock
        )
        yield Outside(
            settings,
            store,
            LookOnlyEspocrm(espocrm) if dry_run else espocrm,
            LookOnlyAdvoware(advoware) if dry_run else advoware,
            gates,
            clock,
            random,
            metrics,
            dry_run,
        )


@asynccontextmanager
async def _open_store(
    settings: Settings, metrics: Metrics, clock: Clock, random: Random, exclusive: bool
) -> AsyncIterator[SqliteStore]:
    schedule = Schedule(settings.sync.retry_schedule_seconds, settings.sync.auto_reset_seconds)
    async with SqliteStore.open(
        settings.store.path,
        clock,
        random,
        schedule,
        history_days=settings.store.history_days,
        region=settings.sync.default_region,
        exclusive=exclusive,
        on_commit=metrics.store_commit.observe,
        on_transition=lambda source, target, trigger: metrics.transitions[
            source or NOWHERE, target or NOWHERE, trigger
        ].inc(),
    ) as store:
        yield store


def _gate(
    side: Side, settings: Settings, metrics: Metrics, clock: Clock, random: Random, first_probe: float
) -> Gate:
    section = settings.espocrm if side is Side.ESPOCRM else settings.advoware

    def show(trouble: Trouble | None) -> None:
        reason = trouble.reason if trouble else ""
        metrics.breaker_open[side].set(reason not in ("", Throttled.reason))
        metrics.credentials_refused[side].set(reason == CredentialsRefused.reason)

    return Gate(
        side,
        clock,
        random,
        max_concurrent=section.max_connections,
        per_second=section.max_requests_per_second,
        first_probe=first_probe,
        on_trouble=show,
    )


_JUDGES: dict[Side, Callable[[Reply], KommsyncError | None]] = {
    Side.ESPOCRM: espocrm_judge.judge,
    Side.ADVOWARE: advoware_judge.judge,
}


def _transport(gate: Gate, lines: Wires, settings: Settings, metrics: Metrics, clock: Clock) -> Transport:
    side = gate.side
    section = settings.espocrm if side is Side.ESPOCRM else settings.advoware

    def observe(method: str, code: str, seconds: float) -> None:
        metrics.api_requests[side, method, code].inc()
        metrics.api_request_duration[side, method].observe(seconds)

    return Transport(
        gate,
        lines[side],
        clock,
        _JUDGES[side],
        timeout=section.timeout_seconds,
        observe=observe,
        offset=metrics.clock_offset[side].set,
    )


def _espocrm(settings: Settings, transport: Transport) -> HttpEspocrm:
    section = settings.espocrm
    return HttpEspocrm(transport, section.url, _sign_in(settings), entity=section.entity)


def _sign_in(settings: Settings) -> SignIn:
    section = settings.espocrm
    if section.api_key is not None:
        return by_key(section.api_key.get_secret_value())
    if section.hmac_api_key is None or section.hmac_secret_key is None:
        raise ValueError("the settings hold no way to sign in to EspoCRM")
    return by_hmac(section.hmac_api_key.get_secret_value(), section.hmac_secret_key.get_secret_value())


def _advoware(settings: Settings, transport: Transport, clock: Clock) -> HttpAdvoware:
    section = settings.advoware
    account = Account(
        kanzlei=section.kanzlei,
        database=section.database,
        user=section.user,
        app_id=section.app_id,
        password=section.password.get_secret_value(),
        api_key=section.api_key.get_secret_value(),
        role=section.role,
        product=section.product,
    )
    return HttpAdvoware(
        transport,
        clock,
        account,
        discovery_url=section.discovery_url,
        base_url=section.base_url,
        gateway_url=section.security_gateway_url,
        prefix=section.api_prefix,
    )
