"""Logging: one pipeline for structlog and the standard library, and the place where contact data is stopped.

:func:`set_up` is called by :mod:`daemon.cli` at start and again after a reload. Everybody else logs with
``structlog.get_logger(__name__)`` and names people by betNr. Redaction comes after everything that can bring text in
(values, foreign records, tracebacks) and before anything is rendered.

Under systemd each line is JSON with a ``<N>`` priority in front, not a message to the journal's native socket: the
same line serves a container and a file, there is no second transport that can fail, and the journal still
filters by priority.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from daemon.redaction import Redactor

#: syslog's numbers, as journald reads them
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
#: Below WARNING these log every call; aiosqlite the SQL with its values.
_CHATTY = ("aiosqlite", "aiohttp.access", "asyncio", "transitions")


def set_up(
    level: str = "info",
    format: str = "auto",
    *,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Routes all logging of the process to ``stream`` (stderr: stdout belongs to the answers of commands).

    ``level`` and ``format`` as in section ``log``; ``auto`` is console on a terminal, else JSON.
    """
    stream = sys.stderr if stream is None else stream
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,  # a plain traceback: no locals
                _redaction(Redactor(secrets)),
                _renderer(format, stream, os.environ if environ is None else environ),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *common,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


class _Handler(logging.StreamHandler[TextIO]):
    """The standard one prints a record that cannot be formatted as it is, values and all."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base's name
        kind = getattr(sys.exc_info()[0], "__name__", "error")
        self.stream.write(f"{record.name}:{record.lineno}: a log record could not be written ({kind})\n")


def _redaction(redactor: Redactor) -> Processor:
    def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: redactor.value(value, key) for key, value in event.items()}

    return redact


def _renderer(format: str, stream: TextIO, environ: Mapping[str, str]) -> Processor:
    if format == "console" or (format == "auto" and stream.isatty()):
        return structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), timestamp_key="at", exception_formatter=structlog.dev.plain_traceback
        )
    as_json = structlog.processors.JSONRenderer()  # ASCII: no text can break a line or fail to encode
    if not _is_journal(stream, environ):
        return as_json

    def with_priority(logger: WrappedLogger, method: str, event: EventDict) -> str:
        priority = _PRIORITY.get(event["level"], 6)
        return f"<{priority}>{as_json(logger, method, event)!s}"

    return with_priority


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """$JOURNAL_STREAM is inherited by children whose output goes elsewhere: it must name this very stream."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
