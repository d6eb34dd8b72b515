"""What EspoCRM is to get: an edited item, a new one, one less (sync rules §3, §5; Var3, Var4, Var6).

Called by carry. Fills the item half of the plan, and the markers that must be written first (§8).
"""

from __future__ import annotations

import math
from dataclasses import replace

from statemachine import echoes, guard, kommkz
from statemachine.acceptance import espocrm_form
from statemachine.admission import Admission
from statemachine.case import Outcome, Shown, Variant
from statemachine.commands import shown_item
from statemachine.diff import Change, Difference
from statemachine.draft import Draft
from statemachine.model import Item, Kind, Link, Side
from statemachine.rebase import TRIES
from statemachine.rows import Row
from statemachine.situation import subject

#: Seconds after which a request without an answer has been saved, or never will be.
_SAVED_BY_THEN = 60.0


class IntoEspocrm:
    def __init__(self, draft: Draft, admission: Admission) -> None:
        self._draft = draft
        self._s = draft.s
        self._admission = admission

    def give(self, d: Difference) -> str | None:
        """Var6: the item takes the row's value; marker renewed first."""
        if d.tie.item is None:  # an older form took it away while Advoware's row was edited
            return self.add(d)
        item, row = d.tie.shown, d.tie.rows[0]
        form, problem = self._acceptable(row, d.tie.link)
        if form is None:
            return problem
        holder, problem = self._write_to_espocrm(row, form, d.tie.link)
        if (
            d.advoware is Change.CHANGED and d.tie.link is not None
        ):  # else the marker is all that ties them (§4.6)
            self._mark(d, problem)
        if problem is not None:
            return problem
        own = self._own(row)
        if own is not None and own.type != item.type and (item.kind, row.canonical) not in self._s.asked:
            self._draft.questions.append((item.kind, row.canonical))
            return "lookup"
        after = replace(
            item,
            value=_spelling(form, holder, item.kind),
            type=self._type(item, row, holder),
            opt_out=self._is_opted_out(item, row, holder),
            invalid=bool(holder and holder.invalid),
        )
        self._drop_spares(d)
        variant = Variant.VAR6 if d.advoware is Change.CHANGED else Variant.RESTORE
        self._draft.items[item.kind].edit(item, after, variant, d.tie.key, row.id)
        return None

    def remove(self, d: Difference) -> str | None:
        """Var3."""
        item = d.tie.shown
        problem = self._admission.stubborn(Side.ESPOCRM, item.kind, self._draft.of_item(item))
        problem = problem or self._admission.blocked(item.kind)
        if problem is None:
            self._drop_spares(d)
            source = Side.ADVOWARE if d.tie.link else None
            self._draft.items[item.kind].remove(item, Variant.VAR3, d.tie.key, source)
        return problem

    def add(self, d: Difference) -> str | None:
        """Var4, or an entry written back: marker first (its answer shows the true kommKz), then the item."""
        row = d.tie.rows[0]
        if d.tie.link is None and (ours := [one for one in d.tie.rows if echoes.is_ours(one.now, self._s)]):
            return self._empty_again(d, ours)
        if self._draft.items[row.kind].holds(row.canonical):
            return self._draft.merge(d)
        form, problem = self._acceptable(row, d.tie.link)
        if form is None:
            return problem
        if self._draft.items[row.kind].full:
            return self._admission.unsyncable(
                Side.ADVOWARE, row.kind, row.now.tlf, "too_many", row.id, d.tie.link
            )
        holder, problem = self._write_to_espocrm(row, form, d.tie.link)
        if d.tie.link is None:
            self._mark(d, problem)
        if problem is not None:
            return problem
        item = self._new_item(row, form, holder, d.tie.link)
        variant = Variant.RESTORE if d.tie.link and d.advoware is Change.SAME else Variant.VAR4
        self._draft.items[row.kind].add(item, variant, d.tie.key, row.id)
        return None

    def _is_under_way(self, name: str) -> bool:
        """A request with this value that was not answered, or during which we were killed, may still be saved: a second
        one beside it would leave two rows of the value in EspoCRM's tables, for ever (facts §10)."""
        unanswered = (w for w in self._s.case.writes if w.outcome in (Outcome.UNKNOWN, None))
        sent = [write.at for write in unanswered if write.gives == name]
        until = max(sent, default=-math.inf) + _SAVED_BY_THEN
        if until <= self._s.now:
            return False
        self._draft.again.append(until)
        return True

    def _new_item(self, row: Row, form: str, holder: Shown | None, link: Link | None) -> Item:
        type_ = self._phone_type(row, link) if row.kind is Kind.PHONE else None
        return Item(
            row.kind,
            _spelling(form, holder, row.kind),
            holder.type if holder and holder.type else type_,
            primary=False,
            opt_out=bool(holder and holder.opt_out)
            or bool(link and link.opt_out)
            or self._held_opted_out(row),
            invalid=holder.invalid is True if holder else self._was_invalid(row, link),
        )

    def _was_invalid(self, row: Row, link: Link | None) -> bool:
        """Written back from the base (§9); another value starts anew (§5)."""
        return link is not None and link.invalid and self._s.canonical(link.value, link.kind) == row.canonical

    def _phone_type(self, row: Row, link: Link | None) -> str | None:
        known = self._s.rules.acceptance.phone_types
        wanted = link.type if link and link.type else kommkz.to_espocrm_type(row.komm_kz)
        return wanted if wanted in known else next((t for t in ("Other", *known) if t in known), None)

    def _acceptable(self, row: Row, link: Link | None) -> tuple[str | None, str | None]:
        form, reason = espocrm_form(row.now.tlf, row.kind, self._s.rules.region, self._s.rules.acceptance)
        if form is not None:
            return form, None
        word = reason or "refused"
        return None, self._admission.unsyncable(Side.ADVOWARE, row.kind, row.now.tlf, word, row.id, link)

    def _write_to_espocrm(self, row: Row, form: str, link: Link | None) -> tuple[Shown | None, str | None]:
        """(present holder of the value, None) when the array may be written, else (None, why not)."""
        problem = self._admission.refuses(Side.ESPOCRM, row.kind, row.canonical, row.now.tlf, link, row.id)
        if problem is not None:
            return None, problem
        is_new = link is None or self._s.canonical(link.value, link.kind) != row.canonical
        if is_new and self._is_under_way(subject(Side.ESPOCRM, row.kind, row.canonical)):
            return None, "settling"
        if problem := self._admission.blocked(row.kind):
            return None, self._held_up(row, problem, link)
        if (own := self._own(row)) is not None:
            return own, None
        value = (row.kind, row.canonical)
        if value not in self._s.holders:
            self._draft.lookups[value] = form
            return None, "lookup"
        return self._s.holders[value], None

    def _own(self, row: Row) -> Shown | None:
        """This record itself may hold the value still, in an item that moves on in the same PUT."""
        items = self._s.espocrm.items(row.kind)
        return next((shown_item(item) for item in items if self._draft.of_item(item) == row.canonical), None)

    def _type(self, item: Item, row: Row, holder: Shown | None) -> str | None:
        """That of the value's holder. Where only another item of this record has it, the type stays with the entry:
        staff have put right two numbers that stood in each other's rows."""
        alone = self._own(row) is not None and (row.kind, row.canonical) not in self._s.shared
        return item.type if alone or holder is None or not holder.type else holder.type

    def _is_opted_out(self, item: Item, row: Row, holder: Shown | None) -> bool:
        """What the holder shows; of a value that nobody holds, what this entry had (§5)."""
        if holder is not None and holder.opt_out:
            return True
        return self._own(row) is None and (item.opt_out or self._held_opted_out(row))

    def _held_opted_out(self, row: Row) -> bool:
        """This record held the value a moment ago, opted out when it was last seen, until we changed it: nobody has
        lifted that (§5)."""
        of = self._s.canonical
        held = (w.before for w in self._s.case.writes if w.side is Side.ESPOCRM and w.kind is row.kind)
        flags = [one.opt_out for one in held if one and of(one.value, row.kind) == row.canonical]
        return bool(flags) and flags[-1] is True

    def _held_up(self, row: Row, problem: str, link: Link | None) -> str:
        """A frozen array makes its additions unsyncable (§8); everything else passes."""
        if problem != "array_refused":
            return problem
        return self._admission.unsyncable(Side.ADVOWARE, row.kind, row.now.tlf, problem, row.id, link)

    def _mark(self, d: Difference, problem: str | None) -> None:
        """Before the holder is looked up, so that a row is always written directly after it was read (§8)."""
        if problem not in (None, "lookup") or not self._s.rules.may_write(Side.ADVOWARE):
            return
        for row in d.tie.rows:
            if f"marker:{row.id}" not in self._s.refused and not self._in_vain(row):
                self._draft.rows.mark(row, d.tie.key, row.now.tlf)

    def _in_vain(self, row: Row) -> bool:
        """The base does not need markers (§6): one that twice had no effect must not keep the value from going on."""
        since = self._s.now - self._s.rules.loop_window
        gives = subject(Side.ADVOWARE, row.kind, row.canonical)
        return guard.repeated(
            self._s.case.writes,
            lambda w: (w.variant, w.advoware_id, w.gives) == (Variant.MARKER, row.id, gives),
            since,
            TRIES,
        )

    def _drop_spares(self, d: Difference) -> None:
        """Further items of the same value would come back as new ones once the link's item is gone or changed."""
        for spare in d.tie.spare:
            self._draft.items[d.tie.kind].remove(spare, Variant.VAR6, None, None)

    # --- echoes -------------------------------------------------------------------------------------------------

    def _empty_again(self, d: Difference, ours: list[Row]) -> str | None:
        """A late effect or an older form brought back what nobody wants any more: into the slot again."""
        if not self._s.rules.may_write(Side.ADVOWARE):
            return "extra"
        if problem := self._admission.blocked(d.tie.kind):
            return problem
        for row in ours:
            if problem := self._admission.empty(row, Variant.RESTORE, None):
                return problem
        return None if len(ours) == len(d.tie.rows) else "merging"


def _spelling(form: str, holder: Shown | None, kind: Kind) -> str:
    """A mail address's letter case belongs to the value, so its present holder's is taken (§5)."""
    return holder.value if holder is not None and kind is Kind.EMAIL else form
