"""What happens between a read and a write, and what an answer teaches (sync rules §6, §8, §13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.ports import Answer, Request
from daemon.simulators.espocrm import mail, phone
from daemon.simulators.people import Pair
from statemachine.case import Limits, Variant
from statemachine.commands import PutRow, RowContent
from statemachine.model import Kind, Side
from tests.daemon.house import House, house

OFFICE, OTHER, THIRD = "+493023125001", "+493023125002", "+493023125003"


async def _synced(firm: House) -> Pair:
    pair = firm.new([(1, "030/23125-001")], [phone(OFFICE, "Office", primary=True)])
    await firm.look()
    return pair


def _at_the_first(firm: House, side: Side, method: str, act: Callable[[], object]) -> None:
    """``act`` happens while the first such request is on its way."""
    wire = firm.wires[side]

    def fault(request: Request) -> None:
        if request.method == method and "Token" not in request.url:
            wire.fault = lambda _: None
            act()

    wire.fault = fault


async def test_an_edit_during_a_slow_write_to_advoware_is_not_written_over(tmp_path: Path) -> None:
    """§13: the window is kept small; what was read longer ago is read again."""
    async with house(tmp_path, 0) as firm:
        pair = await _synced(firm)
        firm.advoware.edit_row(firm.row(pair, "030/23125-001").id, tlf="030/23125-002")

        def slow() -> None:
            firm.clock.time += 5
            both = [phone(OFFICE, "Office", primary=True), phone(THIRD, "Home")]
            firm.espo.edit_person(pair.espocrm_id, phones=both)

        _at_the_first(firm, Side.ADVOWARE, "PUT", slow)
        await firm.look()
        assert firm.phones(pair) == [("Home", THIRD), ("Office", OTHER)]
        assert [tlf for _, tlf in firm.rows(pair)] == ["030/23125-002", THIRD]


async def test_a_row_is_written_directly_after_a_read_also_when_the_one_before_was_slow(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, 0) as firm:
        pair = firm.new([(1, OFFICE), (1, OTHER)], [phone(OFFICE, "Office"), phone(OTHER, "Office")])
        await firm.look()
        firm.espo.edit_person(
            pair.espocrm_id, phones=[phone(THIRD, "Office", primary=True), phone(OTHER, "Fax")]
        )
        edited = firm.row(pair, OFFICE).id

        def slow() -> None:
            firm.clock.time += 5
            firm.advoware.edit_row(edited, bemerkung="von Hand")

        _at_the_first(firm, Side.ADVOWARE, "POST", slow)
        await firm.look()
        assert str(firm.advoware.row(edited).bemerkung).endswith("von Hand")
        assert sorted(firm.rows(pair)) == [(1, THIRD), (2, OTHER)]


async def test_trimmed_blanks_are_no_limit(tmp_path: Path) -> None:
    """§6: only a text that was cut off teaches a length."""
    async with house(tmp_path, 0) as firm:
        pair = await _synced(firm)
        store, wire = firm.app.outside.store, firm.wires[Side.ADVOWARE]
        await store.learn(Limits(bemerkung_whole=200))

        def trimming(request: Request) -> Answer | None:
            if request.method != "PUT" or not isinstance(request.json, dict):
                return None
            trimmed = {k: v.rstrip() if isinstance(v, str) else v for k, v in request.json.items()}
            return wire.pass_on(replace(request, json=trimmed))

        wire.fault = trimming
        firm.advoware.edit_row(firm.row(pair, "030/23125-001").id, tlf="030/23125-002", bemerkung="Zentrale ")
        await firm.look()
        assert firm.phones(pair) == [("Office", OTHER)]
        assert str(firm.row(pair, "030/23125-002").bemerkung).startswith("[ESPOCRM:")
        assert (await store.case(pair.espocrm_id, pair.bet_nr, 0)).limits == Limits(bemerkung_whole=200)


@pytest.mark.parametrize("edited", [True, False])
async def test_nothing_is_derived_from_a_stump_that_a_crash_left_behind(tmp_path: Path, edited: bool) -> None:
    """§6: also when we die before the previous value is written back."""
    async with house(tmp_path, 0, SYNC__CONFLICT_POLICY="advoware") as firm:
        pair = firm.new(
            [(4, "alt@example.de"), (4, "b@example.de")], [], [mail("alt@example.de", primary=True)]
        )
        await firm.look()
        firm.advoware.manners.tlf_max = 16
        long = "alt@example.deutschland.example"
        rest = [mail("b@example.de"), *([] if edited else [mail("alt@example.de")])]
        firm.espo.edit_person(pair.espocrm_id, mails=[mail(long, primary=True), *rest])
        wire = firm.wires[Side.ADVOWARE]
        written: list[str] = []

        def dies(request: Request) -> None:
            if request.method in ("PUT", "POST") and "Token" not in request.url:
                written.append(request.method)
                if len(written) == 2:
                    raise RuntimeError("killed")

        wire.fault = dies
        await firm.poll()
        await firm._work()
        assert len(written) == 2
        assert "alt@example.deut" in [tlf for _, tlf in firm.rows(pair)]
        wire.fault = lambda _: None
        firm.clock.time += 100
        await firm.settle()
        assert firm.mails(pair) == sorted([long, "b@example.de"] + ([] if edited else ["alt@example.de"]))
        assert firm.rows(pair) == [(4, "alt@example.de"), (4, "b@example.de")]
        assert (await firm.state(pair))[1] == "too_long"


async def test_a_slot_of_another_kind_than_it_says_is_emptied_again_whoever_wants_it(tmp_path: Path) -> None:
    """§6, also where a value is restored."""
    async with house(tmp_path, 0) as firm:
        pair = await _synced(firm)
        slot = firm.advoware.add_row(pair.bet_nr, 2, "", "[ESPOCRM-SLOT:1]")
        person = await firm.app.outside.store.person(pair.espocrm_id)
        assert person is not None
        before, after = RowContent("", "[ESPOCRM-SLOT:1]", False, 1), RowContent(THIRD, "", False, 1)
        command = PutRow(Variant.RESTORE, Kind.PHONE, None, slot.id, before, after)
        applier = firm.app.syncer.applier
        done = await applier.rows(person, "run", (command,), Limits(), "DE")
        row = firm.advoware.row(slot.id)
        assert (row.tlf, row.bemerkung) == ("", "[ESPOCRM-SLOT:2]")
        assert [write.variant for write in done.writes] == [Variant.RESTORE, Variant.VAR2]


async def test_changes_that_only_travel_together_are_refused_together(tmp_path: Path) -> None:
    """§8: a new primary changes two items in one PUT; a 400 for both must not be asked for without end."""
    refusal = Answer(
        400,
        {
            "X-Status-Reason": "Field validation failure; entityType: CBeteiligte, field: emailAddress, type: valid."
        },
        b'{"messageTranslation":{"label":"validationFailure","scope":null,"data":{"field":"emailAddress"}}}',
    )
    async with house(tmp_path, 0) as firm:
        first, second = "a@example.de", "b@example.de"
        pair = firm.new([(4, first), (4, second)], [], [mail(first, primary=True), mail(second)])
        await firm.look()
        firm.advoware.edit_row(firm.row(pair, second).id, online=True)
        firm.asked()
        firm.wires[Side.ESPOCRM].fault = lambda request: refusal if request.method == "PUT" else None
        await firm.look()
        assert firm.asked()["espocrm PUT"] <= 4
        assert (await firm.state(pair))[0] == "clean"
