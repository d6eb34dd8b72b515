"""Whole syncs on the simulators in which an answer was lost, or the process died, between two things that belong
together: what a human did, decided or wanted undone must come of it all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.admin.undo import undo
from daemon.ports import Answer, Request
from daemon.simulators.espocrm import mail, phone
from daemon.simulators.people import Pair
from daemon.transport import Lost, WireError
from statemachine.case import Fuse, Keep, Outcome, Variant, Write
from statemachine.model import Side
from tests.daemon.house import MOBILE, OFFICE, OTHER, House, house
from tests.daemon.wires import json_answer

THIRD = "+493023125003"
FORMS_ARE_NEVER_OLD = {"SYNC__STALE_FORM_SECONDS": "0"}


def lose_the_answer(firm: House, side: Side, methods: tuple[str, ...] = ("PUT", "POST")) -> list[None]:
    """The next such request has its effect, and its answer does not come. Empty when that has happened."""
    wire, armed = firm.wires[side], [None]

    def fault(asked: Request) -> Answer | WireError | None:
        if asked.method in methods and armed and ("Kommunik" in asked.url or "CBeteiligte" in asked.url):
            armed.pop()
            wire.pass_on(asked)
            return Lost("broken off")
        return None

    wire.fault = fault
    return armed


def die(
    firm: House,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    when: Callable[[], bool] = lambda: True,
    *,
    after: bool = False,
) -> list[None]:
    """The process dies before the next call of this method of the store, or right after it. Empty when that has
    happened."""
    store, armed = firm.app.outside.store, [None]
    real = getattr(store, name)

    async def dying(*args: Any, **more: Any) -> Any:
        dies = bool(armed) and when()
        result = None if dies and not after else await real(*args, **more)
        if dies:
            armed.pop()
            raise RuntimeError("killed")
        return result

    monkeypatch.setattr(store, name, dying)
    return armed


async def undo_last(firm: House, pair: Pair, side: Side) -> None:
    """An operator undoes what was written last on this side."""
    case = await firm.app.outside.store.case(pair.espocrm_id, pair.bet_nr, 1e9)
    await undo(firm.app.outside, pair.bet_nr, last_of(case.writes, side).id)


def last_of(writes: tuple[Write, ...], side: Side) -> Write:
    ours = (Variant.STATUS, Variant.MARKER)
    return next(
        w for w in reversed(writes) if w.side is side and w.outcome is Outcome.DONE and w.variant not in ours
    )


async def once_more(firm: House, pair: Pair) -> None:
    await firm.app.outside.store.ask([pair.espocrm_id], "test")
    await firm.look()


async def decide_both(firm: House) -> None:
    (conflict,) = await firm.app.outside.store.open_conflicts()
    await firm.app.outside.store.decide(conflict.conflict.id, Keep.BOTH, "test")


async def stored(firm: House, statement: str) -> list[Any]:
    return await firm.app.outside.store._engine.read(lambda turn: [row[0] for row in turn.rows(statement)])


# --- an effect that was seen already is not a late one ------------------------------------------------------------


@pytest.mark.parametrize(("stale", "wait"), [("0", 0.0), ("1800", 1900.0)])
async def test_a_value_typed_again_is_no_late_effect_of_a_write_that_had_come(
    tmp_path: Path, stale: str, wait: float
) -> None:
    """§8: the answer was lost, the effect was seen; then somebody took the value back and typed it once more."""
    async with house(tmp_path, 0, SYNC__STALE_FORM_SECONDS=stale) as firm:
        pair = await firm.synced()
        lost = lose_the_answer(firm, Side.ESPOCRM)
        firm.advoware.edit_row(firm.row(pair, "030/23125-001").id, tlf="030/23125-002")
        await firm.look()
        assert not lost
        assert firm.phones(pair) == [("Office", OTHER)]
        firm.clock.time += wait
        for value in (OFFICE, OTHER):
            firm.espo.edit_person(pair.espocrm_id, phones=[phone(value, "Office", primary=True)])
            await firm.look()
            assert firm.phones(pair) == [("Office", value)]
            assert (1, value) in firm.rows(pair)


async def test_nor_in_a_row_that_has_no_marker(tmp_path: Path) -> None:
    text = "Sekretariat, nur vormittags von 8 bis 12 Uhr, freitags nie; sonst Frau Mueller fragen"
    async with house(tmp_path, 0, **FORMS_ARE_NEVER_OLD) as firm:
        pair = await firm.synced()
        row = firm.row(pair, "030/23125-001")
        firm.advoware.edit_row(row.id, bemerkung=text)
        await firm.look()
        lost = lose_the_answer(firm, Side.ADVOWARE)
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OTHER, "Office", primary=True)])
        await firm.look()
        assert not lost
        for value in (THIRD, OTHER):
            firm.advoware.edit_row(row.id, tlf=value)
            await firm.look()
            assert firm.phones(pair) == [("Office", value)]


# --- decisions ----------------------------------------------------------------------------------------------------


async def test_both_is_done_though_an_answer_was_lost(tmp_path: Path) -> None:
    async with house(tmp_path, 0, SYNC__CONFLICT_POLICY="manual", **FORMS_ARE_NEVER_OLD) as firm:
        pair = await firm.synced()
        firm.edit_both(pair)
        await firm.look()
        await decide_both(firm)
        lost = lose_the_answer(firm, Side.ADVOWARE)
        await firm.look()
        await firm.look()
        assert not lost
        assert len(firm.phones(pair)) == 2
        assert await stored(firm, "SELECT outcome FROM decisions") == ["done"]


@pytest.mark.parametrize("deleted", [False, True])
async def test_both_is_done_though_the_process_died_before_it_could_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deleted: bool
) -> None:
    async with house(tmp_path, 0, SYNC__CONFLICT_POLICY="manual") as firm:
        pair = await firm.synced()
        if deleted:
            firm.advoware.delete_row(firm.row(pair, "030/23125-001").id)
            firm.espo.edit_person(pair.espocrm_id, phones=[phone(OTHER, "Office", primary=True)])
        else:
            firm.edit_both(pair)
        await firm.look()
        await decide_both(firm)

        def is_written() -> bool:
            here = any(row.tlf == OTHER for row in firm.advoware.rows(pair.bet_nr))
            return here and (deleted or len(firm.phones(pair)) == 2)

        killed = die(firm, monkeypatch, "finish", is_written)
        await firm.look()
        await once_more(firm, pair)
        assert not killed
        assert await stored(firm, "SELECT outcome FROM decisions") == ["done"]


# --- the fuse -----------------------------------------------------------------------------------------------------


async def test_a_deletion_that_was_allowed_and_not_sent_is_rejected_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """§9: the first of a mass deletion, and the process died right before its request: it is as little carried out
    as the others, and must wait with them."""
    async with house(tmp_path, 0, GUARD__MAX_DELETIONS="2", **FORMS_ARE_NEVER_OLD) as firm:
        pairs = [await firm.synced(place) for place in range(4)]
        store = firm.app.outside.store
        firm.espo.edit_person(pairs[0].espocrm_id, mails=[])
        await firm.poll()
        await firm._work()
        firm.clock.time += 70
        for pair in pairs[1:]:
            firm.espo.edit_person(pair.espocrm_id, mails=[])
        killed = die(firm, monkeypatch, "journal")
        await firm._work()
        assert not killed
        await firm.poll()
        await firm._work()
        assert await store.fuse(Side.ESPOCRM) is Fuse.DELETIONS
        await firm.settle()
        assert all(len(firm.rows(pair)) == 2 for pair in pairs)
        assert await store.settle_fuse(Side.ESPOCRM, False, "operator") == 4
        await firm.look()
        assert all(len(firm.mails(pair)) == 1 for pair in pairs)
        assert all(len(firm.rows(pair)) == 2 for pair in pairs)


# --- undo ---------------------------------------------------------------------------------------------------------


async def test_an_undone_edit_stays_undone_though_the_process_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An undo puts back just what was there before: without an outcome in the journal it looked like an older form."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        for value in (OTHER, THIRD):
            firm.espo.edit_person(pair.espocrm_id, phones=[phone(value, "Office", primary=True)])
            await firm.look()
            firm.clock.time += 4000 if value == OTHER else 0
        await undo_last(firm, pair, Side.ADVOWARE)
        die(firm, monkeypatch, "record")
        await firm.settle()
        assert (1, OTHER) in firm.rows(pair)
        await once_more(firm, pair)
        assert firm.phones(pair) == [("Office", OTHER)]


async def test_an_undone_deletion_stays_undone_though_the_process_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        both = [phone(OFFICE, "Office", primary=True), phone(MOBILE, "Mobile")]
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        await firm.look()
        for number, wait in ((1, 4000), (2, 4000), (1, 0)):
            firm.espo.edit_person(pair.espocrm_id, phones=both[:number])
            await firm.look()
            firm.clock.time += wait
        await undo_last(firm, pair, Side.ADVOWARE)
        die(firm, monkeypatch, "record")
        await firm.settle()
        assert len(firm.rows(pair)) == 3
        await once_more(firm, pair)
        assert len(firm.rows(pair)) == 3


async def test_an_undone_removal_keeps_the_opt_out(tmp_path: Path) -> None:
    """Facts EspoCRM §5: the flag is the address's, for everybody who holds it."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        opted_out = [mail("alt@example.de", primary=True, optOut=True)]
        firm.espo.edit_person(pair.espocrm_id, mails=opted_out)
        await firm.look()
        firm.advoware.delete_row(firm.row(pair, "alt@example.de").id)
        await firm.look()
        assert firm.mails(pair) == []
        await undo_last(firm, pair, Side.ESPOCRM)
        await firm.look()
        assert firm.espo.person(pair.espocrm_id)["emailAddressData"][0]["optOut"] is True


@pytest.mark.parametrize("how", ["modified", "lost", "killed"])
async def test_an_undo_that_did_not_happen_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        firm.advoware.edit_row(firm.row(pair, "030/23125-001").id, tlf="030/23125-002")
        await firm.look()
        await undo_last(firm, pair, Side.ESPOCRM)
        armed = [None]

        def fault(asked: Request) -> Answer | WireError | None:
            if asked.method != "PUT" or not armed:
                return None
            armed.pop()
            return (
                json_answer({}, 409, X_Status_Reason="modified") if how == "modified" else Lost("broken off")
            )

        if how == "killed":
            armed = die(firm, monkeypatch, "journal", after=True)
        else:
            firm.wires[Side.ESPOCRM].fault = fault
        await firm.settle()
        await once_more(firm, pair)
        assert not armed
        told = await stored(firm, "SELECT cause FROM notices")
        assert firm.phones(pair) == [("Office", OFFICE)] or any(cause.startswith("wish:") for cause in told)


async def test_an_undo_reaches_every_row_of_an_entry_though_an_answer_was_lost(tmp_path: Path) -> None:
    async with house(tmp_path, 0) as firm:
        pair = firm.new([(1, OFFICE), (2, OFFICE)], [phone(OFFICE, "Office", primary=True)])
        await firm.look()
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OTHER, "Office", primary=True)])
        await firm.look()
        await undo_last(firm, pair, Side.ADVOWARE)
        lost = lose_the_answer(firm, Side.ADVOWARE)
        await firm.settle()
        await once_more(firm, pair)
        assert not lost
        assert firm.phones(pair) == [("Office", OFFICE)]
        assert firm.rows(pair) == [(1, OFFICE), (2, OFFICE)]


@pytest.mark.parametrize("lost", [False, True])
async def test_what_staff_make_after_an_undo_stays(tmp_path: Path, lost: bool) -> None:
    """The entry was taken away, and the look that confirms it is still to come: a row that joins it is not its own."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        both = [phone(OFFICE, "Office", primary=True), phone(MOBILE, "Mobile")]
        firm.espo.edit_person(pair.espocrm_id, phones=both)
        await firm.look()
        if lost:
            lose_the_answer(firm, Side.ADVOWARE)
        await undo_last(firm, pair, Side.ADVOWARE)
        await firm._work()
        assert (3, MOBILE) not in firm.rows(pair)
        firm.clock.time += 20
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        await firm.look()
        assert (3, MOBILE) in firm.rows(pair)


async def test_an_undo_is_carried_out_once_however_long_it_takes_to_be_seen(tmp_path: Path) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        await firm.look()
        await undo_last(firm, pair, Side.ESPOCRM)
        await firm._work()
        firm.clock.time += 10
        await firm._work()
        assert len(firm.phones(pair)) == 1
        firm.clock.time += 2 * 3600
        both = [phone(OFFICE, "Office", primary=True), phone(MOBILE, "Mobile")]
        firm.espo.edit_person(pair.espocrm_id, phones=both)
        await firm.look()
        assert len(firm.phones(pair)) == 2


async def test_an_undo_that_somebodys_saves_always_keep_out_fails(tmp_path: Path) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        await firm.look()

        def fault(asked: Request) -> Answer | WireError | None:
            is_save = asked.method == "PUT" and "phoneNumberData" in str(asked.json)
            return json_answer({"modifiedAt": "x"}, 409, X_Status_Reason="modified") if is_save else None

        firm.wires[Side.ESPOCRM].fault = fault
        await undo_last(firm, pair, Side.ESPOCRM)
        states = []
        for _ in range(25):
            await firm._work()
            states.append((await firm.state(pair))[0])
            firm.clock.time += 30
        assert "failed" in states


# --- type changes -------------------------------------------------------------------------------------------------


async def test_a_type_that_is_changed_back_leaves_no_second_row(tmp_path: Path) -> None:
    """§5: the row for the other type was made, and its answer lost; then the user took his change back."""
    async with house(tmp_path, 0, **FORMS_ARE_NEVER_OLD) as firm:
        pair = await firm.synced()
        lost = lose_the_answer(firm, Side.ADVOWARE, ("POST",))
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OFFICE, "Mobile", primary=True)])
        await firm.poll()
        await firm._work()
        await firm._work()
        firm.clock.time += 10
        await firm._work()
        assert not lost
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OFFICE, "Office", primary=True)])
        await firm.look()
        await firm.look()
        assert firm.rows(pair) == [(1, "030/23125-001"), (4, "alt@example.de")]
        assert await firm.state(pair) == ("clean", "")
