"""A whole EspoCRM in memory, with the manners that were measured on a real one (facts: EspoCRM).

`EspoWorld.answer()` is the server; the other methods are a user in the browser, an administrator with a database
client, and the eyes of a test. Used by `demo`, `simulators` and the tests; knows nothing of the daemon.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from daemon.simulators.espocrm_database import FAMILIES, Database, Saving
from daemon.simulators.espocrm_fields import PERSON, EntityDef, person_entity, sync_fields, task_entity
from daemon.simulators.espocrm_login import API_ROOT, SYNC_ROLE, Accounts, Denied, Role, User, basic
from daemon.simulators.espocrm_people import People
from daemon.simulators.espocrm_query import BadQuery
from daemon.simulators.espocrm_replies import bare, crash, gateway_page, page, refusal
from daemon.simulators.espocrm_setup import Setup, default_settings
from daemon.simulators.espocrm_shared import MAIL, PHONE, Family, ValueRow
from daemon.simulators.espocrm_tasks import Tasks
from daemon.simulators.espocrm_values import DEFAULT_PHONE_TYPE
from daemon.simulators.wire import Answer, Clock, JsonObject, Request, dated, json_answer, text_answer

LONGEST_TARGET = 8170
LARGEST_BODY = 20 * 2**20
_CLOSED = (
    "Account",
    "Contact",
    "Lead",
    "Note",
    "Notification",
    "PhoneNumber",
    "EmailAddress",
    "Webhook",
    "Team",
)
_LOCALISED = {"message": "Die Anwendung befindet sich im Wartungsmodus."}


class NotSaved(ValueError):
    """The server refused what a simulated person typed; holds the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.header('X-Status-Reason')}")
        self.answer = answer


def phone(value: str, kind: str = DEFAULT_PHONE_TYPE, *, primary: bool = False, **flags: bool) -> JsonObject:
    """An item of phoneNumberData as the browser sends it; flags are optOut and invalid."""
    return {PHONE.scalar: value, "type": kind, "primary": primary, "optOut": False, "invalid": False, **flags}


def mail(value: str, *, primary: bool = False, **flags: bool) -> JsonObject:
    """An item of emailAddressData as the browser sends it; flags are optOut and invalid."""
    item: JsonObject = {MAIL.scalar: value, "lower": value.lower(), "primary": primary}
    return {**item, "optOut": False, "invalid": False, **flags}


class EspoWorld:
    """One instance with an administrator, a secretary (`human1`) and an API user.

    `fresh=True` has no CBeteiligte, no role and no API user yet: something for a set-up script.
    Time comes from `clock` only, chance from `chance` only.
    """

    def __init__(self, clock: Clock, chance: random.Random, *, fresh: bool = False, **settings: Any) -> None:
        self.clock = clock
        self.settings = {**default_settings(), **settings}
        self.database = Database(clock, chance)
        self.accounts = Accounts(clock, chance)
        self.entities: dict[str, EntityDef] = {"Task": task_entity()}
        self.counts: Counter[tuple[str, str]] = Counter()
        """Requests by (method, kind of path), e.g. ("GET", "CBeteiligte/*")."""
        self.admin = self._user("admin", "admin", "Admin", password="admin-password")  # noqa: S106
        self.human = self._user("human1", "regular", "Hanna Human", password="human-password")  # noqa: S106
        self._setup = Setup(self.entities, self.accounts, self.database, self.settings)
        self.tasks = Tasks(self.entities["Task"], self.database, self.accounts, clock, self.settings)
        if not fresh:
            self._make_ready()

    def _user(self, user_name: str, kind: str, name: str, password: str | None = None) -> User:
        user = User(self.database.new_id(), user_name, kind, name, password)
        self.accounts.users[user.id] = user
        return user

    def _make_ready(self) -> None:
        entity = person_entity()
        entity.fields.update(sync_fields())
        self.entities[PERSON] = entity
        role = Role(self.database.new_id(), "kommsync", dict(SYNC_ROLE), {}, {"assignmentPermission": "all"})
        self.accounts.roles[role.id] = role
        self.add_api_user("sync-api", "ApiKey", role)

    def add_api_user(self, user_name: str, auth_method: str, role: Role | None = None) -> User:
        """An API user with keys; auth_method is ApiKey or Hmac."""
        user = self._user(user_name, "api", user_name)
        user.auth_method, user.api_key = auth_method, self.accounts.new_key()
        user.secret_key = self.accounts.new_key() if auth_method == "Hmac" else None
        user.roles = [role or next(iter(self.accounts.roles.values()))]
        return user

    # -- the server ------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        """One request, one answer; what it changes is changed when this returns (or later, see `saving`)."""
        self.database.settle()
        self.counts[(request.method, self._kind(request))] += 1
        try:
            return dated(self._guarded(request), self.clock())
        except BadQuery as error:
            return dated(refusal(error.status, error.reason), self.clock())
        except ValueError:
            return dated(crash(), self.clock())

    def _guarded(self, request: Request) -> Answer:
        if request.target_length > LONGEST_TARGET:
            return gateway_page(414, "Request-URI Too Large")
        if len(request.body) > LARGEST_BODY:
            return gateway_page(413, "Request Entity Too Large")
        if not (request.path + "/").startswith(API_ROOT + "/"):
            return gateway_page(404, "Not Found")
        try:
            user = self.accounts.login(request)
        except Denied as denied:
            return self._denied(request, denied)
        if self.settings["maintenanceMode"] and not user.is_admin:
            reason = "Application is in maintenance mode."
            answer = json_answer(_LOCALISED, 503, {"X-Status-Reason": reason})
            return Answer(503, {**answer.headers, "Content-Type": "text/html; charset=UTF-8"}, answer.body)
        return self._route(user, request, self._parts(request))

    def _denied(self, request: Request, denied: Denied) -> Answer:
        if denied.status == 401 and self._parts(request) == ["Settings"]:
            return self._setup.public_settings()
        return bare(denied.status, {"WWW-Authenticate": 'Basic realm=""'} if denied.ask else None)

    def _parts(self, request: Request) -> list[str]:
        return [part for part in request.path.removeprefix(API_ROOT).split("/") if part]

    def _kind(self, request: Request) -> str:
        parts = self._parts(request)
        if len(parts) >= 2 and (parts[0] in self.entities or parts[0] in ("User", "Role")):
            parts[1] = parts[1] if parts[1] == "action" else "*"
        return "/".join(parts)

    def _route(self, user: User, request: Request, parts: list[str]) -> Answer:
        if len(parts) > 4:
            return page(404, "404 Not Found")
        if len(parts) == 2 and request.method in ("POST", "OPTIONS") and self._is_entity(parts[0]):
            status = 405 if request.method == "POST" else 200
            return page(status, "405 Method Not Allowed", {"Allow": "GET, DELETE, PUT, PATCH"})
        body = _body(request)
        if body is None:
            return refusal(400, "Body is not a JSON object.")
        return self._routed(user, request, parts, body)

    def _is_entity(self, name: str) -> bool:
        return name in self.entities or name in _CLOSED

    def _routed(self, user: User, request: Request, parts: list[str], body: JsonObject) -> Answer:
        done = self._setup.administer(request, parts, body) if user.is_admin else None
        done = done or self._setup.inform(user, request, parts)
        if done is not None:
            return done
        match parts:
            case []:
                return text_answer("EspoCRM REST API", content_type="application/json")
            case ["Action"] if str(body.get("entityType")) in self.entities:
                return self._people(str(body["entityType"])).merge(user, request, body)
            case ["Task", *rest]:
                return self._task_call(user, request, rest, body)
            case [entity, *rest] if entity in self.entities:
                return self._people_call(user, request, self._people(entity), rest, body)
        return self._unknown(request, parts)

    def _unknown(self, request: Request, parts: list[str]) -> Answer:
        if parts[0] in (*_CLOSED, "Admin", "EntityManager", "Role", "Settings", "ActionHistoryRecord"):
            return refusal(403, "No create access." if request.method == "POST" else "No read access.")
        return refusal(404, f"Controller '{parts[0]}' does not exist.")

    def _people(self, entity: str) -> People:
        return People(self.entities[entity], self.database, self.accounts, self.clock, self.settings)

    def _people_call(
        self, user: User, request: Request, people: People, rest: list[str], body: JsonObject
    ) -> Answer:
        match [request.method, *rest]:
            case ["GET"]:
                return people.listing(user, request)
            case ["POST"]:
                return people.create(user, request, body)
            case ["GET", record_id]:
                return people.read(user, record_id)
            case ["PUT" | "PATCH", record_id]:
                return people.update(user, record_id, request, body)
            case ["DELETE", record_id]:
                return people.delete(user, record_id)
            case ["POST", "action", "restoreDeleted"]:
                return people.restore(user, str(body.get("id")))
        return _no_action(request, people.definition.name, rest)

    def _task_call(self, user: User, request: Request, rest: list[str], body: JsonObject) -> Answer:
        match [request.method, *rest]:
            case ["GET"]:
                return self.tasks.listing(user, request)
            case ["POST"]:
                return self.tasks.create(user, body)
            case ["GET", task_id]:
                return self.tasks.read(user, task_id)
            case ["PUT" | "PATCH", task_id]:
                return self.tasks.update(user, task_id, body)
            case ["DELETE", task_id]:
                return self.tasks.delete(user, task_id)
        return _no_action(request, "Task", rest)

    # -- people in the browser -------------------------------------------------------------------------------

    @property
    def people(self) -> People:
        """The CBeteiligte controller."""
        return self._people(PERSON)

    @property
    def saving(self) -> Saving:
        """How slow and how torn saves are."""
        return self.database.saving

    def create_person(
        self,
        *,
        phones: Sequence[JsonObject] = (),
        mails: Sequence[JsonObject] = (),
        user: User | None = None,
        **fields: Any,
    ) -> str:
        """Somebody saves a new record; returns its id. Raises NotSaved."""
        body = {**fields, PHONE.data: list(phones), MAIL.data: list(mails)}
        headers = {"X-Skip-Duplicate-Check": "true"}
        answer = self._typed(lambda who, r: self.people.create(who, r, body), user, headers)
        return str(answer.json()["id"])

    def edit_person(
        self,
        record_id: str,
        *,
        phones: Sequence[JsonObject] | None = None,
        mails: Sequence[JsonObject] | None = None,
        user: User | None = None,
        **fields: Any,
    ) -> None:
        """Somebody saves the form: the same path as a PUT, under his own name. Raises NotSaved."""
        body = dict(fields)
        for family, items in ((PHONE, phones), (MAIL, mails)):
            if items is not None:
                body[family.data] = list(items)
                body[family.scalar] = _scalar(family, items)
        headers = {"X-Skip-Duplicate-Check": "true"}
        self._typed(lambda who, r: self.people.update(who, record_id, r, body), user, headers)

    def delete_person(self, record_id: str) -> None:
        """The administrator deletes a record. Raises NotSaved."""
        self._typed(lambda who, _r: self.people.delete(who, record_id), self.admin)

    def restore_person(self, record_id: str) -> None:
        """The administrator brings a record back. Raises NotSaved."""
        self._typed(lambda who, _r: self.people.restore(who, record_id), self.admin)

    def _typed(
        self, save: Callable[[User, Request], Answer], user: User | None, headers: JsonObject | None = None
    ) -> Answer:
        self.database.settle()
        answer = save(user or self.human, Request("PUT", API_ROOT, headers=headers or {}))
        if answer.status != 200:
            raise NotSaved(answer)
        return answer

    def edit_value(self, family: Family, value: str, **changes: Any) -> None:
        """The administrator edits a row of Phone Numbers / Email Addresses: nobody's `modifiedAt` moves (§4.1)."""
        self.database.values(family).edit(value, **changes)

    def make_twin(self, record_id: str, family: Family, value: str, kind: str = "Home") -> ValueRow:
        """What two saves at the same moment leave behind: a second row of one value, linked here (§10)."""
        shared = self.database.values(family)
        if shared.find(value) is None:
            shared.insert_row(shared.new_row(value))
        row = shared.new_row(value, kind)
        shared.insert_row(row)
        owner = (PERSON, record_id)
        shared.link(owner, row.id, primary=shared.primary(owner) is None)
        return row

    # -- the eyes of a test ----------------------------------------------------------------------------------

    def person(self, record_id: str) -> JsonObject:
        """What is stored now, as an administrator's GET shows it; raises KeyError."""
        self.database.settle()
        return self.people.record(self.database.table(PERSON)[record_id])

    def ids(self, *, deleted: bool = False) -> list[str]:
        """The ids of all live (or all deleted) records, in order of creation."""
        self.database.settle()
        return [row["id"] for row in self.database.table(PERSON).values() if row["deleted"] == deleted]

    @property
    def api_user(self) -> User:
        """The first API user; has `api_key`."""
        return next(user for user in self.accounts.users.values() if user.type == "api")

    def headers(self, user: User) -> dict[str, str]:
        """The login headers of a user (not for Hmac, which signs each request)."""
        if user.type == "api":
            return {"X-Api-Key": str(user.api_key)}
        return {"Authorization": basic(user)}

    def written(self) -> int:
        """How many writing requests came in."""
        return sum(count for (method, _kind), count in self.counts.items() if method not in ("GET", "HEAD"))


def _scalar(family: Family, items: Sequence[JsonObject]) -> str | None:
    chosen = next((item for item in items if item.get("primary")), items[0] if items else None)
    return None if chosen is None else str(chosen[family.scalar])


def _body(request: Request) -> JsonObject | None:
    """The body as PHP sees it: ignored without the JSON content type; None if it is no object (§8.2)."""
    kind = (request.header("Content-Type") or "").partition(";")[0].strip().lower()
    if request.method in ("GET", "HEAD", "DELETE") or kind != "application/json" or not request.body:
        return {}
    value = json.loads(request.body.decode("utf-8"))  # bad JSON and bad UTF-8 are ValueErrors: 500
    if isinstance(value, list):
        return {}
    return value if isinstance(value, dict) else None


def _no_action(request: Request, controller: str, rest: list[str]) -> Answer:
    action = rest[1] if rest[:1] == ["action"] and len(rest) > 1 else "read" if len(rest) == 1 else "index"
    reason = f"Action {request.method} '{action}' does not exist in controller '{controller}'."
    return refusal(404, reason)


__all__ = ["FAMILIES", "MAIL", "PHONE", "EspoWorld", "NotSaved", "mail", "phone"]
