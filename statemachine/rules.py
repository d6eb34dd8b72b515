"""How the firm wants it decided: the part of the configuration that the core reads, as one frozen value.

Built by the shell from the settings and from what EspoCRM says of itself; names in [brackets] of the sync rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from statemachine.acceptance import Acceptance
from statemachine.model import Side


class Direction(StrEnum):
    BOTH = "both"
    TO_ESPOCRM = "to_espocrm"
    TO_ADVOWARE = "to_advoware"


class Extras(StrEnum):
    KEEP = "keep"
    REMOVE = "remove"


class Policy(StrEnum):
    ESPOCRM = "espocrm"
    ADVOWARE = "advoware"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Rules:
    """Times are seconds. ``bemerkung_max``: the length of Advoware's remark as far as the administrator knows it, 0:
    unknown. ``status_options``: the values that EspoCRM's syncStatus enum knows; ``status_fields``:
    the sync fields that the entity has; both empty when nothing may be written there (§11)."""

    acceptance: Acceptance
    direction: Direction = Direction.BOTH
    extras: Extras = Extras.KEEP
    conflict_policy: Policy = Policy.ESPOCRM
    type_change: str = "recreate"
    deletion: str = "slot"
    empty_side: str = "hold"
    region: str = "DE"
    phone_format: str = "as_is"
    bemerkung_max: int = 0
    deletion_confirm: float = 60.0
    settle: float = 3.0
    loop_limit: int = 5
    loop_window: float = 3600.0
    stale_form: float = 1800.0
    late_effect: float = 3600.0
    retries: tuple[float, ...] = (60, 300, 900, 3600, 14400)
    auto_reset: float = 86400.0
    status_fields: frozenset[str] = frozenset()
    status_options: frozenset[str] = frozenset()

    def may_write(self, side: Side) -> bool:
        """Whether [direction] lets us write there at all (§12)."""
        only = {Direction.TO_ESPOCRM: Side.ESPOCRM, Direction.TO_ADVOWARE: Side.ADVOWARE}
        return only.get(self.direction, side) is side
