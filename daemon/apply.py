"""Carries out commands: journal, call, record, one by one (sync rules §6, §8). Returns what really happened.

Called by :mod:`daemon.sync`. It decides nothing: what follows from an answer that is not what was sent is either
written down for the next planning round (a refusal, a learnt length) or is the one repair that must not wait (a stump).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog

from daemon.ports import Advoware, Clock, Espocrm, Person, Store
from statemachine import journal, marker
from statemachine.case import Limits, Outcome, Shown, Variant, Write
from statemachine.commands import DeleteRow, PostRow, PutRecord, PutRow, RowCommand, RowContent
from statemachine.errors import (
    HopelessRecord,
    Modified,
    RecordMissing,
    RecordTrouble,
    Refused,
    SideTrouble,
    UnknownOutcome,
)
from statemachine.model import EspocrmRecord, Kommunikation

#: What was read longer ago is read again before anything is written over it (§8, §13).
FRESH_SECONDS = 1.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Applied:
    """What a round did. ``writes``: every journalled line with its outcome. ``refused``: value (or ``marker:<id>``)
    → reason. ``unknown``: an answer never came. ``array_refused``: EspoCRM refused a PUT of several changes at once;
    ``fields_refused``: it refused a sync field."""

    writes: list[Write] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    unknown: bool = False
    modified: bool = False
    array_refused: bool = False
    fields_refused: bool = False
    fused: bool = False


class Applier:
    """One per daemon. ``region``: [default_region], for the journal's names of values."""

    def __init__(self, espocrm: Espocrm, advoware: Advoware, store: Store, clock: Clock) -> None:
        self.espocrm = espocrm
        self.advoware = advoware
        self.store = store
        self.clock = clock

    async def rows(
        self, person: Person, run: str, commands: Sequence[RowCommand], limits: Limits, region: str
    ) -> Applied:
        """The Advoware half, directly after a read. Stops at the first unknown outcome, and when that read is no longer
        fresh: what is true must be read before anything else is written. Raises SideTrouble, HopelessRecord."""
        round_ = _Round(self, person, run, limits, region)
        began = self.clock.monotonic()
        for command in commands:
            await round_.carry_out(command)
            if round_.done.unknown or self.clock.monotonic() - began > FRESH_SECONDS:
                break
        return round_.done

    async def record(
        self, person: Person, run: str, record: EspocrmRecord, command: PutRecord, region: str
    ) -> Applied:
        """The one PUT on EspoCRM. Raises SideTrouble, HopelessRecord."""
        done = Applied()
        if not await self._may_delete(person, command):
            done.fused = True
            return done
        lines = journal.of_record(command, _call(), self.clock.now(), region)
        ids = await self.store.journal(person.espocrm_id, person.bet_nr, run, lines)
        writes = [replace(line, id=id_) for line, id_ in zip(lines, ids, strict=True)]
        outcome = Outcome.DONE
        try:
            await self.espocrm.put(record, command)
        except Refused as refusal:
            outcome = Outcome.REFUSED
            _explain_refusal(refusal, command, writes, done)
        except Modified:
            # certainly without effect, and an operator's wish has one attempt only
            wished = any(change.variant is Variant.WISH for change in command.changes)
            outcome, done.modified = Outcome.NOT_SENT if wished else Outcome.REFUSED, True
        except UnknownOutcome:
            outcome, done.unknown = Outcome.UNKNOWN, True
        except SideTrouble:
            await self.store.record(ids, Outcome.NOT_SENT)
            raise
        except (HopelessRecord, RecordTrouble, RecordMissing):
            await self.store.record(ids, Outcome.REFUSED)
            raise
        await self.store.record(ids, outcome)
        done.writes = [replace(write, outcome=outcome) for write in writes]
        return done

    async def _may_delete(self, person: Person, command: PutRecord) -> bool:
        for change in command.changes:
            if change.deletion_from is not None and not await self.store.may_delete(
                person.espocrm_id, change.link_key or "", change.deletion_from
            ):
                return False
        return True


class _Round:
    """The row commands of one planning round, in order."""

    def __init__(self, applier: Applier, person: Person, run: str, limits: Limits, region: str) -> None:
        self._store = applier.store
        self._advoware = applier.advoware
        self._clock = applier.clock
        self._person = person
        self._run = run
        self._region = region
        self._not_created: set[str | None] = set()
        self.done = Applied(limits=limits)

    async def carry_out(self, command: RowCommand) -> None:
        put = command.slot if isinstance(command, DeleteRow) else command
        if isinstance(put, PutRow):
            retyped = put.variant is Variant.TYPE and put.after.tlf == ""
            if (retyped and put.link_key in self._not_created) or not await self._may_delete(put):
                return
        if isinstance(command, DeleteRow) and await self._delete(command):
            return
        write = await self._send(put)
        if write.outcome is not Outcome.DONE and write.variant is Variant.TYPE:
            self._not_created.add(write.link_key)

    async def _may_delete(self, put: PutRow) -> bool:
        if put.deletion_from is None:
            return True
        allowed = await self._store.may_delete(self._person.espocrm_id, put.link_key or "", put.deletion_from)
        self.done.fused = self.done.fused or not allowed
        return allowed

    async def _delete(self, command: DeleteRow) -> bool:
        """Try DELETE; False (the known answer, 403) means: empty it into a slot instead."""
        write = await self._begin(command)
        try:
            deleted = await self._advoware.delete(self._person.bet_nr, command.slot.id)
        except UnknownOutcome:
            await self._end(write, Outcome.UNKNOWN)
            self.done.unknown = True
            return True
        except SideTrouble:
            await self._end(write, Outcome.NOT_SENT)
            raise
        except (HopelessRecord, RecordTrouble, RecordMissing):
            deleted = False
        await self._end(write, Outcome.DONE if deleted else Outcome.REFUSED)
        return deleted

    async def _send(self, command: PutRow | PostRow) -> Write:
        """One call, with the one repair that a refused or shortened bemerkung allows: the text alone (§6)."""
        write, answer = await self._attempt(command)
        if write.outcome is Outcome.REFUSED and _marked(command.after):
            plain = replace(
                command, after=replace(command.after, bemerkung=marker.read(command.after.bemerkung)[1])
            )
            if plain.after != _before(plain):
                write, answer = await self._attempt(plain)
            if write.outcome is Outcome.DONE or plain.after == _before(plain):
                self._learn_bemerkung(len(command.after.bemerkung) - 1)
        if write.outcome is Outcome.REFUSED:
            self.done.refused[write.gives] = "refused_by_advoware"
            if command.variant is Variant.MARKER and isinstance(command, PutRow):
                self.done.refused[f"marker:{command.id}"] = "refused_by_advoware"
        if answer is not None:
            await self._check(command, answer, write)
        return write

    async def _attempt(self, command: PutRow | PostRow) -> tuple[Write, Kommunikation | None]:
        write = await self._begin(command)
        bet_nr, content = self._person.bet_nr, command.after
        try:
            if isinstance(command, PutRow):
                answer = await self._advoware.put(bet_nr, command.id, content)
            else:
                answer = await self._advoware.post(bet_nr, content)
        except Refused:
            return await self._end(write, Outcome.REFUSED), None
        except UnknownOutcome:
            self.done.unknown = True
            return await self._end(write, Outcome.UNKNOWN), None
        except SideTrouble:
            await self._end(write, Outcome.NOT_SENT)
            raise
        except RecordMissing:  # the row is gone; what is true will be read before anything else is decided
            return await self._end(write, Outcome.REFUSED), None
        except (HopelessRecord, RecordTrouble):
            await self._end(write, Outcome.REFUSED)
            raise
        shown = Shown(answer.tlf, answer.bemerkung, answer.online, answer.komm_kz)
        return await self._end(write, Outcome.DONE, answer.id, shown), answer

    # --- what the answer showed ---------------------------------------------------------------------------------

    async def _check(self, command: PutRow | PostRow, answer: Kommunikation, write: Write) -> None:
        sent = command.after
        if _cut_off(sent.tlf, answer.tlf):
            await self._take_back(command, answer, write)
        elif _cut_off(sent.bemerkung, answer.bemerkung):
            self._learn_bemerkung(len(answer.bemerkung))
            text = marker.read(sent.bemerkung)[1]
            if text != sent.bemerkung:
                await self._attempt(_rewritten(command, answer, replace(sent, bemerkung=text)))
        else:
            whole = max(self.done.limits.bemerkung_whole, len(sent.bemerkung))
            self.done.limits = replace(self.done.limits, bemerkung_whole=whole)
        into_slot = isinstance(command, PutRow) and not command.before.tlf.strip() and sent.tlf
        if into_slot and write.variant is not Variant.WISH and answer.komm_kz not in (0, sent.komm_kz):
            slot = RowContent("", marker.write_slot(answer.komm_kz), False, answer.komm_kz)
            await self._attempt(replace(_rewritten(command, answer, slot), variant=Variant.VAR2))

    async def _take_back(self, command: PutRow | PostRow, answer: Kommunikation, write: Write) -> None:
        """The stump of a value is worse than the old one: write back what was there, derive nothing from it (§6)."""
        self.done.refused[write.gives] = "too_long"
        self.done.limits = replace(self.done.limits, tlf=len(answer.tlf))
        empty = RowContent(
            "", marker.write_slot(answer.komm_kz or command.after.komm_kz), False, command.after.komm_kz
        )
        before = command.before if isinstance(command, PutRow) else empty
        taken_back, _ = await self._attempt(
            replace(_rewritten(command, answer, before), variant=Variant.RESTORE)
        )
        log.warning(
            "tlf_too_long", bet_nr=self._person.bet_nr, limit=len(answer.tlf), undone=str(taken_back.outcome)
        )

    def _learn_bemerkung(self, length: int) -> None:
        limits = self.done.limits
        known = min(limits.bemerkung, length) if limits.bemerkung else length
        if known != limits.bemerkung:
            log.warning("bemerkung_limit_learnt", bet_nr=self._person.bet_nr, limit=known)
        self.done.limits = replace(limits, bemerkung=known)

    # --- the journal --------------------------------------------------------------------------------------------

    async def _begin(self, command: RowCommand) -> Write:
        line = journal.of_row(command, _call(), self._clock.now(), self._region)
        (id_,) = await self._store.journal(self._person.espocrm_id, self._person.bet_nr, self._run, (line,))
        return replace(line, id=id_)

    async def _end(
        self, write: Write, outcome: Outcome, advoware_id: int | None = None, shown: Shown | None = None
    ) -> Write:
        await self._store.record((write.id,), outcome, advoware_id=advoware_id, after=shown)
        ended = replace(
            write, outcome=outcome, advoware_id=advoware_id or write.advoware_id, after=shown or write.after
        )
        self.done.writes.append(ended)
        return ended


def _explain_refusal(refusal: Refused, command: PutRecord, writes: Sequence[Write], done: Applied) -> None:
    """A 400 names a field, never the item: one change is to blame, several must be tried one by one (§8)."""
    if refusal.field in dict(command.fields):
        done.fields_refused = True
    elif len(writes) == 1:
        done.refused[writes[0].gives] = "refused_by_espocrm"
    else:
        done.array_refused = True


def _cut_off(sent: str, answered: str) -> bool:
    """Shorter than sent; blanks at the end that a server trims are no limit."""
    return len(answered) < len(sent.rstrip()) and sent.startswith(answered)


def _marked(content: RowContent) -> bool:
    return bool(content.tlf) and marker.read(content.bemerkung)[0] is not None


def _before(command: PutRow | PostRow) -> RowContent | None:
    return command.before if isinstance(command, PutRow) else None


def _rewritten(command: PutRow | PostRow, answer: Kommunikation, content: RowContent) -> PutRow:
    """The row that was just written, written once more."""
    now = RowContent(answer.tlf, answer.bemerkung, answer.online, answer.komm_kz or command.after.komm_kz)
    return PutRow(command.variant, command.kind, command.link_key, answer.id, now, content)


def _call() -> str:
    return uuid.uuid4().hex[:16]
