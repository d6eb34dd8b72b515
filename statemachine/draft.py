"""One planning round while it is being drawn up: the diff, both halves of the plan, and what was noticed on the way.

Shared by plan, holds, carry and flags; each fills its own part. Nothing outside the core sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from statemachine.case import Conflict, Decision, Notice, Parked, Pending, Unsyncable, Vanished
from statemachine.decide import Action
from statemachine.diff import Change, Diff, Difference
from statemachine.itemplan import ItemPlan
from statemachine.model import Base, Item, Kind, Side
from statemachine.pairing import Tie
from statemachine.rebase import Rebased
from statemachine.rowplan import RowPlan
from statemachine.situation import Situation, Value

#: Problems that pass by themselves: what was decided stays decided until they have.
PASSING = frozenset({"pending", "settling", "lookup", "fuse", "merging", "retyping", "waits"})
#: Those of a change that nobody needs to confirm.
UNSYNCED = PASSING - {"pending", "fuse", "waits"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What ``explain`` and ``show`` say of one entry. ``problem``: why it is not (yet) equal on both sides."""

    tie: Tie
    advoware: Change
    espocrm: Change
    action: Action
    problem: str | None = None


@dataclass(slots=True)
class Draft:
    """``keeps_base``: links that must not advance in this round; ``keeps_primary``: all but their primary may;
    ``merges``: their value is another entry's by now, so they end and their rows or item go over to it (§5).
    ``frozen``: arrays that EspoCRM would refuse as they are stored. ``again``: moments at which another look is wanted.
    ``lookups``: values whose present holder must be known first; ``questions``: values of which it must be known
    whether another Beteiligte holds them."""

    s: Situation
    rebased: Rebased
    base: Base
    diff: Diff
    rows: RowPlan
    items: dict[Kind, ItemPlan]
    entries: list[Entry] = field(default_factory=list)
    vanished: list[Vanished] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    decided: list[Decision] = field(default_factory=list)
    carried_out: list[Decision] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)
    unsyncable: list[Unsyncable] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    lookups: dict[Value, str] = field(default_factory=dict)
    questions: list[Value] = field(default_factory=list)
    void: list[Decision] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    wishes_done: list[int] = field(default_factory=list)
    keeps_base: set[str] = field(default_factory=set)
    merges: set[str] = field(default_factory=set)
    keeps_primary: set[str] = field(default_factory=set)
    frozen: frozenset[Kind] = frozenset()

    def note(self, d: Difference, action: Action, problem: str | None) -> None:
        """One line for this entry; an entry with a problem keeps its base."""
        if problem is not None and d.tie.link is not None:
            self.keeps_base.add(d.tie.link.key)
        self.entries.append(Entry(d.tie, d.advoware, d.espocrm, action, problem))

    def merge(self, d: Difference) -> str | None:
        """The value is there already: an entry that was agreed ends, and the next look finds both halves together."""
        if d.tie.link is None:
            return "merging"
        self.merges.add(d.tie.link.key)
        self.again.append(self.s.now)
        return None

    def of_item(self, item: Item) -> str:
        return self.s.canonical(item.value, item.kind)


def equal(draft: Draft, tie: Tie) -> bool:
    """Both sides show the same canonical value now."""
    if tie.item is None or not tie.rows:
        return False
    shown = draft.of_item(tie.item)
    return all(row.canonical == shown for row in tie.rows)


def change_on(d: Difference, side: Side) -> Change:
    return d.espocrm if side is Side.ESPOCRM else d.advoware
