"""The daemon's own audit, once a day at [audit] ``at``: what drifted becomes the gauge ``audit_drift_entries``.

Run beside the loops by :mod:`daemon.process`. Reads only. Nobody is there to see a bar or a report: the log says how it
ended, and ``kommsync audit`` lists what drifted.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from daemon.admin import audits
from daemon.app import App
from daemon.loop import ALLOWANCE_SECONDS, Loop
from daemon.settings import Audit

LOOP = "audit"
#: A wall clock may be set, and no timer should be longer than that.
_LOOK_SECONDS = 300.0
#: How often it is asked whether both sides are back.
_PUT_OFF_SECONDS = 60.0

log = structlog.get_logger(__name__)


def next_time(at: str, zone: str, now: float) -> float:
    """Unix seconds of the next ``HH:MM`` in that zone, later than ``now``."""
    hour, minute = map(int, at.split(":"))
    here = datetime.fromtimestamp(now, ZoneInfo(zone))
    today = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
    found = today if today.timestamp() > now else today + timedelta(days=1)
    return found.timestamp()


class Nightly:
    """One per :class:`App`; only where ``settings.at`` is not empty."""

    def __init__(self, app: App, settings: Audit) -> None:
        self._app = app
        self._settings = settings
        self._clock = app.outside.clock
        self._due = self._next()

    async def run(self) -> None:
        """Until cancelled."""
        await Loop(LOOP, self.step, _LOOK_SECONDS, clock=self._clock, progress=self._app.progress).run()

    async def step(self) -> float:
        """Seconds until the next look at the clock. A side that is down puts it off until it is back."""
        if self._clock.now() < self._due:
            self._due = min(self._due, self._next())  # a clock that was ahead may have been set right
        elif all([await one.is_open() for one in self._app.admissions.values()]):
            await self._audit()
            self._due = self._next()
        left = self._due - self._clock.now()
        return min(left, _LOOK_SECONDS) if left > 0 else _PUT_OFF_SECONDS

    async def _audit(self) -> None:
        report = await audits.audit(self._app.outside, self._alive(), sample=self._settings.sample or None)
        told = {name: report[name] for name in ("people", "drift", "drift_by_rule", "drift_by_kind", "apart")}
        say = log.warning if report["drift"] else log.info
        say(
            "audited", **told, unreadable=len(report["unreadable"]), remedy="kommsync audit lists the entries"
        )

    def _alive(self) -> Callable[[int, int], None]:
        return lambda done, total: self._app.progress.expect(LOOP, ALLOWANCE_SECONDS)

    def _next(self) -> float:
        zone = self._app.outside.settings.advoware.time_zone
        return next_time(self._settings.at, zone, self._clock.now())
