"""The page in a real browser, in front of the whole daemon at work: every decision from the click to both worlds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from daemon.app import App
from daemon.metrics import Metrics
from daemon.outside import open_outside
from daemon.simulators.espocrm import phone
from statemachine.case import Fuse
from statemachine.model import Side
from statemachine.states import State
from tests.daemon.firm import Office, until
from tests.daemon.page.browser import Browser, browsing
from tests.daemon.page.browsing import serving

pytestmark = pytest.mark.needs_program("chromium", "chromedriver")

TOKEN = "0123456789abcdef0123456789abcdef"
ENTER, TAB = "\ue007", "\ue004"
#: What an eye cannot see and a screen reader needs.
AUDIT = """
const wrong = [];
const say = (what, one) => wrong.push(what + ': ' + one.outerHTML.slice(0, 90));
const named = one => (one.textContent + (one.getAttribute('aria-label') || '')).trim();
if (document.querySelectorAll('h1').length != 1) wrong.push('not one h1');
if (!['de', 'en'].includes(document.documentElement.lang)) wrong.push('no language');
for (const mark of ['main', 'header', 'nav[aria-label]', 'footer', '[role=search]', 'a.skip[href="#main"]'])
  if (!document.querySelector(mark)) wrong.push('no ' + mark);
for (const one of document.querySelectorAll('button, a')) if (!named(one)) say('no name', one);
for (const one of document.querySelectorAll('input:not([type=hidden])'))
  if (!one.labels.length && !one.getAttribute('aria-label')) say('no label', one);
for (const one of document.querySelectorAll('table'))
  if (!one.caption || !one.querySelector('thead th[scope=col]')) say('no caption or head', one);
for (const one of document.querySelectorAll('[id]'))
  if (document.querySelectorAll('#' + CSS.escape(one.id)).length > 1) say('id twice', one);
for (const one of document.querySelectorAll('[style], [onclick], script:not([src])')) say('inline', one);
if (document.documentElement.scrollWidth > window.innerWidth) wrong.push('wider than the window');
return wrong;
"""


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with browsing("de") as opened:
        yield opened


@dataclass
class Scene:
    """A firm, its daemon at work, and its page."""

    office: Office
    app: App
    url: str

    def new(self, *numbers: str) -> int:
        """Somebody with these numbers on both sides; the betNr."""
        bet_nr = self.office.advo.add_person("Muster")
        for place, number in enumerate(numbers):
            self.office.advo.add_row(bet_nr, (1, 3, 6)[place], number)
        items = [
            phone(number, ("Office", "Mobile", "Home")[place], primary=not place)
            for place, number in enumerate(numbers)
        ]
        self.office.ids[bet_nr] = self.office.espo.create_person(
            lastName="Muster", betnr=bet_nr, phones=items
        )
        return bet_nr

    def espocrm(self, bet_nr: int) -> list[str]:
        items = self.office.espo.person(self.office.ids[bet_nr])["phoneNumberData"]
        return sorted(item["phoneNumber"] for item in items)

    def advoware(self, bet_nr: int) -> list[str]:
        return sorted(row.tlf for row in self.office.advo.rows(bet_nr) if row.tlf)

    def edit_espocrm(self, bet_nr: int, *numbers: str) -> None:
        """One that stays is a mobile number, as :meth:`new` made it."""
        items = [
            phone(number, "Mobile" if number.startswith("+49171") else "Office", primary=not place)
            for place, number in enumerate(numbers)
        ]
        self.office.espo.edit_person(self.office.ids[bet_nr], phones=items)

    def edit_advoware(self, bet_nr: int, before: str, after: str) -> None:
        row = next(row for row in self.office.advo.rows(bet_nr) if row.tlf == before)
        self.office.advo.edit_row(row.id, tlf=after)

    async def state(self, bet_nr: int) -> str:
        person = await self.app.outside.store.person(self.office.ids[bet_nr])
        return "" if person is None else person.standing.state.value

    async def until_state(self, state: State, *bet_nrs: int) -> None:
        async def all_are() -> bool:
            return all([await self.state(one) == state for one in bet_nrs])

        await until(all_are)

    async def until_both_show(self, bet_nr: int, *numbers: str) -> None:
        expected = sorted(numbers)
        await until(lambda: self.espocrm(bet_nr) == self.advoware(bet_nr) == expected)

    async def conflict(self, *places: int) -> list[int]:
        """So many people, each with a number that was changed on both sides."""
        people = [self.new(_number(place)) for place in places]
        await self.until_state(State.CLEAN, *people)
        for place, bet_nr in zip(places, people, strict=True):
            self.edit_espocrm(bet_nr, _number(place, 2))
            self.edit_advoware(bet_nr, _number(place), _number(place, 1))
        await self.until_state(State.CONFLICT, *people)
        return people


def _number(place: int, digit: int = 0) -> str:
    return f"+4951176{digit}{place:04}"


@asynccontextmanager
async def scene(path: Path, **web: Any) -> AsyncIterator[Scene]:
    office = Office(path, people=0)
    settings = office.settings(
        sync={"conflict_policy": "manual", "settle_seconds": 0.05, "deletion_confirm_seconds": 0.3},
        guard={"max_deletions": 3},
        web=web,
        advoware={"sweep_interval_seconds": 0.3},
    )
    async with open_outside(settings, Metrics(), exclusive=True, wires=office.wires) as outside:
        app = App(outside)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                await group.start(app.run)
                async with serving(app, **web) as url:
                    yield Scene(office, app, url)
                app.stop()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as opened:
        yield opened


async def test_two_clicks_decide_a_conflict(stage: Scene, browser: Browser) -> None:
    people = await stage.conflict(1, 2, 3)
    for keep, bet_nr in zip(("espocrm", "advoware", "both"), people, strict=True):
        await browser.open(stage.url)
        await browser.follow(f"button[value$=' {keep}'][aria-label*='betNr {bet_nr},']")
        assert stage.espocrm(bet_nr) != stage.advoware(bet_nr)
        assert "Das wird geschrieben" in await browser.text("main")
        await browser.follow("main button", "So entscheiden")
    await stage.until_both_show(people[0], _number(1, 2))
    await stage.until_both_show(people[1], _number(2, 1))
    await stage.until_both_show(people[2], _number(3, 1), _number(3, 2))
    await stage.until_state(State.CLEAN, *people)
    assert await browser.complaints() == []


async def test_many_with_the_same_rule(stage: Scene, browser: Browser) -> None:
    people = await stage.conflict(1, 2, 3)
    await browser.open(f"{stage.url}/conflicts")
    await browser.follow("main a", "diese Seite auswählen")
    await browser.click("tbody tr:last-child input[type=checkbox]")
    await browser.follow("button[name=keep][value=advoware]")
    await browser.follow("main button", "So entscheiden")
    for place, bet_nr in zip((1, 2), people, strict=False):
        await stage.until_both_show(bet_nr, _number(place, 1))
    assert await stage.state(people[2]) == State.CONFLICT


@pytest.mark.parametrize("approve", [True, False])
async def test_a_mass_deletion_is_decided(stage: Scene, browser: Browser, approve: bool) -> None:
    people = [stage.new(_number(place), f"+49171392{place:04}") for place in range(5)]
    await stage.until_state(State.CLEAN, *people)
    for place, bet_nr in enumerate(people):
        stage.edit_espocrm(bet_nr, f"+49171392{place:04}")
    store = stage.app.outside.store

    async def all_held() -> bool:
        return await store.held_count(Side.ESPOCRM) == 5

    await until(all_held)
    await browser.open(stage.url)
    await browser.follow(".inbox a[href='/deletions']")
    await browser.follow(f"button[name=what][value={'approve' if approve else 'reject'}]")
    await browser.follow(".confirm button")
    for place, bet_nr in enumerate(people):
        kept = [f"+49171392{place:04}", *([] if approve else [_number(place)])]
        await stage.until_both_show(bet_nr, *kept)
    assert await store.fuse(Side.ESPOCRM) is Fuse.INTACT


async def test_who_was_given_up_is_tried_again(stage: Scene, browser: Browser) -> None:
    bet_nr = stage.new(_number(1))
    await stage.until_state(State.CLEAN, bet_nr)
    person = stage.office.advo.firm.beteiligte.pop(bet_nr)
    stage.edit_espocrm(bet_nr, _number(1, 5))
    await stage.until_state(State.PERMANENTLY_FAILED, bet_nr)
    stage.office.advo.firm.beteiligte[bet_nr] = person
    await browser.open(f"{stage.url}/beteiligte?state=permanently_failed")
    assert "In Advoware gibt es keinen Beteiligten" in await browser.text("main")
    await browser.follow("td button", "Erneut versuchen")
    await browser.follow(".confirm button")
    await stage.until_state(State.CLEAN, bet_nr)


async def test_a_write_is_undone(stage: Scene, browser: Browser) -> None:
    bet_nr = stage.new(_number(1))
    await stage.until_state(State.CLEAN, bet_nr)
    stage.edit_espocrm(bet_nr, _number(1, 5))
    await stage.until_both_show(bet_nr, _number(1, 5))
    await stage.until_state(State.CLEAN, bet_nr)
    await browser.open(stage.url)
    await browser.type("#q", str(bet_nr))
    async with browser.leaving():
        await browser.press(ENTER)
    assert (await browser.address()).endswith(f"/beteiligte/{bet_nr}")
    await browser.follow("main button", "zurücknehmen")
    await browser.follow(".confirm button")
    await stage.until_both_show(bet_nr, _number(1))


async def test_the_keyboard_is_enough(stage: Scene, browser: Browser) -> None:
    [bet_nr] = await stage.conflict(1)
    await browser.open(stage.url)
    await browser.press(TAB)
    assert await browser.run("return document.activeElement.className") == "skip"
    await browser.press(ENTER)
    assert await browser.run("return document.activeElement.id") == "main"
    for _ in range(40):
        await browser.press(TAB)
        if await browser.run("return document.activeElement.value") == "1 espocrm":
            break
    async with browser.leaving():
        await browser.press(ENTER)
    assert await browser.run("return document.activeElement.textContent") == "So entscheiden"
    await browser.press(ENTER)
    await stage.until_both_show(bet_nr, _number(1, 2))


async def test_every_page_can_be_read_aloud(stage: Scene, browser: Browser) -> None:
    [bet_nr] = await stage.conflict(1)
    stage.office.advo.add_row(stage.new(_number(2)), 1, "k.A.")
    paths = ["", "/conflicts", "/deletions", "/unsyncable", "/parked", "/beteiligte?state=conflict"]
    found: dict[str, list[str]] = {}
    for path in [*paths, f"/beteiligte/{bet_nr}", f"/beteiligte/{bet_nr}/now"]:
        await browser.open(f"{stage.url}{path}")
        if wrong := await browser.run(AUDIT):
            found[path] = wrong
    await browser.open(stage.url)
    await browser.follow("main button", "EspoCRM gilt")
    found |= {"confirm": wrong} if (wrong := await browser.run(AUDIT)) else {}
    assert found == {}
    assert await browser.complaints() == []


async def test_it_fits_a_telephone(stage: Scene, browser: Browser) -> None:
    [bet_nr] = await stage.conflict(1)
    async with browser.on_a_telephone():
        for path in ("", "/conflicts", f"/beteiligte/{bet_nr}", "/beteiligte"):
            await browser.open(f"{stage.url}{path}")
            assert await browser.run("return document.documentElement.scrollWidth") == 390, path
        await browser.open(stage.url)
        await browser.follow("main button", "EspoCRM gilt")
        await browser.follow("main button", "So entscheiden")
    await stage.until_both_show(bet_nr, _number(1, 2))


async def test_times_are_the_reader_s(stage: Scene, browser: Browser) -> None:
    bet_nr = stage.new(_number(1))
    await stage.until_state(State.CLEAN, bet_nr)
    await browser.travel("America/New_York")
    await browser.open(f"{stage.url}/beteiligte/{bet_nr}")
    assert "America/New_York" in await browser.text("footer")
    shown, utc = await browser.run(
        "const time = document.querySelector('time'); return [time.textContent, time.title]"
    )
    assert utc.endswith("UTC")
    assert shown.split(", ")[1] != utc.split(" ")[1]
    await browser.travel("UTC")


async def test_a_login_lasts_over_pages(tmp_path: Path, browser: Browser) -> None:
    async with scene(tmp_path, token=TOKEN) as stage:
        [bet_nr] = await stage.conflict(1)
        await browser.open(f"{stage.url}/beteiligte/{bet_nr}")
        assert (await browser.address()).endswith("/login")
        await browser.type("#secret", "wrong")
        async with browser.leaving():
            await browser.press(ENTER)
        assert "Das war nicht richtig." in await browser.text("main")
        await browser.type("#secret", TOKEN)
        async with browser.leaving():
            await browser.press(ENTER)
        await browser.open(f"{stage.url}/beteiligte/{bet_nr}")
        assert _number(1, 1) in await browser.text("main")
        assert await browser.run("return document.cookie") == ""
        await browser.follow("button", "Abmelden")
        await browser.open(stage.url)
        assert (await browser.address()).endswith("/login")
        assert [line for line in await browser.complaints() if "401" not in line] == []
