"""May this value be given to that side just now? Refusals, parked entries, loops, settled arrays (§3, §8-§10).

Asked by carry and retype before anything is put into the plan; what it refuses is noted in the draft with its
reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from statemachine import guard, looks
from statemachine.case import Notice, Parked, Unsyncable, Variant, Write
from statemachine.diff import Change
from statemachine.draft import Draft
from statemachine.model import Kind, Link, Side
from statemachine.rows import Row
from statemachine.situation import removal, subject

_PART = {Kind.EMAIL: looks.EMAILS, Kind.PHONE: looks.PHONES}


class Admission:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._s = draft.s

    def refuses(
        self, side: Side, kind: Kind, canonical: str, value: str, link: Link | None, row_id: int | None = None
    ) -> str | None:
        """Why this value is not given to ``side`` now; None: it may be."""
        name = subject(side, kind, canonical)
        if name in self._s.refused:
            return self.unsyncable(side.other, kind, value, self._s.refused[name], row_id, link)
        if side is Side.ADVOWARE and 0 < self._s.case.limits.tlf < len(value):
            return self.unsyncable(side.other, kind, value, "too_long", row_id, link)
        if self._draft.rebased.stubborn(name):
            return self._park(name, "not_taken", canonical)
        if self._parked(name) is not None:
            return self._park(name, str(self._parked(name)), canonical)
        since = self._s.now - self._s.rules.loop_window
        if guard.loops(self._s.case.writes, name, since, self._s.rules.loop_limit):
            return self._park(name, "quarantined", canonical)
        return None

    def stubborn(self, side: Side, kind: Kind, canonical: str) -> str | None:
        """A removal that was answered with success and had no effect, twice: a twin row (§8)."""
        name = removal(side, kind, canonical)
        parked = self._parked(name) is not None or self._draft.rebased.stubborn(name)
        if name in self._s.refused:
            return self._park(name, "array_refused", canonical)
        return self._park(name, "not_taken", canonical) if parked else None

    def empty(
        self, row: Row, variant: Variant, link_key: str | None, deletion_from: Side | None = None
    ) -> str | None:
        """Plan to empty this row; else why not: emptying it has had no effect, twice."""
        problem = self.stubborn(Side.ADVOWARE, row.kind, row.canonical)
        if problem is None:
            self._draft.rows.empty(row, variant, link_key, deletion_from)
        return problem

    def unsyncable(
        self, side: Side, kind: Kind, value: str, reason: str, row_id: int | None, link: Link | None
    ) -> str:
        """Note a value that the other side would refuse; it never makes the rest fail (§3)."""
        key = link.key if link else None
        self._draft.unsyncable.append(Unsyncable(side, kind, value, reason, row_id, key))
        self._draft.notices.append(
            Notice(f"unsyncable:{_short(f'{side}:{kind}:{value}')}", "unsyncable", reason)
        )
        return reason

    def blocked(self, kind: Kind) -> str | None:
        """Why this array may not be written now; None: it may. Only from a settled read, with no deletion pending in
        it, with no stored item in it that EspoCRM would refuse (§8)."""
        if kind in self._draft.frozen:
            self._draft.notices.append(Notice(f"array_refused:{kind}", "array_refused", kind.value))
            return "array_refused"
        if _PART[kind] not in self._s.settled:
            self._draft.again.append(self._s.now + self._s.rules.settle)
            return "settling"
        ties = (d for d in self._draft.diff.differences if d.tie.kind is kind)
        if any(d.espocrm is Change.MISSING for d in ties):
            return "settling"
        alone = self._s.one_at_a_time and any(plan.changes for plan in self._draft.items.values())
        return "settling" if alone else None

    def tires(self, name: str, again: Callable[[Write], bool]) -> bool:
        """Whether the same flag or type was written so often without effect that it is left alone (§10)."""
        rules = self._s.rules
        if not guard.repeated(self._s.case.writes, again, self._s.now - rules.loop_window, rules.loop_limit):
            return False
        self._park(name, "quarantined", name)
        return True

    def rows_settled(self) -> bool:
        """Whether a second look has shown Advoware's list like this: one alone may have been truncated, and a row that
        it hides would be created twice."""
        if looks.ROWS in self._s.settled:
            return True
        self._draft.again.append(self._s.now + self._s.rules.settle)
        return False

    def _parked(self, name: str) -> str | None:
        """The reason of a parking that still holds: [auto_reset_seconds] opens it again."""
        fresh = (p for p in self._s.case.parked if self._s.now - p.since < self._s.rules.auto_reset)
        return next((p.reason for p in fresh if p.subject == name), None)

    def _park(self, name: str, reason: str, canonical: str) -> str:
        known = next((p for p in self._s.case.parked if (p.subject, p.reason) == (name, reason)), None)
        mark = known if known and self._parked(name) else Parked(name, reason, canonical, self._s.now)
        self._draft.parked.append(mark)
        self._draft.notices.append(Notice(f"{reason}:{_short(name)}", reason))
        return reason


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
