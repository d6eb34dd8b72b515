"""What the simulated EspoCRM shows of its persons: single records and lists, within a user's rights.

The reading half of the CBeteiligte controller (facts: EspoCRM §1, §2); `espocrm_people` writes.
"""

from __future__ import annotations

from daemon.simulators import espocrm_query as query
from daemon.simulators.espocrm_database import FAMILIES, Database
from daemon.simulators.espocrm_draft import family_of, full_name
from daemon.simulators.espocrm_fields import EntityDef
from daemon.simulators.espocrm_login import Accounts, User
from daemon.simulators.espocrm_replies import refusal
from daemon.simulators.espocrm_shared import Owner
from daemon.simulators.wire import Answer, Clock, JsonObject, Request, json_answer

_TAIL = ("createdById", "modifiedById", "assignedUserId")


class Reading:
    """The reading half of the controller of one Person entity."""

    def __init__(
        self,
        definition: EntityDef,
        database: Database,
        accounts: Accounts,
        clock: Clock,
        settings: JsonObject,
    ) -> None:
        self.definition = definition
        self._database = database
        self._accounts = accounts
        self._clock = clock
        self._settings = settings

    @property
    def _entity(self) -> str:
        return self.definition.name

    def _owner(self, record_id: str) -> Owner:
        return (self._entity, record_id)

    # -- reading ---------------------------------------------------------------------------------------------

    def read(self, user: User, record_id: str) -> Answer:
        """A single GET: every attribute; `select` is ignored (§1.1). Only admins still see deleted ones."""
        row = self._database.table(self._entity).get(record_id)
        if user.level(self._entity, "read") == "no":
            return refusal(403, "No read access.")
        if row is None or (row["deleted"] and not user.is_admin):
            return refusal(404, f"Record {record_id} does not exist.")
        if not self.may(user, "read", row):
            return refusal(403, "No 'read' access.")
        return json_answer(self._visible(user, self.record(row)))

    def record(self, row: JsonObject) -> JsonObject:
        """Everything a single GET shows."""
        arrays = {
            family.data: self._database.values(family).items(self._owner(row["id"])) for family in FAMILIES
        }
        return {**self._listed(row), **arrays, "teamsIds": row.get("teamsIds", []), "teamsNames": {}}

    def _listed(self, row: JsonObject) -> JsonObject:
        """What a list shows when no `select` is given: no arrays (§1.3)."""
        shown: JsonObject = {"id": row["id"], "name": full_name(row), "deleted": row["deleted"]}
        shown.update({name: row.get(name) for name in self.definition.columns()})
        for family in FAMILIES:
            primary = self._database.values(family).primary(self._owner(row["id"]))
            shown[family.scalar] = primary.name if primary else None
            shown[family.opted_out] = primary.opt_out if primary else None
            shown[family.invalid] = primary.invalid if primary else None
        for name in _TAIL:
            shown[name] = row.get(name)
            shown[name[:-2] + "Name"] = self._user_name(row.get(name))
        if self.definition.versioned:
            shown["versionNumber"] = row.get("versionNumber")
        return shown

    def _user_name(self, user_id: str | None) -> str | None:
        user = self._accounts.users.get(user_id or "")
        return user.name if user else None

    def _visible(self, user: User, shown: JsonObject) -> JsonObject:
        hidden = user.hidden(self._entity, "read")
        return {name: value for name, value in shown.items() if _field(name) not in hidden}

    def listing(self, user: User, request: Request) -> Answer:
        """A page of records."""
        if user.level(self._entity, "read") == "no":
            return refusal(403, "No read access.")
        listing = query.Listing.read(request, self._settings["recordListMaxSizeLimit"])
        primary_filter = request.parameter("primaryFilter")
        if primary_filter:
            return refusal(400, f"No primary filter '{primary_filter}' for '{self._entity}'.")
        columns = self.columns(user)
        test = query.predicate(listing.where, columns)
        text = (request.parameter("textFilter") or "").lower()
        rows = [row for row in self._database.live(self._entity) if test(row)]
        if text:
            rows = [row for row in rows if text in (full_name(row) or "").lower()]
        if user.level(self._entity, "read") != "all":
            rows = [row for row in rows if self.may(user, "read", row)]
        rows = query.ordered(rows, listing.order_by, listing.descending, columns.kinds)
        page = rows[listing.offset : listing.offset + listing.size]
        found = [self._selected(user, row, listing) for row in page]
        return json_answer({"total": query.total(len(rows), listing, len(found)), "list": found})

    def _selected(self, user: User, row: JsonObject, listing: query.Listing) -> JsonObject:
        shown = self._visible(user, self._listed(row))
        if listing.select is None:
            return shown
        extra = {"id", "createdById", "assignedUserId", listing.order_by or "createdAt"}
        return {name: value for name, value in shown.items() if name in extra or name in listing.select}

    def columns(self, user: User) -> query.Columns:
        """What a where of this user may name."""
        kinds = {name: _kind(self.definition.fields[name].type) for name in self.definition.columns()}
        kinds |= dict.fromkeys(("id", "name", *_TAIL), "varchar")
        kinds |= {"deleted": "bool", "versionNumber": "int"}
        hidden = user.hidden(self._entity, "read")
        forbidden = {name for name in [*kinds, *self._database.shared] if _field(name) in hidden}
        return query.Columns(
            self._entity,
            kinds,
            self._database.shared,
            frozenset(forbidden),
            self._settings["timeZone"],
            self._clock(),
        )

    def may(self, user: User, action: str, row: JsonObject) -> bool:
        """Whether a role's level covers this record; `own` means assigned to me, or mine and unassigned."""
        level = user.level(self._entity, action)
        assigned = row.get("assignedUserId")
        own = assigned == user.id or (assigned is None and row.get("createdById") == user.id)
        return level in ("all", "yes") or (level == "own" and own)


def _field(attribute: str) -> str:
    family = family_of(attribute)
    return family.scalar if family else attribute


def _kind(field_type: str) -> str:
    return {"int": "int", "datetime": "datetime"}.get(field_type, "varchar")
