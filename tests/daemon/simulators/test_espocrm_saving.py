"""Saves that are no transactions: torn reads, mixtures, late visibility, twin rows (facts: EspoCRM §1.2, §10)."""

from __future__ import annotations

import pytest

from daemon.simulators.espocrm import MAIL, PHONE, EspoWorld, mail, phone
from daemon.simulators.espocrm_fields import PERSON, stamp
from tests.daemon.simulators.worlds import Call, Clock

OLD = [phone(f"+49511777{place:02d}", "Office", primary=place == 0) for place in range(4)]
NEW = [phone(f"+49511888{place:02d}", "Office", primary=place == 0) for place in range(4)]


def _numbers(call: Call, record_id: str) -> tuple[str | None, list[str], str]:
    body = call("GET", f"CBeteiligte/{record_id}").json()
    return body["phoneNumber"], [item["phoneNumber"] for item in body["phoneNumberData"]], body["modifiedAt"]


@pytest.fixture
def record_id(espo: EspoWorld) -> str:
    return espo.create_person(lastName="Torn", phones=OLD)


def test_readers_see_the_stages_in_order(espo: EspoWorld, call: Call, clock: Clock, record_id: str) -> None:
    before = _numbers(call, record_id)[2]
    clock.tick(5)
    espo.saving.save_seconds = 14.0  # 1 update, 4 deletes, 4 x (row, link), 2 for the primary: one a second
    answer = call("PUT", f"CBeteiligte/{record_id}", {"phoneNumberData": NEW})
    assert answer.status == 200
    assert answer.seconds == 14.0
    seen = []
    for _second in range(15):
        seen.append(_numbers(call, record_id))
        clock.tick()
    assert all(stamps == stamp(clock.now - 15) != before for _scalar, _values, stamps in seen)
    assert [len(values) for _s, values, _t in seen] == [4, 3, 2, 1, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4]
    assert [scalar is None for scalar, _v, _t in seen] == [False] + [True] * 5 + [False] * 7 + [True, False]
    assert seen[-1][0] == "+4951188800"
    assert not espo.database.busy()


def test_a_hook_makes_the_save_visible_late_with_an_old_stamp(
    espo: EspoWorld, call: Call, clock: Clock, record_id: str
) -> None:
    clock.tick(10)
    espo.saving.hook_seconds = 4.0
    start = stamp(clock.now)
    assert call("PUT", f"CBeteiligte/{record_id}", {"description": "slow"}).seconds == 4.0
    clock.tick(3.9)
    assert espo.person(record_id)["description"] is None
    clock.tick(0.1)
    assert (espo.person(record_id)["description"], espo.person(record_id)["modifiedAt"]) == ("slow", start)


@pytest.mark.parametrize("merge", [True, False])
def test_two_puts_at_once_mix_unless_told_not_to(
    espo: EspoWorld, call: Call, clock: Clock, record_id: str, merge: bool
) -> None:
    espo.saving.save_seconds, espo.saving.merge = 2.0, merge
    others = [phone("+4951199901", "Fax", primary=True)]
    call("PUT", f"CBeteiligte/{record_id}", {"phoneNumberData": NEW})
    call("PUT", f"CBeteiligte/{record_id}", {"phoneNumberData": others})
    clock.tick(10)
    values = set(_numbers(call, record_id)[1])
    assert values == ({n["phoneNumber"] for n in NEW} if merge else set()) | {"+4951199901"}


def test_two_records_with_one_new_value_make_twin_rows(espo: EspoWorld, call: Call, clock: Clock) -> None:
    first, second = (espo.create_person(lastName=name) for name in ("One", "Two"))
    espo.saving.save_seconds = 1.0
    for record_id in (first, second):
        call(
            "PUT",
            f"CBeteiligte/{record_id}",
            {"phoneNumberData": [phone("+4951112345", "Fax", primary=True)]},
        )
    clock.tick(5)
    espo.saving.save_seconds = 0.0
    call("PUT", f"CBeteiligte/{first}", {"phoneNumber": None, "phoneNumberData": []})
    call("PUT", f"CBeteiligte/{second}", {"phoneNumber": None, "phoneNumberData": []})
    assert espo.person(first)["phoneNumberData"] == []
    assert [item["phoneNumber"] for item in espo.person(second)["phoneNumberData"]] == ["+4951112345"]


@pytest.mark.parametrize("family", [PHONE, MAIL])
def test_a_twin_cannot_be_cleaned(espo: EspoWorld, call: Call, family: object) -> None:
    value = "+4951112345" if family is PHONE else "twin@ex.de"
    record_id = espo.create_person(lastName="Twin")
    chosen = PHONE if family is PHONE else MAIL
    espo.make_twin(record_id, chosen, value)
    item = phone(value, "Office", primary=True) if chosen is PHONE else mail(value, primary=True, optOut=True)
    call("PUT", f"CBeteiligte/{record_id}", {chosen.scalar: None, chosen.data: []})
    assert [one[chosen.scalar] for one in espo.person(record_id)[chosen.data]] == [value]
    other = {**item, chosen.scalar: "+4951154321" if chosen is PHONE else "other@ex.de"}
    call("PUT", f"CBeteiligte/{record_id}", {chosen.data: [other]})
    assert len(espo.person(record_id)[chosen.data]) == 2
    call("PUT", f"CBeteiligte/{record_id}", {chosen.data: [item]})
    after = espo.person(record_id)
    assert (after[chosen.scalar], len(after[chosen.data])) == (None, 1)


def test_finish_runs_everything_at_once(espo: EspoWorld, call: Call, record_id: str) -> None:
    espo.saving.save_seconds = 100.0
    call("PUT", f"CBeteiligte/{record_id}", {"phoneNumberData": []})
    assert espo.database.busy()
    assert not espo.database.busy((PERSON, "other"))
    espo.database.finish()
    assert espo.person(record_id)["phoneNumberData"] == []


def test_thousands_made_in_one_instant_have_ids_of_their_own(espo: EspoWorld) -> None:
    ids = [espo.database.new_id() for _ in range(70_000)]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {17}


def test_items_may_come_in_another_order_that_is_no_change(espo: EspoWorld, call: Call, clock: Clock) -> None:
    items = [phone(f"+49511777{place:02d}", "Office", primary=place == 5) for place in range(10)]
    record_id = espo.create_person(lastName="Order", phones=items)
    plain = _numbers(call, record_id)
    espo.database.values(PHONE).scrambled = True
    scrambled = _numbers(call, record_id)
    assert (scrambled[0], sorted(scrambled[1])) == (plain[0], sorted(plain[1]))
    assert scrambled[1] != plain[1]
    assert scrambled[1][0] == plain[1][0] == "+4951177705"
    clock.tick(5)
    call("PUT", f"CBeteiligte/{record_id}", {"phoneNumberData": espo.person(record_id)["phoneNumberData"]})
    assert _numbers(call, record_id) == scrambled
