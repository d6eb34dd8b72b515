"""What a sync meets when it loads both sides: two records, or why there is nothing to plan (sync rules §7, §9).

Called by :mod:`daemon.sync`. A record that is not found is gone only when a second look confirms it; until then it is
remembered as pending, like an entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import anyio

from daemon.ports import Advoware, Clock, Espocrm, Finish, Person, Store
from statemachine import looks
from statemachine.case import Case, Pending
from statemachine.errors import HopelessRecord, RecordMissing
from statemachine.model import AdvowareRecord, EspocrmRecord, Side
from statemachine.rules import Rules
from statemachine.standing import Event
from statemachine.states import State, Trigger

#: Keys of pending looks that concern the whole record, beside those of links.
RECORD_GONE, BETNR_GONE = "record:gone", "record:no_betnr"

_UNTRACKED = Event(Trigger.UNTRACKED)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What each side answered; None where the record was not found."""

    espocrm: EspocrmRecord | None = None
    advoware: AdvowareRecord | None = None

    def both(self) -> tuple[EspocrmRecord, AdvowareRecord]:
        """Both records of an arrival that is complete."""
        if self.espocrm is None or self.advoware is None:
            raise ValueError("one side has no record")
        return self.espocrm, self.advoware


@dataclass(frozen=True, slots=True)
class Gone(Arrival):
    """Nothing to plan. One of: ``hopeless`` is to be raised; ``finish`` is to be stored; else ``event`` alone.
    ``belongs_to``: the record's betNr now. ``twins``: others that hold the same betNr."""

    event: Event = _UNTRACKED
    finish: Finish | None = None
    hopeless: HopelessRecord | None = None
    belongs_to: int | None = None
    twins: tuple[Person, ...] = ()


@dataclass(frozen=True, slots=True)
class _Look:
    """When this look was asked for and answered, by our own clock."""

    asked_at: float
    answered_at: float


Saw = Callable[[EspocrmRecord | AdvowareRecord], None]


class World(Protocol):
    """Where to look: both sides, the store, the clock."""

    espocrm: Espocrm
    advoware: Advoware
    store: Store
    clock: Clock


async def meet(
    world: World, person: Person, case: Case, rules: Rules, fresh: AdvowareRecord | None, saw: Saw
) -> Arrival:
    """Load both sides concurrently; ``fresh`` may stand in for Advoware's load. ``saw`` is told of each record that was
    shown, whatever becomes of the other side. Raises what the adapters raise."""
    asked_at = world.clock.now()
    arrival = await _load(world.espocrm, world.advoware, person, fresh, saw)
    look = _Look(asked_at, world.clock.now())
    if arrival.espocrm is None:
        return _perhaps_gone(arrival, person, case, rules, RECORD_GONE, Side.ESPOCRM, look)
    if arrival.espocrm.bet_nr is None:
        return _perhaps_gone(arrival, person, case, rules, BETNR_GONE, Side.ESPOCRM, look)
    if arrival.espocrm.bet_nr != person.bet_nr:
        moved = Event(Trigger.LOOK_AGAIN, "betnr_changed")
        return Gone(arrival.espocrm, None, moved, belongs_to=arrival.espocrm.bet_nr)
    twins = await world.store.by_bet_nr(person.bet_nr)
    if len(twins) > 1:
        detail = f"betNr {person.bet_nr} is held by two CBeteiligte; correct one of them in EspoCRM"
        trouble = HopelessRecord(detail, reason="betnr_doubled", side=Side.ESPOCRM)
        others = tuple(twin for twin in twins if twin.espocrm_id != person.espocrm_id)
        return Gone(arrival.espocrm, arrival.advoware, hopeless=trouble, twins=others)
    if arrival.advoware is None:
        await world.advoware.probe()
        return _perhaps_gone(arrival, person, case, rules, RECORD_GONE, Side.ADVOWARE, look)
    return arrival


async def make_known(gone: Gone, store: Store) -> None:
    """Write down what was met, before the run ends with it: another betNr, or others who hold the same one. None of
    those is written, so each must say why; one that is at rest would stay silent."""
    if gone.belongs_to is not None and gone.espocrm is not None:
        await store.rebind(gone.espocrm.id, gone.belongs_to, Event(Trigger.CHANGE_SEEN, "betnr_changed"))
    for twin in gone.twins:
        if twin.standing.state in (State.CLEAN, State.CONFLICT, State.SYNCING):
            await store.move(twin.espocrm_id, Event(Trigger.CHANGE_SEEN, "betnr_doubled", side=Side.ESPOCRM))


async def _load(
    espocrm: Espocrm, advoware: Advoware, person: Person, fresh: AdvowareRecord | None, saw: Saw
) -> Arrival:
    found: dict[Side, EspocrmRecord | AdvowareRecord | None] = {}
    trouble: list[Exception] = []

    async def one(side: Side) -> None:
        try:
            if side is Side.ESPOCRM:
                found[side] = await espocrm.get(person.espocrm_id)
            else:
                found[side] = fresh or await advoware.get(person.bet_nr)
        except RecordMissing:
            found[side] = None
        except Exception as error:  # noqa: BLE001 - both loads end before either error is judged
            trouble.append(error)

    async with anyio.create_task_group() as both:
        for side in Side:
            both.start_soon(one, side)
    for shown in found.values():
        if shown is not None:
            saw(shown)
    if trouble:
        raise trouble[0]
    record, beteiligte = found[Side.ESPOCRM], found[Side.ADVOWARE]
    return Arrival(
        record if isinstance(record, EspocrmRecord) else None,
        beteiligte if isinstance(beteiligte, AdvowareRecord) else None,
    )


def _perhaps_gone(
    arrival: Arrival, person: Person, case: Case, rules: Rules, key: str, side: Side, look: _Look
) -> Gone:
    """The first look is remembered; a second one [deletion_confirm_seconds] later makes it true."""
    first, confirmed = looks.second_look(case.pending, key, side, look, rules.deletion_confirm)
    if not confirmed:
        event = Event(Trigger.LOOK_AGAIN, key.replace(":", "_"), first.since + rules.deletion_confirm)
        return Gone(arrival.espocrm, arrival.advoware, event, _unchanged(case, first, event))
    if side is Side.ADVOWARE:
        detail = (
            f"Advoware has no Beteiligter {person.bet_nr}; check the betNr in EspoCRM, then 'kommsync retry'"
        )
        trouble = HopelessRecord(detail, reason="missing_in_advoware", side=side)
        return Gone(arrival.espocrm, arrival.advoware, hopeless=trouble)
    return Gone(arrival.espocrm, arrival.advoware, Event(Trigger.UNTRACKED, key.replace(":", "_")))


def _unchanged(case: Case, mark: Pending, event: Event) -> Finish:
    """Everything stays as it is remembered, plus the mark."""
    pending = (*(p for p in case.pending if p.link_key != mark.link_key), mark)
    return Finish(
        base=case.base,
        event=event,
        seen_espocrm=case.seen_espocrm,
        seen_advoware=case.seen_advoware,
        pending=pending,
        vanished=case.vanished,
        conflicts=case.conflicts,
        parked=case.parked,
        unsyncable=case.unsyncable,
        notices=None,
        empty_slots=None,
        visible_status=case.visible_status,
    )
