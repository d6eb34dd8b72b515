"""The fields of the simulated EspoCRM's entities: what metadata says of them, and what a value must look like.

Used by the record controllers, by Metadata and by the admin's field manager (facts: EspoCRM §8.2, §12, §13).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from daemon.simulators.espocrm_values import DEFAULT_PHONE_TYPE, PHONE_TYPES
from daemon.simulators.wire import JsonObject

PERSON = "CBeteiligte"
SYNC_STATUSES = (
    "pending_sync",
    "dirty",
    "syncing",
    "clean",
    "failed",
    "conflict",
    "permanently_failed",
    "deleted_in_advoware",
)
_INT_RANGE = 2**31
_PLAIN_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")


class BadValue(ValueError):
    """A validator says no; `kind` is the type named in X-Status-Reason."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(slots=True)
class FieldDef:
    """One field as entityDefs describe it."""

    type: str
    options: list[str] | None = None
    default: Any = None
    max_length: int | None = None
    required: bool = False
    read_only: bool = False
    more: JsonObject = field(default_factory=dict)

    @classmethod
    def read(cls, body: JsonObject) -> FieldDef:
        """From a body of the field manager or a piece of metadata."""
        known = {"name", "label", "type", "options", "default", "maxLength", "required", "readOnly"}
        return cls(
            str(body.get("type")),
            body.get("options"),
            body.get("default"),
            body.get("maxLength"),
            bool(body.get("required")),
            bool(body.get("readOnly")),
            {key: value for key, value in body.items() if key not in known},
        )

    def metadata(self) -> JsonObject:
        """As `GET /Metadata?key=entityDefs.X.fields` shows it."""
        named = {
            "options": self.options,
            "default": self.default,
            "maxLength": self.max_length,
            "required": self.required or None,
            "readOnly": self.read_only or None,
        }
        return {"type": self.type, **{k: v for k, v in named.items() if v is not None}, **self.more}

    def accept(self, value: Any) -> Any:
        """The value as it will be stored. Raises BadValue."""
        if value is None or value == "":
            return self._accept_nothing(value)
        match self.type:
            case "int":
                return _integer(value)
            case "datetime" | "datetimeOptional":
                return _timestamp(value)
            case "enum":
                return self._option(value)
            case "varchar" | "text" | "personName":
                return self._text(value)
            case _:
                return value

    def _accept_nothing(self, value: Any) -> Any:
        if self.required:
            raise BadValue("required")
        if self.type == "enum" and value not in (self.options or ()):
            raise BadValue("valid")
        if value == "" and self.type in ("int", "datetime", "datetimeOptional"):
            raise BadValue("valid")
        return None

    def _option(self, value: Any) -> Any:
        if value not in (self.options or ()):
            raise BadValue("valid")
        return value

    def _text(self, value: Any) -> str:
        text = str(value)
        limit = self.max_length or (255 if self.type == "varchar" else None)
        if limit is not None and len(text) > limit:
            raise BadValue("maxLength")
        return text


def _integer(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        value = int(value)
    if not isinstance(value, int | float):
        raise BadValue("valid")
    if not -_INT_RANGE <= int(value) < _INT_RANGE:
        raise BadValue("rangeInternal")
    return int(value)


def _timestamp(value: Any) -> str:
    if isinstance(value, str) and _ISO_TIME.fullmatch(value):
        return stamp(datetime.fromisoformat(value).timestamp())
    if not isinstance(value, str) or not _PLAIN_TIME.fullmatch(value):
        raise BadValue("valid")
    return value


def stamp(now: float) -> str:
    """EspoCRM's form of a time: UTC, one second fine, no zone mark (§1.2)."""
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%d %H:%M:%S")


@dataclass(slots=True)
class EntityDef:
    """One entity: fields in the order in which validators run, and the switches of the Entity Manager."""

    name: str
    fields: dict[str, FieldDef]
    custom: bool = False
    versioned: bool | None = None
    """optimisticConcurrencyControl; None = never set, metadata then has no such key."""
    update_duplicate_check: bool = False
    stream: bool = False

    def defs(self) -> JsonObject:
        """entityDefs.<name>"""
        fields = {name: definition.metadata() for name, definition in self.fields.items()}
        switches = {} if self.versioned is None else {"optimisticConcurrencyControl": self.versioned}
        return {"fields": fields, **switches}

    def scope(self) -> JsonObject:
        """scopes.<name>"""
        return {
            "entity": True,
            "object": True,
            "isCustom": self.custom,
            "stream": self.stream,
            "type": "Person",
        }

    def columns(self) -> Iterable[str]:
        """The plain attributes, one per field, that are kept in the record's own row."""
        return (
            name for name, f in self.fields.items() if f.type not in ("email", "phone", "link", "personName")
        )


def person_entity(name: str = PERSON) -> EntityDef:
    """What `createEntity` of type Person makes, before any field of ours is added."""
    return EntityDef(
        name,
        {
            "name": FieldDef("personName", read_only=True),
            "salutationName": FieldDef("varchar"),
            "firstName": FieldDef("varchar", max_length=100),
            "lastName": FieldDef("varchar", max_length=100, required=True),
            "description": FieldDef("text"),
            "emailAddress": FieldDef("email"),
            "phoneNumber": FieldDef(
                "phone", more={"typeList": list(PHONE_TYPES), "defaultType": DEFAULT_PHONE_TYPE}
            ),
            "addressStreet": FieldDef("text"),
            "addressCity": FieldDef("varchar"),
            "addressState": FieldDef("varchar"),
            "addressCountry": FieldDef("varchar"),
            "addressPostalCode": FieldDef("varchar", max_length=40),
            "createdAt": FieldDef("datetime", read_only=True),
            "modifiedAt": FieldDef("datetime", read_only=True),
            "createdBy": FieldDef("link", read_only=True),
            "modifiedBy": FieldDef("link", read_only=True),
            "assignedUser": FieldDef("link"),
            "middleName": FieldDef("varchar", max_length=100),
        },
        custom=True,
    )


def sync_fields() -> dict[str, FieldDef]:
    """The fields that a ready-made instance has for the sync (§13)."""
    return {
        "betnr": FieldDef("int", more={"disableFormatting": True}),
        "syncStatus": FieldDef("enum", options=list(SYNC_STATUSES), default="pending_sync"),
        "advowareLastSync": FieldDef("datetime"),
        "kommunikationHash": FieldDef("varchar", max_length=16),
        "advowareRowId": FieldDef("varchar"),
        "syncErrorMessage": FieldDef("text"),
        "syncRetryCount": FieldDef("int"),
        "syncNextRetry": FieldDef("datetime"),
        "syncAutoResetAt": FieldDef("datetime"),
    }


def task_entity() -> EntityDef:
    """The Task as EspoCRM ships it, as far as it was observed (§11)."""
    statuses = ["Not Started", "Started", "Completed", "Canceled", "Deferred"]
    return EntityDef(
        "Task",
        {
            "name": FieldDef("varchar", required=True),
            "status": FieldDef("enum", options=statuses, default="Not Started"),
            "priority": FieldDef("enum", options=["Low", "Normal", "High", "Urgent"], default="Normal"),
            "dateEnd": FieldDef("datetimeOptional"),
            "description": FieldDef("text"),
            "createdAt": FieldDef("datetime", read_only=True),
            "modifiedAt": FieldDef("datetime", read_only=True),
            "parent": FieldDef("linkParent"),
            "assignedUser": FieldDef("link", required=True),
        },
        versioned=True,
        stream=True,
    )
