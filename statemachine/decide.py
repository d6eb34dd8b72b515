"""The decision table of one entry, and who wins a conflict (sync rules §5, second half; §12).

Called by plan. Data first: the table is the one of the rules, row by row. Nothing here builds a write.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from statemachine.case import Conflict, ConflictKind, Decision, Keep
from statemachine.diff import Change
from statemachine.rules import Direction, Policy

#: Who decided where nobody had to be asked.
POLICY = "policy"


class Action(StrEnum):
    """What is to be done about one entry. ``give_*``: write the other side's value there."""

    NOTHING = "nothing"
    PENDING = "pending"
    AGREE = "agree"
    DROP = "drop"
    GIVE_ADVOWARE = "give_advoware"
    EMPTY_ADVOWARE = "empty_advoware"
    CREATE_IN_ADVOWARE = "create_in_advoware"
    GIVE_ESPOCRM = "give_espocrm"
    REMOVE_FROM_ESPOCRM = "remove_from_espocrm"
    ADD_TO_ESPOCRM = "add_to_espocrm"
    EDIT_EDIT = "edit_edit"
    EDIT_DELETE = "edit_delete"
    DISSOLVE = "dissolve"
    EXTRA = "extra"


_S, _C, _G, _N, _0 = Change.SAME, Change.CHANGED, Change.GONE, Change.NEW, Change.NONE

#: (Advoware, EspoCRM) → action. ``MISSING`` on either side is pending whatever the other side shows.
TABLE: dict[tuple[Change, Change], Action] = {
    (_S, _S): Action.NOTHING,
    (_S, _C): Action.GIVE_ADVOWARE,
    (_S, _G): Action.EMPTY_ADVOWARE,
    (_C, _S): Action.GIVE_ESPOCRM,
    (_G, _S): Action.REMOVE_FROM_ESPOCRM,
    (_C, _C): Action.EDIT_EDIT,
    (_C, _G): Action.EDIT_DELETE,
    (_G, _C): Action.EDIT_DELETE,
    (_G, _G): Action.DROP,
    (_N, _0): Action.ADD_TO_ESPOCRM,
    (_0, _N): Action.CREATE_IN_ADVOWARE,
    (_N, _N): Action.AGREE,
}

#: One way to EspoCRM: Advoware is the source and wins for every link (§12).
TO_ESPOCRM: dict[tuple[Change, Change], Action] = {
    **TABLE,
    (_S, _C): Action.GIVE_ESPOCRM,
    (_S, _G): Action.ADD_TO_ESPOCRM,
    (_C, _C): Action.GIVE_ESPOCRM,
    (_C, _G): Action.ADD_TO_ESPOCRM,
    (_G, _C): Action.REMOVE_FROM_ESPOCRM,
    (_0, _N): Action.EXTRA,
}

#: One way to Advoware: EspoCRM is the source.
TO_ADVOWARE: dict[tuple[Change, Change], Action] = {
    **TABLE,
    (_C, _S): Action.GIVE_ADVOWARE,
    (_G, _S): Action.CREATE_IN_ADVOWARE,
    (_C, _C): Action.GIVE_ADVOWARE,
    (_C, _G): Action.EMPTY_ADVOWARE,
    (_G, _C): Action.CREATE_IN_ADVOWARE,
    (_N, _0): Action.EXTRA,
}

_TABLES = {Direction.BOTH: TABLE, Direction.TO_ESPOCRM: TO_ESPOCRM, Direction.TO_ADVOWARE: TO_ADVOWARE}

#: What a decided conflict means: (Advoware, EspoCRM, keep) → action. ``both`` of an edit_delete means the edit.
DECIDED: dict[tuple[Change, Change, Keep], Action] = {
    (_C, _C, Keep.ESPOCRM): Action.GIVE_ADVOWARE,
    (_C, _C, Keep.ADVOWARE): Action.GIVE_ESPOCRM,
    (_C, _C, Keep.BOTH): Action.DISSOLVE,
    (_C, _G, Keep.ESPOCRM): Action.EMPTY_ADVOWARE,
    (_C, _G, Keep.ADVOWARE): Action.ADD_TO_ESPOCRM,
    (_C, _G, Keep.BOTH): Action.ADD_TO_ESPOCRM,
    (_G, _C, Keep.ESPOCRM): Action.CREATE_IN_ADVOWARE,
    (_G, _C, Keep.ADVOWARE): Action.REMOVE_FROM_ESPOCRM,
    (_G, _C, Keep.BOTH): Action.CREATE_IN_ADVOWARE,
}


def decide(advoware: Change, espocrm: Change, equal: bool, direction: Direction) -> Action:
    """The row of the table. ``equal``: both sides show the same canonical value now."""
    if Change.MISSING in (advoware, espocrm):
        return Action.PENDING
    if equal and (advoware, espocrm) == (Change.CHANGED, Change.CHANGED):
        return Action.AGREE
    return _TABLES[direction][advoware, espocrm]


def decided(advoware: Change, espocrm: Change, keep: Keep) -> Action:
    """What a conflict becomes once somebody (or the policy) has decided it."""
    return DECIDED[advoware, espocrm, keep]


def verdict_of(conflict: Conflict, policy: Policy, decisions: Iterable[Decision]) -> Decision | None:
    """The decision that holds for this conflict; None: it waits. A decision made for other values is void (§5);
    an emptied side or a changed pair is never decided by the policy (§9, §7)."""
    made = next((d for d in decisions if same_conflict(d.conflict, conflict)), None)
    if made is not None:
        return made
    if policy is Policy.MANUAL or conflict.kind in (ConflictKind.SIDE_EMPTIED, ConflictKind.BETNR_CHANGED):
        return None
    return Decision(conflict, Keep(policy.value), POLICY)


def same_conflict(one: Conflict, other: Conflict) -> bool:
    """The same question: kind, link and both values."""
    return (one.kind, one.link_key, one.espocrm, one.advoware, one.emptied) == (
        other.kind,
        other.link_key,
        other.espocrm,
        other.advoware,
        other.emptied,
    )
