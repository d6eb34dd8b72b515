"""Time cannot hurt: other clocks, the same writes."""

import pytest

from tests.harness.clocks import CLOCKS, written


@pytest.mark.parametrize("name", CLOCKS)
def test_other_clocks_write_the_same(name: str) -> None:
    for seed in (5, 8):
        right = written(seed, ())
        wrong = written(seed, CLOCKS[name])
        assert right[0] == wrong[0] == []
        assert sorted(wrong[1]) == sorted(right[1]), f"seed {seed}"
        assert right[1]
