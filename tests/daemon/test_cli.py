"""The command line: exit codes, JSON on stdout, one sentence on stderr, two commands at once.

The simulators and the daemon are processes; a command runs in ours unless being a process is what it is tried for.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import structlog
import typer
from typer.testing import CliRunner

from daemon.cli import failure, output, undoing
from daemon.cli.root import app, main
from daemon.config import ConfigError, Problem
from statemachine.errors import SideDown
from statemachine.model import Side

KOMMSYNC = (sys.executable, "-m", "daemon")
QUICK = {
    "KOMMSYNC_SYNC__SETTLE_SECONDS": "0.05",
    "KOMMSYNC_SYNC__DELETION_CONFIRM_SECONDS": "0.1",
    "KOMMSYNC_ESPOCRM__POLL_INTERVAL_SECONDS": "0.5",
    "KOMMSYNC_ADVOWARE__SWEEP_INTERVAL_SECONDS": "1",
    "KOMMSYNC_WEB__PORT": "0",
}


class Typed(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Commands set up logging for their process, which is ours."""
    yield
    structlog.reset_defaults()


class Desk:
    """Somebody at a shell, in an empty directory, with the variables that ``simulators`` printed."""

    def __init__(self, directory: Path, printed: list[str]) -> None:
        self.directory = directory
        ours = {name: value for name, value in os.environ.items() if not name.startswith("KOMMSYNC_")}
        firm = dict(line.split("=", 1) for line in printed)
        store = {"KOMMSYNC_STORE__PATH": str(directory / "kommsync.sqlite3")}
        self.environ = ours | firm | QUICK | store

    def type(self, *words: str, **variables: str) -> Typed:
        """Through the entry point, as the console script calls it."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as shell, redirect_stdout(out), redirect_stderr(err):
            for name, value in (self.environ | variables).items():
                shell.setenv(name, value)
            shell.chdir(self.directory)
            shell.setattr(sys, "excepthook", sys.excepthook)  # main() puts in its own
            with pytest.raises(SystemExit) as left:
                main(words)
        return Typed(int(left.value.code or 0), out.getvalue(), err.getvalue())

    def spawn(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*KOMMSYNC, *words],
            env=self.environ | variables,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def json(self, *words: str) -> Any:
        done = self.type(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*KOMMSYNC, *words],
            env=self.environ,
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )


def end(process: subprocess.Popen[str]) -> int:
    """As systemd does it; the exit code."""
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=15)
    return process.returncode


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """A firm of five, in sync."""
    with tempfile.TemporaryDirectory() as name:
        desk = Desk(Path(name), [])
        simulators = desk.start("simulators", "--people", "5", "--seed", "9")
        try:
            assert simulators.stdout is not None
            desk = Desk(Path(name), [simulators.stdout.readline().strip() for _ in range(9)])
            done = desk.spawn("once")
            assert (done.returncode, done.stdout) == (0, ""), done.stderr
            yield desk
        finally:
            assert end(simulators) == 0


def test_reading_commands_print_json(desk: Desk) -> None:
    listed = desk.json("list", "--json")
    assert len(listed) == 5
    bet_nr = str(listed[0]["bet_nr"])
    assert desk.json("show", bet_nr)["state"] == "clean"
    assert desk.json("history", bet_nr)[0]["what"] == "transition"
    assert desk.json("status")["tracked"] == 5


def test_commands_work_while_the_daemon_runs_and_a_second_one_refuses(desk: Desk) -> None:
    daemon = desk.start("run")
    try:
        assert daemon.stdout is not None
        page = daemon.stdout.readline().split()[-1]
        found = desk.json("status")
        assert (found["page"], found["sides"]["espocrm"]["asked"]) == (page, "daemon")
        assert f"process {daemon.pid} on " in found["running"]
        second = desk.type("run")
        assert second.returncode == 1
        assert f"belongs to process {daemon.pid}" in second.stderr
        assert desk.type("once").returncode == 1
        assert desk.type("backup", "copy.sqlite3").returncode == 0
        assert (desk.directory / "copy.sqlite3").exists()
    finally:
        assert end(daemon) == 0


def test_people_read_tables(desk: Desk) -> None:
    bet_nr = str(desk.json("list")[0]["bet_nr"])
    explained = desk.type("explain", bet_nr)
    assert (explained.returncode, "Next: nothing, until something changes" in explained.stdout) == (0, True)
    planned = desk.type("plan", "--out", "plan.json")
    assert "To carry out exactly this: kommsync apply plan.json" in planned.stdout
    assert "5 Beteiligte synced as planned" in desk.type("apply", "plan.json").stdout
    assert "drift: 0 entries of 5 Beteiligte" in desk.type("audit", "--out", "audit.json").stdout
    assert json.loads((desk.directory / "audit.json").read_text())["drift"] == 0
    nothing = ("undo", "--since", "2000-01-01", "--until", "2000-01-02")
    assert "Nothing was changed. 0 of 0 entries can be taken back" in desk.type(*nothing).stdout
    assert desk.json(*nothing, "--yes", "--json") == {"entries": [], "asked": 0}


def test_a_dry_run_has_a_memory_of_its_own_and_may_run_beside_the_daemon(desk: Desk) -> None:
    daemon, dry = desk.start("run"), desk.start("run", "--dry-run")
    try:
        assert daemon.stdout is not None
        assert dry.stdout is not None
        page = dry.stdout.readline().split()[-1]
        assert "nothing is written to EspoCRM or Advoware" in dry.stdout.readline()
        own = desk.directory / "kommsync-dry-run.sqlite3"
        assert str(own) in dry.stdout.readline()
        found = json.loads(desk.type("status", KOMMSYNC_STORE__PATH=str(own)).stdout)
        assert (found["page"], found["tracked"]) == (page, 5)
        assert f"process {dry.pid} on " in found["running"]
        assert f"belongs to process {dry.pid}" in desk.type("run", "--dry-run").stderr
    finally:
        assert (end(dry), end(daemon)) == (0, 0)


def test_wrong_settings_end_with_2_and_name_every_problem(desk: Desk) -> None:
    done = desk.type("status", KOMMSYNC_SYNC__WORKERS="0", KOMMSYNC_ESPOCRM__URL="nowhere")
    assert done.returncode == 2
    assert "sync.workers" in done.stderr
    assert "espocrm.url" in done.stderr
    (desk.directory / "other.toml").write_text("[sync]\nworkers = 'many'\n")
    for words in (("--config", "other.toml", "list"), ("list", "--config=other.toml")):
        done = desk.type(*words)
        assert (done.returncode, "many" in done.stderr) == (2, True)


def test_what_cannot_be_done_ends_with_1_and_a_next_step(desk: Desk) -> None:
    for words, said in (
        (("show", "1"), "kommsync list"),
        (("fuse", "approve", "espocrm"), "kommsync fuse"),
        (("apply", "nothing.json"), "nothing.json"),
    ):
        done = desk.type(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("kommsync: ")
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_check_has_an_exit_code_for_scripts(desk: Desk) -> None:
    done = desk.type("check", "--json")
    assert done.returncode == 0, done.stdout
    assert {"what", "result", "ok", "detail", "remedy"} == json.loads(done.stdout)[0].keys()
    done = desk.type("check", KOMMSYNC_ESPOCRM__API_KEY="another")
    assert done.returncode == 3
    assert "another" not in done.stdout + done.stderr


def test_a_side_that_is_down_is_told(desk: Desk) -> None:
    done = desk.type("plan", KOMMSYNC_ESPOCRM__URL="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "espocrm cannot be used" in done.stderr
    assert "kommsync check" in done.stderr


# --- without a process ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["resolve", "1"],
        ["resolve", "1", "--keep", "mine"],
        ["retry"],
        ["retry", "1", "--all-failed"],
        ["pause", "espocrm", "--bet-nr", "1"],
        ["pause", "--for", "0"],
        ["pause", "nobody"],
        ["fuse", "approve"],
        ["list", "--state", "lost"],
        ["demo", "--people", "0"],
    ],
)
def test_usage_errors_end_with_2(words: list[str]) -> None:
    assert CliRunner().invoke(app, words).exit_code == 2


def test_help_and_version() -> None:
    assert "kommsync 0." in CliRunner().invoke(app, ["--version"]).output
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, command in commands.items():
        assert command.help, name
        assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0


def test_the_contract_of_commands_is_complete() -> None:
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert commands == set(
        "demo simulators run once check plan apply status list show explain history conflicts resolve retry pause"
        " resume fuse undo audit backup".split()
    )


@pytest.mark.parametrize(
    "words",
    [
        ["undo"],
        ["undo", "4711"],
        ["undo", "--to", "2026-03-01"],
        ["undo", "1", "--to", "soon"],
        ["undo", "1", "2", "--to", "2026-03-01"],
        ["undo", "1", "--to", "2026-03-01", "--since", "2026-03-01"],
        ["undo", "--since", "2026-03-02", "--until", "2026-03-01"],
        ["audit", "--resume"],
        ["audit", "--resume", "--out", "x.json", "--sample", "5"],
        ["audit", "--sample", "0"],
    ],
)
def test_usage_of_undo_and_audit(words: list[str]) -> None:
    assert CliRunner().invoke(app, words).exit_code == 2


def test_moments_may_be_written_in_several_ways() -> None:
    assert undoing._moment("1772359200") == 1772359200.0
    assert undoing._moment("2026-03-01T10:00+00:00") == 1772359200.0
    assert undoing._moment("2026-03-02") - undoing._moment("2026-03-01 12:00") == 43200.0
    for text in ("inf", "nan", "", None, "gestern"):
        with pytest.raises(typer.BadParameter, match="no moment"):
            undoing._moment(text)


def test_errors_become_sentences_and_codes() -> None:
    wrapped = ExceptionGroup("", [ExceptionGroup("", [SideDown("no answer", side=Side.ADVOWARE)])])
    told = failure.explained(wrapped)
    assert told is not None
    assert (told.code, "advoware cannot be used" in told.text) == (1, True)
    told = failure.explained(ConfigError([Problem("sync.workers", "0", "must be more")]))
    assert told is not None
    assert told.code == 2
    told = failure.explained(PermissionError(13, "Permission denied", "/x"))
    assert told is not None
    assert told.text == "Permission denied: /x"
    assert failure.explained(ZeroDivisionError()) is None


def test_cells_are_for_reading() -> None:
    assert output.shown("since", None) == ""
    assert output.shown("since", float("inf")) == "for ever"
    assert output.shown("since", 1.0).startswith("19")
    assert output.shown("advoware_ids", [1, 2]) == "1, 2"
    assert output.shown("state", "clean") == "clean"
