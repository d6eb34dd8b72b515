"""When the EspoCRM type of a number and its kommKz do not say the same (sync rules §3, §5 *type change*).

Called by carry for entries that are otherwise agreed. Two different things: a user wants another kind, or an answer of
Advoware has just shown that we had guessed the kind wrongly.
"""

from __future__ import annotations

from dataclasses import replace

from statemachine import kommkz, looks, marker
from statemachine.admission import Admission
from statemachine.case import Notice, Outcome, Variant, Write
from statemachine.diff import Difference
from statemachine.draft import Draft
from statemachine.model import Item, Kind, Link, Side
from statemachine.pairing import Tie
from statemachine.rowplan import New
from statemachine.rows import Row
from statemachine.situation import subject


class Retype:
    def __init__(self, draft: Draft, admission: Admission) -> None:
        self._draft = draft
        self._s = draft.s
        self._admission = admission

    def out(self, d: Difference) -> str | None:
        link, item = d.tie.link, d.tie.item
        if (
            link is None
            or item is None
            or not d.tie.rows
            or d.tie.kind is not Kind.PHONE
            or link.type is None
        ):
            return None
        if item.type == link.type:
            return self._take_back(link, item, d.tie.rows) or self._correct(link, item, d.tie.rows[0])
        if not self._s.rules.may_write(Side.ADVOWARE) or not self._wished(item):
            return None
        if ours := self._our_writes():
            return self._after_our_write(item, ours)
        if (item.kind, self._draft.of_item(item)) not in self._s.asked:
            self._draft.questions.append((item.kind, self._draft.of_item(item)))
            return "lookup"
        if (item.kind, self._draft.of_item(item)) in self._s.shared:
            return None
        if again := self._not_listed(d.tie):
            self._draft.again.append(again)
            return "settling"
        return self._recreate(link, item, d.tie.rows)

    def _not_listed(self, tie: Tie) -> float | None:
        """When to look again because a row of the link is not in the list; None: every row is, or those that are not
        are gone (§9). It may be the old row, or the one that we have just created: a list as it was before our own
        write is no second look at what came of it."""
        hidden = set(tie.gone_rows) - {row.id for row in self._s.advoware.rows}
        ours = [write for write in self._s.case.writes if write.advoware_id in hidden]
        until = max((write.at + self._s.rules.deletion_confirm for write in ours), default=0.0)
        sure = until <= self._s.now and looks.ROWS in self._s.settled and all(w.settled for w in ours)
        return max(until, self._s.now + self._s.rules.settle) if hidden and not sure else None

    def _wished(self, item: Item) -> bool:
        """Only an edit of this very record can be its user's wish: a shared value changes everywhere (facts §5)."""
        return bool(self._draft.base.stamp) and self._s.espocrm.modified_at != self._draft.base.stamp

    def _our_writes(self) -> list[Write]:
        """What this run has already written there: from then on modifiedAt says nothing about users."""
        came = (Outcome.DONE, Outcome.UNKNOWN, None)
        writes = self._s.case.writes
        return [w for w in writes if w.side is Side.ESPOCRM and not w.settled and w.outcome in came]

    def _after_our_write(self, item: Item, ours: list[Write]) -> str | None:
        """A type that we sent ourselves and that EspoCRM shows differently belongs to a shared value (facts §5);
        any other is looked at again in a run of its own."""
        gives = subject(Side.ESPOCRM, item.kind, self._draft.of_item(item))
        if any(
            w.gives == gives and w.after and (w.before is None or w.before.type != w.after.type) for w in ours
        ):
            return None
        self._draft.again.append(self._s.now)
        return "settling"

    def _recreate(self, link: Link, item: Item, rows: list[Row]) -> str | None:
        wanted = kommkz.from_espocrm_type(item.type)
        if unsure := self._guessed(rows):
            for row in unsure:
                self._draft.rows.reveal(row, link.key)
            return "retyping"
        enough = [
            row for row in rows if row.komm_kz == wanted or kommkz.to_espocrm_type(row.komm_kz) == item.type
        ]
        old = [row for row in rows if row not in enough and kommkz.to_espocrm_type(row.komm_kz) == link.type]
        if not old and enough:
            old = self._left_over(link, rows, enough)
            if not old:
                return None
        if self._s.rules.type_change == "ask":
            self._draft.notices.append(Notice(f"readonly_field:{link.key}", "readonly_field", str(item.type)))
            return "readonly_field"
        leaves = old[0] if old else rows[0]
        problem = self._admission.refuses(Side.ADVOWARE, item.kind, leaves.canonical, leaves.now.tlf, link)
        if problem is not None:
            return problem
        if not enough:
            new = New(item.kind, leaves.now.tlf, wanted, leaves.now.online, leaves.text)
            self._draft.rows.create(new, Variant.TYPE, link.key)
        else:  # the old row goes when the new one has been seen
            problem = self._admission.empty(leaves, Variant.TYPE, link.key)
        return problem or "retyping"

    def _left_over(self, link: Link, rows: list[Row], enough: list[Row]) -> list[Row]:
        """No row stands for the old type, and one has the new kind: what a change of type that was cut in two has left.
        That is the row which the new one replaces, or a new one of a kind that nobody wants any more."""
        made = self._made(link, rows)
        rest = [row for row in rows if row not in enough]
        return rest[:1] if any(row in enough for row in made) else made

    def _made(self, link: Link, rows: list[Row]) -> list[Row]:
        """Those that a change of type has made, the old one of which has not gone yet: only the journal tells."""
        writes = (w for w in self._s.case.writes if w.side is Side.ADVOWARE and w.may_have_come)
        ours = [w for w in writes if (w.variant, w.link_key) == (Variant.TYPE, link.key)]
        ended = (w.id for w in ours if not _gives(w) and not any(_shows_before(w, row) for row in rows))
        last = max(ended, default=-1)
        return [row for row in rows if any(w.id > last and _has_made(w, row) for w in ours)]

    def _guessed(self, rows: list[Row]) -> list[Row]:
        """Rows whose kind is only a guess: one may have the new kind already, or stand for another than the old one.
        The answer to a write that changes nothing shows the true one. Where it does not, the guess must do."""
        if self._s.rules.type_change == "ask":
            return []
        return [row for row in rows if not row.certain and not self._asked_in_vain(row)]

    def _asked_in_vain(self, row: Row) -> bool:
        """There was an answer, and it did not say. What was not sent, or not answered, is asked again (§8)."""
        since = self._s.now - self._s.rules.loop_window
        answered = (Outcome.DONE, Outcome.REFUSED)
        return any(
            (w.variant, w.advoware_id) == (Variant.MARKER, row.id) and w.at >= since and w.outcome in answered
            for w in self._s.case.writes
        )

    def _take_back(self, link: Link, item: Item, rows: list[Row]) -> str | None:
        """The type is as it was again, and the row that we had made for another one is still there: nobody else wants
        it."""
        made = self._made(link, rows)
        spare = [row for row in made if kommkz.to_espocrm_type(row.komm_kz) != item.type]
        if not spare or len(spare) == len(rows) or not self._s.rules.may_write(Side.ADVOWARE):
            return None
        problems = [self._admission.empty(row, Variant.TYPE, link.key) for row in spare]
        return next((problem for problem in problems if problem), "retyping")

    def _correct(self, link: Link, item: Item, row: Row) -> str | None:
        """A kommKz that turned out to be another corrects the type that we made up from the guess, and only that."""
        true = kommkz.to_espocrm_type(row.komm_kz)
        known = self._s.rules.acceptance.phone_types
        wrong = link.derived_type and row.certain and true in known and true != item.type
        if not wrong or not self._s.rules.may_write(Side.ESPOCRM):
            return None
        gives = subject(Side.ESPOCRM, item.kind, row.canonical)
        if self._admission.tires(f"type:{gives}", lambda w: w.variant is Variant.TYPE and w.gives == gives):
            return None
        if problem := self._admission.blocked(item.kind):
            return problem
        self._draft.items[item.kind].edit(item, replace(item, type=true), Variant.TYPE, link.key)
        return None


def _gives(write: Write) -> bool:
    return write.after is not None and bool(write.after.value)


def _shows_before(write: Write, row: Row) -> bool:
    """The row is as it was before this write: it has had no effect."""
    before = write.before
    same = before is not None and (before.value, before.bemerkung) == (row.now.tlf, row.now.bemerkung)
    return same and write.advoware_id == row.id


def _has_made(write: Write, row: Row) -> bool:
    """One without an answer shows just what was sent, and our marker."""
    if write.after is None or not _gives(write):
        return False
    if write.advoware_id is not None:
        return write.advoware_id == row.id
    return marker.read(write.after.bemerkung)[0] is not None and write.after.bemerkung == row.now.bemerkung
