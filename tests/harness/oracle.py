"""What must be true when all is quiet. Reads both worlds and the store's tables; shares no code with the decisions."""

from __future__ import annotations

import json

from daemon.simulators.espocrm import MAIL, PHONE
from tests.harness.ledger import ADVOWARE, ESPOCRM, Book, Fate, Value, value_of
from tests.harness.town import Town
from tests.harness.values import FAMILY, espocrm_takes, same


def restless(town: Town) -> str:
    """Why it is not quiet yet; "" when it is."""
    town.espo.database.settle()
    if town.lates:
        return "a late effect is still to come"
    if any(until > town.timeline.now for _, _, until, _ in town.plan.outages):
        return "a side is down"
    if town.espo.database.busy():
        return "EspoCRM is still saving"
    if town.process is None or town.process.shut():
        return "the daemon does not use a side"
    return unsettled(town)


def unsettled(town: Town) -> str:
    """Whose record is not at rest, as the store says."""
    states = dict(town.query("SELECT state, count(*) FROM persons GROUP BY state"))
    if sum(states.values()) != (len(town.pairs) if town.plan.tracked is None else town.plan.tracked):
        return f"tracked: {states}"
    waiting = {state: n for state, n in states.items() if state not in town.plan.rests_in}
    reasons = town.query("SELECT state, reason FROM persons WHERE state NOT IN ('clean', 'conflict')")
    return f"{waiting} {reasons}" if waiting else ""


def judge(town: Town) -> None:
    town.violations += [*_knocks(town), *_twins(town)]
    for book in town.ledger.books.values():
        for problem in _Judge(town, book).problems():
            town.violations.append(f"betNr {book.pair.bet_nr}: {problem}")


def moments(town: Town, at: float) -> list[float]:
    """Where on the timeline the store's moment ``at`` may have been: the daemon's clock may have been set."""
    wrong = {0.0, *(seconds for _, who, seconds in town.plan.clocks if who == "daemon")}
    began = town.timeline.wall() - town.timeline.now
    return [at - began - seconds for seconds in sorted(wrong)]


def _was_set(town: Town) -> bool:
    return any(at > 0 and who == "daemon" for at, who, _ in town.plan.clocks)


def _knocks(town: Town) -> list[str]:
    """A side that is down gets one cheap probe now and then (states)."""
    found = []
    for side in (ESPOCRM, ADVOWARE):
        lasted = sum(b - a for who, a, b, _ in town.plan.outages if who == side)
        if town.knocks[side] > 40 + lasted / 4:
            found.append(f"{side} got {town.knocks[side]} requests while it was down for {lasted:.0f} s")
    return found


def _twins(town: Town) -> list[str]:
    """Two rows of one value in EspoCRM's tables cannot be removed any more (facts §10)."""
    found = []
    for family in (MAIL, PHONE):
        shared = town.espo.database.values(family)
        for key, ids in shared._by_key.items():
            if (
                sum(1 for row_id in ids if shared._holders.get(row_id)) > 1
                and key not in town.twins_by_people
            ):
                found.append(f"twin rows of a {family.scalar}")
    return found


def _may_hold_deletions(town: Town) -> bool:
    """A fuse is blown, and more than ten entries were gone, or so it seemed: pending ones count (§9)."""
    gone = {
        side: town.hidden[side] + sum(len(book.taken[side]) for book in town.ledger.books.values())
        for (side,) in town.query("SELECT side FROM fuses")
    }
    return any(count > 10 for count in gone.values())


class _Judge:
    """One Beteiligter."""

    def __init__(self, town: Town, book: Book) -> None:
        self._town = town
        self._book = book
        self._id = book.pair.espocrm_id
        self._espocrm = town.ledger.espocrm(book.pair)
        self._advoware = town.ledger.advoware(book.pair)
        rows = town.query("SELECT body FROM conflicts WHERE espocrm_id = ?", self._id)
        self._open = [json.loads(row[0]) for row in rows]
        rows = town.query("SELECT body, outcome FROM decisions WHERE espocrm_id = ?", self._id)
        self._decided = [json.loads(body) for body, outcome in rows if outcome == "done"]
        self._parked = [
            json.loads(row[0])
            for row in town.query(
                "SELECT body FROM findings WHERE what = 'parked' AND espocrm_id = ?", self._id
            )
        ]
        self._disputed = self._values_of(self._open)
        self._lost_in_conflict = self._values_of(self._decided)
        self._untracked = not town.query("SELECT 1 FROM persons WHERE espocrm_id = ?", self._id)
        self._held = town.plan.held or _may_hold_deletions(town)
        self._frozen = any(one["kind"] == "side_emptied" for one in (*self._open, *self._decided))

    def _values_of(self, conflicts: list[dict[str, str]]) -> set[Value]:
        return {
            (kind, same(kind, one[name]))
            for one in conflicts
            for name in ("base", "espocrm", "advoware")
            if one.get(name)
            for kind in ("email", "phone")
        }

    def problems(self) -> list[str]:
        if self._id not in self._town.espo.ids():
            return []  # the record is deleted; what must be true of it is its scenario's
        found: list[str] = []
        values = {*self._book.fates, *self._espocrm.values, *self._advoware.values}
        for value in sorted(values):
            problem = self._fate(value)
            if problem:
                found.append(f"{problem}: {value} {self._book.why.get(value, 'from the beginning')}")
        found += self._doubled()
        found += self._texts()
        found += self._opt_outs()
        found += self._conflicts()
        found += self._attempts()
        found += self._too_early()
        found += [
            f"parked: {one['reason']} {one['subject']}"
            for one in self._parked
            if one["reason"] not in self._town.plan.may_park
        ]
        return found

    def _fate(self, value: Value) -> str | None:
        here, there = bool(self._espocrm.values[value]), bool(self._advoware.values[value])
        fate = self._book.fates.get(value)
        disputed = value in self._disputed or any(one["kind"] == "side_emptied" for one in self._open)
        disputed = disputed or self._held or self._town.plan.people_disagree or self._untracked
        match fate:
            case None:
                return "came from nowhere"
            case Fate.ONLY_ESPOCRM:
                return None if here and not there else f"espocrm {here} advoware {there}"
            case Fate.LOCAL:
                decided = value in self._lost_in_conflict
                return None if there or decided else "lost (a value only Advoware can hold)"
            case Fate.MUST:
                if here and there:
                    return None
                if disputed or value in self._lost_in_conflict:
                    return None if here == there or disputed else self._one_sided(value, here)
                if (there and self._is_full(value[0])) or (here and self._is_frozen_edit(value)):
                    return None
                return f"lost, espocrm {here} advoware {there}"
            case Fate.MUST_NOT:
                if self._frozen or not (here or there):
                    return None
                if here and not there and self._is_frozen_item():
                    return None  # its row was emptied and typed into again before anybody looked
                return None if disputed else f"resurrected, espocrm {here} advoware {there}"
            case Fate.MAY:
                return None if here == there or disputed else self._one_sided(value, here)
        return None

    def _is_full(self, kind: str) -> bool:
        """EspoCRM takes no eleventh (§3)."""
        return sum(count for value, count in self._espocrm.values.items() if value[0] == kind) >= 10

    def _one_sided(self, value: Value, here: bool) -> str | None:
        if not here and self._is_full(value[0]):
            return None
        if not here and not self._takes(value):
            return None
        if here and self._is_frozen_item():
            return None
        return f"the sides differ, only {ESPOCRM if here else ADVOWARE} has it"

    def _is_frozen_item(self) -> bool:
        """A linked row that became unsyncable leaves its item as it was (§3)."""
        return any(fate is Fate.LOCAL for fate in self._book.fates.values())

    def _is_frozen_edit(self, value: Value) -> bool:
        """Staff typed what no item of this kind can hold into the row of just the entry that EspoCRM has edited: nobody
        may write over that row, and the item keeps its new value (§3)."""
        replaced = self._book.instead_of.get(value, set())
        return any(
            side == ADVOWARE and row.id in rows and touched & replaced
            for row in self._town.advoware.rows(self._book.pair.bet_nr)
            if FAMILY.get(row.komm_kz) == value[0] and not espocrm_takes(value[0], row.tlf or "") and row.tlf
            for _, _, side, rows, touched in self._book.edits
        )

    def _takes(self, value: Value) -> bool:
        rows = self._town.advoware.rows(self._book.pair.bet_nr)
        return any(
            value_of(row.komm_kz, row.tlf) == value and FAMILY.get(row.komm_kz) == value[0]
            for row in rows
            if espocrm_takes(value[0], row.tlf or "")
        )

    def _doubled(self) -> list[str]:
        found = [f"doubled in espocrm: {value}" for value, n in self._espocrm.values.items() if n > 1]
        for value, count in self._advoware.values.items():
            allowed = max(self._book.row_count[value], self._followed(value), 1)
            if value in self._book.entered[ESPOCRM] and value in self._book.entered[ADVOWARE]:
                allowed += 1
            if count > allowed:
                found.append(f"doubled in advoware: {value} {count} times, people made {allowed}")
        return found

    def _followed(self, value: Value) -> int:
        """How many rows show it because theirs was taken away in EspoCRM: where nobody could look in between, an item
        that went and another that came are one that was edited, and all its rows follow (§4.1, §4.5)."""
        kind, taken = value[0], self._book.taken[ESPOCRM]
        rows = self._town.query("SELECT body FROM writes WHERE espocrm_id = ?", self._id)
        puts = (one for (body,) in rows if (one := json.loads(body))["variant"] == "var5")
        given = {
            one["advoware_id"]
            for one in puts
            if (kind, same(kind, one["before"]["value"])) in taken
            and (kind, same(kind, one["after"]["value"])) == value
        }
        return len(given & self._town.ledger.holders(self._book.pair).get(value, set()))

    def _texts(self) -> list[str]:
        shown = self._advoware.texts.items()
        return [
            f"the user's text of row {row_id} was touched: {self._book.texts[row_id]!r} -> {text!r}"
            for row_id, text in shown
            if row_id in self._book.texts and self._book.texts[row_id] != text
        ] + [
            f"the user's text of row {row_id} is there twice: {text!r}"
            for row_id, text in shown
            if _twice(text) and text not in self._book.wrote
        ]

    def _opt_outs(self) -> list[str]:
        return [
            f"the opt-out of {value} is gone"
            for value in sorted(self._book.opted_out)
            if self._espocrm.values[value]
            and self._book.fates.get(value) is Fate.MUST
            and value not in self._espocrm.opted_out
            and not self._others_touched(value)
        ]

    def _others_touched(self, value: Value) -> bool:
        return any(value in book.fates for book in self._town.ledger.books.values() if book is not self._book)

    def _conflicts(self) -> list[str]:
        """Raised only when both sides changed the same entry."""
        if self._book.excused_conflicts:
            return []
        found = []
        taken = self._book.taken
        for one in (*self._open, *self._decided):
            if one["kind"] == "side_emptied":
                if one["emptied"] not in self._book.emptied:
                    found.append(f"side_emptied though nobody emptied {one['emptied']}")
            elif one["base"] is not None:
                base = {(kind, same(kind, one["base"])) for kind in ("email", "phone")}
                staff = taken[ADVOWARE].keys() | self._book.thinned
                if not (base & taken[ESPOCRM].keys() and base & staff):
                    found.append(f"a conflict though only one side changed: {one}")
        return found

    def _too_early(self) -> list[str]:
        """A retry never comes before its time (facts: Advoware §6, row 3)."""
        found: list[str] = []
        if _was_set(self._town):
            return found
        failures, not_before = 0, 0.0
        rows = self._town.query(
            "SELECT at, trigger, target FROM transitions WHERE espocrm_id = ? ORDER BY id", self._id
        )
        schedule = self._town.settings.sync.retry_schedule_seconds
        for at, trigger, target in rows:
            if trigger == "attempt_failed" and target == "failed":
                not_before = at + 0.79 * schedule[min(failures, len(schedule) - 1)] - 3.0
                failures += 1
            elif trigger == "picked":
                if at < not_before:
                    found.append(f"tried again {not_before - at:.1f} s too early")
                not_before = 0.0
            elif trigger in ("synced", "conflict_found", "auto_reset", "change_seen", "asked", "decided"):
                failures, not_before = 0, 0.0
        return found

    def _attempts(self) -> list[str]:
        rows = self._town.query(
            "SELECT at, trigger, reason FROM transitions WHERE espocrm_id = ?"
            " AND trigger IN ('attempt_failed', 'gave_up')",
            self._id,
        )
        found = []
        for at, trigger, reason in rows:
            when = moments(self._town, at)
            if reason == "our_bug":
                found.append(f"our bug at {when}")
            elif not any(self._town.blamed(self._id, one - 120, one + 3.0) for one in when):
                found.append(f"an attempt was burnt at {when}: {trigger} {reason}")
        return found


def _twice(text: str) -> bool:
    half = text[: len(text) // 2]
    return bool(half) and text == f"{half} {half}"
