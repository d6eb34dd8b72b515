"""The harness can fail: planted bugs are noticed. A few of them here; all by ``python -m tests.harness --bugs``."""

import pytest

from tests.harness.bugs import BUGS, caught, planted

#: Bug → the scenario that shows it, so that each costs one short history.
SHOWN = {
    "a missing record is gone at once": "record_missing_for_a_moment",
    "a first sync creates rows without a second look": "first_sync_while_advoware_shows_only_0",
    "an emptied side is nothing special": "advoware_emptied_waits",
    "the fuse never blows": "fuse_waits_for_the_operator",
    "the fuse blows one too early": "fuse_at_its_limit_holds_nothing",
    "markers are not read": "item_added_takes_a_slot",
    "every number is an office number": "item_added",
}


@pytest.mark.parametrize("name", BUGS)
def test_there_is_something_to_break(name: str) -> None:
    """A bug that replaces what is no longer there would prove nothing."""
    with planted(BUGS[name]):
        pass


@pytest.mark.parametrize("name", SHOWN)
def test_a_planted_bug_is_noticed(name: str) -> None:
    found = caught(BUGS[name], seeds=0, names=[SHOWN[name]])
    assert found.by, f"{name} goes unnoticed"
