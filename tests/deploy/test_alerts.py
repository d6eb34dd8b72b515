"""Alert rules: promtool runs their cases; each alert fires in one, is silent in another, and has a runbook."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
CASES = sorted((FOLDER / "tests").glob("*.yml"))
Rule = dict[str, Any]


def _alerts() -> list[Rule]:
    groups = yaml.safe_load((FOLDER / "rules" / "kommsync.alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], check=False, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.needs_program("promtool")
@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_rules_do_what_their_cases_say(cases: Path) -> None:
    _promtool("test", "rules", str(cases))


def test_cases_evaluate_what_is_recorded_before_the_alerts_that_read_it() -> None:
    """Otherwise promtool draws the order, and an alert now and then reads the minute before."""
    names = [
        group["name"]
        for file in ("kommsync.recording.yml", "kommsync.alerts.yml")
        for group in yaml.safe_load((FOLDER / "rules" / file).read_text())["groups"]
    ]
    for file in CASES:
        assert yaml.safe_load(file.read_text())["group_eval_order"] == names, file.name


@pytest.mark.needs_program("promtool")
def test_prometheus_takes_configuration_and_rules() -> None:
    _promtool("check", "config", str(FOLDER / "prometheus.yml"))
    _promtool("check", "rules", *map(str, (FOLDER / "rules").glob("*.yml")))


@pytest.mark.needs_program("amtool")
def test_alertmanager_takes_the_example() -> None:
    done = subprocess.run(
        ["amtool", "check-config", str(FOLDER / "alertmanager.yml")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_in_a_case_and_is_silent_in_another() -> None:
    fired: set[tuple[str, str, str]] = set()
    silent: set[str] = set()
    for file in CASES:
        for case in yaml.safe_load(file.read_text())["tests"]:
            for expected in case.get("alert_rule_test", []):
                if not expected["exp_alerts"]:
                    silent.add(expected["alertname"])
                for alert in expected["exp_alerts"]:
                    labels = alert["exp_labels"]
                    fired.add((expected["alertname"], labels["severity"], labels.get("window", "")))
    wanted = {
        (rule["alert"], rule["labels"]["severity"], rule["labels"].get("window", "")) for rule in _alerts()
    }
    assert fired == wanted
    assert silent == {rule["alert"] for rule in _alerts()}


def test_each_recorded_series_is_computed_in_a_case() -> None:
    text = (FOLDER / "tests" / "recording.yml").read_text()
    groups = yaml.safe_load((FOLDER / "rules" / "kommsync.recording.yml").read_text())["groups"]
    missing = [
        rule["record"] for group in groups for rule in group["rules"] if f"{rule['record']}" not in text
    ]
    assert missing == []


@pytest.mark.parametrize("rule", _alerts(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_an_alert_says_what_happened_and_what_to_read(rule: Rule) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket", "none"}
    summary = rule["annotations"]["summary"]
    assert summary.endswith(".")
    assert "$labels" in summary  # which side, which instance
    assert rule["annotations"]["runbook_url"].endswith(f"/runbooks/{rule['alert']}.md")


def test_the_lag_has_three_burn_windows() -> None:
    burns: defaultdict[str, list[str]] = defaultdict(list)
    for rule in _alerts():
        if "window" in rule["labels"]:
            burns[rule["alert"]].append(rule["expr"].split()[2])
    assert burns == {"KommsyncLagBudgetBurning": ["14.4", "6", "1"]}
