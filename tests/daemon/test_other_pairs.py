"""Whole syncs on the simulators of a pair that goes and comes back: another betnr, a record that was deleted and
restored. What belongs to one Beteiligter must neither be written to another nor be lost on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.ports import Answer, Request
from daemon.simulators.espocrm import phone
from daemon.simulators.people import Pair
from daemon.transport import Lost, WireError
from statemachine.case import Keep
from statemachine.model import Side
from tests.daemon.house import MOBILE, OFFICE, OTHER, House, emptied_and_decided, house, short_list
from tests.daemon.wires import Once, is_record, json_answer, refusing, without

#: The number of whom the record is moved to, as Advoware and as EspoCRM show it.
THEIRS, THEIRS_CANONICAL = "030/23125-777", "+493023125777"
#: How a record goes away.
AWAY = ["betnr removed", "record deleted", "betnr changed"]


async def decide(firm: House, keep: Keep) -> None:
    (conflict,) = await firm.app.outside.store.open_conflicts()
    await firm.app.outside.store.decide(conflict.conflict.id, keep, "test")


async def moved(firm: House, pair: Pair, *rows: tuple[int, str]) -> Pair:
    """The record is given the betnr of somebody else, who has these rows: the pair that it is then."""
    other = Pair(pair.espocrm_id, firm.advoware.add_person("Anders"))
    for komm_kz, tlf in rows:
        firm.advoware.add_row(other.bet_nr, komm_kz, tlf)
    firm.espo.edit_person(pair.espocrm_id, betnr=other.bet_nr)
    await firm.look()
    assert await firm.state(pair) == ("conflict", "betnr_changed")
    return other


async def emptied(firm: House, side: Side) -> Pair:
    """Somebody in sync of whom one side was emptied; nobody has decided."""
    pair = await firm.synced()
    if side is Side.ADVOWARE:
        for row in firm.advoware.rows(pair.bet_nr):
            firm.advoware.delete_row(row.id)
    else:
        firm.espo.edit_person(pair.espocrm_id, mails=[], phones=[])
    await firm.look()
    assert await firm.state(pair) == ("conflict", "side_emptied")
    return pair


def go_away(firm: House, pair: Pair, how: str) -> None:
    if how == "record deleted":
        firm.espo.delete_person(pair.espocrm_id)
    else:
        other = firm.advoware.add_person("Anders") if how == "betnr changed" else None
        firm.espo.edit_person(pair.espocrm_id, betnr=other)


def come_back(firm: House, pair: Pair, how: str) -> None:
    if how == "record deleted":
        firm.espo.restore_person(pair.espocrm_id)
    else:
        firm.espo.edit_person(pair.espocrm_id, betnr=pair.bet_nr)


# --- another betnr --------------------------------------------------------------------------------------------------


def theirs_is_saved(firm: House, other: Pair) -> None:
    """A user saves the other's betnr and number together."""
    firm.espo.edit_person(
        other.espocrm_id, betnr=other.bet_nr, phones=[phone(THEIRS_CANONICAL, "Office", primary=True)]
    )


async def test_another_betnr_saved_beside_another_number_writes_nothing_to_the_old_beteiligter(
    tmp_path: Path,
) -> None:
    """§7: our PUT meets the save (409), and the next plan of the same run would give the old Beteiligter the number of
    the new one."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        other = Pair(pair.espocrm_id, firm.advoware.add_person("Anders"))
        firm.advoware.add_row(other.bet_nr, 1, THEIRS)
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)

        def met(asked: Request) -> Answer | WireError | None:
            if asked.method != "PUT" or "CBeteiligte/" not in asked.url:
                return None
            theirs_is_saved(firm, other)
            return json_answer({}, 409, X_Status_Reason="modified")

        firm.wires[Side.ESPOCRM].fault = once = Once(met)
        await firm.sweep()
        await firm.settle()
        assert once.given
        await firm.look()
        assert (1, "030/23125-001") in firm.rows(pair)


async def test_another_betnr_saved_between_two_reads_of_a_run_is_asked_about(tmp_path: Path) -> None:
    """§7: no PUT of ours meets this save, so that no 409 tells of it."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        other = Pair(pair.espocrm_id, firm.advoware.add_person("Anders"))
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        puts: list[Request] = []

        def fault(asked: Request) -> Answer | WireError | None:
            if asked.method == "PUT" and not puts:
                puts.append(asked)
                firm.clock.time += 3
                theirs_is_saved(firm, other)
            return None

        firm.wires[Side.ADVOWARE].fault = fault
        await firm.sweep()
        await firm.settle()
        assert puts
        await firm.look()
        assert (1, "030/23125-001") in firm.rows(pair)
        assert await firm.state(pair) == ("conflict", "betnr_changed")


async def test_a_wrong_betnr_that_is_corrected_costs_the_right_beteiligter_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        await moved(firm, pair, (1, THEIRS), (4, "anders@example.de"))
        await decide(firm, Keep.ADVOWARE)
        await firm.look()
        assert firm.mails(pair) == ["anders@example.de"]
        firm.espo.edit_person(pair.espocrm_id, betnr=pair.bet_nr)
        await firm.look()
        await firm.look()
        assert firm.rows(pair) == [(1, "030/23125-001"), (4, "alt@example.de")]


@pytest.mark.parametrize("keep", [Keep.ESPOCRM, Keep.BOTH, Keep.ADVOWARE])
async def test_a_betnr_that_goes_there_and_back_costs_neither_beteiligter_anything(
    tmp_path: Path, keep: Keep
) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        other = Pair(pair.espocrm_id, firm.advoware.add_person("Anders"))
        firm.advoware.add_row(other.bet_nr, 1, THEIRS)
        for target in (other, pair, other):
            firm.espo.edit_person(pair.espocrm_id, betnr=target.bet_nr)
            await firm.look()
            assert await firm.state(pair) == ("conflict", "betnr_changed")
            await decide(firm, keep)
            await firm.look()
            assert await firm.state(pair) == ("clean", "")
            assert {(1, "030/23125-001"), (4, "alt@example.de")} <= set(firm.rows(pair))
            assert THEIRS in [tlf for _, tlf in firm.rows(other)]


@pytest.mark.parametrize("keep", list(Keep))
async def test_a_record_merged_into_another_ones_beteiligter_costs_its_own_nothing(
    tmp_path: Path, keep: Keep
) -> None:
    """The kept record has both people's values and the other betnr; its twin in EspoCRM is deleted."""
    async with house(tmp_path, 0) as firm:
        kept = await firm.synced()
        twin = await firm.synced(1)
        shown, added = firm.espo.person(kept.espocrm_id), firm.espo.person(twin.espocrm_id)
        phones, mails = (
            [*shown[name], *({**item, "primary": False} for item in added[name])]
            for name in ("phoneNumberData", "emailAddressData")
        )
        firm.espo.edit_person(kept.espocrm_id, betnr=twin.bet_nr, phones=phones, mails=mails)
        firm.espo.delete_person(twin.espocrm_id)
        await firm.look()
        await firm.look()
        assert await firm.state(kept) == ("conflict", "betnr_changed")
        await decide(firm, keep)
        await firm.look()
        assert len(firm.rows(kept)) == 2
        assert (await firm.state(kept))[0] == "clean"
        number = 1 if keep is Keep.ADVOWARE else 2
        sizes = (len(firm.mails(kept)), len(firm.phones(kept)), len(firm.rows(twin)))
        assert sizes == (number, number, 2 * number)


@pytest.mark.parametrize("how", ["lost", "late", "refused"])
async def test_keeping_the_new_beteiligter_survives_a_request_that_failed(tmp_path: Path, how: str) -> None:
    """§7: what could not be taken out of EspoCRM is the old one's, and must not be given to the new one."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        other = await moved(firm, pair, (1, THEIRS))
        await decide(firm, Keep.ADVOWARE)
        wire = firm.wires[Side.ESPOCRM]

        def fails(asked: Request) -> Answer | WireError | None:
            if asked.method != "PUT" or "emailAddressData" not in str(asked.json):
                return None
            if how == "refused":
                return refusing("emailAddressData")
            if how == "late":
                wire.pass_on(asked)
            return Lost("broken off")

        wire.fault = fails if how == "refused" else Once(fails)
        await firm.settle()
        await firm.look()
        wire.fault = lambda _: None
        await firm.look()
        assert firm.rows(other) == [(1, THEIRS)]


async def test_keeping_the_new_beteiligter_survives_half_an_array(tmp_path: Path) -> None:
    """§7: the address that the first answer hides is the old one's all the same."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        other = await moved(firm, pair, (1, THEIRS))
        await decide(firm, Keep.ADVOWARE)
        wire = firm.wires[Side.ESPOCRM]
        wire.fault = once = Once(
            lambda r: without(wire, r, "emailAddress", "alt@example.de") if is_record(r) else None
        )
        await firm.settle()
        await firm.look()
        assert once.given
        assert firm.rows(other) == [(1, THEIRS)]


# --- a record that was away -----------------------------------------------------------------------------------------


async def test_another_betnr_is_still_asked_about_after_the_record_was_deleted_and_restored(
    tmp_path: Path,
) -> None:
    """§7: else the old one's values would be written to the new one, and nobody had been asked."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        other = await moved(firm, pair)
        firm.espo.delete_person(pair.espocrm_id)
        await firm.look()
        firm.espo.restore_person(pair.espocrm_id)
        await firm.look()
        assert firm.rows(other) == []
        assert await firm.state(pair) == ("conflict", "betnr_changed")


@pytest.mark.parametrize("how", AWAY)
async def test_an_emptied_side_is_still_asked_about_after_the_record_was_away(
    tmp_path: Path, how: str
) -> None:
    """§9: else all that EspoCRM still has would be deleted, as the side is not empty any more."""
    async with house(tmp_path, 0) as firm:
        pair = await emptied(firm, Side.ADVOWARE)
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        go_away(firm, pair, how)
        await firm.look()
        assert (await firm.state(pair))[1] == ("betnr_changed" if how == "betnr changed" else "")
        come_back(firm, pair, how)
        await firm.look()
        assert firm.mails(pair) == ["alt@example.de"]
        assert await firm.state(pair) == ("conflict", "side_emptied")


@pytest.mark.parametrize("how", AWAY)
async def test_what_an_operator_kept_is_not_deleted_after_the_record_was_away(
    tmp_path: Path, how: str
) -> None:
    """§9: Advoware refuses one of the entries that were kept; it must not look like one that staff deleted there."""
    async with house(tmp_path, 0) as firm:
        pair = await emptied_and_decided(firm, Side.ADVOWARE, OTHER)

        def fault(asked: Request) -> Answer | WireError | None:
            is_write = asked.method in ("POST", "PUT") and "Kommunikationen" in asked.url
            return json_answer({}, 400) if is_write and "alt@" in str(asked.json) else None

        firm.wires[Side.ADVOWARE].fault = fault
        await firm.settle()
        await firm.look()
        assert firm.mails(pair) == ["alt@example.de"]
        assert await firm.app.outside.store.open_conflicts() == []
        go_away(firm, pair, how)
        await firm.look()
        await firm.look()
        come_back(firm, pair, how)
        await firm.look()
        await firm.look()
        assert firm.mails(pair) == ["alt@example.de"]


@pytest.mark.parametrize("side", list(Side))
async def test_an_emptied_side_is_still_asked_about_though_one_entry_is_typed_there(
    tmp_path: Path, side: Side
) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await emptied(firm, side)
        if side is Side.ADVOWARE:
            firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        else:
            firm.espo.edit_person(pair.espocrm_id, phones=[phone(MOBILE, "Mobile", primary=True)])
        await firm.look()
        assert await firm.state(pair) == ("conflict", "side_emptied")


async def test_a_decision_about_an_emptied_side_stands_though_one_entry_is_typed_there(
    tmp_path: Path,
) -> None:
    """§9: EspoCRM is to be kept, and somebody types a number in Advoware before that has been done."""
    async with house(tmp_path, 0) as firm:
        pair = await emptied_and_decided(firm, Side.ADVOWARE)
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        await firm.sweep()
        await firm.look()
        assert firm.mails(pair) == ["alt@example.de"]
        assert len(firm.rows(pair)) == 3


async def test_who_is_tracked_anew_has_nothing_twice_after_a_short_list(tmp_path: Path) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        firm.espo.edit_person(pair.espocrm_id, betnr=None)
        await firm.look()
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        firm.wires[Side.ADVOWARE].fault = once = Once(short_list(firm, pair, MOBILE))
        numbers = [phone(OFFICE, "Office", primary=True), phone(MOBILE, "Mobile")]
        firm.espo.edit_person(pair.espocrm_id, betnr=pair.bet_nr, phones=numbers)
        await firm.look()
        assert once.given
        assert len(firm.rows(pair)) == 3
