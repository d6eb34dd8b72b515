"""The stage of a scenario: one or a few Beteiligte, and people who do one described thing at a described second.

Every act goes through the ledger like the random ones. Used by :mod:`tests.harness.scenarios`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from daemon.simulators import people_values as values
from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.advoware_rows import Row
from daemon.simulators.espocrm import MAIL, PHONE, EspoWorld, mail, phone
from daemon.simulators.people import Pair
from statemachine.case import Keep
from statemachine.model import Side
from tests.harness.ledger import ADVOWARE, ESPOCRM, Book, Fate
from tests.harness.town import Process, Town
from tests.harness.values import same

#: Values nobody confuses: office numbers, mobile numbers, mail addresses.
A, B, C, D, E = (values.landline(place).e164 for place in range(5))
M, N = (values.mobile(place).e164 for place in range(2))
X, Y, Z = (f"{name}@example.de" for name in ("anna", "bert", "cora"))
#: How staff would type A.
A_SPELT = "030/23125-000"

Item = tuple[str, str] | tuple[str, str, dict[str, Any]]


def person(
    items: Sequence[Item] = (), rows: Sequence[tuple[int, str] | tuple[int, str, str]] = ()
) -> Callable[[EspoWorld, AdvowareWorld], Pair]:
    """One Beteiligter. ``items``: (type or "mail", value, flags), the first of each kind is primary; ``rows``:
    (kommKz, tlf, bemerkung)."""

    def move_in(espo: EspoWorld, advoware: AdvowareWorld) -> Pair:
        bet_nr = advoware.add_person("Muster", "Max")
        for komm_kz, tlf, *bemerkung in rows:
            advoware.add_row(bet_nr, komm_kz, tlf, "".join(bemerkung))
        phones, mails = [], []
        for kind, value, *flags in items:
            more = dict(*flags)
            if kind == "mail":
                mails.append(mail(value, primary=not mails, **more))
            else:
                phones.append(phone(value, kind, primary=not phones, **more))
        espocrm_id = espo.create_person(phones=phones, mails=mails, betnr=bet_nr, lastName="Muster")
        return Pair(espocrm_id, bet_nr)

    return move_in


def people(
    *movers: Callable[[EspoWorld, AdvowareWorld], Pair],
) -> Callable[[EspoWorld, AdvowareWorld], list[Pair]]:
    return lambda espo, advoware: [move_in(espo, advoware) for move_in in movers]


class Stage:
    """What people can do. ``who``: the place of the Beteiligter, 0 is the first."""

    def __init__(self, town: Town) -> None:
        self.town = town

    def book(self, who: int = 0) -> Book:
        return self.town.ledger.books[self.town.pairs[who].espocrm_id]

    def at(self, second: float, *acts: Callable[[], object]) -> None:
        for act in acts:
            self.town.timeline.at(second, lambda act=act: act())  # type: ignore[misc]

    def both(self, *acts: Callable[[], object]) -> Callable[[], None]:
        def do() -> None:
            for act in acts:
                act()

        return do

    def saves_take(self, seconds: float) -> Callable[[], None]:
        """From now on EspoCRM's hooks need so long before a save can be seen."""
        return lambda: setattr(self.town.espo.saving, "hook_seconds", seconds)

    def interrupt(self, act: Callable[[], object]) -> None:
        """What somebody does in the very moment of the request with the fault "interrupted"."""
        self.town.interruption = act

    def once_written(self, shows: str, act: Callable[[], object], after: float = 0.01) -> None:
        """Somebody acts right after the first write of the daemon that has this in its body, whatever becomes of it."""

        def look(_: str, __: str, ___: str, body: bytes) -> None:
            if shows in body.decode():
                self.town.on_write = None
                self.town.timeline.after(after, act)

        self.town.on_write = look

    def shows_only(self, side: str, first: int, seconds: float) -> Callable[[], None]:
        """From now on, for so long, only the first so many entries are to be seen there."""

        def begin() -> None:
            plan, now = self.town.plan, self.town.timeline.now
            outage = (side, now, now + seconds, f"cut{first}")
            self.town.plan = replace(plan, outages=(*plan.outages, outage))

        return begin

    def later(self, seconds: float, act: Callable[[], object]) -> Callable[[], None]:
        return lambda: self.town.timeline.after(seconds, lambda: act() and None)

    # -- in the browser ------------------------------------------------------------------------------------------

    def add(self, kind: str, value: str, who: int = 0) -> Callable[[], None]:
        def change(items: list[dict[str, Any]]) -> None:
            primary = not items
            items.append(
                mail(value, primary=primary) if kind == "mail" else phone(value, kind, primary=primary)
            )

        return self._form("add_item", kind == "mail", change, who, value)

    def edit(self, old: str, new: str, who: int = 0) -> Callable[[], None]:
        return self._item("change_item", old, lambda item, key: item.update({key: new}), who)

    def set(self, value: str, who: int = 0, **changes: Any) -> Callable[[], None]:
        """``type``, ``optOut``, ``invalid``."""
        return self._item("set", value, lambda item, _: item.update(changes), who)

    def remove(self, *gone: str, who: int = 0) -> Callable[[], None]:
        def change(items: list[dict[str, Any]]) -> None:
            key = "emailAddress" if "@" in gone[0] else "phoneNumber"
            items[:] = [item for item in items if not any(_is(item[key], value) for value in gone)]
            if items and not any(item["primary"] for item in items):
                items[0]["primary"] = True

        return self._form("remove_item", "@" in gone[0], change, who, *gone)

    def replace_all(self, numbers: Sequence[tuple[str, str]], who: int = 0) -> Callable[[], None]:
        """A form in which every number is another one."""

        def change(items: list[dict[str, Any]]) -> None:
            items[:] = [phone(value, kind, primary=not n) for n, (kind, value) in enumerate(numbers)]

        return self._form("replace_all", False, change, who)

    def make_primary(self, value: str, who: int = 0) -> Callable[[], None]:
        def change(items: list[dict[str, Any]]) -> None:
            key = "emailAddress" if "@" in value else "phoneNumber"
            for item in items:
                item["primary"] = _is(item[key], value)

        return self._form("move_primary", "@" in value, change, who, value)

    def put_back(self, now: str, before: str, who: int = 0) -> Callable[[], None]:
        """A form that was opened before our write: the old value and the old bemerkung together. Nobody's decision."""

        def save() -> None:
            for one in self.town.advoware.rows(self.book(who).pair.bet_nr):
                if _is(one.tlf or "", now):
                    self.town.advoware.edit_row(one.id, tlf=before, bemerkung="")

        return save

    def robots(self, one: str, other: str, who: int = 0) -> Callable[[], None]:
        """Something in EspoCRM always writes the one, something in Advoware the other."""
        pair = self.town.pairs[who]

        def again() -> None:
            for shown in self.town.advoware.rows(pair.bet_nr):
                if _is(shown.tlf or "", one):
                    self.retype(one, other, who)()
            record = self.town.espo.person(pair.espocrm_id)
            if any(_is(shown["emailAddress"], other) for shown in record["emailAddressData"]):
                self.edit(other, one, who)()
            if self.town.timeline.now < self.town.plan.active - 60:
                self.town.timeline.after(9.0, again)

        return again

    def only_in_espocrm(self, value: str, who: int = 0) -> Callable[[], None]:
        """Advoware cannot hold it, EspoCRM must keep it."""

        def tell() -> None:
            kind = "email" if "@" in value else "phone"
            self.book(who).fates[kind, same(kind, value)] = Fate.ONLY_ESPOCRM
            stump = value[
                : self.town.advoware.manners.tlf_max
            ]  # stays, for all to see, if its answer is lost
            if stump != value:
                self.town.ledger.excuse(
                    self.book(who), [(kind, same(kind, stump))], "all that Advoware holds"
                )

        return tell

    def delete_record(self, who: int = 0) -> Callable[[], None]:
        return lambda: self.town.espo.delete_person(self.town.pairs[who].espocrm_id)

    def restore_record(self, who: int = 0) -> Callable[[], None]:
        return lambda: self.town.espo.restore_person(self.town.pairs[who].espocrm_id)

    def bet_nr(self, *number: int | None, who: int = 0) -> Callable[[], None]:
        """The betnr of the record is changed; without a number it becomes right again."""
        pair = self.town.pairs[who]
        wanted = number[0] if number else pair.bet_nr
        return lambda: self.town.espo.edit_person(pair.espocrm_id, betnr=wanted)

    def request(self, status: str = "dirty", who: int = 0) -> Callable[[], None]:
        """The user asks for a sync."""
        return lambda: self.town.espo.edit_person(self.book(who).pair.espocrm_id, syncStatus=status)

    def _item(
        self, what: str, value: str, change: Callable[[dict[str, Any], str], object], who: int
    ) -> Callable[[], None]:
        def all_items(items: list[dict[str, Any]]) -> None:
            key = "emailAddress" if "@" in value else "phoneNumber"
            for item in items:
                if _is(item[key], value):
                    change(item, key)
                    item.pop("lower", None)

        return self._form(what, "@" in value, all_items, who, value)

    def _form(
        self,
        what: str,
        is_mail: bool,
        change: Callable[[list[dict[str, Any]]], object],
        who: int,
        *details: str,
    ) -> Callable[[], None]:
        family, key = (MAIL, "mails") if is_mail else (PHONE, "phones")

        def save() -> str:
            record_id = self.book(who).pair.espocrm_id
            items = [dict(item) for item in self.town.espo.person(record_id)[family.data]]
            change(items)
            self.town.office.form.edit_person(record_id, **{key: items})
            return f"{what} {' '.join(details)}"

        return lambda: self.town.office.act(ESPOCRM, self.book(who), save)

    # -- at the desktop program ----------------------------------------------------------------------------------

    def row(self, komm_kz: int, tlf: str, text: str = "", who: int = 0) -> Callable[[], None]:
        return self._desk(who, f"add_row {tlf}", lambda bet_nr: self._add_row(bet_nr, komm_kz, tlf, text))

    def retype(self, old: str, new: str, who: int = 0, nth: int = 0) -> Callable[[], None]:
        """Another value in the row; "" empties it; ``old`` "" is the first emptied one."""
        return self._row("change_row", old, who, nth, lambda row: self._edit(row, tlf=new))

    def text(self, value: str, bemerkung: str, who: int = 0) -> Callable[[], None]:
        """The bemerkung is replaced; ``{}`` stands for what is there."""
        return self._row(
            "write_text",
            value,
            who,
            0,
            lambda row: self._edit(row, bemerkung=bemerkung.replace("{}", row.bemerkung or "")),
        )

    def online(self, value: str, online: bool, who: int = 0) -> Callable[[], None]:
        return self._row("switch_online", value, who, 0, lambda row: self._edit(row, online=online))

    def delete(self, value: str, who: int = 0, nth: int = 0) -> Callable[[], None]:
        return self._row("delete_row", value, who, nth, lambda row: self.town.advoware.delete_row(row.id))

    def copy(self, value: str, new: str, who: int = 0) -> Callable[[], None]:
        return self._row("copy_row", value, who, 0, lambda row: self.town.advoware.copy_row(row.id, tlf=new))

    def _add_row(self, bet_nr: int, komm_kz: int, tlf: str, text: str) -> None:
        self.town.advoware.add_row(bet_nr, komm_kz, tlf, text)

    def _edit(self, row: Row, **changes: Any) -> None:
        self.town.advoware.edit_row(row.id, **changes)

    def _row(
        self, what: str, value: str, who: int, nth: int, change: Callable[[Row], object]
    ) -> Callable[[], None]:
        def act(bet_nr: int) -> None:
            rows = [row for row in self.town.advoware.rows(bet_nr) if _is(row.tlf or "", value)]
            if len(rows) > nth:
                change(rows[nth])

        return self._desk(who, f"{what} {value}", act)

    def _desk(self, who: int, what: str, act: Callable[[int], object]) -> Callable[[], None]:
        def do() -> str:
            act(self.book(who).pair.bet_nr)
            return what

        return lambda: self.town.office.act(ADVOWARE, self.book(who), do)

    # -- at the command line: repeated until it has been taken, as a careful operator would ----------------------

    def decide(self, keep: Keep, who: int = 0) -> Callable[[], None]:
        def again() -> None:
            found = self.town.query(
                "SELECT id FROM conflicts WHERE espocrm_id = ? AND id NOT IN"
                " (SELECT conflict_id FROM decisions WHERE outcome = 'waiting')",
                self.book(who).pair.espocrm_id,
            )
            for (conflict_id,) in found:
                self._command(lambda store, i=conflict_id: store.decide(i, keep, "operator"))
            self._repeat(again)

        return again

    def settle_fuse(self, side: Side, approve: bool) -> Callable[[], None]:
        def again() -> None:
            if self.town.query("SELECT 1 FROM fuses WHERE side = ? AND fuse <> 'intact'", side.value):
                if not approve:
                    self.town.ledger.rejected("an operator rejected the deletions")
                self._command(lambda store: store.settle_fuse(side, approve, "operator"))
            self._repeat(again)

        return again

    def retry(self, who: int = 0) -> Callable[[], None]:
        ids = lambda: [self.book(who).pair.espocrm_id]  # noqa: E731
        return lambda: self._command(lambda store: store.ask(ids(), "retry"))

    def _repeat(self, again: Callable[[], None]) -> None:
        if self.town.timeline.now < self.town.plan.active:
            self.town.timeline.after(7.0, again)

    def _command(self, command: Callable[[Any], Any]) -> None:
        process = self.town.process
        if process is not None and process.store is not None:
            process.loop.create_task(self._carry_out(process, command))

    async def _carry_out(self, process: Process, command: Callable[[Any], Any]) -> None:
        """The worker looks rarely in here: whoever is due now is told so."""
        await command(process.store)
        if process.app is not None:
            process.app._due.ring()


def _is(shown: str, value: str) -> bool:
    if not value or not shown:
        return shown == value
    kind = "email" if "@" in value else "phone"
    return same(kind, shown) == same(kind, value)
