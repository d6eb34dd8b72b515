"""The systemd units: accepted by systemd, hardened as promised, equal for one firm and for several."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

EXPOSURE_AT_MOST = 1.5
SERVICES = ("kommsync.service", "kommsync@.service", "kommsync-backup.service", "kommsync-backup@.service")
TIMERS = ("kommsync-backup.timer", "kommsync-backup@.timer")
PROGRAMS = "/opt/kommsync/current"


@pytest.fixture
def units(deploy: Path, tmp_path: Path) -> Path:
    """The units with drop-ins, naming programs that exist here: the real ones come with an installation."""
    folder = tmp_path / "system"
    shutil.copytree(deploy / "systemd", folder)
    for name in ("kommsync", "kommsync-backup"):
        for place in ("bin", "libexec"):
            program = tmp_path / "current" / place / name
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
    for file in [*folder.glob("*.service"), *folder.glob("*.service.d/*.conf")]:
        file.write_text(file.read_text().replace(PROGRAMS, str(tmp_path / "current")))
    return folder


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], check=False, capture_output=True, text=True, timeout=60
    )


def _instance(unit: str) -> str:
    return unit.replace("@.", "@mueller.")


@pytest.mark.needs_program("systemd-analyze")
@pytest.mark.parametrize("unit", [*SERVICES, *TIMERS])
def test_systemd_finds_nothing_to_complain_about(units: Path, unit: str) -> None:
    done = _analyze("verify", "--man=no", str(units / _instance(unit)))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.needs_program("systemd-analyze")
def test_systemd_would_complain_about_a_misspelt_setting(units: Path) -> None:
    drop_in = units / "kommsync.service.d" / "20-hardening.conf"
    drop_in.write_text(drop_in.read_text().replace("ProtectHome", "ProtectHouse"))
    done = _analyze("verify", "--man=no", str(units / "kommsync.service"))
    assert "ProtectHouse" in done.stderr


@pytest.mark.needs_program("systemd-analyze")
@pytest.mark.parametrize("unit", SERVICES)
def test_exposure_is_low(units: Path, unit: str) -> None:
    done = _analyze("security", "--offline=true", "--no-pager", str(units / _instance(unit)))
    score = re.search(r"Overall exposure level for .*: (\d+\.\d+)", done.stdout)
    assert score, done.stderr
    assert float(score[1]) <= EXPOSURE_AT_MOST


def _settings(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if "=" in line and not line.startswith("#")]


@pytest.mark.parametrize("unit", ["kommsync.service", "kommsync-backup.service"])
def test_several_firms_run_like_one(deploy: Path, unit: str) -> None:
    """The template differs in the firm's name alone: what is true of one is true of the other."""
    template = _settings(deploy / "systemd" / unit.replace(".service", "@.service"))
    without_firm = [
        line.replace("/etc/kommsync/firms/%i", "/etc/kommsync")
        .replace("-%i", "")
        .replace(" for %i", "")
        .replace(" of %i", "")
        for line in template
    ]
    assert without_firm == _settings(deploy / "systemd" / unit)


def test_a_unit_without_its_drop_ins_does_not_start_unprotected(deploy: Path) -> None:
    for unit in ("kommsync.service", "kommsync@.service"):
        assert "ExecStart" not in (deploy / "systemd" / unit).read_text()
        assert {"10-daemon.conf", "20-hardening.conf"} == {
            file.name for file in (deploy / "systemd" / f"{unit}.d").iterdir()
        }


def test_restarts_cannot_storm(deploy: Path) -> None:
    """At most 20 starts an hour, none at all for a wrong configuration (exit code 2)."""
    settings = _settings(deploy / "systemd" / "daemon.conf")
    assert {
        "RestartSec=30s",
        "StartLimitIntervalSec=1h",
        "StartLimitBurst=20",
        "RestartPreventExitStatus=2",
    } <= set(settings)


def test_the_daemon_speaks_the_protocol_that_the_unit_expects(deploy: Path) -> None:
    settings = _settings(deploy / "systemd" / "daemon.conf")
    assert {"Type=notify", "WatchdogSec=3min", "ExecReload=/bin/kill -HUP $MAINPID"} <= set(settings)
    assert not any("notify-reload" in line for line in settings)  # systemd 252 does not know it
