"""Whole syncs on the simulators of Advoware's rows as staff use them from day to day: values change places or move to
a row of their own, rows are copied with their marker, and one number stands in rows of two kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.breaker import Condition
from daemon.ports import Answer, Request
from daemon.simulators.espocrm import mail, phone
from daemon.transport import Lost, NotSent, WireError
from statemachine import marker
from statemachine.model import Side
from tests.daemon.house import MOBILE, OFFICE, OTHER, house
from tests.daemon.test_shared_values import in_advoware, in_espocrm

# --- moved ----------------------------------------------------------------------------------------------------------


async def test_two_numbers_that_change_places_take_the_types_of_their_new_rows(tmp_path: Path) -> None:
    async with house(tmp_path, 0) as firm:
        numbers = [phone(OFFICE, "Office", primary=True), phone(OTHER, "Fax")]
        pair = firm.new([(1, OFFICE), (2, OTHER)], numbers)
        await firm.look()
        office, fax = firm.row(pair, OFFICE).id, firm.row(pair, OTHER).id
        firm.advoware.edit_row(office, tlf=OTHER)
        firm.advoware.edit_row(fax, tlf=OFFICE)
        await firm.look()
        assert firm.phones(pair) == [("Fax", OFFICE), ("Office", OTHER)]


async def test_two_numbers_change_places_while_a_user_corrects_one_of_them(tmp_path: Path) -> None:
    """His correction meant the number, not the row in which it stood before."""
    async with house(tmp_path, 0) as firm:
        numbers = [phone(OFFICE, "Office", primary=True), phone(OTHER, "Office")]
        pair = firm.new([(1, OFFICE), (1, OTHER)], numbers)
        await firm.look()
        first, second = firm.row(pair, OFFICE).id, firm.row(pair, OTHER).id
        firm.advoware.edit_row(first, tlf=OTHER)
        firm.advoware.edit_row(second, tlf=OFFICE)
        mended = "+493023125009"
        firm.espo.edit_person(pair.espocrm_id, phones=[numbers[0], phone(mended, "Office")])
        await firm.look()
        assert in_espocrm(firm, pair) == in_advoware(firm, pair) == [OFFICE, mended]
        assert await firm.state(pair) == ("clean", "")


async def test_what_staff_correct_once_more_during_a_run_is_the_last_word(tmp_path: Path) -> None:
    """Both sides had made the same edit, and the run that saw it is still writing something else."""
    async with house(tmp_path, 0) as firm:
        numbers = [phone(OFFICE, "Office", primary=True), phone(OTHER, "Office")]
        pair = firm.new([(1, OFFICE), (1, OTHER)], numbers)
        await firm.look()
        first, same, last, beside = firm.row(pair, OFFICE).id, "+493023125008", "+493023125009", MOBILE
        firm.advoware.edit_row(first, tlf=same)
        firm.espo.edit_person(
            pair.espocrm_id, phones=[phone(same, "Office", primary=True), phone(beside, "Office")]
        )

        def once_more(asked: Request) -> Answer | WireError | None:
            if asked.method == "PUT" and not asked.url.endswith(f"/{first}"):
                firm.advoware.edit_row(first, tlf=last)
                firm.wires[Side.ADVOWARE].fault = lambda _: None
            return None

        firm.wires[Side.ADVOWARE].fault = once_more
        await firm.look()
        assert in_espocrm(firm, pair) == in_advoware(firm, pair) == sorted([last, beside])


async def test_an_address_in_a_phone_row_stays_when_it_is_given_a_row_of_its_own(tmp_path: Path) -> None:
    """Staff put right what stood in the wrong row: the number that belongs there, and a new row for the address."""
    async with house(tmp_path, 0) as firm:
        address = "alt@example.de"
        pair = firm.new([(1, address)], [], [mail(address, primary=True)])
        await firm.look()
        firm.advoware.edit_row(firm.row(pair, address).id, tlf="030/23125-001")
        firm.advoware.add_row(pair.bet_nr, 4, address)
        await firm.sweep()
        await firm.settle()
        await firm.look()
        await firm.look()
        assert firm.phones(pair) == [("Office", OFFICE)]
        assert firm.mails(pair) == [address]


async def test_an_address_that_was_given_another_row_while_espocrm_dropped_it_comes_to_rest(
    tmp_path: Path,
) -> None:
    """The new row would never reach EspoCRM, and the person would be synced again and again."""
    async with house(tmp_path, 0) as firm:
        one, two = "a@example.de", "c@example.de"
        numbers = [phone(OFFICE, "Office", primary=True)]
        pair = firm.new([(1, OFFICE), (4, one), (4, two)], numbers, [mail(one, primary=True), mail(two)])
        await firm.look()
        firm.espo.edit_person(pair.espocrm_id, mails=[])
        firm.advoware.edit_row(firm.row(pair, one).id, tlf="")
        firm.advoware.add_row(pair.bet_nr, 4, one)
        await firm.look()
        assert [tlf for komm_kz, tlf in firm.rows(pair) if komm_kz == 4] == [one]
        assert firm.mails(pair) == [one]
        assert await firm.state(pair) == ("clean", "")


async def test_a_new_number_comes_over_though_the_one_before_it_went_on_both_sides(tmp_path: Path) -> None:
    """A user deletes the old number; staff delete its row, and enter the new number, which would never come over."""
    async with house(tmp_path, 0) as firm:
        numbers = [phone(OFFICE, "Office", primary=True), phone(MOBILE, "Mobile")]
        pair = firm.new([(1, OFFICE), (3, MOBILE)], numbers)
        await firm.look()
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(MOBILE, "Mobile", primary=True)])
        firm.advoware.delete_row(firm.row(pair, OFFICE).id)
        firm.advoware.add_row(pair.bet_nr, 1, OTHER)
        await firm.look()
        assert firm.phones(pair) == [("Mobile", MOBILE), ("Office", OTHER)]
        assert await firm.state(pair) == ("clean", "")


# --- copied markers -------------------------------------------------------------------------------------------------


async def test_a_number_is_added_although_a_copied_marker_still_names_it(tmp_path: Path) -> None:
    """The copy's own text is no number: its marker must not stand in for the number that it names."""
    async with house(tmp_path, 0) as firm:
        pair = firm.new([(1, OFFICE)], [phone(OFFICE, "Office", primary=True)])
        await firm.look()
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OTHER, "Office", primary=True)])
        await firm.look()
        firm.advoware.copy_row(firm.row(pair, OTHER).id, tlf="Durchwahl erfragen")
        await firm.look()
        office = phone(OFFICE, "Office", primary=True)
        firm.espo.edit_person(pair.espocrm_id, phones=[office])
        await firm.look()
        firm.espo.edit_person(pair.espocrm_id, phones=[office, phone(OTHER, "Other")])
        await firm.look()
        await firm.look()
        assert OTHER in [tlf for _, tlf in firm.rows(pair)]


async def test_a_number_is_added_although_a_row_copied_from_somebody_else_names_it(tmp_path: Path) -> None:
    """Both are new: the number in the copied row, and the one that its marker names."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        other = await firm.synced(1)
        firm.espo.edit_person(other.espocrm_id, phones=[phone(OTHER, "Office", primary=True)])
        await firm.look()
        firm.advoware.copy_row(firm.row(other, OTHER).id, bet_nr=pair.bet_nr, tlf="030/23125-077")
        numbers = [phone(OFFICE, "Office", primary=True), phone(OTHER, "Office")]
        firm.espo.edit_person(pair.espocrm_id, phones=numbers)
        await firm.look()
        await firm.look()
        assert [number for _, number in firm.phones(pair)] == [OFFICE, OTHER, "+493023125077"]


# --- types ----------------------------------------------------------------------------------------------------------


async def test_a_type_change_is_carried_over_although_the_row_s_marker_names_that_kind(
    tmp_path: Path,
) -> None:
    """Else nothing would seem to be left to do, and the row would stay a mobile one."""
    async with house(tmp_path, 0) as firm:
        pair = firm.new([], [phone(MOBILE, "Mobile", primary=True)])
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE, marker.write(MOBILE, 1))
        await firm.look()
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(MOBILE, "Office", primary=True)])
        await firm.look()
        assert firm.rows(pair) == [(1, MOBILE)]


async def test_a_type_changed_to_that_of_a_second_row_leaves_this_row_with_its_text(tmp_path: Path) -> None:
    """One number in rows of two kinds: the one that is right already must not be emptied for a new one."""
    async with house(tmp_path, 0) as firm:
        pair = firm.new([], [phone(OFFICE, "Office", primary=True)])
        firm.advoware.add_row(pair.bet_nr, 1, OFFICE, "Zentrale")
        firm.advoware.add_row(pair.bet_nr, 2, OFFICE, "Fax im Sekretariat")
        await firm.look()
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OFFICE, "Fax", primary=True)])
        await firm.look()
        assert firm.rows(pair) == [(2, OFFICE)]
        assert "Fax im Sekretariat" in str(firm.row(pair, OFFICE).bemerkung)


@pytest.mark.parametrize("corrected", [False, True])
async def test_a_row_that_could_not_be_synced_yet_keeps_its_item(tmp_path: Path, corrected: bool) -> None:
    """§4.6: staff had made an in-house remark of the number under the predecessor's marker."""
    async with house(tmp_path, 0) as firm:
        pair = firm.new(
            [(1, "siehe Akte"), (4, "alt@example.de")],
            [phone(OFFICE, "Office", primary=True)],
            [mail("alt@example.de", primary=True)],
        )
        row = firm.row(pair, "siehe Akte")
        firm.advoware.edit_row(row.id, bemerkung=marker.write(OFFICE, 1, ""))
        await firm.look()
        firm.clock.time += 3600
        await firm.app.outside.store.ask([pair.espocrm_id], "test")
        await firm.look()
        assert in_advoware(firm, pair) == ["alt@example.de", "siehe Akte"]
        if corrected:
            firm.advoware.edit_row(row.id, tlf=OTHER)
            await firm.look()
            assert in_advoware(firm, pair) == [OTHER, "alt@example.de"]
            assert in_espocrm(firm, pair) == [OTHER, "alt@example.de"]


@pytest.mark.parametrize("how", ["answered", "lost", "not_sent"])
async def test_a_type_change_asks_again_when_the_question_was_not_answered(tmp_path: Path, how: str) -> None:
    """Phone and fax have one number; which row is which only the answer to a write tells. The fax was emptied."""
    async with house(tmp_path, 0) as firm:
        pair = firm.new([(2, "030/23125-001"), (1, "030/23125-001")], [phone(OFFICE, "Office", primary=True)])
        await firm.look()
        assert firm.rows(pair) == [(1, "030/23125-001"), (2, "030/23125-001")]
        puts: list[Request] = []

        def fault(asked: Request) -> Answer | WireError | None:
            if asked.method != "PUT":
                return None
            puts.append(asked)
            if len(puts) > 1 or how == "answered":
                return None
            return {"lost": Lost("broken off"), "not_sent": NotSent("refused")}[how]

        firm.wires[Side.ADVOWARE].fault = fault
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OFFICE, "Mobile", primary=True)])
        await firm.app.poller.poll_espocrm()
        for _ in range(3):
            firm.clock.time += 120
            await firm._work()
            firm.app.outside.gates[Side.ADVOWARE]._condition = Condition.CLOSED  # the probe was answered
        await firm.look()
        assert firm.rows(pair) == [(2, "030/23125-001"), (3, "030/23125-001")]
