"""What was seen, and when it has settled (sync rules §1, §8, §10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from statemachine import looks
from statemachine.case import Case, Pending, Variant, Write
from statemachine.model import Item, Kind, Side
from tests.statemachine.world import World, agreed


def world() -> World:
    made = agreed("0511/1234560", "max@example.de")
    made.fields = {"syncStatus": "clean", "advowareLastSync": None}
    return made


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda w: w.email("neu@example.de"), "emails"),
        (lambda w: w.edit_item("+495111234560", opt_out=True), "phones"),
        (lambda w: w.edit_item("+495111234560", type="Fax"), "phones"),
        (lambda w: w.fields.update(syncStatus="dirty"), "rest"),
        (lambda w: w.fields.update(syncStatus="pending_sync"), "rest"),
        (lambda w: setattr(w, "bet_nr", 5), "rest"),
        (lambda w: w.fields.update(syncStatus="failed", advowareLastSync="x"), None),
        (lambda w: setattr(w, "stamp", 99), None),
    ],
)
def test_a_change_in_espocrm_is_a_change_of_content(
    change: Callable[[World], object], part: str | None
) -> None:
    """§1: both arrays, betnr, a user's request; never a stamp and never our own status (#21, #6)."""
    w = world()
    before = looks.look_espocrm(w.espocrm(), None)
    change(w)
    after = looks.look_espocrm(w.espocrm(), before)
    assert looks.changed(before, after) is (part is not None)
    moved = {p.name for p, q in zip(after.parts, before.parts, strict=True) if p.fingerprint != q.fingerprint}
    assert moved == ({part} if part else set())


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda w: w.edit_row(101, tlf="0511/1234561"), True),
        (lambda w: w.edit_row(101), True),  # the rowId moves with every PUT (#14)
        (lambda w: w.row("neu@example.de", 4), True),
        (lambda w: setattr(w, "convenience", ((1, "x"),)), False),
        (lambda w: setattr(w, "shown_kz", True), False),
    ],
)
def test_a_change_in_advoware(change: Callable[[World], object], seen: bool) -> None:
    """§1: id, rowId, tlf, bemerkung, online of each row."""
    w = world()
    before = looks.look_advoware(w.advoware(), None)
    change(w)
    assert looks.changed(before, looks.look_advoware(w.advoware(), before)) is seen


def test_the_first_look_is_a_change() -> None:
    assert looks.changed(None, looks.look_espocrm(world().espocrm(), None))


def test_the_order_of_items_says_nothing() -> None:
    """Espocrm facts §2."""
    w = world()
    w.phones.append(Item(Kind.PHONE, "+495111234561", "Fax"))
    before = looks.look_espocrm(w.espocrm(), None)
    w.phones.reverse()
    assert not looks.changed(before, looks.look_espocrm(w.espocrm(), before))


def test_settled_is_two_looks_far_enough_apart() -> None:
    """§8: from the answer of the first to the asking of the second, unbroken."""
    w = world()
    first = looks.look_espocrm(replace(w.espocrm(), asked_at=90.0, answered_at=100.0), None)
    assert not looks.settled(first, looks.PHONES, 3)
    assert looks.settles_at(first, looks.PHONES, 3) == 103
    for asked, is_settled in ((102.9, False), (103.0, True)):
        second = looks.look_espocrm(replace(w.espocrm(), asked_at=asked, answered_at=110.0), first)
        assert looks.settled(second, looks.PHONES, 3) is is_settled
    w.phones[0] = replace(
        w.phones[0], opt_out=True
    )  # in another record that shares it: nobody saved this one
    broken = looks.look_espocrm(replace(w.espocrm(), asked_at=200.0, answered_at=201.0), first)
    assert not looks.settled(broken, looks.PHONES, 3)
    assert looks.settled(broken, looks.EMAILS, 3), "each part for itself"
    assert looks.settles_at(broken, looks.PHONES, 3) == 204


def test_half_an_array_twice_is_not_settled_when_somebody_saved_in_between() -> None:
    """§8: the same content *and* the same modifiedAt. A first answer that lacked an entry and a second one from the
    middle of a save that replaces it show the same, and the save was written over."""
    w = world()
    before = looks.look_espocrm(replace(w.espocrm(), answered_at=10.0), None)
    w.stamp += 1
    during = looks.look_espocrm(replace(w.espocrm(), asked_at=20.0, answered_at=20.1), before)
    assert not looks.settled(during, "emails", 2)
    later = looks.look_espocrm(replace(w.espocrm(), asked_at=22.2, answered_at=22.3), during)
    assert looks.settled(later, "emails", 2)


def test_a_look_remembers_stamp_version_and_time() -> None:
    w = world()
    seen = looks.look_espocrm(replace(w.espocrm(), version_number=7, server_time=5.0, asked_at=3.0), None)
    assert (seen.at, seen.stamp, seen.version, seen.server_time) == (3.0, f"t{w.stamp}", 7, 5.0)


def test_the_same_entries_whatever_the_sync_fields_say() -> None:
    w = world()
    before = w.espocrm()
    w.fields["syncStatus"] = "failed"
    w.stamp += 1
    assert looks.same_entries(before, w.espocrm())
    w.email("neu@example.de")
    assert not looks.same_entries(before, w.espocrm())


def test_nobody_waits_for_a_clock_that_was_set_back() -> None:
    """§8, §9: a first look from the future is none; waiting until it has come would be a silent halt."""
    world = agreed("0511/1234560", "0511/1234561")
    world.wait(86_400)
    world.remove_item("+495111234560")
    world.run()
    world.wait(-86_400)
    world.row("0511/1234562")
    for _ in range(15):
        world.run()
        world.wait(10)
    assert world.item_values() == ["+495111234561", "+495111234562"]
    assert world.values(Side.ADVOWARE) == world.values(Side.ESPOCRM)


def test_what_was_seen_before_our_clock_was_set_counts_for_nothing() -> None:
    """Nobody can say how long ago that was; what began to be seen since then stays."""
    w = world()
    seen = looks.look_espocrm(w.espocrm(), None)
    at = seen.parts[0].since
    case = Case(
        seen_espocrm=seen,
        pending=(Pending("L1", Side.ESPOCRM, at - 1), Pending("L2", Side.ADVOWARE, at)),
    )
    assert looks.on_our_clock(case, at, at) == replace(case, pending=case.pending[1:])
    after = looks.on_our_clock(case, at + 1, at + 1)
    assert after.pending == ()
    assert after.seen_advoware is None
    again = replace(w.espocrm(), asked_at=at + 1000, answered_at=at + 1000)
    assert not looks.settled(looks.look_espocrm(again, after.seen_espocrm), looks.EMAILS, 2.0)
    assert looks.settled(looks.look_espocrm(again, case.seen_espocrm), looks.EMAILS, 2.0)


def test_a_write_from_the_future_was_long_ago() -> None:
    write = Write(1, "c", 1000.0, Side.ADVOWARE, "put", Variant.VAR3, Kind.PHONE, "L1", 101, None, None)
    case = Case(writes=(write, replace(write, id=2, at=2000.0)))
    assert [one.at for one in looks.on_our_clock(case, 0.0, 1000.0).writes] == [1000.0, 0.0]


@pytest.mark.parametrize(
    ("change", "doubtful"),
    [
        (lambda w: w.phones.clear(), True),
        (lambda w: w.emails.clear(), True),
        (lambda w: w.fields.update(syncStatus="dirty"), False),
        (lambda w: (w.phones.clear(), setattr(w, "stamp", 99)), False),
        (lambda w: None, False),
    ],
)
def test_an_array_that_changed_under_the_same_stamp_is_doubtful(
    change: Callable[[World], object], doubtful: bool
) -> None:
    """§8: no list will ever name that record because of it."""
    w = world()
    before = looks.look_espocrm(w.espocrm(), None)
    change(w)
    after = looks.look_espocrm(w.espocrm(), before)
    assert looks.unannounced(before, after) is doubtful
    assert not looks.unannounced(None, after)
    assert not looks.unannounced(replace(before, parts=()), after), "seen on another clock: not seen"
