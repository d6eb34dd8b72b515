"""What must hold whatever people do on both sides (quality: converged, nothing lost, nothing doubled, quiet)."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from statemachine import marker
from statemachine.case import Variant
from statemachine.model import Kind, Side
from statemachine.plan import Plan
from statemachine.rules import Direction, Extras, Policy
from tests.statemachine import world as worlds
from tests.statemachine.world import World

#: An emptied side asks a human by default; here it is an ordinary deletion.
RULES = replace(worlds.RULES, empty_side="confirm")

PHONES = [f"+4951112345{n}0" for n in range(8)]
MAILS = [f"{name}@example.de" for name in ("anna", "bert", "carl", "dora", "emil", "frida")]
SPELLED = {value: value.replace("+49511", "0511/") for value in PHONES} | {m: m.capitalize() for m in MAILS}
TYPES = ["Office", "Fax", "Mobile", "Home", "Other"]
KZ = {"Office": 1, "Fax": 2, "Mobile": 3, "Home": 6, "Other": 10}

values = st.sampled_from([*PHONES, *MAILS])
sides = st.sampled_from([Side.ESPOCRM, Side.ADVOWARE])


def is_mail(value: str) -> bool:
    return "@" in value


def put(world: World, side: Side, value: str, number: int) -> None:
    """Somebody enters a value."""
    if side is Side.ADVOWARE:
        kz = 4 if is_mail(value) else KZ[TYPES[number % 5]]
        world.row(SPELLED[value], kz, f"Notiz {number}")
    elif all(item.value.casefold() != value for item in world.items(kind_of(value))):
        if is_mail(value):
            world.email(value)
        else:
            world.phone(value, TYPES[number % 5])


def kind_of(value: str) -> Kind:
    return Kind.EMAIL if is_mail(value) else Kind.PHONE


def held(world: World, side: Side) -> list[str]:
    """What is there, as the people there see it, in a stable order."""
    if side is Side.ESPOCRM:
        return sorted(world.item_values())
    return sorted({row.tlf for row in world.rows.values() if row.tlf})


Edit = tuple[str, Side, int, str]
edits = st.lists(
    st.tuples(
        st.sampled_from(["add", "edit", "delete", "primary", "online", "flag"]),
        sides,
        st.integers(0, 30),
        values,
    ),
    max_size=6,
)


def act(world: World, edit: Edit) -> None:
    what, side, number, value = edit
    there = held(world, side)
    if what == "add":
        put(world, side, value, number)
    elif not there:
        return
    elif what == "delete":
        remove(world, side, there[number % len(there)])
    elif what == "edit":
        change(world, side, there[number % len(there)], value)
    elif side is Side.ESPOCRM and what == "primary":
        world.make_primary(there[number % len(there)])
    elif side is Side.ADVOWARE:
        row = next(row for row in world.rows.values() if row.tlf == there[number % len(there)])
        world.edit_row(row.id, online=not row.online)
    elif what == "flag":
        world.edit_item(there[number % len(there)], opt_out=True)


def remove(world: World, side: Side, value: str) -> None:
    if side is Side.ESPOCRM:
        world.remove_item(value)
        return
    for row in list(world.rows.values()):
        if row.tlf == value:
            world.remove_row(row.id)


def change(world: World, side: Side, old: str, new: str) -> None:
    if is_mail(old) != is_mail(new):
        return
    if side is Side.ESPOCRM:
        if all(item.value.casefold() != new for item in world.items(kind_of(new))):
            world.edit_item(old, value=new)
        return
    row = next(row for row in world.rows.values() if row.tlf == old)
    world.edit_row(row.id, tlf=SPELLED[new])


def calm(world: World) -> None:
    """Converge, long after everything that could still be an echo."""
    world.sync()
    world.wait(10_000)
    world.sync()


def canonical(value: str) -> str:
    return next((plain for plain, spelled in SPELLED.items() if value in (plain, spelled)), value)


class Oracle:
    """Keeps what people did; shares no code with the decisions."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.entered: set[str] = set()
        self.ever: set[str] = set()
        self.dropped: set[str] = set()
        self.texts: dict[int, str] = {}
        self.opted: set[str] = set()
        self.note()

    def note(self) -> None:
        self.texts = {row.id: marker.read(row.bemerkung)[1] for row in self.world.rows.values() if row.tlf}
        self.opted = {i.value for i in (*self.world.emails, *self.world.phones) if i.opt_out}

    def act(self, edit: Edit) -> None:
        before = {side: shown(self.world, side) for side in Side}
        act(self.world, edit)
        for side in Side:
            after = shown(self.world, side)
            self.ever |= after - before[side]
            self.dropped |= before[side] - after
            self.dropped -= after - before[side]
        if edit[0] in ("add", "edit"):  # a second row of the same value is somebody's wish as well
            self.entered.add(edit[3])
        self.note_flags()

    def note_flags(self) -> None:
        self.opted &= set(self.world.item_values())  # what a user took away starts anew
        for item in (*self.world.emails, *self.world.phones):
            (self.opted.add if item.opt_out else self.opted.discard)(item.value)
        self.texts.update(
            {
                row.id: marker.read(row.bemerkung)[1]
                for row in self.world.rows.values()
                if row.id not in self.texts
            }
        )

    def judge(self) -> None:
        """Nothing lost, nothing resurrected, no user text touched, no opt-out lifted."""
        there = {side: shown(self.world, side) for side in Side}
        emptied = {w.advoware_id for w in self.world.history if w.after and not w.after.value}
        losers = {canonical(w.before.value) for w in self.world.history if w.before}
        for value in self.ever - self.dropped:
            assert all(value in there[side] for side in Side) or value in losers, f"lost: {value}"
        for value in self.dropped - self.entered - self.ever:
            assert not any(value in there[side] for side in Side), f"resurrected: {value}"
        for row in self.world.rows.values():
            if row.tlf and self.texts.get(row.id) and row.id not in emptied:
                assert marker.read(row.bemerkung)[1] == self.texts[row.id]
        for item in (*self.world.emails, *self.world.phones):
            assert item.opt_out or item.value not in self.opted


def shown(world: World, side: Side) -> set[str]:
    return {canonical(value) for value in held(world, side)}


def check(world: World, oracle: Oracle) -> None:
    problems = {e.problem for e in world.run().plan.entries if e.problem}
    assert not problems, problems
    assert world.values(Side.ESPOCRM) == world.values(Side.ADVOWARE)
    for items in (world.emails, world.phones):
        assert not items or sum(item.primary for item in items) == 1
        values_ = [item.value.casefold() for item in items]
        assert len(values_) == len(set(values_))
    world.quiet()
    oracle.judge()


starts = st.lists(st.tuples(sides, values, st.integers(0, 9)), max_size=8)


def begun(start: list[tuple[Side, str, int]]) -> tuple[World, Oracle]:
    """A Beteiligte that was synced long ago."""
    world = World(RULES)
    for side, value, number in start:
        put(world, side, value, number)
    before = shown(world, Side.ESPOCRM) | shown(world, Side.ADVOWARE)
    oracle = Oracle(world)
    calm(world)
    check(world, oracle)
    for side in Side:  # the first sync loses nothing, overwrites nothing (§7)
        assert shown(world, side) == before
    assert not any(w.variant in (Variant.VAR2, Variant.VAR3, Variant.VAR5) for w in world.history)
    return world, oracle


@given(starts, st.lists(edits, min_size=1, max_size=3), st.sampled_from([Policy.ESPOCRM, Policy.ADVOWARE]))
def test_whatever_people_do_both_sides_converge(
    start: list[tuple[Side, str, int]], rounds: list[list[Edit]], policy: Policy
) -> None:
    world, oracle = begun(start)
    world.rules = replace(RULES, conflict_policy=policy)
    for round_ in rounds:
        oracle = Oracle(world)
        for edit in round_:
            oracle.act(edit)
        world.wait(20)
        calm(world)
        check(world, oracle)


faults = st.dictionaries(
    st.integers(0, 12),
    st.sampled_from(["before", "after", "recorded", "unknown", "nothing", "lost"]),
    max_size=4,
)


@given(starts, edits, faults, edits)
def test_a_misfortune_at_any_write_costs_nothing(
    start: list[tuple[Side, str, int]], first: list[Edit], misfortune: dict[int, str], second: list[Edit]
) -> None:
    """Killed before, killed after, answered without effect, effect without answer (quality 3, 4)."""
    world, oracle = begun(start)
    oracle = Oracle(world)
    for edit in first:
        oracle.act(edit)
    world.wait(20)
    world.faults = {world.count + number: what for number, what in misfortune.items()}
    world.run()
    world.wait(70)
    world.run()
    for edit in second:
        oracle.act(edit)
    calm(world)
    world.faults = {}
    world.wait(100_000)
    calm(world)
    check(world, oracle)


@given(starts, edits, st.lists(edits, max_size=4))
def test_people_who_edit_while_a_run_goes_on_lose_nothing(
    start: list[tuple[Side, str, int]], first: list[Edit], during: list[list[Edit]]
) -> None:
    world, oracle = begun(start)
    oracle = Oracle(world)
    for edit in first:
        oracle.act(edit)
    world.wait(20)
    world.run()
    world.wait(70)

    def meanwhile(plan: Plan) -> None:
        """Between a row's read and its write the last writer wins (§13): nobody can close that."""
        for edit in during.pop() if during else []:
            if edit[1] is Side.ESPOCRM or not plan.rows:
                oracle.act(edit)

    world.between = [meanwhile] * 10
    calm(world)
    world.between = []
    calm(world)
    check(world, oracle)


@given(starts, st.data(), st.booleans())
def test_no_deletion_from_an_incomplete_view(
    start: list[tuple[Side, str, int]], data: st.DataObject, first_sync: bool
) -> None:
    """A truncated list, once, changes nothing (§8, §9)."""
    if first_sync:
        world = World(RULES)
        for side, value, number in start:
            put(world, side, value, number)
    else:
        world, _ = begun(start)
    oracle = Oracle(world)
    before = shown(world, Side.ESPOCRM) | shown(world, Side.ADVOWARE)
    rows = sorted(world.rows.values(), key=lambda row: row.id)
    torn = [row for row in rows if data.draw(st.booleans())]
    world.torn_rows = [torn]
    count = len(world.history)
    calm(world)
    check(world, oracle)
    assert shown(world, Side.ESPOCRM) == shown(world, Side.ADVOWARE) == before
    assert first_sync or len(world.history) == count
    live = [canonical(row.tlf) for row in world.rows.values() if row.tlf]
    staff = [canonical(row.tlf) for row in rows if row.tlf]
    assert len(live) == len(staff) + len(before - set(staff)), "doubled"


@given(
    starts,
    st.lists(edits, min_size=1, max_size=3),
    st.sampled_from([Direction.TO_ESPOCRM, Direction.TO_ADVOWARE]),
)
def test_one_way_the_source_is_never_written_and_all_its_values_arrive(
    start: list[tuple[Side, str, int]], rounds: list[list[Edit]], direction: Direction
) -> None:
    """§12."""
    world, _ = begun(start)
    world.rules = replace(RULES, direction=direction)
    source = Side.ADVOWARE if direction is Direction.TO_ESPOCRM else Side.ESPOCRM
    count = len(world.history)
    for round_ in rounds:
        for edit in round_:
            act(world, edit)
        there = shown(world, source)
        world.wait(20)
        calm(world)
        assert shown(world, source) == there
        assert world.values(source) <= world.values(source.other)
        world.quiet()
    assert all(write.side is not source for write in world.history[count:])
    world.rules = replace(RULES, direction=direction, extras=Extras.REMOVE)
    calm(world)
    assert world.values(source) == world.values(source.other), "a mirror"
