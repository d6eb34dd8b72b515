"""One pipeline for all logs: formats, priorities, and nothing personal in messages, values or tracebacks."""

import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from daemon import logs

PHONE = "0511 12345-60"
MAIL = "max.mustermann@example.com"
SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging is the process's: leave it as other tests know it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_its_values() -> None:
    stream = io.StringIO()
    logs.set_up(stream=stream, environ={})
    structlog.get_logger("daemon.sync").info("synced", bet_nr=104711, writes=2, seconds=0.25)
    (line,) = lines(stream)
    assert line.pop("at")
    assert line == {
        "event": "synced",
        "level": "info",
        "logger": "daemon.sync",
        "bet_nr": 104711,
        "writes": 2,
        "seconds": 0.25,
    }


def test_the_standard_library_goes_the_same_way() -> None:
    stream = io.StringIO()
    logging.captureWarnings(False)  # another test's warnings filter may have taken the hook away
    logs.set_up(stream=stream, environ={})
    logging.getLogger("aiohttp.server").error("bad request from %s", MAIL)
    structlog.get_logger("x").warning("%s is no number", PHONE)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"deprecated for {MAIL}", stacklevel=1)
    told = lines(stream)
    assert [line["logger"] for line in told] == ["aiohttp.server", "x", "py.warnings"]
    first, second, third = told
    assert (first["event"], first["level"], first["logger"]) == (
        "bad request from [address]",
        "error",
        "aiohttp.server",
    )
    assert second["event"] == "[number] is no number"
    assert third["logger"] == "py.warnings"


@pytest.mark.parametrize("format", ["json", "console"])
def test_a_traceback_has_neither_locals_nor_contacts(format: str) -> None:
    stream = io.StringIO()
    logs.set_up("debug", format, secrets=[SECRET], stream=stream, environ={})
    hidden = "a local value"
    try:
        raise ValueError(f"{PHONE} {MAIL} {SECRET} {len(hidden)}")
    except ValueError:
        structlog.get_logger("x").exception("our bug", error=ValueError(MAIL))
        logging.getLogger("y").exception("theirs")
    text = stream.getvalue()
    assert text.count("Traceback") == 2
    assert "[number] [address]" in text
    assert not [
        part for part in (PHONE, MAIL, SECRET, hidden, "12345") if part in text.replace('"a local value"', "")
    ]


@given(st.sampled_from([PHONE, MAIL, SECRET]), st.text(max_size=20))
def test_no_value_gets_through_wherever_it_stands(personal: str, key: str) -> None:
    stream = io.StringIO()
    logs.set_up(secrets=[SECRET], stream=stream, environ={})
    log = structlog.get_logger("x")
    event = f"text {personal}"
    log.info(event)
    log.info("nested", rows=[{"tlf": personal, personal: key}], seen={personal})
    log.bind(value=personal).error("bound")
    assert personal not in stream.getvalue()
    assert len(lines(stream)) == 3


def test_below_the_level_nothing_is_written_and_libraries_stay_quiet() -> None:
    stream = io.StringIO()
    logs.set_up("warning", stream=stream, environ={})
    structlog.get_logger("x").info("unseen")
    logs.set_up("debug", stream=stream, environ={})
    logging.getLogger("aiosqlite").debug("executing functools.partial(INSERT …)")
    structlog.get_logger("x").debug("seen")
    assert [line["event"] for line in lines(stream)] == ["seen"]


def test_a_record_that_cannot_be_formatted_shows_nothing() -> None:
    stream = io.StringIO()
    logs.set_up(stream=stream, environ={})
    logging.getLogger("x").error("%d entries", MAIL)
    assert stream.getvalue().endswith("a log record could not be written (TypeError)\n")
    assert MAIL not in stream.getvalue()


def test_auto_is_for_people_on_a_terminal() -> None:
    terminal = Terminal()
    logs.set_up(stream=terminal, environ={})
    structlog.get_logger("x").info("synced", bet_nr=104711)
    assert "104711" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


@pytest.mark.parametrize(
    ("level", "prefix"),
    [("debug", "<7>"), ("info", "<6>"), ("warning", "<4>"), ("error", "<3>"), ("critical", "<2>")],
)
def test_the_journal_gets_a_priority(level: str, prefix: str, tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        logs.set_up("debug", stream=stream, environ={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        getattr(structlog.get_logger("x"), level)("told", text="two\nlines")
        stream.seek(0)
        (line,) = stream.read().splitlines()
    assert line.startswith(prefix + "{")


def test_a_stream_that_is_not_the_journal_gets_none(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+") as stream:
        logs.set_up(stream=stream, environ={"JOURNAL_STREAM": "1:2"})
        structlog.get_logger("x").info("told")
        stream.seek(0)
        assert stream.read().startswith("{")


def test_bound_context_is_part_of_the_line() -> None:
    stream = io.StringIO()
    logs.set_up(stream=stream, environ={})
    with structlog.contextvars.bound_contextvars(run="r17"):
        structlog.get_logger("x").info("within")
    assert lines(stream)[0]["run"] == "r17"
