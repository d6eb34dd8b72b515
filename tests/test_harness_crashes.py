"""Some crash points, others each time; all of them by ``python -m tests.harness --crashes``."""

import random
import secrets

import pytest

from tests.harness.crashes import crash, points
from tests.harness.scenarios import SCENARIOS


@pytest.fixture
def chance(capsys: pytest.CaptureFixture[str]) -> random.Random:
    """Others each time; which is printed."""
    seed = secrets.randbelow(10**9)
    with capsys.disabled():
        print(f"\ncrash points drawn from seed {seed}")
    return random.Random(seed)


def test_a_kill_anywhere_changes_nothing(chance: random.Random) -> None:
    for name in chance.sample(sorted(SCENARIOS), 12):
        calm, numbers = points(SCENARIOS[name])
        for number in chance.sample(numbers, min(5, len(numbers))):
            found = crash(SCENARIOS[name], calm, (number,))
            assert found.problems == (), f"python -m tests.harness --scenario {name} --die-at {number}"


def test_a_second_kill_during_the_recovery_changes_nothing(chance: random.Random) -> None:
    for name in chance.sample(sorted(SCENARIOS), 6):
        calm, numbers = points(SCENARIOS[name])
        for number in chance.sample(numbers, min(4, len(numbers))):
            die_at = (number, number + chance.randrange(1, 12))
            found = crash(SCENARIOS[name], calm, die_at)
            wanted = f"python -m tests.harness --scenario {name} --die-at {die_at[0]} {die_at[1]}"
            assert found.problems == (), wanted
