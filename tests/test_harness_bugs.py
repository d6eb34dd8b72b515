"""The harness can fail: planted bugs are noticed. A few of them here; all by ``python -m tests.harness --bugs``."""

import random
import secrets

import pytest

from tests.harness.bugs import BUGS, caught, planted


@pytest.mark.parametrize("name", BUGS)
def test_there_is_something_to_break(name: str) -> None:
    """A bug that replaces what is no longer there would prove nothing."""
    with planted(BUGS[name]):
        pass


@pytest.mark.timeout(400)  # some bugs keep the daemon busy for long before they are noticed
def test_planted_bugs_are_noticed() -> None:
    """Others each time."""
    shown = sorted(name for name, bug in BUGS.items() if bug.likely)
    for name in random.Random(secrets.randbelow(10**9)).sample(shown, 16):
        found = caught(BUGS[name], seeds=0, names=list(BUGS[name].likely))
        assert found.by, f"python -m tests.harness --bugs {name!r}: it goes unnoticed"


def test_every_guard_and_limit_has_its_bug() -> None:
    assert len(BUGS) >= 40
