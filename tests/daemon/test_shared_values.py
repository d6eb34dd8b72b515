"""Whole syncs on the simulators of values that are shared, moved, flagged or of another type: a number or an address is
one row in EspoCRM for everybody who holds it (facts EspoCRM §5), and staff exchange values between rows in Advoware."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from daemon.ports import Answer, Request
from daemon.simulators.espocrm import mail, phone
from daemon.simulators.espocrm_shared import MAIL, PHONE
from daemon.simulators.people import Pair
from daemon.transport import Lost, WireError
from statemachine.model import Side
from tests.daemon.house import MOBILE, OFFICE, OTHER, House, house
from tests.daemon.wires import Fault, WorldWire

FORMS_ARE_NEVER_OLD = {"SYNC__STALE_FORM_SECONDS": "0"}
#: Longer than any wait before another try.
A_DAY = 90_000.0


def item(firm: House, pair: Pair, value: str) -> dict[str, Any]:
    """What EspoCRM shows of this number or address."""
    record = firm.espo.person(pair.espocrm_id)
    both: list[dict[str, Any]] = record["phoneNumberData"] + record["emailAddressData"]
    return next(one for one in both if value in (one.get("phoneNumber"), one.get("emailAddress")))


def in_espocrm(firm: House, pair: Pair) -> list[str]:
    """All numbers and addresses, sorted."""
    return sorted([*(number for _, number in firm.phones(pair)), *firm.mails(pair)])


def in_advoware(firm: House, pair: Pair) -> list[str]:
    """The same of Advoware."""
    return sorted(tlf for _, tlf in firm.rows(pair))


def unanswered(firm: House, *which: int, arrives: bool = False) -> None:
    """These writes, counted from 1 on both sides together, are not answered. ``arrives``: they have their effect."""
    numbers = itertools.count(1)

    def fault_of(wire: WorldWire) -> Fault:
        def fault(asked: Request) -> Answer | WireError | None:
            is_write = asked.method in ("PUT", "POST") and "Token" not in asked.url
            if not is_write or next(numbers) not in which:
                return None
            if arrives:
                wire.pass_on(asked)
            return Lost("broken off")

        return fault

    for wire in firm.wires.values():
        wire.fault = fault_of(wire)


# --- shared ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["unsubscribed", "user"])
async def test_an_opt_out_is_not_lifted_by_giving_the_address_to_another_person(
    tmp_path: Path, how: str
) -> None:
    """Staff's entry is found before the poll comes by: the law firm would write to somebody who has forbidden it."""
    async with house(tmp_path, 0) as firm:
        holder = await firm.synced()
        other = await firm.synced(1)
        address = "alt@example.de"
        if how == "unsubscribed":
            firm.espo.edit_value(MAIL, address, opt_out=True)
        else:
            firm.espo.edit_person(holder.espocrm_id, mails=[mail(address, primary=True, optOut=True)])
        assert item(firm, holder, address)["optOut"] is True
        firm.advoware.add_row(other.bet_nr, 4, address)
        await firm.sweep()
        await firm.settle()
        await firm.look()
        assert address in firm.mails(other)
        assert item(firm, holder, address)["optOut"] is True


async def test_a_type_is_not_set_back_by_giving_the_number_to_another_person(tmp_path: Path) -> None:
    async with house(tmp_path, 0) as firm:
        holder = await firm.synced()
        other = await firm.synced(1)
        firm.espo.edit_value(PHONE, OFFICE, type="Home")
        firm.advoware.add_row(other.bet_nr, 1, OFFICE)
        await firm.look()
        assert ("Home", OFFICE) in firm.phones(holder)


@pytest.mark.parametrize("other", ["mail", "phone"])
async def test_a_write_of_ours_does_not_make_a_wish_of_a_type_that_somebody_else_changed(
    tmp_path: Path, other: str
) -> None:
    """§5: a Contact's user made it a fax. Our save moves the record's date, and Advoware's row would be replaced."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        firm.espo.edit_value(PHONE, OFFICE, type="Fax")
        if other == "mail":
            firm.advoware.edit_row(firm.row(pair, "alt@example.de").id, tlf="neu@example.de")
        else:
            firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        await firm.look()
        await firm.look()
        assert (1, "030/23125-001") in firm.rows(pair)


async def test_a_save_does_not_make_a_wish_of_a_type_that_another_record_changed(tmp_path: Path) -> None:
    """§5: the other record, of which the type is a wish, is not synced yet."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        other = await firm.synced(1)
        mails = [mail("alt@example.de", primary=True), mail("zweit@example.de")]
        firm.espo.edit_person(pair.espocrm_id, mails=mails)
        numbers = [phone("+493023125011", "Office", primary=True), phone(OFFICE, "Mobile")]
        firm.espo.edit_person(other.espocrm_id, phones=numbers)
        await firm.look()
        await firm.look()
        assert (1, "030/23125-001") in firm.rows(pair)


async def test_a_shared_number_is_given_though_another_record_that_has_it_cannot_be_read(
    tmp_path: Path,
) -> None:
    """EspoCRM answers 500 for that record; its number and flags are known here, and somebody else waits for them."""
    async with house(tmp_path, 0) as firm:
        sick = await firm.synced(1)
        pair = await firm.synced(2)
        ((_, number),) = firm.phones(sick)

        def fault(asked: Request) -> Answer | WireError | None:
            is_sick = asked.method == "GET" and f"CBeteiligte/{sick.espocrm_id}" in asked.url
            return Answer(500, {}, b"") if is_sick else None

        firm.wires[Side.ESPOCRM].fault = fault
        firm.advoware.add_row(pair.bet_nr, 1, number)
        for _ in range(4):
            await firm.look()
        assert ("Office", number) in firm.phones(pair)


# --- moved ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
@pytest.mark.parametrize("family", ["phone", "mail"])
async def test_two_rows_that_change_places_come_to_rest_with_their_flags(
    tmp_path: Path, family: str, lost: int
) -> None:
    """Else the two sides would exchange the values for ever, or the opt-out would be the other address's."""
    async with house(tmp_path, 0) as firm:
        if family == "phone":
            one, two = OFFICE, MOBILE
            numbers = [phone(one, "Office", primary=True), phone(two, "Mobile")]
            pair = firm.new([(1, one), (3, two)], numbers)
        else:
            one, two = "a@example.de", "b@example.de"
            mails = [mail(one, primary=True, optOut=True), mail(two)]
            pair = firm.new([(4, one), (4, two)], [], mails)
        await firm.look()
        first, second = firm.row(pair, one).id, firm.row(pair, two).id
        firm.advoware.edit_row(first, tlf=two)
        firm.advoware.edit_row(second, tlf=one)
        unanswered(firm, lost)
        for _ in range(3):
            await firm.look()
        firm.asked()
        await firm.look()
        assert not [request for request in firm.asked() if "PUT" in request or "POST" in request]
        assert await firm.state(pair) == ("clean", "")
        assert (firm.advoware.row(first).tlf, firm.advoware.row(second).tlf) == (two, one)
        assert in_espocrm(firm, pair) == sorted([one, two])
        if family == "mail":
            assert item(firm, pair, one)["optOut"] is True
            assert item(firm, pair, two)["optOut"] is False


@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("lost", [(1,), (2,), (3,), (4,), (3, 4), (4, 5)])
@pytest.mark.parametrize("third", ["new row", "no row"])
@pytest.mark.parametrize("family", ["phone", "mail"])
async def test_values_that_move_on_by_a_row_are_all_there_though_requests_were_not_answered(
    tmp_path: Path, family: str, third: str, lost: tuple[int, ...], arrives: bool
) -> None:
    """The first row has a new value, the second one what the first one had, and a third one, or none, what the second
    one had."""
    async with house(tmp_path, 0) as firm:
        if family == "phone":
            one, two, new, komm_kz = OFFICE, OTHER, MOBILE, 1
            pair = firm.new([(1, one), (1, two)], [phone(one, "Office", primary=True), phone(two, "Office")])
        else:
            one, two, new, komm_kz = "a@example.de", "b@example.de", "n@example.de", 4
            pair = firm.new([(4, one), (4, two)], [], [mail(one, primary=True), mail(two)])
        await firm.look()
        first, second = firm.row(pair, one).id, firm.row(pair, two).id
        firm.advoware.edit_row(first, tlf=new)
        firm.advoware.edit_row(second, tlf=one)
        wanted = [one, new]
        if third == "new row":
            firm.advoware.add_row(pair.bet_nr, komm_kz, two)
            wanted.append(two)
        unanswered(firm, *lost, arrives=arrives)
        for _ in range(3):
            await firm.look()
        firm.clock.time += A_DAY
        await firm.look()
        assert in_advoware(firm, pair) == sorted(wanted)
        assert in_espocrm(firm, pair) == sorted(wanted)


@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize(
    "lost", [(0,), (1,), (2,), (3,), (4,), (5,), (1, 2), (2, 3), (3, 4), (1, 3), (1, 4), (2, 4), (4, 5)]
)
async def test_two_rows_that_change_places_leave_a_third_of_the_same_value_alone(
    tmp_path: Path, lost: tuple[int, ...], arrives: bool
) -> None:
    """Two rows hold the address, and are one entry; only one of them has changed places."""
    async with house(tmp_path, 0, **FORMS_ARE_NEVER_OLD) as firm:
        one, two = "c@example.de", "d@example.de"
        pair = firm.new([(4, one), (4, two), (4, two)], [], [mail(one, primary=True), mail(two)])
        await firm.look()
        first, second = firm.row(pair, one).id, firm.row(pair, two).id
        firm.advoware.edit_row(first, tlf=two)
        firm.advoware.edit_row(second, tlf=one)
        unanswered(firm, *lost, arrives=arrives)
        for _ in range(3):
            await firm.look()
        firm.clock.time += A_DAY
        await firm.look()
        assert in_advoware(firm, pair) == [one, two, two]
        assert firm.mails(pair) == [one, two]


# --- flagged and of another type ------------------------------------------------------------------------------------


async def test_an_opt_out_that_was_lifted_does_not_come_back_with_its_address(tmp_path: Path) -> None:
    """A row changes from one address to another and back, twice; the flag that it carried was lifted in between."""
    async with house(tmp_path, 0, SYNC__DELETION_CONFIRM_SECONDS="5") as firm:
        pair = await firm.synced()
        one, two = "alt@example.de", "neu@example.de"
        firm.espo.edit_person(pair.espocrm_id, mails=[mail(one, primary=True, optOut=True)])
        await firm.look()
        row = firm.row(pair, one).id
        for address in (two, one):
            firm.advoware.edit_row(row, tlf=address)
            await firm.look()
        assert item(firm, pair, one)["optOut"] is True
        firm.espo.edit_person(pair.espocrm_id, mails=[mail(one, primary=True, optOut=False)])
        firm.espo.edit_value(MAIL, two, opt_out=False)
        await firm.look()
        firm.advoware.edit_row(row, tlf=two)
        await firm.look()
        firm.espo.edit_value(MAIL, two, opt_out=False)
        firm.advoware.edit_row(row, tlf=one)
        await firm.look()
        assert item(firm, pair, one)["optOut"] is False


@pytest.mark.parametrize("edited_before", [False, True])
async def test_a_type_change_is_carried_over_to_the_row_the_first_sync_included(
    tmp_path: Path, edited_before: bool
) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        value = OTHER if edited_before else OFFICE
        if edited_before:
            firm.espo.edit_person(pair.espocrm_id, phones=[phone(value, "Office", primary=True)])
            await firm.look()
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(value, "Mobile", primary=True)])
        await firm.look()
        assert [komm_kz for komm_kz, _ in firm.rows(pair)] == [3, 4]


async def test_a_type_is_carried_over_though_the_number_beside_it_was_typed_in_advoware_as_well(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        firm.clock.time += 3
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OTHER, "Mobile", primary=True)])
        firm.advoware.edit_row(firm.row(pair, "030/23125-001").id, tlf=OTHER)
        await firm.look()
        assert firm.rows(pair) == [(3, OTHER), (4, "alt@example.de")]


async def test_an_opt_out_is_not_lifted_because_its_holder_was_not_readable_once(tmp_path: Path) -> None:
    """Somebody has unsubscribed, which moves nobody's modifiedAt: our store knows the address as it was."""
    async with house(tmp_path, 0) as firm:
        holder = await firm.synced()
        other = await firm.synced(1)
        address = "alt@example.de"
        firm.espo.edit_value(MAIL, address, opt_out=True)
        assert item(firm, holder, address)["optOut"] is True
        firm.advoware.add_row(other.bet_nr, 4, address)
        failed: list[Request] = []

        def fault(asked: Request) -> Answer | WireError | None:
            if asked.method == "GET" and asked.url.endswith(holder.espocrm_id) and len(failed) < 1:
                failed.append(asked)
                return Answer(500, {}, b"")
            return None

        firm.wires[Side.ESPOCRM].fault = fault
        await firm.sweep()
        await firm.settle()
        firm.clock.time += 300
        await firm.look()
        assert failed
        assert address in firm.mails(other)
        assert item(firm, holder, address)["optOut"] is True
