"""The page of the engineer: the process, its store, its loops, and what the decisions cost."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from panels import lines, number, of, page


def _quantile(share: float, metric: str) -> str:
    return f"histogram_quantile({share}, sum by (le) (rate({of(metric + '_bucket')}[5m])))"


def _quantiles(metric: str) -> list[tuple[str, str]]:
    return [(_quantile(share, metric), f"{share:.0%}") for share in (0.5, 0.95, 0.99)]


def _ratio(above: str, below: str) -> str:
    return f"sum(increase({of(above)}[1h])) / clamp_min(sum(increase({of(below)}[1h])), 1)"


def _process(page: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        page.with_row(dashboard.Row("Process"))
        .with_panel(
            number(
                "Version",
                "Of the running daemon.",
                f"max by (version) ({of('build_info')})",
                "none",
                name="{{version}}",
            )
        )
        .with_panel(
            number(
                "Up for", "Since the last start.", f"time() - max({of('process_start_time_seconds')})", "s"
            )
        )
        .with_panel(
            number(
                "Restarts in a day",
                "An upgrade is one. More than three within an hour raise a ticket.",
                f"sum(changes({of('process_start_time_seconds')}[1d]))",
                "short",
                watch=3,
                act=10,
            )
        )
        .with_panel(
            number(
                "Last backup",
                "Age of the last `kommsync backup` that succeeded.",
                f"time() - max({of('backup_last_success_timestamp_seconds')})",
                "s",
                watch=30 * 3600,
                act=50 * 3600,
            )
        )
        .with_panel(
            number(
                "Reloads refused in a day",
                "Configurations that SIGHUP brought and the daemon did not take.",
                f"sum(increase({of('config_reloads_total', result='refused')}[1d]))",
                "short",
                watch=1,
            )
        )
        .with_panel(
            number(
                "Audit drift",
                "Entries that differed in the last `kommsync audit` although they should be equal.",
                f"sum({of('audit_drift_entries')})",
                "short",
                watch=1,
                act=10,
            )
        )
        .with_panel(
            lines(
                "Memory",
                "Resident. No Beteiligter is held in memory at rest: this does not grow with the firm.",
                [(of("process_resident_memory_bytes"), "{{instance}}")],
                "bytes",
                watch=500e6,
                act=900e6,
                width=8,
            )
        )
        .with_panel(
            lines(
                "CPU",
                "Cores in use. Nearly all of it is HTTP.",
                [(f"rate({of('process_cpu_seconds_total')}[5m])", "{{instance}}")],
                "short",
                watch=0.5,
                act=0.9,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Open files",
                "Connections, the store, the log.",
                [(of("process_open_fds"), "{{instance}}")],
                "short",
                watch=200,
                width=8,
            )
        )
    )


def _loops(page: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        page.with_row(dashboard.Row("Loops"))
        .with_panel(
            lines(
                "Last sign of life of each loop",
                "The watchdog of systemd is fed by these, not by a timer.",
                [(f"time() - ({of('loop_progress_timestamp_seconds')} > 0)", "{{loop}}")],
                "s",
                act=900,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Lateness of the event loop",
                "How late timers run. High: something computes too long in one piece.",
                _quantiles("loop_lag_seconds"),
                "s",
                watch=0.1,
                act=1,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Duration of one run",
                "From load to verified.",
                _quantiles("sync_duration_seconds"),
                "s",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Duration of one poll, 95 %",
                "EspoCRM: one list call. Advoware: one look.",
                [
                    (
                        f"histogram_quantile(0.95, sum by (le, side) (rate({of('poll_duration_seconds_bucket')}[5m])))",
                        "{{side}}",
                    )
                ],
                "s",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Age of the last full scan",
                "Finds deleted and restored records in EspoCRM, once per `full_scan_interval_seconds`.",
                [(f"time() - ({of('rescan_last_success_timestamp_seconds')} > 0)", "{{instance}}")],
                "s",
                watch=2 * 3600,
                act=6 * 3600,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Transitions per minute",
                "By trigger; the table is in the README.",
                [(f"sum by (trigger) (rate({of('transitions_total')}[5m])) * 60", "{{trigger}}")],
                "short",
                width=8,
            )
        )
    )


def _store(page: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        page.with_row(dashboard.Row("Store and economy"))
        .with_panel(
            lines(
                "Duration of a commit",
                "SQLite on the local disk; never on a network file system.",
                _quantiles("store_commit_seconds"),
                "s",
                watch=0.1,
                act=1,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Commits per second",
                "An unchanged look costs none.",
                [(f"sum(rate({of('store_commit_seconds_count')}[5m]))", "commits")],
                "ops",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Writes saved per hour",
                "What they wanted was there already.",
                [(f"sum by (side) (increase({of('writes_suppressed_total')}[1h]))", "{{side}}")],
                "short",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Requests per change found",
                "What one change costs. Rises when the sweep finds nothing to do, which is normal at night.",
                [(_ratio("api_requests_total", "changes_detected_total"), "requests per change")],
                "short",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Empty slots in Advoware",
                "Emptied rows that wait to be used again, as Advoware cannot delete.",
                [(of("empty_slots"), "{{instance}}")],
                "short",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Loop quarantines per day",
                "Entries that were given the same value again and again; they are left alone until a human looks.",
                [(f"sum by (instance) (increase({of('loop_quarantines_total')}[1d]))", "{{instance}}")],
                "short",
                act=1,
                width=8,
            )
        )
    )


def build() -> dashboard.Dashboard:
    return _store(
        _loops(_process(page("kommsync-engineer", "kommsync · Engineer", "Process, loops, store.", "now-6h")))
    )
