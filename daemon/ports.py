"""What the inside of the daemon asks of the outside: two systems, a store, a clock, one wire per server.

Protocols and the values they speak; no behaviour. ``sync``, ``worker``, ``poller`` and the tests depend on these, the
adapters fulfil them. Moments are Unix seconds of our own clock unless a docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from statemachine.case import (
    Case,
    Conflict,
    Decision,
    Fuse,
    Keep,
    Limits,
    Notice,
    Outcome,
    Parked,
    Pending,
    Seen,
    Shown,
    Unsyncable,
    Vanished,
    Write,
)
from statemachine.commands import PutRecord, RowContent
from statemachine.model import AdvowareRecord, Base, EspocrmRecord, Kind, Kommunikation, Side
from statemachine.standing import Event, Standing
from statemachine.states import State


class Clock(Protocol):
    """Time, injected. Waiting is ``anyio.sleep``; only reading a clock goes through here."""

    def now(self) -> float:
        """Wall clock, Unix seconds."""
        ...

    def monotonic(self) -> float:
        """For durations; never jumps."""
        ...


class Random(Protocol):
    """Chance, injected (``random.Random`` fits)."""

    def random(self) -> float: ...


# --- the wire -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. ``url`` without query; ``json`` is sent as application/json when not None.
    All but method and URL may hold secrets or contact data and never reach a log."""

    method: str
    url: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    json: object = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, body already read (at most a few MB; more raises UnexpectedAnswer)."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire(Protocol):
    """The lowest layer: sends one request. Raises OSError-like ``WireError`` subclasses declared in transport."""

    async def send(self, request: Request, timeout: float) -> Answer: ...


# --- EspoCRM --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of a list: enough to decide whether to look. ``bet_nr`` None: not a Beteiligte of Advoware (yet).
    ``bet_nr_problem``: the field holds something that is no positive integer."""

    id: str
    bet_nr: int | None
    modified_at: str
    version_number: int | None = None
    sync_status: str | None = None
    bet_nr_problem: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One list call. ``more``: further rows exist. ``server_time``: the answer's Date as Unix seconds."""

    rows: tuple[Listed, ...]
    more: bool
    server_time: float | None


@dataclass(frozen=True, slots=True)
class EspocrmFacts:
    """What start-up learns of this EspoCRM (App/user, Settings, Metadata). ``fields``: entity field name → its
    definition as Metadata gives it (type, maxLength, options, …). ``task_rights_missing``: empty when all are there.
    ``entity_rights``: the acl row of the entity."""

    user_id: str
    version: str
    fields: Mapping[str, Mapping[str, object]]
    phone_types: tuple[str, ...]
    international: bool
    extensions: bool
    max_phones: int
    max_emails: int
    list_limit: int
    optimistic_concurrency: bool
    entity_rights: Mapping[str, object] = field(default_factory=dict)
    task_rights_missing: tuple[str, ...] = ()
    time_zone: str = ""


class Espocrm(Protocol):
    """The CRM side. Every call may raise SideDown, Throttled, CredentialsRefused; record calls also RecordMissing,
    AccessDenied, ServerError, IncompleteAnswer, UnexpectedAnswer."""

    async def facts(self) -> EspocrmFacts: ...

    async def changed(self, since: str, after: tuple[str, str] | None) -> Page:
        """One list call ordered by (modifiedAt, id): rows with modifiedAt >= ``since`` (UTC, ``YYYY-MM-DD HH:MM:SS``),
        or, given ``after`` = (modifiedAt, id), strictly behind that key. ``since`` "" means everything."""
        ...

    async def census(self, after_id: str) -> Page:
        """One list call ordered by id, strictly behind ``after_id`` ("" = from the start)."""
        ...

    async def get(self, espocrm_id: str) -> EspocrmRecord: ...

    async def put(self, record: EspocrmRecord, command: PutRecord) -> None:
        """Sends the arrays that are not None, each with its scalar, plus ``fields``; X-Version-Number if ``record``
        shows one. Raises Refused (400), Modified (409), UnknownOutcome."""
        ...

    async def holder(self, kind: Kind, value: str, besides: str) -> EspocrmRecord | None:
        """A present holder of ``value`` other than ``besides``: one list call by value and one GET (§5)."""
        ...

    async def open_task(
        self, espocrm_id: str, name: str, description: str, user_id: str, urgent: bool
    ) -> str: ...

    async def find_task(self, espocrm_id: str, name: str) -> str | None:
        """An open Task of this parent with this name (EspoCRM has no duplicate check for Tasks)."""
        ...

    async def close_task(self, task_id: str) -> None: ...

    async def probe(self) -> None:
        """The cheapest authenticated call."""
        ...


class Advoware(Protocol):
    """The practice software. Errors as for Espocrm."""

    async def get(self, bet_nr: int) -> AdvowareRecord: ...

    async def post(self, bet_nr: int, content: RowContent) -> Kommunikation:
        """Creates a row. Raises Refused, UnknownOutcome."""
        ...

    async def put(self, bet_nr: int, row_id: int, content: RowContent) -> Kommunikation: ...

    async def delete(self, bet_nr: int, row_id: int) -> bool:
        """False when the server forbids it (403), which is the known behaviour."""
        ...

    async def probe(self) -> None: ...


# --- the store ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    """One tracked Beteiligte. ``stamp``/``version``: EspoCRM's modifiedAt/versionNumber at our last look.
    ``looked_at``: when Advoware was last looked at (0 = never). ``paused_until``: a human paused it."""

    espocrm_id: str
    bet_nr: int
    standing: Standing
    stamp: str = ""
    version: int | None = None
    looked_at: float = 0.0
    paused_until: float | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """Everything a run leaves behind, stored in ONE transaction together with its transition and history.

    Lists replace what was stored of that kind for the person. ``conflicts``: those open after the run (id 0 = new;
    the store keeps the id of an equal one). ``decided``: decisions carried out or void now, with what happened
    ("done", "void"). ``settled``: journal ids the base has advanced past; ``came``: unanswered ones that are done.
    ``visible_status``: what EspoCRM's syncStatus shows now. ``notices``, ``empty_slots``: None leaves them as they are.
    """

    base: Base
    event: Event
    seen_espocrm: Seen | None = None
    seen_advoware: Seen | None = None
    pending: tuple[Pending, ...] = ()
    vanished: tuple[Vanished, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    decided: tuple[tuple[Decision, str], ...] = ()
    parked: tuple[Parked, ...] = ()
    unsyncable: tuple[Unsyncable, ...] = ()
    notices: tuple[Notice, ...] | None = ()
    wishes_done: tuple[int, ...] = ()
    settled: tuple[int, ...] = ()
    came: tuple[int, ...] = ()
    empty_slots: int | None = 0
    visible_status: str | None = None


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """[guard]."""

    max_deletions: int
    max_deletion_share: float
    window_seconds: float


class Store(Protocol):
    """SQLite. Every method is one transaction on one connection; raising leaves nothing half done. A method that
    moves a state runs ``standing.move`` inside that transaction and writes the log row with it; it raises
    ContractBroken for a pair that is not in the table.
    """

    # people and their states
    async def person(self, espocrm_id: str) -> Person | None: ...
    async def by_bet_nr(self, bet_nr: int) -> list[Person]: ...
    async def discover(self, espocrm_id: str, bet_nr: int, changed_at: float | None) -> Person:
        """Start tracking (trigger ``discovered``); a base kept for the same pair is used again (§7)."""
        ...

    async def rebind(self, espocrm_id: str, bet_nr: int, event: Event) -> Person:
        """The record's betnr changed: the old pair's base is kept aside, the new pair's (if kept) is valid again."""
        ...

    async def move(self, espocrm_id: str, event: Event, *, run: str = "") -> Person | None:
        """None when the person is (now) untracked. ``untracked`` keeps the base aside for [history_days]."""
        ...

    async def lease(self, owner: str, limit: int, *, only: Sequence[str] = ()) -> list[Person]:
        """Up to ``limit`` due persons (dirty or failed, due_at <= now, not paused), oldest due first, moved to
        ``syncing`` with ``owner`` as leaseholder. ``only``: restrict to these ids."""
        ...

    async def next_due(self) -> float | None:
        """The earliest due_at of dirty/failed persons that are not paused."""
        ...

    async def recover(self, owner: str) -> int:
        """At start: every lease of another process → ``interrupted``; returns how many."""
        ...

    async def reset_due(self, limit: int) -> int:
        """``auto_reset`` for permanently failed persons whose time has come."""
        ...

    # the case file
    async def case(self, espocrm_id: str, bet_nr: int, recent_seconds: float) -> Case: ...
    async def finish(
        self, espocrm_id: str, bet_nr: int, finish: Finish, *, run: str, guard: GuardLimits
    ) -> Person | None:
        """Registers ``vanished`` with the fuse (blowing it when ``guard.exceeds``) in the same transaction."""
        ...

    async def looked(self, espocrm_id: str, side: Side, seen: Seen) -> None:
        """Renew Seen after a look that changed nothing (batched; may be lost in a crash)."""
        ...

    # the journal
    async def journal(self, espocrm_id: str, bet_nr: int, run: str, writes: Sequence[Write]) -> list[int]:
        """Before sending; returns the ids."""
        ...

    async def record(
        self,
        ids: Sequence[int],
        outcome: Outcome,
        *,
        advoware_id: int | None = None,
        after: Shown | None = None,
    ) -> None:
        """What really happened, before the next write is sent. ``advoware_id``/``after``: from the answer."""
        ...

    async def may_delete(self, espocrm_id: str, link_key: str, side: Side) -> bool:
        """Last question before a deletion is carried out: False while the side's fuse is blown and this one is
        not approved; True marks it carried, in the same transaction."""
        ...

    # what all share
    async def holders(self, kind: Kind, canonical: str, besides: str) -> list[tuple[str, Shown]]:
        """Other tracked persons whose base holds the value: (EspoCRM id, item as of the base)."""
        ...

    async def learn(self, limits: Limits) -> None: ...
    async def get_note(self, name: str) -> str | None:
        """Small facts that survive a restart: poll cursor, clock offsets, pause marks."""
        ...

    async def set_note(self, name: str, value: str | None) -> None: ...

    async def note_decisions(self, espocrm_id: str, bet_nr: int, decisions: Sequence[Decision]) -> None:
        """What the policy decided, before anything is written because of it; ``finish`` closes them."""
        ...

    async def note_agreed(self, espocrm_id: str, bet_nr: int, base: Base) -> None:
        """On what both sides were seen to agree, before anything is written; ``finish`` brings the whole base."""
        ...

    async def first_looks(self, espocrm_id: str) -> tuple[Pending, ...]:
        """What is pending for this Beteiligter now: another look may have come in between."""
        ...

    async def forget_first_looks(self, espocrm_id: str, side: Side) -> None:
        """Another look showed other entries on this side: what was missing needs two looks again (§9)."""
        ...

    async def forget_pending(self, espocrm_id: str, back: Sequence[Pending]) -> None:
        """These were there again in a look of a run that did not come to its end (§9)."""
        ...

    # people's commands
    async def decide(self, conflict_id: int, keep: Keep, by: str) -> Person | None: ...
    async def settle_fuse(self, side: Side, approve: bool, by: str) -> int: ...
    async def blow_fuse(self, side: Side, fuse: Fuse, reason: str) -> None: ...
    async def fuse(self, side: Side) -> Fuse: ...

    # the sweep and the scan
    async def sweep_slice(self, before: float, limit: int) -> list[Person]:
        """Tracked persons whose Advoware look is older than ``before``, oldest first; without those who wait for their
        first sync, which looks by itself."""
        ...

    async def scan_slice(self, after_id: str, limit: int) -> list[Person]: ...
    async def counts(self) -> dict[State, int]: ...
