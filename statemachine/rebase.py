"""The base as the journal completes it: writes that certainly happened but were not yet read back (sync rules §8).

Called by plan, in every round and therefore also after a crash: "a write recorded as done moves its link's base to the
written value before the merge". Three things may be seen on the side that was written: what we wrote (agreed), what
was there before (the write has *not taken*: the base stays, it is repeated once, then parked), or a third value
(somebody edited since: the base is what we wrote, and the third value is a new change).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from statemachine.case import Outcome, Shown, Variant, Write
from statemachine.model import Base, Item, Kommunikation, Link, LinkRow, Side
from statemachine.situation import Situation

#: This many writes of one value without effect, and the entry is parked (§8: repeated once).
TRIES = 2


@dataclass(frozen=True, slots=True)
class Rebased:
    """``not_taken``: journal ids that showed no effect, by what they were to give; they stay unsettled."""

    base: Base
    not_taken: tuple[Write, ...]

    def stubborn(self, gives: str) -> bool:
        return sum(1 for write in self.not_taken if write.gives == gives) >= TRIES


def rebase(situation: Situation) -> Rebased:
    """Apply every done and unsettled write of the journal to the stored base."""
    work = _Work(situation)
    for write in situation.case.writes:
        if write.outcome is Outcome.DONE and not write.settled:
            work.take(write)
    return Rebased(work.base(), tuple(work.not_taken))


class _Work:
    """The links while they are being moved."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._rows = {row.id: row for row in situation.advoware.rows}
        self._links = {link.key: link for link in situation.case.base.links}
        self._counter = situation.case.base.counter
        self._given: dict[str, Shown] = {}
        self.not_taken: list[Write] = []

    def base(self) -> Base:
        links = tuple(self._finished(link) for link in self._links.values())
        return replace(self._situation.case.base, links=links, counter=self._counter)

    def take(self, write: Write) -> None:
        moves: dict[Side, Callable[[Write], None]] = {
            Side.ADVOWARE: self._row_write,
            Side.ESPOCRM: self._item_write,
        }
        moves[write.side](write)

    # Advoware

    def _row_write(self, write: Write) -> None:
        row = self._rows.get(write.advoware_id or 0)
        if (
            write.variant in (Variant.MARKER, Variant.STATUS)
            or write.after is None
            or write.advoware_id is None
        ):
            return
        if (
            write.before is not None
            and row is not None
            and _shows(row, write.before)
            and not _shows(row, write.after)
        ):
            self.not_taken.append(write)
        elif not write.after.value:
            self._leave(write)
        else:
            self._give_row(write)

    def _leave(self, write: Write) -> None:
        for link in list(self._links.values()):
            rows = tuple(row for row in link.rows if row.id != write.advoware_id)
            if len(rows) != len(link.rows):
                self._put(replace(link, rows=rows))

    def _give_row(self, write: Write) -> None:
        given = write.after or Shown("")
        written = LinkRow(
            write.advoware_id or 0, "", given.komm_kz, False, given.value, bool(given.online), ""
        )
        link = self._links.get(write.link_key or "") or self._holder(written.id)
        if link is None:
            self._adopt(write, given, (written,))
            return
        held = [row for row in link.rows if row.id != written.id and not self._gone(row)]
        same = next((row for row in link.rows if row.id == written.id), None)
        if same is not None:
            written = replace(same, tlf=written.tlf, online=written.online)
        self._put(replace(link, rows=tuple(sorted((*held, written), key=lambda row: row.id))))
        if write.variant is not Variant.FLAG:
            self._given[link.key] = given

    def _gone(self, row: LinkRow) -> bool:
        now = self._rows.get(row.id)
        return now is None or not now.tlf.strip()

    # EspoCRM

    def _item_write(self, write: Write) -> None:
        if write.variant is Variant.STATUS:
            return
        link = self._links.get(write.link_key or "")
        if self._had_no_effect(write):
            self.not_taken.append(write)
        elif write.after is None:
            self._links.pop(write.link_key or "", None)
        elif link is not None:
            self._move(link, write.after)
        elif write.advoware_id is not None and (row := self._rows.get(write.advoware_id)) is not None:
            self._adopt(
                write,
                write.after,
                (LinkRow(row.id, row.row_id, 0, False, write.after.value, row.online, ""),),
            )

    def _had_no_effect(self, write: Write) -> bool:
        """What was to come is not there, or what was to go is still there."""
        shown = [item for item in self._situation.espocrm.items(write.kind) if self._is(item, write.after)]
        if write.after is not None and not shown:
            return write.before is None or any(self._items_like(write, write.before))
        if write.after is None:
            return any(self._items_like(write, write.before))
        return (
            write.before is not None
            and not any(_same_flags(item, write.after) for item in shown)
            and any(_same_flags(item, write.before) for item in self._items_like(write, write.before))
        )

    def _items_like(self, write: Write, shown: Shown | None) -> Iterable[Item]:
        return (item for item in self._situation.espocrm.items(write.kind) if self._is(item, shown))

    def _is(self, item: Item, shown: Shown | None) -> bool:
        canonical = self._situation.canonical
        return shown is not None and canonical(item.value, item.kind) == canonical(shown.value, item.kind)

    def _move(self, link: Link, after: Shown) -> None:
        moved = replace(
            link,
            value=after.value,
            type=after.type,
            primary=bool(after.primary),
            opt_out=bool(after.opt_out),
            invalid=bool(after.invalid),
            rows=tuple(replace(row, tlf=after.value) for row in link.rows),
        )
        self._put(moved)

    # both

    def _adopt(self, write: Write, after: Shown, rows: tuple[LinkRow, ...]) -> None:
        """A new entry was given to one side: from now on both halves belong together, whatever they show."""
        if any(row.id == rows[0].id for link in self._links.values() for row in link.rows):
            return
        self._counter += 1
        self._links[f"L{self._counter}"] = Link(
            f"L{self._counter}",
            write.kind,
            after.value,
            after.type,
            bool(after.primary),
            bool(after.opt_out),
            bool(after.invalid),
            rows,
        )

    def _holder(self, row_id: int) -> Link | None:
        return next(
            (link for link in self._links.values() if any(row.id == row_id for row in link.rows)), None
        )

    def _put(self, link: Link) -> None:
        if link.rows:
            self._links[link.key] = link
        else:
            self._links.pop(link.key, None)

    def _finished(self, link: Link) -> Link:
        """The link's own value follows when all its rows were given the same (§4.1)."""
        given = self._given.get(link.key)
        if given is None:
            return link
        wanted = self._situation.canonical(given.value, link.kind)
        if any(self._situation.canonical(row.tlf, link.kind) != wanted for row in link.rows):
            return link
        return (
            replace(link, value=given.value)
            if self._situation.canonical(link.value, link.kind) != wanted
            else link
        )


def _shows(row: Kommunikation, shown: Shown) -> bool:
    same = (row.tlf, row.bemerkung) == (shown.value, shown.bemerkung)
    return same and (shown.online is None or row.online == shown.online)


def _same_flags(item: Item, shown: Shown) -> bool:
    return (item.type, item.primary) == (shown.type, shown.primary)
