"""Both systems and the story of one sync, in memory: carries out plans round by round, as a daemon would.

A world has true rows (kommKz hidden on GET) and true items, a clock that only tests move, and a journal. Misfortune is
put on ``faults`` by the number of the write; people act through ``between`` while a run is going on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from statemachine import effects, journal, kommkz, looks, marker
from statemachine.acceptance import Acceptance, shown
from statemachine.advance import agreed_so_far
from statemachine.case import (
    REJECTED,
    Case,
    Conflict,
    ConflictKind,
    Decision,
    Fuse,
    Hold,
    Keep,
    Outcome,
    Shown,
    Variant,
    Write,
)
from statemachine.commands import DeleteRow, PostRow, PutRecord, PutRow, RowCommand, RowContent
from statemachine.decide import same_conflict
from statemachine.model import AdvowareRecord, EspocrmRecord, Item, Kind, Kommunikation, Side
from statemachine.plan import Plan, make
from statemachine.rules import Rules
from statemachine.situation import Situation, Value

RULES = Rules(Acceptance())


class Crash(Exception):
    """The process dies here."""


@dataclass(slots=True)
class Run:
    """What one run did. ``plans``: one per planning round; ``writes``: the requests that were sent."""

    plans: list[Plan] = field(default_factory=list)
    writes: int = 0
    ended: str = "crashed"

    @property
    def plan(self) -> Plan:
        return self.plans[-1]


@dataclass(slots=True)
class World:
    rules: Rules = RULES
    now: float = 1_000_000.0
    bet_nr: int = 4711
    rows: dict[int, Kommunikation] = field(default_factory=dict)
    emails: list[Item] = field(default_factory=list)
    phones: list[Item] = field(default_factory=list)
    case: Case = field(default_factory=Case)
    stamp: int = 1
    #: the user's syncStatus
    fields: dict[str, str | int | None] = field(default_factory=dict)
    convenience: tuple[tuple[int, str], ...] = ()
    #: write number (0 = first of this world) → "before", "after", "recorded" (crash), "lost" (answered, no effect),
    #: "kept" (a PUT answered with the row as it was), "unknown" (effect, no answer), "nothing" (no effect, no answer)
    faults: dict[int, str] = field(default_factory=dict)
    refuses: Callable[[RowContent | Item], bool] = lambda _: False
    between: list[Callable[[Plan], object]] = field(default_factory=list)
    #: what GET shows instead of the truth, once each
    torn_rows: list[list[Kommunikation]] = field(default_factory=list)
    shown_kz: bool = False
    holders: dict[Value, Shown] = field(default_factory=dict)
    shared: set[Value] = field(default_factory=set)
    bemerkung_length: int = 1000
    sent: list[RowCommand | PutRecord] = field(default_factory=list)
    history: list[Write] = field(default_factory=list)
    deletes: bool = False
    #: types that EspoCRM does not let us change
    types: dict[str, str] = field(default_factory=dict)
    count: int = 0
    _next_row: int = 100
    _row_version: int = 0

    # --- people -------------------------------------------------------------------------------------------------

    def row(self, tlf: str, kz: int = 1, bemerkung: str = "", online: bool = False) -> int:
        self._next_row += 1
        self._put_row(Kommunikation(self._next_row, "", tlf, bemerkung, online, kz))
        return self._next_row

    def edit_row(self, row_id: int, **changes: object) -> None:
        self._put_row(replace(self.rows[row_id], **changes))  # type: ignore[arg-type]

    def remove_row(self, row_id: int) -> None:
        del self.rows[row_id]

    def items(self, kind: Kind) -> list[Item]:
        return self.emails if kind is Kind.EMAIL else self.phones

    def phone(self, value: str, type_: str = "Office", **flags: bool) -> None:
        self._add(Item(Kind.PHONE, value, type_, **flags))

    def email(self, value: str, **flags: bool) -> None:
        self._add(Item(Kind.EMAIL, value, **flags))

    def edit_item(self, shown_value: str, /, **changes: object) -> None:
        self.stamp += 1
        for items in (self.emails, self.phones):
            for place, item in enumerate(items):
                if item.value == shown_value:
                    items[place] = replace(item, **changes)  # type: ignore[arg-type]
                    return
        raise KeyError(shown_value)

    def remove_item(self, value: str) -> None:
        self.stamp += 1
        for items in (self.emails, self.phones):
            items[:] = [item for item in items if item.value != value]
            if items and not any(item.primary for item in items):
                items[0] = replace(items[0], primary=True)

    def make_primary(self, value: str) -> None:
        self.stamp += 1
        for items in (self.emails, self.phones):
            if any(item.value == value for item in items):
                items[:] = [replace(item, primary=item.value == value) for item in items]

    def decide(self, keep: Keep, conflict: Conflict | None = None) -> None:
        chosen = conflict or self.case.conflicts[0]
        self.case = replace(
            self.case, decisions=(*self.case.decisions, Decision(chosen, keep, "operator", self.now))
        )

    def wait(self, seconds: float) -> World:
        self.now += seconds
        return self

    def fuse(self, side: Side, fuse: Fuse, hold: Hold | None = None) -> None:
        """Blow it, or settle it as ``hold``."""
        wanted = Hold.HELD if fuse is not Fuse.INTACT else hold
        self.case = replace(
            self.case,
            fuse=((side, fuse),),
            vanished=tuple(
                replace(one, hold=wanted)
                if wanted and one.side is side and one.hold in (Hold.PENDING, Hold.HELD)
                else one
                for one in self.case.vanished
            ),
        )

    # --- what is true -------------------------------------------------------------------------------------------

    def values(self, side: Side) -> set[Value]:
        """Canonical values of what is there."""
        s = self.situation()
        if side is Side.ESPOCRM:
            return {(i.kind, s.canonical(i.value, i.kind)) for i in (*self.emails, *self.phones)}
        return {
            (kind, s.canonical(row.tlf, kind))
            for row in self.rows.values()
            if row.tlf.strip() and (family := kommkz.family(row.komm_kz)) and (kind := Kind(family))
        }

    def tlfs(self) -> list[str]:
        return [row.tlf for _, row in sorted(self.rows.items())]

    def item_values(self) -> list[str]:
        return [item.value for item in (*self.emails, *self.phones)]

    def agreed(self) -> list[tuple[str, list[int]]]:
        return [(link.value, [row.id for row in link.rows]) for link in self.case.base.links]

    def espocrm(self) -> EspocrmRecord:
        return EspocrmRecord(
            "e1",
            self.bet_nr,
            tuple(self.emails),
            tuple(self.phones),
            f"t{self.stamp}",
            None,
            None,
            tuple(self.fields.items()),
            self.now,
            self.now,
        )

    def advoware(self) -> AdvowareRecord:
        rows = self.torn_rows.pop(0) if self.torn_rows else sorted(self.rows.values(), key=lambda row: row.id)
        seen = tuple(row if self.shown_kz else replace(row, komm_kz=0) for row in rows)
        return AdvowareRecord(self.bet_nr, seen, self.convenience, self.now, self.now)

    def situation(self, **changes: object) -> Situation:
        situation = Situation(
            self.espocrm(), self.advoware(), self.case, self.rules, self.now, "2026-01-01 00:00:00"
        )
        return replace(situation, **changes)  # type: ignore[arg-type]

    # --- one run ------------------------------------------------------------------------------------------------

    def run(self) -> Run:
        """One sync; a crash in it is caught, the case then holds what a journal would."""
        self.now += 1
        run = Run()
        try:
            _Sync(self, run).story()
        except Crash:
            run.ended = "crashed"
        return run

    def sync(self, runs: int = 12) -> list[Run]:
        """Run until nothing is pending, waiting as long as asked."""
        done: list[Run] = []
        for _ in range(runs):
            done.append(self.run())
            if done[-1].ended not in ("look_again", "crashed"):
                return done
            again = done[-1].plan.look_again_at if done[-1].plans else None
            self.now = max(self.now, again or self.now)
        raise AssertionError(f"no end: {done[-1].plan.entries}")

    def quiet(self) -> None:
        """A further run writes nothing."""
        assert self.run().writes == 0

    # --- the two servers ----------------------------------------------------------------------------------------

    def fault(self) -> str:
        number, self.count = self.count, self.count + 1
        return self.faults.get(number, "")

    def write_row(self, command: RowCommand) -> Kommunikation:
        put = command.slot if isinstance(command, DeleteRow) else command
        assert put.after.komm_kz, "a row without kommKz"
        if isinstance(put, PostRow):
            return self.rows[self.row(put.after.tlf, put.after.komm_kz, self._fit(put), put.after.online)]
        old = self.rows[put.id]
        if isinstance(command, DeleteRow) and self.deletes:
            return self.rows.pop(put.id)
        self._put_row(
            replace(old, tlf=put.after.tlf, bemerkung=self._fit(put), online=put.after.online)
        )  # kommKz is accepted and ignored
        return self.rows[put.id]

    def write_record(self, command: PutRecord) -> None:
        self.stamp += 1
        for kind, items in ((Kind.EMAIL, command.emails), (Kind.PHONE, command.phones)):
            if items is not None:
                _check(items, self)
                kept = [replace(item, type=self.types.get(item.value, item.type)) for item in items]
                self.items(kind)[:] = [replace(item, value=self._stored(item)) for item in kept]
        self.fields.update(dict(command.fields))

    def _fit(self, put: PutRow | PostRow) -> str:
        return put.after.bemerkung[: self.bemerkung_length]

    def _stored(self, item: Item) -> str:
        stored = shown(item.value, item.kind, self.rules.acceptance)
        assert stored is not None, "a value was sent that would be refused"
        return stored

    def _put_row(self, row: Kommunikation) -> None:
        self._row_version += 1
        self.rows[row.id] = replace(row, row_id=f"r{self._row_version}")

    def _add(self, item: Item) -> None:
        self.stamp += 1
        items = self.items(item.kind)
        items.append(item if items else replace(item, primary=True))


def _check(items: tuple[Item, ...], world: World) -> None:
    values = [world.situation().canonical(item.value, item.kind) for item in items]
    assert len(values) == len(set(values)), "two items of one canonical value"
    assert not items or sum(item.primary for item in items) == 1, "not exactly one primary"
    assert len(items) <= 10, "eleven items"


class _Sync:
    """The story of one sync."""

    def __init__(self, world: World, run: Run) -> None:
        self._w = world
        self._run = run
        self._refused: dict[str, str] = {}
        self._one_at_a_time = False
        self._holders: dict[Value, Shown | None] = {}
        self._asked: set[Value] = set()
        self._rounds = 0
        self._wrote_record = False
        self._agreed_is_noted = False
        self._stop = False
        self._not_created: set[str | None] = set()

    def story(self) -> None:
        w = self._w
        self._espocrm, self._advoware = w.espocrm(), w.advoware()
        self._seen_e = looks.look_espocrm(self._espocrm, w.case.seen_espocrm)
        self._seen_a = looks.look_advoware(self._advoware, w.case.seen_advoware)
        self._settled = frozenset(
            part.name
            for look in (self._seen_e, self._seen_a)
            for part in look.parts
            if looks.settled(look, part.name, w.rules.settle)
        )
        last = False
        while True:
            self._rounds += 1
            plan = make(self._situation())
            self._run.plans.append(plan)
            if w.between:
                w.between.pop(0)(plan)
            if last or plan.idle or self._rounds > 24:
                break
            last = not self._step(plan)
        self._finish(plan)

    def _step(self, plan: Plan) -> bool:
        """The next thing to do; False when it must wait for another run."""
        w = self._w
        if plan.questions:
            self._asked |= set(plan.questions)
            return True
        self._note_agreed(plan)
        if plan.rows and not self._wrote_record:
            for command in self._until_unknown(plan.rows):
                self._row(command)
            self._read_advoware()
            return not self._stop
        if plan.lookups:
            for kind, canonical, _ in plan.lookups:
                self._holders[kind, canonical] = w.holders.get((kind, canonical))
        elif plan.record is not None and (not self._wrote_record or self._one_at_a_time):
            self._record(plan.record)
            self._espocrm = w.espocrm()
            self._seen_e = looks.look_espocrm(self._espocrm, self._seen_e)
            return not self._stop
        else:
            return False
        return True

    def _note_agreed(self, plan: Plan) -> None:
        """Once, before the first write; from then on the journal knows."""
        w = self._w
        base = None if self._agreed_is_noted else agreed_so_far(w.case.base, plan.base)
        self._agreed_is_noted = True
        if base is not None:
            w.case = replace(w.case, base=base)

    def _until_unknown(self, rows: tuple[RowCommand, ...]) -> Iterator[RowCommand]:
        for command in rows:
            if self._stop:
                return
            yield command

    def _situation(self) -> Situation:
        w = self._w
        return Situation(
            self._espocrm,
            self._advoware,
            w.case,
            w.rules,
            w.now,
            "2026-01-01 00:00:00",
            self._settled,
            dict(self._holders),
            frozenset(w.shared & self._asked),
            frozenset(self._asked),
            dict(self._refused),
            self._one_at_a_time,
        )

    def _read_advoware(self) -> None:
        self._advoware = self._w.advoware()
        before, self._seen_a = self._seen_a, looks.look_advoware(self._advoware, self._seen_a)
        if looks.changed(before, self._seen_a):
            self._settled -= {looks.ROWS}

    def _row(self, command: RowCommand) -> None:
        w = self._w
        put = command.slot if isinstance(command, DeleteRow) else command
        if not self._goes_out(put):
            return
        (write,) = self._journal((journal.of_row(command, self._call(), w.now, w.rules.region),))
        w.sent.append(command)
        self._run.writes += 1
        fault = w.fault()
        if fault == "before":
            raise Crash
        if fault == "nothing":
            self._unknown(write)
        elif w.refuses(put.after) or (isinstance(put, PutRow) and put.id not in w.rows):
            self._refuse(write, put)
        else:
            self._answer(write, command, put, fault)

    def _goes_out(self, put: PutRow | PostRow) -> bool:
        if isinstance(put, PutRow) and put.deletion_from:
            self._stop = not self._may_delete(put.link_key, put.deletion_from)
            return not self._stop
        if put.variant is Variant.TYPE and put.after.tlf == "":
            return put.link_key not in self._not_created
        if put.variant is Variant.TYPE:
            self._not_created.add(put.link_key)
        return True

    def _unknown(self, write: Write) -> None:
        self._record_outcome(write, Outcome.UNKNOWN)
        self._stop = True

    def _refuse(self, write: Write, put: PutRow | PostRow) -> None:
        self._record_outcome(write, Outcome.REFUSED)
        self._refused[write.gives] = "refused_by_advoware"
        if put.variant is Variant.MARKER and isinstance(put, PutRow):
            self._refused[f"marker:{put.id}"] = "refused_by_advoware"

    def _answer(self, write: Write, command: RowCommand, put: PutRow | PostRow, fault: str) -> None:
        w = self._w
        if fault == "kept":
            answer = w.rows[put.id]  # type: ignore[union-attr]
        elif fault == "lost":
            old = w.rows[put.id] if isinstance(put, PutRow) else Kommunikation(0, "", "", "", False)
            sent = put.after
            answer = replace(old, tlf=sent.tlf, bemerkung=sent.bemerkung, online=sent.online)
        else:
            answer = w.write_row(command)
        if fault == "after":
            raise Crash
        if fault == "unknown":
            self._unknown(write)
            return
        shown_row = Shown(answer.tlf, answer.bemerkung, answer.online, answer.komm_kz)
        self._record_outcome(write, Outcome.DONE, answer.id, shown_row)
        self._not_created.discard(put.link_key)
        self._learn(put, answer)
        if fault == "recorded":
            raise Crash

    def _learn(self, put: PutRow | PostRow, answer: Kommunikation) -> None:
        w = self._w
        limits = w.case.limits
        if len(answer.bemerkung) < len(put.after.bemerkung):
            w.case = replace(w.case, limits=replace(limits, bemerkung=len(answer.bemerkung)))
            text = marker.read(put.after.bemerkung)[1]
            now = RowContent(answer.tlf, answer.bemerkung, answer.online, answer.komm_kz)
            plain = replace(put.after, bemerkung=text)
            self._row(PutRow(put.variant, put.kind, put.link_key, answer.id, now, plain))
        else:
            whole = max(limits.bemerkung_whole, len(answer.bemerkung))
            w.case = replace(w.case, limits=replace(limits, bemerkung_whole=whole))

    def _record(self, command: PutRecord) -> None:
        w = self._w
        for change in command.changes:
            if change.deletion_from and not self._may_delete(change.link_key, change.deletion_from):
                self._stop = True
                return
        writes = self._journal(journal.of_record(command, self._call(), w.now, w.rules.region))
        if self._espocrm.modified_at != f"t{w.stamp}":  # 409: somebody saved since our read
            self._end(writes, Outcome.REFUSED)
            self._settled -= {looks.EMAILS, looks.PHONES}
            return
        w.sent.append(command)
        self._run.writes += 1
        fault = w.fault()
        if fault == "before":
            raise Crash
        if any(w.refuses(item) for item in (*(command.emails or ()), *(command.phones or ()))):
            self._refuse_array(writes)
        else:
            self._put_record(command, writes, fault)

    def _refuse_array(self, writes: tuple[Write, ...]) -> None:
        self._end(writes, Outcome.REFUSED)
        if len(writes) == 1 or self._one_at_a_time:
            self._refused.update({write.gives: "refused_by_espocrm" for write in writes})
        self._one_at_a_time = True

    def _put_record(self, command: PutRecord, writes: tuple[Write, ...], fault: str) -> None:
        self._wrote_record = True
        if fault not in ("lost", "nothing"):
            self._w.write_record(command)
        if fault == "after":
            raise Crash
        self._stop = fault in ("unknown", "nothing")
        self._end(writes, Outcome.UNKNOWN if self._stop else Outcome.DONE)
        if fault == "recorded":
            raise Crash

    def _end(self, writes: tuple[Write, ...], outcome: Outcome) -> None:
        for write in writes:
            self._record_outcome(write, outcome)

    def _may_delete(self, link_key: str | None, side: Side) -> bool:
        found = [v for v in self._w.case.vanished if (v.link_key, v.side) == (link_key, side)]
        if any(one.hold is Hold.APPROVED for one in found):
            return True
        return self._w.case.fuse_of(side) is Fuse.INTACT

    def _call(self) -> str:
        return f"c{len(self._w.history)}"

    def _journal(self, writes: tuple[Write, ...]) -> tuple[Write, ...]:
        w = self._w
        start = len(w.history) + 1
        stored = tuple(replace(write, id=start + n) for n, write in enumerate(writes))
        w.history.extend(stored)
        w.case = replace(w.case, writes=(*w.case.writes, *stored))
        return stored

    def _record_outcome(
        self, write: Write, outcome: Outcome, advoware_id: int | None = None, after: Shown | None = None
    ) -> None:
        w = self._w
        ended = replace(
            write, outcome=outcome, advoware_id=advoware_id or write.advoware_id, after=after or write.after
        )
        w.history[write.id - 1] = ended
        w.case = replace(w.case, writes=tuple(ended if x.id == write.id else x for x in w.case.writes))

    def _finish(self, plan: Plan) -> None:
        w = self._w
        came = effects.came(self._situation())
        known = [replace(x, outcome=Outcome.DONE) if x.id in came else x for x in w.case.writes]
        settled = tuple(x if x.id in plan.not_taken else replace(x, settled=True) for x in known)
        window = max(w.rules.stale_form, w.rules.late_effect, w.rules.loop_window)
        holds = {(v.link_key, v.side, v.base_value): v.hold for v in w.case.vanished}
        closed = [*self._all_decided(), *plan.void]
        w.case = replace(
            w.case,
            base=plan.base,
            previous=None if self._pair_settled(plan) else w.case.previous,
            seen_espocrm=self._seen_e,
            seen_advoware=self._seen_a,
            pending=plan.pending,
            conflicts=tuple(
                replace(c, id=c.id or 1000 + n + len(w.history) * 100) for n, c in enumerate(plan.conflicts)
            ),
            decisions=tuple(
                d
                for d in w.case.decisions
                if d not in closed or any(same_conflict(d.conflict, c) for c in plan.conflicts)
            ),
            writes=tuple(x for x in settled if not x.settled or x.at >= w.now - window),
            vanished=tuple(
                v
                if v.hold in REJECTED
                else replace(v, hold=holds.get((v.link_key, v.side, v.base_value), v.hold))
                for v in plan.vanished
            ),
            parked=plan.parked,
            unsyncable=plan.unsyncable,
            wishes=tuple(x for x in w.case.wishes if x.id not in plan.wishes_done),
        )
        if self._stop or plan.look_again_at is not None or not plan.idle:
            self._run.ended = "look_again"
        elif plan.conflicts:
            self._run.ended = "conflict"
        else:
            self._run.ended = "synced"

    def _pair_settled(self, plan: Plan) -> bool:
        waits = any(c.kind is ConflictKind.BETNR_CHANGED for c in plan.conflicts)
        done = any(d.conflict.kind is ConflictKind.BETNR_CHANGED for d in self._all_decided())
        return done and not waits

    def _all_decided(self) -> list[Decision]:
        return [one for plan in self._run.plans for one in (*plan.decided, *plan.carried_out)]


def agreed(*values: str, rules: Rules = RULES, text: str = "") -> World:
    """A Beteiligte whose ``values`` were entered in Advoware, synced long ago; rows are numbered from 101."""
    world = World(rules)
    for value in values:
        kz = 4 if "@" in value else 3 if value.startswith(("017", "+4917")) else 1
        world.row(value, kz, text, online="@" in value)
    world.sync()
    world.wait(100_000)
    world.sync()
    world.history.clear()
    world.sent.clear()
    world.case = replace(world.case, writes=())
    return world
