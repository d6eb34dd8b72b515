"""A whole EspoCRM in memory, with the manners that were measured on a real one (facts: EspoCRM).

`EspoWorld.answer()` is the server; the other methods are a user in the browser, an administrator with a database
client, and the eyes of a test. Used by `demo`, `simulators` and the tests; knows nothing of the daemon.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from daemon.simulators.espocrm_database import Saving
from daemon.simulators.espocrm_fields import PERSON, person_entity, sync_fields
from daemon.simulators.espocrm_login import API_ROOT, SYNC_ROLE, Role, User, basic
from daemon.simulators.espocrm_people import People
from daemon.simulators.espocrm_server import Server
from daemon.simulators.espocrm_shared import MAIL, PHONE, Family, ValueRow
from daemon.simulators.espocrm_values import DEFAULT_PHONE_TYPE
from daemon.simulators.wire import Answer, Clock, JsonObject, Request


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


class EspoWorld(Server):
    """One instance with an administrator, a secretary (`human1`) and an API user.

    `fresh=True` has no CBeteiligte, no role and no API user yet: something for a set-up script.
    Time comes from `clock` only, chance from `chance` only.
    """

    def __init__(self, clock: Clock, chance: random.Random, *, fresh: bool = False, **settings: Any) -> None:
        super().__init__(clock, chance, settings)
        self.admin = self._user("admin", "admin", "Admin", password="admin-password")  # noqa: S106
        self.human = self._user("human1", "regular", "Hanna Human", password="human-password")  # noqa: S106
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


__all__ = ["MAIL", "PHONE", "EspoWorld", "NotSaved", "mail", "phone"]
