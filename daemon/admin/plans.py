"""``plan`` and ``apply``: what would be written, as a value and as a file; and exactly that carried out, or nothing.

A plan covers those who are tracked and those in EspoCRM who are not yet, so that it can be made before the first write.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from daemon.admin import foresight
from daemon.admin.desk import NotPossible, open_desk
from daemon.admin.foresight import Foresight, Seer, Step
from daemon.admission import pause_note, paused_until
from daemon.outside import Outside
from daemon.ports import Espocrm, Person
from daemon.rehearsal import tally
from daemon.scan import DOUBLED_BET_NR
from daemon.settings import Settings
from daemon.worker import event_for
from statemachine import looks
from statemachine.case import Variant
from statemachine.errors import KommsyncError
from statemachine.model import Side
from statemachine.standing import Standing
from statemachine.states import State

_FORMAT = 1
_RUN = "apply"
_LONGEST_PAUSE = 600.0


@dataclass(frozen=True, slots=True)
class Planned:
    """One Beteiligte. ``fingerprint``: of both sides as read and of the writes; another one: the world has moved."""

    espocrm_id: str
    bet_nr: int
    writes: list[dict[str, Any]]
    conflicts: int
    unsyncable: int
    links: int
    waits: int
    fingerprint: str
    trouble: str | None


@dataclass(frozen=True, slots=True)
class WholePlan:
    people: list[Planned]

    def writes(self) -> list[dict[str, Any]]:
        """All of them, each with its betNr."""
        return [{"bet_nr": one.bet_nr, **write} for one in self.people for write in one.writes]

    def summary(self) -> dict[str, int]:
        """``links``: pairs of equal values found; ``add_to_…``: new entries there, ``to_…``: all that is written there;
        ``unreadable``: people nothing can be said about."""
        sides = Counter(write["side"] for write in self.writes())
        variants = Counter(write["variant"] for write in self.writes())
        return {
            "people": len(self.people),
            "links": sum(one.links for one in self.people),
            "add_to_espocrm": variants[Variant.VAR4.value],
            "add_to_advoware": variants[Variant.VAR1.value],
            "to_espocrm": sides["espocrm"],
            "to_advoware": sides["advoware"],
            "conflicts": sum(one.conflicts for one in self.people),
            "unsyncable": sum(one.unsyncable for one in self.people),
            "waiting": sum(one.waits for one in self.people),
            "unreadable": sum(one.trouble is not None for one in self.people),
        }

    def as_json(self) -> dict[str, Any]:
        people = [{name: getattr(one, name) for name in Planned.__slots__} for one in self.people]
        return {"format": _FORMAT, "summary": self.summary(), "people": people}


async def plan(desk: Outside, bet_nrs: Sequence[int], step: Step) -> WholePlan:
    """For these, or for everybody. Raises NotPossible for a betNr that no CBeteiligte has, and what the sides raise."""
    seer = await foresight.open_seer(desk)
    census = await _census(desk.espocrm)
    people = await _people(desk, census, bet_nrs)
    doubled = _doubled(census)
    found: dict[str, Planned] = {}

    async def one(person: Person) -> None:
        told = Foresight(person, trouble=DOUBLED_BET_NR) if person.bet_nr in doubled else None
        found[person.espocrm_id] = _planned(told or await seer.foresee(person))

    await foresight.for_everybody(desk, people, one, step)
    return WholePlan(sorted(found.values(), key=lambda one: (one.bet_nr, one.espocrm_id)))


def save(found: WholePlan, file: Path) -> None:
    """Raises OSError. It holds contact data, so it is for its owner's eyes."""
    file.touch(mode=0o600)
    file.write_text(json.dumps(found.as_json(), ensure_ascii=False, indent=1), encoding="utf-8")


def load(file: Path) -> WholePlan:
    """Raises OSError, and NotPossible for what is no plan."""
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
        if read["format"] != _FORMAT:
            raise ValueError
        return WholePlan([Planned(**person) for person in read["people"]])
    except (ValueError, KeyError, TypeError):
        raise NotPossible(f"{file} is no plan of this kommsync. Type: kommsync plan --out FILE") from None


async def apply(settings: Settings, wanted: WholePlan) -> int:
    """How many Beteiligte were synced. Raises NotPossible, before anything is written, if anybody's plan would be
    another one now; StoreInUse while a daemon runs, which would have carried it out by itself."""
    async with open_desk(settings, exclusive=True) as desk:
        people = [one for one in wanted.people if one.trouble is None]
        await _check_nothing_forbids(desk, people)
        seer = await foresight.open_seer(desk)
        await _check_nothing_moved(desk, seer, people)
        for one in people:
            await _carry_out(desk, seer, one)
    return len(people)


async def _check_nothing_forbids(desk: Outside, people: list[Planned]) -> None:
    """A pause, and a betNr that two hold: none of them may be written (§7), and the store may know of none yet."""
    now = desk.clock.now()
    for side in Side:
        if paused_until(await desk.store.get_note(pause_note(side)), now) is not None:
            raise NotPossible(f"nothing was written: {side} is paused. Type: kommsync resume {side}")
    doubled = _doubled(await _census(desk.espocrm))
    for one in people:
        if one.bet_nr in doubled:
            raise NotPossible(
                f"nothing was written: betNr {one.bet_nr} is held by two CBeteiligte; correct one of them in EspoCRM."
                " Type: kommsync plan --out FILE"
            )
        person = await desk.store.person(one.espocrm_id)
        if person is not None and (person.paused_until or 0.0) > now:
            raise NotPossible(
                f"nothing was written: betNr {one.bet_nr} is paused. Type: kommsync resume --bet-nr {one.bet_nr}"
            )


async def _check_nothing_moved(desk: Outside, seer: Seer, people: list[Planned]) -> None:
    moved = []
    for one in people:
        person = await desk.store.person(one.espocrm_id) or _stranger(one.espocrm_id, one.bet_nr)
        if _planned(await seer.foresee(person)).fingerprint != one.fingerprint:
            moved.append(str(one.bet_nr))
    if moved:
        raise NotPossible(
            f"nothing was written: the world has moved since the plan was made, for betNr {', '.join(moved[:10])}"
            f"{' and others' if len(moved) > 10 else ''}. Type: kommsync plan --out FILE"
        )


async def _carry_out(desk: Outside, seer: Seer, one: Planned) -> None:
    """As many runs as its second looks need."""
    if await desk.store.person(one.espocrm_id) is None:
        await desk.store.discover(one.espocrm_id, one.bet_nr, None)
    else:
        await desk.store.ask([one.espocrm_id], _RUN)
    while leased := await desk.store.lease(_RUN, 1, only=[one.espocrm_id]):
        person = leased[0]
        try:
            after = (await seer.syncer.run(person, _RUN)).person
        except KommsyncError as error:
            await desk.store.move(person.espocrm_id, event_for(error, desk.clock.now(), 0.0), run=_RUN)
            raise
        due = after.standing.due_at if after and after.standing.state is State.DIRTY else None
        if due is None:
            return
        await anyio.sleep(min(max(due - desk.clock.now(), 0.0) + 0.01, _LONGEST_PAUSE))


async def _people(desk: Outside, census: list[tuple[str, int]], bet_nrs: Sequence[int]) -> list[Person]:
    people = [_known for row in census if (_known := await _person(desk, *row, bet_nrs))]
    missing = sorted(set(bet_nrs) - {person.bet_nr for person in people})
    if missing:
        raise NotPossible(
            f"no CBeteiligte has betNr {', '.join(map(str, missing))}. Look at the field betnr in EspoCRM."
        )
    return people


async def _person(desk: Outside, espocrm_id: str, bet_nr: int, wanted: Sequence[int]) -> Person | None:
    if wanted and bet_nr not in wanted:
        return None
    known = await desk.store.person(espocrm_id)
    return known if known and known.bet_nr == bet_nr else _stranger(espocrm_id, bet_nr)


def _stranger(espocrm_id: str, bet_nr: int) -> Person:
    """As if it had just been discovered; the store is not told."""
    return Person(espocrm_id, bet_nr, Standing(State.DIRTY, "discovered", 0.0, 0.0))


async def _census(espocrm: Espocrm) -> list[tuple[str, int]]:
    """(id, betNr) of all who have one."""
    rows: list[tuple[str, int]] = []
    page = await espocrm.census("")
    while page.rows:
        rows += [(row.id, row.bet_nr) for row in page.rows if row.bet_nr is not None]
        if not page.more:
            break
        page = await espocrm.census(page.rows[-1].id)
    return rows


def _doubled(census: list[tuple[str, int]]) -> set[int]:
    return {bet_nr for bet_nr, number in Counter(bet_nr for _, bet_nr in census).items() if number > 1}


def _planned(found: Foresight) -> Planned:
    made, person = found.made, found.person
    if made is None or found.situation is None:
        return Planned(person.espocrm_id, person.bet_nr, [], 0, 0, 0, 0, "", found.trouble)
    writes = foresight.writes(found)
    seen = (
        looks.look_espocrm(found.situation.espocrm, None),
        looks.look_advoware(found.situation.advoware, None),
    )
    shows = [[part.name, part.fingerprint] for side in seen for part in side.parts]
    mark = hashlib.sha256(json.dumps([shows, writes]).encode()).hexdigest()
    numbers = tally(made)
    return Planned(
        person.espocrm_id,
        person.bet_nr,
        writes,
        conflicts=numbers.conflicts,
        unsyncable=numbers.unsyncable,
        links=numbers.links,
        waits=numbers.waits,
        fingerprint=mark,
        trouble=None,
    )
