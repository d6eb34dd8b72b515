"""Looks: what a side showed, when, and whether it has settled (sync rules §1 *Seen*, §8 *settled reads*).

Called by the poller (has anything changed?), by a sync (may this array be written?) and after every read. Only
fingerprints are compared, never stamps of the partner's clock: the time between two looks is taken from our own
clock, from the answer of the first to the asking of the second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from statemachine.case import Case, Pending, Seen, SeenPart
from statemachine.model import AdvowareRecord, EspocrmRecord, Item, Kommunikation, Side


class AskedAndAnswered(Protocol):
    """When a look was asked for and answered, by our own clock."""

    @property
    def asked_at(self) -> float: ...
    @property
    def answered_at(self) -> float: ...


#: What a user may set ``syncStatus`` to in order to ask for a sync (§11).
REQUESTS = frozenset({"dirty", "pending_sync"})

EMAILS, PHONES, REST, ROWS = "emails", "phones", "rest", "rows"
#: All entries of both sides.
WHOLE = frozenset({EMAILS, PHONES, ROWS})


def look_espocrm(record: EspocrmRecord, before: Seen | None) -> Seen:
    """This record as a look, continuing the series of ``before`` where a part shows the same and nobody has saved in
    between: half an array may look like the half of another save (§8)."""
    shows = {EMAILS: _items(record.emails), PHONES: _items(record.phones), REST: _rest(record)}
    saved = before is not None and (before.stamp, before.version) != (
        record.modified_at,
        record.version_number,
    )
    return Seen(
        _continue(shows, None if saved else before, record.answered_at),
        record.asked_at,
        record.modified_at,
        record.version_number,
        record.server_time,
    )


def look_advoware(record: AdvowareRecord, before: Seen | None) -> Seen:
    """This Beteiligte as a look: id, rowId, tlf, bemerkung and online of each row."""
    return Seen(
        _continue({ROWS: _rows(record.rows)}, before, record.answered_at),
        record.asked_at,
        "",
        None,
        record.server_time,
    )


def changed(before: Seen | None, after: Seen) -> bool:
    """Whether a change was *seen*: the content differs from the last look, never from the base."""
    return before is None or _fingerprints(before) != _fingerprints(after)


def unannounced(before: Seen | None, after: Seen) -> bool:
    """Whether an array shows something else although EspoCRM says that nobody has saved since the last look: one of the
    two answers was not whole, or a shared value was changed in another record (facts EspoCRM §5)."""
    if before is None or (before.stamp, before.version) != (after.stamp, after.version):
        return False
    known, now = _fingerprints(before), _fingerprints(after)
    return any(part in known and known[part] != now[part] for part in (EMAILS, PHONES))


def same_entries(one: EspocrmRecord, other: EspocrmRecord) -> bool:
    """Whether two reads show the same entries and the same Beteiligter, whatever the sync fields say."""
    return (one.bet_nr, _items(one.emails), _items(one.phones)) == (
        other.bet_nr,
        _items(other.emails),
        _items(other.phones),
    )


def settled(look: Seen, part: str, seconds: float) -> bool:
    """Whether ``part`` shows what it showed in a look at least ``seconds`` before this one was asked for."""
    return look.at - next(p.since for p in look.parts if p.name == part) >= seconds


def second_look(
    pending: Iterable[Pending], key: str, side: Side, look: AskedAndAnswered, seconds: float
) -> tuple[Pending, bool]:
    """The first look that showed ``key`` gone from ``side``, and whether this ``look`` was asked for at least
    ``seconds`` after that one was answered (§9). A first look from the future says that our clock was set back: then
    this one is the first."""
    known = next((p for p in pending if (p.link_key, p.side) == (key, side)), None)
    if known is None or known.since > look.answered_at:
        return Pending(key, side, look.answered_at), False
    return known, look.asked_at - known.since >= seconds


def on_our_clock(case: Case, set_at: float, now: float) -> Case:
    """``case`` as it can be judged on a clock that was set at ``set_at``: of what began to be seen before that nobody
    can say how long ago it was, so it was not seen; a write from the future was long ago, so no echo is expected of
    it any more."""
    return replace(
        case,
        seen_espocrm=_since(case.seen_espocrm, set_at),
        seen_advoware=_since(case.seen_advoware, set_at),
        pending=tuple(one for one in case.pending if one.since >= set_at),
        writes=tuple(replace(write, at=0.0) if write.at > now else write for write in case.writes),
    )


def _since(seen: Seen | None, moment: float) -> Seen | None:
    return seen and replace(seen, parts=tuple(part for part in seen.parts if part.since >= moment))


def settles_at(after: Seen, part: str, seconds: float) -> float:
    """When another look at the same content will be a settled one."""
    return next(p.since for p in after.parts if p.name == part) + seconds


def _fingerprints(seen: Seen) -> dict[str, str]:
    return {part.name: part.fingerprint for part in seen.parts}


def _continue(shows: dict[str, str], before: Seen | None, answered_at: float) -> tuple[SeenPart, ...]:
    """A series that began in the future ends: our clock was set back, and nobody waits until it is there again."""
    known = {p.name: p for p in before.parts if p.since <= answered_at} if before else {}
    return tuple(
        known[name]
        if name in known and known[name].fingerprint == fingerprint
        else SeenPart(name, fingerprint, answered_at)
        for name, fingerprint in shows.items()
    )


def _items(items: Iterable[Item]) -> str:
    """EspoCRM returns all but the primary in no defined order (facts §2), so the order says nothing."""
    return _digest(
        sorted(repr((i.value, i.type, i.primary, i.opt_out, i.invalid)) for i in items),
    )


def _rest(record: EspocrmRecord) -> str:
    status = record.value_of("syncStatus")
    return _digest([repr(record.bet_nr), repr(status if status in REQUESTS else None)])


def _rows(rows: Iterable[Kommunikation]) -> str:
    return _digest(sorted(repr((r.id, r.row_id, r.tlf, r.bemerkung, r.online)) for r in rows))


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
