"""Tasks of the simulated EspoCRM: the way to reach a human, and the rights it needs (facts: EspoCRM §11)."""

from __future__ import annotations

from daemon.simulators import espocrm_query as query
from daemon.simulators.espocrm_database import Database
from daemon.simulators.espocrm_draft import Draft, Refused, full_name
from daemon.simulators.espocrm_fields import EntityDef, stamp
from daemon.simulators.espocrm_login import Accounts, User
from daemon.simulators.espocrm_people import assignment_failure
from daemon.simulators.espocrm_replies import refusal, translated, validation_failure
from daemon.simulators.wire import Answer, Clock, JsonObject, Request, json_answer

_PLAIN = ("name", "status", "priority", "dateEnd", "description")
_LINKS = ("parentType", "parentId", "assignedUserId")


class Tasks:
    """The controller of Task."""

    def __init__(
        self,
        definition: EntityDef,
        database: Database,
        accounts: Accounts,
        clock: Clock,
        settings: JsonObject,
    ) -> None:
        self._definition = definition
        self._database = database
        self._accounts = accounts
        self._clock = clock
        self._settings = settings

    def rows(self) -> list[JsonObject]:
        """All live tasks as stored, oldest first."""
        return list(self._database.live("Task"))

    def create(self, user: User, body: JsonObject) -> Answer:
        """POST: the assigned user is required, must be assignable and readable; the parent must exist."""
        if user.level("Task", "create") == "no":
            return refusal(403, "No create access.")
        cells = {"status": "Not Started", "priority": "Normal", **_known(body)}
        refused = self._invalid(cells, new=True) or self._forbidden(user, cells)
        if refused is not None:
            return refused
        now = stamp(self._clock())
        row: JsonObject = {
            **cells,
            "id": self._database.new_id(),
            "deleted": False,
            "createdAt": now,
            "modifiedAt": now,
            "createdById": user.id,
            "modifiedById": None,
            "dateCompleted": now if cells["status"] == "Completed" else None,
            "versionNumber": 1,
        }
        self._database.table("Task")[row["id"]] = row
        return json_answer(self._show(row))

    def update(self, user: User, task_id: str, body: JsonObject) -> Answer:
        """PUT: `edit own` does not cover a task that is assigned to somebody else."""
        row = self._database.table("Task").get(task_id)
        if row is None or row["deleted"]:
            return refusal(404, f"Record {task_id} not found.")
        if not self._may_edit(user, row):
            return refusal(403, "No edit access.")
        cells = _known(body)
        refused = self._invalid(cells, new=False)
        if refused is not None:
            return refused
        if any(row.get(name) != value for name, value in cells.items()):
            row.update(cells, modifiedAt=stamp(self._clock()), modifiedById=user.id)
            row["dateCompleted"] = row["modifiedAt"] if row["status"] == "Completed" else None
        row["versionNumber"] += 1
        return json_answer(self._show(row))

    def read(self, user: User, task_id: str) -> Answer:
        """A single GET."""
        row = self._database.table("Task").get(task_id)
        if user.level("Task", "read") == "no":
            return refusal(403, "No read access.")
        if row is None or row["deleted"]:
            return refusal(404, f"Record {task_id} does not exist.")
        return json_answer(self._show(row))

    def delete(self, user: User, task_id: str) -> Answer:
        """A soft delete."""
        row = self._database.table("Task").get(task_id)
        if user.level("Task", "delete") == "no":
            return refusal(403, "No delete access.")
        if row is None or row["deleted"]:
            return refusal(404, f"Record {task_id} not found.")
        row["deleted"] = True
        return json_answer(value=True)

    def listing(self, user: User, request: Request) -> Answer:
        """A page of tasks; how one looks for open ones before making another."""
        if user.level("Task", "read") == "no":
            return refusal(403, "No read access.")
        listing = query.Listing.read(request, self._settings["recordListMaxSizeLimit"])
        kinds = dict.fromkeys(("id", "deleted", "createdById", *_PLAIN, *_LINKS), "varchar")
        kinds |= dict.fromkeys(("createdAt", "modifiedAt", "dateEnd", "dateCompleted"), "datetime")
        test = query.predicate(listing.where, query.Columns("Task", kinds))
        rows = [row for row in self._database.live("Task") if test(row)]
        rows = query.ordered(rows, listing.order_by, listing.descending, kinds)
        page = [self._selected(row, listing) for row in rows[listing.offset :][: listing.size]]
        return json_answer({"total": query.total(len(rows), listing, len(page)), "list": page})

    def _selected(self, row: JsonObject, listing: query.Listing) -> JsonObject:
        shown = self._show(row)
        if listing.select is None:
            return shown
        extra = {"id", "createdAt", "createdById", "assignedUserId"}
        extra |= {"parentName"} if "parentId" in listing.select else set()
        return {name: value for name, value in shown.items() if name in extra or name in listing.select}

    def _invalid(self, cells: JsonObject, *, new: bool) -> Answer | None:
        draft = Draft(self._definition, {}, self._settings)
        draft.take(cells, set())
        try:
            draft.validate(new=new)
        except Refused as error:
            return validation_failure("Task", error.name, error.kind)
        cells.update({name: draft.now[name] for name in _PLAIN if name in draft.given})
        if (new or "assignedUserId" in cells) and not cells.get("assignedUserId"):
            return validation_failure("Task", "assignedUser", "required")
        return None

    def _forbidden(self, user: User, cells: JsonObject) -> Answer | None:
        if cells["assignedUserId"] != user.id:
            failure = assignment_failure(user)
            if failure is not None:
                return failure
            if user.level("User", "read") != "all":
                return _unreadable("User")
        return self._bad_parent(user, cells) if cells.get("parentId") else None

    def _bad_parent(self, user: User, cells: JsonObject) -> Answer | None:
        entity = str(cells.get("parentType"))
        row = self._database.table(entity).get(str(cells["parentId"]))
        if row is None or row["deleted"]:
            return translated(
                403,
                "Can't relate with non-existing record. entity type: Task, link: parent.",
                "cannotRelateNonExisting",
                {"foreignEntityType": entity},
            )
        return None if user.level(entity, "read") != "no" else _unreadable(entity)

    def _may_edit(self, user: User, row: JsonObject) -> bool:
        level = user.level("Task", "edit")
        return level in ("all", "yes") or (level == "own" and row["assignedUserId"] == user.id)

    def _show(self, row: JsonObject) -> JsonObject:
        parent = self._database.table(str(row.get("parentType"))).get(str(row.get("parentId")))
        assigned = self._accounts.users.get(str(row["assignedUserId"]))
        return {
            **row,
            "isOverdue": False,
            "parentName": full_name(parent) if parent else None,
            "assignedUserName": assigned.name if assigned else None,
            "teamsIds": [],
            "teamsNames": {},
        }


def _known(body: JsonObject) -> JsonObject:
    return {name: body[name] for name in (*_PLAIN, *_LINKS) if name in body}


def _unreadable(entity: str) -> Answer:
    link = "assignedUser" if entity == "User" else "parent"
    reason = f"No foreign record access for link operation (Task:{link})."
    return translated(403, reason, "cannotRelateForbidden", {"foreignEntityType": entity, "action": "read"})
