"""Users, roles and logins of the simulated EspoCRM: who may ask what, and when everybody is locked out.

Used by the world before any controller (facts: EspoCRM §8.3, §11, §12).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from daemon.simulators.wire import Clock, JsonObject, Request

API_ROOT = "/api/v1"
MAX_FAILURES = 10
FAILURE_PERIOD = 60.0
PERMISSIONS = (
    "assignmentPermission",
    "userPermission",
    "messagePermission",
    "mentionPermission",
)
_RANK = ("no", "own", "team", "yes", "all")
SYNC_ROLE: JsonObject = {
    "CBeteiligte": {"create": "no", "read": "all", "edit": "all", "delete": "no"},
    "Task": {"create": "yes", "read": "all", "edit": "all", "delete": "no"},
    "User": {"read": "all", "edit": "no"},
}
"""The rights a sync needs (§13)."""


@dataclass(slots=True)
class Role:
    """What an administrator lets an API user do."""

    id: str
    name: str
    data: JsonObject = field(default_factory=dict)
    field_data: JsonObject = field(default_factory=dict)
    permissions: dict[str, str] = field(default_factory=dict)

    def show(self) -> JsonObject:
        """As the API shows it."""
        levels = {name: self.permissions.get(name, "not-set") for name in PERMISSIONS}
        head: JsonObject = {"id": self.id, "name": self.name, "deleted": False}
        return {**head, **levels, "data": self.data, "fieldData": self.field_data}


@dataclass(slots=True)
class User:
    """A login. `type` is admin, regular or api."""

    id: str
    user_name: str
    type: str
    name: str
    password: str | None = None
    auth_method: str | None = None
    api_key: str | None = None
    secret_key: str | None = None
    is_active: bool = True
    roles: list[Role] = field(default_factory=list)

    @property
    def is_admin(self) -> bool:
        """Administrators are asked nothing."""
        return self.type == "admin"

    def level(self, scope: str, action: str) -> str:
        """yes / all / own / no for an action on a scope. People of the firm may do everything here."""
        if self.type != "api":
            return "all"
        unset = "all" if action == "stream" and scope != "User" else "no"
        levels = [str(role.data[scope].get(action, unset)) for role in self.roles if role.data.get(scope)]
        if not levels:
            return "own" if (scope, action) == ("User", "read") else "no"
        return max(levels, key=_RANK.index)

    def permission(self, name: str) -> str:
        """all / no / not-set."""
        if self.type != "api":
            return "all"
        return next((role.permissions[name] for role in self.roles if name in role.permissions), "not-set")

    def hidden(self, scope: str, action: str) -> set[str]:
        """The fields of a scope that a role forbids for read or edit."""
        if self.type != "api":
            return set()
        tables = [role.field_data.get(scope) or {} for role in self.roles]
        return {name for table in tables for name, rights in table.items() if rights.get(action) == "no"}

    def show(self) -> JsonObject:
        """As the API shows it, without secrets."""
        return {
            "id": self.id,
            "name": self.name,
            "deleted": False,
            "userName": self.user_name,
            "type": self.type,
            "isActive": self.is_active,
            "rolesIds": [role.id for role in self.roles],
            "rolesNames": {role.id: role.name for role in self.roles},
        }


class Denied(Exception):
    """A login that is answered 401 or 403 with nothing in it."""

    def __init__(self, status: int, *, ask: bool = False) -> None:
        super().__init__(status)
        self.status = status
        self.ask = ask


class Accounts:
    """All users and roles, and the memory of failed logins (one address only: everything comes from it)."""

    def __init__(self, clock: Clock, chance: random.Random) -> None:
        self.users: dict[str, User] = {}
        self.roles: dict[str, Role] = {}
        self._clock = clock
        self._chance = chance
        self._failures: deque[float] = deque()

    def new_key(self) -> str:
        """32 hex digits."""
        return f"{self._chance.getrandbits(128):032x}"

    def by_name(self, user_name: str) -> User | None:
        """A user by login name."""
        return next((user for user in self.users.values() if user.user_name == user_name), None)

    def login(self, request: Request) -> User:
        """Who is asking. Raises Denied; more than ten failures in 60 s lock out everybody."""
        if self._locked():
            raise Denied(403)
        credentials = [
            request.header(name) for name in ("X-Api-Key", "X-Hmac-Authorization", "Authorization")
        ]
        if not any(credentials):
            raise Denied(401, ask=request.method != "POST")
        user = self._match(request)
        if user is None or not user.is_active or (request.header("X-Another-User") and not user.is_admin):
            self._failures.append(self._clock())
            raise Denied(401)
        return user

    def _locked(self) -> bool:
        while self._failures and self._failures[0] <= self._clock() - FAILURE_PERIOD:
            self._failures.popleft()
        return len(self._failures) > MAX_FAILURES

    def _match(self, request: Request) -> User | None:
        hmac_header = request.header("X-Hmac-Authorization")
        if hmac_header is not None:
            return self._match_hmac(request, hmac_header)
        key = request.header("X-Api-Key")
        if key is not None:
            found = (u for u in self.users.values() if u.auth_method == "ApiKey" and u.api_key == key)
            return next(found, None)
        return self._match_password(request.header("Authorization") or "")

    def _match_hmac(self, request: Request, header: str) -> User | None:
        decoded = _unbase64(header)
        key, _, signature = decoded.partition(b":")
        for user in self.users.values():
            if user.auth_method == "Hmac" and (user.api_key or "").encode() == key:
                message = f"{request.method} {request.path.removeprefix(API_ROOT)}".encode()
                right = hmac.new((user.secret_key or "").encode(), message, hashlib.sha256)
                matches = signature in (right.hexdigest().encode(), right.digest())
                return user if matches else None
        return None

    def _match_password(self, header: str) -> User | None:
        scheme, _, encoded = header.partition(" ")
        if scheme.lower() != "basic":
            return None
        name, _, password = _unbase64(encoded).decode(errors="replace").partition(":")
        user = self.by_name(name)
        return user if user is not None and user.password and user.password == password else None

    def read_role(self, role: Role, body: JsonObject) -> None:
        """Take over what an administrator sent."""
        role.name = str(body.get("name", role.name))
        role.data = body.get("data", role.data) or {}
        role.field_data = body.get("fieldData", role.field_data) or {}
        role.permissions.update({name: str(body[name]) for name in PERMISSIONS if name in body})


def basic(user: User) -> str:
    """The Authorization header a person's browser would send."""
    return "Basic " + base64.b64encode(f"{user.user_name}:{user.password}".encode()).decode()


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def acl_table(user: User, scopes: list[str]) -> JsonObject:
    """acl.table of App/user: every scope with its five actions, or false."""
    table: JsonObject = {}
    for scope in scopes:
        levels: dict[str, Any] = {
            action: user.level(scope, action) for action in ("create", "read", "edit", "delete", "stream")
        }
        table[scope] = levels if levels["read"] != "no" else False
    return table
