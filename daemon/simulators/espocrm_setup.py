"""What an administrator of the simulated EspoCRM sets up through the API (facts: EspoCRM §12, §13).

Entities, fields, roles, users, settings and metadata, so that a set-up script can be tried on a fresh instance.
"""

from __future__ import annotations

from typing import Any

from daemon.simulators import espocrm_query as query
from daemon.simulators.espocrm_database import FAMILIES, Database
from daemon.simulators.espocrm_fields import EntityDef, FieldDef, person_entity
from daemon.simulators.espocrm_login import Accounts, Role, User, acl_table
from daemon.simulators.espocrm_replies import refusal, validation_failure
from daemon.simulators.wire import Answer, JsonObject, Request, json_answer

_PUBLIC_SETTINGS = ("applicationName", "timeZone", "language", "dateFormat", "timeFormat", "maintenanceMode")
_SWITCHES = {
    "optimisticConcurrencyControl": "versioned",
    "updateDuplicateCheck": "update_duplicate_check",
    "stream": "stream",
}
_PERMISSION_NAMES = ("assignmentPermission", "messagePermission", "mentionPermission", "userPermission")


def default_settings() -> JsonObject:
    """The settings that matter, with EspoCRM's own defaults."""
    return {
        "applicationName": "EspoCRM",
        "version": "9.2.7",
        "timeZone": "Europe/Berlin",
        "language": "de_DE",
        "dateFormat": "DD.MM.YYYY",
        "timeFormat": "HH:mm",
        "recordListMaxSizeLimit": 200,
        "phoneNumberInternational": True,
        "phoneNumberExtensions": False,
        "phoneNumberMaxCount": 10,
        "emailAddressMaxCount": 10,
        "maintenanceMode": None,
    }


class Setup:
    """Metadata, settings, users, roles and the Entity Manager."""

    def __init__(
        self, entities: dict[str, EntityDef], accounts: Accounts, database: Database, settings: JsonObject
    ) -> None:
        self._entities = entities
        self._accounts = accounts
        self._database = database
        self._settings = settings

    # -- for everybody ---------------------------------------------------------------------------------------

    def public_settings(self) -> Answer:
        """What `GET /Settings` tells without a login."""
        return json_answer({name: self._settings[name] for name in _PUBLIC_SETTINGS})

    def inform(self, user: User, request: Request, parts: list[str]) -> Answer | None:
        """What everybody with a login may ask; None if this is no such question."""
        match [request.method, *parts]:
            case ["GET", "App", "user"]:
                return self._app_user(user)
            case ["GET", "Settings"]:
                return json_answer(self._settings)
            case ["GET", "Metadata"]:
                return self._metadata(user, request.parameter("key"))
            case ["GET", "User"]:
                return self._users(user, request)
            case ["GET", "User", user_id]:
                return self._one_user(user, user_id)
        return None

    def _app_user(self, user: User) -> Answer:
        scopes = [*self._entities, "User"]
        levels = {name: user.permission(name).replace("not-set", "no") for name in _PERMISSION_NAMES}
        acl = {"table": acl_table(user, scopes), "fieldTable": self._field_table(user), **levels}
        return json_answer(
            {
                "user": user.show(),
                "acl": acl,
                "preferences": {"id": user.id},
                "token": None,
                "settings": self._settings,
                "language": self._settings["language"],
                "appParams": {"maxUploadSize": 20},
            }
        )

    def _field_table(self, user: User) -> JsonObject:
        """Per entity the fields whose rights are not plain yes."""
        return {
            entity: {
                name: {
                    action: _yes_no(name not in user.hidden(entity, action)) for action in ("read", "edit")
                }
                for name in sorted(user.hidden(entity, "read") | user.hidden(entity, "edit"))
            }
            for entity in self._entities
        }

    def _metadata(self, user: User, key: str | None) -> Answer:
        """`GET /Metadata`: an unknown key, or an entity without access, is 200 with an empty body."""
        shown = [e for e in self._entities.values() if user.level(e.name, "read") != "no"]
        found: Any = {
            "entityDefs": {entity.name: entity.defs() for entity in shown},
            "scopes": {entity.name: entity.scope() for entity in shown},
        }
        for part in key.split(".") if key else ():
            found = found.get(part) if isinstance(found, dict) else None
        return Answer(200, {"Content-Type": "application/json"}) if found is None else json_answer(found)

    def _users(self, user: User, request: Request) -> Answer:
        """`GET /User`: with `read own` only oneself."""
        everybody = user.level("User", "read") == "all"
        shown = [u.show() for u in self._accounts.users.values() if everybody or u.id == user.id]
        return self._page(shown, request, "User")

    def _one_user(self, user: User, user_id: str) -> Answer:
        """`GET /User/{id}`."""
        found = self._accounts.users.get(user_id)
        if found is None:
            return refusal(404, f"Record {user_id} does not exist.")
        if found is not user and user.level("User", "read") != "all":
            return refusal(403, "No 'read' access.")
        return json_answer({**found.show(), **self._arrays(user_id)})

    def _arrays(self, user_id: str) -> JsonObject:
        return {f.data: self._database.values(f).items(("User", user_id)) for f in FAMILIES}

    def _page(self, rows: list[JsonObject], request: Request, entity: str) -> Answer:
        listing = query.Listing.read(request, self._settings["recordListMaxSizeLimit"])
        kinds = dict.fromkeys(("id", "name", "userName", "type", "isActive"), "varchar")
        test = query.predicate(listing.where, query.Columns(entity, kinds))
        found = query.ordered([row for row in rows if test(row)], "id", descending=False, kinds=kinds)
        page = found[listing.offset :][: listing.size]
        return json_answer({"total": query.total(len(found), listing, len(page)), "list": page})

    # -- for administrators ----------------------------------------------------------------------------------

    def administer(self, request: Request, parts: list[str], body: JsonObject) -> Answer | None:
        """An administrator's call; None if there is no such call."""
        match [request.method, *parts]:
            case ["POST", "EntityManager", "action", "createEntity"]:
                return self._create_entity(str(body.get("name")))
            case ["POST", "EntityManager", "action", "updateEntity"]:
                return self._update_entity(str(body.get("name")), body)
            case ["POST", "Admin", "fieldManager", entity]:
                return self._create_field(entity, body)
            case ["PUT" | "PATCH", "Admin", "fieldManager", entity, name]:
                return self._update_field(entity, name, body)
            case ["POST", "Admin", "rebuild" | "clearCache"]:
                return json_answer(value=True)
            case ["PUT" | "PATCH", "Settings", *_]:
                self._settings.update(body)
                return json_answer(self._settings)
            case [_, "Role" | "User", *_]:
                return self._people(request, parts, body)
        return None

    def _people(self, request: Request, parts: list[str], body: JsonObject) -> Answer | None:
        match [request.method, *parts]:
            case ["GET", "Role"]:
                return self._page([role.show() for role in self._accounts.roles.values()], request, "Role")
            case ["POST", "Role"]:
                role = Role(self._database.new_id(), "")
                self._accounts.roles[role.id] = role
                return self._write_role(role, body)
            case ["PUT" | "PATCH", "Role", role_id] if role_id in self._accounts.roles:
                return self._write_role(self._accounts.roles[role_id], body)
            case ["POST", "User"]:
                return self._create_user(body)
            case ["PUT" | "PATCH", "User", user_id] if user_id in self._accounts.users:
                return self._update_user(self._accounts.users[user_id], body)
        return None

    def _create_entity(self, name: str) -> Answer:
        full = f"C{name}"
        if full in self._entities:
            return refusal(409, f"Name '{full}' is already used.")
        self._entities[full] = person_entity(full)
        return json_answer({"name": full})

    def _update_entity(self, name: str, body: JsonObject) -> Answer:
        entity = self._entities.get(name)
        if entity is None:
            return refusal(404, f"Entity '{name}' does not exist.")
        for key, attribute in _SWITCHES.items():
            if key in body:
                setattr(entity, attribute, bool(body[key]))
        return json_answer(value=True)

    def _create_field(self, entity_name: str, body: JsonObject) -> Answer:
        entity, name = self._entities.get(entity_name), str(body.get("name"))
        if entity is None:
            return refusal(404, f"Entity '{entity_name}' does not exist.")
        if name in entity.fields:
            return refusal(409, f"Field '{name}' already exists in '{entity_name}'.")
        entity.fields[name] = FieldDef.read(body)
        return json_answer(entity.fields[name].metadata())

    def _update_field(self, entity_name: str, name: str, body: JsonObject) -> Answer:
        """Also a wrong name is answered 200, and nothing happens (§13)."""
        entity = self._entities.get(entity_name)
        old = entity.fields.get(name) if entity else None
        if entity is not None and old is not None:
            entity.fields[name] = FieldDef.read({**old.metadata(), **body})
        return json_answer(body)

    def _write_role(self, role: Role, body: JsonObject) -> Answer:
        if body.get("mentionPermission") not in (None, "all", "team", "no", "not-set"):
            return validation_failure("Role", "mentionPermission", "valid")
        unknown = [scope for scope in body.get("data") or {} if scope == "ActionHistoryRecord"]
        if unknown:
            return refusal(400, f"Bad data. Scope *{unknown[0]}* is not allowed.")
        self._accounts.read_role(role, body)
        return json_answer(role.show())

    def _create_user(self, body: JsonObject) -> Answer:
        name = str(body.get("userName"))
        if self._accounts.by_name(name) is not None:
            return refusal(409, "userNameExists")
        user = User(self._database.new_id(), name, str(body.get("type", "regular")), name)
        self._accounts.users[user.id] = user
        user.auth_method = body.get("authMethod")
        if user.type == "api":
            user.api_key = self._accounts.new_key()
            user.secret_key = self._accounts.new_key() if user.auth_method == "Hmac" else None
        return self._update_user(user, body)

    def _update_user(self, user: User, body: JsonObject) -> Answer:
        user.is_active = bool(body.get("isActive", user.is_active))
        if "rolesIds" in body:
            user.roles = [self._accounts.roles[i] for i in body["rolesIds"] if i in self._accounts.roles]
        for family in FAMILIES:
            if isinstance(body.get(family.data), list):
                shared, owner = self._database.values(family), ("User", user.id)
                plan = shared.plan_array(owner, body[family.data], lambda _row: False)
                self._database.save(owner, plan.statements)
        secrets = {"apiKey": user.api_key, "secretKey": user.secret_key}
        return json_answer({**user.show(), **{k: v for k, v in secrets.items() if v}})


def _yes_no(allowed: bool) -> str:
    return "yes" if allowed else "no"
