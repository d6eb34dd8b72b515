"""Whole syncs on the simulators about the life of a question: asked, held, decided late, decided twice. What an
operator said last is done, and whoever waits for him has a Task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.admin import conflicts as admin_conflicts
from daemon.admin import fuses as admin_fuses
from daemon.admin.undo import undo
from daemon.notices import Notices
from daemon.ports import Answer, Request
from daemon.rehearsal import Rehearsal
from daemon.simulators.espocrm import mail, phone
from daemon.simulators.people import Pair
from daemon.store import HistoryRow
from daemon.transport import WireError
from statemachine.case import Fuse, Keep, Wish
from statemachine.errors import UnknownOutcome
from statemachine.model import Kind, Side
from tests.daemon.house import MOBILE, OFFICE, OTHER, House, emptied_and_decided, house
from tests.daemon.test_other_pairs import THEIRS, emptied, moved
from tests.daemon.wires import Once, is_record, json_answer, refusing

CLOSED = ("Completed", "Canceled")
OPERATORS_DECIDE = {"SYNC__CONFLICT_POLICY": "manual"}


async def tasks(firm: House) -> list[dict[str, Any]]:
    """The open Tasks, when all that is known has been told."""
    outside = firm.app.outside
    for _ in range(2):
        await Notices(outside.espocrm, outside.store, firm.espo.human.id).reconcile()
    return [row for row in firm.espo.tasks.rows() if row["status"] not in CLOSED]


async def decisions(firm: House, pair: Pair) -> list[HistoryRow]:
    """Oldest first."""
    return [
        line for line in await firm.app.outside.store.history(pair.bet_nr, 50) if line["what"] == "decision"
    ]


async def resolve(firm: House, keep: Keep) -> int:
    """An operator decides the one question that is open; its number."""
    (one,) = await firm.app.outside.store.open_conflicts()
    await admin_conflicts.resolve(firm.app.outside.store, one.conflict.id, keep)
    return one.conflict.id


async def emptied_beside_an_edit(firm: House) -> Pair:
    """EspoCRM was emptied while Advoware's number was edited; an operator keeps Advoware."""
    pair = await firm.synced()
    firm.espo.edit_person(pair.espocrm_id, mails=[], phones=[])
    await firm.look()
    firm.advoware.edit_row(firm.row(pair, "030/23125-001").id, tlf="030/23125-009")
    await firm.look()
    await resolve(firm, Keep.ADVOWARE)
    await firm.look()
    return pair


# --- whoever waits for an operator has a Task -----------------------------------------------------------------------


async def test_two_hundred_tasks_of_one_kind_do_not_hide_a_conflict(tmp_path: Path) -> None:
    """§11: what needs no Task, however many there are of it, must not keep a conflict from having one."""
    async with house(tmp_path, 0, **OPERATORS_DECIDE) as firm:
        for number in range(205):
            address = f"a{number}@example.de"
            firm.new([(1, "k.A."), (4, address)], [], [mail(address, primary=True)])
        await firm.look()
        assert await tasks(firm) == []
        pair = await firm.synced()
        firm.edit_both(pair)
        await firm.look()
        assert (await firm.state(pair))[0] == "conflict"
        assert [row["parentId"] for row in await tasks(firm)] == [pair.espocrm_id]


async def test_a_conflict_found_under_a_blown_fuse_has_its_task_when_that_is_over(tmp_path: Path) -> None:
    """§9: else nobody would ever be told that somebody's side was emptied."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        store = firm.app.outside.store
        await store.blow_fuse(Side.ESPOCRM, Fuse.EVERYTHING, "espocrm_restored")
        for row in firm.advoware.rows(pair.bet_nr):
            firm.advoware.delete_row(row.id)
        await firm.look()
        assert await firm.state(pair) == ("conflict", "side_emptied")
        await admin_fuses.settle(store, Side.ESPOCRM, approve=True)
        for _ in range(3):
            firm.clock.time += 4000
            await firm.look()
        assert await firm.state(pair) == ("conflict", "side_emptied")
        assert len(await tasks(firm)) == 1


async def test_a_task_that_was_completed_too_early_comes_again_with_the_next_conflict(tmp_path: Path) -> None:
    """A secretary corrects one side only, differently again, and completes the Task."""
    async with house(tmp_path, 0, **OPERATORS_DECIDE) as firm:
        pair = await firm.synced()
        firm.edit_both(pair)
        await firm.look()
        (task,) = await tasks(firm)
        firm.espo.edit_person(pair.espocrm_id, phones=[phone("+493023125008", "Office", primary=True)])
        await firm.app.outside.espocrm.close_task(task["id"])
        await firm.look()
        assert await firm.state(pair) == ("conflict", "edit_edit")
        assert len(await tasks(firm)) == 1


async def test_who_is_given_up_again_after_a_retry_has_a_task_again(tmp_path: Path) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        firm.advoware.delete_person(pair.bet_nr)
        await firm.look()
        await firm.look()
        (task,) = await tasks(firm)
        await firm.app.outside.espocrm.close_task(task["id"])
        await firm.app.outside.store.ask([pair.espocrm_id], "test")
        await firm.settle()
        assert len(await tasks(firm)) == 1


# --- an emptied side beside an edit ---------------------------------------------------------------------------------


async def test_a_number_edited_on_the_kept_side_is_not_asked_about_again(tmp_path: Path) -> None:
    """§9: the side was kept as it is, the edited number with it."""
    async with house(tmp_path, 0, **OPERATORS_DECIDE) as firm:
        pair = await emptied_beside_an_edit(firm)
        assert await firm.app.outside.store.open_conflicts() == []
        assert firm.phones(pair) == [("Office", "+493023125009")]
        assert await firm.state(pair) == ("clean", "")


async def test_the_policy_is_not_said_to_have_dropped_what_was_kept(tmp_path: Path) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await emptied_beside_an_edit(firm)
        decided = await decisions(firm, pair)
        assert [one["before"] for one in decided if one["outcome"] == "done"] == [None]


# --- decided twice --------------------------------------------------------------------------------------------------


async def test_a_second_decision_during_the_run_is_not_called_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """§5: the first PUT is answered only after the operator has changed his mind; the history says what was done."""
    async with house(tmp_path, 0, **OPERATORS_DECIDE) as firm:
        pair = await firm.synced()
        store, advoware = firm.app.outside.store, firm.app.outside.advoware
        firm.edit_both(pair)
        await firm.look()
        conflict = await resolve(firm, Keep.ESPOCRM)
        real, again = advoware.put, [Keep.ADVOWARE]

        async def put(*args: Any, **more: Any) -> Any:
            answer = await real(*args, **more)
            if again:
                await admin_conflicts.resolve(store, conflict, again.pop())
            return answer

        monkeypatch.setattr(advoware, "put", put)
        await firm.settle()
        assert not again
        await firm.look()
        decided = await decisions(firm, pair)
        kept = "espocrm" if firm.phones(pair) == [("Office", OTHER)] else "advoware"
        assert [one["operation"] for one in decided if one["outcome"] == "done"] == [kept]


async def test_a_second_decision_about_an_emptied_side_counts_during_the_run_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """§9: while EspoCRM's entries are written back, unanswered, the operator says: no, the side is to be empty."""
    async with house(tmp_path, 0) as firm:
        pair = await emptied_and_decided(firm, Side.ADVOWARE, OTHER)
        store, advoware = firm.app.outside.store, firm.app.outside.advoware
        (conflict,) = (await store.case(pair.espocrm_id, pair.bet_nr, 0.0)).conflicts
        real, again = advoware.post, [Keep.ADVOWARE]

        async def post(*args: Any, **more: Any) -> Any:
            if again:
                await admin_conflicts.resolve(store, conflict.id, again.pop())
                raise UnknownOutcome("broken off", side=Side.ADVOWARE)
            return await real(*args, **more)

        monkeypatch.setattr(advoware, "post", post)
        await firm.look()
        assert not again
        firm.clock.time += 3600
        await firm.look()
        await firm.look()
        assert firm.rows(pair) == []
        assert firm.mails(pair) == []


async def test_a_decision_can_be_changed_in_a_dry_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path, 0, **OPERATORS_DECIDE) as firm:
        pair = await firm.synced()
        firm.edit_both(pair)
        await firm.look()
        conflict = await resolve(firm, Keep.ESPOCRM)
        rehearsal = Rehearsal(firm.app.syncer, firm.app.outside.metrics)
        monkeypatch.setattr(firm.app.worker, "_syncer", rehearsal)
        await firm.settle()
        store = firm.app.outside.store
        assert await admin_conflicts.resolve(store, conflict, Keep.ADVOWARE) == pair.bet_nr


# --- a decision outlives what comes between -------------------------------------------------------------------------


@pytest.mark.parametrize("emptied", [False, True])
async def test_one_older_answer_does_not_void_a_decision(tmp_path: Path, emptied: bool) -> None:
    """§8: one look proves nothing. The first answer of the run that is to carry it out is from before the edit."""
    async with house(tmp_path, 0, **OPERATORS_DECIDE) as firm:
        pair = await firm.synced()
        wire = firm.wires[Side.ESPOCRM]
        await firm.app.outside.espocrm.get(pair.espocrm_id)
        older = json.loads(wire.pass_on(wire.sent[-1]).body)
        if emptied:
            firm.espo.edit_person(pair.espocrm_id, mails=[], phones=[])
        else:
            firm.edit_both(pair)
        await firm.look()
        await resolve(firm, Keep.ESPOCRM)
        wire.fault = once = Once(lambda r: json_answer(older) if is_record(r) else None)
        await firm.settle()
        assert once.given
        for _ in range(3):
            firm.clock.time += 100
            await firm.look()
        assert (await firm.state(pair))[0] == "clean"
        assert [one["outcome"] for one in await decisions(firm, pair)] == ["done"]


async def test_a_run_that_could_not_end_does_not_void_a_decision(tmp_path: Path) -> None:
    """§5: a save keeps out the undo of another entry (409), and the last plan of the run is about that undo alone."""
    async with house(tmp_path, 0, **OPERATORS_DECIDE) as firm:
        pair = await firm.synced()
        firm.advoware.edit_row(firm.row(pair, "alt@example.de").id, tlf="neu@example.de")
        await firm.look()
        assert firm.mails(pair) == ["neu@example.de"]
        firm.edit_both(pair)
        await firm.look()
        await resolve(firm, Keep.ADVOWARE)
        history = await firm.app.outside.store.history(pair.bet_nr, 50)
        written = [line for line in history if line["what"] == "write" and line["after"] == "neu@example.de"]
        await undo(firm.app.outside, pair.bet_nr, written[-1]["id"])
        modified = json_answer({}, 409, X_Status_Reason="modified")
        firm.wires[Side.ESPOCRM].fault = once = Once(lambda r: modified if r.method == "PUT" else None)
        for _ in range(3):
            await firm.look()
        assert once.given
        assert [one["outcome"] for one in await decisions(firm, pair)] == ["done"]


# --- an undo beside an emptied side ---------------------------------------------------------------------------------


@pytest.mark.parametrize("decided", [True, False])
async def test_two_undos_do_not_end_the_question_about_an_emptied_side(tmp_path: Path, decided: bool) -> None:
    """§9: one number was typed there, so that it is not empty any more; all that EspoCRM has would be deleted."""
    async with house(tmp_path, 0) as firm:
        pair = await emptied(firm, Side.ADVOWARE)
        store = firm.app.outside.store
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        await firm.look()
        assert await firm.state(pair) == ("conflict", "side_emptied")
        values = {Kind.EMAIL: ("alt@example.de", "war@example.de"), Kind.PHONE: (OFFICE, "+493023125008")}
        for link in (await store.case(pair.espocrm_id, pair.bet_nr, 0.0)).base.links:
            shown, was = values[link.kind]
            wish = Wish(0, Side.ESPOCRM, link.kind, link.key, was, type=link.type, expected=shown)
            await store.add_wish(pair.espocrm_id, wish, by="test")
        if decided:
            await resolve(firm, Keep.ESPOCRM)
        for _ in range(3):
            await firm.look()
        if decided:
            assert (4, "war@example.de") in firm.rows(pair)
        else:
            assert await firm.state(pair) == ("conflict", "side_emptied")


async def test_two_undos_do_not_void_a_decision_about_an_emptied_side(tmp_path: Path) -> None:
    """§9: they give the side entries again, and what the operator has just decided to keep would be deleted."""
    async with house(tmp_path, 0) as firm:
        pair = await emptied(firm, Side.ESPOCRM)
        for address in ("a@example.de", "b@example.de"):
            wish = Wish(0, Side.ESPOCRM, Kind.EMAIL, None, address)
            await firm.app.outside.store.add_wish(pair.espocrm_id, wish, by="test")
        await resolve(firm, Keep.ADVOWARE)
        for _ in range(3):
            await firm.look()
        assert {tlf for _, tlf in firm.rows(pair)} >= {"030/23125-001", "alt@example.de"}
        assert [one["outcome"] for one in await decisions(firm, pair)] == ["done"]


# --- another betnr --------------------------------------------------------------------------------------------------


async def test_in_one_direction_a_decision_about_another_betnr_never_touches_the_source(
    tmp_path: Path,
) -> None:
    """§12: EspoCRM would have lost an address, though nothing is ever written there."""
    async with house(tmp_path, 0, SYNC__DIRECTION="to_advoware") as firm:
        pair = await firm.synced()
        await moved(firm, pair, (1, THEIRS))
        await resolve(firm, Keep.ADVOWARE)
        await firm.look()
        assert firm.mails(pair) == ["alt@example.de"]


async def test_in_one_direction_keeping_the_new_beteiligter_gives_it_nothing_of_the_old_one(
    tmp_path: Path,
) -> None:
    """§7: what may not be taken out of EspoCRM is the old one's all the same."""
    async with house(tmp_path, 0, SYNC__DIRECTION="to_advoware") as firm:
        pair = await firm.synced()
        other = await moved(firm, pair, (1, THEIRS))
        await resolve(firm, Keep.ADVOWARE)
        await firm.look()
        assert [row.tlf for row in firm.advoware.rows(other.bet_nr)] == [THEIRS]


async def test_numbers_of_the_old_beteiligter_never_reach_the_new_one(tmp_path: Path) -> None:
    """§7: EspoCRM refuses its phones as they are stored: the old one's stay there although Advoware was kept."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        other = await moved(firm, pair, (1, THEIRS))

        def fault(asked: Request) -> Answer | WireError | None:
            refused = asked.method == "PUT" and "phoneNumberData" in str(asked.json)
            return refusing("phoneNumber") if refused else None

        firm.wires[Side.ESPOCRM].fault = fault
        await resolve(firm, Keep.ADVOWARE)
        for _ in range(3):
            await firm.look()
            firm.clock.time += 4000
        assert OFFICE not in [tlf for _, tlf in firm.rows(other)]
