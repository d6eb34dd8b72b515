"""Every metric, named once. The names are a contract: dashboards and alert rules use them.

:mod:`daemon.app` makes one ``Metrics``; whoever measures gets it handed in; :mod:`daemon.web` renders it. It knows no
person: labels are sides, states, kinds and the like, never a value or an id.

A collector with labels is a mapping from a label value (or a tuple of them) to its bound child, for example
``metrics.entry_writes[side, variant].inc()``. All known label sets exist from the start with 0, so that a rate is right
from the first event on.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Generic, TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from statemachine.case import ConflictKind, Variant
from statemachine.model import Side
from statemachine.states import TABLE, State

CONTENT_TYPE = CONTENT_TYPE_LATEST

#: Before ``discovered`` and after ``untracked`` there is no state; an empty label would be no label at all.
NOWHERE = "none"
RESULTS = ("clean", "dirty", "conflict", "failed", "permanently_failed", "postponed", "interrupted")
DECIDERS = ("policy", "operator")
METHODS = ("GET", "POST", "PUT", "DELETE")
#: "none": there was no answer.
CODES = ("200", "201", "400", "401", "403", "404", "409", "429", "500", "502", "503", "504", "none")
LOOPS = ("poll", "full_scan", "sweep", "work")
RELOADS = ("ok", "refused")

_SIDES = tuple(Side)
_TRANSITIONS = tuple((row.source or NOWHERE, row.target or NOWHERE, row.trigger) for row in TABLE)

_CALL = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_RUN = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_LAG = (1, 2, 5, 10, 15, 30, 60, 120, 300, 900, 3600, 14400, 86400)
_LOCAL = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

disable_created_metrics()  # type: ignore[no-untyped-call]

Labels = str | tuple[str, ...]
Child = TypeVar("Child", Counter, Gauge, Histogram)


class Children(dict[Labels, Child], Generic[Child]):
    """Label values → bound child (0.4 µs against 2 for ``labels()``); an unforeseen one is made when first used."""

    def __init__(self, family: Child, known: Iterable[Labels]) -> None:
        super().__init__()
        self._family: Child = family
        for labels in known:
            self.__missing__(labels)

    def __missing__(self, labels: Labels) -> Child:
        child: Child = self._family.labels(*((labels,) if isinstance(labels, str) else labels))
        self[labels] = child
        return child


class _Makers:
    """Makes collectors under our prefix on one registry; in the plural with labels."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def counter(self, name: str, help_text: str) -> Counter:
        return Counter(f"kommsync_{name}", help_text, registry=self.registry)

    def gauge(self, name: str, help_text: str) -> Gauge:
        return Gauge(f"kommsync_{name}", help_text, registry=self.registry)

    def histogram(self, name: str, help_text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"kommsync_{name}", help_text, buckets=buckets, registry=self.registry)

    def counters(self, name: str, help_text: str, labels: str, known: Iterable[Labels]) -> Children[Counter]:
        return Children(Counter(f"kommsync_{name}", help_text, labels.split(), registry=self.registry), known)

    def gauges(self, name: str, help_text: str, labels: str, known: Iterable[Labels]) -> Children[Gauge]:
        return Children(Gauge(f"kommsync_{name}", help_text, labels.split(), registry=self.registry), known)

    def histograms(
        self, name: str, help_text: str, labels: str, known: Iterable[Labels], buckets: tuple[float, ...]
    ) -> Children[Histogram]:
        family = Histogram(
            f"kommsync_{name}", help_text, labels.split(), buckets=buckets, registry=self.registry
        )
        return Children(family, known)


class Metrics:
    """All collectors on a registry of their own, so that one process can hold several (tests, the demo).

    Gauges that count something (``beteiligte``, ``conflicts_open`` …) are set by whoever keeps the count. Moments are
    Unix seconds, durations and ages seconds; a moment of 0 means never.
    """

    def __init__(self, version: str = "unknown") -> None:
        make = _Makers()
        self.registry = make.registry
        ProcessCollector(registry=self.registry)
        make.gauges("build_info", "Version of the running daemon", "version", [version])[version].set(1)
        self._people(make)
        self._looks(make)
        self._writes(make)
        self._troubles(make)
        self._sides(make)
        self._process(make)

    def _people(self, make: _Makers) -> None:
        self.beteiligte = make.gauges("beteiligte", "Tracked Beteiligte by state", "state", State)
        self.transitions = make.counters(
            "transitions_total", "Transitions of Beteiligte", "from to trigger", _TRANSITIONS
        )
        self.sync_runs = make.counters("sync_runs_total", "Runs by how they ended", "result", RESULTS)
        self.sync_duration = make.histogram("sync_duration_seconds", "Duration of one run", _RUN)
        self.sync_lag = make.histograms(
            "sync_lag_seconds", "From a change to both sides verified", "side", _SIDES, _LAG
        )
        self.oldest_unsynced = make.gauge(
            "oldest_unsynced_change_timestamp_seconds",
            "Moment of the oldest unsynced change, 0 if there is none",
        )

    def _looks(self, make: _Makers) -> None:
        self.poll_last_success = make.gauges(
            "poll_last_success_timestamp_seconds", "Last poll that succeeded", "side", _SIDES
        )
        self.poll_duration = make.histograms(
            "poll_duration_seconds", "Duration of one poll", "side", _SIDES, _RUN
        )
        self.rescan_last_success = make.gauge(
            "rescan_last_success_timestamp_seconds", "Last full scan of EspoCRM that succeeded"
        )
        self.changes_detected = make.counters(
            "changes_detected_total", "Looks that differed from what was seen before", "side", _SIDES
        )
        self.sweep_age = make.gauge("sweep_age_seconds", "Age of the oldest look at a Beteiligte in Advoware")

    def _writes(self, make: _Makers) -> None:
        self.entry_writes = make.counters(
            "entry_writes_total", "Entries written", "side variant", product(_SIDES, Variant)
        )
        self.writes_suppressed = make.counters(
            "writes_suppressed_total", "Writes not sent, what they wanted was there", "side", _SIDES
        )
        self.dry_run_writes = make.gauges(
            "dry_run_writes", "Entries that a dry run would write", "side variant", product(_SIDES, Variant)
        )
        self.unknown_outcomes = make.counters(
            "unknown_outcomes_total", "Writes of which nobody knows whether they happened", "side", _SIDES
        )

    def _troubles(self, make: _Makers) -> None:
        self.conflicts_open = make.gauge("conflicts_open", "Conflicts that wait for a human")
        self.conflicts = make.counters("conflicts_total", "Conflicts found", "kind", ConflictKind)
        self.conflicts_decided = make.counters("conflicts_decided_total", "Conflicts decided", "by", DECIDERS)
        self.unsyncable_entries = make.gauge("unsyncable_entries", "Entries that the other side would refuse")
        self.empty_slots = make.gauge("empty_slots", "Emptied rows in Advoware that wait to be used again")
        self.pending_deletions = make.gauge("pending_deletions", "Deletions that wait for a second look")
        self.fuse_blown = make.gauges(
            "fuse_blown", "1 while deletions from that side are held", "side", _SIDES
        )
        self.loop_quarantines = make.counter("loop_quarantines_total", "Entries quarantined as loops")
        self.audit_drift = make.gauge("audit_drift_entries", "Entries that differed in the last audit")

    def _sides(self, make: _Makers) -> None:
        self.api_requests = make.counters(
            "api_requests_total", "HTTP requests", "side method code", product(_SIDES, METHODS, CODES)
        )
        self.api_request_duration = make.histograms(
            "api_request_duration_seconds", "HTTP requests", "side method", product(_SIDES, METHODS), _CALL
        )
        self.breaker_open = make.gauges("breaker_open", "1 while the side counts as down", "side", _SIDES)
        self.side_paused = make.gauges(
            "side_paused", "1 while an operator has paused the side", "side", _SIDES
        )
        self.credentials_refused = make.gauges(
            "credentials_refused", "1 while the side refuses our credentials", "side", _SIDES
        )
        self.clock_offset = make.gauges(
            "clock_offset_seconds", "Clock of the side minus our own", "side", _SIDES
        )

    def _process(self, make: _Makers) -> None:
        self.store_commit = make.histogram("store_commit_seconds", "Duration of one commit", _LOCAL)
        self.loop_lag = make.histogram("loop_lag_seconds", "How late the event loop runs its timers", _LOCAL)
        self.loop_progress = make.gauges(
            "loop_progress_timestamp_seconds", "Last sign of life of a loop", "loop", LOOPS
        )
        self.config_reloads = make.counters("config_reloads_total", "Reloads by SIGHUP", "result", RELOADS)
        self.backup_last_success = make.gauge("backup_last_success_timestamp_seconds", "Last backup")

    def render(self) -> bytes:
        """The exposition in Prometheus's text format; its type is ``CONTENT_TYPE``."""
        return generate_latest(self.registry)
