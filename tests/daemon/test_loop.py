"""Loops: they wait, survive errors, are heard of, and stop while a side is closed."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
from structlog.testing import capture_logs

from daemon.loop import ALLOWANCE_SECONDS, Bell, Loop, Progress
from daemon.metrics import Metrics
from daemon.store import StoreTrouble
from statemachine.errors import SideDown, UnexpectedAnswer
from statemachine.model import Side
from tests.daemon.store.building import HandClock
from tests.daemon.wires import VIRTUAL, LoopClock


@pytest.fixture
def anyio_backend() -> object:
    return VIRTUAL


class Door:
    def __init__(self) -> None:
        self.open = anyio.Event()

    async def wait(self) -> None:
        await self.open.wait()


async def turns(
    step: Callable[[], object], seconds: float, interval: float = 10.0, **options: object
) -> Progress:
    """Runs a loop for a while of virtual time."""
    clock = LoopClock()
    progress = Progress(clock, Metrics())

    async def one() -> float | None:
        return step()  # type: ignore[return-value]

    loop = Loop("poll", one, interval, clock=clock, progress=progress, **options)  # type: ignore[arg-type]
    with anyio.move_on_after(seconds):
        await loop.run()
    return progress


async def test_it_keeps_its_interval() -> None:
    at: list[float] = []
    await turns(lambda: at.append(anyio.current_time()), 35)
    assert [round(moment - at[0]) for moment in at] == [0, 10, 20, 30]


async def test_a_step_may_say_when_the_next_one_is_due() -> None:
    at: list[float] = []

    def step() -> float:
        at.append(anyio.current_time())
        return 3.0

    await turns(step, 10)
    assert [round(moment - at[0]) for moment in at] == [0, 3, 6, 9]


async def test_the_bell_saves_waiting_even_if_it_rang_during_the_step() -> None:
    bell, count = Bell(), []

    def step() -> None:
        count.append(1)
        if len(count) == 1:
            bell.ring()

    await turns(step, 5, bell=bell)
    assert len(count) == 2


@pytest.mark.parametrize("error", [ValueError("ours"), UnexpectedAnswer("rubbish", side=Side.ESPOCRM)])
async def test_an_error_is_logged_once_when_it_begins_and_once_when_it_ends(error: Exception) -> None:
    count: list[int] = []

    def step() -> None:
        count.append(1)
        if len(count) <= 3:
            raise error

    with capture_logs() as logs:
        await turns(step, 55)
    assert [log["event"] for log in logs] == ["loop_step_failed", "loop_step_works_again"]
    assert len(count) == 6


async def test_an_hourly_step_that_failed_is_repeated_within_a_minute() -> None:
    """A full scan must not wait an hour because a side broke down in the middle."""
    at: list[float] = []

    def step() -> None:
        at.append(anyio.current_time())
        if len(at) == 1:
            raise SideDown(side=Side.ESPOCRM)
        if len(at) == 2:
            raise ValueError

    await turns(step, 100, interval=3600.0)
    assert [round(moment - at[0]) for moment in at] == [0, 5, 65]


async def test_trouble_of_a_side_is_the_gates_to_log() -> None:
    def step() -> None:
        raise SideDown(side=Side.ESPOCRM)

    with capture_logs() as logs:
        await turns(step, 30)
    assert {log["log_level"] for log in logs} == {"debug"}


async def test_nothing_happens_before_the_entrance_opens_and_that_is_no_lack_of_progress() -> None:
    door, count = Door(), []
    progress = await turns(lambda: count.append(1), 10 * ALLOWANCE_SECONDS, entrance=door)
    assert not count
    assert progress.stuck() == ()
    door.open.set()
    await turns(lambda: count.append(1), 5, entrance=door)
    assert count


async def test_what_was_waited_for_at_the_entrance_is_no_part_of_the_interval() -> None:
    at: list[float] = []

    class Slow:
        async def wait(self) -> None:
            if not at:
                await anyio.sleep(100)

    await turns(lambda: at.append(anyio.current_time()), 125, entrance=Slow())
    assert [round(moment - at[0]) for moment in at] == [0, 10, 20]


async def test_an_entrance_that_fails_does_not_end_the_loop() -> None:
    """It reads the store for a pause, and a disk may be full."""
    at: list[float] = []

    class Ajar:
        async def wait(self) -> None:
            at.append(anyio.current_time())
            if len(at) == 1:
                await anyio.sleep(100)
            if len(at) <= 2:
                raise StoreTrouble("disk full")

    with capture_logs() as logs:
        progress = await turns(lambda: None, 125, entrance=Ajar())
    assert [round(moment - at[0]) for moment in at] == [0, 100, 110, 120]
    assert [log["event"] for log in logs] == ["loop_step_failed", "loop_step_works_again"]
    assert progress._until["poll"] is not None  # it promises again


async def test_a_step_that_hangs_is_a_lack_of_progress() -> None:
    clock = LoopClock()
    progress = Progress(clock, Metrics())
    loop = Loop("poll", anyio.sleep_forever, 10, clock=clock, progress=progress)
    async with anyio.create_task_group() as group:
        group.start_soon(loop.run)
        await anyio.sleep(ALLOWANCE_SECONDS - 1)
        assert progress.stuck() == ()
        await anyio.sleep(2)
        assert progress.stuck() == ("poll",)
        group.cancel_scope.cancel()


def test_progress_is_a_promise_that_can_be_renewed() -> None:
    clock = HandClock()
    progress = Progress(clock, Metrics())
    progress.expect("poll", 10)
    clock.time += 9
    progress.expect("poll", 10)
    clock.time += 9
    assert progress.stuck() == ()
    clock.time += 2
    assert progress.stuck() == ("poll",)
    progress.rest("poll")
    assert progress.stuck() == ()
