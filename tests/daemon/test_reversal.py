"""Taking back all that was written in a time: what becomes of entries, what is said, and what both worlds show then."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.admin import reversal
from daemon.admin.chains import chains
from daemon.admin.desk import NotPossible
from daemon.admin.reversal import Line, Window
from daemon.demo.firm import open_firm
from statemachine.case import Outcome, Shown, Variant, Write
from statemachine.model import Kind, Side
from tests.daemon.firms import Office

HERE, THERE = Side.ESPOCRM, Side.ADVOWARE


def write(
    number: int, variant: str, before: str, after: str, side: Side = THERE, key: str | None = None
) -> Write:
    def shown(value: str) -> Shown | None:
        return Shown(value) if value else None

    return Write(
        number, "c", float(number), side, "put", Variant(variant), Kind.PHONE, key, 1, shown(before),
        shown(after), Outcome.DONE,
    )  # fmt: skip


A, B, C = "0511 1234501", "0511 1234502", "0511 1234503"


@pytest.mark.parametrize(
    ("writes", "told"),
    [
        ([write(1, "var5", A, B, key="k")], [(A, B)]),
        ([write(1, "var5", A, B, key="k"), write(2, "var6", B, C, HERE, "k")], [(A, C)]),
        ([write(1, "var5", A, B, key="k"), write(2, "var6", B, A, HERE, "k")], []),
        ([write(1, "var1", "", A), write(2, "var5", A, B, key="k"), write(3, "var2", B, "", key="k")], []),
        ([write(1, "var2", A, "", key="k"), write(2, "var4", "", A, HERE)], []),
        ([write(1, "var2", A, "", key="k"), write(2, "var1", "", B)], [(A, ""), ("", B)]),
        ([write(1, "var5", A, B, key="k"), write(2, "var5", A, B, key="k")], [(A, B)]),
        ([write(1, "var5", A, B, key="k"), write(2, "var5", A, C, key="l")], [(A, B), (A, C)]),
        ([write(1, "var5", A, B, key="k"), write(2, "wish", B, A), write(3, "var6", B, A, HERE, "k")], []),
        ([write(1, "marker", A, A), write(2, "restore", A, B, key="k"), write(3, "type", "", A)], []),
    ],
)
def test_what_becomes_of_entries(writes: list[Write], told: list[tuple[str, str]]) -> None:
    found = [(one.first.before.value if one.first.before else "", one.left) for one in chains(writes, "DE")]
    assert [(began, left[-7:]) for began, left in found] == [
        (began, left.replace(" ", "")[-7:]) for began, left in told
    ]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """All in sync."""
    async with open_firm(4, seed=7) as firm:
        found = Office(firm, tmp_path)
        assert (await found.round()).code == 0
        yield found


async def planned(office: Office, since: float, **more: object) -> list[Line]:
    async with office.desk() as desk:
        return await reversal.plan(desk, Window(since, time.time() + 1, **more))  # type: ignore[arg-type]


async def taken_back(office: Office, since: float, **more: object) -> int:
    async with office.desk() as desk:
        lines = await reversal.plan(desk, Window(since, time.time() + 1, **more))  # type: ignore[arg-type]
        return await reversal.carry_out(desk, lines)


async def test_a_window_is_listed_first_and_then_taken_back_in_both_worlds(office: Office) -> None:
    """Somebody edited one number, deleted another in EspoCRM, and a third person got one in Advoware."""
    edited, gone = office.number(0), office.number(3)
    assert edited[0] != gone[0]
    before = {pair.bet_nr: office.values(pair) for pair in office.firm.pairs}
    began = time.time()
    office.edit(edited[0], edited[2], "+491713920188")
    office.edit(gone[0], gone[2], None)
    office.firm.advoware.add_row(edited[0].bet_nr, 3, "0171 3920199")
    await office.round()
    written = office.writes()
    lines = await planned(office, began)
    assert office.writes() == written
    assert sorted((line.bet_nr, line.side, line.does) for line in lines) == sorted(
        [
            (edited[0].bet_nr, THERE, "put back"),
            (edited[0].bet_nr, HERE, "taken away"),
            (gone[0].bet_nr, THERE, "created anew"),
        ]
    )
    assert "not the old row" in next(line.remark for line in lines if line.does == "created anew")
    assert all(line.as_json()["possible"] for line in lines)
    assert await taken_back(office, began) == 3
    assert await taken_back(office, began) == 0
    assert (await office.round()).code == 0
    assert {pair.bet_nr: office.values(pair) for pair in office.firm.pairs} == before
    assert (await office.agreement()).holds
    assert [line for line in await planned(office, began) if line.wish] == []
    async with office.desk() as desk:
        rows = await desk.store.history(edited[0].bet_nr)
    assert {row["variant"] for row in rows if row["what"] == "write"} >= {"wish"}
    assert any("undo by operator" in (row["reason"] or "") for row in rows)


async def test_a_beteiligter_goes_back_to_a_moment_over_both_sides(office: Office) -> None:
    """From A to B in EspoCRM, from B to C in Advoware: one way back to A. What others got stays."""
    (pair, row, value), (other, _, theirs) = office.number(0), office.number(3)
    began = time.time()
    office.edit(pair, value, "+491713920188")
    office.edit(other, theirs, "+491713920144")
    await office.round()
    office.firm.advoware.edit_row(row.id, tlf="0171 3920155")
    await office.round()
    assert "+491713920155" in office.values(pair)
    [line] = await planned(office, began, bet_nr=pair.bet_nr)
    assert (line.side, line.now, line.then) == (THERE, "0171 3920155", row.tlf)
    assert await taken_back(office, began, bet_nr=pair.bet_nr) == 1
    assert (await office.round()).code == 0
    assert value in office.values(pair)
    assert "+491713920144" in office.values(other)


async def test_a_row_that_staff_deleted_is_said_to_be_another_one(office: Office) -> None:
    pair, row, value = office.number()
    began = time.time()
    office.firm.advoware.delete_row(row.id)
    await office.round()
    assert value not in office.values(pair)
    [line] = await planned(office, began, side=HERE)
    assert (line.does, line.side, "remark is lost" in line.remark) == ("created anew", HERE, True)
    assert await planned(office, began, side=THERE) == []
    assert await taken_back(office, began) == 1
    assert (await office.round()).code == 0
    assert value in office.values(pair)
    assert (await office.agreement()).holds


async def test_what_has_moved_on_or_is_there_already_is_left_alone_and_says_why(office: Office) -> None:
    pair, _, value = office.number()
    began = time.time()
    office.edit(pair, value, "+491713920188")
    await office.round()
    between = time.time()
    office.edit(pair, "+491713920188", "+491713920177")
    await office.round()
    async with office.desk() as desk:
        [line] = await reversal.plan(desk, Window(began, between))
    assert (line.wish, line.does, line.remark) == (None, "nothing", "the entry shows something else now")
    item = next(one for one in office.phones(pair) if one["phoneNumber"] == "+491713920177")
    later = time.time()
    office.edit(pair, "+491713920177", None)
    await office.round()
    gone = time.time()
    again = [*office.phones(pair), {**item, "primary": False}]
    office.firm.espocrm.edit_person(pair.espocrm_id, phones=again)
    await office.round()
    async with office.desk() as desk:
        [line] = await reversal.plan(desk, Window(later, gone))
    assert (line.wish, line.remark) == (None, "its old value is there already")


async def test_whoever_is_not_tracked_is_refused(office: Office) -> None:
    with pytest.raises(NotPossible, match="betNr 1 is not tracked"):
        await planned(office, 0.0, bet_nr=1)
