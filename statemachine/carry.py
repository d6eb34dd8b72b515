"""How each decision is carried out: one method per action, filling both halves of the plan (§3, §5, §12).

Called by plan. A method returns None when the entry is (or will be) as decided, else the word for why it is not: that
entry keeps its base and is shown by ``show``.
"""

from __future__ import annotations

from collections.abc import Callable

from statemachine.admission import Admission
from statemachine.case import Variant
from statemachine.decide import Action
from statemachine.diff import Difference
from statemachine.doubles import younger_double
from statemachine.draft import Draft
from statemachine.extras import ExtraEntries
from statemachine.into_advoware import IntoAdvoware
from statemachine.into_espocrm import IntoEspocrm
from statemachine.model import Side
from statemachine.retype import Retype


class Carry:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._s = draft.s
        self._admission = admission = Admission(draft)
        self._retype = Retype(draft, admission)
        self._advoware = IntoAdvoware(draft, admission)
        self._espocrm = IntoEspocrm(draft, admission)
        self._by_action: dict[Action, Callable[[Difference], str | None]] = {
            Action.NOTHING: self._nothing,
            Action.AGREE: self._nothing,
            Action.DROP: lambda d: None,
            Action.GIVE_ADVOWARE: self._give_advoware,
            Action.EMPTY_ADVOWARE: self._advoware.empty,
            Action.CREATE_IN_ADVOWARE: self._advoware.create,
            Action.GIVE_ESPOCRM: self._espocrm.give,
            Action.REMOVE_FROM_ESPOCRM: self._espocrm.remove,
            Action.ADD_TO_ESPOCRM: self._espocrm.add,
            Action.DISSOLVE: lambda d: None,
            Action.EXTRA: ExtraEntries(draft, admission).out,
        }

    def out(self, d: Difference, action: Action) -> str | None:
        return self._by_action[action](d)

    def _give_advoware(self, d: Difference) -> str | None:
        """Where all rows show the item's value already, its other type is all that is left to carry over."""
        shows = self._draft.of_item(d.tie.shown)
        if d.tie.rows and all(row.canonical == shows for row in d.tie.rows):
            return self._retype.out(d)
        return self._advoware.give(d)

    def _nothing(self, d: Difference) -> str | None:
        """Unchanged or agreed, apart from echoes of ours: what is wanted now is written over them again."""
        double = younger_double(d.tie, self._s)
        if double is not None and self._s.rules.may_write(Side.ADVOWARE):
            self._admission.empty(double, Variant.RESTORE, None)
        if d.rewrite_advoware and self._s.rules.may_write(Side.ADVOWARE):
            return self._advoware.give(d) if d.tie.rows else self._advoware.create(d)
        if d.rewrite_espocrm and self._s.rules.may_write(Side.ESPOCRM):
            return self._espocrm.give(d) if d.tie.item else self._espocrm.add(d)
        return self._retype.out(d)
