"""Conflicts on the page: seen side by side, decided in two clicks, one or many."""

from __future__ import annotations

import re

from daemon.simulators.people import Pair
from statemachine.states import State
from tests.daemon.house import House
from tests.daemon.page.browsing import Visitor
from tests.daemon.page.scenes import conflicts, number


async def ids(firm: House) -> list[int]:
    return [one.open.conflict.id for one in await firm.app.outside.store.waiting_conflicts(limit=1000)]


def both(firm: House, pair: Pair) -> tuple[list[str], list[str]]:
    """Values in EspoCRM and in Advoware."""
    return [value for _, value in firm.phones(pair)], [value for _, value in firm.rows(pair)]


async def test_what_differs_is_marked(firm: House, visitor: Visitor) -> None:
    await conflicts(firm, 1)
    page = await visitor.get("/")
    assert page.status == 200
    assert "Eine Sache wartet auf Sie." in page.text
    assert f"{number(0)[:8]}<mark>1</mark>0000" in page.body
    assert f"{number(0)[:8]}<mark>2</mark>0000" in page.body


async def test_one_is_decided_after_what_is_written_was_shown(firm: House, visitor: Visitor) -> None:
    [pair] = await conflicts(firm, 1)
    [conflict] = await ids(firm)
    await visitor.get("/")
    confirm = await visitor.post("/conflicts/confirm", {"one": f"{conflict} espocrm"})
    assert confirm.status == 200
    assert f"Advoware {number(0, 1)} → {number(0, 2)}" in re.sub(r"(\d) (?=\d)", r"\1", confirm.text)
    assert both(firm, pair) == ([number(0, 2)], [number(0, 1)])
    assert (await firm.app.outside.store.waiting_conflicts())[0].decided is None
    done = await visitor.post("/conflicts/decide", {"keep": "espocrm", "id": confirm.hidden("id")})
    assert "1 Entscheidung(en) gespeichert" in done.text
    assert "wird ausgeführt" in done.text
    await firm.settle()
    assert both(firm, pair) == ([number(0, 2)], [number(0, 2)])
    assert await ids(firm) == []


async def test_both_are_kept(firm: House, visitor: Visitor) -> None:
    [pair] = await conflicts(firm, 1)
    [conflict] = await ids(firm)
    await visitor.get("/conflicts")
    confirm = await visitor.post("/conflicts/confirm", {"one": f"{conflict} both"})
    assert confirm.text.count("neu:") == 2
    await visitor.post("/conflicts/decide", {"keep": "both", "id": confirm.hidden("id")})
    await firm.settle()
    expected = [number(0, 1), number(0, 2)]
    assert both(firm, pair) == (expected, expected)


async def test_values_that_changed_meanwhile_are_not_decided(firm: House, visitor: Visitor) -> None:
    [pair] = await conflicts(firm, 1)
    [conflict] = await ids(firm)
    await visitor.get("/conflicts")
    firm.advoware.edit_row(firm.row(pair, number(0, 1)).id, tlf=number(0, 3))
    confirm = await visitor.post("/conflicts/confirm", {"one": f"{conflict} espocrm"})
    assert "Die Werte haben sich inzwischen geändert" in confirm.text
    assert confirm.hidden("id") == []
    await firm.look()
    done = await visitor.post("/conflicts/decide", {"keep": "espocrm", "id": [conflict]})
    assert "1 waren nicht mehr offen" in done.text
    assert both(firm, pair) == ([number(0, 2)], [number(0, 3)])


async def test_many_are_decided_by_the_same_rule(firm: House, visitor: Visitor) -> None:
    pairs = await conflicts(firm, 12)
    page = await visitor.get("/conflicts?kind=edit_edit&chosen=all")
    assert page.body.count(" checked>") == 12
    known = await ids(firm)
    some = await visitor.post("/conflicts/confirm", {"id": known[:2], "keep": "advoware"})
    assert some.hidden("id") == [str(one) for one in known[:2]]
    everybody = await visitor.post("/conflicts/confirm", {"all": "advoware", "kind": "edit_edit"})
    assert everybody.hidden("id") == [str(one) for one in known]
    await visitor.post("/conflicts/decide", {"keep": "advoware", "id": everybody.hidden("id")})
    await firm.settle()
    for place, pair in enumerate(pairs):
        assert both(firm, pair) == ([number(place, 1)], [number(place, 1)])
    assert (await firm.app.outside.store.counts())[State.CLEAN] == 12


async def test_a_side_that_is_down_still_lets_people_decide(firm: House, visitor: Visitor) -> None:
    await conflicts(firm, 1)
    [conflict] = await ids(firm)
    firm.advoware.manners.manager_offline = True
    await visitor.get("/conflicts")
    confirm = await visitor.post("/conflicts/confirm", {"one": f"{conflict} espocrm"})
    assert "Nicht frisch nachgesehen" in confirm.text
    assert confirm.text.count("→") == 1
    assert confirm.hidden("id") == [str(conflict)]


async def test_pages_and_what_is_no_page(firm: House, visitor: Visitor) -> None:
    assert "Es ist nichts zu entscheiden" in (await visitor.get("/conflicts")).text
    for path in ("/conflicts?kind=nonsense", "/conflicts?after=x"):
        assert (await visitor.get(path)).status == 404
    for fields in ({"one": "1 nonsense"}, {"one": "x espocrm"}, {"keep": "espocrm", "id": "-1"}, {}):
        assert (await visitor.post("/conflicts/confirm", dict(fields))).status == 404
    assert (await visitor.post("/conflicts/confirm", {"one": "99 espocrm"})).status == 409
