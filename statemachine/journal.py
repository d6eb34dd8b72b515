"""Commands as the journal keeps them: one line per entry that a request changes (sync rules §8).

Called by ``daemon/apply.py`` before a request is sent. ``gives`` names side and canonical value, so that
repetitions are recognised whatever the spelling.
"""

from __future__ import annotations

from statemachine.case import Shown, Variant, Write
from statemachine.commands import (
    DeleteRow,
    ItemChange,
    PostRow,
    PutRecord,
    PutRow,
    RowCommand,
    RowContent,
    shown_item,
)
from statemachine.model import Item, Kind, Side
from statemachine.normalize import canonical
from statemachine.situation import removal, subject


def of_row(command: RowCommand, call: str, at: float, region: str) -> Write:
    """The one line of a row command."""
    if isinstance(command, DeleteRow):
        return _row(command.slot, "delete", call, at, region)
    return _row(command, "put" if isinstance(command, PutRow) else "post", call, at, region)


def of_record(command: PutRecord, call: str, at: float, region: str) -> tuple[Write, ...]:
    """One line per changed entry; a PUT of the sync fields alone has one line of its own."""
    if not command.changes:
        shown = Shown(str(dict(command.fields).get("syncStatus") or ""))
        return (Write(0, call, at, Side.ESPOCRM, "put", Variant.STATUS, Kind.EMAIL, None, None, None, shown),)
    return tuple(_item(change, call, at, region) for change in command.changes)


def gives_of(side: Side, kind: Kind, before: str | None, after: str | None, region: str) -> str:
    """What a write gives to (or takes from) a side."""
    if after:
        return subject(side, kind, canonical(after, kind, region))
    return removal(side, kind, canonical(before or "", kind, region))


def _row(command: PutRow | PostRow, operation: str, call: str, at: float, region: str) -> Write:
    before = command.before if isinstance(command, PutRow) else None
    return Write(
        id=0,
        call=call,
        at=at,
        side=Side.ADVOWARE,
        operation=operation,
        variant=command.variant,
        kind=command.kind,
        link_key=command.link_key,
        advoware_id=command.id if isinstance(command, PutRow) else None,
        before=_uncertain(before) if before else None,
        after=_uncertain(command.after),
        gives=gives_of(
            Side.ADVOWARE, command.kind, before.tlf if before else None, command.after.tlf, region
        ),
    )


def _uncertain(content: RowContent) -> Shown:
    """The kommKz that we send is a wish; only an answer makes it certain, so the journal starts with none."""
    return Shown(content.tlf, bemerkung=content.bemerkung, online=content.online)


def _item(change: ItemChange, call: str, at: float, region: str) -> Write:
    return Write(
        id=0,
        call=call,
        at=at,
        side=Side.ESPOCRM,
        operation="put",
        variant=change.variant,
        kind=change.kind,
        link_key=change.link_key,
        advoware_id=change.row_id,
        before=shown_item(change.before),
        after=shown_item(change.after),
        gives=gives_of(Side.ESPOCRM, change.kind, _value(change.before), _value(change.after), region),
    )


def _value(item: Item | None) -> str | None:
    return item.value if item else None
