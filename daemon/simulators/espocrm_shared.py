"""The tables email_address and phone_number of the simulated EspoCRM, and their links to records.

One row per value for *all* records: type, optOut, invalid and letter case belong to the row, `primary` to the
link (facts: EspoCRM §5). There is no unique key, so twin rows can arise, and a record linked to the second of
two equal rows cannot be cleaned any more (§10). Saving is planned here as a list of statements, which the
database runs at once or spread over time; who reads in between sees half an array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from daemon.simulators.espocrm_values import DEFAULT_PHONE_TYPE
from daemon.simulators.wire import JsonObject

Owner = tuple[str, str]
"""(entity type, record id)"""
Statement = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Family:
    """The two kinds of shared values and the attribute names they have in a record."""

    scalar: str
    has_type: bool

    @property
    def data(self) -> str:
        """The attribute that holds the array."""
        return self.scalar + "Data"

    @property
    def opted_out(self) -> str:
        """The attribute with the optOut of the primary."""
        return self.scalar + "IsOptedOut"

    @property
    def invalid(self) -> str:
        """The attribute with the invalid flag of the primary."""
        return self.scalar + "IsInvalid"

    @property
    def attributes(self) -> tuple[str, str, str, str]:
        """All four attributes, in the order in which a 409 lists them."""
        return (self.opted_out, self.invalid, self.scalar, self.data)

    def key(self, value: str) -> str:
        """What makes two spellings the same row: exact for phones, lower case for mails (§5.2, §5.6)."""
        return value.strip() if self.has_type else value.strip().lower()


PHONE = Family("phoneNumber", has_type=True)
MAIL = Family("emailAddress", has_type=False)


@dataclass(slots=True)
class ValueRow:
    """One row of phone_number or email_address."""

    id: str
    name: str
    type: str | None = None
    opt_out: bool = False
    invalid: bool = False
    number: int = 0
    """Place in the table; the order in which rows come back."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a save wants a value's row to look like."""

    name: str
    type: str | None
    opt_out: bool
    invalid: bool
    primary: bool

    def differs_from(self, row: ValueRow) -> bool:
        """Whether the row must be written."""
        return (self.name, self.type, self.opt_out, self.invalid) != (
            row.name,
            row.type,
            row.opt_out,
            row.invalid,
        )


@dataclass(slots=True)
class Plan:
    """The statements of one array's save, in the order in which EspoCRM sends them."""

    statements: list[Statement] = field(default_factory=list)
    primary: str | None = None
    """The key whose link becomes primary by this save; None if none moves."""
    reverted: dict[str, ValueRow] = field(default_factory=dict)
    """Values whose row the user may not change, by spelling."""


class SharedValues:
    """All rows and links of one family."""

    def __init__(self, family: Family, new_id: Callable[[], str]) -> None:
        self.family = family
        self.scrambled = False
        """Behind the primary the items come in an order of their own, as they may (§2)."""
        self._new_id = new_id
        self._rows: dict[str, ValueRow] = {}
        self._by_key: dict[str, list[str]] = {}
        self._links: dict[Owner, dict[str, bool]] = {}
        self._holders: dict[str, set[Owner]] = {}

    # -- reading ---------------------------------------------------------------------------------------------

    def rows(self, owner: Owner) -> list[tuple[ValueRow, bool]]:
        """(row, primary) of a record: primary first, the others as their rows were made (§2)."""
        links = self._links.get(owner, {})
        found = [(self._rows[row_id], primary) for row_id, primary in links.items()]
        return sorted(found, key=lambda pair: (not pair[1], self._place(pair[0])))

    def _place(self, row: ValueRow) -> int:
        return crc32(row.id.encode()) if self.scrambled else row.number

    def items(self, owner: Owner) -> list[JsonObject]:
        """The array as a single GET shows it."""
        return [self._item(row, primary) for row, primary in self.rows(owner)]

    def primary(self, owner: Owner) -> ValueRow | None:
        """The primary's row; a record may have items and no primary (§3.3)."""
        return next((row for row, primary in self.rows(owner) if primary), None)

    def find(self, value: str) -> ValueRow | None:
        """The row that a look-up by value hits: of twins always the first."""
        ids = self._by_key.get(self.family.key(value))
        return self._rows[ids[0]] if ids else None

    def row(self, row_id: str) -> ValueRow | None:
        """A row by its id."""
        return self._rows.get(row_id)

    def holders(self, row: ValueRow) -> set[Owner]:
        """All records linked to a row."""
        return self._holders.get(row.id, set())

    def matching(self, test: Callable[[str], bool]) -> Iterator[Owner]:
        """The records with any value for which `test(value)` holds."""
        for row_id, owners in self._holders.items():
            if owners and test(self._rows[row_id].name):
                yield from owners

    def holders_of(self, value: str) -> set[Owner]:
        """The records that hold exactly this value, twins included."""
        ids = self._by_key.get(self.family.key(value), [])
        return {owner for row_id in ids for owner in self._holders.get(row_id, set())}

    def _item(self, row: ValueRow, primary: bool) -> JsonObject:
        head: JsonObject = {self.family.scalar: row.name}
        head.update({"type": row.type} if self.family.has_type else {"lower": row.name.lower()})
        return {**head, "primary": primary, "optOut": row.opt_out, "invalid": row.invalid}

    # -- single statements -----------------------------------------------------------------------------------

    def insert_row(self, row: ValueRow) -> None:
        """INSERT a value; nothing stops a second equal one."""
        row.number = len(self._rows)
        self._rows[row.id] = row
        self._by_key.setdefault(self.family.key(row.name), []).append(row.id)

    def link(self, owner: Owner, row_id: str, primary: bool) -> None:
        """INSERT … ON DUPLICATE KEY UPDATE of a link."""
        self._links.setdefault(owner, {})[row_id] = primary
        self._holders.setdefault(row_id, set()).add(owner)

    def unlink(self, owner: Owner, row_id: str) -> None:
        """DELETE a link; the row stays and can be found again (§5.4)."""
        self._links.get(owner, {}).pop(row_id, None)
        self._holders.get(row_id, set()).discard(owner)

    def update_row(self, row_id: str, wanted: Wanted) -> None:
        """UPDATE a row for everybody who is linked to it."""
        row = self._rows[row_id]
        row.name, row.type, row.opt_out, row.invalid = (
            wanted.name,
            wanted.type,
            wanted.opt_out,
            wanted.invalid,
        )

    def edit(self, value: str, **changes: Any) -> None:
        """UPDATE a row by hand, its spelling included; nothing checks it. Raises KeyError."""
        row = self.find(value)
        if row is None:
            raise KeyError(self.family.scalar)
        self._by_key[self.family.key(row.name)].remove(row.id)
        for name, new in changes.items():
            setattr(row, name, new)
        self._by_key.setdefault(self.family.key(row.name), []).append(row.id)

    def _clear_primary(self, owner: Owner) -> None:
        links = self._links.get(owner, {})
        for row_id in links:
            links[row_id] = False

    def _set_primary(self, owner: Owner, row_id: str) -> None:
        if row_id in self._links.get(owner, {}):
            self._links[owner][row_id] = True

    def new_row(self, value: str, kind: str | None = None) -> ValueRow:
        """A row not yet inserted."""
        return ValueRow(self._new_id(), value, (kind or DEFAULT_PHONE_TYPE) if self.family.has_type else None)

    # -- saving an array (§3.1-3.3) --------------------------------------------------------------------------

    def wanted(self, items: list[Any]) -> dict[str, list[Wanted]]:
        """The array by key; of duplicates every one, the last decides (§3.3)."""
        result: dict[str, list[Wanted]] = {}
        if items and not any(isinstance(item, dict) and item.get("primary") for item in items):
            items = [{**items[0], "primary": True}, *items[1:]]
        for item in items:
            value = str(item.get(self.family.scalar) or "").strip()
            if value:
                result.setdefault(self.family.key(value), []).append(self._wanted(item, value))
        return result

    def _wanted(self, item: JsonObject, value: str) -> Wanted:
        kind = (item.get("type") or DEFAULT_PHONE_TYPE) if self.family.has_type else None
        return Wanted(
            value, kind, bool(item.get("optOut")), bool(item.get("invalid")), bool(item.get("primary"))
        )

    def plan_array(self, owner: Owner, items: list[Any], locked: Callable[[ValueRow], bool]) -> Plan:
        """The statements that replace a record's array: deletes, updates, inserts, then the primary flags."""
        wanted = {key: several[-1] for key, several in self.wanted(items).items()}
        before = {self.family.key(row.name): (row, primary) for row, primary in self.rows(owner)}
        plan = Plan(primary=self._moved_primary(items, wanted, before))
        for key in before:
            if key not in wanted:
                self._plan_removal(plan, owner, key)
        for key, want in wanted.items():
            if key in before:
                self._plan_update(plan, key, want, before[key][0], locked)
        for key, want in wanted.items():
            if key not in before:
                self._plan_creation(plan, owner, key, want, locked)
        if plan.primary is not None:
            self._plan_primary(plan, owner, plan.primary)
        return plan

    def _moved_primary(
        self, items: list[Any], wanted: dict[str, Wanted], before: dict[str, tuple[ValueRow, bool]]
    ) -> str | None:
        moved: str | None = None
        for key, want in wanted.items():
            if want.primary:
                moved = None if key in before and before[key][1] else key
        return moved

    def _plan_removal(self, plan: Plan, owner: Owner, key: str) -> None:
        row = self.find(key)  # of twins the first, even if the record hangs on the second (§10)
        if row is not None:
            row_id = row.id
            plan.statements.append(lambda: self.unlink(owner, row_id))

    def _plan_update(
        self, plan: Plan, key: str, want: Wanted, seen: ValueRow, locked: Callable[[ValueRow], bool]
    ) -> None:
        row = self.find(key)
        if row is None or not want.differs_from(seen):
            return
        self._plan_write(plan, want, row, locked)

    def _plan_write(
        self, plan: Plan, want: Wanted, row: ValueRow, locked: Callable[[ValueRow], bool]
    ) -> None:
        if locked(row):
            plan.reverted[want.name] = row
        elif want.differs_from(row):
            plan.statements.append(lambda: self.update_row(row.id, want))

    def _plan_creation(
        self, plan: Plan, owner: Owner, key: str, want: Wanted, locked: Callable[[ValueRow], bool]
    ) -> None:
        row = self.find(key)
        if row is None:
            row = ValueRow(self._new_id(), want.name, want.type, want.opt_out, want.invalid)
            fresh = row
            plan.statements.append(lambda: self.insert_row(fresh))
        else:
            self._plan_write(plan, want, row, locked)
        row_id = row.id
        primary = key == plan.primary
        plan.statements.append(lambda: self.link(owner, row_id, primary))

    def _plan_primary(self, plan: Plan, owner: Owner, key: str) -> None:
        def raise_flag() -> None:
            row = self.find(key)
            if row is not None:
                self._set_primary(owner, row.id)

        plan.statements.append(lambda: self._clear_primary(owner))
        plan.statements.append(raise_flag)

    # -- saving a scalar alone (§3.2) ------------------------------------------------------------------------

    def plan_scalar(self, owner: Owner, value: str | None, opt_out: bool, invalid: bool) -> Plan:
        """The statements that replace only the primary; `None` or "" removes it and leaves no primary."""
        plan = Plan()
        old = self.primary(owner)
        if old is not None:
            self._plan_removal(plan, owner, old.name)
        if value:
            self._plan_new_primary(plan, owner, value, opt_out, invalid)
        return plan

    def _plan_new_primary(self, plan: Plan, owner: Owner, value: str, opt_out: bool, invalid: bool) -> None:
        row = self.find(value) or self.new_row(value)
        if self.row(row.id) is None:
            plan.statements.append(lambda: self.insert_row(row))
        plan.statements.append(lambda: self.link(owner, row.id, False))
        plan.statements.append(lambda: self.update_flags(row.id, opt_out, invalid))
        plan.statements.append(lambda: self._set_primary(owner, row.id))

    def update_flags(self, row_id: str, opt_out: bool, invalid: bool) -> None:
        """UPDATE only the two flags of a row."""
        self._rows[row_id].opt_out, self._rows[row_id].invalid = opt_out, invalid
