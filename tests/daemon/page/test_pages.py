"""What the pages show and do besides conflicts: overview, deletions, what cannot be synced, one Beteiligte, undo."""

from __future__ import annotations

import re

from daemon.admission import pause_note
from daemon.simulators.espocrm import phone
from statemachine.case import Fuse
from statemachine.model import Side
from statemachine.states import State
from tests.daemon.house import House
from tests.daemon.page.browsing import ENGLISH, Answer, Visitor, visiting
from tests.daemon.page.scenes import conflicts, given_up, hire, mass_deletion, number, unsyncable


def shown(confirm: Answer) -> dict[str, str]:
    """What the form says about the list that it showed."""
    return {name: confirm.hidden(name)[0] for name in ("number", "at")}


async def test_a_quiet_firm(firm: House, visitor: Visitor) -> None:
    hire(firm, 1)
    await firm.look()
    page = await visitor.get("/")
    assert "Es ist nichts zu entscheiden." in page.text
    assert "1 von 1 Beteiligten sind abgeglichen." in page.text
    assert page.text.count("erreichbar") == 2
    assert 'lang="de"' in page.body


async def test_in_english(firm: House) -> None:
    await conflicts(firm, 2)
    async with visiting(firm.app, firm.clock, language=ENGLISH) as visitor:
        page = await visitor.get("/")
        assert "2 things wait for you." in page.text
        assert 'lang="en"' in page.body
        assert "Keep EspoCRM" in page.text


async def test_an_outage_a_pause_and_a_lag_are_seen(firm: House, visitor: Visitor) -> None:
    pair = hire(firm, 1)
    await firm.look()
    firm.advoware.manners.manager_offline = True
    firm.espo.edit_person(pair.espocrm_id, phones=[phone(number(1, 5), "Office", primary=True)])
    await firm.poll()
    await firm._work()
    await firm.app.outside.store.set_note(pause_note(Side.ESPOCRM), "now")
    firm.clock.time += 1000
    page = await visitor.get("/")
    assert "Eine Seite ist gerade nicht erreichbar." in page.text
    assert "nicht erreichbar, seit 16 Min." in page.text
    assert "angehalten (kommsync resume)" in page.text
    assert re.search(r"Älteste wartende Änderung seit 1[67] Min\.", page.text)


async def test_mass_deletions_are_held_shown_and_rejected(firm: House, visitor: Visitor) -> None:
    pairs = await mass_deletion(firm)
    page = await visitor.get("/deletions")
    assert "von 12 Einträgen sind verschwunden." in page.text
    assert page.text.count("ihn aus EspoCRM entfernen") == 6
    confirm = await visitor.post("/deletions/confirm", {"side": "advoware", "what": "reject"})
    assert "6 Löschungen ablehnen?" in confirm.text
    assert confirm.text.count("neu:") == 6
    fields = {"side": "advoware", "what": "reject", **shown(confirm)}
    assert "Über 6 Löschungen" in (await visitor.post("/deletions/settle", fields)).text
    await firm.settle()
    for place, pair in enumerate(pairs):
        assert number(place) in [value for _, value in firm.rows(pair)]


async def test_mass_deletions_are_approved_as_they_were_shown(firm: House, visitor: Visitor) -> None:
    pairs = await mass_deletion(firm)
    await visitor.get("/deletions")
    confirm = await visitor.post("/deletions/confirm", {"side": "advoware", "what": "approve"})
    assert confirm.text.count("wird entfernt:") == 6
    fields = {"side": "advoware", "what": "approve", **shown(confirm)}
    refused = await visitor.post("/deletions/settle", {**fields, "number": "5"})
    assert refused.status == 409
    assert await firm.app.outside.store.fuse(Side.ADVOWARE) is Fuse.DELETIONS
    await visitor.post("/deletions/settle", fields)
    await firm.settle()
    for place, pair in enumerate(pairs):
        assert number(place) not in [value for _, value in firm.phones(pair)]
    assert "Es ist nichts angehalten." in (await visitor.get("/deletions")).text
    assert (await visitor.post("/deletions/settle", fields)).status == 409
    for fields in ({"side": "x", "what": "approve"}, {"side": "advoware", "what": "x"}):
        assert (await visitor.post("/deletions/confirm", dict(fields))).status in (404, 409)


async def test_what_cannot_be_synced_says_why(firm: House, visitor: Visitor) -> None:
    pair = await unsyncable(firm)
    page = await visitor.get("/unsyncable")
    assert "k.A. Das ist keine Telefonnummer, die EspoCRM annimmt." in page.text
    assert f"http://espo.test/#CBeteiligte/view/{pair.espocrm_id}" in page.body
    assert "Keine." in (await visitor.get("/parked")).text
    person = await visitor.get(f"/beteiligte/{pair.bet_nr}")
    assert "k.A. Das ist keine Telefonnummer" in person.text


async def test_who_was_given_up_is_tried_again(firm: House, visitor: Visitor) -> None:
    pair = await given_up(firm)
    page = await visitor.get("/beteiligte?state=permanently_failed")
    assert "In Advoware gibt es keinen Beteiligten mit dieser Nummer." in page.text
    confirm = await visitor.post("/retry/confirm", {"bet_nr": pair.bet_nr})
    assert "Der Datensatz ist auf einer Seite verschwunden" in confirm.text
    again = await visitor.post("/retry", {"bet_nr": pair.bet_nr})
    assert again.url == f"/beteiligte/{pair.bet_nr}?asked=1"
    assert (await firm.state(pair))[0] == State.DIRTY
    everybody = await visitor.post("/retry/confirm")
    assert "Alle 0 gescheiterten" in everybody.text
    await firm.settle()
    await visitor.post("/retry")
    assert (await firm.state(pair))[0] == State.DIRTY
    assert (await visitor.post("/retry", {"bet_nr": 4711})).status == 404


async def test_what_a_retry_would_write_is_shown(firm: House, visitor: Visitor) -> None:
    pair = hire(firm, 1)
    await firm.look()
    firm.espo.edit_person(pair.espocrm_id, phones=[phone(number(1, 5), "Office", primary=True)])
    await visitor.get("/")
    confirm = await visitor.post("/retry/confirm", {"bet_nr": pair.bet_nr})
    assert f"<del>{number(1)}</del>" in confirm.body
    now = await visitor.get(f"/beteiligte/{pair.bet_nr}/now")
    assert "Der Wert von EspoCRM kommt nach Advoware." in now.text
    assert f"<del>{number(1)}</del>" in now.body
    assert firm.rows(pair) == [(1, number(1))]


async def test_the_search_knows_both_numbers(firm: House, visitor: Visitor) -> None:
    pair = hire(firm, 1)
    await firm.look()
    await visitor.get("/")
    for wanted in (pair.bet_nr, pair.espocrm_id, f" {pair.bet_nr} "):
        found = await visitor.post("/search", {"q": wanted})
        assert (found.status, found.url) == (200, f"/beteiligte/{pair.bet_nr}")
    for wanted in (4711, "0511 1234560", "a" * 17, "<b>", ""):
        missing = await visitor.post("/search", {"q": wanted})
        assert missing.status == 404
        assert "Unter dieser Nummer wird niemand abgeglichen" in missing.text


async def test_a_write_is_undone_from_the_timeline(firm: House, visitor: Visitor) -> None:
    pair = hire(firm, 1)
    await firm.look()
    firm.espo.edit_person(pair.espocrm_id, phones=[phone(number(1, 5), "Office", primary=True)])
    await firm.look()
    assert firm.rows(pair) == [(1, number(1, 5))]
    page = await visitor.get(f"/beteiligte/{pair.bet_nr}")
    [write] = re.findall(r'name="write" value="(\d+)"', page.body)
    confirm = await visitor.post(f"/beteiligte/{pair.bet_nr}/undo/confirm", {"write": write})
    assert f"<del>{number(1, 5)}</del>" in confirm.body
    done = await visitor.post(f"/beteiligte/{pair.bet_nr}/undo", {"write": write})
    assert done.url == f"/beteiligte/{pair.bet_nr}?asked=1"
    await firm.look()
    await firm.look()
    assert (firm.rows(pair), firm.phones(pair)) == ([(1, number(1))], [("Office", number(1))])
    again = await visitor.post(f"/beteiligte/{pair.bet_nr}/undo", {"write": write})
    assert again.status == 409
    assert "nicht mehr zurücknehmen" in again.text
    assert (await visitor.post(f"/beteiligte/{pair.bet_nr}/undo/confirm", {"write": 999})).status == 404
    assert (await visitor.post("/beteiligte/4711/undo/confirm", {"write": write})).status == 404


async def test_the_timeline_pages(firm: House, visitor: Visitor) -> None:
    pair = hire(firm, 1)
    await firm.look()
    for _ in range(20):
        await firm.app.outside.store.ask([pair.espocrm_id], "retry")
        await firm.settle()
        firm.clock.time += 0.1
    page, times = await visitor.get(f"/beteiligte/{pair.bet_nr}"), 0
    while older := re.search(r'href="(\?before=[0-9.]+)"', page.body):
        times += page.body.count("<li class=")
        page = await visitor.get(f"/beteiligte/{pair.bet_nr}{older[1]}")
    times += page.body.count("<li class=")
    assert times == len(await firm.app.outside.store.history(pair.bet_nr))
    assert "zum ersten Mal gesehen" in page.text
    assert (await visitor.get(f"/beteiligte/{pair.bet_nr}?before=x")).status == 404


async def test_a_betnr_held_twice_shows_both(firm: House, visitor: Visitor) -> None:
    pair = hire(firm, 1)
    await firm.look()
    firm.espo.create_person(lastName="Twin", betnr=pair.bet_nr)
    await firm.look()
    page = await visitor.get(f"/beteiligte/{pair.bet_nr}")
    assert page.text.count("in EspoCRM öffnen") == 2
    assert "Zwei Datensätze in EspoCRM tragen dieselbe betNr." in page.text


async def test_a_side_that_was_emptied_is_asked_about(firm: House, visitor: Visitor) -> None:
    pair = firm.new(
        rows=[(1, number(1)), (3, "+491713920001")],
        phones=[phone(number(1), "Office", primary=True), phone("+491713920001", "Mobile")],
    )
    await firm.look()
    firm.espo.edit_person(pair.espocrm_id, phones=[])
    await firm.look()
    await firm.look()
    page = await visitor.get("/conflicts")
    assert "sind alle Einträge verschwunden." in page.text
    row = page.body[page.body.index("<tbody>") :]
    assert "Beide behalten" not in row
    assert (await visitor.post("/conflicts/confirm", {"one": "1 both"})).status == 409
    confirm = await visitor.post("/conflicts/confirm", {"one": "1 advoware"})
    assert confirm.text.count("neu:") == 2
    await visitor.post("/conflicts/decide", {"keep": "advoware", "id": confirm.hidden("id")})
    await firm.settle()
    assert len(firm.phones(pair)) == 2


async def test_a_hundred_people_are_paged(firm: House, visitor: Visitor) -> None:
    for place in range(60):
        await firm.app.outside.store.discover(f"p{place:02}", 90_000 + place, None)
    page = await visitor.get("/beteiligte?state=dirty")
    assert page.text.count("in EspoCRM öffnen") == 50
    [following] = re.findall(r'rel="next" href="([^"]+)"', page.body)
    rest = await visitor.get("/beteiligte" + following.replace("&amp;", "&"))
    assert rest.text.count("in EspoCRM öffnen") == 10
    assert (await visitor.get("/beteiligte?state=nonsense")).status == 404


async def test_what_people_type_is_escaped(firm: House, visitor: Visitor) -> None:
    pair = firm.new(rows=[(1, "<script>alert(1)</script>")])
    await firm.look()
    for path in ("/unsyncable", f"/beteiligte/{pair.bet_nr}", f"/beteiligte/{pair.bet_nr}/now"):
        page = await visitor.get(path)
        assert page.status == 200
        assert "<script>alert" not in page.body
        assert "&lt;script&gt;" in page.body


async def test_a_restored_espocrm_is_told_from_deletions(firm: House, visitor: Visitor) -> None:
    pair = hire(firm, 1)
    await firm.look()
    await firm.app.outside.store.blow_fuse(Side.ESPOCRM, Fuse.EVERYTHING, "espocrm_restored")
    firm.espo.edit_person(pair.espocrm_id, phones=[phone(number(1, 5), "Office", primary=True)])
    await firm.look()
    page = await visitor.get("/deletions")
    assert "Verschwunden oder geändert in EspoCRM" in page.text
    assert "aus einer älteren Sicherung wiederhergestellt" in page.text
    confirm = await visitor.post("/deletions/confirm", {"side": "espocrm", "what": "approve"})
    assert "Ja, 1 gelten lassen" in confirm.text
    await visitor.post("/deletions/settle", {"side": "espocrm", "what": "approve", **shown(confirm)})
    await firm.settle()
    assert firm.rows(pair) == [(1, number(1, 5))]


async def test_who_is_paused_is_shown_so(firm: House, visitor: Visitor) -> None:
    pair = hire(firm, 1)
    await firm.look()
    await firm.app.outside.store.pause_person(pair.espocrm_id, firm.clock.time + 60)
    assert "angehalten (kommsync resume)" in (await visitor.get(f"/beteiligte/{pair.bet_nr}")).text
    assert "angehalten" in (await visitor.get("/beteiligte?state=clean")).text
