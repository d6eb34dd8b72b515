"""The demo: a whole performance ends in agreement, disagreement would be seen, and everything can be shown."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from rich.console import Console

from daemon import config
from daemon.demo.firm import open_firm
from daemon.demo.line import Line, of_edit
from daemon.demo.office import Office as Decider
from daemon.demo.play import Play
from daemon.demo.screen import LiveScreen, PlainScreen, View, open_screen
from daemon.demo.show import Show
from daemon.demo.watch import Watch
from daemon.simulators.people import Pair
from daemon.simulators.staff import Edit
from daemon.store import OpenConflict
from statemachine.case import Conflict, ConflictKind
from statemachine.states import State
from tests.daemon.firms import Office


def console(*, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=140, height=40, color_system=None)


def printed(to: Console) -> str:
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_firm(4, seed=11) as firm:
        yield Office(firm, tmp_path)


async def test_a_whole_performance_ends_in_agreement() -> None:
    stage = console(terminal=True)
    assert await Show(5, 2.0, stage).run()
    text = printed(stage)
    assert "http://127.0.0.1:" in text
    assert "Both sides agree: 5 people" in text
    assert "outages survived" in text


async def test_the_first_signal_ends_the_play_and_the_second_the_waiting() -> None:
    stage = console()

    async def interrupt() -> None:
        while "kommsync demo" not in printed(stage):  # noqa: ASYNC110 - it is printed, not told
            await anyio.sleep(0.05)
        for _ in range(2):
            await anyio.sleep(0.5)
            os.kill(os.getpid(), signal.SIGINT)

    async with anyio.create_task_group() as group:
        group.start_soon(interrupt)
        assert not await Show(3, None, stage).run()
    assert "Ended before both sides could be compared." in printed(stage)


async def test_disagreement_is_seen_and_what_cannot_be_synced_is_excused(office: Office) -> None:
    await office.round()
    before = await office.agreement()
    assert (before.holds, before.people) == (True, 4)
    pair, row, value = office.number()
    office.firm.advoware.edit_row(row.id, tlf="0171 3920144")
    found = await office.agreement()
    assert {value, "+491713920144"} == {text.split()[2] for text in found.differ}
    await office.round()
    assert (await office.agreement()).holds
    office.firm.advoware.add_row(pair.bet_nr, 1, "k.A.")
    assert not (await office.agreement()).holds
    await office.round()
    after = await office.agreement()
    assert (after.holds, after.excused.total()) == (True, before.excused.total() + 1)


async def test_the_environment_is_enough_for_a_daemon(office: Office) -> None:
    values = office.firm.environment()
    settings = config.load(None, values)
    assert settings.espocrm.url == office.firm.espocrm_url
    assert not [value for value in values.values() if set(value) & set(" &'\"$\\")]


async def test_the_same_seed_makes_the_same_people() -> None:
    names = []
    for _ in range(2):
        async with open_firm(5, seed=4) as firm:
            names.append([firm.name_of(pair.bet_nr) for pair in firm.pairs])
            assert firm.name_of(1) == "1"
    assert names[0] == names[1]


async def test_every_scene_is_played(office: Office) -> None:
    said: list[Line] = []
    play = Play(office.firm, 3.0, said.append, lambda: True)
    scenes = set()
    with anyio.move_on_after(3.4):
        async with anyio.create_task_group() as group:
            group.start_soon(play.run)
            while True:
                scenes.add(play.scene)
                await anyio.sleep(0.05)
    play.end()
    assert len(scenes) >= 5
    assert {line.who for line in said} == {"staff", "scene"}
    assert (play.outages, office.firm.advoware.manners.manager_offline) == (1, False)
    assert play.edits == sum(line.who == "staff" for line in said)


async def test_what_the_daemon_does_is_told_once(office: Office) -> None:
    said: list[Line] = []
    pair, row, value = office.number()
    await office.round()
    office.edit(pair, value, "+491713920111")
    office.firm.advoware.edit_row(row.id, tlf="0171 3920122")
    await office.round()
    async with office.desk() as desk:
        watch = Watch(desk.store, office.firm.name_of, said.append)
        for _ in range(2):
            await watch.look()
        assert (len(watch.waiting), watch.conflicts) == (1, 1)
        assert [line.who for line in said].count("conflict") == 1
        patient = Decider(desk.store, office.firm.name_of, said.append, patience=60.0)
        await patient.decide(watch.waiting)
        assert patient.decided == 0
        patient.patience = 0.0
        await patient.decide(watch.waiting)
        await patient.decide(watch.waiting)
        assert patient.decided == 2
    assert (await office.round()).code == 0
    async with office.desk() as desk:
        await watch_all(Watch(desk.store, office.firm.name_of, said.append))
    assert any(line.who == "kommsync" and line.why for line in said)


async def watch_all(watch: Watch) -> None:
    await watch.look()
    assert watch.written.total() > 0
    assert watch.waiting == []


async def test_an_emptied_side_is_filled_again(office: Office) -> None:
    pair = office.number()[0]
    await office.round()
    office.firm.espocrm.edit_person(pair.espocrm_id, phones=[], mails=[])
    await office.round()
    async with office.desk() as desk:
        decider = Decider(desk.store, office.firm.name_of, lambda line: None, patience=0.0)
        await decider.decide(await desk.store.open_conflicts())
    assert (await office.round()).code == 0
    assert office.values(pair)


# --- how it is shown ------------------------------------------------------------------------------------------------

CONFLICT = OpenConflict("a", 10001, Conflict(3, ConflictKind.EDIT_EDIT, "L1", "+49511", "+49512", "+49513"))


def view(*waiting: OpenConflict, trouble: str | None = None) -> View:
    states = {state.value: 1 for state in State}
    sides = {"EspoCRM": None, "Advoware": trouble}
    return View("http://127.0.0.1:1/", "staff edit", 3.0, states, sides, list(waiting), 7, 8)


def test_the_live_screen_shows_states_sides_conflicts_and_changes() -> None:
    stage = console(terminal=True)
    screen = LiveScreen(stage, lambda bet_nr: f"Müller {bet_nr}")
    stage.print(screen.picture())
    screen.say(Line(time.time(), "staff", "Krüger, Anna", "EspoCRM", "changes 1 → 2", "because"))
    screen.show(view(CONFLICT, trouble="side_down"))
    stage.print(screen.picture())
    text = printed(stage)
    for said in (
        "#3 edit_edit",
        "Müller 10001",
        "✗ side_down",
        "✓ reachable",
        "Krüger, Anna",
        "permanently_failed",
    ):
        assert said in text
    screen.show(view())
    stage.print(screen.picture())
    assert "no conflict waits" in printed(stage)


def test_without_a_terminal_each_event_is_a_line_and_each_scene_is_told_once() -> None:
    stage = console()
    with open_screen(stage, str) as screen:
        assert isinstance(screen, PlainScreen)
        screen.say(Line(time.time(), "staff", "[Krüger]", "EspoCRM", "changes 1 → 2", "because"))
        screen.show(view())
        screen.show(view())
    first, second = printed(stage).splitlines()
    assert first.endswith("staff  [Krüger]  EspoCRM  changes 1 → 2 – because")
    assert second.startswith("--- staff edit (1 clean, ")


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("1", "2", "changes 1 → 2"),
        (None, "2", "changes 2"),
        ("1", None, "changes 1 → –"),
        ("1", "1", "changes 1"),
    ],
)
def test_an_edit_in_words(before: str | None, after: str | None, what: str) -> None:
    assert of_edit(Edit("espocrm", "change_item", Pair("a", 1), before, after), "Anna", 0.0).what == what
