"""The case file of one person: read in one piece before a sync, left behind in one piece after it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from daemon.ports import Finish, GuardLimits, Person
from daemon.store import conflicts, fuses, journal, links, looks, notes, notices, people, wishes
from daemon.store.turn import Turn, body
from statemachine.case import Case, Outcome, Parked, Pending, Unsyncable
from statemachine.decide import POLICY
from statemachine.model import Base, Side
from statemachine.states import State

_PARKED = msgspec.json.Decoder(Parked)
_UNSYNCABLE = msgspec.json.Decoder(Unsyncable)


def read(turn: Turn, espocrm_id: str, bet_nr: int, recent_seconds: float) -> Case:
    """Everything remembered of the pair; an empty case where nothing is."""
    person = turn.row("SELECT previous_bet_nr, visible_status FROM persons WHERE espocrm_id = ?", espocrm_id)
    previous, visible_status = person or (None, None)
    return Case(
        base=links.read(turn, espocrm_id, bet_nr) or Base(),
        seen_espocrm=looks.read(turn, espocrm_id, Side.ESPOCRM),
        seen_advoware=looks.read(turn, espocrm_id, Side.ADVOWARE),
        pending=pending(turn, espocrm_id),
        conflicts=conflicts.open_of(turn, espocrm_id),
        decisions=conflicts.waiting_of(turn, espocrm_id),
        writes=journal.of_pair(turn, espocrm_id, bet_nr, turn.now - recent_seconds),
        vanished=fuses.of_person(turn, espocrm_id, bet_nr),
        fuse=fuses.states(turn),
        parked=tuple(_PARKED.decode(text) for text in _findings(turn, espocrm_id, "parked")),
        unsyncable=tuple(_UNSYNCABLE.decode(text) for text in _findings(turn, espocrm_id, "unsyncable")),
        wishes=wishes.of_person(turn, espocrm_id),
        limits=notes.limits(turn),
        previous=None if previous is None else links.read(turn, espocrm_id, previous),
        visible_status=visible_status,
    )


def pending(turn: Turn, espocrm_id: str) -> tuple[Pending, ...]:
    rows = turn.rows("SELECT link_key, side, since FROM pending WHERE espocrm_id = ?", espocrm_id)
    return tuple(Pending(row[0], Side(row[1]), row[2]) for row in rows)


def _findings(turn: Turn, espocrm_id: str, what: str) -> list[str]:
    rows = turn.rows(
        "SELECT body FROM findings WHERE espocrm_id = ? AND what = ? ORDER BY place", espocrm_id, what
    )
    return [row[0] for row in rows]


def finish(
    turn: Turn, espocrm_id: str, bet_nr: int, left: Finish, run: str, guard: GuardLimits
) -> Person | None:
    """What really happened is kept whatever became of the person meanwhile: the base is the pair's. The rest is left
    out if the record belongs to another Beteiligte by now."""
    links.write(turn, espocrm_id, bet_nr, left.base)
    journal.record(turn, left.came, Outcome.DONE, None, None)
    journal.settle(turn, left.settled)
    person = people.find(turn, espocrm_id)
    if person is None:
        return None
    if person.bet_nr == bet_nr:
        _leave(turn, espocrm_id, bet_nr, left)
        fuses.register(turn, espocrm_id, bet_nr, left.vanished, guard)
        _last_word(turn, person)
        person = people.find(turn, espocrm_id) or person  # as it was seen by now
    return people.shift(turn, person, left.event, run)


def _leave(turn: Turn, espocrm_id: str, bet_nr: int, left: Finish) -> None:
    seen = ((espocrm_id, Side.ESPOCRM, left.seen_espocrm), (espocrm_id, Side.ADVOWARE, left.seen_advoware))
    looks.write(turn, [(one, side, look) for one, side, look in seen if look is not None])
    _replace_pending(turn, espocrm_id, left.pending)
    forgiven = turn.number("SELECT forgive FROM persons WHERE espocrm_id = ?", espocrm_id)
    _replace_findings(turn, espocrm_id, "parked", () if forgiven else left.parked)
    _replace_findings(turn, espocrm_id, "unsyncable", left.unsyncable)
    conflicts.replace_all(turn, espocrm_id, bet_nr, left.conflicts, left.decided)
    if left.notices is not None:
        notices.replace_all(turn, espocrm_id, bet_nr, left.notices)
    wishes.done(turn, espocrm_id, left.wishes_done)
    if left.empty_slots is not None:
        links.set_empty_slots(turn, espocrm_id, bet_nr, left.empty_slots)
    turn.do(
        "UPDATE persons SET visible_status = ?2, forgive = 0 WHERE espocrm_id = ?1",
        espocrm_id,
        left.visible_status,
    )
    if conflicts.betnr_decided(left.decided):
        _give_up_previous(turn, espocrm_id)
    if conflicts.betnr_settled(left.conflicts, left.decided, left.base.first):
        turn.do("UPDATE persons SET previous_bet_nr = NULL WHERE espocrm_id = ?", espocrm_id)


def _last_word(turn: Turn, person: Person) -> None:
    """What was decided while this run was going on, and waits for the next one, counts more than what it rejected."""
    if person.standing.state is not State.SYNCING:
        return
    for one in conflicts.waiting_of(turn, person.espocrm_id):
        if one.by != POLICY and one.at >= person.standing.since:
            fuses.ask_again(
                turn, person.espocrm_id, person.bet_nr, one.conflict.link_key, one.conflict.emptied
            )


def _give_up_previous(turn: Turn, espocrm_id: str) -> None:
    """EspoCRM shows what was decided for the new pair: measured by the old base that would be deletions and edits."""
    row = turn.row("SELECT previous_bet_nr FROM persons WHERE espocrm_id = ?", espocrm_id)
    if row is not None and row[0] is not None:
        links.give_up(turn, espocrm_id, row[0])


def forget_pending(turn: Turn, espocrm_id: str, back: Sequence[Pending]) -> None:
    """What a look has shown again; the rest stays pending."""
    turn.many(
        "DELETE FROM pending WHERE espocrm_id = ? AND link_key = ? AND side = ? AND since = ?",
        ((espocrm_id, one.link_key, one.side, one.since) for one in back),
    )


def forget_first_looks(turn: Turn, espocrm_id: str, side: Side) -> None:
    """Somebody looked in between and saw something else: whatever was missing there was missing once again at most."""
    turn.do("DELETE FROM pending WHERE espocrm_id = ? AND side = ?", espocrm_id, side)


def _replace_pending(turn: Turn, espocrm_id: str, pending: Sequence[Pending]) -> None:
    turn.do("DELETE FROM pending WHERE espocrm_id = ?", espocrm_id)
    turn.many(
        "INSERT INTO pending (espocrm_id, link_key, side, since) VALUES (?, ?, ?, ?)",
        ((espocrm_id, one.link_key, one.side, one.since) for one in pending),
    )


def _replace_findings(turn: Turn, espocrm_id: str, what: str, found: Sequence[Parked | Unsyncable]) -> None:
    turn.do("DELETE FROM findings WHERE espocrm_id = ? AND what = ?", espocrm_id, what)
    turn.many(
        "INSERT INTO findings (espocrm_id, what, place, body) VALUES (?, ?, ?, ?)",
        ((espocrm_id, what, place, body(one)) for place, one in enumerate(found)),
    )
