"""How persons are written in the simulated EspoCRM: create, update, delete, restore and merge.

The writing half of the CBeteiligte controller, with the rights of the asking user (facts: EspoCRM §1.6, §3-§7).
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from daemon.simulators.espocrm_database import FAMILIES
from daemon.simulators.espocrm_draft import Draft, Refused, fresh_items, full_name
from daemon.simulators.espocrm_fields import stamp
from daemon.simulators.espocrm_login import User
from daemon.simulators.espocrm_reading import Reading
from daemon.simulators.espocrm_replies import refusal, validation_failure
from daemon.simulators.espocrm_shared import MAIL, Owner, Statement, ValueRow
from daemon.simulators.wire import Answer, JsonObject, Request, json_answer

_HOLDERS_LOOKED_AT = 50


class People(Reading):
    """The controller of one Person entity."""

    # -- writing ---------------------------------------------------------------------------------------------

    def create(self, user: User, request: Request, body: JsonObject) -> Answer:
        """POST: 200, `modifiedById` null, the duplicate check of §7."""
        if user.level(self._entity, "create") == "no":
            return refusal(403, "No create access.")
        now = stamp(self._clock())
        defaults = {name: f.default for name, f in self.definition.fields.items() if f.default is not None}
        draft = Draft(self.definition, {}, self._settings)
        draft.take({**defaults, **body}, user.hidden(self._entity, "edit"))
        refused = self._refused(draft, user, new=True) or self._duplicate(draft, request, body, None)
        if refused is not None:
            return refused
        record_id = self._database.new_id()
        row = {
            **self._own_columns(draft),
            "id": record_id,
            "deleted": False,
            "createdAt": now,
            "modifiedAt": now,
            "createdById": user.id,
            "modifiedById": None,
            "versionNumber": 1 if self.definition.versioned else None,
        }
        table = self._database.table(self._entity)
        statements: list[Statement] = [lambda: table.__setitem__(record_id, row)]
        echo = self._created(draft, row)
        statements += draft.statements(self._database, self._owner(record_id), self._lock(user, record_id))
        seconds = self._database.save(self._owner(record_id), statements)
        return _slow(json_answer({**echo, **_scalars(draft)}), seconds)

    def _created(self, draft: Draft, row: JsonObject) -> JsonObject:
        shown = {name: value for name, value in row.items() if value is not None}
        if row.get("firstName"):
            shown["name"] = full_name(row)
        for family in FAMILIES:
            scalar = draft.now.get(family.scalar)
            items = draft.now.get(family.data) or (
                [{family.scalar: scalar, "primary": True}] if scalar else []
            )
            shown[family.opted_out] = shown[family.invalid] = False
            shown[family.data] = fresh_items(family, self._database.values(family), items)
        names = {"createdByName": self._user_name(row["createdById"]), "modifiedByName": None}
        assigned = {"assignedUserName": self._user_name(row.get("assignedUserId"))}
        return {**shown, **names, **assigned, "teamsIds": row.get("teamsIds", []), "teamsNames": {}}

    def update(self, user: User, record_id: str, request: Request, body: JsonObject) -> Answer:
        """PUT and PATCH: a partial update whose answer echoes what was sent (§3.1)."""
        row = self._database.table(self._entity).get(record_id)
        if row is None or row["deleted"]:
            return refusal(404, f"Record {record_id} not found.")
        if not self.may(user, "edit", row):
            return refusal(403, "No edit access.")
        owner = self._owner(record_id)
        self._database.prepare(owner)
        draft = Draft(self.definition, self.record(row), self._settings)
        draft.take(body, user.hidden(self._entity, "edit"))
        refused = (
            self._refused(draft, user, new=False)
            or self._outdated(draft, row, request)
            or (self.definition.update_duplicate_check and self._duplicate(draft, request, body, record_id))
        )
        if refused:
            return refused
        statements = self._update_statements(draft, row, user)
        seconds = self._database.save(owner, statements)
        return _slow(json_answer(self._visible(user, draft.now)), seconds)

    def _update_statements(self, draft: Draft, row: JsonObject, user: User) -> list[Statement]:
        written: JsonObject = {}
        if draft.changed():
            bump = {"modifiedAt": stamp(self._clock()), "modifiedById": user.id}
            written = {**self._own_columns(draft), **bump}
            draft.now.update({**bump, "modifiedByName": user.name})
            if "assignedUserId" in draft.given:
                draft.now["assignedUserName"] = self._user_name(draft.now["assignedUserId"])
        if self.definition.versioned:
            draft.now["versionNumber"] = written["versionNumber"] = (row.get("versionNumber") or 0) + 1
        statements: list[Statement] = [lambda: row.update(written)] if written else []
        record_id = row["id"]
        return statements + draft.statements(
            self._database, self._owner(record_id), self._lock(user, record_id)
        )

    def _own_columns(self, draft: Draft) -> JsonObject:
        """The plain columns that were given; times without seconds get them."""
        plain = [*self.definition.columns(), "assignedUserId", "teamsIds"]
        cells = {name: draft.now.get(name) for name in plain if name in draft.given}
        for name, value in cells.items():
            if name in self.definition.fields and self.definition.fields[name].type == "datetime" and value:
                cells[name] = f"{value}:00"[:19]
        return cells

    def _refused(self, draft: Draft, user: User, *, new: bool) -> Answer | None:
        try:
            draft.validate(new=new)
        except Refused as error:
            return validation_failure(self._entity, error.name, error.kind)
        assigned = draft.now.get("assignedUserId")
        if "assignedUserId" in draft.changed() and assigned not in (None, user.id):
            return assignment_failure(user)
        return None

    def _outdated(self, draft: Draft, row: JsonObject, request: Request) -> Answer | None:
        """409 `modified`: only with the header, a stored version and a real change (§6)."""
        sent, stored = request.header("X-Version-Number"), row.get("versionNumber")
        if not self.definition.versioned or sent is None or stored is None or sent == str(stored):
            return None
        if not draft.changed():
            return None
        return refusal(409, "modified", {"values": draft.conflict_values(), "versionNumber": stored})

    def _duplicate(
        self, draft: Draft, request: Request, body: JsonObject, own_id: str | None
    ) -> Answer | None:
        if request.header("X-Skip-Duplicate-Check") == "true" or body.get("_skipDuplicateCheck") is True:
            return None
        found = [row for row in self._database.live(self._entity) if row["id"] != own_id]
        holders = self._mail_holders(draft)
        same_name = _name_key(draft.now)
        found = [row for row in found if _name_key(row) == same_name or row["id"] in holders]
        if not found:
            return None
        return refusal(409, "duplicate", [self._listed(row) for row in found])

    def _mail_holders(self, draft: Draft) -> set[str]:
        items = draft.now.get(MAIL.data) or []
        values = [item.get(MAIL.scalar) for item in items] + [draft.now.get(MAIL.scalar)]
        shared = self._database.values(MAIL)
        return {owner[1] for value in values if value for owner in shared.holders_of(value)}

    def _lock(self, user: User, record_id: str) -> Any:
        """Whether a shared value also belongs to a record that this user may not edit (§5.5)."""

        def locked(row: ValueRow) -> bool:
            holders = {holder for family in FAMILIES for holder in self._database.values(family).holders(row)}
            others = (holder for holder in sorted(holders) if holder != self._owner(record_id))
            return any(not self._may_edit(user, holder) for holder in islice(others, _HOLDERS_LOOKED_AT))

        return locked

    def _may_edit(self, user: User, holder: Owner) -> bool:
        entity, record_id = holder
        if entity != self._entity:
            return user.level(entity, "edit") not in ("no", "own")
        row = self._database.table(entity).get(record_id)
        return row is None or row["deleted"] or self.may(user, "edit", row)

    # -- deleting --------------------------------------------------------------------------------------------

    def delete(self, user: User, record_id: str) -> Answer:
        """A soft delete; the links stay (§1.6)."""
        if user.level(self._entity, "delete") == "no":
            return refusal(403, "No delete access.")
        row = self._database.table(self._entity).get(record_id)
        if row is None or row["deleted"]:
            return refusal(404, f"Record {record_id} not found.")
        row.update(deleted=True, modifiedAt=stamp(self._clock()), modifiedById=user.id)
        return json_answer(value=True)

    def restore(self, user: User, record_id: str) -> Answer:
        """Brings everything back and does not bump `modifiedAt` (§1.6)."""
        row = self._database.table(self._entity).get(record_id)
        if not user.is_admin:
            return refusal(403, "Only admin can restore.")
        if row is None:
            return refusal(404, f"Record {record_id} not found.")
        row["deleted"] = False
        return json_answer(value=True)

    def merge(self, user: User, request: Request, body: JsonObject) -> Answer:
        """`POST /Action` merge: the target is bumped, the sources are soft-deleted."""
        data = body.get("data") or {}
        target = str(body.get("id"))
        answer = self.update(user, target, request, data.get("attributes") or {})
        if answer.status != 200:
            return answer
        for source in data.get("sourceIdList", []):
            self.delete(user, source)
        return self.read(user, target)


def assignment_failure(user: User) -> Answer | None:
    """403 unless the user may assign others (§11)."""
    if user.permission("assignmentPermission") == "all":
        return None
    return refusal(403, "Assignment failure: assigned user or team not allowed.")


def _name_key(row: JsonObject) -> tuple[str | None, str | None]:
    return ((row.get("firstName") or "").lower() or None, (row.get("lastName") or "").lower() or None)


def _scalars(draft: Draft) -> JsonObject:
    return {f.scalar: draft.now[f.scalar] for f in FAMILIES if draft.now.get(f.scalar)}


def _slow(answer: Answer, seconds: float) -> Answer:
    return Answer(answer.status, answer.headers, answer.body, seconds)
