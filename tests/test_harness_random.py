"""Random histories under every fault of the menu, with fresh seeds each time: whoever breaks the daemon sees it soon.

``python -m tests.harness --seeds 100000 --jobs 2`` runs many more of them.
"""

import os
import secrets
import time

import pytest

from tests.harness.history import drawn, play

#: Seconds that the fresh histories may take.
BUDGET = float(os.environ.get("KOMMSYNC_HARNESS_SECONDS", "10"))


def test_nothing_is_lost_doubled_or_resurrected(capsys: pytest.CaptureFixture[str]) -> None:
    start = secrets.randbelow(10**9)
    ends, seed = time.monotonic() + BUDGET, start
    while time.monotonic() < ends:
        result = play(drawn(seed))
        assert result.violations == [], f"python -m tests.harness --replay {seed}"
        seed += 1
    assert seed > start
    with capsys.disabled():
        print(
            f"\n{seed - start} histories from seed {start}; one again: python -m tests.harness --replay SEED"
        )


def test_the_same_seed_is_the_same_history() -> None:
    for seed in (11, 12, 13):
        first, second = play(drawn(seed)), play(drawn(seed))
        assert (first.digest, first.counts) == (second.digest, second.counts)
        assert first.effects > 50
