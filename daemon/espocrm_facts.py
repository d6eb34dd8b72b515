"""What start-up learns of an EspoCRM: who we are, what we may, how its fields are made (facts/espocrm.md §11, §12).

Called by :mod:`daemon.espocrm` with the four answers; judges nothing, `kommsync check` and the core do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from daemon.answers import Reply, decode
from daemon.ports import EspocrmFacts
from statemachine.model import Side

Definition = Mapping[str, object]


class _User(msgspec.Struct):
    id: str


class _Acl(msgspec.Struct, rename="camel"):
    table: dict[str, Any]
    assignment_permission: Any = None


class _AppUser(msgspec.Struct):
    user: _User
    acl: _Acl


class _Settings(msgspec.Struct, rename="camel"):
    version: str = ""
    time_zone: str = ""
    phone_number_international: bool | None = True
    phone_number_extensions: bool | None = False
    phone_number_max_count: int | None = 10
    email_address_max_count: int | None = 10
    record_list_max_size_limit: int | None = 200


_APP_USER = msgspec.json.Decoder(_AppUser)
_SETTINGS = msgspec.json.Decoder(_Settings)
_FIELDS: msgspec.json.Decoder[dict[str, dict[str, Any]]] = msgspec.json.Decoder(dict[str, dict[str, Any]])


def read_app_user(reply: Reply) -> _AppUser:
    return decode(reply.body, _APP_USER, Side.ESPOCRM)


def read_settings(reply: Reply) -> _Settings:
    return decode(reply.body, _SETTINGS, Side.ESPOCRM)


def read_fields(reply: Reply) -> Mapping[str, Definition]:
    """Empty where the entity does not exist or is out of our reach: Metadata then answers 200 with nothing."""
    if not reply.body.strip():
        return {}
    return decode(reply.body, _FIELDS, Side.ESPOCRM)


def read_flag(reply: Reply) -> bool:
    """Metadata answers ``true``, ``false``, or nothing for a flag that was never set."""
    return reply.body.strip() == b"true"


def put_together(
    me: _AppUser, settings: _Settings, fields: Mapping[str, Definition], versioned: bool, entity: str
) -> EspocrmFacts:
    rights = me.acl.table.get(entity)
    return EspocrmFacts(
        user_id=me.user.id,
        version=settings.version,
        fields=fields,
        phone_types=_phone_types(fields),
        international=settings.phone_number_international is not False,
        extensions=bool(settings.phone_number_extensions),
        max_phones=settings.phone_number_max_count or 10,
        max_emails=settings.email_address_max_count or 10,
        list_limit=settings.record_list_max_size_limit or 200,
        optimistic_concurrency=versioned,
        entity_rights=rights if isinstance(rights, dict) else {},
        task_rights_missing=tuple(_missing_task_rights(me.acl)),
        time_zone=settings.time_zone,
    )


def _phone_types(fields: Mapping[str, Definition]) -> tuple[str, ...]:
    listed = fields.get("phoneNumber", {}).get("typeList")
    return tuple(kind for kind in listed if isinstance(kind, str)) if isinstance(listed, list) else ()


def _missing_task_rights(acl: _Acl) -> list[str]:
    """§11: a Task for somebody else needs all of these."""
    missing = []
    for scope, action, level in (
        ("Task", "create", "yes"),
        ("Task", "read", "all"),
        ("Task", "edit", "all"),
        ("User", "read", "all"),
    ):
        row = acl.table.get(scope)
        if not isinstance(row, dict) or row.get(action) != level:
            missing.append(f"{scope}: {action} {level}")
    if acl.assignment_permission != "all":
        missing.append("assignmentPermission: all")
    return missing
