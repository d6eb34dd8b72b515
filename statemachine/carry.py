"""How each decision is carried out: one small method per action, filling both halves of the plan (§3, §5, §12).

Called by plan. A method returns None when the entry is (or will be) as decided, else the word for why it is not: that
entry keeps its base and is shown by ``show``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from statemachine import echoes, guard, kommkz
from statemachine.acceptance import espocrm_form
from statemachine.admission import Admission
from statemachine.case import Pending, Shown, Vanished, Variant
from statemachine.commands import shown_item
from statemachine.decide import Action
from statemachine.diff import Change, Difference
from statemachine.doubles import younger_double
from statemachine.draft import Draft
from statemachine.fuse import Fuses
from statemachine.kommkz import KommKz
from statemachine.model import Item, Kind, Link, Side
from statemachine.rebase import TRIES
from statemachine.retype import Retype
from statemachine.rows import Row
from statemachine.rules import Extras
from statemachine.situation import subject


class Carry:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._s = draft.s
        self._admission = Admission(draft)
        self._retype = Retype(draft, self._admission)
        self._fuses = Fuses(draft)
        self._row_values = {(row.kind, row.canonical) for row in draft.diff.rows.relevant}
        self._by_action: dict[Action, Callable[[Difference], str | None]] = {
            Action.NOTHING: self._nothing,
            Action.AGREE: self._nothing,
            Action.DROP: lambda d: None,
            Action.GIVE_ADVOWARE: self._give_advoware,
            Action.EMPTY_ADVOWARE: self._empty_advoware,
            Action.CREATE_IN_ADVOWARE: self._create_in_advoware,
            Action.GIVE_ESPOCRM: self._give_espocrm,
            Action.REMOVE_FROM_ESPOCRM: self._remove_from_espocrm,
            Action.ADD_TO_ESPOCRM: self._add_to_espocrm,
            Action.DISSOLVE: lambda d: None,
            Action.EXTRA: self._extra,
        }

    def out(self, d: Difference, action: Action) -> str | None:
        return self._by_action[action](d)

    # --- unchanged, or agreed -----------------------------------------------------------------------------------

    def _nothing(self, d: Difference) -> str | None:
        double = younger_double(d.tie, self._s)
        if double is not None and self._may_write(Side.ADVOWARE):
            self._draft.rows.empty(double, Variant.RESTORE, None)
        if d.rewrite_advoware and self._may_write(Side.ADVOWARE):
            return self._give_advoware(d) if d.tie.rows else self._create_in_advoware(d)
        if d.rewrite_espocrm and self._may_write(Side.ESPOCRM):
            return self._give_espocrm(d) if d.tie.item else self._add_to_espocrm(d)
        return self._retype.out(d)

    # --- Advoware -----------------------------------------------------------------------------------------------

    def _give_advoware(self, d: Difference) -> str | None:
        """Var5, or the value written again over an echo."""
        item = _item(d)
        wanted = self._draft.of_item(item)
        late = [row for row in d.tie.rows if row.canonical != wanted]
        problem = (
            self._admission.refuses(Side.ADVOWARE, item.kind, wanted, item.value, d.tie.link)
            if late
            else None
        )
        if problem is not None:
            return problem
        variant = Variant.VAR5 if d.espocrm is Change.CHANGED else Variant.RESTORE
        for row in late:
            self._draft.rows.give(row, self._draft.rows.spelled(item.value, item.kind), variant, _key(d))
        return None

    def _empty_advoware(self, d: Difference) -> str | None:
        """Var2: every row of the link becomes a slot."""
        for row in d.tie.rows:
            problem = self._admission.stubborn(Side.ADVOWARE, row.kind, row.canonical)
            if problem is not None:
                return problem
            self._draft.rows.empty(row, Variant.VAR2, _key(d), Side.ESPOCRM)
        return None

    def _create_in_advoware(self, d: Difference) -> str | None:
        """Var1: a slot of the same kommKz, else a POST. In a first sync only after a second look at Advoware."""
        item = _item(d)
        wanted = self._draft.of_item(item)
        if d.tie.link is None and echoes.stale_readded(item, self._s):
            return self._take_out_again(d, item)
        if (item.kind, wanted) in self._row_values:
            return self._merge(d)
        if self._draft.base.first and not self._admission.rows_settled():
            return "settling"
        problem = self._admission.refuses(Side.ADVOWARE, item.kind, wanted, item.value, d.tie.link)
        if problem is not None:
            return problem
        known = d.tie.link.rows[0] if d.tie.link and d.tie.link.rows else None
        new = self._draft.rows.new_of(item, _komm_kz_for(item, d.tie.link), known.text if known else "")
        variant = Variant.RESTORE if d.rewrite_advoware else Variant.VAR1
        self._draft.rows.create(new, variant, _key(d), d.tie.gone_rows)
        return None

    def _merge(self, d: Difference) -> str | None:
        """The value is there already: an entry that was agreed ends, and the next look finds both halves together."""
        if d.tie.link is None:
            return "merging"
        self._draft.merges.add(d.tie.link.key)
        self._draft.again.append(self._s.now)
        return None

    def _take_out_again(self, d: Difference, item: Item) -> str | None:
        if problem := self._admission.blocked(item.kind):
            return problem
        self._draft.items[item.kind].remove(item, Variant.RESTORE, None, None)
        return None

    # --- EspoCRM ------------------------------------------------------------------------------------------------

    def _give_espocrm(self, d: Difference) -> str | None:
        """Var6: the item takes the row's value; marker renewed first."""
        if d.tie.item is None:  # an older form took it away while Advoware's row was edited
            return self._add_to_espocrm(d)
        item, row = _item(d), d.tie.rows[0]
        form, problem = self._acceptable(row, d.tie.link)
        if form is None:
            return problem
        holder, problem = self._write_to_espocrm(row, form, d.tie.link)
        if problem is not None:
            return problem
        after = replace(
            item,
            value=_spelling(form, holder, item.kind),
            type=holder.type if holder and holder.type else item.type,
            opt_out=item.opt_out or bool(holder and holder.opt_out),
            invalid=bool(holder and holder.invalid),
        )
        if (
            d.advoware is Change.CHANGED and d.tie.link is not None
        ):  # else the marker is all that ties them (§4.6)
            self._mark(d.tie.rows, _key(d))
        self._drop_spares(d)
        variant = Variant.VAR6 if d.advoware is Change.CHANGED else Variant.RESTORE
        self._draft.items[item.kind].edit(item, after, variant, _key(d), row.id)
        return None

    def _remove_from_espocrm(self, d: Difference) -> str | None:
        """Var3."""
        item = _item(d)
        problem = self._admission.stubborn(Side.ESPOCRM, item.kind, self._draft.of_item(item))
        problem = problem or self._admission.blocked(item.kind)
        if problem is None:
            self._drop_spares(d)
            source = Side.ADVOWARE if d.tie.link else None
            self._draft.items[item.kind].remove(item, Variant.VAR3, _key(d), source)
        return problem

    def _add_to_espocrm(self, d: Difference) -> str | None:
        """Var4, or an entry written back: marker first (its answer shows the true kommKz), then the item."""
        row = d.tie.rows[0]
        if d.tie.link is None and (ours := [one for one in d.tie.rows if echoes.is_ours(one.now, self._s)]):
            return self._empty_again(d, ours)
        if self._draft.items[row.kind].holds(row.canonical):
            return self._merge(d)
        form, problem = self._acceptable(row, d.tie.link)
        if form is None:
            return problem
        if self._draft.items[row.kind].full:
            return self._admission.unsyncable(
                Side.ADVOWARE, row.kind, row.now.tlf, "too_many", row.id, d.tie.link
            )
        holder, problem = self._write_to_espocrm(row, form, d.tie.link)
        if problem is not None:
            return problem
        if d.tie.link is None:
            self._mark(d.tie.rows, None)
        item = self._new_item(row, form, holder, d.tie.link)
        variant = Variant.RESTORE if d.tie.link and d.advoware is Change.SAME else Variant.VAR4
        self._draft.items[row.kind].add(item, variant, _key(d), row.id)
        return None

    def _new_item(self, row: Row, form: str, holder: Shown | None, link: Link | None) -> Item:
        type_ = self._phone_type(row, link) if row.kind is Kind.PHONE else None
        return Item(
            row.kind,
            _spelling(form, holder, row.kind),
            holder.type if holder and holder.type else type_,
            primary=False,
            opt_out=bool(holder and holder.opt_out) or bool(link and link.opt_out),
            invalid=holder.invalid is True if holder else self._was_invalid(row, link),
        )

    def _was_invalid(self, row: Row, link: Link | None) -> bool:
        """Written back from the base (§9); another value starts anew (§5)."""
        return link is not None and link.invalid and self._s.canonical(link.value, link.kind) == row.canonical

    def _phone_type(self, row: Row, link: Link | None) -> str | None:
        known = self._s.rules.acceptance.phone_types
        wanted = link.type if link and link.type else kommkz.to_espocrm_type(row.komm_kz)
        return wanted if wanted in known else next((t for t in ("Other", *known) if t in known), None)

    def _acceptable(self, row: Row, link: Link | None) -> tuple[str | None, str | None]:
        form, reason = espocrm_form(row.now.tlf, row.kind, self._s.rules.region, self._s.rules.acceptance)
        if form is not None:
            return form, None
        word = reason or "refused"
        return None, self._admission.unsyncable(Side.ADVOWARE, row.kind, row.now.tlf, word, row.id, link)

    def _write_to_espocrm(self, row: Row, form: str, link: Link | None) -> tuple[Shown | None, str | None]:
        """(present holder of the value, None) when the array may be written, else (None, why not)."""
        problem = self._admission.refuses(Side.ESPOCRM, row.kind, row.canonical, row.now.tlf, link, row.id)
        if problem is not None:
            return None, problem
        if problem := self._admission.blocked(row.kind):
            return None, self._held_up(row, problem, link)
        if (own := self._own(row)) is not None:
            return own, None
        value = (row.kind, row.canonical)
        if value not in self._s.holders:
            self._draft.lookups[value] = form
            return None, "lookup"
        return self._s.holders[value], None

    def _own(self, row: Row) -> Shown | None:
        """This record itself may hold the value still, in an item that moves on in the same PUT."""
        items = self._s.espocrm.items(row.kind)
        return next((shown_item(item) for item in items if self._draft.of_item(item) == row.canonical), None)

    def _held_up(self, row: Row, problem: str, link: Link | None) -> str:
        """A frozen array makes its additions unsyncable (§8); everything else passes."""
        if problem != "array_refused":
            return problem
        return self._admission.unsyncable(Side.ADVOWARE, row.kind, row.now.tlf, problem, row.id, link)

    def _mark(self, rows: list[Row], link_key: str | None) -> None:
        if self._may_write(Side.ADVOWARE):
            for row in rows:
                if f"marker:{row.id}" not in self._s.refused and not self._in_vain(row):
                    self._draft.rows.mark(row, link_key, row.now.tlf)

    def _in_vain(self, row: Row) -> bool:
        """The base does not need markers (§6): one that twice had no effect must not keep the value from going on."""
        since = self._s.now - self._s.rules.loop_window
        gives = subject(Side.ADVOWARE, row.kind, row.canonical)
        return guard.repeated(
            self._s.case.writes,
            lambda w: (w.variant, w.advoware_id, w.gives) == (Variant.MARKER, row.id, gives),
            since,
            TRIES,
        )

    def _drop_spares(self, d: Difference) -> None:
        """Further items of the same value would come back as new ones once the link's item is gone or changed."""
        for spare in d.tie.spare:
            self._draft.items[d.tie.kind].remove(spare, Variant.VAR6, None, None)

    # --- echoes -------------------------------------------------------------------------------------------------

    def _empty_again(self, d: Difference, ours: list[Row]) -> str | None:
        """A late effect or an older form brought back what nobody wants any more: into the slot again."""
        if not self._may_write(Side.ADVOWARE):
            return "extra"
        if problem := self._admission.blocked(d.tie.kind):
            return problem
        for row in ours:
            self._draft.rows.empty(row, Variant.RESTORE, None)
        return None if len(ours) == len(d.tie.rows) else "merging"

    # --- one direction (§12) ------------------------------------------------------------------------------------

    def _extra(self, d: Difference) -> str | None:
        """An entry that exists only on the written side: kept, or removed by §9 when it is to be a mirror."""
        if self._s.rules.extras is Extras.KEEP or self._draft.base.first:
            return "extra"
        source = Side.ADVOWARE if d.tie.item else Side.ESPOCRM
        value = self._draft.of_item(d.tie.item) if d.tie.item else d.tie.rows[0].canonical
        key = f"extra:{d.tie.kind}:{value}"
        known = next((p for p in self._s.case.pending if (p.link_key, p.side) == (key, source)), None)
        look = self._s.advoware if source is Side.ADVOWARE else self._s.espocrm
        mark = known or Pending(key, source, look.answered_at)
        self._draft.pending.append(mark)
        self._fuses.name(Vanished(key, source, value, since=self._s.now))
        if known is None or not self._s.confirmed(known.since, source):
            self._draft.again.append(mark.since + self._s.rules.deletion_confirm)
            return "pending"
        return self._remove_extra(d, key, source, value)

    def _remove_extra(self, d: Difference, key: str, source: Side, value: str) -> str | None:
        if self._fuses.stops(self._fuses.known(Vanished(key, source, value)), source):
            return "fuse"
        if d.tie.item is not None:
            if problem := self._admission.blocked(d.tie.kind):
                return problem
            self._draft.items[d.tie.kind].remove(d.tie.item, Variant.VAR3, key, source)
        for row in d.tie.rows:
            self._draft.rows.empty(row, Variant.VAR2, key, source)
        return None

    def _may_write(self, side: Side) -> bool:
        return self._s.rules.may_write(side)


def _item(d: Difference) -> Item:
    if d.tie.item is None:
        raise ValueError("this entry has no item")
    return d.tie.item


def _key(d: Difference) -> str | None:
    return d.tie.link.key if d.tie.link else None


def _spelling(form: str, holder: Shown | None, kind: Kind) -> str:
    """A mail address's letter case belongs to the value, so its present holder's is taken (§5)."""
    return holder.value if holder is not None and kind is Kind.EMAIL else form


def _komm_kz_for(item: Item, link: Link | None) -> int:
    """EspoCRM's type decides; a link that remembers a finer kind of the same type keeps it (§3)."""
    if link is not None and link.rows:
        known = link.rows[0].komm_kz
        if item.kind is Kind.EMAIL or kommkz.to_espocrm_type(known) == item.type:
            return known
    return KommKz.MailGesch if item.kind is Kind.EMAIL else kommkz.from_espocrm_type(item.type)
