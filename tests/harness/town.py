"""One history's world: both systems, the people who edit them, the misfortune on the wires, and the daemon's lives."""

from __future__ import annotations

import json
import logging
import random
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from daemon.app import App
from daemon.gate import Gate
from daemon.metrics import Metrics
from daemon.outside import open_outside
from daemon.settings import Settings
from daemon.simulators import wire as sim
from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.advoware_login import Access
from daemon.simulators.espocrm import MAIL, PHONE, EspoWorld
from daemon.simulators.people import Pair, settle
from daemon.simulators.staff import Staff
from daemon.store import SqliteStore
from statemachine.model import Side
from tests.harness.database import Reader, on_the_loop
from tests.harness.ledger import ADVOWARE, ESPOCRM, Book, Fate, Ledger, Shown, moved
from tests.harness.misfortune import BLAMES_RECORD, Mood
from tests.harness.trace import Trace
from tests.harness.values import EMAIL, same
from tests.harness.values import PHONE as PHONE_KIND
from tests.harness.virtual import DaemonClock, Killed, Timeline, VirtualLoop
from tests.harness.wire import SimWire, row_of

METRICS = Metrics("harness")
#: No history has nearly as many effects.
_TOO_MANY = 20_000
_FAMILIES = {EMAIL: MAIL, PHONE_KIND: PHONE}


@dataclass(slots=True)
class Plan:
    """What one history is like. Times in virtual seconds."""

    seed: int
    people: int = 2
    active: float = 600.0
    edits: int = 12
    #: whether staff also move values between entries
    moves: bool = False
    outages: tuple[tuple[str, float, float, str], ...] = ()
    mood: Mood = field(default_factory=Mood)
    save_seconds: float = 0.0
    hook_seconds: float = 0.0
    optimistic: bool = False
    sync: dict[str, Any] = field(default_factory=dict)
    guard: dict[str, Any] = field(default_factory=dict)
    poll: float = 8.0
    sweep: float = 24.0
    scan: float = 120.0
    lose_store_at: float | None = None
    damage_store: bool = False
    """Instead of losing it: overwrite pages of the file."""
    stops: tuple[float, ...] = ()
    """Moments at which the daemon is told to end, and is started again."""
    clocks: tuple[tuple[float, str, float], ...] = ()
    """(moment, "espocrm" | "advoware" | "daemon", seconds): from then on this clock is wrong by so much."""
    operator: bool = False
    """Somebody decides conflicts and retries what failed, now and then."""
    quiet_polls: int = 20
    settled_for: float | None = None
    """So long nothing must have been written before it counts as quiet; None: one and a half sweeps."""
    move_in: Callable[[EspoWorld, AdvowareWorld], list[Pair]] | None = None
    """Instead of an invented firm."""
    scripted: tuple[tuple[str, str, int, str], ...] = ()
    """(side, method, n, kind): the n-th such request about a Beteiligter gets this fault; n counts from 0."""
    rests_in: frozenset[str] = frozenset({"clean", "conflict"})
    may_park: frozenset[str] = frozenset()
    """Reasons for which entries may be parked in the end."""
    held: bool = False
    """The fuse is blown in the end, and deletions are held."""
    people_disagree: bool = False
    """Robots on both sides want different things: the sides differ in the end."""
    tracked: int | None = None
    """How many are tracked in the end; None: all."""


class Town:
    def __init__(
        self, plan: Plan, folder: Path, *, keep_trace: bool = False, timeline: Timeline | None = None
    ) -> None:
        self.plan = plan
        self.timeline = timeline or Timeline()
        self.trace = Trace(self.timeline, keep=keep_trace)
        self.clock = DaemonClock(self.timeline, lambda: self.wall("daemon"))
        self.net_chance = random.Random(f"{plan.seed}/net")
        self.fate_chance = random.Random(f"{plan.seed}/fate")
        world_chance = random.Random(f"{plan.seed}/world")
        self.store = folder / "kommsync.sqlite3"
        self._reader = Reader(self.store)
        self.espo = EspoWorld(lambda: self.wall(ESPOCRM), world_chance)
        access = Access(max_skew_seconds=None)
        self.advoware = AdvowareWorld(lambda: self.wall(ADVOWARE), world_chance, access=access)
        if plan.move_in is not None:
            self.pairs = plan.move_in(self.espo, self.advoware)
        else:
            self.pairs = settle(self.espo, self.advoware, world_chance, plan.people)
        self.espo.saving.save_seconds, self.espo.saving.hook_seconds = plan.save_seconds, plan.hook_seconds
        if plan.optimistic:
            self.espo.entities["CBeteiligte"].versioned = True
        self.ledger = Ledger(self.espo, self.advoware, self.pairs)
        self.office = Office(self)
        self.settings = _settings(plan, self.store, self.espo, access)
        self.violations: list[str] = []
        self.effects = 0
        self.first_effect = 1
        self.deaths = 0
        self.die_at: frozenset[int] = frozenset()
        self.lates = 0
        self.knocks: Counter[str] = Counter()
        """Requests to a side while it was down."""
        self.hidden: Counter[str] = Counter()
        """Entries that truncated lists left out."""
        self.over = False
        self.process: Process | None = None
        self.interruption: Callable[[], object] = lambda: None
        self.on_write: Callable[[str, str, str, bytes], None] | None = None
        self.widths: list[float] = []
        self.twins_by_people: set[str] = set()
        self.trampled = 0
        self.errors: list[dict[str, Any]] = []
        self._reads: dict[tuple[str, str, str], tuple[float, dict[str, str]]] = {}
        self._last_read: dict[tuple[str, str], tuple[float, dict[str, str]]] = {}
        #: (person, run) whose last write showed a failure: what is read after it is no look of any run's
        self._only_showed: set[tuple[str, str]] = set()
        self._answers: dict[tuple[str, str], tuple[float, sim.Answer]] = {}
        self._cut: dict[tuple[str, str], float] = {}
        self._blamed: dict[str, list[float]] = {}
        self._given: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
        self._signatures: dict[tuple[str, str, float], dict[str, str]] = {}
        self._half_arrays: set[tuple[str, str]] = set()
        self._answered: dict[tuple[str, str], float] = {}
        self._requests: Counter[tuple[str, str]] = Counter()
        self.before_edit: dict[tuple[str, float], dict[str, str]] = {}

    def wall(self, whose: str) -> float:
        """What this clock shows now."""
        now = self.timeline.now
        wrong = [seconds for at, who, seconds in self.plan.clocks if who == whose and at <= now]
        return self.timeline.wall() + (wrong[-1] if wrong else 0.0)

    # -- the network -------------------------------------------------------------------------------------------

    def outage(self, side: str) -> str | None:
        now = self.timeline.now
        return next((k for s, a, b, k in self.plan.outages if s == side and a <= now < b), None)

    def fault(self, side: str, asked: sim.Request, person: str | None) -> str | None:
        if self.plan.scripted and person is not None:
            key = (side, asked.method)
            number, self._requests[key] = self._requests[key], self._requests[key] + 1
            found = (kind for s, m, n, kind in self.plan.scripted if (s, m, n) == (*key, number))
            return next(found, None)
        kind = self.plan.mood.pick(self.fate_chance, asked.method, self.timeline.now)
        if kind in ("cut", "incomplete", "stale", "foreign_before") and person is None:
            return None
        if kind == "unauthorized" and side == ESPOCRM and self.fate_chance.random() < 0.7:
            return None
        return kind

    def blame(self, fault: str, person: str | None) -> None:
        if fault in BLAMES_RECORD and person is not None:
            self._blamed.setdefault(person, []).append(self.timeline.now)

    def person_of(self, bet_nr: object) -> str | None:
        book = self.ledger.by_bet_nr.get(bet_nr) if isinstance(bet_nr, int) else None
        return book.pair.espocrm_id if book else None

    def blamed(self, person: str, since: float, until: float) -> bool:
        return any(since <= at <= until for at in self._blamed.get(person, []))

    def basis(self, side: str, person: str | None, run: str) -> float:
        """When what a write now rests on was read."""
        if person is None:
            return self.timeline.now
        found = self._reads.get((side, person, run)) or self._last_read.get((side, person))
        return found[0] if found else self.timeline.now

    def was_read(
        self, side: str, person: str, run: str, at: float, answer: sim.Answer, fault: str | None
    ) -> None:
        if fault is not None and fault.startswith("cut") and side == ESPOCRM:
            self._half_arrays.add((person, run))
        entry = (at, self._signatures.pop((side, person, at), {}))
        if run:
            self._reads[side, person, run] = entry
        if fault not in ("incomplete", "garbage"):  # such an answer is thrown away
            then, old = self._answers.get((side, person), (at, answer))
            is_old = fault == "stale" and old.body == answer.body
            if (person, run) not in self._only_showed:
                self._last_read[side, person] = (min(at, then), entry[1]) if is_old else entry
        if fault not in ("cut", "incomplete", "garbage", "stale"):
            self._cut.pop((side, person), None)
            self._answers[side, person] = (at, answer)

    def has_seen_since(self, side: str, book: Book, moment: float) -> bool:
        """Whether the daemon knows what came of its write at ``moment``: by a read, in Advoware by the answer too."""
        found = self._last_read.get((side, book.pair.espocrm_id))
        answered = self._answered.get((side, book.pair.espocrm_id), -1.0) if side == ADVOWARE else -1.0
        return answered >= moment or (found is not None and found[0] > moment)

    def is_unanswered(self, side: str, book: Book, value: tuple[str, str]) -> bool:
        """Whether a write of ``value`` had no answer, and no run has come to its end since: what one that broke off has
        read is lost with it."""
        rows = self.query(
            "SELECT body FROM writes"
            " WHERE settled = 0 AND espocrm_id = ? AND (outcome IS NULL OR outcome = 'unknown')",
            book.pair.espocrm_id,
        )
        gave = (
            one for (body,) in rows if (one := json.loads(body))["side"] == side and one["after"] is not None
        )
        return any((one["kind"], same(one["kind"], one["after"]["value"])) == value for one in gave)

    def forget_unsaved(self) -> None:
        """The process is dead: what it had read or was answered, and not yet put down, nobody knows any more. An item
        that was added and then taken away by people before it was read again looks as if it had never come (§8)."""
        rows = self.query("SELECT espocrm_id, at, outcome, body FROM writes WHERE settled = 0")
        for person, at, outcome, body in rows:
            write = json.loads(body)
            self._last_read.pop((write["side"], person), None)
            if outcome is None:
                self._answered.pop((write["side"], person), None)
            if write["before"] is None and write["after"] is not None and person in self.ledger.books:
                value = (write["kind"], same(write["kind"], write["after"]["value"]))
                self._excuse_taken(self.ledger.books[person], write["side"], value, at)

    def _excuse_taken(self, book: Book, side: str, value: tuple[str, str], since: float) -> None:
        taken = book.taken[side].get(value)
        if taken is not None and self.timeline.wall() - self.timeline.now + taken >= since:
            self.ledger.excuse(book, [value], "taken away before a read of it was put down")

    def was_answered(self, side: str, person: str, at: float) -> None:
        self._answered[side, person] = at

    def deliver(
        self,
        side: str,
        asked: sim.Request,
        person: str | None,
        basis: float,
        run: str = "",
        *,
        late: bool = False,
    ) -> sim.Answer:
        """The server takes the request: the one place where anything changes by the daemon's hand."""
        world = self.espo if side == ESPOCRM else self.advoware
        book = self.ledger.books.get(person) if person else None
        if side == ESPOCRM and book is not None and self.espo.database.busy():
            self.trace.counts[f"fault {asked.method} during a save"] += 1
        if asked.method == "GET" or book is None:
            answer = world.answer(asked)
            if book is not None and side == ESPOCRM:
                self._signatures[side, book.pair.espocrm_id, self.timeline.now] = self.signature(book.pair)
            return answer
        self.widths.append(self.timeline.now - basis)
        if side == ADVOWARE:
            self._runs_over_rows(book, asked, basis)
            self._follows_half_an_array(book, asked, run)
        else:
            self._runs_over_arrays(book, asked, basis)
            self._shows_a_failure(book, asked, run)
        before = self._values(side, book)
        answer = world.answer(asked)
        if self.on_write is not None and answer.status < 300:
            self.on_write(side, asked.method, asked.path, asked.body)
        self.trace.say("effect", f"{asked.method} {answer.status}", side, "late" if late else "")
        if before and book.taken[side] and not self._left(side, book, asked, before):
            book.emptied.add(side)  # people took away some, their decision the last one: §9 asks all the same
        for value in self._sent(side, asked):
            if value not in before:
                self._given.setdefault((side, book.pair.espocrm_id), {})[value] = self.timeline.now
        return answer

    def _values(self, side: str, book: Book) -> set[tuple[str, str]]:
        shown = self.ledger.espocrm(book.pair) if side == ESPOCRM else self.ledger.advoware(book.pair)
        return set(shown.values)

    def _left(
        self, side: str, book: Book, asked: sim.Request, before: set[tuple[str, str]]
    ) -> set[tuple[str, str]]:
        """What the side shows when this is carried out: EspoCRM saves its rows one after the other, later than now."""
        if side == ADVOWARE:
            return self._values(side, book)
        body = json.loads(asked.body or b"{}")
        written = {kind for kind, family in _FAMILIES.items() if family.data in body}
        return {value for value in before if value[0] not in written} | self._sent(side, asked)

    def _sent(self, side: str, asked: sim.Request) -> set[tuple[str, str]]:
        body = json.loads(asked.body or b"{}")
        if side == ADVOWARE:
            tlf = str(body.get("tlf") or "")
            return {(EMAIL, same(EMAIL, tlf)), (PHONE_KIND, same(PHONE_KIND, tlf))} if tlf.strip() else set()
        return {
            (kind, same(kind, item[family.scalar]))
            for kind, family in _FAMILIES.items()
            for item in body.get(family.data) or []
        }

    def given_at(self, side: str, person: str, value: tuple[str, str]) -> float | None:
        return self._given.get((side, person), {}).get(value)

    # a write that ran over an edit which it could not know of (sync rules §13)

    def _runs_over_rows(self, book: Book, asked: sim.Request, basis: float) -> None:
        row_id = row_of(asked)
        body = json.loads(asked.body or b"{}")
        given = self._sent(ADVOWARE, asked)
        for start, _, side, _, values in book.edits:
            if side == ADVOWARE and start > basis and values & given:
                self.ledger.excuse(book, values & given, "given from a read older than the edit")
        if row_id is None:
            return
        shown = self.ledger.advoware(book.pair)
        now, ran_over = shown.rows.get(row_id), False
        for start, _, side, rows, values in book.edits:
            if side == ADVOWARE and row_id in rows and start > basis:
                self.trampled, ran_over = self.trampled + 1, True
                self.ledger.excuse(book, values, f"its row was written over at {self.timeline.now:.3f}")
                for value in values & given:  # it went to another row, and stands in this one again
                    book.row_count[value] = max(book.row_count[value], 1) + 1
                book.texts.pop(row_id, None)
        if asked.method == "DELETE" or not str(body.get("tlf") or "").strip():
            book.texts.pop(row_id, None)
            self._empties_the_last(book, row_id, basis)
        elif now is not None and now[0].strip() and now[0] != body["tlf"] and not ran_over:
            for kind in (EMAIL, PHONE_KIND):
                if same(kind, now[0]) == same(kind, body["tlf"]) and ("@" in now[0]) == (kind == EMAIL):
                    self.violations.append(f"row {row_id} was re-spelled")

    def _empties_the_last(self, book: Book, row_id: int, basis: float) -> None:
        """A change of type empties a number's old row because the new one holds it; somebody has just changed that."""
        held = [value for value, rows in self.ledger.holders(book.pair).items() if rows == {row_id}]
        changed = any(start > basis for start, _, side, _, _ in book.edits if side == ADVOWARE)
        must = [value for value in held if book.fates.get(value) is Fate.MUST]
        if changed and must:
            self.ledger.excuse(book, must, "its other row was changed a moment ago")

    def _follows_half_an_array(self, book: Book, asked: sim.Request, run: str) -> None:
        """An answer of EspoCRM that hid an unchanged item though nobody was saving (never observed there) can make a
        new item look like an edit of the hidden one (§4.5)."""
        row_id = row_of(asked)
        if (book.pair.espocrm_id, run) in self._half_arrays and row_id is not None:
            now = self.ledger.advoware(book.pair).rows.get(row_id, ("", "", False))[0]
            hidden = [v for kind in _FAMILIES if (v := (kind, same(kind, now))) in book.fates]
            self.ledger.excuse(book, hidden, "half an array was shown")
            for kind, value in self._sent(ADVOWARE, asked):
                rows = [book.row_count[old] for old in hidden if old[0] == kind]  # all of them follow
                book.row_count[kind, value] = max(book.row_count[kind, value], *rows, 0)

    def _shows_a_failure(self, book: Book, asked: sim.Request, run: str) -> None:
        """The run has broken off; what it reads after this is its own modifiedAt, and judged by nobody."""
        if "failed" in str(json.loads(asked.body or b"{}").get("syncStatus")):
            self._only_showed.add((book.pair.espocrm_id, run))

    def _runs_over_arrays(self, book: Book, asked: sim.Request, basis: float) -> None:
        body = json.loads(asked.body or b"{}")
        record = self.espo.person(book.pair.espocrm_id)
        known = self._last_signature(book.pair.espocrm_id, basis)
        for start, until, side, _, values in book.edits:
            if side != ESPOCRM or until <= basis:
                continue
            for kind, family in _FAMILIES.items():
                if body.get(family.data) is None:
                    continue
                unseen = start > basis or known.get(kind) == self._before(book, start, kind)
                if not unseen:
                    continue
                stored = {(kind, same(kind, item[family.scalar])) for item in record[family.data]}
                sent = {(kind, same(kind, item[family.scalar])) for item in body[family.data]}
                touched = {value for value in values if value[0] == kind} | (stored ^ sent)
                self.trampled += 1
                self.ledger.excuse(book, touched, f"the array was written over at {self.timeline.now:.3f}")
                book.opted_out = {value for value in book.opted_out if value[0] != kind}

    def _before(self, book: Book, start: float, kind: str) -> str | None:
        return self.before_edit.get((book.pair.espocrm_id, start), {}).get(kind)

    def _last_signature(self, person: str, basis: float) -> dict[str, str]:
        for (side, who, _), (at, signature) in self._reads.items():
            if side == ESPOCRM and who == person and at == basis:
                return signature
        found = self._last_read.get((ESPOCRM, person))
        return found[1] if found else {}

    def signature(self, pair: Pair) -> dict[str, str]:
        record = self.espo.person(pair.espocrm_id)
        return {
            kind: json.dumps(sorted(record[family.data], key=lambda i: str(i[family.scalar])), sort_keys=True)
            for kind, family in _FAMILIES.items()
        }

    # reads that show less, or something older

    def cut(self, side: str, asked: sim.Request, answer: sim.Answer, person: str | None) -> sim.Answer:
        """A truncated list, never for so long that it would be a second look (or a settled one)."""
        key, now = (side, str(person)), self.timeline.now
        since = self._cut.get(key)
        if since is not None and now - since > 0.5 * self.settings.sync.settle_seconds:
            return answer
        try:
            value = answer.json()
        except ValueError:
            return answer
        names = ("kommunikation",) if side == ADVOWARE else ("phoneNumberData", "emailAddressData")
        name = self.fate_chance.choice(names)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and isinstance(one.get(name), list) and one[name]:
                keep = self.fate_chance.randrange(len(one[name]))
                kept = self.fate_chance.sample(one[name], keep)
                self.hidden[side] += len(one[name])
                one[name] = kept + [
                    item for item in one[name] if item not in kept and self._is_news(item, key)
                ]
                self.hidden[side] -= len(one[name])
                self._cut.setdefault(key, now)
        return sim.Answer(answer.status, answer.headers, json.dumps(value).encode(), answer.seconds)

    def _is_news(self, item: dict[str, Any], key: tuple[str, str]) -> bool:
        """Half an array shows what a save has just brought; without it the read would be an older one, not a torn one
        (sync rules §13)."""
        if key[0] == ADVOWARE or key not in self._answers:
            return False
        text = self._answers[key][1].body.decode()
        return str(item.get("phoneNumber") or item.get("emailAddress")) not in text

    def stale(self, side: str, asked: sim.Request, answer: sim.Answer, person: str | None) -> sim.Answer:
        at, old = self._answers.get((side, str(person)), (0.0, answer))
        fresh_enough = self.timeline.now - at <= 0.5 * self.settings.sync.settle_seconds
        if not fresh_enough or old.body == answer.body:
            return answer
        book = self.ledger.books[str(person)]
        book.excused_conflicts = True
        return sim.Answer(answer.status, {**answer.headers}, old.body, answer.seconds)

    def late(self, delay: float, effect: Callable[[], object]) -> None:
        self.lates += 1

        def happen() -> None:
            self.lates -= 1
            effect()

        self.timeline.after(delay, happen)

    def foreign_edit(self, side: str, person: str) -> None:
        self.office.edit(side, self.ledger.books[person])

    # -- the daemon's lives ------------------------------------------------------------------------------------

    def kills_here(self, name: str) -> bool:
        self.effects += 1
        if self.effects > _TOO_MANY:
            self.violations.append("it never ends: too many requests and commits")
            self.over = True
            return True
        if self.effects in self.die_at:
            return True
        mood = self.plan.mood
        return mood.dies > 0 and self.timeline.now < mood.until and self.fate_chance.random() < mood.dies

    def live(self) -> None:
        """One life of the daemon, until it is killed or told to stop."""
        self.process = Process(self)
        try:
            self.process.run()
            self.trace.say("fate", "stopped")
        except Killed:
            self.deaths += 0 if self.over else 1
            self.forget_unsaved()
        finally:
            self.process = None

    def end_life(self) -> None:
        if self.process is not None:
            self.process.loop.die()

    def lose_store(self) -> None:
        """What lost in a conflict was only in the history."""
        for person, body in self.query("SELECT espocrm_id, body FROM decisions"):
            told = json.loads(body)
            texts = [str(told[name]) for name in ("espocrm", "advoware") if told.get(name)]
            values = [(kind, same(kind, text)) for text in texts for kind in _FAMILIES]
            book = self.ledger.books[person]
            self.ledger.excuse(
                book, [v for v in values if v in book.fates], "lost a conflict, and the history is lost"
            )
        self._reader.close()
        if self.plan.damage_store and self.store.exists():
            self._overwrite_pages()
        else:
            for path in self.store.parent.glob(f"{self.store.name}*"):
                path.unlink()
        self.trace.say("fate", "damaged_store" if self.plan.damage_store else "lost_store")
        self.ledger.forgotten(f"the database was lost at {self.timeline.now:.3f}")

    def _overwrite_pages(self) -> None:
        data = bytearray(self.store.read_bytes())
        share = self.fate_chance.choice((0.1, 0.5, 1.0))
        for start in range(0, len(data), 4096):
            if start == 0 or self.fate_chance.random() < share:
                data[start : start + 4096] = self.fate_chance.randbytes(min(4096, len(data) - start))
        self.store.write_bytes(bytes(data[: self.fate_chance.choice((len(data), len(data) // 2))]))

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._reader.query(statement, values)

    def close(self) -> None:
        self._reader.close()

    def mark(self) -> None:
        """From here on the effects are the scenario's."""
        self.first_effect = self.effects + 1

    def agreed_once(self, book: Book) -> bool:
        """Whether a first sync of this pair has come to its end."""
        rows = self.query(
            "SELECT body FROM pairs WHERE espocrm_id = ? AND bet_nr = ?",
            book.pair.espocrm_id,
            book.pair.bet_nr,
        )
        return bool(rows) and not json.loads(rows[0][0])["first"]

    def written(self) -> int:
        return self.espo.written() + self.advoware.written()


class Process:
    """One life of the daemon: its loop, its wires, its connection to the store."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.loop = VirtualLoop(town.timeline)
        self.gates: Mapping[Side, Gate] = {}
        self.store: SqliteStore | None = None
        #: side → until when it wanted to be left alone, as this process was told
        self.rests_until: dict[str, float] = {}
        self.app: App | None = None

    def run(self) -> None:
        with on_the_loop(self):
            self.loop.live(self._main())

    async def _main(self) -> None:
        town = self.town
        wires = {side: SimWire(side.value, town, self) for side in Side}
        chance = random.Random(f"{town.plan.seed}/daemon/{town.deaths}")
        async with open_outside(
            town.settings, METRICS, exclusive=True, wires=wires, clock=town.clock, random=chance
        ) as outside:
            self.gates, self.store = outside.gates, outside.store
            self.app = App(outside)
            await self.app.run()

    def stop(self) -> None:
        """As by SIGTERM."""
        if self.app is not None:
            self.app.stop()

    def shut(self) -> list[str]:
        """Sides that the daemon does not use just now."""
        return [gate.side.value for gate in self.gates.values() if not gate.usable]

    async def alive(self) -> None:
        """Returns only if the process lives."""
        if self.loop.dead:
            await self.loop.create_future()

    async def effect(self, name: str, phase: str) -> None:
        """A place where the process may die."""
        await self.alive()
        if self.town.kills_here(f"{name} {phase}"):
            self.town.trace.say("fate", "killed", name, phase)
            self.loop.die()
            await self.loop.create_future()

    async def before_hop(self) -> None:
        await self.alive()

    async def after_hop(self, wrote: bool) -> None:
        if wrote:
            await self.effect("store", "after")


class _Form:
    """EspoCRM as the staff's browser shows it: remembers what was sent, because a slow save shows it only later."""

    def __init__(self, espo: EspoWorld) -> None:
        self._espo = espo
        self.sent: dict[str, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._espo, name)

    def edit_person(self, record_id: str, **form: Any) -> None:
        self._espo.edit_person(record_id, **form)
        self.sent = form


class Office:
    """The staff: every edit is put down in the ledger."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self.form = self._form = _Form(town.espo)
        self._chance = random.Random(f"{town.plan.seed}/staff")
        self.staff = Staff(
            self._form,  # type: ignore[arg-type]
            town.advoware,
            self._chance,
            town.pairs,
            moves=town.plan.moves,
        )

    def edit(self, side: str | None = None, book: Book | None = None) -> None:
        town = self._town
        side = side or self._chance.choice((ESPOCRM, ADVOWARE))
        book = book or town.ledger.books[self._chance.choice(town.pairs).espocrm_id]
        if side == ESPOCRM and _too_full(town, book):
            return
        if side == ADVOWARE and _too_full(town, book):
            side_before = town.ledger.advoware(book.pair)
            if sum(side_before.values.values()) > 14:
                return
        self.act(side, book, lambda: self._random_edit(side, book))

    def _random_edit(self, side: str, book: Book) -> str | None:
        edit = self.staff.edit(side, book.pair)  # type: ignore[arg-type]
        return f"{edit.what} {edit.before} -> {edit.after}" if edit else None

    def act(self, side: str, book: Book, do: Callable[[], str | None]) -> None:
        """Somebody does something on one side and says what; None: he could not."""
        town, now = self._town, self._town.timeline.now
        before = town.ledger.espocrm(book.pair) if side == ESPOCRM else town.ledger.advoware(book.pair)
        signature = town.signature(book.pair) if side == ESPOCRM else {}
        agreed = town.agreed_once(book)
        self._form.sent = None
        what = do()
        if what is None:
            return
        name, _, details = what.partition(" ")
        town.trace.say("staff", name, side, book.pair.bet_nr, details)
        if side == ESPOCRM:
            after = _submitted(before, self._form.sent or {})
            town.before_edit[book.pair.espocrm_id, now] = signature
            until = now + town.espo.saving.seconds
        else:
            after, until = town.ledger.advoware(book.pair), now
        town.ledger.edited(book, side, before, after, now, until)
        if not agreed:
            gone = [value for value in before.values if not after.values[value]]
            town.ledger.excuse(book, gone, "taken away before the first sync: nothing was ever agreed (§7)")
        self._older_forms(side, book, before, after)
        if side == ADVOWARE:
            self._marker_gone(book, before, after)
            self._moves_beside_an_open_write(book, before, after)

    def _moves_beside_an_open_write(self, book: Book, before: Shown, after: Shown) -> None:
        """What a row shows while the answer to a write of ours is missing may be our own value: nothing is followed."""
        values = moved(before, after)
        stays = any(before.values[value] and after.values[value] for value in values)
        if stays and any(self._town.is_unanswered(ADVOWARE, book, value) for value in values):
            self._town.ledger.excuse(book, values, "moved while a write of it had no answer")

    def _marker_gone(self, book: Book, before: Shown, after: Shown) -> None:
        """Of a row whose POST was not answered only the marker tells that it is not staff's own (§8)."""
        for row_id, (tlf, text, _) in after.rows.items():
            was = before.rows.get(row_id)
            kind = "email" if "@" in tlf else "phone"
            value = (kind, same(kind, tlf))
            written_over = was is not None and was[0] == tlf and was[1] != text
            if written_over and self._town.is_unanswered(ADVOWARE, book, value):
                book.unmarked.add(value)

    def _older_forms(self, side: str, book: Book, before: Shown, after: Shown) -> None:
        """Taking away what the daemon gave a moment ago looks like an older form (§9)."""
        town, window = self._town, self._town.settings.sync.stale_form_seconds
        for value in before.values:
            if not after.values[value]:
                if value in book.unmarked:
                    town.ledger.excuse(book, [value], "its marker was written over before its row was known")
                given = town.given_at(side, book.pair.espocrm_id, value)
                if given is None:
                    continue
                if window and town.timeline.now - given <= window + 10:
                    town.ledger.excuse(book, [value], "taken away right after it was given: an older form?")
                elif not town.has_seen_since(side, book, given) or town.is_unanswered(side, book, value):
                    town.ledger.excuse(
                        book, [value], "taken away before the daemon could read what it had added"
                    )


def _too_full(town: Town, book: Book) -> bool:
    """The limit of ten items has scenarios of its own."""
    shown = town.ledger.espocrm(book.pair).values + town.ledger.advoware(book.pair).values
    return any(sum(1 for kind, _ in shown if kind == one) >= 8 for one in _FAMILIES)


def _submitted(before: Shown, form: dict[str, Any]) -> Shown:
    after = Shown(Counter(before.values), opted_out=before.opted_out)
    for kind, family, key in ((EMAIL, MAIL, "mails"), (PHONE_KIND, PHONE, "phones")):
        if form.get(key) is None:
            continue
        for value in [value for value in after.values if value[0] == kind]:
            del after.values[value]
        items = {(kind, same(kind, item[family.scalar])): item for item in form[key]}
        after.values.update(items.keys())
        kept = {value for value in after.opted_out if value[0] != kind}
        after.opted_out = frozenset(kept | {value for value, item in items.items() if item.get("optOut")})
    return after


# -- settings ------------------------------------------------------------------------------------------------


def _settings(plan: Plan, store: Path, espo: EspoWorld, access: Access) -> Settings:
    """Minutes where production has hours: the rules know no absolute times."""
    sync = {
        "workers": 4,
        "deletion_confirm_seconds": 12,
        "settle_seconds": 2,
        "max_read_age_seconds": 3,
        "retry_schedule_seconds": (4, 8, 16, 32, 64),
        "auto_reset_seconds": 120,
        "loop_window_seconds": 300,
        "stale_form_seconds": 0,
        "late_effect_seconds": 300,
        **plan.sync,
    }
    guard = {"max_deletions": 100_000, "max_deletion_share": 1.0, "window_seconds": 600, **plan.guard}
    return Settings.model_validate(
        {
            "espocrm": {
                "url": "http://crm.test",
                "api_key": espo.api_user.api_key,
                "poll_interval_seconds": plan.poll,
                "poll_overlap_seconds": 5,
                "full_scan_interval_seconds": plan.scan,
                "timeout_seconds": 6,
            },
            "advoware": {
                "kanzlei": access.kanzlei,
                "database": access.database,
                "user": access.user,
                "password": access.password,
                "app_id": access.app_id,
                "api_key": access.api_key,
                "base_url": "http://advoware.test",
                "security_gateway_url": "http://advoware.test",
                "sweep_interval_seconds": plan.sweep,
                "timeout_seconds": 6,
                "max_requests_per_second": 0,
            },
            "sync": sync,
            "guard": guard,
            "store": {"path": store},
        }
    )


def quiet_process(tell: Callable[[str], None] | None = None) -> None:
    """Logs cost time and say nothing that the trace does not say; corpses need not complain. ``tell``: gets them."""
    level = logging.CRITICAL if tell is None else logging.DEBUG

    def told(logger: object, name: str, event: dict[str, Any]) -> str:
        if tell is not None:
            error = event.pop("exc_info", None)
            tell(f"{name} {event.pop('event')} {event}")
            if error:
                tell(
                    "".join(
                        traceback.format_exception(
                            error if isinstance(error, BaseException) else sys.exception()
                        )
                    )
                )
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, told],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    sys.unraisablehook = lambda unraisable: None


def empty_folder(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
