"""A clock that is set is noticed, whichever way, and each time; one that only runs is not."""

import pytest

from daemon.steadiness import Steadiness


class Wall:
    """``ports.Clock`` that can be set."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.wrong = 1_000_000.0

    def now(self) -> float:
        return self.passed + self.wrong

    def monotonic(self) -> float:
        return self.passed


@pytest.mark.parametrize("by", [93_600.0, -93_600.0, 1.0, -1.0])
def test_a_clock_that_is_set_is_noticed_each_time(by: float) -> None:
    clock = Wall()
    steady = Steadiness(clock)
    clock.passed += 500
    assert steady.since() == 0.0
    clock.wrong += by
    set_at = clock.now()
    assert steady.since() == set_at
    clock.passed += 500
    assert steady.since() == set_at
    clock.wrong -= by
    assert steady.since() == clock.now()


def test_a_clock_that_is_slewed_is_not_set() -> None:
    clock = Wall()
    steady = Steadiness(clock)
    for _ in range(100):
        clock.passed += 60
        clock.wrong += 0.03
        assert steady.since() == 0.0
