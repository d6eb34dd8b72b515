"""The shell scripts: dry runs tell all and change nothing, mistakes end with exit code 2, shellcheck is content."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = ("install.sh", "uninstall.sh", "kommsync-admin", "kommsync-backup")


def _run(script: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(script), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **variables},
    )


@pytest.mark.needs_program("shellcheck")
@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck_is_content(deploy: Path, script: str) -> None:
    done = subprocess.run(
        ["shellcheck", str(deploy / "systemd" / script)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.needs_program("systemctl")
def test_dry_run_names_every_step_and_needs_no_root(deploy: Path) -> None:
    done = _run(deploy / "systemd" / "install.sh", "--dry-run", "--firm", "mueller")
    assert done.returncode == 0, done.stderr
    steps = [line for line in done.stdout.splitlines() if line.startswith("+ ")]
    for expected in (
        "-m venv /opt/kommsync/releases/",
        "useradd --system --user-group --no-create-home --home-dir /var/lib/kommsync-mueller",
        "install -m 0640 -o root -g kommsync-mueller",
        "install -d -m 0700 -o root -g root /etc/kommsync/firms/mueller/credentials",
        "/etc/systemd/system/kommsync@.service.d/20-hardening.conf",
        "mv -T /opt/kommsync/current.new /opt/kommsync/current",
    ):
        assert any(expected in step for step in steps), expected
    assert "systemctl enable --now kommsync@mueller.service kommsync-backup@mueller.timer" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--firm", "Müller & Co"], "a to z and digits only"),
        (["--firm", "backup"], "take another name"),
        (["--firm"], "needs a name"),
        (["--frim", "x"], "unknown: --frim"),
    ],
)
def test_a_mistake_changes_nothing(deploy: Path, arguments: list[str], says: str) -> None:
    done = _run(deploy / "systemd" / "install.sh", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_uninstall_keeps_what_cannot_be_replaced(deploy: Path) -> None:
    done = _run(deploy / "systemd" / "uninstall.sh", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "Kept: /etc/kommsync" in done.stdout
    assert not any("/var/lib" in line for line in done.stdout.splitlines() if line.startswith("+ "))


@pytest.fixture
def release(deploy: Path, tmp_path: Path) -> Path:
    """An installed release whose `kommsync backup` writes a small store, or does worse."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "libexec").mkdir()
    (tmp_path / "bin" / "python").symlink_to(Path(sys.executable))
    program = tmp_path / "bin" / "kommsync"
    program.write_text(
        '#!/bin/sh\n[ "$1" = backup ] || exit 2\ncase $HOW in\nfail) exit 1 ;;\n'
        'damage) printf "SQLite format 3" > "$2" ;;\n'
        "*) sqlite='import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute(\"create table t(x)\")'\n"
        f'{sys.executable} -c "$sqlite" "$2" ;;\nesac\n'
    )
    program.chmod(0o755)
    script = tmp_path / "libexec" / "kommsync-backup"
    script.write_text((deploy / "systemd" / "kommsync-backup").read_text())
    script.chmod(0o755)
    return script


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    folder = tmp_path / "backup"
    folder.mkdir()
    for day in range(1, 6):
        (folder / f"kommsync-2026010{day}T023000Z.sqlite3").write_text("old")
    (folder / "notes.txt").write_text("not ours")
    return folder


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_backup_replaces_the_oldest_copies(release: Path, copies: Path) -> None:
    done = _run(release, BACKUP_DIRECTORY=str(copies), KEEP="3")
    assert done.returncode == 0, done.stderr
    names = _names(copies)
    assert names[:2] == ["kommsync-20260104T023000Z.sqlite3", "kommsync-20260105T023000Z.sqlite3"]
    assert len(names) == 4
    assert names[-1] == "notes.txt"


@pytest.mark.parametrize("how", ["fail", "damage"])
def test_a_bad_backup_costs_no_good_one(release: Path, copies: Path, how: str) -> None:
    done = _run(release, BACKUP_DIRECTORY=str(copies), KEEP="3", HOW=how)
    assert done.returncode != 0
    assert len([name for name in _names(copies) if name.endswith(".sqlite3")]) == 5
