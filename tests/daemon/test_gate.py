"""The gate: ceilings, the breaker, probes with growing pauses (states: an outage costs nobody an attempt)."""

from itertools import pairwise

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import capture_logs

from daemon.breaker import TABLE, Condition, Signal, advance
from daemon.gate import Gate
from statemachine.errors import (
    ContractBroken,
    CredentialsRefused,
    KommsyncError,
    ServerError,
    SideDown,
    SideTrouble,
    Throttled,
    UnexpectedAnswer,
)
from tests.daemon.wires import VIRTUAL, LoopClock, Seen, gate


@pytest.fixture
def anyio_backend() -> object:
    return VIRTUAL


class Patient:
    """A side whose probe answers with the scripted errors in turn, then well; notes when it was asked."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.at: list[float] = []

    async def probe(self) -> None:
        self.at.append(anyio.current_time())
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error


async def pass_through(door: Gate) -> None:
    async with door.passing():
        pass


# -- the table -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", Condition)
@pytest.mark.parametrize("signal", Signal)
def test_every_pair_is_in_the_table_or_our_bug(condition: Condition, signal: Signal) -> None:
    targets = [to for start, by, to in TABLE if (start, by) == (condition, signal)]
    assert len(targets) <= 1
    if targets:
        assert advance(condition, signal) is targets[0]
    else:
        with pytest.raises(ContractBroken, match=condition.value):
            advance(condition, signal)


def test_only_a_success_closes_and_only_trouble_opens() -> None:
    assert {by for _, by, to in TABLE if to is Condition.CLOSED} == {Signal.WELL}
    assert {by for start, by, _ in TABLE if start is Condition.CLOSED} == {
        Signal.DOWN,
        Signal.THROTTLED,
        Signal.REFUSED,
    }


# -- ceilings ------------------------------------------------------------------------------------------------


async def test_never_more_than_so_many_at_once() -> None:
    door, inside, most = gate(max_concurrent=3), 0, 0

    async def request() -> None:
        nonlocal inside, most
        async with door.passing():
            inside += 1
            most = max(most, inside)
            await anyio.sleep(1)
            inside -= 1

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(request)
    assert most == 3


async def test_a_rate_is_spaced_evenly_and_never_a_burst() -> None:
    door, times = gate(max_concurrent=20, per_second=5), []

    async def request() -> None:
        async with door.passing():
            times.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        for _ in range(11):
            group.start_soon(request)
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert min(gaps) > 0.19
    assert times[-1] - times[0] == pytest.approx(2.0, abs=0.05)


async def test_rate_zero_means_no_limit() -> None:
    door, began = gate(per_second=0), anyio.current_time()
    for _ in range(1000):
        await pass_through(door)
    assert anyio.current_time() == began


async def test_whoever_waited_for_a_place_learns_of_trouble_that_came_meanwhile() -> None:
    door, outcomes = gate(max_concurrent=1), []

    async def first() -> None:
        async with door.passing():
            await anyio.sleep(1)
            door.report(SideDown("gone"))

    async def second() -> None:
        try:
            await pass_through(door)
        except SideDown as error:
            outcomes.append(error.detail)

    async with anyio.create_task_group() as group:
        group.start_soon(first)
        await anyio.sleep(0.1)
        group.start_soon(second)
    assert outcomes == ["gone"]


# -- trouble -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SideDown("x"), "side_down"),
        (CredentialsRefused("x"), "credentials_refused"),
        (Throttled(40, "x"), "throttled"),
    ],
)
async def test_an_unusable_side_refuses_at_once_and_says_why(error: SideTrouble, reason: str) -> None:
    door = gate()
    assert door.usable
    assert door.trouble is None
    door.report(error)
    assert not door.usable
    assert door.trouble is not None
    assert (door.trouble.reason, door.trouble.detail) == (reason, "x")
    assert door.trouble.since == LoopClock().now()
    with pytest.raises(type(error), match="x"):
        await pass_through(door)


async def test_what_was_not_tried_again_is_not_said_again() -> None:
    """An adapter counts wrong passwords that were sent; one that the gate kept back was not."""

    class Counted(CredentialsRefused):
        pass

    door = gate()
    door.report(Counted("x"))
    with pytest.raises(CredentialsRefused) as caught:
        await pass_through(door)
    assert not isinstance(caught.value, Counted)


async def test_throttled_says_how_long_still() -> None:
    door = gate()
    door.report(Throttled(40))
    await anyio.sleep(15)
    with pytest.raises(Throttled) as caught:
        await pass_through(door)
    assert caught.value.retry_after == pytest.approx(25)


async def mended(door: Gate, patient: Patient) -> None:
    """Tends until the side is usable again."""
    async with anyio.create_task_group() as group:
        group.start_soon(door.tend, patient.probe)
        await anyio.lowlevel.checkpoint()
        with anyio.fail_after(1e6):
            await door.wait_until_usable()
        group.cancel_scope.cancel()


async def test_probes_come_with_growing_pauses_from_15_seconds_to_5_minutes() -> None:
    door, patient = gate(), Patient(*[SideDown()] * 7)
    began = anyio.current_time()
    door.report(SideDown())
    await mended(door, patient)
    times = [began, *patient.at]
    gaps = [round(later - sooner) for sooner, later in pairwise(times)]
    assert gaps == [15, 30, 60, 120, 240, 300, 300, 300]


async def test_those_in_a_hurry_probe_sooner_and_no_more_often_in_the_end() -> None:
    door, patient = gate(first_probe=1.0), Patient(*[SideDown()] * 3)
    began = anyio.current_time()
    door.report(SideDown())
    await mended(door, patient)
    assert [round(moment - began) for moment in patient.at] == [1, 3, 7, 15]


async def test_refused_credentials_are_tried_at_most_once_a_minute() -> None:
    door, patient = gate(), Patient(*[CredentialsRefused()] * 6)
    began = anyio.current_time()
    door.report(CredentialsRefused())
    await mended(door, patient)
    times = [began, *patient.at]
    assert min(later - sooner for sooner, later in pairwise(times)) >= 60


async def test_wrong_credentials_that_turn_up_in_an_outage_slow_the_probes_down() -> None:
    door, patient = gate(), Patient(CredentialsRefused())
    door.report(SideDown())
    await mended(door, patient)
    assert patient.at[1] - patient.at[0] >= 60


async def test_a_throttled_side_rests_as_long_as_it_asked() -> None:
    door, patient = gate(), Patient()
    began = anyio.current_time()
    door.report(Throttled(7))
    await mended(door, patient)
    assert patient.at == [pytest.approx(began + 7)]


async def test_zero_seconds_again_and_again_is_no_invitation_to_hammer() -> None:
    door, patient = gate(), Patient(*[Throttled(0)] * 10)
    began = anyio.current_time()
    door.report(Throttled(0))
    await mended(door, patient)
    assert len(patient.at) == 11
    assert patient.at[-1] - began > 600


async def test_no_retry_after_silences_us_for_ever() -> None:
    door, patient = gate(), Patient()
    began = anyio.current_time()
    door.report(Throttled(1e9))
    await mended(door, patient)
    assert anyio.current_time() - began <= 3600


async def test_only_the_probe_passes_while_the_side_is_down() -> None:
    door, passed = gate(), []

    async def probe() -> None:
        await pass_through(door)
        passed.append("probe")

    door.report(SideDown())
    async with anyio.create_task_group() as group:
        group.start_soon(door.tend, probe)
        for _ in range(14):
            await anyio.sleep(1)
            with pytest.raises(SideDown):
                await pass_through(door)
        assert passed == []
        await anyio.sleep(2)
        assert passed == ["probe"]
        await pass_through(door)
        group.cancel_scope.cancel()


@pytest.mark.parametrize("error", [ServerError(), UnexpectedAnswer(), KeyError("bug")])
async def test_a_probe_that_fails_in_any_way_keeps_the_side_closed_off(error: Exception) -> None:
    door, patient = gate(), Patient(error)
    door.report(SideDown())
    with capture_logs():
        await mended(door, patient)
    assert len(patient.at) == 2


async def test_late_news_of_requests_under_way_do_not_put_off_the_probe() -> None:
    door, patient = gate(), Patient()
    began = anyio.current_time()
    door.report(SideDown())
    async with anyio.create_task_group() as group:
        group.start_soon(door.tend, patient.probe)
        for _ in range(10):
            await anyio.sleep(1)
            door.report(SideDown())
        await door.wait_until_usable()
        group.cancel_scope.cancel()
    assert patient.at == [pytest.approx(began + 15)]


async def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends() -> None:
    seen = Seen()
    door, patient = gate(seen=seen), Patient(*[SideDown("still")] * 5)
    with capture_logs() as logs:
        door.report(SideDown("gone"))
        door.report(SideDown("gone too"))
        await mended(door, patient)
    assert [entry["event"] for entry in logs] == ["side_not_usable", "side_usable_again"]
    assert logs[0]["detail"] == "gone"
    assert logs[1]["seconds"] == pytest.approx(15 + 30 + 60 + 120 + 240 + 300, abs=1)
    assert [bool(trouble) for trouble in seen.troubles] == [True, False]


async def test_a_second_outage_begins_anew() -> None:
    door = gate()
    for _ in range(2):
        began, patient = anyio.current_time(), Patient()
        door.report(SideDown())
        await mended(door, patient)
        assert patient.at == [pytest.approx(began + 15)]


async def test_waiting_for_a_usable_side_does_not_wait() -> None:
    door, began = gate(), anyio.current_time()
    await door.wait_until_usable()
    assert anyio.current_time() == began


# -- one sick record or a sick side? -------------------------------------------------------------------------


async def suspect(door: Gate, patient: Patient, *records: str) -> list[bool]:
    found = []
    async with anyio.create_task_group() as group:
        group.start_soon(door.tend, patient.probe)
        await anyio.lowlevel.checkpoint()
        found += [await door.suspect(record) for record in records]
        group.cancel_scope.cancel()
    return found


async def test_three_records_and_a_failing_probe_mean_that_the_side_is_down() -> None:
    door = gate()
    assert await suspect(door, Patient(ServerError()), "a", "b", "c") == [False, False, True]
    assert not door.usable


async def test_three_records_while_the_probe_succeeds_are_three_sick_records() -> None:
    door, patient = gate(), Patient()
    assert await suspect(door, patient, "a", "b", "c") == [False, False, False]
    assert door.usable
    assert len(patient.at) == 1


async def test_one_record_again_and_again_is_one_record() -> None:
    patient = Patient()
    assert await suspect(gate(), patient, *["a"] * 10) == [False] * 10
    assert patient.at == []


async def test_a_record_that_is_answered_clears_the_suspicion() -> None:
    door, patient = gate(), Patient()
    await suspect(door, patient, "a", "b")
    door.well()
    await suspect(door, patient, "c", "d")
    assert patient.at == []


async def test_nobody_tends_and_so_nobody_can_be_asked() -> None:
    door = gate()
    assert await door.answers(unless_asked=True)
    assert not await door.answers(unless_asked=False)
    door.report(SideDown())
    assert not await door.answers(unless_asked=True)


async def test_many_questions_at_once_are_one_probe() -> None:
    door, asked = gate(), []

    async def probe() -> None:
        asked.append(1)
        await anyio.sleep(1)

    answers: list[bool] = []

    async def question() -> None:
        answers.append(await door.answers(unless_asked=False))

    async with anyio.create_task_group() as group:
        group.start_soon(door.tend, probe)
        await anyio.lowlevel.checkpoint()
        async with anyio.create_task_group() as questions:
            for _ in range(20):
                questions.start_soon(question)
        group.cancel_scope.cancel()
    assert answers == [True] * 20
    assert len(asked) == 1


async def test_a_question_inside_a_probe_does_not_wait_for_itself() -> None:
    door = gate()
    inner: list[bool] = []

    async def probe() -> None:
        inner.append(await door.answers(unless_asked=True))
        raise ServerError

    async with anyio.create_task_group() as group:
        group.start_soon(door.tend, probe)
        await anyio.lowlevel.checkpoint()
        with anyio.fail_after(5):
            assert not await door.answers(unless_asked=False)
        group.cancel_scope.cancel()
    assert inner == [False]


@pytest.mark.parametrize("news", [Throttled(5), CredentialsRefused()])
async def test_a_probe_that_waited_while_worse_news_came_asks_no_more(news: SideTrouble) -> None:
    door, passed = gate(), []

    async def probe() -> None:
        await anyio.sleep(1)  # for the token that somebody else is asking for
        await pass_through(door)
        passed.append("probe")

    async def bring_news() -> None:
        await anyio.sleep(0.5)
        door.report(news)

    async with anyio.create_task_group() as group:
        group.start_soon(door.tend, probe)
        await anyio.lowlevel.checkpoint()
        group.start_soon(bring_news)
        assert not await door.answers(unless_asked=False)
        assert passed == []
        assert door.trouble is not None
        assert door.trouble.reason == news.reason
        await door.wait_until_usable()
        group.cancel_scope.cancel()
    assert passed == ["probe"]


async def test_trouble_is_of_the_side_and_carries_it() -> None:
    door = gate()
    door.report(SideDown())
    with pytest.raises(KommsyncError) as caught:
        await pass_through(door)
    assert caught.value.side is door.side
