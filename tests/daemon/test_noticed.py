"""A change that must not go unnoticed: saved while a run is under way, while it gives up, while a conflict waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from daemon.ports import Answer, Request
from daemon.simulators.espocrm import mail, phone
from daemon.simulators.people import Pair
from daemon.transport import WireError
from statemachine.model import Side
from tests.daemon.house import OTHER, House, house


async def run_with(firm: House, pair: Pair, meanwhile: Callable[[], object]) -> None:
    """One run, whose first answer of Advoware takes some time in which something happens."""
    worker, wire, done = firm.app.worker, firm.wires[Side.ADVOWARE], [None]
    send = wire.send

    async def slow(request: Request, timeout: float) -> Answer:
        answer = await send(request, timeout)
        if request.method == "GET" and done:
            done.pop()
            happening = meanwhile()
            if happening is not None:
                await happening  # type: ignore[misc]
        return answer

    wire.send = slow  # type: ignore[method-assign]
    (person,) = await firm.app.outside.store.lease(worker._owner, 8, only=[pair.espocrm_id])
    worker.running += 1
    await worker._sync(person)
    wire.send = send  # type: ignore[method-assign]
    assert not done


async def polls(firm: House, number: int) -> None:
    for _ in range(number):
        firm.clock.time += 15
        await firm.app.poller.poll_espocrm()
        await firm.settle()


async def test_saved_after_a_slow_run_had_read_it(tmp_path: Path) -> None:
    """It was listed while the run was under way, and the feed went on with other people."""
    async with house(tmp_path, 3) as firm:
        pair = await firm.synced()
        for _ in range(3):
            await firm.poll()
        firm.advoware.edit_row(firm.row(pair, "030/23125-001").id, bemerkung="bitte erst ab 14 Uhr")
        await firm.sweep()
        firm.clock.time += 6

        async def meanwhile() -> None:
            firm.clock.time += 2
            firm.espo.edit_person(pair.espocrm_id, phones=[phone(OTHER, "Office", primary=True)])
            firm.clock.time += 1
            await firm.app.poller.poll_espocrm()
            firm.clock.time += 12
            firm.espo.edit_person(firm.pairs[0].espocrm_id, description="x")
            firm.clock.time += 3
            await firm.app.poller.poll_espocrm()
            firm.clock.time += 7

        await run_with(firm, pair, meanwhile)
        await polls(firm, 20)
        assert (1, "030/23125-001") not in firm.rows(pair)


async def test_corrected_while_a_later_round_gives_up(tmp_path: Path) -> None:
    """The failed run had read the record before the correction, and ended long after it."""
    async with house(tmp_path, 3) as firm:
        pair = await firm.synced()
        for _ in range(3):
            await firm.poll()
        firm.espo.edit_person(pair.espocrm_id, betnr=77777)
        await firm.poll()
        await firm.settle()
        assert await firm.state(pair) == ("permanently_failed", "missing_in_advoware")
        for _ in range(4):
            await firm.poll()
        firm.clock.time += 86400
        await firm.app.maintenance.tidy()

        def meanwhile() -> None:
            firm.clock.time += 2
            firm.espo.edit_person(pair.espocrm_id, betnr=pair.bet_nr)
            firm.clock.time += 20

        await run_with(firm, pair, meanwhile)
        await polls(firm, 10)
        await firm.look()
        assert (await firm.state(pair))[0] == "clean"


async def test_one_older_answer_while_a_conflict_waits(tmp_path: Path) -> None:
    """Who waits for a human is not looked at anyway, so he must be told again."""
    async with house(tmp_path, 3, SYNC__CONFLICT_POLICY="manual") as firm:
        pair = await firm.synced()
        firm.edit_both(pair)
        await firm.look()
        assert (await firm.state(pair))[0] == "conflict"
        for _ in range(4):
            await firm.poll()
        wire = firm.wires[Side.ESPOCRM]
        kept: list[Answer] = []

        def keep(asked: Request) -> Answer | WireError | None:
            if asked.method == "GET" and asked.url.endswith(pair.espocrm_id):
                kept.append(wire.pass_on(asked))
            return None

        wire.fault = keep
        await firm.app.outside.espocrm.get(pair.espocrm_id)
        firm.clock.time += 100
        two = [mail("alt@example.de", primary=True), mail("neu@example.de")]
        firm.espo.edit_person(pair.espocrm_id, mails=two)
        old = kept[:1]

        def older(asked: Request) -> Answer | WireError | None:
            is_record = asked.method == "GET" and asked.url.endswith(pair.espocrm_id)
            return old.pop() if is_record and old else None

        wire.fault = older
        firm.clock.time += 5
        await firm.app.poller.poll_espocrm()
        while await firm._work():
            pass
        assert not old
        await polls(firm, 30)
        assert (4, "neu@example.de") in firm.rows(pair)


async def test_a_twin_that_is_being_synced_is_told(tmp_path: Path) -> None:
    async with house(tmp_path, 3) as firm:
        a, b = await firm.synced(1), await firm.synced(2)
        for _ in range(3):
            await firm.poll()
        store = firm.app.outside.store
        await store.ask([b.espocrm_id], "test")
        (person,) = await store.lease(firm.app.worker._owner, 8, only=[b.espocrm_id])
        firm.espo.edit_person(a.espocrm_id, betnr=b.bet_nr)
        await firm.poll()
        finish, done = store.finish, [None]

        async def last_step(*args: object, **more: object) -> object:
            if done:
                done.pop()
                while await firm._work():
                    pass
            return await finish(*args, **more)  # type: ignore[arg-type]

        store.finish = last_step  # type: ignore[method-assign, assignment]
        firm.app.worker.running += 1
        await firm.app.worker._sync(person)
        await polls(firm, 5)
        await firm.look()
        assert (await firm.state(b))[0] == "permanently_failed"


async def test_a_betnr_that_was_removed_takes_two_looks_and_no_more(tmp_path: Path) -> None:
    """§7: the first look is remembered, and is not forgotten as the look of a run that saw one side only."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        firm.espo.edit_person(pair.espocrm_id, betnr=None)
        await firm.poll()
        for _ in range(2):
            await firm._work()
            firm.clock.time += 120
        assert (await firm.state(pair))[0] == "untracked"
