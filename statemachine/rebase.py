"""The base as the journal completes it: writes that certainly happened but were not yet read back (sync rules §8).

Called by plan, in every round and therefore also after a crash: "a write recorded as done moves its link's base to the
written value before the merge". Three things may be seen on the side that was written: what we wrote (agreed), what
was there before (the write has *not taken*: the base stays, it is repeated once, then parked), or a third value
(somebody edited since: the base is what we wrote, and the third value is a new change).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from statemachine import effects
from statemachine.case import Shown, Variant, Write
from statemachine.effects import Effect
from statemachine.model import Base, Link, LinkRow, Side
from statemachine.situation import Situation

#: This many writes of one value without effect, and the entry is parked (§8: repeated once).
TRIES = 2

#: What a write of these variants gives is no agreed value: it moves no link.
_MOVES_NOTHING = (Variant.MARKER, Variant.STATUS, Variant.WISH)


@dataclass(frozen=True, slots=True)
class Rebased:
    """``not_taken``: journalled writes that showed no effect."""

    base: Base
    not_taken: tuple[Write, ...]

    def stubborn(self, gives: str) -> bool:
        return sum(1 for write in self.not_taken if write.gives == gives) >= TRIES

    @property
    def unsettled(self) -> tuple[int, ...]:
        """Journal ids that must stay open, so that the next attempt counts as the second one."""
        return tuple(write.id for write in self.not_taken if not self.stubborn(write.gives))


def rebase(situation: Situation) -> Rebased:
    """Apply every done and unsettled write of the journal to the stored base."""
    work = _Work(situation)
    failed: dict[str, list[Write]] = {}
    for write, effect in effects.of(situation):
        target = effects.target(write)
        if effect is Effect.NOT_TAKEN:
            failed.setdefault(target, []).append(write)
            continue
        failed.pop(target, None)
        if write.variant not in _MOVES_NOTHING:
            work.take(write)
    return Rebased(work.base(), tuple(write for writes in failed.values() for write in writes))


class _Work:
    """The links while they are being moved."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._rows = {row.id: row for row in situation.advoware.rows}
        self._links = {link.key: link for link in situation.case.base.links}
        self._given: dict[str, Shown] = {}
        self._written: set[int] = set()

    def base(self) -> Base:
        links = tuple(self._finished(link) for link in self._links.values())
        return replace(self._situation.case.base, links=links)

    def take(self, write: Write) -> None:
        if write.side is Side.ESPOCRM:
            self._item_write(write)
        elif write.after is not None and write.advoware_id is not None:
            self._row_write(write, write.after, write.advoware_id)

    # Advoware

    def _row_write(self, write: Write, after: Shown, row_id: int) -> None:
        if not after.value:
            self._leave(row_id, ends=write.variant is not Variant.TYPE)
        elif write.variant is Variant.FLAG:
            self._flag_row(row_id, bool(after.online))
        else:
            self._give_row(write, after, row_id)

    def _leave(self, row_id: int, *, ends: bool) -> None:
        """A row that alone had changed, or was emptied, was no part of the link any more when we emptied the others
        (§4.1). ``ends``: False for the old row of another type, whose new row is the link, whatever became of it."""
        link = self._holder(row_id)
        if link is not None:
            rows = tuple(row for row in link.rows if row.id != row_id)
            strayed = ends and all(self._strayed(row, link) for row in rows)
            self._put(replace(link, rows=() if strayed else rows))

    def _strayed(self, row: LinkRow, link: Link) -> bool:
        now, canonical = self._rows.get(row.id), self._situation.canonical
        return now is not None and canonical(now.tlf, link.kind) not in (
            canonical(link.value, link.kind),
            canonical(row.tlf, link.kind),
        )

    def _flag_row(self, row_id: int, online: bool) -> None:
        link = self._holder(row_id)
        if link is not None:
            rows = tuple(replace(row, online=online) if row.id == row_id else row for row in link.rows)
            self._put(replace(link, rows=rows))

    def _give_row(self, write: Write, after: Shown, row_id: int) -> None:
        written = LinkRow(row_id, "", after.komm_kz, False, after.value, bool(after.online), "")
        link = self._links.get(write.link_key or "") or self._holder(row_id)
        if link is None:
            self._adopt(write, after, (written,))
            return
        held = [row for row in link.rows if row.id != row_id]
        same = next((row for row in link.rows if row.id == row_id), None)
        if same is not None:
            moved = write.before is None or write.before.online != after.online
            written = replace(same, tlf=written.tlf, online=written.online if moved else same.online)
        self._put(replace(link, rows=tuple(sorted((*held, written), key=lambda row: row.id))))
        self._given[link.key] = after
        self._written.add(row_id)

    def _gone(self, row: LinkRow) -> bool:
        now = self._rows.get(row.id)
        return now is None or not now.tlf.strip()

    # EspoCRM

    def _item_write(self, write: Write) -> None:
        link = self._links.get(write.link_key or "")
        if write.after is None:
            self._links.pop(write.link_key or "", None)
        elif link is not None:
            self._put(_moved(link, write, write.after))
        elif write.advoware_id is not None:
            self._item_of(write, write.after, write.advoware_id)

    def _item_of(self, write: Write, after: Shown, row_id: int) -> None:
        """The item of a row that was new, or had left its link: both belong together even if the row is gone by now,
        for then staff took it away."""
        holder = self._holder(row_id)
        if holder is not None:
            known = next(row for row in holder.rows if row.id == row_id)
            if self._same_value(known.tlf, after.value, write):
                return
            self._put(replace(holder, rows=tuple(row for row in holder.rows if row.id != row_id)))
        now = self._rows.get(row_id)
        online = now is not None and now.online
        self._adopt(write, after, (LinkRow(row_id, "", 0, False, after.value, online, ""),))

    def _same_value(self, one: str, other: str, write: Write) -> bool:
        canonical = self._situation.canonical
        return canonical(one, write.kind) == canonical(other, write.kind)

    # both

    def _adopt(self, write: Write, after: Shown, rows: tuple[LinkRow, ...]) -> None:
        """A new entry was given to one side: from now on both halves belong together, whatever they show. The link is
        named after the write, so that every round and every run gives it the same name: the journal uses it."""
        key = key_of(write)
        self._links[key] = Link(
            key,
            write.kind,
            after.value,
            after.type,
            bool(after.primary),
            bool(after.opt_out),
            bool(after.invalid),
            rows,
            derived_type=write.side is Side.ESPOCRM and after.type is not None,
        )

    def _holder(self, row_id: int) -> Link | None:
        held = (link for link in self._links.values() if any(row.id == row_id for row in link.rows))
        return next(held, None)

    def _put(self, link: Link) -> None:
        if link.rows:
            self._links[link.key] = link
        else:
            self._links.pop(link.key, None)

    def _finished(self, link: Link) -> Link:
        """The link's own value follows when all its rows were given the same (§4.1). One that is not shown just now
        does not count, but stays: the list may have been truncated."""
        given = self._given.get(link.key)
        if given is None:
            return link
        wanted = self._situation.canonical(given.value, link.kind)
        there = [row for row in link.rows if row.id in self._written or not self._gone(row)]
        values = {self._situation.canonical(row.tlf, link.kind) for row in there}
        agreed = self._situation.canonical(link.value, link.kind)
        return replace(link, value=given.value) if values == {wanted} and agreed != wanted else link


def key_of(write: Write) -> str:
    """The name of the link that a write founds."""
    return f"W{write.id}"


def _moved(link: Link, write: Write, after: Shown) -> Link:
    """Only what the write itself changed: a type or a primary that a user moved meanwhile is still his wish."""
    before = write.before or Shown("")
    moved = replace(
        link,
        type=link.type if before.type == after.type else after.type,
        primary=link.primary if before.primary == after.primary else bool(after.primary),
        opt_out=bool(after.opt_out),
        invalid=bool(after.invalid),
    )
    if write.variant in (Variant.FLAG, Variant.TYPE):
        return moved
    rows = tuple(replace(row, tlf=after.value) for row in link.rows)
    return replace(moved, value=after.value, rows=rows)
