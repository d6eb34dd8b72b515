"""The rules of a sync, put together from the settings and from what EspoCRM says of itself.

Called by :mod:`daemon.facts` and by the commands that plan without writing. Values in, one frozen value out.
"""

from __future__ import annotations

from collections.abc import Mapping

from daemon.ports import EspocrmFacts
from daemon.settings import Settings
from statemachine.acceptance import Acceptance
from statemachine.rules import Direction, Extras, Policy, Rules

#: What a sync may write on the record besides the data (§11).
STATUS_FIELDS = frozenset(
    {
        "syncStatus",
        "advowareLastSync",
        "kommunikationHash",
        "syncErrorMessage",
        "syncRetryCount",
        "syncNextRetry",
        "syncAutoResetAt",
    }
)


def rules_for(settings: Settings, facts: EspocrmFacts) -> Rules:
    """Status fields only where the entity has them and [write_status_fields] allows it."""
    sync = settings.sync
    writable = settings.espocrm.write_status_fields
    return Rules(
        acceptance=_acceptance(facts),
        direction=Direction(sync.direction),
        extras=Extras(sync.extras),
        conflict_policy=Policy(sync.conflict_policy),
        type_change=sync.type_change,
        deletion=sync.deletion,
        empty_side=sync.empty_side,
        region=sync.default_region,
        phone_format=sync.phone_format,
        bemerkung_max=settings.advoware.bemerkung_max_length or 0,
        deletion_confirm=sync.deletion_confirm_seconds,
        settle=sync.settle_seconds,
        loop_limit=sync.loop_limit,
        loop_window=sync.loop_window_seconds,
        stale_form=sync.stale_form_seconds,
        late_effect=sync.late_effect_seconds,
        retries=tuple(sync.retry_schedule_seconds),
        auto_reset=sync.auto_reset_seconds,
        status_fields=STATUS_FIELDS.intersection(facts.fields) if writable else frozenset(),
        status_options=_options(facts.fields.get("syncStatus", {})) if writable else frozenset(),
    )


def _acceptance(facts: EspocrmFacts) -> Acceptance:
    return Acceptance(
        international=facts.international,
        extensions=facts.extensions,
        phone_types=facts.phone_types or Acceptance().phone_types,
        max_phones=facts.max_phones,
        max_emails=facts.max_emails,
    )


def _options(definition: Mapping[str, object]) -> frozenset[str]:
    options = definition.get("options")
    return frozenset(str(one) for one in options) if isinstance(options, list) else frozenset()
