"""List parameters of the simulated EspoCRM: where filters, order, paging, select (facts: EspoCRM §1).

The traps are kept: garbage times match everything, offsets are ignored, NULL is never unequal to anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from daemon.simulators.espocrm_fields import stamp
from daemon.simulators.espocrm_shared import SharedValues
from daemon.simulators.wire import JsonObject, Request, nested

Row = JsonObject
Predicate = Callable[[Row], bool]
_ZERO_TIME = "0000-00-00 00:00:00"


class BadQuery(ValueError):
    """A list call that is refused; `status` and the reason for X-Status-Reason."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class Columns:
    """What a where may name, and how its values compare."""

    entity: str
    kinds: dict[str, str]
    """attribute → varchar / int / datetime / bool / id"""
    shared: dict[str, SharedValues] = field(default_factory=dict)
    forbidden: frozenset[str] = frozenset()
    time_zone: str = "UTC"
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class Listing:
    """The parameters of one list call."""

    where: list[Any]
    order_by: str | None
    descending: bool
    offset: int
    size: int
    select: list[str] | None
    count: bool

    @classmethod
    def read(cls, request: Request, limit: int) -> Listing:
        """From the query. Raises BadQuery; a negative size raises ValueError (EspoCRM answers 500)."""
        given = _parameters(request)
        size = _size(given.get("maxSize"), limit)
        select = given.get("select") or given.get("attributeSelect")
        return cls(
            given.get("where") or [],
            given.get("orderBy") or None,
            _descending(given.get("order")),
            _number(given.get("offset") or 0),
            size,
            select.split(",") if isinstance(select, str) else select,
            request.header("X-No-Total") != "true",
        )


def _parameters(request: Request) -> JsonObject:
    packed = request.parameter("searchParams")
    if packed is not None:
        try:
            return dict(json.loads(packed))
        except ValueError:
            raise BadQuery("Invalid search params JSON.") from None
    given: JsonObject = dict(request.query)
    given["where"] = nested(request.query, "whereGroup") or nested(request.query, "where")
    return given


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _size(value: Any, limit: int) -> int:
    if value is None or value == "":
        return limit if value is None else min(limit, 200)
    size = _number(value)
    if size > limit:
        raise BadQuery(f"Max size should not exceed {limit}. Use offset and limit.", status=403)
    if size < 0:
        raise ValueError(size)
    return size


def _descending(order: Any) -> bool:
    if order in (None, ""):
        return False
    if str(order).upper() not in ("ASC", "DESC"):
        raise BadQuery("order value is bad.")
    return str(order).upper() == "DESC"


# -- where ---------------------------------------------------------------------------------------------------


def predicate(where: list[Any], columns: Columns) -> Predicate:
    """All items of a where, joined by AND."""
    tests = [_item(item, columns) for item in where if isinstance(item, dict)]
    return lambda row: all(test(row) for test in tests)


def _item(item: JsonObject, columns: Columns) -> Predicate:
    kind = item.get("type")
    value = item.get("value")
    if kind in ("and", "or", "not"):
        tests = [_item(child, columns) for child in (value or [])]
        if kind == "or":
            return lambda row: any(test(row) for test in tests)
        return lambda row: all(test(row) for test in tests) != (kind == "not")
    attribute = str(item.get("attribute"))
    if kind in ("isLinked", "isNotLinked"):
        attribute += "Id"
    _check(attribute, columns)
    if attribute in columns.shared:
        return _by_value(str(kind), attribute, value, columns)
    return _by_column(str(kind), attribute, item, columns)


def _check(attribute: str, columns: Columns) -> None:
    if attribute in columns.forbidden:
        reason = f"Forbidden attribute '{attribute}' in where."
        raise BadQuery(f"{reason} {reason}")  # it says so twice
    if attribute not in columns.kinds and attribute not in columns.shared:
        raise BadQuery(f"Not existing attribute '{attribute}' in where.")


def _by_value(kind: str, attribute: str, value: Any, columns: Columns) -> Predicate:
    """A filter on mail or phone looks at all values of a record, not only at the primary (§1.3)."""
    shared = columns.shared[attribute]
    if kind in ("isNull", "isNotNull"):
        return lambda row: bool(shared.rows((columns.entity, row["id"]))) == (kind == "isNotNull")
    if kind in ("equals", "in"):
        values = value if isinstance(value, list) else [value]
        owners = {owner for one in values for owner in shared.holders_of(str(one))}
    elif kind in ("contains", "like", "startsWith"):
        needle = str(value).strip("%").lower()
        begins = kind == "startsWith"
        owners = set(
            shared.matching(
                lambda name: name.lower().startswith(needle) if begins else needle in name.lower()
            )
        )
    else:
        raise BadQuery(f"Unknown where item type '{kind}'.")
    return lambda row: (columns.entity, row["id"]) in owners


_NULL_TESTS: dict[str, Callable[[Any], bool]] = {
    "isNull": lambda cell: cell is None,
    "isNotNull": lambda cell: cell is not None,
    "isLinked": lambda cell: cell is not None,
    "isNotLinked": lambda cell: cell is None,
    "isTrue": bool,
    "isFalse": lambda cell: not cell,
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda cell, value: bool(cell == value),
    "notEquals": lambda cell, value: bool(cell != value),
    "greaterThan": lambda cell, value: bool(cell > value),
    "lessThan": lambda cell, value: bool(cell < value),
    "greaterThanOrEquals": lambda cell, value: bool(cell >= value),
    "lessThanOrEquals": lambda cell, value: bool(cell <= value),
    "after": lambda cell, value: bool(cell > value),
    "before": lambda cell, value: bool(cell < value),
    "startsWith": lambda cell, value: str(cell).lower().startswith(str(value).lower()),
    "contains": lambda cell, value: str(value).lower() in str(cell).lower(),
}
_LOCAL_TYPES = ("after", "before", "on", "today", "lastXDays")


def _by_column(kind: str, attribute: str, item: JsonObject, columns: Columns) -> Predicate:
    value = item.get("value")
    if kind in _NULL_TESTS:
        test = _NULL_TESTS[kind]
        return lambda row: test(row.get(attribute))
    if kind in _LOCAL_TYPES and str(item.get("dateTime")).lower() == "true":
        return _by_local_time(kind, attribute, item, columns)
    column_kind = columns.kinds[attribute]
    if kind in ("in", "notIn"):
        cells = {_cell(one, column_kind) for one in (value or [])}
        return lambda row: (
            row.get(attribute) is not None and ((_comparable(row[attribute]) in cells) == (kind == "in"))
        )
    if kind == "between":
        low, high = (_cell(one, column_kind) for one in value or [])
        return lambda row: row.get(attribute) is not None and low <= _comparable(row[attribute]) <= high
    if kind not in _COMPARISONS:
        raise BadQuery(f"Unknown where item type '{kind}'.")
    compare, right = _COMPARISONS[kind], _cell(value, column_kind)
    return lambda row: row.get(attribute) is not None and compare(_comparable(row[attribute]), right)


def _comparable(cell: Any) -> Any:
    """Texts compare without letter case (the database's collation)."""
    return cell.lower() if isinstance(cell, str) else cell


def _cell(value: Any, kind: str) -> Any:
    """A filter value as SQL takes it; a zone is ignored and garbage is the time zero (§1.2)."""
    if kind == "datetime":
        return _sql_time(str(value))
    if kind in ("int", "bool"):
        return _number(str(value).lower().replace("true", "1").replace("false", "0"))
    return str(value).lower()


def _sql_time(text: str) -> str:
    without_zone = re.sub(r"(Z|[+-]\d\d:\d\d)$", "", text)
    try:
        return str(datetime.fromisoformat(without_zone).replace(tzinfo=None))
    except ValueError:
        return _ZERO_TIME


def _by_local_time(kind: str, attribute: str, item: JsonObject, columns: Columns) -> Predicate:
    """With `dateTime=true` the value is a local time of the filter's or the server's zone (§1.2)."""
    try:
        zone = ZoneInfo(str(item.get("timeZone") or columns.time_zone))
        low, high = _local_range(kind, item.get("value"), zone, columns.now)
    except (ValueError, ZoneInfoNotFoundError):
        raise BadQuery("Bad date value or timezone.") from None
    return lambda row: row.get(attribute) is not None and low <= row[attribute] < high


def _local_range(kind: str, value: Any, zone: ZoneInfo, now: float) -> tuple[str, str]:
    today = datetime.combine(datetime.fromtimestamp(now, zone).date(), time(), zone)
    day = timedelta(days=1)
    if kind == "today":
        return _utc(today), _utc(today + day)
    if kind == "lastXDays":
        return _utc(today - day * _number(value)), _utc(today + day)
    moment = datetime.fromisoformat(str(value)).replace(tzinfo=zone)
    if kind == "on":
        return _utc(moment), _utc(moment + day)
    if kind == "before":
        return _ZERO_TIME, _utc(moment)
    return _utc(moment + timedelta(seconds=1)), "9999"


def _utc(moment: datetime) -> str:
    return stamp(moment.astimezone(UTC).timestamp())


# -- order and page ------------------------------------------------------------------------------------------


def ordered(rows: list[Row], order_by: str | None, descending: bool, kinds: dict[str, str]) -> list[Row]:
    """Sorted by one column, ties by id in the same direction; by default the newest first."""
    if order_by is None:
        order_by, descending = "createdAt", True
    if order_by not in kinds:
        raise BadQuery(f"Order by non-existing field '{order_by}'.")
    column = order_by

    def key(row: Row) -> tuple[bool, Any, str]:
        cell = row.get(column)
        return (cell is not None, "" if cell is None else _comparable(cell), row["id"])

    return sorted(rows, key=key, reverse=descending)


def total(found: int, listing: Listing, shown: int) -> int:
    """The real total, or -1 (more rows exist) / -2 (this was the last page) without counting."""
    if listing.count:
        return found
    return -1 if listing.offset + shown < found else -2
