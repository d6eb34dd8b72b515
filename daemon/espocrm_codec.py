"""EspoCRM's records and lists, from and to their JSON (facts/espocrm.md §1-3). Pure; called by :mod:`daemon.espocrm`.

Strict where a mistake would look like a deletion: a missing array is no empty array, a missing betnr no removed one.
Lenient where people may configure: unknown enum values, fields that do not exist. It decides nothing.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import msgspec

from daemon.answers import Reply, decode
from daemon.ports import Listed, Page
from statemachine.commands import PutRecord
from statemachine.errors import RecordMissing, UnexpectedAnswer
from statemachine.model import EspocrmRecord, Item, Kind, Side

#: The fields that inform people (§11), as the core knows them.
SYNC_FIELDS = (
    "syncStatus",
    "advowareLastSync",
    "kommunikationHash",
    "syncErrorMessage",
    "syncRetryCount",
    "syncNextRetry",
    "syncAutoResetAt",
)
LIST_FIELDS = ["id", "modifiedAt", "betnr", "syncStatus", "versionNumber"]

_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_ID = re.compile(r"[0-9A-Za-z_-]{1,36}")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_MOST_ROWS_SAID = -1
_LARGEST = 2**31 - 1

Version = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Record(msgspec.Struct, rename="camel"):
    id: str
    modified_at: str | None
    email_address_data: list[msgspec.Raw]
    phone_number_data: list[msgspec.Raw]
    betnr: Any
    modified_by_id: str | None = None
    version_number: Version | None = None
    deleted: bool = False


class _Mail(msgspec.Struct, rename="camel"):
    email_address: str
    primary: bool
    opt_out: bool
    invalid: bool


class _Phone(msgspec.Struct, rename="camel"):
    phone_number: str
    type: str | None
    primary: bool
    opt_out: bool
    invalid: bool


class _Row(msgspec.Struct, rename="camel"):
    id: str
    modified_at: str | None
    betnr: Any = None
    version_number: Version | None = None
    sync_status: str | None = None


class _List(msgspec.Struct, rename={"rows": "list"}):
    rows: list[_Row]
    total: int | None = None


_RECORD = msgspec.json.Decoder(_Record)
_FIELDS = msgspec.json.Decoder(dict[str, Any])
_MAIL = msgspec.json.Decoder(_Mail)
_PHONE = msgspec.json.Decoder(_Phone)
_LIST = msgspec.json.Decoder(_List)


def read_record(reply: Reply, espocrm_id: str) -> EspocrmRecord:
    """Raises IncompleteAnswer, UnexpectedAnswer, and RecordMissing for a record shown as deleted (to admins)."""
    found = decode(reply.body, _RECORD, Side.ESPOCRM)
    if found.id != espocrm_id:
        raise UnexpectedAnswer("answered with another record than the one asked for", side=Side.ESPOCRM)
    if found.deleted:
        raise RecordMissing("the record is deleted", side=Side.ESPOCRM)
    bet_nr, _ = read_bet_nr(found.betnr)
    return EspocrmRecord(
        id=found.id,
        bet_nr=bet_nr,
        emails=tuple(_read_mail(raw) for raw in found.email_address_data),
        phones=tuple(_read_phone(raw) for raw in found.phone_number_data),
        modified_at=_stamp(found.modified_at),
        modified_by_id=found.modified_by_id,
        version_number=found.version_number,
        fields=_sync_fields(reply.body),
        asked_at=reply.asked_at,
        answered_at=reply.answered_at,
        server_time=reply.server_time,
    )


def read_page(reply: Reply, size: int) -> Page:
    """``total`` is -1 while there is more and -2 on the last page; a server that counts gives the whole number."""
    found = decode(reply.body, _LIST, Side.ESPOCRM)
    full = len(found.rows) >= size > 0
    more = found.total == _MOST_ROWS_SAID or (full and (found.total is None or found.total >= 0))
    return Page(tuple(_listed(row) for row in found.rows), more and bool(found.rows), reply.server_time)


def read_bet_nr(value: object) -> tuple[int | None, bool]:
    """(betNr, problem). An int, or its digits where the field is a text; empty is no problem, anything else is."""
    if value is None or value == "":
        return None, False
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST:
        return value, False
    return None, True


def write_body(command: PutRecord) -> dict[str, object]:
    """The body of a PUT: each array together with its scalar (§3.6), and the sync fields."""
    body: dict[str, object] = dict(command.fields)
    if command.emails is not None:
        body["emailAddress"] = _primary(command.emails)
        body["emailAddressData"] = [write_item(item) for item in command.emails]
    if command.phones is not None:
        body["phoneNumber"] = _primary(command.phones)
        body["phoneNumberData"] = [write_item(item) for item in command.phones]
    return body


def write_item(item: Item) -> dict[str, object]:
    """A stored item as GET gave it with only the changed keys touched: a missing or an extra key bumps
    ``modifiedAt`` (§4.1). A new one has exactly the five keys that GET shows."""
    wanted = _mail_keys(item) if item.kind is Kind.EMAIL else _phone_keys(item)
    stored: dict[str, object] = json.loads(item.wire) if item.wire else {}
    if stored.get("emailAddress") == wanted.get("emailAddress"):
        wanted.pop("lower", None)  # computed by EspoCRM; ours might differ in a rare letter
    return {**stored, **wanted} if stored else wanted


def _mail_keys(item: Item) -> dict[str, object]:
    return {
        "emailAddress": item.value,
        "lower": item.value.lower(),
        "primary": item.primary,
        "optOut": item.opt_out,
        "invalid": item.invalid,
    }


def _phone_keys(item: Item) -> dict[str, object]:
    return {
        "phoneNumber": item.value,
        "type": item.type,
        "primary": item.primary,
        "optOut": item.opt_out,
        "invalid": item.invalid,
    }


def _primary(items: tuple[Item, ...]) -> str | None:
    return next((item.value for item in items if item.primary), None)


def _read_mail(raw: msgspec.Raw) -> Item:
    found = decode(bytes(raw), _MAIL, Side.ESPOCRM)
    return Item(
        Kind.EMAIL, found.email_address, None, found.primary, found.opt_out, found.invalid, _text(raw)
    )


def _read_phone(raw: msgspec.Raw) -> Item:
    found = decode(bytes(raw), _PHONE, Side.ESPOCRM)
    return Item(
        Kind.PHONE, found.phone_number, found.type, found.primary, found.opt_out, found.invalid, _text(raw)
    )


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode()


def _sync_fields(body: bytes) -> tuple[tuple[str, str | int | None], ...]:
    shown = decode(body, _FIELDS, Side.ESPOCRM)
    return tuple((name, _plain(shown[name])) for name in SYNC_FIELDS if name in shown)


def _plain(value: object) -> str | int | None:
    return value if value is None or isinstance(value, str | int) else str(value)


def _listed(row: _Row) -> Listed:
    if not _ID.fullmatch(row.id):
        raise UnexpectedAnswer("the list holds something that is no id", side=Side.ESPOCRM)
    bet_nr, problem = read_bet_nr(row.betnr)
    return Listed(row.id, bet_nr, _stamp(row.modified_at), row.version_number, row.sync_status, problem)


def _stamp(text: str | None) -> str:
    """The cursor of the poll is made of these, and a cursor that is no moment would list everything (§1.2)."""
    if text is not None and not _STAMP.fullmatch(text):
        raise UnexpectedAnswer("modifiedAt is no moment", side=Side.ESPOCRM)
    return text or ""
