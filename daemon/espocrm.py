"""The CRM side: fulfils ``ports.Espocrm`` over HTTP. EspoCRM's wire words appear here and in ``espocrm_*`` only.

Made by the app, called by poller, sync and apply. Every call is one request, named exceptions apart. It compares no two
values and decides nothing; errors and manners as in facts/espocrm.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from daemon import espocrm_codec, espocrm_facts
from daemon.answers import Reply, decode
from daemon.espocrm_judge import MAX_SIZE
from daemon.ports import EspocrmFacts, Page, Request
from daemon.transport import Transport
from statemachine.commands import PutRecord
from statemachine.errors import AccessDenied, RecordMissing, Refused, UnexpectedAnswer
from statemachine.model import EspocrmRecord, Kind, Side

T = TypeVar("T")
Where = list[dict[str, Any]]

#: (method, path behind /api/v1) → the header that says who we are.
SignIn = Callable[[str, str], tuple[str, str]]

_PAGE = 200
_CLOSED = ["Completed", "Canceled"]


class _Id(msgspec.Struct):
    id: str


class _Ids(msgspec.Struct, rename={"rows": "list"}):
    rows: list[_Id]


_ID = msgspec.json.Decoder(_Id)
_IDS = msgspec.json.Decoder(_Ids)


def by_key(api_key: str) -> SignIn:
    return lambda method, path: ("X-Api-Key", api_key)


def by_hmac(api_key: str, secret_key: str) -> SignIn:
    """Signs method and path, with the leading slash and without the query (§12)."""

    def sign(method: str, path: str) -> tuple[str, str]:
        digest = hmac.new(secret_key.encode(), f"{method} {path}".encode(), hashlib.sha256).hexdigest()
        return "X-Hmac-Authorization", base64.b64encode(f"{api_key}:{digest}".encode()).decode()

    return sign


class HttpEspocrm:
    """``url``: base of the instance. ``transport`` must judge with :func:`daemon.espocrm_judge.judge`."""

    def __init__(
        self, transport: Transport, url: str, sign_in: SignIn, *, entity: str = "CBeteiligte"
    ) -> None:
        self._transport = transport
        self._root = url.rstrip("/") + "/api/v1"
        self._sign_in = sign_in
        self._entity = entity
        self._page_size = _PAGE

    async def facts(self) -> EspocrmFacts:
        """Four requests."""
        me = await self._get("/App/user", espocrm_facts.read_app_user)
        settings = await self._get("/Settings", espocrm_facts.read_settings)
        fields = await self._metadata("fields", espocrm_facts.read_fields)
        versioned = await self._metadata("optimisticConcurrencyControl", espocrm_facts.read_flag)
        facts = espocrm_facts.put_together(me, settings, fields, versioned, self._entity)
        self._page_size = min(_PAGE, facts.list_limit)
        return facts

    async def changed(self, since: str, after: tuple[str, str] | None) -> Page:
        return await self._list(_behind(*after) if after else _from(since), "modifiedAt")

    async def census(self, after_id: str) -> Page:
        return await self._list([_greater("id", after_id)] if after_id else [], "id")

    async def get(self, espocrm_id: str) -> EspocrmRecord:
        return await self._get(
            self._path(espocrm_id),
            lambda reply: espocrm_codec.read_record(reply, espocrm_id),
            record=self._name(espocrm_id),
        )

    async def put(self, record: EspocrmRecord, command: PutRecord) -> None:
        headers = [("X-Skip-Duplicate-Check", "true")]
        if record.version_number is not None:
            headers.append(("X-Version-Number", str(record.version_number)))
        body = espocrm_codec.write_body(command)
        await self._send("PUT", self._path(record.id), _saved, body, self._name(record.id), tuple(headers))

    async def holder(self, kind: Kind, value: str, besides: str) -> EspocrmRecord | None:
        """Two requests; the value travels in the query, as EspoCRM knows no other way to look for one."""
        attribute = "emailAddress" if kind is Kind.EMAIL else "phoneNumber"
        found = await self._ids(self._entity, [_equals(attribute, value)], size=2)
        other = next((espocrm_id for espocrm_id in found if espocrm_id != besides), None)
        if other is None:
            return None
        try:
            return await self.get(other)
        except (RecordMissing, AccessDenied):  # gone between the two requests, or none of our business
            return None

    async def open_task(
        self, espocrm_id: str, name: str, description: str, user_id: str, urgent: bool
    ) -> str:
        body = {
            "name": name,
            "description": description,
            "parentType": self._entity,
            "parentId": espocrm_id,
            "assignedUserId": user_id,
            "priority": "High" if urgent else "Normal",
        }
        return await self._send("POST", "/Task", _read_id, body, self._name(espocrm_id))

    async def find_task(self, espocrm_id: str, name: str) -> str | None:
        where = [
            _equals("parentType", self._entity),
            _equals("parentId", espocrm_id),
            _equals("name", name),
            {"type": "notIn", "attribute": "status", "value": _CLOSED},
        ]
        return next(iter(await self._ids("Task", where, size=1)), None)

    async def close_task(self, task_id: str) -> None:
        try:
            await self._send(
                "PUT", f"/Task/{_quoted(task_id)}", _saved, {"status": "Completed"}, f"Task {task_id}"
            )
        except RecordMissing:  # somebody has thrown it away: closed all the same
            return

    async def probe(self) -> None:
        await self._ids(self._entity, [], size=1)

    async def _list(self, where: Where, order_by: str) -> Page:
        try:
            return await self._page(where, order_by, self._page_size)
        except Refused as error:
            if error.field != MAX_SIZE or not 0 < int(error.rule) < self._page_size:
                raise
            self._page_size = int(error.rule)  # an admin lowered it since start-up
        return await self._page(where, order_by, self._page_size)

    async def _page(self, where: Where, order_by: str, size: int) -> Page:
        query = _search(where, espocrm_codec.LIST_FIELDS, size, order_by)
        return await self._get(
            f"/{self._entity}", lambda reply: espocrm_codec.read_page(reply, size), query=query
        )

    async def _ids(self, entity: str, where: Where, *, size: int) -> list[str]:
        found = await self._get(f"/{entity}", _read_ids, query=_search(where, ["id"], size, "id"))
        return [row.id for row in found.rows]

    async def _metadata(self, name: str, read: Callable[[Reply], T]) -> T:
        return await self._get("/Metadata", read, query=(("key", f"entityDefs.{self._entity}.{name}"),))

    async def _get(
        self,
        path: str,
        read: Callable[[Reply], T],
        *,
        query: tuple[tuple[str, str], ...] = (),
        record: str = "",
    ) -> T:
        headers = (self._sign_in("GET", path), ("X-No-Total", "true"))
        request = Request("GET", self._root + path, query, headers)
        return await self._transport.call(request, read, record=record)

    async def _send(
        self,
        method: str,
        path: str,
        read: Callable[[Reply], T],
        body: object,
        record: str,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> T:
        request = Request(method, self._root + path, (), (self._sign_in(method, path), *headers), body)
        return await self._transport.call(request, read, record=record)

    def _path(self, espocrm_id: str) -> str:
        return f"/{self._entity}/{_quoted(espocrm_id)}"

    def _name(self, espocrm_id: str) -> str:
        return f"{self._entity} {espocrm_id}"


def _search(where: Where, select: list[str], size: int, order_by: str) -> tuple[tuple[str, str], ...]:
    """``searchParams``: much shorter than PHP's brackets, URLs are limited to 8 kB (§1.1)."""
    params = {"where": where, "select": select, "maxSize": size, "orderBy": order_by, "order": "asc"}
    return (("searchParams", json.dumps(params, separators=(",", ":"))),)


def _from(since: str) -> Where:
    return [{"type": "greaterThanOrEquals", "attribute": "modifiedAt", "value": since}] if since else []


def _behind(modified_at: str, espocrm_id: str) -> Where:
    """Keyset, as an offset loses rows that move (§1.5). Rows that were never saved have no stamp and come first."""
    if not modified_at:
        same: dict[str, Any] = {"type": "isNull", "attribute": "modifiedAt"}
        later: dict[str, Any] = {"type": "isNotNull", "attribute": "modifiedAt"}
    else:
        same, later = _equals("modifiedAt", modified_at), _greater("modifiedAt", modified_at)
    return [{"type": "or", "value": [later, {"type": "and", "value": [same, _greater("id", espocrm_id)]}]}]


def _equals(attribute: str, value: str) -> dict[str, Any]:
    return {"type": "equals", "attribute": attribute, "value": value}


def _greater(attribute: str, value: str) -> dict[str, Any]:
    return {"type": "greaterThan", "attribute": attribute, "value": value}


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _read_id(reply: Reply) -> str:
    return decode(reply.body, _ID, Side.ESPOCRM).id


def _read_ids(reply: Reply) -> _Ids:
    return decode(reply.body, _IDS, Side.ESPOCRM)


def _saved(reply: Reply) -> None:
    """The answer only echoes what we sent (§3.1); that it is a record shows that EspoCRM itself has answered."""
    if not reply.is_json():
        raise UnexpectedAnswer("answered a save with something that is no record", side=Side.ESPOCRM)
