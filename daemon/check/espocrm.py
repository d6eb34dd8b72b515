"""EspoCRM: reachable, who we are, what we may, its fields and limits (facts/EspoCRM §11-§13).

Called by :mod:`daemon.check.doctor`. Everything is judged from what the daemon itself learns at start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from daemon.check.finding import Finding, fine, judged, prevent, warn
from daemon.ports import EspocrmFacts
from daemon.rulebook import STATUS_FIELDS
from daemon.settings import Settings

STATUSES = (
    "pending_sync",
    "dirty",
    "syncing",
    "clean",
    "failed",
    "conflict",
    "permanently_failed",
    "deleted_in_advoware",
)
#: What a sync writes by itself; the others only inform.
_NEEDED_STATUSES = frozenset({"clean", "failed", "conflict", "permanently_failed"})
PHONE_TYPES = ("Office", "Fax", "Mobile", "Home", "Other")
_FIELD_TYPES = {
    "syncStatus": "enum",
    "advowareLastSync": "datetime",
    "kommunikationHash": "varchar",
    "syncErrorMessage": "text",
    "syncRetryCount": "int",
    "syncNextRetry": "datetime",
    "syncAutoResetAt": "datetime",
}
_HASH_LENGTH = 16
_RIGHTS = ("read", "edit")


def examine(facts: EspocrmFacts, settings: Settings) -> Iterator[Finding]:
    """What the daemon would meet."""
    entity = settings.espocrm.entity
    yield fine("EspoCRM", f"version {facts.version or 'unknown'}, credentials accepted")
    yield from _entity(facts, entity)
    yield from _rights(facts, entity)
    if settings.espocrm.write_status_fields:
        yield from _status_fields(facts.fields, entity)
    yield _phone_types(facts, entity)
    yield from _limits(facts)
    yield _concurrency(facts, entity)
    yield _notices(facts, settings)


def _entity(facts: EspocrmFacts, entity: str) -> Iterator[Finding]:
    what = f"{entity}: arrays and betnr"
    if not facts.fields:
        yield prevent(
            what,
            f"there is no {entity}, or we may not see it",
            f"Create the entity {entity} (type Person) in the Entity Manager, or give the role the right to read it.",
        )
        return
    missing = [name for name in ("emailAddress", "phoneNumber", "betnr") if name not in facts.fields]
    yield judged(
        what,
        not missing,
        f"missing: {', '.join(missing)}" if missing else "all there",
        f"Add {', '.join(missing)} to {entity}: the entity must be of type Person, betnr an Integer field.",
    )
    kind = facts.fields.get("betnr", {}).get("type")
    if kind is not None:
        yield judged(
            f"{entity}: type of betnr", kind == "int", f"{kind}", "Make betnr an Integer field.", fatal=False
        )


def _rights(facts: EspocrmFacts, entity: str) -> Iterator[Finding]:
    for action in _RIGHTS:
        level = facts.entity_rights.get(action, "no")
        yield judged(
            f"right to {action} {entity}",
            level == "all",
            f"{action}: {level}",
            f"Set {entity} → {action} to 'all' in the role of the API user.",
            fatal=level in ("no", None, False),
        )


def _status_fields(fields: Mapping[str, Mapping[str, object]], entity: str) -> Iterator[Finding]:
    missing = sorted(STATUS_FIELDS - fields.keys())
    yield judged(
        f"{entity}: sync fields",
        not missing,
        f"missing: {', '.join(missing)}" if missing else "all there",
        f"Add {', '.join(missing)} (deploy/espocrm/setup_espocrm.py does it), or live without what they show.",
        fatal=False,
    )
    for name, wanted in _FIELD_TYPES.items():
        kind = fields.get(name, {}).get("type")
        if kind is not None and kind != wanted:
            yield warn(f"{entity}: type of {name}", f"{kind}", f"Make {name} a field of type {wanted}.")
    yield from _options(fields, entity)
    length = fields.get("kommunikationHash", {}).get("maxLength")
    if isinstance(length, int) and length < _HASH_LENGTH:
        yield warn(f"{entity}: kommunikationHash", f"{length} characters", "Let it hold 16 characters.")


def _options(fields: Mapping[str, Mapping[str, object]], entity: str) -> Iterator[Finding]:
    options = fields.get("syncStatus", {}).get("options")
    if not isinstance(options, list):
        return
    missing = [status for status in STATUSES if status not in options]
    yield judged(
        f"{entity}: options of syncStatus",
        not missing,
        f"missing: {', '.join(missing)}" if missing else "all there",
        f"Add {', '.join(missing)} to the options of syncStatus; what is missing is not shown to people.",
        fatal=False,
    )


def _phone_types(facts: EspocrmFacts, entity: str) -> Finding:
    missing = [kind for kind in PHONE_TYPES if kind not in facts.phone_types]
    return judged(
        f"{entity}: phone types",
        not missing,
        f"missing: {', '.join(missing)}" if missing else ", ".join(facts.phone_types),
        f"Add {', '.join(missing)} to the types of phoneNumber; until then such numbers arrive as another type.",
        fatal=False,
    )


def _limits(facts: EspocrmFacts) -> Iterator[Finding]:
    yield judged(
        "phoneNumberInternational",
        facts.international,
        "on" if facts.international else "off",
        "Administration → Settings: numbers are international; until then one number may have several spellings.",
        fatal=False,
    )
    low = facts.max_phones < 10 or facts.max_emails < 10
    yield judged(
        "entries per record",
        not low,
        f"{facts.max_phones} numbers, {facts.max_emails} addresses",
        "Raise phoneNumberMaxCount and emailAddressMaxCount to 10 or more: what is beyond is not synced.",
        fatal=False,
    )


def _concurrency(facts: EspocrmFacts, entity: str) -> Finding:
    return judged(
        f"{entity}: optimistic concurrency control",
        facts.optimistic_concurrency,
        "on" if facts.optimistic_concurrency else "off",
        f"Entity Manager → {entity}: switch it on; it narrows the moment in which two savers overwrite each other.",
        fatal=False,
    )


def _notices(facts: EspocrmFacts, settings: Settings) -> Finding:
    what = "notices as Tasks"
    if settings.espocrm.notice_user_id is None:
        return warn(
            what,
            "none: espocrm.notice_user_id is not set",
            "Set it to the id of whoever should be told by a Task.",
        )
    if settings.espocrm.notices == "none":
        return fine(what, "switched off")
    missing = facts.task_rights_missing
    return judged(
        what,
        not missing,
        f"missing rights: {', '.join(missing)}" if missing else "all rights there",
        f"Give the role of the API user: {', '.join(missing)}.",
        fatal=False,
    )
