"""What Advoware is to get: a value, an empty row, a new row (sync rules §3, §5; Var1, Var2, Var5).

Called by carry. Fills the row half of the plan.
"""

from __future__ import annotations

from statemachine import echoes, kommkz
from statemachine.admission import Admission
from statemachine.case import Outcome, Variant
from statemachine.diff import Change, Difference
from statemachine.draft import Draft
from statemachine.kommkz import KommKz
from statemachine.model import Item, Kind, Link, Side
from statemachine.situation import subject


class IntoAdvoware:
    def __init__(self, draft: Draft, admission: Admission) -> None:
        self._draft = draft
        self._s = draft.s
        self._admission = admission
        self._row_values = {(row.kind, row.canonical) for row in draft.diff.rows.relevant}

    def give(self, d: Difference) -> str | None:
        """Var5, or the value written again over an echo; where that has emptied every row, into a slot."""
        if not d.tie.rows:
            return self.create(d)
        item = d.tie.shown
        wanted = self._draft.of_item(item)
        late = [row for row in d.tie.rows if row.canonical != wanted]
        problem = (
            self._admission.refuses(Side.ADVOWARE, item.kind, wanted, item.value, d.tie.link)
            if late
            else None
        )
        if problem is not None:
            return problem
        variant = Variant.VAR5 if d.espocrm is Change.CHANGED else Variant.RESTORE
        for row in late:
            self._draft.rows.give(row, self._draft.rows.spelled(item.value, item.kind), variant, d.tie.key)
        return None

    def empty(self, d: Difference) -> str | None:
        """Var2: every row of the link becomes a slot."""
        for row in d.tie.rows:
            if problem := self._admission.empty(row, Variant.VAR2, d.tie.key, Side.ESPOCRM):
                return problem
        return None

    def create(self, d: Difference) -> str | None:
        """Var1: a slot of the same kommKz, else a POST. In a first sync only after a second look at Advoware."""
        item = d.tie.shown
        wanted = self._draft.of_item(item)
        if d.tie.link is None and echoes.stale_readded(item, self._s):
            return self._take_out_again(d, item)
        if (item.kind, wanted) in self._row_values:
            return self._draft.merge(d)
        problem = self._admission.refuses(Side.ADVOWARE, item.kind, wanted, item.value, d.tie.link)
        if problem is not None:
            return problem
        # of somebody who is tracked again one list alone says as little as in a first sync
        seen = self._s.case.seen_advoware
        unseen = self._draft.base.first or seen is None or not seen.parts
        must_settle = unseen or self._may_have_a_row(item.kind, wanted)
        if must_settle and not self._admission.rows_settled():
            return "settling"
        known = d.tie.link.rows[0] if d.tie.link and d.tie.link.rows else None
        new = self._draft.rows.new_of(item, _komm_kz_for(item, d.tie.link), known.text if known else "")
        variant = Variant.RESTORE if d.rewrite_advoware else Variant.VAR1
        self._draft.rows.create(new, variant, d.tie.key, d.tie.gone_rows)
        return None

    def _may_have_a_row(self, kind: Kind, wanted: str) -> bool:
        """We gave EspoCRM this value without an answer, so it has a row, whatever one list shows."""
        name, since = subject(Side.ESPOCRM, kind, wanted), self._s.now - self._s.rules.late_effect
        unanswered = (w for w in self._s.case.writes if w.outcome in (Outcome.UNKNOWN, None))
        return any(w.gives == name and w.at >= since for w in unanswered)

    def _take_out_again(self, d: Difference, item: Item) -> str | None:
        if problem := self._admission.blocked(item.kind):
            return problem
        self._draft.items[item.kind].remove(item, Variant.RESTORE, None, None)
        return None


def _komm_kz_for(item: Item, link: Link | None) -> int:
    """EspoCRM's type decides; a link that remembers a finer kind of the same type keeps it (§3). It remembers none (0)
    of a row that came and went before anybody looked."""
    known = link.rows[0].komm_kz if link is not None and link.rows else 0
    if known and (item.kind is Kind.EMAIL or kommkz.to_espocrm_type(known) == item.type):
        return known
    return KommKz.MailGesch if item.kind is Kind.EMAIL else kommkz.from_espocrm_type(item.type)
