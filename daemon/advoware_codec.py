"""Advoware's Beteiligte and Kommunikation, from and to their JSON (facts/advoware.md §3, §4). Pure.

Called by :mod:`daemon.advoware`. Strict where a mistake would look like a deletion or blank a text; lenient where the
facts say that several forms are in the field. It decides nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec

from daemon.answers import Reply, decode, misfit
from statemachine.commands import RowContent
from statemachine.errors import IncompleteAnswer, RecordMissing, UnexpectedAnswer
from statemachine.kommkz import CONVENIENCE, KommKz
from statemachine.model import AdvowareRecord, Kommunikation, Side

T = TypeVar("T")
Json = dict[str, Any]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**53)]

_KNOWN = frozenset(KommKz)


class _Row(msgspec.Struct, rename="camel"):
    id: Number
    row_id: str
    tlf: str | None
    bemerkung: str | None
    online: bool
    komm_kz: Number | None = None


class _Beteiligte(msgspec.Struct, rename="camel"):
    kommunikation: list[_Row] | None
    bet_nr: Number | None = None


_ANSWER: msgspec.json.Decoder[list[Json] | Json] = msgspec.json.Decoder(list[Json] | Json)


def read_record(reply: Reply, bet_nr: int) -> AdvowareRecord:
    """Raises RecordMissing for an empty list, IncompleteAnswer where ``kommunikation`` is missing or null (it is
    no empty list, §9), UnexpectedAnswer for another Beteiligte, wrong types, an id twice."""
    found = _only(reply)
    shown = _convert(found, _Beteiligte)
    if shown.bet_nr not in (None, bet_nr):
        raise UnexpectedAnswer("answered with another Beteiligte than the one asked for", side=Side.ADVOWARE)
    if shown.kommunikation is None:
        raise IncompleteAnswer("kommunikation is null", side=Side.ADVOWARE)
    rows = tuple(_row(row) for row in shown.kommunikation)
    if len({row.id for row in rows}) != len(rows):
        raise UnexpectedAnswer("two Kommunikationen have one id", side=Side.ADVOWARE)
    return AdvowareRecord(
        bet_nr, rows, _convenience(found), reply.asked_at, reply.answered_at, reply.server_time
    )


def read_row(reply: Reply) -> Kommunikation:
    """The answer to a POST (a list with one object) or a PUT (a bare object)."""
    return _row(_convert(_only(reply), _Row))


def write_row(content: RowContent) -> dict[str, object]:
    """All four fields, always: whether a missing one is blanked is unknown (§4.3)."""
    return {
        "tlf": content.tlf,
        "bemerkung": content.bemerkung,
        "online": content.online,
        "kommKz": content.komm_kz,
    }


def _only(reply: Reply) -> Json:
    found = decode(reply.body, _ANSWER, Side.ADVOWARE)
    if isinstance(found, dict):
        return found
    if not found:
        raise RecordMissing("answered with an empty list", side=Side.ADVOWARE)
    if len(found) > 1:
        raise UnexpectedAnswer("answered with several elements instead of one", side=Side.ADVOWARE)
    return found[0]


def _convert(value: Json, shape: type[T]) -> T:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise misfit(error, Side.ADVOWARE) from None


def _row(row: _Row) -> Kommunikation:
    """A kind that we do not know is as good as a hidden one."""
    komm_kz = row.komm_kz if row.komm_kz in _KNOWN else 0
    return Kommunikation(row.id, row.row_id, row.tlf or "", row.bemerkung or "", row.online, komm_kz or 0)


def _convenience(found: Json) -> tuple[tuple[int, str], ...]:
    """Only a help for guessing: what is no text is left out."""
    return tuple(
        (int(komm_kz), value)
        for name, komm_kz in CONVENIENCE.items()
        if isinstance(value := found.get(name), str) and value.strip()
    )
