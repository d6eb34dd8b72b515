"""Persons and their states.

:func:`shift` and :func:`discover` are the only places that change a state, each with its log row in the same
transaction.
"""

from __future__ import annotations

from dataclasses import replace

from daemon.ports import Person
from daemon.store import links, looks, notices, questions
from daemon.store.turn import Moved, Row, Turn
from statemachine.case import Notice
from statemachine.errors import ContractBroken
from statemachine.model import Side
from statemachine.standing import Event, Standing, move
from statemachine.states import State, Trigger

#: Cause and topic of the notice that someone has been given up (sync rules §11).
_FAILED = "permanently_failed"
#: Read a person with ``SELECTED WHERE …``; ``p`` is the person, ``l`` its looks.
COLUMNS = (
    "p.espocrm_id, p.bet_nr, p.state, p.reason, p.since, p.due_at, p.attempts, p.noted, p.unsynced_since,"
    " p.change_side, s.stamp, s.version, l.advoware_at, p.paused_until"
)
_SEEN = " LEFT JOIN seen s ON s.espocrm_id = p.espocrm_id AND s.side = 'espocrm'"
_FROM = f"LEFT JOIN looks l ON l.espocrm_id = p.espocrm_id{_SEEN}"
SELECTED = f"SELECT {COLUMNS} FROM persons p {_FROM}"  # noqa: S608 - ours
#: The same, from the looks on.
SELECTED_BY_LOOK = f"SELECT {COLUMNS} FROM looks l CROSS JOIN persons p ON p.espocrm_id = l.espocrm_id{_SEEN}"  # noqa: S608 - ours
PAUSED = "SELECT bet_nr, paused_until FROM persons INDEXED BY persons_paused WHERE paused_until > ?"
BY_BET_NR = f"{SELECTED} WHERE p.bet_nr = ? ORDER BY p.espocrm_id"


def selected_by(index: str) -> str:
    """SELECTED along one index, where SQLite without statistics would choose a worse one."""
    return f"SELECT {COLUMNS} FROM persons p INDEXED BY {index} {_FROM}"  # noqa: S608 - ours


def from_row(row: Row) -> Person:
    standing = Standing(State(row[2]), row[3], row[4], row[5], row[6], bool(row[7]), row[8], row[9])
    return Person(row[0], row[1], standing, row[10] or "", row[11], row[12] or 0.0, row[13])


def find(turn: Turn, espocrm_id: str) -> Person | None:
    row = turn.row(f"{SELECTED} WHERE p.espocrm_id = ?", espocrm_id)
    return None if row is None else from_row(row)


def by_bet_nr(turn: Turn, bet_nr: int) -> list[Person]:
    return [from_row(row) for row in turn.rows(BY_BET_NR, bet_nr)]


def discover(turn: Turn, espocrm_id: str, bet_nr: int, changed_at: float | None) -> Person:
    """A record that went away with another betNr still counts as changed, not as new (§7): its items may be those of
    the old Beteiligte. Raises ContractBroken when it is tracked."""
    known = find(turn, espocrm_id)
    event = Event(Trigger.DISCOVERED, "discovered", changed_at=changed_at, side=Side.ESPOCRM.value)
    standing = move(known.standing if known else None, event, turn.now, turn.rules.schedule)
    if standing is None:
        raise ContractBroken("discovered leads nowhere")
    previous = None if links.agreed(turn, espocrm_id, bet_nr) else links.youngest_aside(turn, espocrm_id)
    turn.do(
        "INSERT INTO persons (espocrm_id, bet_nr, state, reason, since, due_at, attempts, noted, unsynced_since,"
        " change_side, previous_bet_nr) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        espocrm_id, bet_nr, *_values(standing), previous,
    )  # fmt: skip
    looks.begin(turn, espocrm_id)
    questions.ask_anew(turn, espocrm_id, bet_nr, links.take_up(turn, espocrm_id, bet_nr))
    person = Person(espocrm_id, bet_nr, standing)
    _log(turn, person, None, event, standing.state, "")
    return person


def rebind(turn: Turn, espocrm_id: str, bet_nr: int, event: Event) -> Person:
    """The old pair's base is kept aside; the new pair's is valid again if it is kept (§7). What hung on the old pair's
    links is void. Raises ContractBroken for a person that is not tracked."""
    person = find(turn, espocrm_id)
    if person is None:
        raise ContractBroken("a betnr changed on a record that is not tracked")
    previous = _previous(turn, person, bet_nr)
    asked = questions.emptied(turn, espocrm_id)
    _drop_what_hangs_on_links(turn, person)
    looks.forget_advoware(turn, espocrm_id)
    links.put_aside(turn, espocrm_id, person.bet_nr, asked)
    turn.do(
        "UPDATE persons SET bet_nr = ?, previous_bet_nr = ? WHERE espocrm_id = ?",
        bet_nr,
        previous,
        espocrm_id,
    )
    questions.ask_anew(turn, espocrm_id, bet_nr, links.take_up(turn, espocrm_id, bet_nr))
    moved = shift(turn, replace(person, bet_nr=bet_nr, looked_at=0.0), event)
    if moved is None:
        raise ContractBroken(f"{event.trigger} ends the tracking of a record whose betnr changed")
    return moved


def _previous(turn: Turn, person: Person, bet_nr: int) -> int | None:
    if links.agreed(turn, person.espocrm_id, bet_nr):
        return None
    if links.agreed(turn, person.espocrm_id, person.bet_nr):
        return person.bet_nr
    row = turn.row("SELECT previous_bet_nr FROM persons WHERE espocrm_id = ?", person.espocrm_id)
    return None if row is None else row[0]


def shift(turn: Turn, person: Person, event: Event, run: str = "") -> Person | None:
    """Moves the state and writes the log row. None when the person is no longer tracked. Raises ContractBroken."""
    if event.trigger is Trigger.ATTEMPT_FAILED:
        event = replace(event, jitter=2 * turn.random.random() - 1)
    standing = move(person.standing, event, turn.now, turn.rules.schedule)
    if standing is None:
        _log(turn, person, person.standing.state, event, None, run)
        _untrack(turn, person)
        return None
    if standing.state is State.PERMANENTLY_FAILED and event.trigger is Trigger.ATTEMPT_FAILED:
        event = replace(event, trigger=Trigger.GAVE_UP)
    if standing.state is State.PERMANENTLY_FAILED:
        notices.want(turn, person.espocrm_id, person.bet_nr, Notice(_FAILED, _FAILED, event.reason))
    elif person.standing.state is State.PERMANENTLY_FAILED and event.trigger is not Trigger.AUTO_RESET:
        notices.ask_anew(turn, person.espocrm_id, _FAILED)
    _log(turn, person, person.standing.state, event, standing.state, run)
    turn.do(
        "UPDATE persons SET state = ?2, reason = ?3, since = ?4, due_at = ?5, attempts = ?6, noted = ?7,"
        " unsynced_since = ?8, change_side = ?9, owner = CASE ?2 WHEN 'syncing' THEN owner END WHERE espocrm_id = ?1",
        person.espocrm_id, *_values(standing),
    )  # fmt: skip
    return replace(person, standing=standing)


def move_found(turn: Turn, espocrm_id: str, event: Event, run: str) -> Person | None:
    """:func:`shift` of whoever this is; None when nobody is tracked under the id (any more)."""
    person = find(turn, espocrm_id)
    return None if person is None else shift(turn, person, event, run)


def _values(standing: Standing) -> tuple[object, ...]:
    return (
        standing.state, standing.reason, standing.since, standing.due_at, standing.attempts,
        standing.noted, standing.unsynced_since, standing.change_side,
    )  # fmt: skip


def _log(
    turn: Turn, person: Person, source: State | None, event: Event, target: State | None, run: str
) -> None:
    turn.do(
        "INSERT INTO transitions (espocrm_id, bet_nr, at, source, trigger, target, reason, side, run)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        person.espocrm_id, person.bet_nr, turn.now, source, event.trigger, target, event.reason, event.side, run,
    )  # fmt: skip
    turn.moved.append(Moved(source, target, event.trigger))


def _untrack(turn: Turn, person: Person) -> None:
    asked = questions.emptied(turn, person.espocrm_id)
    _drop_what_hangs_on_links(turn, person)
    turn.do("DELETE FROM persons WHERE espocrm_id = ?", person.espocrm_id)
    looks.forget(turn, person.espocrm_id)
    links.put_aside(turn, person.espocrm_id, person.bet_nr, asked)


def _drop_what_hangs_on_links(turn: Turn, person: Person) -> None:
    """Carried deletions stay: the fuse has counted them. So do rejected ones, for as long as the base is kept: the pair
    may come back before they were written back."""
    for table in ("pending", "findings", "conflicts", "wishes"):
        turn.do(f"DELETE FROM {table} WHERE espocrm_id = ?", person.espocrm_id)  # noqa: S608 - ours
    turn.do(
        "DELETE FROM vanished WHERE espocrm_id = ? AND hold NOT IN ('carried', 'rejected', 'reverted')",
        person.espocrm_id,
    )
    turn.do(
        "UPDATE decisions SET outcome = 'void', closed_at = ? WHERE espocrm_id = ? AND outcome = 'waiting'",
        turn.now, person.espocrm_id,
    )  # fmt: skip
    turn.do("UPDATE notices SET wanted = 0 WHERE espocrm_id = ?", person.espocrm_id)
    turn.do("DELETE FROM notices WHERE espocrm_id = ? AND task_id IS NULL", person.espocrm_id)


def pause(turn: Turn, espocrm_id: str, until: float | None) -> bool:
    """False when the person is not tracked."""
    return turn.do("UPDATE persons SET paused_until = ? WHERE espocrm_id = ?", until, espocrm_id) > 0


def paused(turn: Turn) -> list[tuple[int, float]]:
    """(betNr, until) of those whose pause has not ended."""
    return sorted((row[0], row[1]) for row in turn.rows(PAUSED, turn.now))


def resume(turn: Turn, espocrm_id: str) -> Person | None:
    pause(turn, espocrm_id, None)
    return ask(turn, espocrm_id, Event(Trigger.ASKED, "resumed"))


def ask(turn: Turn, espocrm_id: str, event: Event) -> Person | None:
    """A human wants another try: what was parked is judged afresh, that of a running sync included (§10)."""
    person = find(turn, espocrm_id)
    if person is None:
        return None
    if person.standing.state is State.SYNCING:
        turn.do("UPDATE persons SET forgive = 1 WHERE espocrm_id = ?", espocrm_id)
    forgive(turn, espocrm_id)
    return shift(turn, person, event)


def forgive(turn: Turn, espocrm_id: str) -> None:
    turn.do("DELETE FROM findings WHERE espocrm_id = ? AND what = 'parked'", espocrm_id)
