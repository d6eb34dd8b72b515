"""What the commands do, on both simulated systems over real HTTP: every answer's shape, every refusal's next step."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.admin import (
    address,
    audits,
    conflicts,
    explain,
    foresight,
    fuses,
    health,
    pauses,
    people,
    plans,
    status,
    undo,
)
from daemon.admin.desk import NotPossible, open_desk
from daemon.demo.firm import open_firm
from daemon.maintenance import AUDIT_NOTE
from daemon.ports import Person
from daemon.simulators.espocrm import phone
from daemon.store import StoreInUse, StoreTrouble
from daemon.store.ownership import Ownership
from statemachine.case import Keep
from statemachine.model import Side
from statemachine.standing import Standing
from statemachine.states import State
from tests.daemon.firms import Office
from tests.daemon.house import MOBILE, OTHER


def no_step(done: int, total: int) -> None:
    assert done <= total


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[Office]:
    """Nobody has been synced yet."""
    async with open_firm(4, seed=7) as firm:
        yield Office(firm, tmp_path)


@pytest.fixture
async def office(fresh: Office) -> Office:
    """All in sync."""
    assert (await fresh.round()).code == 0
    return fresh


# --- reading --------------------------------------------------------------------------------------------------------


async def test_status_has_all_that_scripts_rely_on(office: Office) -> None:
    async with office.desk() as desk:
        found = await status.status(desk)
    assert found["states"] == {state.value: 4 if state is State.CLEAN else 0 for state in State}
    assert found["sides"]["espocrm"] == {
        "up": True, "reason": None, "paused": False, "asked": "side", "paused_until": None,
    }  # fmt: skip
    assert found["fuse"] == {"espocrm": False, "advoware": False}
    assert (found["tracked"], found["conflicts_open"], found["pending_deletions"]) == (4, 0, 0)
    assert (found["oldest_unsynced_seconds"], found["running"], found["page"]) == (0.0, None, None)
    json.dumps(found)
    assert ("sides.advoware.up", True) in list(status.flat(found))


async def test_status_tells_which_side_is_down_and_why(office: Office) -> None:
    office.firm.advoware.manners.manager_offline = True
    async with office.desk() as desk:
        found = await health.sides(desk)
    assert (found[Side.ADVOWARE].up, found[Side.ADVOWARE].reason) == (False, "side_down")
    assert found[Side.ESPOCRM].up


async def test_a_side_that_refuses_us_is_not_asked_again_for_a_minute(office: Office) -> None:
    office.firm.espocrm.api_user.api_key = "another"
    async with office.desk() as desk:
        assert (await health.sides(desk))[Side.ESPOCRM].reason == "credentials_refused"
    asked = office.firm.espocrm.counts.total()
    async with office.desk() as desk:
        assert (await health.sides(desk))[Side.ESPOCRM].reason == "credentials_refused"
    assert office.firm.espocrm.counts.total() == asked


async def test_list_names_everybody_or_those_in_one_state(office: Office) -> None:
    async with office.desk() as desk:
        rows = await people.everybody(desk.store)
        assert [row["bet_nr"] for row in rows] == sorted(pair.bet_nr for pair in office.firm.pairs)
        assert await people.everybody(desk.store, State.FAILED) == []
    keys = {"bet_nr", "espocrm_id", "state", "reason", "since", "attempts", "next_attempt_at"}
    assert keys <= rows[0].keys()


async def test_show_has_the_entries_and_what_is_left_out(office: Office) -> None:
    pair, row, value = office.number()
    office.firm.advoware.add_row(pair.bet_nr, 1, "k.A.")
    await office.round()
    async with office.desk() as desk:
        found = await people.show(desk, pair.bet_nr)
    entry = next(one for one in found["entries"] if row.id in one["advoware_ids"])
    assert (entry["espocrm_value"], entry["advoware_value"], entry["problem"]) == (value, row.tlf, None)
    assert {"komm_kz", "komm_kz_certain", "kind", "espocrm_type"} <= entry.keys()
    assert [(one["why"], one["value"], one["side"]) for one in found["not_synced"]] == [
        ("unsyncable", "k.A.", "advoware")
    ]
    assert any(one["advoware_value"] == "k.A." and one["problem"] for one in found["entries"])


async def test_whoever_is_not_tracked_is_refused_with_a_next_step(office: Office) -> None:
    async with office.desk() as desk:
        for ask in (people.show(desk, 1), explain.explain(desk, 1), pauses.pause(desk, None, 1, None)):
            with pytest.raises(NotPossible, match=r"betNr 1 is not tracked.*kommsync list"):
                await ask
        with pytest.raises(NotPossible, match="kommsync list"):
            await people.history(desk.store, 1)
        with pytest.raises(NotPossible, match="betNr 1 "):
            await people.retry(desk.store, [office.firm.pairs[0].bet_nr, 1])
        assert await people.everybody(desk.store, State.DIRTY) == []


async def test_retry_makes_due(office: Office) -> None:
    async with office.desk() as desk:
        assert await people.retry(desk.store, [office.firm.pairs[0].bet_nr]) == 1
        assert await people.retry(desk.store, []) == 0
        assert len(await people.everybody(desk.store, State.DIRTY)) == 1


async def test_explain_tells_the_rule_and_writes_nothing(office: Office) -> None:
    pair, _, value = office.number()
    office.edit(pair, value, "+4951112345699")
    before = office.writes()
    async with office.desk() as desk:
        found = await explain.explain(desk, pair.bet_nr)
    entry = next(one for one in found["entries"] if one["espocrm_value"] == "+4951112345699")
    assert (entry["base"], entry["rule"], entry["problem"]) == (value, "give_advoware", None)
    assert entry["sentence"]
    write = next(one for one in found["would_write"] if one["after"] == "+4951112345699")
    assert (write["side"], write["operation"], write["variant"]) == ("advoware", "put", "var5")
    assert value in {one["espocrm_value"] for one in found["base"]}
    assert "+4951112345699" in found["espocrm_shows"]
    assert (office.writes(), found["trouble"], found["next"]) == (
        before,
        None,
        "nothing, until something changes",
    )


async def test_explain_tells_what_it_can_while_a_side_is_down(office: Office) -> None:
    office.firm.advoware.manners.manager_offline = True
    async with office.desk() as desk:
        found = await explain.explain(desk, office.firm.pairs[0].bet_nr)
    assert found["base"]
    assert (found["trouble"], found["entries"]) == ("side_down", [])
    office.firm.espocrm.settings["maintenanceMode"] = True
    async with office.desk() as desk:
        assert (await explain.explain(desk, office.firm.pairs[0].bet_nr))["trouble"] == "side_down"


@pytest.mark.parametrize("state", State)
def test_explain_says_what_comes_next_in_every_state(state: State) -> None:
    standing = Standing(state, "", 0.0, 0.0)
    said = explain.next_step(Person("a", 4711, standing), None)
    assert said
    assert "kommsync resume --bet-nr 4711" in explain.next_step(
        Person("a", 4711, standing, paused_until=math.inf), None
    )
    assert explain.next_step(Person("a", 4711, standing), "side_down").endswith("just now: side_down")


# --- deciding -------------------------------------------------------------------------------------------------------


async def _conflict(office: Office, here: str = "+491713920111", there: str = "+49 171 3920122") -> int:
    pair, row, value = office.number()
    office.edit(pair, value, here)
    office.firm.advoware.edit_row(row.id, tlf=there)
    assert (await office.round()).code == 3
    async with office.desk() as desk:
        [found] = await conflicts.waiting(desk.store)
    assert (found["bet_nr"], found["kind"], found["base"]) == (pair.bet_nr, "edit_edit", value)
    assert (found["espocrm"], found["advoware"]) == (here, there)
    return int(found["id"])


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (Keep.ESPOCRM, {"+491713920111"}),
        (Keep.ADVOWARE, {"+491713920122"}),
        (Keep.BOTH, {"+491713920111", "+491713920122"}),
    ],
)
async def test_a_conflict_is_decided(office: Office, keep: Keep, left: set[str]) -> None:
    pair = office.number()[0]
    conflict_id = await _conflict(office)
    async with office.desk() as desk:
        assert await conflicts.resolve(desk.store, conflict_id, keep) == pair.bet_nr
        assert await conflicts.waiting(desk.store) == []
    assert (await office.round()).code == 0
    assert office.values(pair) & {"+491713920111", "+491713920122"} == left
    assert (await office.agreement()).holds


async def test_a_void_conflict_names_its_successor(office: Office) -> None:
    pair = office.number()[0]
    old = await _conflict(office)
    office.edit(pair, "+491713920111", "+491713920133")
    await office.round()
    async with office.desk() as desk:
        [new] = await conflicts.waiting(desk.store)
        with pytest.raises(NotPossible, match=f"conflict {old} is void.*kommsync resolve {new['id']} --keep"):
            await conflicts.resolve(desk.store, old, Keep.BOTH)
        with pytest.raises(NotPossible, match=r"conflict 99 is not open.*kommsync conflicts"):
            await conflicts.resolve(desk.store, 99, Keep.BOTH)


async def test_an_emptied_side_cannot_be_kept_on_both(office: Office) -> None:
    pair = office.number()[0]
    office.firm.espocrm.edit_person(pair.espocrm_id, phones=[], mails=[])
    assert (await office.round()).code == 3
    async with office.desk() as desk:
        [found] = await conflicts.waiting(desk.store)
        assert (found["kind"], found["emptied"]) == ("side_emptied", "espocrm")
        with pytest.raises(NotPossible, match="--keep espocrm, or --keep advoware"):
            await conflicts.resolve(desk.store, found["id"], Keep.BOTH)
        await conflicts.resolve(desk.store, found["id"], Keep.ADVOWARE)
    assert (await office.round()).code == 0
    assert office.values(pair)


@pytest.mark.parametrize("approve", [True, False])
async def test_held_deletions_are_listed_and_decided(office: Office, approve: bool) -> None:
    pair, row, value = office.number()
    office.edit(pair, value, None)
    strict = office.guarded(max_deletions=0)
    assert (await office.round(strict)).code == 3
    async with open_desk(strict) as desk:
        found = await fuses.held(desk.store)
        [held] = found["held"]
        assert (held["side"], held["bet_nr"], held["approving"]) == (
            "espocrm",
            pair.bet_nr,
            "emptied in Advoware",
        )
        assert [one["held"] for one in found["fuses"]] == [1, 0]
        assert office.firm.advoware.row(row.id).tlf == row.tlf
        shown = await people.show(desk, pair.bet_nr)
        assert "held by the fuse" in {one["problem"] for one in shown["entries"]}
        assert await fuses.settle(desk.store, Side.ESPOCRM, approve=approve) == 1
        with pytest.raises(NotPossible, match=r"intact.*kommsync fuse"):
            await fuses.settle(desk.store, Side.ESPOCRM, approve=approve)
    await office.round(strict)
    assert (office.firm.advoware.row(row.id).tlf == "") is approve
    assert (value in office.values(pair)) is not approve


async def test_a_paused_side_is_left_alone_until_resumed(office: Office) -> None:
    pair, row, value = office.number()
    office.edit(pair, value, "+491713920111")
    async with office.desk() as desk:
        assert "kommsync resume advoware" in await pauses.pause(desk, Side.ADVOWARE, None, None)
        assert (await status.status(desk))["sides"]["advoware"]["paused"]
    assert (await office.round()).reason == "paused"
    async with office.desk() as desk:
        assert "paused for 90 seconds" in await pauses.pause(desk, Side.ADVOWARE, None, 90)
        ends = (await status.status(desk))["sides"]["advoware"]["paused_until"]
        assert 80 < ends - desk.clock.now() <= 90
        await pauses.pause(desk, Side.ADVOWARE, None, 1e-6)
        assert not (await status.status(desk))["sides"]["advoware"]["paused"]
        await pauses.pause(desk, Side.ADVOWARE, None, None)
    assert office.firm.advoware.row(row.id).tlf == row.tlf
    async with office.desk() as desk:
        await pauses.pause(desk, None, None, None)
        await pauses.resume(desk, None, None)
    assert (await office.round()).code == 0
    assert office.firm.advoware.row(row.id).tlf == "+491713920111"


async def test_a_paused_beteiligter_is_left_alone(office: Office) -> None:
    pair = office.firm.pairs[0]
    async with office.desk() as desk:
        await pauses.pause(desk, None, pair.bet_nr, 60)
        [person] = await desk.store.by_bet_nr(pair.bet_nr)
        assert person.paused_until is not None
        [shown] = (await status.status(desk))["paused_beteiligte"]
        assert (shown["bet_nr"], shown["paused_until"]) == (pair.bet_nr, person.paused_until)
        assert ", until " in (await explain.explain(desk, pair.bet_nr))["next"]
        await pauses.pause(desk, None, pair.bet_nr, None)
        json.loads(json.dumps(await status.status(desk), allow_nan=False))
        json.dumps(await people.everybody(desk.store), allow_nan=False)
        await pauses.pause(desk, None, pair.bet_nr, -1)
        assert "paused" not in (await explain.explain(desk, pair.bet_nr))["next"]
        await pauses.resume(desk, None, pair.bet_nr)
        [person] = await desk.store.by_bet_nr(pair.bet_nr)
    assert (person.paused_until, person.standing.state) == (None, State.DIRTY)


# --- plan, apply, audit ---------------------------------------------------------------------------------------------


async def test_a_plan_before_the_first_write_is_carried_out_exactly(fresh: Office, tmp_path: Path) -> None:
    fresh.firm.advoware.add_row(fresh.firm.pairs[0].bet_nr, 3, "0171 3920155")
    async with fresh.desk() as desk:
        found = await plans.plan(desk, (), no_step)
        assert await people.everybody(desk.store) == []
    assert fresh.writes() == 0
    assert found.summary()["people"] == 4
    assert found.summary()["links"] > 0
    assert {"espocrm", "advoware"} >= {write["side"] for write in found.writes()}
    wanted = {(w["side"], w["bet_nr"], w["after"]) for w in found.writes() if w["variant"] != "marker"}
    plans.save(found, tmp_path / "plan.json")
    assert (tmp_path / "plan.json").stat().st_mode & 0o077 == 0
    assert await plans.apply(fresh.settings, plans.load(tmp_path / "plan.json")) == 4
    async with fresh.desk() as desk:
        rows = [row for pair in fresh.firm.pairs for row in await _written(desk, pair.bet_nr)]
    assert set(rows) == wanted
    assert (await fresh.agreement()).holds
    assert fresh.firm.pairs[0].espocrm_id in {one.espocrm_id for one in found.people}


async def _written(desk: object, bet_nr: int) -> list[tuple[str | None, int, str | None]]:
    store = desk.store  # type: ignore[attr-defined]
    rows = await store.history(bet_nr)
    return [
        (row["side"], bet_nr, row["after"])
        for row in rows
        if row["what"] == "write" and row["variant"] not in ("marker", "status")
    ]


async def test_apply_refuses_as_a_whole_when_anybody_has_edited(fresh: Office) -> None:
    async with fresh.desk() as desk:
        found = await plans.plan(desk, (), no_step)
    moved = fresh.firm.pairs[-1]
    fresh.firm.advoware.add_row(moved.bet_nr, 3, "0171 3920166")
    with pytest.raises(NotPossible, match=f"nothing was written.*{moved.bet_nr}.*kommsync plan --out"):
        await plans.apply(fresh.settings, found)
    assert fresh.writes() == 0


async def test_apply_writes_neither_of_two_who_share_a_betnr(fresh: Office) -> None:
    """§7: before the first run nobody is tracked, so that the store knows of no betnr that is doubled."""
    firm, pair = fresh.firm, fresh.firm.pairs[0]
    firm.espocrm.edit_person(pair.espocrm_id, phones=[*fresh.phones(pair), phone(MOBILE, "Mobile")])
    twin = [phone(OTHER, "Office", primary=True)]
    firm.espocrm.create_person(lastName="Zwilling", betnr=pair.bet_nr, phones=twin)
    before = sorted(str(row.tlf) for row in firm.advoware.rows(pair.bet_nr))
    async with fresh.desk() as desk:
        found = await plans.plan(desk, (), no_step)
    assert await plans.apply(fresh.settings, found) == 3
    assert sorted(str(row.tlf) for row in firm.advoware.rows(pair.bet_nr)) == before


@pytest.mark.parametrize("what", ["person", "side"])
async def test_apply_keeps_a_pause(office: Office, what: str) -> None:
    """It must not say either that it has carried out what it has not."""
    pair = office.firm.pairs[0]
    office.firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
    async with office.desk() as desk:
        await pauses.pause(desk, None, pair.bet_nr if what == "person" else None, None)
        found = await plans.plan(desk, (pair.bet_nr,), no_step)
    assert found.writes()
    before = office.writes()
    with pytest.raises(NotPossible, match=r"nothing was written: .* is paused"):
        await plans.apply(office.settings, found)
    assert office.writes() == before


async def test_a_plan_for_some_and_for_nobody(office: Office, tmp_path: Path) -> None:
    pair = office.firm.pairs[2]
    async with office.desk() as desk:
        found = await plans.plan(desk, (pair.bet_nr,), no_step)
        assert [one.bet_nr for one in found.people] == [pair.bet_nr]
        with pytest.raises(NotPossible, match="no CBeteiligte has betNr 1"):
            await plans.plan(desk, (1, pair.bet_nr), no_step)
    for text in ("{}", "[]", '{"format": 0, "people": []}', "rubbish"):
        (tmp_path / "no.json").write_text(text)
        with pytest.raises(NotPossible, match="is no plan"):
            plans.load(tmp_path / "no.json")


async def test_a_plan_tells_who_cannot_be_read(office: Office) -> None:
    office.firm.advoware.manners.manager_offline = True
    async with office.desk() as desk:
        found = await plans.plan(desk, (office.firm.pairs[0].bet_nr,), no_step)
    assert (found.summary()["unreadable"], found.people[0].trouble) == (1, "side_down")


async def test_audit_counts_drift_and_writes_nothing(office: Office) -> None:
    async with office.desk() as desk:
        assert (await audits.audit(desk, no_step))["drift"] == 0
    pair, row, _ = office.number()
    office.firm.advoware.edit_row(row.id, tlf="0171 3920177")
    before = office.writes()
    async with office.desk() as desk:
        found = await audits.audit(desk, no_step)
    assert (found["drift"], found["drift_by_rule"], office.writes()) == (1, {"give_espocrm": 1}, before)
    assert next(one for one in found["entries"] if one["problem"] is None)["bet_nr"] == pair.bet_nr
    assert found["drift_by_kind"] == {"phone": 1}
    assert "drift: 1 entries of 4 Beteiligte (give_espocrm: 1, phone: 1)" in audits.as_text(found)
    office.firm.advoware.manners.manager_offline = True
    async with office.desk() as desk:
        found = await audits.audit(desk, no_step)
        assert (found["drift"], len(found["unreadable"])) == (0, 4)
        assert await desk.store.get_note(AUDIT_NOTE) == "1"  # who cannot be read is not in order


async def test_an_interrupted_audit_goes_on_where_it_was(office: Office, tmp_path: Path) -> None:
    out = tmp_path / "audit.json"

    class Interrupted(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise Interrupted

    one_by_one = office.settings.advoware.model_copy(update={"max_connections": 1})
    slow = office.settings.model_copy(update={"advoware": one_by_one})
    async with open_desk(slow) as desk:
        with pytest.raises(NotPossible, match=r"no audit was interrupted.*kommsync audit --out FILE"):
            await audits.audit(desk, no_step, out=out, resume=True)
        with pytest.raises(ExceptionGroup):
            await audits.audit(desk, stop, out=out)
    part = tmp_path / "audit.json.part"
    assert not out.exists()
    assert part.stat().st_mode & 0o077 == 0
    with part.open("a") as file:
        file.write('{"cut o')
    asked, steps = office.firm.advoware.counts.total(), []
    async with open_desk(slow) as desk:
        found = await audits.audit(desk, lambda *told: steps.append(told), out=out, resume=True)
    assert steps == [(3, 4), (4, 4)]
    assert office.firm.advoware.counts.total() - asked <= 4  # two people and the sign-in
    assert (found["people"], found["drift"], part.exists()) == (4, 0, False)
    assert json.loads(out.read_text()) == found
    part.write_text('{"format": 0}\n')
    async with open_desk(slow) as desk:
        with pytest.raises(NotPossible, match="is not from this kommsync"):
            await audits.audit(desk, no_step, out=out, resume=True)


async def test_a_sample_is_an_audit_of_so_many(office: Office) -> None:
    async with office.desk() as desk:
        assert (await audits.audit(desk, no_step, sample=3))["people"] == 3
        assert (await audits.audit(desk, no_step, sample=99))["people"] == 4


async def test_every_kind_of_write_can_be_shown(office: Office) -> None:
    """A new item is a POST or a slot, one that is deleted in Advoware is taken out of the array."""
    (pair, row, value), (other, _, _) = office.number(0), office.number(-1)
    office.firm.advoware.delete_row(row.id)
    items = office.phones(other)
    office.firm.espocrm.edit_person(
        other.espocrm_id, phones=[*items, {**items[0], "phoneNumber": "+4917139201", "primary": False}]
    )
    shown = []
    async with office.desk() as desk:
        seer = await foresight.open_seer(desk)
        for one in (pair, other):
            person = (await desk.store.by_bet_nr(one.bet_nr))[0]
            found = await seer.foresee(person)
            shown += [(w["side"], w["operation"], w["variant"]) for w in foresight.writes(found)]
            shown += [
                ("entry", e["rule"], e["problem"])
                for e in foresight.entries(found)
                if e["espocrm_value"] == value
            ]
    assert ("entry", "pending", "pending") in shown
    assert any(side == "advoware" and variant == "var1" for side, _, variant in shown)


# --- undo -----------------------------------------------------------------------------------------------------------


async def _write_of(office: Office, bet_nr: int, variant: str) -> int:
    async with office.desk() as desk:
        rows = await desk.store.history(bet_nr)
    return next(row["id"] for row in reversed(rows) if row["what"] == "write" and row["variant"] == variant)


async def test_an_edit_is_undone_on_both_sides(office: Office) -> None:
    pair, row, value = office.number()
    office.edit(pair, value, "+491713920188")
    await office.round()
    write = await _write_of(office, pair.bet_nr, "var5")
    async with office.desk() as desk:
        assert "put back in advoware" in await undo.undo(desk, pair.bet_nr, write)
    assert (await office.round()).code == 0
    assert office.firm.advoware.row(row.id).tlf == row.tlf
    assert value in office.values(pair)
    async with office.desk() as desk:
        with pytest.raises(NotPossible, match="shows something else now"):
            await undo.undo(desk, pair.bet_nr, write)


async def test_an_emptied_entry_is_created_anew(office: Office) -> None:
    pair, row, value = office.number()
    office.edit(pair, value, None)
    await office.round()
    assert office.firm.advoware.row(row.id).tlf == ""
    async with office.desk() as desk:
        assert "created anew" in await undo.undo(
            desk, pair.bet_nr, await _write_of(office, pair.bet_nr, "var2")
        )
    assert (await office.round()).code == 0
    assert value in office.values(pair)
    assert (await office.agreement()).holds


async def test_a_created_entry_is_taken_away(office: Office) -> None:
    pair = office.firm.pairs[0]
    office.firm.advoware.add_row(pair.bet_nr, 3, "0171 3920199")
    await office.round()
    assert "+491713920199" in office.values(pair)
    async with office.desk() as desk:
        assert "taken away in espocrm" in await undo.undo(
            desk, pair.bet_nr, await _write_of(office, pair.bet_nr, "var4")
        )
    assert (await office.round()).code == 0
    assert "+491713920199" not in office.values(pair)
    assert (await office.agreement()).holds


async def test_what_changed_no_value_cannot_be_undone(office: Office) -> None:
    pair = office.firm.pairs[0]
    office.firm.advoware.add_row(pair.bet_nr, 3, "0171 3920199")
    await office.round()
    marker = await _write_of(office, pair.bet_nr, "marker")
    async with office.desk() as desk:
        with pytest.raises(NotPossible, match="changed no value"):
            await undo.undo(desk, pair.bet_nr, marker)
        with pytest.raises(NotPossible, match=f"has no write {marker}.*kommsync history 1"):
            await undo.undo(desk, 1, marker)


# --- the process ----------------------------------------------------------------------------------------------------


def test_the_address_counts_only_while_a_daemon_runs(tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite3"
    assert address.publish(store, "0.0.0.0", 81) == "http://127.0.0.1:81/"
    assert address.publish(store, "::1", 80) == "http://[::1]:80/"
    assert address.find(store) is None
    address.refuse_second(store)
    owner = Ownership(store)
    owner.take()
    try:
        assert address.find(store) == "http://[::1]:80/"
        with pytest.raises(StoreInUse, match=r"process .*stop it first"):
            address.refuse_second(store)
        address.file_of(store).unlink()
        assert address.find(store) is None
    finally:
        owner.release()
    assert address.publish(tmp_path / "no" / "s.sqlite3", "::", 80) == "http://[::1]:80/"


async def test_a_store_that_cannot_be_opened_is_told(fresh: Office, tmp_path: Path) -> None:
    lost = fresh.settings.store.model_copy(update={"path": tmp_path / "no" / "s.sqlite3"})
    with pytest.raises(StoreTrouble, match=r"store.path"):
        async with open_desk(fresh.settings.model_copy(update={"store": lost})):
            pytest.fail("opened")
