"""Dashboards: made by their code, every query answered by a real Prometheus, every panel explained."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.metrics import Metrics

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "grafana"
PAGES = sorted((FOLDER / "dashboards").glob("*.json"))
Panel = dict[str, Any]


def _panels(page: Path) -> Iterator[Panel]:
    for panel in json.loads(page.read_text())["panels"]:
        if panel["type"] != "row":
            yield panel


def _asking(page: Path) -> list[Panel]:
    return [panel for panel in _panels(page) if panel["type"] != "text"]


PANELS = [
    pytest.param(panel, id=f"{page.stem}: {panel['title']}") for page in PAGES for panel in _asking(page)
]


def test_the_committed_pages_are_what_the_code_makes() -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="needs the extra dashboards")
    done = subprocess.run(
        [sys.executable, str(FOLDER / "source" / "build.py"), "--check"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_there_is_a_page_for_each_reader() -> None:
    assert [page.stem for page in PAGES] == ["engineer", "office", "operations"]
    assert len({json.loads(page.read_text())["uid"] for page in PAGES}) == 3


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_unit_thresholds_and_description(panel: Panel) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert len(panel["description"]) > 15
    assert defaults["unit"]
    assert defaults["thresholds"]["steps"]
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@pytest.mark.parametrize("panel", PANELS)
def test_colours_mean_the_same_everywhere(panel: Panel) -> None:
    """Green, then yellow, then red, or nothing is judged; a side or a state has one colour on all pages."""
    colours = [step["color"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
    assert colours in (["text"], ["green"], ["green", "yellow"], ["green", "red"], ["green", "yellow", "red"])
    for override in panel["fieldConfig"]["overrides"]:
        seen = (override["matcher"]["options"], override["properties"][0]["value"]["fixedColor"])
        assert seen in _named_colours()


def _named_colours() -> set[tuple[str, str]]:
    first = next(panel for page in PAGES for panel in _panels(page) if panel["fieldConfig"]["overrides"])
    return {
        (override["matcher"]["options"], override["properties"][0]["value"]["fixedColor"])
        for override in first["fieldConfig"]["overrides"]
    }


def test_every_metric_that_pages_and_rules_use_exists() -> None:
    rules = [
        *(FOLDER.parent / "prometheus" / "rules").glob("*.yml"),
        *(FOLDER.parent / "prometheus" / "tests").glob("*.yml"),
    ]
    used = {
        name
        for file in [*PAGES, *rules]
        for name in re.findall(r"\bkommsync_[a-z_]+", re.sub(r"#.*", "", file.read_text()))
    }
    exposed = {
        line.split()[2] for line in Metrics().render().decode().splitlines() if line.startswith("# TYPE")
    }
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in used} <= exposed


@pytest.fixture(scope="module")
def ask(lively_metrics: str, start_prometheus: Callable[[str], Any]) -> Callable[[str], list[dict[str, Any]]]:
    prometheus = start_prometheus(lively_metrics)
    # Two scrapes make a rate, and the alerts that look at it have been evaluated.
    prometheus.wait_for(
        "count_over_time(kommsync_sync_runs_total[1m]) > 1 and on () ALERTS and on () kommsync:bad_minutes:ratio30d"
    )
    asked: Callable[[str], list[dict[str, Any]]] = prometheus.query
    return asked


@pytest.mark.needs_program("prometheus")
@pytest.mark.parametrize("panel", PANELS)
def test_prometheus_answers_every_query(panel: Panel, ask: Callable[[str], list[dict[str, Any]]]) -> None:
    for target in panel["targets"]:
        series = ask(target["expr"].replace("$instance", ".*"))
        assert series, target["expr"]
        assert any(one["value"][1] != "NaN" for one in series), target["expr"]
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            assert any(label in one["metric"] for one in series), f"{target['expr']} has no {label}"
