"""The page of whoever runs the daemon: lag, looks, sides, errors, latency, retries, what waits for a human."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from panels import NOT_CLEAN, lines, number, of, page, rows, timeline

NO_SUCCESS = "4..|5..|none"
TRIGGERS = "attempt_failed|gave_up|auto_reset|postponed"
UP = {"0": ("up", "green"), "1": ("down", "red")}


def _quantile(share: float, metric: str, by: str, window: str = "5m") -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({of(metric + '_bucket')}[{window}])))"


def _per_minute_or_zero(by: str, selector: str) -> str:
    """Only what happened, or a line at zero if nothing did."""
    return f"sum by ({by}) (rate({selector}[5m]) > 0) * 60 or on () vector(0)"


def _objective(page: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        page.with_row(dashboard.Row("Lag"))
        .with_panel(
            number(
                "Good minutes in 30 days",
                "Share of the minutes in which no change had been waiting for more than 15 minutes; the "
                "objective is 99 %. Minutes in which a side was down or paused count as good.",
                f"1 - avg({of('kommsync:bad_minutes:ratio30d')})",
                "percentunit",
            )
        )
        .with_panel(
            number(
                "Burn rate, one hour",
                "How many times faster than the objective allows bad minutes come. From 14.4 on somebody is paged.",
                f"max({of('kommsync:bad_minutes:ratio1h')}) / 0.01",
                "none",
                watch=6,
                act=14.4,
            )
        )
        .with_panel(
            number(
                "Burn rate, six hours",
                "As before, over six hours. From 6 on somebody is paged.",
                f"max({of('kommsync:bad_minutes:ratio6h')}) / 0.01",
                "none",
                watch=1,
                act=6,
            )
        )
        .with_panel(
            number(
                "Oldest waiting change",
                "Since the oldest change that is not verified on both sides was made or found.",
                f"max({of('kommsync:oldest_unsynced:seconds')})",
                "s",
                watch=300,
                act=900,
            )
        )
        .with_panel(
            number(
                "Conflicts open",
                "`kommsync conflicts` lists them.",
                f"sum({of('conflicts_open')})",
                "short",
                watch=1,
                act=20,
            )
        )
        .with_panel(
            number(
                "Pending deletions",
                "Entries seen missing once; a second look confirms or forgets it.",
                f"sum({of('pending_deletions')})",
                "short",
                watch=20,
            )
        )
        .with_panel(
            lines(
                "Lag: from the change to both sides verified",
                "Median and 95 % by the side on which the change was made. Changes in Advoware are found by the sweep.",
                [
                    (_quantile(q, "sync_lag_seconds", "side", "30m"), f"{{{{side}}}} {q:.0%}")
                    for q in (0.5, 0.95)
                ],
                "s",
                watch=300,
                act=900,
            )
        )
        .with_panel(
            lines(
                "Beteiligte that are not clean",
                "By state. dirty and syncing come and go; failed heals by itself; the others wait for a human.",
                [
                    (
                        f"sum by (state) ({of('beteiligte', state=NOT_CLEAN)})",
                        "{{state}}",
                    )
                ],
                "short",
                stacked=True,
            )
        )
    )


def _looks(page: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        page.with_row(dashboard.Row("Polls and sweep"))
        .with_panel(
            lines(
                "Age of the last poll",
                "EspoCRM is asked every 15 seconds for what changed; `poll_interval_seconds`.",
                [(f"time() - ({of('poll_last_success_timestamp_seconds')} > 0)", "{{side}}")],
                "s",
                act=600,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Age of the oldest look at Advoware",
                "Advoware has no list of changes: each Beteiligte is looked at once per `sweep_interval_seconds`.",
                [(f"max by (instance) ({of('sweep_age_seconds')})", "{{instance}}")],
                "s",
                watch=1800,
                act=3600,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Changes found per minute",
                "Looks that differed from what was seen before.",
                [(f"sum by (side) (rate({of('changes_detected_total')}[5m])) * 60", "{{side}}")],
                "short",
                width=8,
            )
        )
    )


def _sides(page: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        page.with_row(dashboard.Row("Both sides"))
        .with_panel(
            timeline(
                "Breakers",
                "Open while a side counts as down; records wait and lose no attempt.",
                [(f"max by (side) ({of('breaker_open')})", "{{side}}")],
                UP,
                width=8,
            )
        )
        .with_panel(
            timeline(
                "Credentials refused",
                "The side stops until they are right: EspoCRM locks out an address after ten wrong logins.",
                [(f"max by (side) ({of('credentials_refused')})", "{{side}}")],
                {"0": ("accepted", "green"), "1": ("refused", "red")},
                width=8,
            )
        )
        .with_panel(
            timeline(
                "Paused by an operator, fuse blown",
                "`kommsync resume SIDE`; `kommsync fuse` lists the deletions that are held.",
                [
                    (f"max by (side) ({of('side_paused')})", "{{side}} paused"),
                    (f"max by (side) ({of('fuse_blown')})", "{{side}} fuse"),
                ],
                {"0": ("no", "green"), "1": ("yes", "red")},
                width=8,
            )
        )
        .with_panel(
            lines(
                "Requests per second",
                "By side and method, all answers.",
                [(f"sum by (side, method) (rate({of('api_requests_total')}[5m]))", "{{side}} {{method}}")],
                "reqps",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Answers that are no success, per minute",
                "By side and code; none: there was no answer at all.",
                [
                    (
                        _per_minute_or_zero("side, code", of("api_requests_total", code=NO_SUCCESS)),
                        "{{side}} {{code}}",
                    )
                ],
                "short",
                watch=10,
                act=60,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Latency of requests, 95 %",
                "By side and method.",
                [(_quantile(0.95, "api_request_duration_seconds", "side, method"), "{{side}} {{method}}")],
                "s",
                watch=2.5,
                act=10,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Clock of the sides minus ours",
                "Shown without sign. Ten seconds use up the overlap of the polls.",
                [(f"abs({of('clock_offset_seconds')})", "{{side}}")],
                "s",
                watch=5,
                act=10,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Entries written per hour",
                "By side and variant: var1 to var6 of the decision table, marker, type, flag, restore, status.",
                [
                    (
                        f"sum by (side, variant) (increase({of('entry_writes_total')}[1h]))",
                        "{{side}} {{variant}}",
                    )
                ],
                "short",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Writes with unknown outcome per hour",
                "No answer after sending. They are read again before anything is repeated.",
                [(f"sum by (side) (increase({of('unknown_outcomes_total')}[1h]))", "{{side}}")],
                "short",
                watch=5,
                width=8,
            )
        )
    )


def _runs(page: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        page.with_row(dashboard.Row("Runs and retries"))
        .with_panel(
            lines(
                "Runs per minute by result",
                "postponed costs nobody an attempt: a side was down.",
                [(f"sum by (result) (rate({of('sync_runs_total')}[5m])) * 60", "{{result}}")],
                "short",
            )
        )
        .with_panel(
            lines(
                "Retries, giving up and resets per hour",
                "Attempts that failed, Beteiligte given up after the sixth, and those that the auto reset tries again.",
                [
                    (
                        f"sum by (trigger) (increase({of('transitions_total', trigger=TRIGGERS)}[1h]))",
                        "{{trigger}}",
                    )
                ],
                "short",
            )
        )
        .with_panel(
            lines(
                "Conflicts found and decided per day",
                "By kind, and by whom they were decided.",
                [
                    (f"sum by (kind) (increase({of('conflicts_total')}[1d]))", "found {{kind}}"),
                    (f"sum by (by) (increase({of('conflicts_decided_total')}[1d]))", "decided by {{by}}"),
                ],
                "short",
            )
        )
        .with_panel(
            rows(
                "Alerts",
                "Firing and pending alerts of kommsync. Each has a runbook.",
                'ALERTS{job="kommsync", instance=~"$instance", severity!="none"}',
                {
                    "alertname": "Alert",
                    "severity": "Severity",
                    "alertstate": "State",
                    "side": "Side",
                    "instance": "Instance",
                },
            )
        )
    )


def build() -> dashboard.Dashboard:
    empty = page(
        "kommsync-operations", "kommsync · Operations", "Lag, looks, both sides, errors, retries.", "now-6h"
    )
    return _runs(_sides(_looks(_objective(empty))))
