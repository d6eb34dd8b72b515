"""Whole syncs on the simulators in which one answer is torn, truncated or older than it should be, often beside a
request that was not answered: what one look shows, or does not show, proves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.ports import Answer, Request
from daemon.simulators.espocrm import mail, phone
from daemon.transport import Lost, WireError
from statemachine.case import Wish
from statemachine.model import Kind, Side
from tests.daemon.house import MOBILE, OFFICE, OTHER, emptied_and_decided, house, short_list
from tests.daemon.wires import Fault, Once, WorldWire, is_record, json_answer, refusing, truncated, without


def read_after_a_write(
    wire: WorldWire, shows: Callable[[Request], Answer], put: Fault = lambda _: None
) -> list[str]:
    """EspoCRM's first answer after a PUT that was not refused; ``put``: what comes of PUTs. Ends with "read" when it
    has been given."""
    seen = [""]

    def fault(asked: Request) -> Answer | WireError | None:
        if asked.method == "PUT":
            came = put(asked)
            if not isinstance(came, Answer) and seen == [""]:
                seen.append("written")
            return came
        if is_record(asked) and seen[-1] == "written":
            seen.append("read")
            return shows(asked)
        return None

    wire.fault = fault
    return seen


# --- a decision about an emptied side stands until all of it is done ------------------------------------------------


@pytest.mark.parametrize("which", [1, 2])
async def test_an_unanswered_request_does_not_end_a_decision_that_is_half_done(
    tmp_path: Path, which: int
) -> None:
    """§9: what the operator kept was deleted as well, as the decision was over before all was written back."""
    async with house(tmp_path, 0) as firm:
        pair = await emptied_and_decided(firm, Side.ADVOWARE)
        posts: list[Request] = []

        def fault(asked: Request) -> Answer | WireError | None:
            if asked.method == "POST" and "Kommunikationen" in asked.url:
                posts.append(asked)
                return Lost("broken off") if len(posts) == which else None
            return None

        firm.wires[Side.ADVOWARE].fault = fault
        await firm.settle()
        await firm.look()
        assert (firm.mails(pair), firm.phones(pair)) == (["alt@example.de"], [("Office", OFFICE)])
        assert len(firm.rows(pair)) == 2


@pytest.mark.parametrize("side", list(Side))
async def test_a_refused_value_is_kept_and_what_is_deleted_meanwhile_is_not(
    tmp_path: Path, side: Side
) -> None:
    """§9: the number came back and is deleted on purpose now; the decision was about what was missing then."""
    async with house(tmp_path, 0) as firm:
        pair = await emptied_and_decided(firm, side, OTHER)
        wire = firm.wires[side]

        def fault(asked: Request) -> Answer | WireError | None:
            refused = asked.method in ("POST", "PUT") and "alt@" in str(asked.json)
            return refusing("emailAddressData") if refused else None

        wire.fault = fault
        await firm.settle()
        firm.clock.time += 3600
        await firm.app.outside.store.ask([pair.espocrm_id], "test")
        await firm.look()
        kept = firm.mails(pair) if side is Side.ADVOWARE else [tlf for _, tlf in firm.rows(pair)]
        assert "alt@example.de" in kept
        if side is Side.ADVOWARE:
            firm.advoware.delete_row(firm.row(pair, OFFICE).id)
        else:
            firm.espo.edit_person(pair.espocrm_id, phones=[phone(OTHER, "Office", primary=True)])
        await firm.look()
        await firm.look()
        assert firm.phones(pair) == [("Office", OTHER)]
        wire.fault = lambda _: None
        firm.clock.time += 90000
        await firm.app.outside.store.ask([pair.espocrm_id], "test")
        await firm.look()
        assert firm.mails(pair) == ["alt@example.de"]
        assert (4, "alt@example.de") in firm.rows(pair)
        assert [tlf for komm_kz, tlf in firm.rows(pair) if komm_kz == 1] == [OTHER]
        assert await firm.state(pair) == ("clean", "")


# --- the read after a write in EspoCRM ------------------------------------------------------------------------------


async def test_an_older_answer_does_not_say_that_a_write_was_ignored(tmp_path: Path) -> None:
    """§8: what is not there after a write has not been taken; if somebody then takes the value away before the next
    look, it would be given again as if it had never come."""
    async with house(tmp_path, 0, SYNC__STALE_FORM_SECONDS="0") as firm:
        pair = await firm.synced()
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        wire = firm.wires[Side.ESPOCRM]
        before = await firm.app.outside.espocrm.get(pair.espocrm_id)
        shown = json.loads(wire.pass_on(wire.sent[-1]).body)
        seen = read_after_a_write(wire, lambda _: json_answer(shown))
        await firm.sweep()
        firm.clock.time += 10
        await firm._work()
        assert seen[-1] == "read"
        assert MOBILE not in [item.value for item in before.phones]
        assert MOBILE in [value for _, value in firm.phones(pair)]
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OFFICE, "Office", primary=True)])
        await firm.look()
        assert firm.phones(pair) == [("Office", OFFICE)]
        assert [tlf for _, tlf in firm.rows(pair)] == ["030/23125-001", "alt@example.de"]


async def test_half_an_array_does_not_prove_a_removal_that_was_not_answered(tmp_path: Path) -> None:
    """§8: the PUT never came, and the read after it was truncated. Taken for proof, the item would be a new one in the
    next look, and the deleted number would be back in Advoware."""
    async with house(tmp_path, 0, SYNC__STALE_FORM_SECONDS="0") as firm:
        numbers = [phone(OFFICE, "Office"), phone(MOBILE, "Mobile")]
        pair = firm.new([(1, "030/23125-001"), (3, MOBILE)], numbers)
        await firm.look()
        firm.advoware.delete_row(firm.row(pair, MOBILE).id)
        wire, lost = firm.wires[Side.ESPOCRM], [Lost("broken off")]
        seen = read_after_a_write(
            wire, lambda r: without(wire, r, "phoneNumber", MOBILE), lambda _: lost.pop() if lost else None
        )
        await firm.look()
        assert seen[-1] == "read"
        assert (firm.rows(pair), firm.phones(pair)) == ([(1, "030/23125-001")], [("Office", OFFICE)])


@pytest.mark.parametrize(
    ("kind", "only_here", "second"),
    [
        ("phoneNumber", "+49302312599", (3, MOBILE)),
        ("emailAddress", "nur-hier@example.de", (4, "neu@example.de")),
    ],
)
async def test_half_an_array_is_not_written_back_between_changes_that_are_sent_one_by_one(
    tmp_path: Path, kind: str, only_here: str, second: tuple[int, str]
) -> None:
    """§8: EspoCRM refuses one of several; the read after the first, sent alone, hides what only EspoCRM has, in the
    array that was sent or in the other one."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        refused, wire = "+491713929999", firm.wires[Side.ESPOCRM]
        firm.wires[Side.ADVOWARE].fault = lambda r: json_answer({}, 400) if only_here in str(r.json) else None
        numbers, mails = [phone(OFFICE, "Office", primary=True)], [mail("alt@example.de", primary=True)]
        if kind == "phoneNumber":
            numbers.append(phone(only_here, "Home"))
        else:
            mails.append(mail(only_here))
        firm.espo.edit_person(pair.espocrm_id, phones=numbers, mails=mails)
        await firm.look()
        for komm_kz, tlf in ((1, OTHER), second, (3, refused)):
            firm.advoware.add_row(pair.bet_nr, komm_kz, tlf)
        seen = read_after_a_write(
            wire,
            lambda r: without(wire, r, kind, only_here),
            lambda r: refusing("phoneNumberData") if refused in str(r.json) else None,
        )
        await firm.look()
        assert seen[-1] == "read"
        shown = {value for _, value in firm.phones(pair)} | set(firm.mails(pair))
        assert {only_here, OTHER, second[1]} <= shown


async def test_one_of_two_that_is_not_shown_at_once_was_written_all_the_same(tmp_path: Path) -> None:
    """§8: otherwise the user's edit of it would look as if it had never come, and it would be added once more."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        firm.advoware.add_row(pair.bet_nr, 3, MOBILE)
        firm.advoware.add_row(pair.bet_nr, 4, "neu@example.de")
        wire = firm.wires[Side.ESPOCRM]
        seen = read_after_a_write(wire, lambda r: without(wire, r, "phoneNumber", MOBILE))
        await firm.sweep()
        firm.clock.time += 10
        await firm._work()
        assert seen[-1] == "read"
        mobile = phone("+491713920077", "Mobile")
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OFFICE, "Office", primary=True), mobile])
        await firm.look()
        assert [value for _, value in firm.phones(pair)] == ["+491713920077", OFFICE]


async def test_a_primary_that_moves_is_seen_though_no_address_was_primary_for_a_moment(
    tmp_path: Path,
) -> None:
    """§5: EspoCRM clears the old one and sets the new one in two statements."""
    async with house(tmp_path, 0) as firm:
        a, b = mail("a@example.de", primary=True), mail("b@example.de")
        pair = firm.new([(4, "a@example.de"), (4, "b@example.de")], [], [a, b])
        firm.advoware.edit_row(firm.row(pair, "a@example.de").id, online=True)
        firm.advoware.edit_row(firm.row(pair, "b@example.de").id, online=False)
        await firm.look()
        moved = [mail("a@example.de"), mail("b@example.de", primary=True)]
        firm.espo.edit_person(pair.espocrm_id, mails=moved)
        wire, torn = firm.wires[Side.ESPOCRM], [None]

        def fault(asked: Request) -> Answer | WireError | None:
            if not is_record(asked) or not torn:
                return None
            torn.pop()
            shown = json.loads(wire.pass_on(asked).body)
            none = [{**one, "primary": False} for one in shown["emailAddressData"]]
            return json_answer({**shown, "emailAddress": None, "emailAddressData": none})

        wire.fault = fault
        await firm.look()
        await firm.look()
        assert [row.tlf for row in firm.advoware.rows(pair.bet_nr) if row.online] == ["b@example.de"]


# --- Advoware -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [False, True])
async def test_what_is_typed_into_a_row_that_was_emptied_late_is_new(tmp_path: Path, late: bool) -> None:
    """§8: the request to empty it was not answered, and the read after it showed the old value still."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        row = firm.row(pair, "alt@example.de")
        firm.espo.edit_person(pair.espocrm_id, mails=[])
        await firm.poll()
        await firm._work()
        wire = firm.wires[Side.ADVOWARE]
        held: list[Request] = []

        def fault(asked: Request) -> Answer | WireError | None:
            if asked.method != "PUT" or held:
                return None
            held.append(asked)
            if not late:
                wire.pass_on(asked)
            return Lost("no answer")

        wire.fault = fault
        firm.clock.time += 120
        await firm._work()
        if late:
            wire.pass_on(held[0])
        assert firm.advoware.row(row.id).tlf == ""
        firm.advoware.edit_row(row.id, tlf="neu@example.de")
        await firm.look()
        assert firm.mails(pair) == ["neu@example.de"]


@pytest.mark.parametrize("older", [False, True])
async def test_an_older_answer_does_not_say_that_an_unanswered_write_never_came(
    tmp_path: Path, older: bool
) -> None:
    """§8: what staff type into the row afterwards is an edit of what we wrote, not of what was there before."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        row, wire = firm.row(pair, "030/23125-001"), firm.wires[Side.ADVOWARE]
        firm.espo.edit_person(pair.espocrm_id, phones=[phone(OTHER, "Office", primary=True)])
        state: dict[str, Any] = {"before": b"", "lost": False, "old": older}

        def fault(asked: Request) -> Answer | WireError | None:
            if asked.method == "GET" and asked.url.endswith(f"/{pair.bet_nr}"):
                if state["lost"] and state["old"]:
                    state["old"] = False
                    return json_answer(json.loads(state["before"]))
                state["before"] = wire.pass_on(asked).body
            if asked.method == "PUT" and not state["lost"]:
                state["lost"] = True
                wire.pass_on(asked)
                return Lost("no answer")
            return None

        wire.fault = fault
        await firm.poll()
        await firm._work()
        assert firm.advoware.row(row.id).tlf == OTHER
        firm.advoware.edit_row(row.id, tlf="030/23125-009")
        await firm.look()
        assert firm.phones(pair) == [("Office", "+493023125009")]


async def test_an_item_that_came_late_has_its_row_though_a_list_hides_it(tmp_path: Path) -> None:
    """§5: nothing is written twice. The item that we gave EspoCRM without an answer is no new one."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        firm.advoware.add_row(pair.bet_nr, 3, "0171 3920001")
        espocrm = firm.wires[Side.ESPOCRM]
        held: list[Request] = []

        def lost(asked: Request) -> Answer | WireError | None:
            if asked.method != "PUT":
                return None
            held.append(asked)
            return Lost("no answer")

        espocrm.fault = Once(lost)
        await firm.sweep()
        firm.clock.time += 10
        await firm._work()
        espocrm.pass_on(held[0])
        firm.wires[Side.ADVOWARE].fault = once = Once(short_list(firm, pair, "0171 3920001"))
        firm.clock.time += 70
        await firm._work()
        assert once.given
        await firm.look()
        assert len(firm.rows(pair)) == 3


# --- undo -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", list(Side))
async def test_one_short_list_refuses_no_undo(tmp_path: Path, side: Side) -> None:
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        store = firm.app.outside.store
        case = await store.case(pair.espocrm_id, pair.bet_nr, 0.0)
        link = next(one for one in case.base.links if one.kind is Kind.EMAIL)
        wish = Wish(0, side, Kind.EMAIL, link.key, "war@example.de", expected="alt@example.de")
        await store.add_wish(pair.espocrm_id, wish, by="test")
        wire, once = firm.wires[side], [None]

        def fault(asked: Request) -> Answer | WireError | None:
            if asked.method != "GET" or not once:
                return None
            if side is Side.ADVOWARE and asked.url.endswith(f"/{pair.bet_nr}"):
                once.pop()
                return truncated(wire, asked, "alt@example.de")
            if side is Side.ESPOCRM and is_record(asked):
                once.pop()
                return without(wire, asked, "emailAddress", "alt@example.de")
            return None

        wire.fault = fault
        await firm._work()
        assert not once
        await firm.look()
        assert firm.mails(pair) == ["war@example.de"]


# --- a look counts whatever becomes of the other side ---------------------------------------------------------------


async def test_a_whole_look_counts_though_the_other_side_did_not_answer(tmp_path: Path) -> None:
    """§1, §9: two short lists with a whole one between them are no second look."""
    async with house(tmp_path, 0) as firm:
        pair = await firm.synced()
        wire, short = firm.wires[Side.ADVOWARE], short_list(firm, pair, "alt@example.de")
        wire.fault = short
        await firm.sweep()
        await firm._work()
        firm.clock.time += 70
        wire.fault = lambda _: None
        firm.wires[Side.ESPOCRM].fault = lambda r: json_answer({"x": 1}) if is_record(r) else None
        await firm._work()
        firm.wires[Side.ESPOCRM].fault = lambda _: None
        wire.fault = short
        firm.clock.time += 400
        await firm._work()
        assert firm.mails(pair) == ["alt@example.de"]
