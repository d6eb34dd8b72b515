"""Whole syncs on the simulators with a store that is older than both sides, or new: what both sides agree about stays,
and what was typed since is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.app import App
from daemon.metrics import Metrics
from daemon.outside import open_outside
from daemon.simulators.espocrm import mail, phone
from statemachine.model import Side
from tests.daemon.house import MOBILE, OFFICE, OTHER, House, house, short_list
from tests.daemon.wires import Middling, Once

THIRD = "+493023125003"


@asynccontextmanager
async def with_store(firm: House, path: Path) -> AsyncIterator[House]:
    """The same firm, and a daemon that has this store."""
    old = firm.app.outside.settings
    settings = old.model_copy(update={"store": old.store.model_copy(update={"path": path})})
    async with open_outside(
        settings, Metrics("test"), exclusive=True, wires=firm.wires, clock=firm.clock, random=Middling()
    ) as outside:
        app = App(outside)
        await app.facts.refresh()
        yield House(app, firm.espo, firm.advoware, firm.pairs, firm.clock, firm.wires)


async def test_one_short_list_after_an_older_store_deletes_nothing(tmp_path: Path) -> None:
    """§8: the store remembers a first look that lacked the address, and does not know of the whole ones after it."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        wire, short = firm.wires[Side.ADVOWARE], short_list(firm, pair, "alt@example.de")
        wire.fault = short
        await firm.sweep()
        await firm._work()
        await firm.app.outside.store.backup(tmp_path / "backup")
        wire.fault = lambda _: None
        await firm.look()
        assert await firm.state(pair) == ("clean", "")
        firm.clock.time += 86400
        async with with_store(firm, tmp_path / "backup") as again:
            wire.fault = short
            assert await again._work() == 1
            wire.fault = lambda _: None
            await again.look()
            assert again.mails(pair) == ["alt@example.de"]


async def test_a_copied_marker_beside_a_short_list_takes_no_number_away_in_a_first_sync(
    tmp_path: Path,
) -> None:
    """§6: staff copied the row with its marker, and the first list shows the copy alone."""
    async with house(tmp_path, 0) as firm:
        pair = firm.new(
            [(1, "030/23125-001")], [phone(OFFICE, "Office", primary=True, optOut=True, invalid=True)]
        )
        await firm.look()
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        await firm.look()
        firm.advoware.copy_row(firm.row(pair, MOBILE).id, tlf="+491713920099")
        async with with_store(firm, tmp_path / "new") as again:
            await again.poll()
            await again.app.scan.scan_espocrm()
            firm.wires[Side.ADVOWARE].fault = once = Once(short_list(firm, pair, MOBILE))
            await again.settle()
            await again.look()
            assert once.given
            assert len(again.phones(pair)) == 3


async def test_an_edit_in_espocrm_after_an_older_store_is_kept(tmp_path: Path) -> None:
    """Another number was synced after the backup, and then edited in EspoCRM: nobody touched it in Advoware."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        await firm.app.outside.store.backup(tmp_path / "backup")
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OTHER, "Office", primary=True)])
        await firm.look()
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(THIRD, "Office", primary=True)])
        firm.clock.time += 3600
        async with with_store(firm, tmp_path / "backup") as again:
            await again.look()
            assert again.phones(pair) == [("Office", THIRD)]


@pytest.mark.parametrize("older", [True, False])
async def test_a_value_that_both_sides_show_stays_though_it_moved_to_another_row(
    tmp_path: Path, older: bool
) -> None:
    """Its row is gone and another row shows it. ``older``: synced like this after the backup; else staff moved it while
    a user deleted what that row had."""

    async def is_there(now: House) -> None:
        await now.look()
        assert [value for _, value in now.phones(pair)] == [OFFICE]
        assert OFFICE in [tlf for _, tlf in now.rows(pair)]

    async with house(tmp_path, 0) as firm:
        numbers = [phone(OFFICE, "Office", primary=True), phone(OTHER, "Home")]
        rows = [(1, OFFICE), (6, OTHER), (4, "a@example.de")]
        pair = firm.new(rows, numbers, [mail("a@example.de", primary=True)])
        await firm.look()
        await firm.app.outside.store.backup(tmp_path / "backup")
        second = firm.row(pair, OTHER).id
        firm.advoware.delete_row(firm.row(pair, OFFICE).id)
        if older:
            await firm.look()
            firm.espo.edit_person(pair.espocrm_id, phones=[phone(OFFICE, "Home", primary=True)])
            await firm.look()
            async with with_store(firm, tmp_path / "backup") as again:
                await is_there(again)
        else:
            firm.advoware.edit_row(second, tlf=OFFICE)
            firm.espo.edit_person(pair.espocrm_id, phones=numbers[:1])
            await is_there(firm)


async def test_a_number_and_its_type_that_were_synced_since_an_older_store_stay(tmp_path: Path) -> None:
    """Both sides agree: the store alone does not know."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        await firm.app.outside.store.backup(tmp_path / "backup")
        for kind, wait in (("Office", 3), ("Mobile", 3600)):
            firm.espo.edit_person(pair.espocrm_id, phones=[phone(OTHER, kind, primary=True)])
            await firm.look()
            firm.clock.time += wait
        async with with_store(firm, tmp_path / "backup") as again:
            await again.look()
            assert again.rows(pair) == [(3, OTHER), (4, "alt@example.de")]
