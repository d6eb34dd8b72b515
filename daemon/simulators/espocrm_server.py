"""The server of the simulated EspoCRM: from a request to the controller that answers it (facts: EspoCRM §8).

`espocrm` puts people and a tester's eyes on top of it.
"""

from __future__ import annotations

import json
import random
from collections import Counter

from daemon.simulators.espocrm_database import Database
from daemon.simulators.espocrm_fields import EntityDef, task_entity
from daemon.simulators.espocrm_login import API_ROOT, Accounts, Denied, User
from daemon.simulators.espocrm_people import People
from daemon.simulators.espocrm_query import BadQuery
from daemon.simulators.espocrm_replies import bare, crash, gateway_page, page, refusal
from daemon.simulators.espocrm_setup import Setup, default_settings
from daemon.simulators.espocrm_tasks import Tasks
from daemon.simulators.wire import Answer, Clock, JsonObject, Request, dated, json_answer, text_answer

LONGEST_TARGET = 8170
LARGEST_BODY = 20 * 2**20
_CLOSED = (
    "Account",
    "Contact",
    "EmailAddress",
    "Lead",
    "Note",
    "Notification",
    "PhoneNumber",
    "Team",
    "Webhook",
)
"""Entities that exist in every instance and that no role here opens."""
_LOCALISED = {"message": "Die Anwendung befindet sich im Wartungsmodus."}


class Server:
    """Tables, logins and controllers, and the way to them. Without users nobody gets in."""

    def __init__(self, clock: Clock, chance: random.Random, settings: JsonObject) -> None:
        self.clock = clock
        self.settings = {**default_settings(), **settings}
        self.database = Database(clock, chance)
        self.accounts = Accounts(clock, chance)
        self.entities: dict[str, EntityDef] = {"Task": task_entity()}
        self.counts: Counter[tuple[str, str]] = Counter()
        """Requests by (method, kind of path), e.g. ("GET", "CBeteiligte/*")."""
        self._setup = Setup(self.entities, self.accounts, self.database, self.settings)
        self.tasks = Tasks(self.entities["Task"], self.database, self.accounts, clock, self.settings)

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
