"""The rule that applies to an entry, in one sentence (sync rules §5)."""

from __future__ import annotations

from statemachine.decide import Action

_RULES = {
    Action.NOTHING: "Both sides show what was agreed.",
    Action.PENDING: "It is missing on one side; a second look must show that before it counts as deleted.",
    Action.AGREE: "Both sides made the same change; it only has to be remembered.",
    Action.DROP: "It is gone on both sides and is forgotten.",
    Action.GIVE_ADVOWARE: "EspoCRM's value is written to Advoware.",
    Action.EMPTY_ADVOWARE: "It was deleted in EspoCRM: the entry in Advoware is emptied and used again later.",
    Action.CREATE_IN_ADVOWARE: "It is new in EspoCRM and is created in Advoware.",
    Action.GIVE_ESPOCRM: "Advoware's value is written to EspoCRM.",
    Action.REMOVE_FROM_ESPOCRM: "It was deleted in Advoware and is removed from EspoCRM.",
    Action.ADD_TO_ESPOCRM: "It is new in Advoware and is added to EspoCRM.",
    Action.EDIT_EDIT: "Both sides changed it differently: a conflict.",
    Action.EDIT_DELETE: "One side changed what the other deleted: a conflict.",
    Action.DISSOLVE: "It was decided to keep both: each value becomes an entry of its own.",
    Action.EXTRA: "It exists only on the side that is written; it is left there.",
}


def sentence(rule: str, problem: str | None) -> str:
    """``rule``: an Action; ``problem``: why it is not carried out (yet)."""
    told = _RULES[Action(rule)]
    return f"{told} Not yet: {problem}." if problem else told
