"""Whole syncs on the simulators about what a fuse holds until an operator approves or rejects it: a list of deletions,
or everything that a restored EspoCRM shows. What is decided is what he saw, and nobody is held when it is over."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.admin import conflicts as admin_conflicts
from daemon.admin import fuses as admin_fuses
from daemon.admin.desk import NotPossible
from daemon.simulators.espocrm import mail, phone
from daemon.simulators.people import Pair
from daemon.store import ShownList
from statemachine.case import Fuse, Keep
from statemachine.model import Side
from statemachine.rules import Direction
from tests.daemon.house import MOBILE, OFFICE, OTHER, House, house

#: The third deletion of a look blows the fuse.
FEW = {"GUARD__MAX_DELETIONS": "2"}


async def all_emptied(firm: House) -> list[Pair]:
    """Three people whose side in EspoCRM was emptied at once: six deletions are held."""
    pairs = [await firm.synced(place) for place in range(3)]
    for pair in pairs:
        firm.espo.edit_person(pair.espocrm_id, mails=[], phones=[])
    await firm.look()
    assert await firm.app.outside.store.fuse(Side.ESPOCRM) is not Fuse.INTACT
    return pairs


async def addresses_deleted(firm: House) -> list[Pair]:
    """Four people whose address was deleted in Advoware at once: four deletions are held."""
    pairs = [await firm.synced(place) for place in range(4)]
    for pair in pairs:
        (address,) = firm.mails(pair)
        firm.advoware.delete_row(firm.row(pair, address).id)
    await firm.look()
    assert len(await firm.app.outside.store.held_deletions()) == 4
    return pairs


async def restored(firm: House) -> Pair:
    """Somebody in sync, whose EspoCRM is from a backup since."""
    pair = await firm.synced()
    await firm.app.outside.store.blow_fuse(Side.ESPOCRM, Fuse.EVERYTHING, "espocrm_restored")
    return pair


# --- a list of deletions --------------------------------------------------------------------------------------------


async def test_the_same_number_of_deletions_is_not_the_same_list(tmp_path: Path) -> None:
    """§9: what is approved is what was shown; one deletion was taken back, and another one came."""
    async with house(tmp_path, 0, **FEW) as firm:
        pairs = [await firm.synced(place) for place in range(5)]
        store = firm.app.outside.store
        for pair in pairs[:4]:
            firm.espo.edit_person(pair.espocrm_id, mails=[])
        await firm.look()
        shown = ShownList(len(await store.held_deletions()), firm.clock.now())
        assert shown.number == 4
        firm.espo.edit_person(pairs[0].espocrm_id, mails=[mail("alt@example.de", primary=True)])
        firm.espo.edit_person(pairs[4].espocrm_id, mails=[])
        await firm.look()
        assert len(await store.held_deletions()) == 4
        with pytest.raises(NotPossible):
            await admin_fuses.settle(store, Side.ESPOCRM, approve=True, shown=shown)
        await firm.look()
        assert (4, "alt4@example.de") in firm.rows(pairs[4])


async def test_a_number_typed_after_a_list_was_shown_is_not_overwritten_by_its_rejection(
    tmp_path: Path,
) -> None:
    """§9: just before the deletions are rejected, a secretary types the person's new number."""
    async with house(tmp_path, 0, **FEW) as firm:
        pairs = [await firm.synced(place) for place in range(4)]
        store = firm.app.outside.store
        for pair in pairs:
            firm.espo.edit_person(pair.espocrm_id, phones=[])
        await firm.look()
        assert len(await store.held_deletions()) == 4
        firm.espo.edit_person(pairs[0].espocrm_id, phones=[phone(OTHER, "Office", primary=True)])
        await admin_fuses.settle(store, Side.ESPOCRM, approve=False)
        await firm.look()
        assert ("Office", OTHER) in firm.phones(pairs[0])


async def test_a_rejected_list_holds_nobody_when_only_one_direction_is_synced_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """§12: what was to be written back is not written any more, and must not wait for an operator for ever."""
    async with house(tmp_path, 0, **FEW) as firm:
        pairs = await addresses_deleted(firm)
        store, syncer = firm.app.outside.store, firm.app.syncer
        assert await store.fuse(Side.ADVOWARE) is not Fuse.INTACT
        await admin_fuses.settle(store, Side.ADVOWARE, approve=False)
        one_way = replace(syncer.rules(), direction=Direction.TO_ESPOCRM)
        monkeypatch.setattr(syncer, "rules", lambda: one_way)
        await store.ask_all("changed")
        await firm.look()
        assert (await firm.state(pairs[0]))[1] != "fuse"


async def test_a_rejected_list_counts_after_the_record_was_away(tmp_path: Path) -> None:
    """§9: before the deletions are written back, a user removes one betnr and enters it again."""
    async with house(tmp_path, 0, **FEW) as firm:
        pairs = await addresses_deleted(firm)
        away = pairs[0]
        await admin_fuses.settle(firm.app.outside.store, Side.ADVOWARE, approve=False)
        for bet_nr in (None, away.bet_nr):
            firm.espo.edit_person(away.espocrm_id, betnr=bet_nr)
            await firm.look()
            await firm.look()
        assert firm.mails(away) == ["alt@example.de"]


# --- a list of people who were emptied ------------------------------------------------------------------------------


async def test_a_rejected_list_gives_emptied_people_their_entries_back(tmp_path: Path) -> None:
    """§9: rejected deletions are written back; the list said so of each of them."""
    async with house(tmp_path, 0, **FEW) as firm:
        pairs = await all_emptied(firm)
        store = firm.app.outside.store
        listed = (await admin_fuses.held(store))["held"]
        assert len(listed) == 6
        assert {line["rejecting"] for line in listed} == {"written back to EspoCRM"}
        assert await admin_fuses.settle(store, Side.ESPOCRM, approve=False) == 6
        for _ in range(3):
            await firm.look()
        assert firm.mails(pairs[0]) == ["alt@example.de"]


async def test_an_approved_list_is_carried_out_for_emptied_people(tmp_path: Path) -> None:
    """§9: nobody is asked once more whether the side is to be empty."""
    async with house(tmp_path, 0, **FEW) as firm:
        pairs = await all_emptied(firm)
        assert await admin_fuses.settle(firm.app.outside.store, Side.ESPOCRM, approve=True) == 6
        for _ in range(3):
            await firm.look()
        assert firm.rows(pairs[0]) == []


async def test_who_is_to_be_empty_is_emptied_although_the_list_was_rejected_before(tmp_path: Path) -> None:
    """§9: the operator rejects the list, and says of one person later: yes, all of it is to go."""
    async with house(tmp_path, 0, **FEW) as firm:
        pairs = await all_emptied(firm)
        store = firm.app.outside.store
        await admin_fuses.settle(store, Side.ESPOCRM, approve=False)
        (one,) = await store.open_conflicts(pairs[0].bet_nr)
        await admin_conflicts.resolve(store, one.conflict.id, Keep.ESPOCRM)
        await firm.look()
        assert firm.rows(pairs[0]) == []
        assert firm.mails(pairs[0]) == []


# --- a restored EspoCRM ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("approve", [True, False])
async def test_a_new_number_typed_while_everything_is_held_is_synced_afterwards(
    tmp_path: Path, approve: bool
) -> None:
    """§7: it is in no list, so that no word on the list is about it."""
    async with house(tmp_path, 0) as firm:
        pair = await restored(firm)
        numbers = [phone(OFFICE, "Office", primary=True), phone(MOBILE, "Mobile")]
        firm.espo.edit_person(pair.espocrm_id, phones=numbers)
        await firm.look()
        assert len(firm.rows(pair)) == 2
        await admin_fuses.settle(firm.app.outside.store, Side.ESPOCRM, approve=approve)
        firm.clock.time += 7200
        for _ in range(3):
            await firm.look()
        assert (3, MOBILE) in firm.rows(pair)


async def test_a_rejected_edit_of_a_restored_espocrm_does_not_win_over_advoware(tmp_path: Path) -> None:
    """§7: the old value was held, and staff typed a new one in Advoware meanwhile."""
    async with house(tmp_path, 0) as firm:
        pair = await restored(firm)
        store = firm.app.outside.store
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OTHER, "Office", primary=True)])
        await firm.look()
        assert [one.side for one in await store.held_deletions()] == [Side.ESPOCRM]
        firm.advoware.edit_row(firm.row(pair, "030/23125-001").id, tlf="030/23125-009")
        await firm.look()
        await admin_fuses.settle(store, Side.ESPOCRM, approve=False)
        await firm.look()
        assert (1, "030/23125-009") in firm.rows(pair)


async def test_a_type_of_a_restored_espocrm_is_held_as_any_edit(tmp_path: Path) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await restored(firm)
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OFFICE, "Fax", primary=True)])
        await firm.look()
        assert firm.rows(pair) == [(1, "030/23125-001"), (4, "alt@example.de")]


async def test_a_rejected_list_does_not_carry_a_type_of_a_restored_espocrm_over(tmp_path: Path) -> None:
    """§7: the address that is missing beside it is in the list, and is written back."""
    async with house(tmp_path, 0) as firm:
        pair = await restored(firm)
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OFFICE, "Fax", primary=True)], mails=[])
        await firm.look()
        await admin_fuses.settle(firm.app.outside.store, Side.ESPOCRM, approve=False)
        await firm.look()
        await firm.look()
        assert firm.rows(pair) == [(1, "030/23125-001"), (4, "alt@example.de")]


async def test_an_edit_of_a_restored_espocrm_is_held_though_a_deletion_was_rejected_before(
    tmp_path: Path,
) -> None:
    """§7: before a rejected deletion is written back (he is paused), EspoCRM is restored from a backup that is older
    than the last edit; the old address would win over Advoware's as if it had just been typed."""
    async with house(tmp_path, 0, **FEW) as firm:
        pairs = [await firm.synced(place) for place in range(4)]
        store, paused = firm.app.outside.store, pairs[0]
        for pair in pairs:
            firm.espo.edit_person(pair.espocrm_id, mails=[])
        await firm.look()
        assert len(await store.held_deletions()) == 4
        await store.pause_person(paused.espocrm_id, math.inf)
        await admin_fuses.settle(store, Side.ESPOCRM, approve=False)
        await firm._work()
        firm.espo.edit_person(paused.espocrm_id, mails=[mail("uralt@example.de", primary=True)])
        await store.blow_fuse(Side.ESPOCRM, Fuse.EVERYTHING, "espocrm_restored")
        await store.resume_person(paused.espocrm_id)
        await firm.look()
        await firm.look()
        assert (4, "alt@example.de") in firm.rows(paused)
        await admin_fuses.settle(store, Side.ESPOCRM, approve=False)
        await firm.look()
        await firm.look()
        assert firm.mails(paused) == ["alt@example.de"]
        assert (4, "alt@example.de") in firm.rows(paused)
