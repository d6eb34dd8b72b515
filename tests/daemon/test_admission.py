"""Whether a side may be used: its gate and a human's pause."""

from __future__ import annotations

import math

import anyio
import pytest

from daemon.admission import Admission, pause_note, pause_text, paused_until
from daemon.metrics import Metrics
from statemachine.model import Side
from tests.daemon.wires import VIRTUAL, LoopClock


@pytest.fixture
def anyio_backend() -> object:
    return VIRTUAL


class Door:
    def __init__(self) -> None:
        self.usable = True
        self.event = anyio.Event()

    async def wait_until_usable(self) -> None:
        while not self.usable:
            await self.event.wait()


class Notes(dict[str, str]):
    async def get_note(self, name: str) -> str | None:
        return self.get(name)


async def test_open_closed_and_paused() -> None:
    door, notes, metrics = Door(), Notes(), Metrics()
    admission = Admission(Side.ADVOWARE, door, notes, LoopClock(), metrics)
    assert await admission.is_open()
    door.usable = False
    assert not await admission.is_open()
    door.usable = True
    notes[pause_note(Side.ESPOCRM)] = "the other one"
    assert await admission.is_open()
    notes[pause_note(Side.ADVOWARE)] = "2026-11-22"
    assert not await admission.is_open()
    assert await admission.is_paused()
    assert metrics.side_paused["advoware"]._value.get() == 1


async def test_it_waits_for_the_gate_and_for_the_end_of_a_pause() -> None:
    door, notes = Door(), Notes({pause_note(Side.ADVOWARE): "x"})
    door.usable = False
    admission = Admission(Side.ADVOWARE, door, notes, LoopClock(), Metrics())
    passed = anyio.Event()

    async def pass_through() -> None:
        await admission.wait()
        passed.set()

    async with anyio.create_task_group() as group:
        group.start_soon(pass_through)
        await anyio.sleep(5)
        door.usable = True
        door.event.set()
        await anyio.sleep(5)
        assert not passed.is_set()
        notes.clear()
        await anyio.sleep(2)
        assert passed.is_set()


async def test_a_pause_ends_by_itself() -> None:
    door, clock = Door(), LoopClock()
    notes = Notes({pause_note(Side.ADVOWARE): pause_text("2026-11-22", "operator", clock.now() + 60)})
    admission = Admission(Side.ADVOWARE, door, notes, clock, Metrics())
    with anyio.move_on_after(59) as early:
        await admission.wait()
    assert early.cancelled_caught
    with anyio.fail_after(3):
        await admission.wait()


def test_the_text_of_a_pause_tells_its_end() -> None:
    assert paused_until(None, 5.0) is None
    assert paused_until(pause_text("now", "operator", 7.5), 5.0) == 7.5
    assert paused_until(pause_text("now", "operator", 7.5), 7.5) is None
    for text in (pause_text("now", "operator", math.inf), "somebody, until tomorrow", "until until soon"):
        assert paused_until(text, 5.0) == math.inf
