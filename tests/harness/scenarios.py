"""Named scenarios: what can happen to a Beteiligter, one thing at a time. The crash points are tried on each of them.

A scenario is who there is, what people do and when, and which single misfortune strikes; the ledger knows what must be
true in the end. ``SCENARIOS`` by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from daemon.simulators.advoware import AdvowareWorld
from daemon.simulators.espocrm import PHONE, EspoWorld
from daemon.simulators.people import Pair
from statemachine.case import Keep
from statemachine.model import Side
from tests.harness.history import Result, play
from tests.harness.stage import A_SPELT, A, B, C, D, E, M, N, Stage, X, Y, Z, people, person
from tests.harness.town import Plan, Town
from tests.harness.values import own_text, same

Movers = Callable[[EspoWorld, AdvowareWorld], list[Pair]]
Script = Callable[[Stage], None]

#: People act from this second on; the first sync is over by then.
T = 40.0


def _nothing(stage: Stage) -> None:
    """The first sync is the scenario."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """``same_end``: killed or not, it must end the same; False where the moment decides who was first."""

    name: str
    move_in: Movers
    script: Script = _nothing
    plan: dict[str, Any] = field(default_factory=dict)
    sync: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Town], None] = lambda town: None
    same_end: bool = True
    expect: Callable[[Town], list[str]] = lambda town: []

    def planned(self) -> Plan:
        return Plan(
            seed=1,
            move_in=self.move_in,
            **{
                "active": 150.0,
                "poll": 5.0,
                "sweep": 15.0,
                "scan": 100.0,
                "settled_for": 60.0,
                "quiet_polls": 4,
                "sync": {"deletion_confirm_seconds": 12, **self.sync},
                **self.plan,
            },
        )

    def begin(self, town: Town) -> None:
        self.prepare(town)
        town.timeline.at(0.0 if self.script is _nothing or "first_sync" in self.name else T - 1, town.mark)
        self.script(Stage(town))

    def run(self, die_at: frozenset[int] = frozenset(), *, keep: bool = False) -> Result:
        return play(self.planned(), begin=self.begin, die_at=die_at, see=self._see, keep=keep)

    def _see(self, town: Town) -> object:
        town.violations += self.expect(town)
        return end_state(town)


def end_state(town: Town) -> object:
    """What there is in the end: both sides, and what waits for a human. Ids and slots apart, they may differ."""
    people_ = []
    for pair in town.pairs:
        record = town.espo.person(pair.espocrm_id) if pair.espocrm_id in town.espo.ids() else None
        items = [
            (kind, item[kind[:-4]], item.get("type"), item["primary"], item["optOut"], item["invalid"])
            for kind in ("phoneNumberData", "emailAddressData")
            for item in (record[kind] if record else ())
        ]
        rows = [
            (row.komm_kz, row.tlf, row.online)
            for row in (town.advoware.rows(pair.bet_nr) if pair.bet_nr in town.advoware.bet_nrs() else ())
            if row.tlf
        ]
        people_.append((sorted(items, key=str), sorted(rows)))
    open_ = sorted(row[0] for row in town.query("SELECT body FROM conflicts"))
    states = sorted(town.query("SELECT bet_nr, state FROM persons"))
    return people_, len(open_), states


def row(komm_kz: int, value: str, text: str | None = None, who: int = 0) -> Callable[[Town], list[str]]:
    """Advoware has this row, and no other with its value."""

    def look(town: Town) -> list[str]:
        kind = "email" if "@" in value else "phone"
        found = [
            (one.komm_kz, own_text(one.bemerkung or ""))
            for one in town.advoware.rows(town.pairs[who].bet_nr)
            if one.tlf and same(kind, one.tlf) == same(kind, value)
        ]
        fits = len(found) == 1 and found[0][0] == komm_kz and text in (None, found[0][1])
        return [] if fits else [f"{value} is {found} in Advoware, not {komm_kz} {text}"]

    return look


def item(value: str, **wanted: Any) -> Callable[[Town], list[str]]:
    """EspoCRM has this item with these keys."""

    def look(town: Town) -> list[str]:
        record = town.espo.person(town.pairs[0].espocrm_id)
        key = "emailAddress" if "@" in value else "phoneNumber"
        kind = "email" if "@" in value else "phone"
        found = [one for one in record[f"{key}Data"] if same(kind, one[key]) == same(kind, value)]
        fits = len(found) == 1 and all(found[0][name] == one for name, one in wanted.items())
        return [] if fits else [f"{value} is {found} in EspoCRM, not {wanted}"]

    return look


def waiting(number: int) -> Callable[[Town], list[str]]:
    """So many conflicts are open."""

    def look(town: Town) -> list[str]:
        open_ = len(town.query("SELECT 1 FROM conflicts"))
        return [] if open_ == number else [f"{open_} conflicts are open, not {number}"]

    return look


def writes(most: int) -> Callable[[Town], list[str]]:
    return lambda town: [] if town.written() <= most else [f"{town.written()} writes, more than {most}"]


def never(what: str) -> Callable[[Town], list[str]]:
    """Something the trace must not hold."""
    return lambda town: [f"{what} happened"] if town.trace.counts[what] else []


def transition_never(trigger: str) -> Callable[[Town], list[str]]:
    def look(town: Town) -> list[str]:
        found = town.query("SELECT at FROM transitions WHERE trigger = ?", trigger)
        return [f"{trigger} happened"] if found else []

    return look


def unkilled(look: Callable[[Town], list[str]]) -> Callable[[Town], list[str]]:
    """Only where nobody was killed: who dies has to begin anew."""
    return lambda town: [] if town.deaths else look(town)


def every(*looks: Callable[[Town], list[str]]) -> Callable[[Town], list[str]]:
    return lambda town: [problem for look in looks for problem in look(town)]


def kept(*values: str) -> Callable[[Town], list[str]]:
    """Both sides still have these."""

    def look(town: Town) -> list[str]:
        pair = town.pairs[0]
        here, there = town.ledger.espocrm(pair).values, town.ledger.advoware(pair).values
        names = [
            ("email" if "@" in v else "phone", same("email" if "@" in v else "phone", v)) for v in values
        ]
        return [f"{name} is gone" for name in names if not (here[name] or there[name])]

    return look


def gone(*values: str) -> Callable[[Town], list[str]]:
    """Neither side has these."""

    def look(town: Town) -> list[str]:
        return [f"{value} is still there" for value in values if not kept(value)(town)]

    return look


_ONE = people(person([("Office", A), ("Mobile", M), ("mail", X)], [(1, A_SPELT, "Büro"), (3, M), (4, X)]))
_TWO_MAILS = people(person([("mail", X), ("mail", Y)], [(4, X), (8, Y)]))
_N_TO_ONE = people(person([("Office", A), ("Mobile", M)], [(1, A), (2, A, "Fax im Flur"), (3, M)]))

SCENARIOS: dict[str, Scenario] = {}


def _add(name: str, move_in: Movers, script: Script = _nothing, **more: Any) -> None:
    SCENARIOS[name] = Scenario(name, move_in, script, **more)


# -- first syncs ---------------------------------------------------------------------------------------------------

_add("first_sync_equal", _ONE, expect=writes(0))
_add(
    "first_sync_only_espocrm",
    people(person([("Office", A), ("Fax", B), ("mail", X)])),
    expect=every(row(1, A), row(2, B), row(4, X)),
)
_add(
    "first_sync_only_advoware",
    people(person([], [(1, A), (7, B), (8, X), (5, "www.example.de")])),
    expect=every(item(A, type="Office"), item(B, type="Fax"), item(X), row(7, B), row(8, X)),
)
_add("first_sync_each_has_something", people(person([("Office", A), ("mail", X)], [(1, B), (4, Y)])))
_add(
    "first_sync_with_old_markers",
    people(
        person(
            [("Office", A), ("mail", X), ("Mobile", M)],
            [
                (1, A, "[ESPOCRM:KzQ5MzAyMzEyNTAwMA:1] alt"),
                (4, X, "vorn [ESPOCRM:YW5uYUBleGFtcGxlLmRl:4]"),
                (2, "", "[ESPOCRM-SLOT:2]"),
            ],
        )
    ),
)
_add(
    "first_sync_row_changed_since_its_marker",
    people(person([("mail", X)], [(4, Y, "[ESPOCRM:YW5uYUBleGFtcGxlLmRl:4]")])),
)
_add("first_sync_phone_is_fax", _N_TO_ONE)
_add(
    "first_sync_odd_values",
    people(person([("Office", A)], [(1, A), (1, "k.A."), (12, "DE.BRAK.77"), (4, "info@müller.example")])),
    expect=never("effect PUT 400"),
)
_add("edited_before_the_first_sync_ends", _ONE, lambda s: s.at(5.05, s.edit(A, B), s.retype(X, Y)))

# -- one change ----------------------------------------------------------------------------------------------------

_add("item_added", _ONE, lambda s: s.at(T, s.add("Fax", B)), expect=row(2, B))
_add("mail_added", _ONE, lambda s: s.at(T, s.add("mail", Y)))
_add(
    "item_added_takes_a_slot",
    people(person([("Office", A)], [(1, A), (2, "", "[ESPOCRM-SLOT:2]")])),
    lambda s: s.at(T, s.add("Fax", B)),
    expect=every(row(2, B), never("effect POST 201")),
)
_add("item_removed", _ONE, lambda s: s.at(T, s.remove(M)))
_add("item_removed_deletion_by_delete", _ONE, lambda s: s.at(T, s.remove(M)), sync={"deletion": "delete"})
_add(
    "item_removed_delete_is_allowed",
    _ONE,
    lambda s: s.at(T, s.remove(M)),
    sync={"deletion": "delete"},
    prepare=lambda town: setattr(town.advoware.manners, "delete_allowed", True),
)
_add("row_emptied", _ONE, lambda s: s.at(T, s.retype(M, "")))
_add("row_deleted", _ONE, lambda s: s.at(T, s.delete(M)))
_add("row_added", _ONE, lambda s: s.at(T, s.row(1, B, "neu")))
_add("mail_row_added", _ONE, lambda s: s.at(T, s.row(8, Y)), expect=row(8, Y))
_add("item_edited", _ONE, lambda s: s.at(T, s.edit(A, B)), expect=row(1, B, "Büro"))
_add("mail_edited", _ONE, lambda s: s.at(T, s.edit(X, Y)))
_add("row_edited", _ONE, lambda s: s.at(T, s.retype(A, B)), expect=item(B, type="Office"))
_add(
    "gone_on_both_sides_and_a_new_one",
    _ONE,
    lambda s: s.at(T, s.remove(A), s.delete(A), s.row(1, B)),
    expect=every(item(B, type="Office"), row(1, B)),
)
_add(
    "moved_to_the_row_of_one_that_goes",
    people(person([("Office", A), ("Home", B)], [(1, A), (2, A), (6, B)])),
    lambda s: s.at(T, s.delete(A), s.delete(A), s.retype(B, A), s.remove(B)),
    expect=kept(A),
    same_end=False,
)
_add(
    "phone_and_fax_change_places",
    people(person([("Office", A), ("Fax", B)], [(1, A), (2, B)])),
    lambda s: s.at(T, s.retype(A, B), s.retype(B, A, nth=1)),
    expect=every(item(A, type="Fax"), item(B, type="Office")),
)
_add(
    "numbers_change_places_while_one_is_edited",
    people(person([("Office", A), ("Office", B)], [(1, A), (1, B)])),
    lambda s: s.at(T, s.retype(A, B), s.retype(B, A, nth=1), s.edit(B, "+4930555001")),
    expect=every(item(A), item("+4930555001"), row(1, A), row(1, "+4930555001")),
)
_add(
    "a_number_moves_up_while_it_is_removed",
    people(person([("Office", A), ("Office", B), ("Home", M)], [(1, A), (1, B), (6, M)])),
    lambda s: s.at(T, s.retype(A, B), s.retype(B, "", nth=1), s.remove(B)),
    expect=kept(M),
)
_add(
    "numbers_change_places_and_one_goes_before_we_look",
    people(person([("Office", A), ("Office", B), ("Home", M)], [(1, A), (1, B), (6, M)])),
    lambda s: (  # type: ignore[arg-type,return-value]
        s.at(T, s.retype(A, B), s.retype(B, A, nth=1)),
        s.once_written("phoneNumberData", s.remove(B)),
    ),
    expect=every(kept(A), kept(M)),
    same_end=False,
)
_add(
    "values_move_down_in_a_request_that_was_lost",
    _TWO_MAILS,
    lambda s: s.at(T, s.retype(X, "neu@example.de"), s.retype(Y, X), s.row(4, Y)),
    plan={"scripted": (("espocrm", "PUT", 0, "drop_before"),)},
    expect=every(item(X), item(Y), item("neu@example.de")),
    same_end=False,
)
_add("mail_row_edited", _ONE, lambda s: s.at(T, s.retype(X, Y)))
_add(
    "type_changed",
    _ONE,
    lambda s: s.at(T, s.set(A, type="Home")),
    expect=every(row(6, A, "Büro"), item(A, type="Home")),
)
_add(
    "type_put_right_over_a_guessed_kind",
    people(person([("Office", A)], [(3, A)])),
    lambda s: s.at(T, s.set(A, type="Mobile")),
    expect=every(row(3, A), item(A, type="Mobile"), never("effect POST 201")),
)
_add(
    "type_changed_of_a_row_of_another_kind",
    people(person([("Office", A)], [(3, A)])),
    lambda s: (s.at(T, s.edit(A, B)), s.at(2 * T, s.set(B, type="Other"))),
    expect=every(row(10, B), item(B, type="Other")),
)
_add(
    "type_changed_takes_a_slot",
    people(person([("Office", A)], [(1, A, "Büro"), (6, "", "[ESPOCRM-SLOT:6]")])),
    lambda s: s.at(T, s.set(A, type="Home")),
    expect=every(row(6, A, "Büro"), item(A, type="Home"), never("effect POST 201")),
)
_add(
    "type_changed_then_its_slot_is_taken",
    _ONE,
    lambda s: (s.at(T, s.set(A, type="Home")), s.once_written("[ESPOCRM-SLOT:1]", s.add("Office", B))),  # type: ignore[arg-type,return-value]
    expect=every(row(6, A, "Büro"), row(1, B), item(A, type="Home"), item(B, type="Office")),
)
_add(
    "type_changed_twice_then_removed",
    people(person([("Office", A)], [(1, A, "Frau Weiß, Sekretariat, nur vormittags, nicht am Freitag")])),
    lambda s: (  # type: ignore[arg-type,return-value]
        s.at(T, s.set(A, type="Home")),
        s.at(T + 20, s.set(A, type="Fax")),
        s.once_written('"kommKz": 2', s.remove(A)),
    ),
)
_add(
    "given_back_and_then_a_short_list",
    _ONE,
    lambda s: (  # type: ignore[arg-type,return-value]
        s.at(T, s.retype(X, ""), s.edit(X, Y)),
        s.once_written(f'"tlf": "{Y}"', s.shows_only("advoware", 2, 8.0), after=0.0),
    ),
    expect=every(item(Y), row(4, Y, ""), writes(1)),
)
_add("slot_typed_into", _ONE, lambda s: (s.at(T, s.remove(M)), s.at(T + 40, s.retype("", N))))  # type: ignore[arg-type,return-value]
_add("row_copied_with_its_marker", _ONE, lambda s: s.at(T, s.copy(A, B)))
_add("marker_written_over", _ONE, lambda s: s.at(T, s.text(A, "aufgeräumt")), expect=writes(0))
_add("text_before_the_marker", _ONE, lambda s: s.at(T, s.text(A, "Achtung! {}"), s.edit(A, B)))
_add("primary_moved", _TWO_MAILS, lambda s: s.at(T, s.make_primary(Y)), expect=item(Y, primary=True))
_add(
    "online_moved",
    _TWO_MAILS,
    lambda s: s.at(T, s.online(X, False), s.online(Y, True)),
    expect=item(Y, primary=True),
)
_add(
    "opt_out_survives_an_edit",
    people(person([("mail", X, {"optOut": True})], [(4, X)])),
    lambda s: s.at(T, s.retype(X, Y)),
    expect=item(Y, optOut=True),
)
_add("respelled", _ONE, lambda s: s.at(T, s.retype(A, "0049 30 23125-000")), expect=writes(0))
_add("user_asks", _ONE, lambda s: s.at(T, s.request()))

# -- several changes, on both sides --------------------------------------------------------------------------------

_add("both_edit_the_same", _ONE, lambda s: s.at(T, s.edit(A, B), s.retype(A, "030 23125-000")))
_add("both_make_the_same_edit", _ONE, lambda s: s.at(T, s.edit(X, Y), s.retype(X, Y.upper())))
for policy in ("espocrm", "advoware", "manual"):
    _add(
        f"both_edit_{policy}",
        _ONE,
        lambda s: s.at(T, s.edit(A, B), s.retype(A, C)),
        sync={"conflict_policy": policy},
        same_end=False,
        expect={
            "manual": waiting(1),
            "espocrm": every(row(1, B, "Büro"), item(B)),
            "advoware": every(row(1, C, "Büro"), item(C)),
        }[policy],
    )
    _add(
        f"edited_there_removed_here_{policy}",
        _ONE,
        lambda s: s.at(T, s.remove(X), s.retype(X, Y)),
        sync={"conflict_policy": policy},
        same_end=False,
        expect={"manual": waiting(1), "espocrm": gone(X, Y), "advoware": every(row(4, Y), item(Y))}[policy],
    )
    _add(
        f"removed_there_edited_here_{policy}",
        _ONE,
        lambda s: s.at(T, s.delete(X), s.edit(X, Y)),
        sync={"conflict_policy": policy},
        same_end=False,
        expect={"manual": waiting(1), "espocrm": every(row(4, Y), item(Y)), "advoware": gone(X, Y)}[policy],
    )
for keep in Keep:
    _add(
        f"manual_then_decided_{keep.value}",
        _ONE,
        lambda s, keep=keep: s.at(T, s.edit(A, B), s.retype(A, C), s.decide(keep)),
        sync={"conflict_policy": "manual"},
        same_end=False,
    )
_add("both_remove", _ONE, lambda s: s.at(T, s.remove(M), s.delete(M)))
_add("several_at_once", _ONE, lambda s: s.at(T, s.edit(A, B), s.add("mail", Y), s.row(2, C), s.delete(M)))
_add("n_to_one_item_edited", _N_TO_ONE, lambda s: s.at(T, s.edit(A, B)))
_add("n_to_one_one_row_edited", _N_TO_ONE, lambda s: s.at(T, s.retype(A, B, nth=1)))
_add("n_to_one_one_row_gone", _N_TO_ONE, lambda s: s.at(T, s.delete(A, nth=1)))
_add(
    "n_to_one_removed_while_a_row_is_edited", _N_TO_ONE, lambda s: s.at(T, s.remove(A), s.retype(A, B, nth=1))
)
_add(
    "a_value_moves_between_entries",
    people(person([("Office", A), ("Fax", B)], [(1, A), (2, B)])),
    lambda s: s.at(T, s.edit(A, C), s.edit(B, A)),
)
_add(
    "two_people_get_the_same_number",
    people(person([("Office", A)], [(1, A)]), person([("Office", B)], [(1, B)])),
    lambda s: s.at(T, s.row(1, C), s.row(2, C, who=1)),
    same_end=False,
)
_add(
    "shared_number_changes_its_type",
    people(person([("Office", A)], [(1, A)]), person([("Office", A)], [(1, A)])),
    lambda s: s.at(T, s.set(A, type="Home")),
    expect=writes(0),
)

# -- limits and unlucky lengths ------------------------------------------------------------------------------------

_add(
    "an_eleventh_number",
    people(
        person(
            [("Other", f"+49309009{n:04d}") for n in range(10)],
            [(10, f"+49309009{n:04d}") for n in range(10)],
        )
    ),
    lambda s: (s.at(T, s.row(10, B)), s.at(T + 60, s.remove("+493090090003"))),  # type: ignore[arg-type,return-value]
    expect=every(never("effect PUT 400"), item(B, type="Other")),
)
_add(
    "bemerkung_is_cut",
    _ONE,
    lambda s: s.at(T, s.row(1, B, "Sekretariat, nur vormittags"), s.edit(X, Y)),
    prepare=lambda town: setattr(town.advoware.manners, "bemerkung_max", 40),
)
_add(
    "bemerkung_too_long_is_refused",
    _ONE,
    lambda s: s.at(T, s.row(1, B, "Sekretariat, nur vormittags"), s.edit(X, Y)),
    prepare=lambda town: (  # type: ignore[arg-type,return-value]
        setattr(town.advoware.manners, "bemerkung_max", 40),
        setattr(town.advoware.manners, "too_long", "refuse"),
    ),
)

# -- an emptied side, the fuse -------------------------------------------------------------------------------------

_add(
    "advoware_emptied_waits",
    _ONE,
    lambda s: s.at(T, s.delete(A), s.delete(M), s.delete(X)),
    same_end=False,
    expect=every(waiting(1), kept(A, M, X)),
)
_add(
    "advoware_emptied_and_one_is_typed_there",
    _ONE,
    lambda s: (s.at(T, s.delete(A), s.delete(M), s.delete(X)), s.at(T + 60, s.row(1, B))),  # type: ignore[arg-type,return-value]
    same_end=False,
    expect=every(waiting(1), kept(A, M, X)),
)
_add(
    "espocrm_emptied_waits",
    _TWO_MAILS,
    lambda s: s.at(T, s.remove(X, Y)),
    same_end=False,
    expect=every(waiting(1), kept(X, Y)),
)
_add(
    "espocrm_emptied_and_given_back",
    _TWO_MAILS,
    lambda s: s.at(T, s.remove(X, Y), s.decide(Keep.ADVOWARE)),
    same_end=False,
)
_add(
    "espocrm_emptied_and_followed",
    _TWO_MAILS,
    lambda s: s.at(T, s.remove(X, Y), s.decide(Keep.ESPOCRM)),
    same_end=False,
)
_add(
    "emptied_is_like_any_deletion",
    _TWO_MAILS,
    lambda s: s.at(T, s.remove(X, Y)),
    sync={"empty_side": "confirm"},
)
_FOUR = people(
    person([("Office", A), ("Fax", B), ("Mobile", M), ("mail", X)], [(1, A), (2, B), (3, M), (4, X)])
)
_add(
    "fuse_blows_and_is_approved",
    _FOUR,
    lambda s: s.at(T, s.remove(A, B, M), s.settle_fuse(Side.ESPOCRM, approve=True)),
    plan={"guard": {"max_deletions": 1}},
    same_end=False,
)
_add(
    "fuse_blows_and_is_rejected",
    _FOUR,
    lambda s: s.at(T, s.remove(A, B, M), s.settle_fuse(Side.ESPOCRM, approve=False)),
    plan={"guard": {"max_deletions": 1}},
    same_end=False,
)

# -- one misfortune ------------------------------------------------------------------------------------------------

for kind in (
    "timeout_after",
    "timeout_before",
    "drop_after",
    "late",
    "error_500_after",
    "error_500",
    "foreign_before",
):
    _add(
        f"item_added_{kind}",
        _ONE,
        lambda s: s.at(T, s.add("Fax", B)),
        plan={"scripted": (("advoware", "POST", 0, kind),)},
        same_end=kind != "foreign_before",
    )
    _add(
        f"item_edited_{kind}",
        _ONE,
        lambda s: s.at(T, s.edit(A, B)),
        plan={"scripted": (("advoware", "PUT", 0, kind),)},
        same_end=kind != "foreign_before",
    )
    _add(
        f"row_edited_{kind}",
        _ONE,
        lambda s: s.at(T, s.retype(X, Y)),
        plan={"scripted": (("espocrm", "PUT", 0, kind),)},
        same_end=kind != "foreign_before",
    )
_add(
    "marker_unanswered_and_then_edited",  # a marker of ours is no late effect of a value
    _ONE,
    lambda s: (s.at(T, s.retype(X, Y)), s.at(T + 30, s.online(Y, True))),  # type: ignore[arg-type,return-value]
    plan={
        "scripted": (
            ("advoware", "PUT", 0, "drop_after"),
            *((("espocrm", "PUT", n, "error_502")) for n in range(3)),
        )
    },
)
_add(
    "removal_unanswered_and_the_row_used_again",
    _ONE,
    lambda s: (s.at(T, s.retype(M, "")), s.at(T + 32, s.retype("", N))),  # type: ignore[arg-type,return-value]
    plan={"scripted": (("espocrm", "PUT", 0, "timeout_after"),)},
)
_add(
    "post_unanswered_and_the_row_edited",
    _ONE,
    lambda s: (s.at(T, s.add("Fax", B)), s.at(T + 12, s.retype(B, C))),  # type: ignore[arg-type,return-value]
    plan={"scripted": (("advoware", "POST", 0, "timeout_after"),)},
    same_end=False,  # killed before the POST, there is no row yet that somebody could edit
)
_add(
    "post_unanswered_and_the_item_removed",
    _ONE,
    lambda s: (s.at(T, s.add("Fax", B)), s.at(T + 8, s.remove(B))),  # type: ignore[arg-type,return-value]
    plan={"scripted": (("advoware", "POST", 0, "timeout_after"),)},
)
_add(
    "save_is_torn",
    _ONE,
    lambda s: s.at(T, s.edit(A, B), s.add("mail", Y), s.remove(M)),
    plan={"save_seconds": 1.0, "hook_seconds": 0.5},
    same_end=False,
)
_add(
    "version_numbers",
    _ONE,
    lambda s: (s.at(T, s.retype(X, Y)), s.at(T + 6, s.set(A, type="Home"))),  # type: ignore[arg-type,return-value]
    plan={"optimistic": True},
)
_add(
    "advoware_down",
    _ONE,
    lambda s: s.at(T, s.edit(A, B), s.retype(X, Y)),
    plan={"outages": (("advoware", T, T + 60, "offline"),)},
)
for _name, _hours in (("night", 12), ("weekend", 62)):
    _add(
        f"the_manager_is_off_for_a_{_name}",
        _ONE,
        lambda s: (s.at(T, s.edit(A, B)), s.at(T + 7200, s.remove(X)), s.at(T + 7300, s.add("Fax", D))),  # type: ignore[arg-type,return-value]
        plan={
            "outages": (("advoware", T - 5, T + _hours * 3600, "offline"),),
            "active": T + _hours * 3600 + 60,
            "poll": 300.0,
            "sweep": 900.0,
            "scan": 3600.0,
        },
    )
_add(
    "espocrm_down",
    _ONE,
    lambda s: s.at(T, s.row(1, D), s.retype(X, Y)),
    plan={"outages": (("espocrm", T, T + 60, "error_502"),)},
)
_add(
    "a_number_in_two_rows_goes_and_another_comes_unseen",
    people(person([("Office", A), ("mail", X)], [(1, A_SPELT, "Büro"), (2, A), (4, X)])),
    lambda s: (s.at(T + 5, s.remove(A)), s.at(T + 25, s.add("Office", B))),  # type: ignore[arg-type,return-value]
    plan={"outages": (("espocrm", T, T + 60, "error_502"),)},
)
_add(
    "a_type_changes_and_the_new_row_is_not_listed_at_once",
    _ONE,
    lambda s: s.at(T, s.set(A, type="Home")),
    plan={"outages": (("advoware", T, T + 5.5, "cut3"),)},
    expect=row(6, A, "Büro"),
)
_add(
    "store_is_lost",
    _ONE,
    lambda s: s.at(T, s.edit(A, B), s.retype(X, Y)),
    plan={"lose_store_at": T + 4},
    same_end=False,
)
_add(
    "a_decision_survives_while_others_wait",
    _ONE,
    lambda s: (s.at(T, s.remove(X), s.retype(X, Z)), s.at(T + 10, s.remove(M), s.add("Other", E))),  # type: ignore[arg-type,return-value]
    same_end=False,
)

# -- what must be survived for longer than a moment ----------------------------------------------------------------

_add(
    "advoware_shows_no_kommunikation_for_a_minute",
    _ONE,
    lambda s: s.at(T, s.edit(A, B)),
    plan={"outages": (("advoware", T, T + 60, "incomplete"),)},
    expect=kept(B, M, X),
)
_add(
    "record_missing_for_a_moment",
    _ONE,
    lambda s: s.at(T, s.edit(A, B), s.retry()),
    plan={"outages": (("espocrm", T, T + 8, "gone"),)},
    expect=every(kept(B, M, X), transition_never("untracked")),
)
_add(
    "beteiligter_missing_for_a_moment",
    _ONE,
    lambda s: s.at(T, s.edit(A, B), s.retry()),
    plan={"outages": (("advoware", T, T + 8, "gone"),)},
    expect=every(kept(B, M, X), transition_never("gave_up")),
)
_FULL = people(
    person(
        [("Office", A), ("Fax", B), ("Home", C), ("Mobile", M), ("mail", X), ("mail", Y)],
        [(1, A), (2, B), (6, C), (3, M), (4, X), (8, Y)],
    )
)
for side in ("espocrm", "advoware"):
    for keep_first in range(4):
        _add(
            f"{side}_shows_only_{keep_first}_for_some_seconds",
            _FULL,
            lambda s: s.at(
                T, s.edit(A, D), s.retype(X, Z), s.retry(), *(s.later(n, s.retry()) for n in (1, 3, 5, 7))
            ),
            plan={"outages": ((side, T, T + 8, f"cut{keep_first}"),)},
            expect=kept(D, B, C, M, Z, Y),
        )
        _add(
            f"first_sync_while_{side}_shows_only_{keep_first}",
            _FULL,
            plan={"scripted": ((side, "GET", 0, f"cut{keep_first}"),)},
            expect=every(row(1, A), row(2, B), row(6, C), row(3, M), row(4, X), row(8, Y)),
        )
_add(
    "an_array_is_wanted_while_its_form_is_saved",
    _FULL,
    lambda s: s.at(
        T,
        s.row(1, E),
        s.replace_all(
            [("Office", D), ("Fax", N), ("Home", C), ("Other", "+493090090001"), ("Other", "+493090090002")]
        ),
        *(s.later(n / 4, s.retry()) for n in range(1, 12)),
    ),
    plan={"save_seconds": 3.0},
    same_end=False,
)
_add(
    "private_mail_stays_private",
    _TWO_MAILS,
    lambda s: s.at(T, s.edit(Y, Z)),
    expect=row(8, Z),
)
_add(
    "fuse_at_its_limit_holds_nothing",
    _FOUR,
    lambda s: s.at(T, s.remove(A, B)),
    plan={"guard": {"max_deletions": 2}},
)
_add(
    "fuse_waits_for_the_operator",
    _FOUR,
    lambda s: s.at(T, s.remove(A, B, M)),
    plan={"guard": {"max_deletions": 2}, "held": True},
    same_end=False,
    expect=kept(A, B, M),
)
_add(
    "an_older_form_in_espocrm",
    _ONE,
    lambda s: (s.at(T, s.row(1, B)), s.at(T + 30, s.remove(B))),  # type: ignore[arg-type,return-value]
    sync={"stale_form_seconds": 60},
    same_end=False,
    expect=kept(B),
)
_add(
    "an_older_form_in_advoware",
    _ONE,
    lambda s: (s.at(T, s.edit(X, Y)), s.at(T + 20, s.put_back(Y, X))),  # type: ignore[arg-type,return-value]
    sync={"stale_form_seconds": 60},
    same_end=False,
    expect=kept(Y),
)
_add(
    "two_robots_never_agree",
    _ONE,
    lambda s: s.at(T, s.edit(X, Y), s.robots(X, Y)),
    sync={"loop_window_seconds": 3600, "loop_limit": 3},
    plan={"active": 300.0, "may_park": frozenset({"quarantined"}), "people_disagree": True},
    same_end=False,
    expect=writes(8),
)
_add(
    "stored_number_is_not_accepted_any_more",
    _ONE,
    lambda s: s.at(T, s.row(1, B)),
    prepare=lambda town: town.espo.edit_value(PHONE, A, name="030 23125-000"),
    expect=item(B, type="Office"),
)
_add(
    "a_namesake_is_no_duplicate",
    people(person([("mail", X)], [(4, X)]), person([("mail", Y)], [(4, Y)])),
    lambda s: s.at(T, s.retype(X, Z)),
    prepare=lambda town: setattr(town.espo.entities["CBeteiligte"], "update_duplicate_check", True),
)
_add(
    "both_get_a_number_at_once_in_slow_saves",
    people(person([("Office", A)], [(1, A)]), person([("Office", B)], [(1, B)])),
    lambda s: s.at(
        T,
        s.row(1, C),
        s.row(2, C, who=1),
        *(s.later(n, s.both(s.retry(), s.retry(who=1))) for n in (0.5, 3.0, 6.0, 9.0)),
    ),
    plan={"hook_seconds": 1.0, "save_seconds": 0.2},
    same_end=False,
)
_add(
    "tlf_is_cut",
    _ONE,
    lambda s: s.at(
        T,
        s.add("mail", "a.very.long.address@example.de"),
        s.only_in_espocrm("a.very.long.address@example.de"),
    ),
    prepare=lambda town: setattr(town.advoware.manners, "tlf_max", 20),
    same_end=False,  # the row without an answer is there or not
)
_add(
    "two_items_and_one_slot",
    people(person([("Office", A)], [(1, A), (2, "", "[ESPOCRM-SLOT:2]")])),
    lambda s: s.at(T, s.add("Fax", B), s.add("Fax", C)),
    expect=every(row(2, B), row(2, C), lambda town: writes(2)(town) if not town.deaths else []),
)
_add(
    "a_slot_of_another_kind",
    people(person([("Office", A)], [(1, A), (6, "", "[ESPOCRM-SLOT:6]")])),
    lambda s: s.at(T, s.add("Fax", B)),
    expect=row(2, B),
)
_add(
    "a_late_row_beside_the_second_attempt",
    _ONE,
    lambda s: s.at(T, s.add("Fax", B)),
    plan={"scripted": (("advoware", "POST", 0, "very_late"),)},
    same_end=False,
    expect=row(2, B),
)
_add(
    "a_record_is_deleted",
    _ONE,
    lambda s: s.at(T, s.delete_record()),
    plan={"tracked": 0},
    same_end=False,
    expect=kept(A, M, X),
)
_add(
    "a_record_is_deleted_and_restored",
    _ONE,
    lambda s: (s.at(T, s.delete_record()), s.at(T + 40, s.restore_record()), s.at(T + 42, s.retype(X, Y))),  # type: ignore[arg-type,return-value]
    same_end=False,
)
_add(
    "betnr_is_removed_and_comes_back",
    _ONE,
    lambda s: (  # type: ignore[arg-type,return-value]
        s.at(T, s.bet_nr(None)),
        s.at(T + 30, s.remove(M)),
        s.at(T + 50, s.bet_nr()),
    ),
    same_end=False,
    expect=gone(M),
)

_add(
    "text_beside_a_marker",
    _ONE,
    lambda s: (
        s.at(T, s.edit(M, N)),
        s.at(T + 25, s.text(N, "{} Handy")),
        s.at(T + 45, s.edit(N, "+4915700000007")),
    ),  # type: ignore[arg-type,return-value]
    expect=row(3, "+4915700000007", "Handy"),
)
_add(
    "advoware_shows_no_kommunikation_and_an_emptied_side_is_confirmed",
    _ONE,
    lambda s: s.at(T, s.edit(A, B)),
    sync={"empty_side": "confirm"},
    plan={"outages": (("advoware", T, T + 60, "incomplete"),)},
    expect=kept(B, M, X),
)
_add(
    "a_late_value_after_a_newer_one",
    _ONE,
    lambda s: (s.at(T, s.edit(A, B)), s.at(T + 30, s.edit(B, C))),  # type: ignore[arg-type,return-value]
    plan={"scripted": (("advoware", "PUT", 0, "very_late"),), "active": 200.0},
    expect=row(1, C),
)

_add(
    "edited_while_only_the_status_is_written",
    _ONE,
    lambda s: (s.at(T, s.edit(A, B), s.retype(A, C)), s.interrupt(s.edit(X, Z))),  # type: ignore[arg-type,return-value]
    sync={"conflict_policy": "manual"},
    plan={"scripted": (("espocrm", "PUT", 0, "interrupted"),)},
    same_end=False,
    expect=unkilled(row(4, Z)),
)

_add(
    "a_second_row_of_the_same_number",
    _ONE,
    lambda s: (s.at(T, s.row(2, A)), s.at(T + 30, s.remove(A))),  # type: ignore[arg-type,return-value]
    expect=gone(A),
)

_add(
    "advoware_emptied_and_given_back",
    _TWO_MAILS,
    lambda s: (  # type: ignore[arg-type,return-value]
        s.at(T, s.edit(Y, Z)),  # the answer tells that it is a private one
        s.at(T + 20, s.delete(X), s.delete(Z), s.decide(Keep.ESPOCRM)),
    ),
    same_end=False,
    expect=unkilled(every(row(4, X), row(8, Z))),
)
_add(
    "given_back_without_an_answer",
    _TWO_MAILS,
    lambda s: s.at(T, s.delete(X), s.delete(Y), s.decide(Keep.ESPOCRM)),
    plan={"scripted": (("advoware", "POST", 1, "drop_before"),)},
    expect=every(item(X), item(Y), row(4, X), row(4, Y)),
    same_end=False,
)
_add(
    "typed_again_after_a_lost_answer",
    _ONE,
    lambda s: (s.at(T, s.retype(A, B)), s.at(T + 30, s.edit(B, A)), s.at(T + 60, s.edit(A, B))),  # type: ignore[arg-type,return-value]
    plan={"scripted": (("espocrm", "PUT", 0, "drop_after"),)},
    expect=item(B),
)
_add(
    "an_administrator_changes_a_value",
    _ONE,
    lambda s: s.at(T, lambda: s.town.espo.edit_value(PHONE, A, type="Home"), s.later(1, s.retry())),
    expect=every(writes(0), row(1, A, "Büro")),
)
_add(
    "it_fails_for_long",
    _ONE,
    lambda s: s.at(T, s.edit(A, B)),
    plan={"outages": (("advoware", T, T + 300, "incomplete"),), "active": 60.0},
    same_end=False,
    expect=row(1, B),
)
_add(
    "decided_while_it_is_synced",
    _ONE,
    lambda s: (  # type: ignore[arg-type,return-value]
        s.at(T, s.edit(A, B), s.retype(A, C)),
        s.at(T + 15, s.add("mail", Y), s.later(0.2, s.retry()), s.later(1.5, s.decide(Keep.ADVOWARE))),
    ),
    sync={"conflict_policy": "manual"},
    plan={"outages": (("advoware", T + 15, T + 40, "slow"),)},
    same_end=False,
    expect=every(waiting(0), row(1, C)),
)
_add(
    "a_save_becomes_visible_late",
    people(person([("Office", A)], [(1, A)]), person([("Office", B)], [(1, B)])),
    lambda s: s.at(
        T,
        s.saves_take(4.5),
        s.edit(A, C),
        s.later(0.01, s.saves_take(0.0)),
        s.later(2.0, s.edit(B, D, who=1)),
    ),
    plan={"poll": 1.0, "scan": 2000.0},
    expect=every(row(1, C), row(1, D, who=1)),
)
_add(
    "two_edits_in_one_second",
    _ONE,
    lambda s: s.at(T, s.edit(A, B), s.later(0.05, s.retry()), s.later(0.7, s.edit(X, Z))),
    plan={"scan": 2000.0},
    expect=every(row(1, B), row(4, Z)),
)


# -- limits and guards, one at a time ------------------------------------------------------------------------------


def silent(since: float, until: float, side: str = "") -> Script:
    """Nothing may be written between these seconds (on ``side``)."""

    def watch(stage: Stage) -> None:
        town, before = stage.town, []
        written = {"": town.written, "espocrm": town.espo.written, "advoware": town.advoware.written}[side]
        stage.at(since, lambda: before.append(written()))

        def look() -> None:
            if not town.deaths and written() != before[0]:
                town.violations.append(f"something was written between {since:.0f} and {until:.0f}")

        stage.at(until, look)

    return watch


def times(trigger: str, most: int, least: int = 0) -> Callable[[Town], list[str]]:
    """So often this transition happened."""

    def look(town: Town) -> list[str]:
        found = len(town.query("SELECT 1 FROM transitions WHERE trigger = ?", trigger))
        return [] if least <= found <= most else [f"{trigger} happened {found} times"]

    return look


def knocks(side: str, most: int) -> Callable[[Town], list[str]]:
    """So many requests a side got while it was down."""

    def look(town: Town) -> list[str]:
        found = town.knocks[side]
        return [] if found <= most else [f"{side} got {found} requests while it was down, more than {most}"]

    return look


def untouched(side: str) -> Callable[[Town], list[str]]:
    def look(town: Town) -> list[str]:
        world = town.espo if side == "espocrm" else town.advoware
        return [f"{world.written()} writes on {side}"] if world.written() else []

    return look


def _retries_differ(town: Town) -> list[str]:
    """People who failed together do not all come back together: their longest waits differ."""
    longest: dict[str, float] = {}
    failed: dict[str, float] = {}
    rows = town.query("SELECT espocrm_id, at, source, trigger FROM transitions ORDER BY id")
    for who, at, source, trigger in rows:
        if trigger == "attempt_failed":
            failed[who] = at
        elif (source, trigger) == ("failed", "picked"):
            longest[who] = max(longest.get(who, 0.0), at - failed[who])
    waits = sorted(longest.values())
    return [] if waits[-1] - waits[0] > 3 else [f"all waited equally long: {waits}"]


def _nobody_knows(stage: Stage, value: str) -> Callable[[], None]:
    """A write without an answer, to a row without room for a marker: who types over it now leaves no trace of it."""

    def excuse() -> None:
        if stage.town.query("SELECT 1 FROM writes WHERE outcome IS NULL AND settled = 0"):
            stage.town.ledger.excuse(
                stage.book(), [("phone", same("phone", value))], "nobody knows if it was there"
            )

    return excuse


_TWO = people(person([("Office", A)], [(1, A)]), person([("Office", B)], [(1, B)]))
_SIX = people(*(person([("Office", f"+49309009{n:04d}")], [(1, f"+49309009{n:04d}")]) for n in range(6)))
_FOUR_PEOPLE = people(
    *(person([("Office", f"+49309009{n:04d}")], [(1, f"+49309009{n:04d}")]) for n in range(4))
)


def _entries(number: int, start: int = 0) -> Callable[[EspoWorld, AdvowareWorld], Pair]:
    values = [f"+49309009{n:04d}" for n in range(start, start + number)]
    return person([("Other", value) for value in values], [(10, value) for value in values])


def _remove(stage: Stage, number: int, start: int = 0, who: int = 0) -> Callable[[], None]:
    return stage.remove(*(f"+49309009{n:04d}" for n in range(start, start + number)), who=who)


_add(
    "the_only_entry_is_removed",
    people(person([("mail", X)], [(4, X)])),
    lambda s: s.at(T, s.remove(X)),
    expect=every(waiting(0), gone(X)),
)
_add(
    "fuse_blows_by_its_share",
    people(_entries(7), _entries(7, 7), _entries(6, 14)),
    lambda s: s.at(T, _remove(s, 6), _remove(s, 6, 7, 1)),
    plan={"guard": {"max_deletion_share": 0.55}, "held": True},
    same_end=False,
    expect=kept("+493090090000", "+493090090005"),
)
_add(
    "fuse_share_of_a_small_number",
    people(_entries(7), _entries(7, 7)),
    lambda s: s.at(T, _remove(s, 5), _remove(s, 5, 7, 1)),
    plan={"guard": {"max_deletion_share": 0.1}},
    expect=gone("+493090090000"),
)
_add(
    "fuse_forgets_after_its_window",
    _FOUR,
    lambda s: (s.at(T, s.remove(A, B)), s.at(T + 60, s.remove(M))),  # type: ignore[arg-type,return-value]
    plan={"guard": {"max_deletions": 2, "window_seconds": 30}},
    expect=gone(A, B, M),
)
_add(
    "fuse_counts_each_side_for_itself",
    _FOUR,
    lambda s: s.at(T, s.remove(A, B), s.delete(M)),
    plan={"guard": {"max_deletions": 2}},
    expect=gone(A, B, M),
)
_add(
    "an_older_form_after_its_time",
    _ONE,
    lambda s: (s.at(T, s.edit(X, Y)), s.at(T + 80, s.both(s.text(Y, ""), s.retype(Y, X)))),  # type: ignore[arg-type,return-value]
    sync={"stale_form_seconds": 30},
    same_end=False,
    expect=every(gone(Y), kept(X)),
)
_add(
    "an_older_form_twice",
    _ONE,
    lambda s: (  # type: ignore[arg-type,return-value]
        s.at(T, s.edit(X, Y)),
        s.at(T + 20, s.put_back(Y, X)),
        s.at(T + 45, s.both(s.text(Y, ""), s.retype(Y, X))),
    ),
    sync={"stale_form_seconds": 100},
    same_end=False,
    expect=every(gone(Y), kept(X)),
)
_add(
    "two_robots_end_and_the_quarantine_too",
    _ONE,
    lambda s: s.at(T, s.edit(X, Y), s.robots(X, Y)),
    sync={"loop_window_seconds": 100, "loop_limit": 2},
    plan={"active": 160.0, "settled_for": 200.0, "people_disagree": True},
    same_end=False,
)
_add(
    "betnr_is_doubled_for_a_while",
    _TWO,
    lambda s: (  # type: ignore[arg-type,return-value]
        s.at(T, s.bet_nr(s.town.pairs[0].bet_nr, who=1)),
        s.at(T + 12, s.edit(A, C)),
        s.at(T, *(lambda one=one: s.town.blame("incomplete", one.espocrm_id) for one in s.town.pairs)),
        silent(T + 10, T + 50)(s),
        s.at(T + 50, s.bet_nr(who=1)),
    ),
    same_end=False,
    expect=every(row(1, C), row(1, B, who=1)),
)
_add(
    "betnr_of_somebody_else",
    _ONE,
    lambda s: (  # type: ignore[arg-type,return-value]
        s.at(T, s.bet_nr(s.town.advoware.add_person("Muster", "Eva"))),
        silent(T, T + 60, "advoware")(s),
    ),
    plan={"people_disagree": True},
    same_end=False,
    expect=waiting(1),
)
_add(
    "espocrm_down_for_long",
    _ONE,
    lambda s: s.at(T, s.row(1, D), s.edit(X, Y)),
    plan={"outages": (("espocrm", T, T + 600, "error_502"),)},
    same_end=False,
    expect=every(knocks("espocrm", 12), times("attempt_failed", 0)),
)
_add(
    "espocrm_refuses_who_we_are",
    _ONE,
    lambda s: s.at(T, s.row(1, D), s.edit(X, Y)),
    plan={"outages": (("espocrm", T, T + 400, "unauthorized"),)},
    same_end=False,
    expect=every(unkilled(knocks("espocrm", 7)), times("attempt_failed", 0)),
)
_add(
    "everything_answers_500",
    _SIX,
    lambda s: s.at(T, *(s.edit(f"+49309009{n:04d}", f"+49309009{n + 100:04d}", who=n) for n in range(6))),
    plan={"outages": (("advoware", T, T + 200, "error_500"),)},
    same_end=False,
    expect=unkilled(
        every(knocks("advoware", 20), times("attempt_failed", 2))
    ),  # the third 500 opens the breaker; until then who cannot be looked at is tried
)
_add(
    "four_fail_for_long",
    _FOUR_PEOPLE,
    lambda s: s.at(T, *(s.edit(f"+49309009{n:04d}", f"+49309009{n + 100:04d}", who=n) for n in range(4))),
    plan={"outages": (("advoware", T, T + 170, "incomplete"),), "active": 60.0},
    same_end=False,
    expect=unkilled(every(_retries_differ, times("gave_up", 4, 4), times("attempt_failed", 20, 20))),
)
_add(
    "one_way_to_espocrm",
    _ONE,
    lambda s: s.at(T, s.edit(A, B), s.retype(X, Y), s.add("Fax", C), s.row(2, D)),
    sync={"direction": "to_espocrm"},
    plan={"people_disagree": True},
    expect=every(
        untouched("advoware"), item(A), item(Y), item(C), item(D), item(M, type="Mobile"), gone(X, B)
    ),
)
_add(
    "one_way_to_espocrm_from_nothing",
    people(person([], [(1, A), (3, M), (3, N), (4, X)])),
    sync={"direction": "to_espocrm"},
    plan={"people_disagree": True},
    expect=every(
        untouched("advoware"), item(A, type="Office"), item(M, type="Mobile"), item(N, type="Mobile"), item(X)
    ),
)
_add(
    "one_way_to_advoware",
    _ONE,
    lambda s: s.at(T, s.edit(A, B), s.retype(X, Y), s.row(2, C), s.remove(M)),
    sync={"direction": "to_advoware"},
    plan={"people_disagree": True},
    expect=every(untouched("espocrm"), row(1, B, "Büro"), row(4, X), row(2, C), gone(A, Y, M)),
)
_add(
    "mirror_into_espocrm",
    people(person([("Office", A), ("Fax", C)], [(1, A)])),
    lambda s: s.at(T + 30, s.add("Home", D)),
    sync={"direction": "to_espocrm", "extras": "remove"},
    plan={"people_disagree": True},
    expect=every(untouched("advoware"), item(A), gone(C, D)),
)
_add(
    "the_clock_is_set_while_a_list_is_short",
    _FULL,
    lambda s: s.at(T, s.edit(A, D), *(s.later(n, s.retry()) for n in (1, 3, 5, 7))),
    plan={
        "outages": (("espocrm", T, T + 9, "cut1"),),
        "clocks": ((T + 4, "daemon", 3600.0),),
    },
    same_end=False,
    expect=kept(D, B, C, M, X, Y),
)
_add(
    "six_are_saved_in_one_second",
    _SIX,
    lambda s: s.at(T, *(s.edit(f"+49309009{n:04d}", f"+49309009{n + 100:04d}", who=n) for n in range(6))),
    prepare=lambda town: town.espo.settings.update({"recordListMaxSizeLimit": 3}),
    plan={"scan": 2000.0},
    expect=lambda town: [p for n in range(6) for p in row(1, f"+49309009{n + 100:04d}", who=n)(town)],
)
_add(
    "item_edited_and_then_the_row",
    _ONE,
    lambda s: (s.at(T, s.edit(A, B)), s.at(T + 9, s.retype(B, C), _nobody_knows(s, B))),  # type: ignore[arg-type,return-value]
    same_end=False,
)
_add(
    "somebody_else_holds_it_opted_out",
    people(person([("Office", A)], [(1, A)]), person([("mail", X, {"optOut": True})], [(4, X)])),
    lambda s: s.at(T, s.row(4, X)),
    expect=item(X, optOut=True),
)
_add(
    "stored_number_cannot_be_rewritten",
    people(person([("Office", A), ("Home", C)], [(1, A), (6, C)])),
    lambda s: s.at(T, s.row(1, B)),
    prepare=lambda town: (  # type: ignore[arg-type,return-value]
        town.espo.edit_value(PHONE, C, name="Zentrale"),
        town.ledger.excuse(next(iter(town.ledger.books.values())), [("phone", "zentrale")], "from old times"),
    ),
    plan={"people_disagree": True},
    expect=every(never("effect PUT 400"), item(A)),
)
_add(
    "a_slot_with_a_wrong_label",
    people(person([("Office", A)], [(1, A), (1, "", "[ESPOCRM-SLOT:2]")])),
    lambda s: s.at(T, s.add("Fax", B)),
    same_end=False,  # only an answer tells the true kind
    expect=unkilled(row(2, B)),
)
_add(
    "decided_for_a_value_that_has_changed",
    _ONE,
    lambda s: (  # type: ignore[arg-type,return-value]
        s.at(T, s.edit(A, B), s.retype(A, C)),
        s.at(T + 25, s.decide(Keep.ESPOCRM), s.later(0.0005, s.retype(C, D))),
    ),
    sync={"conflict_policy": "manual"},
    same_end=False,
)
_add(
    "versions_tell_of_a_save_in_between",
    _ONE,
    lambda s: (  # type: ignore[arg-type,return-value]
        s.at(T, s.add("Fax", B)),  # from its first save on the record has a version
        s.at(T + 25, s.retype(X, Y)),
        s.interrupt(s.add("mail", Z)),
    ),
    plan={"optimistic": True, "scripted": (("espocrm", "PUT", 0, "interrupted"),)},
    same_end=False,
    expect=every(kept(Y), unkilled(kept(Z))),
)
_add(
    "espocrm_shows_no_arrays_and_an_emptied_side_is_confirmed",
    _ONE,
    lambda s: s.at(T, s.retype(A, B)),
    sync={"empty_side": "confirm"},
    plan={"outages": (("espocrm", T, T + 60, "incomplete"),)},
    expect=kept(B, M, X),
)
_add(
    "saved_while_advoware_answers_slowly",
    _ONE,
    lambda s: (s.at(T, s.retype(X, Y)), s.interrupt(s.add("mail", Z))),  # type: ignore[arg-type,return-value]
    plan={
        "scripted": (
            ("advoware", "PUT", 0, "interrupted"),
            *(("advoware", "GET", n, "slow") for n in range(4, 12)),
        )
    },
    same_end=False,
    expect=every(kept(Y), unkilled(kept(Z))),
)
_add(
    "ten_numbers",
    people(person([], [(10, f"+49309009{n:04d}") for n in range(10)])),
    expect=lambda town: [p for n in range(10) for p in item(f"+49309009{n:04d}")(town)],
)
_add(
    "espocrm_asks_for_pauses",
    _ONE,
    lambda s: s.at(T, s.row(1, D), s.edit(X, Y)),
    plan={"outages": (("espocrm", T, T + 60, "throttled"),)},
    same_end=False,
    expect=times("attempt_failed", 0),
)
_add(
    "advoware_manager_is_offline",
    _ONE,
    lambda s: s.at(T, s.row(1, D), s.edit(X, Y)),
    plan={"outages": (("advoware", T, T + 100, "offline"),)},
    same_end=False,
    expect=every(knocks("advoware", 12), times("attempt_failed", 0)),
)
_add(
    "not_even_a_marker_fits",
    _ONE,
    lambda s: (s.at(T, s.edit(X, Y)), s.at(T + 20, s.edit(Y, Z)), s.at(T + 40, s.edit(M, N))),  # type: ignore[arg-type,return-value]
    prepare=lambda town: setattr(town.advoware.manners, "bemerkung_max", 12),
    expect=unkilled(writes(4)),
)
_add(
    "a_short_list_when_a_deletion_is_confirmed",
    _ONE,
    lambda s: s.at(T, s.delete(A), s.later(1, s.retry())),
    plan={"outages": (("advoware", T + 11, T + 20, "cut0"),)},  # a look of the sweep would begin anew
    same_end=False,
    expect=every(waiting(0), kept(M, X), transition_never("conflict_found")),
)
_add(
    "first_sync_two_faxes",  # only one of each kind is repeated in the fields of the Beteiligter
    people(person([], [(2, B), (2, C)])),
    expect=every(item(B, type="Fax"), item(C, type="Fax")),
)
_add(
    "a_record_is_forgotten_and_restored",
    people(person([("Office", A), ("mail", X)], [(1, A), (4, X)]), person([("Fax", B)], [(2, B)])),
    lambda s: (  # type: ignore[arg-type,return-value]
        s.at(T, s.delete_record()),
        s.at(T + 60, s.edit(B, C, who=1)),  # takes the cursor on
        s.at(T + 130, s.restore_record()),
        s.at(T + 200, s.retype(X, Y)),
    ),
    plan={"scan": 50.0, "active": 300.0},
    same_end=False,
    expect=kept(Y),
)
_add(
    "a_write_that_has_not_taken",  # answered as if it had
    _ONE,
    lambda s: (s.at(T, s.edit(X, Y)), s.interrupt(s.later(0.0005, s.put_back(Y, X)))),  # type: ignore[arg-type,return-value]
    plan={"scripted": (("advoware", "PUT", 0, "interrupted"),)},
    expect=every(kept(Y), gone(X)),
)
_add(
    "a_number_beside_the_marker_of_a_mail",
    _ONE,
    lambda s: s.at(T, s.row(1, B, "[ESPOCRM:YW5uYUBleGFtcGxlLmRl:4]")),
    expect=item(B, type="Office"),
)
