"""One save of a person in the simulated EspoCRM, from the body to the statements.

A draft is the record in the server's memory: it was fetched, gets the body's attributes, is validated, compared and
echoed (facts: EspoCRM §3, §4). What it echoes is not what a later GET shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daemon.simulators.espocrm_database import FAMILIES, Database
from daemon.simulators.espocrm_fields import BadValue, EntityDef
from daemon.simulators.espocrm_shared import MAIL, PHONE, Family, Owner, SharedValues, Statement, ValueRow
from daemon.simulators.espocrm_values import PHONE_TYPES, mail_is_valid, phone_problem, stored_phone
from daemon.simulators.wire import JsonObject

NAME_ATTRIBUTES = ("salutationName", "firstName", "lastName", "middleName", "name")
_NAME_PARTS = frozenset(NAME_ATTRIBUTES[:4])
_FAMILY_OF = {attribute: family for family in FAMILIES for attribute in family.attributes}


class Refused(Exception):
    """A field validator refuses the request; nothing of it is stored."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(f"{name}: {kind}")
        self.name = name
        self.kind = kind


def same(left: Any, right: Any) -> bool:
    """Equal as PHP compares decoded JSON strictly: `1` is not `true`, the order of keys does not matter."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def full_name(row: JsonObject) -> str | None:
    """The computed `name`."""
    return " ".join(str(row[part]) for part in ("firstName", "lastName") if row.get(part)) or None


class Draft:
    """A record while it is being written."""

    def __init__(self, definition: EntityDef, fetched: JsonObject, limits: JsonObject) -> None:
        self.definition = definition
        self.fetched = fetched
        self.now: JsonObject = dict(fetched)
        self.limits = limits
        self.given: list[str] = []

    # -- taking the body -------------------------------------------------------------------------------------

    def take(self, body: JsonObject, forbidden: set[str]) -> None:
        """Set the attributes that exist and may be written; everything else is ignored without a word."""
        for name, value in body.items():
            if self._writable(name, forbidden):
                self.given.append(name)
                self.now[name] = self._sanitized(name, value)
        if _NAME_PARTS & set(self.given):
            self.now["name"] = full_name(self.now)

    def _writable(self, name: str, forbidden: set[str]) -> bool:
        family = family_of(name)
        if family is not None:
            return family.scalar in self.definition.fields and family.scalar not in forbidden
        if name in ("assignedUserId", "teamsIds"):
            return True
        definition = self.definition.fields.get(name)
        return definition is not None and not definition.read_only and name not in forbidden

    def _sanitized(self, name: str, value: Any) -> Any:
        if name == PHONE.data and isinstance(value, list):
            return [self._phone_item(item) for item in value]
        if name in (PHONE.data, MAIL.data) and not isinstance(value, list):
            return None
        if name == PHONE.scalar:
            return self._phone(value) or None
        if name == MAIL.scalar and isinstance(value, str):
            return value.strip() or None
        return value

    def _phone_item(self, item: Any) -> Any:
        if not isinstance(item, dict) or "phoneNumber" not in item:
            return item
        return {**item, "phoneNumber": self._phone(item["phoneNumber"])}

    def _phone(self, value: Any) -> Any:
        return stored_phone(
            value, self.limits["phoneNumberInternational"], self.limits["phoneNumberExtensions"]
        )

    # -- validating ------------------------------------------------------------------------------------------

    def validate(self, *, new: bool) -> None:
        """Field by field in the order of the definition; raises Refused for the first bad one only (§3.5)."""
        for name, definition in self.definition.fields.items():
            if definition.type in ("email", "phone"):
                self._validate_family(MAIL if definition.type == "email" else PHONE)
            elif definition.type not in ("link", "linkParent") and (name in self.given or new):
                self._validate_plain(name)

    def _validate_plain(self, name: str) -> None:
        definition = self.definition.fields[name]
        if name not in self.given:
            if definition.required and self.now.get(name) is None:
                raise Refused(name, "required")
            return
        try:
            self.now[name] = definition.accept(self.now[name])
        except BadValue as error:
            raise Refused(name, error.kind) from None

    def _validate_family(self, family: Family) -> None:
        """The stored scalar is looked at too: an old bad primary spoils every array (§3.6)."""
        if not {family.scalar, family.data} & set(self.given):
            return
        scalar, items = self.now.get(family.scalar), self.now.get(family.data)
        if scalar:
            self._raise_if(family, self._problem(family, scalar))
        for item in items or []:
            self._raise_if(family, self._item_problem(family, item))
        if len(items or []) > self.limits[f"{family.scalar}MaxCount"]:
            raise Refused(family.scalar, "maxCount")

    def _raise_if(self, family: Family, problem: str | None) -> None:
        if problem is not None:
            raise Refused(family.scalar, problem)

    def _problem(self, family: Family, value: Any) -> str | None:
        if family is MAIL:
            return None if mail_is_valid(value) else "emailAddress"
        return phone_problem(
            value, self.limits["phoneNumberInternational"], self.limits["phoneNumberExtensions"]
        )

    def _item_problem(self, family: Family, item: Any) -> str | None:
        if not isinstance(item, dict):
            return "valid" if family is PHONE else "emailAddress"
        if family is MAIL and not item.get(MAIL.scalar):
            return None  # silently dropped, and its primary with it
        if family is PHONE and item.get("type") is not None and item["type"] not in PHONE_TYPES:
            return "valid"
        return self._problem(family, item.get(family.scalar))

    # -- comparing -------------------------------------------------------------------------------------------

    def changed(self) -> list[str]:
        """The attributes that differ from what was fetched; any of them bumps `modifiedAt` (§4.1)."""
        return [name for name in self.given if not same(self.now.get(name), self.fetched.get(name))]

    def conflict_values(self) -> JsonObject:
        """What a 409 `modified` shows: the stored values of the fields one tried to change (§6)."""
        names: list[str] = []
        for name in self.changed():
            family = family_of(name)
            if family is not None:
                names += family.attributes
            else:
                names += NAME_ATTRIBUTES if name in _NAME_PARTS else [name]
        return {name: self.fetched.get(name) for name in dict.fromkeys(names)}

    # -- planning --------------------------------------------------------------------------------------------

    def statements(
        self, database: Database, owner: Owner, locked: Callable[[ValueRow], bool]
    ) -> list[Statement]:
        """The statements for both kinds of shared values; the echoed scalar moves with the primary."""
        result: list[Statement] = []
        for family in FAMILIES:
            if family.scalar in self.definition.fields:
                result += self._family_statements(family, database.values(family), owner, locked)
        return result

    def _family_statements(
        self, family: Family, shared: SharedValues, owner: Owner, locked: Callable[[ValueRow], bool]
    ) -> list[Statement]:
        changed = set(self.changed())
        if family.data in changed and isinstance(self.now[family.data], list):
            return self._array_statements(family, shared, owner, locked)
        flags = (bool(self.now.get(family.opted_out)), bool(self.now.get(family.invalid)))
        if family.scalar in changed:
            return shared.plan_scalar(owner, self.now[family.scalar], *flags).statements
        row = shared.primary(owner)
        if row is not None and {family.opted_out, family.invalid} & changed:
            row_id = row.id
            return [lambda: shared.update_flags(row_id, *flags)]
        return []

    def _array_statements(
        self, family: Family, shared: SharedValues, owner: Owner, locked: Callable[[ValueRow], bool]
    ) -> list[Statement]:
        plan = shared.plan_array(owner, self._with_top_flags(family), locked)
        if plan.primary is not None:
            self.now[family.scalar] = plan.primary
        if plan.reverted:
            self.now[family.data] = [
                self._reverted(family, item, plan.reverted) for item in self.now[family.data]
            ]
        return plan.statements

    def _with_top_flags(self, family: Family) -> list[Any]:
        """The top-level flags, if they changed, beat those of the item that the scalar names."""
        scalar = str(self.now.get(family.scalar) or "")
        flags = {"optOut": family.opted_out, "invalid": family.invalid}
        changed = self.changed()
        beaten = {key: bool(self.now[name]) for key, name in flags.items() if name in changed}
        items: list[Any] = self.now[family.data]
        if not beaten or not scalar:
            return items
        return [
            {**item, **beaten} if family.key(str(item.get(family.scalar))) == family.key(scalar) else item
            for item in items
        ]

    def _reverted(self, family: Family, item: JsonObject, rows: dict[str, ValueRow]) -> JsonObject:
        row = rows.get(str(item.get(family.scalar)))
        if row is None or (family is MAIL and row.name.lower() != item[MAIL.scalar]):
            return item
        kind = {"type": row.type} if family.has_type else {}
        return {**item, **kind, "optOut": row.opt_out, "invalid": row.invalid}


def family_of(attribute: str) -> Family | None:
    """The family an attribute belongs to, None for a plain one."""
    return _FAMILY_OF.get(attribute)


def fresh_items(family: Family, shared: SharedValues, items: Any) -> list[JsonObject]:
    """The array as the answer to a create shows it: complete, primary first (§2)."""
    if not isinstance(items, list):
        return []
    wanted = [several[-1] for several in shared.wanted(items).values()]
    shown = [
        {
            family.scalar: want.name,
            **({"type": want.type} if family.has_type else {"lower": want.name.lower()}),
            "primary": want.primary,
            "optOut": want.opt_out,
            "invalid": want.invalid,
        }
        for want in wanted
    ]
    return sorted(shown, key=lambda item: not item["primary"])
