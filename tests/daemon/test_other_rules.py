"""Whole syncs on the simulators of what was agreed under other rules: the settings are changed, and neither what nobody
has touched since nor what the source says now may suffer from what was agreed before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from daemon.app import App
from daemon.ports import Request
from daemon.simulators.espocrm import mail, phone
from daemon.simulators.people import Pair
from daemon.simulators.wire import JsonObject
from daemon.transport import Lost, WireError
from statemachine.model import Side
from tests.daemon.house import MOBILE, OFFICE, OTHER, House, house
from tests.daemon.wires import Once

#: What ``House.synced`` has in Advoware.
ROWS = [(1, "030/23125-001"), (4, "alt@example.de")]
ONE_WAY = ["to_espocrm", "to_advoware"]


def office() -> list[JsonObject]:
    return [phone(OFFICE, "Office", primary=True)]


def office_and_mobile() -> list[JsonObject]:
    return [*office(), phone(MOBILE, "Mobile")]


async def with_a_mobile(firm: House) -> Pair:
    """Somebody in sync who has two numbers."""
    pair = firm.new([(1, "030/23125-001"), (3, MOBILE)], office_and_mobile())
    await firm.look()
    return pair


async def reload(firm: House, **sync: str) -> None:
    """The same store with other settings of [sync]."""
    old = firm.app.outside
    settings = old.settings.model_copy(update={"sync": old.settings.sync.model_copy(update=sync)})
    firm.app = App(replace(old, settings=settings))
    await firm.app.recover()
    await firm.app.facts.refresh()
    firm.asked()


async def look_twice(firm: House) -> None:
    """At once, and hours later."""
    await firm.look()
    firm.clock.time += 7200
    await firm.look()


# --- another region -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["both", *ONE_WAY])
async def test_a_corrected_region_does_not_write_over_what_nobody_touched(
    tmp_path: Path, direction: str
) -> None:
    """An Austrian firm began with DE: the numbers crossed as German ones, and read as others now on one side only."""
    async with house(tmp_path, 0, SYNC__DIRECTION=direction) as firm:
        pair = await firm.synced()
        assert firm.rows(pair) == ROWS
        await reload(firm, default_region="AT")
        await firm.look()
        assert firm.rows(pair) == ROWS


# --- another direction ----------------------------------------------------------------------------------------------


async def test_one_way_to_advoware_takes_nothing_out_of_espocrm(tmp_path: Path) -> None:
    """§12: soon after the change a user enters again what staff had deleted when both directions were synced."""
    async with house(tmp_path, 0) as firm:
        pair = await with_a_mobile(firm)
        firm.advoware.delete_row(firm.row(pair, MOBILE).id)
        await firm.look()
        assert firm.phones(pair) == [("Office", OFFICE)]
        await reload(firm, direction="to_advoware")
        firm.espo.edit_person(pair.espocrm_id, phones=office_and_mobile())
        await firm.look()
        assert "espocrm PUT" not in firm.asked()
        assert firm.phones(pair) == [("Mobile", MOBILE), ("Office", OFFICE)]
        assert (3, MOBILE) in firm.rows(pair)


@pytest.mark.parametrize("direction", ONE_WAY)
async def test_back_to_both_carries_over_what_was_kept_on_the_written_side(
    tmp_path: Path, direction: str
) -> None:
    async with house(tmp_path, 0, SYNC__DIRECTION=direction, SYNC__STALE_FORM_SECONDS="0") as firm:
        pair = await firm.synced()
        if direction == "to_espocrm":
            firm.espo.edit_person(
                pair.espocrm_id,
                phones=[phone(OFFICE, "Fax", primary=True), phone(MOBILE, "Mobile")],
                mails=[mail("alt@example.de"), mail("neu@example.de", primary=True)],
            )
        else:
            firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
            firm.advoware.add_row(pair.bet_nr, 4, "neu@example.de")
        await firm.look()
        await firm.look()
        await reload(firm, direction="both")
        await firm.look()
        await firm.look()
        assert len(firm.rows(pair)) == len(firm.phones(pair)) + len(firm.mails(pair)) == 4


async def test_a_correction_in_the_source_counts_though_it_is_what_was_there_before(tmp_path: Path) -> None:
    """§12: rubbish came over from Advoware; EspoCRM becomes the source, and a user types the right number again."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        firm.advoware.edit_row(firm.row(pair, "030/23125-001").id, tlf="030/23125-009")
        await firm.look()
        assert firm.phones(pair) == [("Office", "+493023125009")]
        await reload(firm, direction="to_advoware")
        firm.espo.edit_person(pair.espocrm_id, phones=office())
        await look_twice(firm)
        assert firm.phones(pair) == [("Office", OFFICE)]
        assert [tlf for komm_kz, tlf in firm.rows(pair) if komm_kz == 1] == [OFFICE]


async def test_a_deletion_in_the_source_counts_though_the_entry_came_from_the_other_side(
    tmp_path: Path,
) -> None:
    """§12: the form may be older than the entry, but the source is right all the same."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        await firm.look()
        assert ("Mobile", MOBILE) in firm.phones(pair)
        await reload(firm, direction="to_advoware")
        firm.espo.edit_person(pair.espocrm_id, phones=office())
        await look_twice(firm)
        assert firm.phones(pair) == [("Office", OFFICE)]
        assert firm.rows(pair) == ROWS


async def test_an_entry_put_back_in_the_source_comes_again(tmp_path: Path) -> None:
    """§12: a form in Advoware that is older than the deletion, and Advoware is the source now."""
    async with house(tmp_path, 0) as firm:
        pair = await with_a_mobile(firm)
        row = firm.row(pair, MOBILE)
        text = row.bemerkung or ""
        firm.espo.edit_person(pair.espocrm_id, phones=office())
        await firm.look()
        assert firm.rows(pair) == [(1, "030/23125-001")]
        await reload(firm, direction="to_espocrm")
        firm.advoware.edit_row(row.id, tlf=MOBILE, bemerkung=text)
        await look_twice(firm)
        assert ("Mobile", MOBILE) in firm.phones(pair)


async def test_a_write_that_arrives_late_in_what_is_the_source_now_counts(tmp_path: Path) -> None:
    """§12: a PUT to Advoware was not answered; it has its effect when Advoware has become the source."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        wire = firm.wires[Side.ADVOWARE]
        held: list[Request] = []

        def lost(asked: Request) -> WireError | None:
            if asked.method != "PUT":
                return None
            held.append(asked)
            return Lost("broken off")

        wire.fault = Once(lost)
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OTHER, "Office", primary=True)])
        await firm.poll()
        await firm._work()
        wire.fault = lambda _: None
        await reload(firm, direction="to_espocrm")
        await firm.look()
        assert firm.phones(pair) == [("Office", OFFICE)]
        wire.pass_on(held[0])
        await look_twice(firm)
        assert firm.phones(pair) == [("Office", OTHER)]


# --- a mirror -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ONE_WAY)
async def test_what_only_the_written_side_of_a_mirror_has_goes_after_the_first_sync(
    tmp_path: Path, direction: str
) -> None:
    """§12, ``extras = "remove"``: not only with the next edit, which may never come."""
    async with house(tmp_path, 0, SYNC__DIRECTION=direction, SYNC__EXTRAS="remove") as firm:
        if direction == "to_espocrm":
            pair = firm.new([(1, "030/23125-001")], office_and_mobile())
        else:
            pair = firm.new([(1, "030/23125-001"), (3, MOBILE)], office())
        for _ in range(4):
            await firm.look()
            firm.clock.time += 3600
        assert firm.rows(pair) == [(1, "030/23125-001")]
        assert firm.phones(pair) == [("Office", OFFICE)]


@pytest.mark.parametrize("direction", ONE_WAY)
async def test_a_new_entry_on_the_written_side_of_a_mirror_goes(tmp_path: Path, direction: str) -> None:
    async with house(tmp_path, 0, SYNC__DIRECTION=direction, SYNC__EXTRAS="remove") as firm:
        pair = await firm.synced()
        if direction == "to_espocrm":
            firm.espo.edit_person(pair.espocrm_id, phones=office_and_mobile())
        else:
            firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        await firm.look()
        assert firm.rows(pair) == ROWS
        assert firm.phones(pair) == [("Office", OFFICE)]
