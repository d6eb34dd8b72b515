"""Which errors are told in one sentence, and with which exit code.

Used by :mod:`daemon.cli.root`. An error that is not known here is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass

FINE, FAILED, USAGE, HUMAN_NEEDED = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Told:
    """``text`` ends with what to do, as every deliberate error does."""

    text: str
    code: int


def explained(error: BaseException) -> Told | None:
    """None for a bug."""
    from daemon.admin.desk import alone
    from daemon.config import ConfigError
    from statemachine.errors import KommsyncError, SideTrouble

    error = alone(error)
    match error:
        case ConfigError():
            return Told(f"{error}\nkommsync check says more, once the configuration can be read.", USAGE)
        case SideTrouble():
            side = error.side.value if error.side else "a side"
            return Told(f"{side} cannot be used ({error}). Type: kommsync check", FAILED)
        case KommsyncError():
            return Told(error.detail or error.reason, FAILED)
        case OSError():
            return Told(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", FAILED)
        case _:
            return None
