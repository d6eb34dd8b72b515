"""What every test shares: the asyncio backend, hypothesis without deadlines, and the `needs_program` marker."""

import os
import shutil
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# Shared machines stall: a deadline would test the neighbours. `pytest --hypothesis-profile=long` digs deeper.
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("long", deadline=None, print_blob=True, max_examples=5000)
settings.load_profile("default")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """What one test sets up for its logs must not swallow the next one's."""
    yield
    structlog.reset_defaults()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.needs_program("promtool")`: a stranger's machine may lack it, ours in CI must not."""
    for marker in item.iter_markers("needs_program"):
        missing = [name for name in marker.args if shutil.which(name) is None]
        if missing and os.environ.get("CI") == "true":
            pytest.fail(f"not installed: {', '.join(missing)} (.ci/run should have done it)", pytrace=False)
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)}")
