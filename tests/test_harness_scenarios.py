"""Every named scenario of the harness, undisturbed: both sides agree, nothing is lost, doubled, resurrected."""

import pytest

from tests.harness.scenarios import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_ends_as_people_wanted(name: str) -> None:
    assert SCENARIOS[name].run().violations == []
