"""The names of the metrics are a contract; all known label sets exist from the start."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.metrics import CONTENT_TYPE, Metrics
from statemachine.model import Side
from statemachine.states import TABLE, State

CONTRACT = """
build_info beteiligte transitions_total sync_runs_total sync_duration_seconds sync_lag_seconds
oldest_unsynced_change_timestamp_seconds poll_last_success_timestamp_seconds poll_duration_seconds
changes_detected_total entry_writes_total writes_suppressed_total conflicts_open conflicts_total
conflicts_decided_total unsyncable_entries empty_slots pending_deletions fuse_blown unknown_outcomes_total
loop_quarantines_total api_requests_total api_request_duration_seconds breaker_open sweep_age_seconds
clock_offset_seconds audit_drift_entries store_commit_seconds loop_lag_seconds
""".split()

LABELS = {
    "build_info": {"version"},
    "beteiligte": {"state"},
    "transitions_total": {"from", "to", "trigger"},
    "sync_runs_total": {"result"},
    "sync_lag_seconds": {"side"},
    "poll_last_success_timestamp_seconds": {"side"},
    "poll_duration_seconds": {"side"},
    "changes_detected_total": {"side"},
    "entry_writes_total": {"side", "variant"},
    "writes_suppressed_total": {"side"},
    "conflicts_total": {"kind"},
    "conflicts_decided_total": {"by"},
    "fuse_blown": {"side"},
    "unknown_outcomes_total": {"side"},
    "api_requests_total": {"side", "method", "code"},
    "api_request_duration_seconds": {"side", "method"},
    "breaker_open": {"side"},
    "clock_offset_seconds": {"side"},
}


def samples(metrics: Metrics) -> dict[str, list[dict[str, str]]]:
    """Name without prefix (a histogram's without suffix) → the label sets that exist."""
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            name = sample.name if family.type != "histogram" else family.name
            found.setdefault(name.removeprefix("kommsync_"), []).append(sample.labels)
    return found


@pytest.mark.parametrize("name", CONTRACT)
def test_the_name_and_its_labels_exist_from_the_start(name: str) -> None:
    label_sets = samples(Metrics())[name]
    assert label_sets
    for labels in label_sets:
        assert set(labels) - {"le"} == LABELS.get(name, set())


def test_every_row_of_the_table_of_states_has_its_counter() -> None:
    label_sets = samples(Metrics())["transitions_total"]
    assert len(label_sets) == len({(row.source, row.target, row.trigger) for row in TABLE})
    assert {"from": "none", "to": "dirty", "trigger": "discovered"} in label_sets
    assert {"from": "clean", "to": "none", "trigger": "untracked"} in label_sets


def test_every_side_and_variant_starts_at_zero() -> None:
    metrics = Metrics()
    for side in Side:
        for variant in (
            "var1",
            "var2",
            "var3",
            "var4",
            "var5",
            "var6",
            "marker",
            "type",
            "flag",
            "restore",
            "status",
        ):
            labels = {"side": str(side), "variant": variant}
            assert metrics.registry.get_sample_value("kommsync_entry_writes_total", labels) == 0


def test_a_bound_child_counts() -> None:
    metrics = Metrics()
    metrics.entry_writes[Side.ESPOCRM, "var4"].inc()
    metrics.beteiligte[State.CLEAN].set(17)
    metrics.api_requests["advoware", "GET", "200"].inc(3)
    value = metrics.registry.get_sample_value
    assert value("kommsync_entry_writes_total", {"side": "espocrm", "variant": "var4"}) == 1
    assert value("kommsync_beteiligte", {"state": "clean"}) == 17
    assert value("kommsync_api_requests_total", {"side": "advoware", "method": "GET", "code": "200"}) == 3


def test_an_unforeseen_status_code_is_counted_and_not_an_error() -> None:
    metrics = Metrics()
    metrics.api_requests["advoware", "GET", "418"].inc()
    labels = {"side": "advoware", "method": "GET", "code": "418"}
    assert metrics.registry.get_sample_value("kommsync_api_requests_total", labels) == 1


def test_two_instances_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.loop_quarantines.inc()
    assert other.registry.get_sample_value("kommsync_loop_quarantines_total") == 0


def test_the_version_is_a_label_and_the_process_is_measured() -> None:
    text = Metrics("1.2.3").render().decode()
    assert 'kommsync_build_info{version="1.2.3"} 1.0' in text
    assert "process_resident_memory_bytes" in text
    assert not re.search(r"^\w+_created[ {]", text, re.MULTILINE)
    assert CONTENT_TYPE.startswith("text/plain")
