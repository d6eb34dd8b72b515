"""The file: opened by one daemon and many commands, killed, cancelled, damaged, migrated, copied."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
import structlog

from daemon.ports import Finish
from daemon.store import SqliteStore, StoreInUse, StoreTooNew, StoreTrouble, owner_of, schema
from daemon.store.database import Database, is_sound, wal_is_safe
from daemon.store.ownership import Ownership
from daemon.store.sqlite import prepare
from daemon.store.turn import Turn
from statemachine.errors import KommsyncError
from statemachine.model import Kind
from statemachine.standing import Event
from statemachine.states import State, Trigger
from tests.daemon.store.building import GUARD, SCHEDULE, HandClock, Opener, base, done, link, opener, synced


def _ask(path: Path, question: str) -> object:
    with closing(sqlite3.connect(path)) as sql:
        return sql.execute(question).fetchone()[0]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _ids(path: Path) -> tuple[int, int]:
    return path.stat().st_uid, path.stat().st_gid


def _fill(path: Path, content: bytes) -> bytes:
    path.write_bytes(content)
    return content


def _content(path: Path) -> bytes:
    return path.read_bytes()


def _drop(path: Path) -> None:
    path.unlink(missing_ok=True)


def _beside(path: Path, pattern: str) -> list[Path]:
    return list(path.parent.glob(pattern))


def _run(*arguments: str) -> int:
    """The exit code; negative: the signal that ended it."""
    root = Path(__file__).parents[3]
    return subprocess.run([sys.executable, *arguments], cwd=root, check=False, timeout=60).returncode


# --- one daemon, many commands


async def test_a_second_daemon_is_refused_and_told_who_has_it(open_store: Opener, path: Path) -> None:
    async with open_store():
        with pytest.raises(StoreInUse, match=f"process {os.getpid()} on {socket.gethostname()}"):
            async with open_store():
                pytest.fail("two daemons on one store")
        assert owner_of(path) == f"process {os.getpid()} on {socket.gethostname()}"
    assert owner_of(path) is None
    async with open_store():
        pass


async def test_commands_work_beside_the_daemon_and_without_it(
    open_store: Opener, open_beside: Opener
) -> None:
    async with open_beside() as command, open_beside() as other:
        await command.discover("a", 1, None)
        assert len(await other.by_bet_nr(1)) == 1
    async with open_store() as store, open_beside() as command:
        await command.ask(["a"], "retry")
        person = await store.person("a")
        assert person is not None
        assert person.standing.reason == "retry"


async def test_both_may_write_at_the_same_time(open_store: Opener, open_beside: Opener) -> None:
    async def note(store: SqliteStore, name: str) -> None:
        for number in range(50):
            await store.set_note(f"{name}{number}", "x")

    async with open_store() as store, open_beside() as command, anyio.create_task_group() as group:
        group.start_soon(note, store, "a")
        group.start_soon(note, command, "b")
    async with open_store() as store:
        assert [await store.get_note(f"{name}49") for name in "ab"] == ["x", "x"]


async def test_only_its_owner_may_read_the_file(store: SqliteStore, path: Path) -> None:
    assert _mode(path) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root creates files for others")
async def test_what_root_creates_belongs_to_the_owner_of_the_directory(
    path: Path, open_beside: Opener
) -> None:
    os.chown(path.parent, 12345, 12345)
    async with open_beside():
        assert _ids(path) == (12345, 12345)


async def test_a_missing_directory_is_named(tmp_path: Path, clock: HandClock) -> None:
    for exclusive in (True, False):
        with pytest.raises(StoreTrouble, match="not/there"):
            async with opener(tmp_path / "not" / "there" / "s.sqlite3", clock, exclusive=exclusive)():
                pytest.fail("opened")


async def test_a_closed_store_says_so(open_store: Opener) -> None:
    async with open_store() as store:
        pass
    with pytest.raises(StoreTrouble, match="closed"):
        await store.person("a")


# --- the safe mode of SQLite


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_wal_only_where_its_reset_is_mended(version: tuple[int, ...], safe: bool) -> None:
    assert wal_is_safe(version) == safe


async def test_every_commit_reaches_the_disk(store: SqliteStore, path: Path) -> None:
    database = store._engine._database
    mode, level, busy = await database.hop(
        lambda sql: [
            sql.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    )
    assert mode == ("wal" if wal_is_safe(sqlite3.sqlite_version_info) else "delete")
    assert (level, busy) == (2, 10_000)


# --- cancelled


class _Boom(Exception):
    pass


async def test_a_transaction_that_raises_leaves_nothing(store: SqliteStore) -> None:
    def fail(turn: Turn) -> None:
        turn.do("INSERT INTO notes (name, value) VALUES ('half', 'done')")
        raise _Boom

    with pytest.raises(_Boom):
        await store._engine.write(fail)
    assert await store.get_note("half") is None
    assert not await store._engine._database.hop(lambda sql: sql.in_transaction)


@pytest.mark.parametrize("native", [False, True], ids=["scopes", "tasks"])
async def test_a_thousand_cancellations_lose_nothing(store: SqliteStore, native: bool) -> None:
    """Both ways to cancel: anyio's scopes, and asyncio's own, against which no shield helps."""
    chance, returned, counted = random.Random(7), set[str](), 0
    store._engine._hooks = type(store._engine._hooks)(on_transition=lambda *_: _count())

    def _count() -> None:
        nonlocal counted
        counted += 1

    async def one(name: str, number: int) -> None:
        await store.discover(name, number, None)
        returned.add(name)

    async def scoped(name: str, number: int) -> None:
        with anyio.move_on_after(chance.random() * 0.004):
            await one(name, number)

    for start in range(0, 1000, 10):
        if native:
            tasks = [asyncio.ensure_future(one(f"p{number}", number)) for number in range(start, start + 10)]
            await asyncio.sleep(chance.random() * 0.004)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        else:
            async with anyio.create_task_group() as group:
                for number in range(start, start + 10):
                    group.start_soon(scoped, f"p{number}", number)
    stored = {person.espocrm_id for person in await store.scan_slice("", 2000)}
    assert returned <= stored
    assert 0 < len(stored) < 1000
    await store.set_note("last", "x")
    assert counted == len(stored)
    assert sum((await store.counts()).values()) == len(stored)
    assert not await store._engine._database.hop(lambda sql: sql.in_transaction)


async def test_a_cancelled_opening_leaves_no_lock(open_store: Opener) -> None:
    for delay in (0, 0.0005, 0.001, 0.002, 0.005):
        with anyio.move_on_after(delay):
            async with open_store():
                await anyio.sleep_forever()
    async with open_store() as store:
        assert await store.next_due() is None


# --- killed

_KILLED = """
import os, random, signal, sys
from pathlib import Path
import anyio
from daemon.ports import Finish
from tests.daemon.store.building import HandClock, base, done, link, opener, synced
from statemachine.states import Trigger

async def main():
    async with opener(Path(sys.argv[1]), HandClock())() as store:
        await store.discover("a", 1, None)
        await synced(store, "a", 1, Finish(base(link("1")), done(Trigger.LOOK_AGAIN)))
        [write] = await store.lease("me", 1)
        def die(turn):
            for number in range(2000):
                turn.do("INSERT INTO notes (name, value) VALUES (?, ?)", f"half{number}", "x" * 1000)
            turn.do("DELETE FROM links")
            turn.do("PRAGMA cache_spill = 1")
            os.kill(os.getpid(), signal.SIGKILL)
        await store._engine.write(die)

anyio.run(main)
"""


async def test_killed_within_a_transaction(path: Path, open_store: Opener) -> None:
    assert await anyio.to_thread.run_sync(_run, "-c", _KILLED, str(path)) == -signal.SIGKILL
    async with open_store() as store:
        case = await store.case("a", 1, 0)
        assert case.base == base(link("1"))
        assert await store.get_note("half0") is None
        assert await store.recover("me again") == 1
        assert (await store.counts())[State.DIRTY] == 1


# --- damaged


async def _some(open_store: Opener) -> None:
    async with open_store() as store:
        for number in range(200):
            await store.discover(f"p{number}", number, None)


async def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(open_store: Opener, path: Path) -> None:
    await _some(open_store)
    whole = _content(path)
    content = _fill(path, whole[: 4096 * 3] + b"\xff" * 4096 * 9 + whole[4096 * 12 :])
    with structlog.testing.capture_logs() as logged:
        async with open_store() as store:
            assert await store.scan_slice("", 1) == []
    aside = path.with_name(f"{path.name}-damaged-20260528T202640Z")
    assert _content(aside) == content
    assert [entry["log_level"] for entry in logged] == ["error"]
    assert logged[0]["moved_to"] == str(aside)


async def test_a_file_that_is_no_database_is_moved_aside(open_store: Opener, path: Path) -> None:
    _fill(path, b"no database at all " * 500)
    async with open_store() as store:
        await store.discover("a", 1, None)
    assert len(_beside(path, "*-damaged-*")) == 1


async def test_a_command_leaves_a_damaged_file_alone(open_beside: Opener, path: Path) -> None:
    _fill(path, b"no database at all " * 500)
    with pytest.raises(StoreTrouble, match="SQLITE_NOTADB"):
        async with open_beside():
            pytest.fail("opened")
    assert _content(path).startswith(b"no database")


async def test_a_locked_file_is_not_damaged(open_store: Opener, path: Path) -> None:
    await _some(open_store)
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as holder,
        closing(sqlite3.connect(path, timeout=0)) as sql,
    ):
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            is_sound(sql)


async def test_another_programs_database_is_left_alone(open_store: Opener, path: Path) -> None:
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreTrouble, match="another program"):
        async with open_store():
            pytest.fail("opened")
    assert _ask(path, "SELECT count(*) FROM theirs") == 0


# --- migrated


async def test_a_newer_schema_is_refused_and_left_alone(open_store: Opener, path: Path) -> None:
    await _some(open_store)
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreTooNew, match="schema 99"):
        async with open_store():
            pytest.fail("opened")
    assert _ask(path, "SELECT count(*) FROM persons") == 200


async def test_every_schema_that_was_ever_released_is_brought_up(path: Path, open_store: Opener) -> None:
    known = schema.steps()
    assert [step.version for step in known] == list(range(1, len(known) + 1))
    for released in known:
        _drop(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as sql:
            schema.migrate(sql, known[: released.version])
            sql.execute(
                "INSERT INTO persons (espocrm_id, bet_nr, state, reason, since, due_at, attempts, noted)"
                " VALUES ('a', 1, 'dirty', '', 0, 0, 0, 0)"
            )
        async with open_store() as store:
            assert [person.espocrm_id for person in await store.lease("me", 1)] == ["a"]
        assert _ask(path, "PRAGMA user_version") == known[-1].version


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations as a later release may bring them: one that works, one that fails half way."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    first = files("daemon") / "migrations" / "0001_first.sql"
    (folder / "0001_first.sql").write_text(first.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "0002_more.sql").write_text("ALTER TABLE persons ADD COLUMN more TEXT;", encoding="utf-8")
    (folder / "0003_bad.sql").write_text(
        "CREATE TABLE half (x); SELECT no_such_function();", encoding="utf-8"
    )
    return folder


def test_a_migration_that_fails_leaves_the_file_at_the_one_before(path: Path, later: Path) -> None:
    known = schema.steps(later)
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        with pytest.raises(StoreTrouble, match="schema 3"):
            schema.migrate(sql, known)
        assert not sql.in_transaction
        assert sql.execute("PRAGMA user_version").fetchone()[0] == 2
        assert (
            sql.execute("SELECT count(*) FROM pragma_table_info('persons') WHERE name = 'more'").fetchone()[0]
            == 1
        )
        assert sql.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone()[0] == 0
        assert [step.version for step in schema.missing(sql, known)] == [3]


async def test_no_command_changes_the_schema_under_a_running_daemon(open_store: Opener, path: Path) -> None:
    async with open_store() as store:
        await store._engine._database.hop(lambda sql: sql.execute("PRAGMA user_version = 0"))
        base_ = await Database.connect(path)
        try:
            with pytest.raises(StoreInUse):
                await prepare(base_, Ownership(path), patience=0.06)
        finally:
            await base_.close()


async def test_a_command_that_made_the_file_does_not_keep_it(open_store: Opener, open_beside: Opener) -> None:
    async with open_beside() as command, open_store() as store:
        await store.discover("a", 1, None)
        assert await command.person("a") is not None


async def test_asking_for_the_owner_hinders_nobody(open_store: Opener, path: Path) -> None:
    async with open_store():
        pass
    asking = Ownership(path)
    asking.take()

    async def let_go() -> None:
        await anyio.sleep(0.01)
        asking.release()

    async with anyio.create_task_group() as group:
        group.start_soon(let_go)
        async with open_store() as store:
            assert await store.next_due() is None


# --- other rules for values


async def test_values_are_judged_again_when_the_region_changes(path: Path, clock: HandClock) -> None:
    async def holders(region: str, canonical: str) -> int:
        async with SqliteStore.open(
            path, clock, random.Random(1), SCHEDULE, region=region, exclusive=True
        ) as store:
            if await store.person("a") is None:
                await store.discover("a", 1, None)
                await synced(store, "a", 1, Finish(base(link("1", "0511 1234560")), done()))
            return len(await store.holders(Kind.PHONE, canonical, ""))

    assert await holders("DE", "+495111234560") == 1
    assert await holders("AT", "+495111234560") == 0
    assert await holders("DE", "+495111234560") == 1


# --- hooks, copies, texts


async def test_hooks_hear_of_what_is_committed(path: Path, clock: HandClock) -> None:
    moves: list[tuple[State | None, State | None, Trigger]] = []
    commits: list[float] = []
    async with SqliteStore.open(
        path,
        clock,
        random.Random(1),
        SCHEDULE,
        on_commit=commits.append,
        on_transition=lambda *one: moves.append(one),
    ) as store:
        await store.discover("a", 1, None)
        with pytest.raises(KommsyncError):
            await store.move("a", done())
        await store.lease("me", 1)
    assert moves == [(None, State.DIRTY, Trigger.DISCOVERED), (State.DIRTY, State.SYNCING, Trigger.PICKED)]
    assert len(commits) == 2


async def test_a_backup_is_whole_while_the_daemon_writes(
    store: SqliteStore, path: Path, clock: HandClock
) -> None:
    target = path.with_name("backup.sqlite3")
    _fill(target, b"an older backup")

    async def write() -> None:
        for number in range(100):
            await store.discover(f"p{number}", number, None)

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        await anyio.sleep(0.01)
        await store.backup(target)
    assert _mode(target) == 0o600
    assert not _beside(path, "*.part")
    async with opener(target, clock)() as copy:
        persons = len(await copy.scan_slice("", 1000))
        assert persons == sum((await copy.counts()).values())
    with pytest.raises(StoreTrouble, match="cannot be written"):
        await store.backup(path.parent / "missing" / "backup.sqlite3")


async def test_no_text_of_an_error_holds_contact_data(store: SqliteStore) -> None:
    """Every way in which a value could get into an error: a constraint, a broken row, a finish that cannot move."""
    value = "0511 1234560"
    texts = []

    def twice(turn: Turn) -> None:
        for _ in range(2):
            turn.do("INSERT INTO notes (name, value) VALUES (?, 'x')", value)

    def broken(turn: Turn) -> None:
        turn.do('UPDATE links SET body = \'{"value": "0511 1234560", "kind": "0511 1234560"}\'')

    def wrong(turn: Turn) -> None:
        turn.do("INSERT INTO persons (espocrm_id, bet_nr) VALUES ('x', ?)", value)

    await store.discover("a", 1, None)
    await synced(store, "a", 1, Finish(base(link("1", value)), done(Trigger.LOOK_AGAIN)))
    for attempt in (twice, wrong):
        with pytest.raises(StoreTrouble) as caught:
            await store._engine.write(attempt)
        texts.append(str(caught.value))
        assert caught.value.__cause__ is None
    await store._engine.write(broken)
    with pytest.raises(KommsyncError) as unreadable:
        await store.case("a", 1, 0)
    texts.append(str(unreadable.value))
    assert not [text for text in texts if "0511" in text]


async def test_the_sums_are_those_of_the_rows(store: SqliteStore) -> None:
    """The totals are kept by every transaction that changes them: whatever happens, they equal what is there."""
    chance = random.Random(3)
    for step in range(150):
        name, number = f"p{chance.randrange(4)}", chance.randrange(1, 6)
        person = await store.person(name)
        if person is None:
            await store.discover(name, number, None)
        elif chance.random() < 0.2:
            await store.move(name, done(Trigger.UNTRACKED))
        elif chance.random() < 0.3:
            await store.rebind(
                name, number if number != person.bet_nr else number + 7, Event(Trigger.CHANGE_SEEN)
            )
        elif await store.lease("me", 1, only=[name]):
            links = base(*(link(str(one)) for one in range(chance.randrange(5))))
            finish = Finish(links, done(Trigger.LOOK_AGAIN), empty_slots=chance.randrange(3))
            bet_nr = person.bet_nr if step % 3 else number
            await store.finish(name, bet_nr, finish, run="r", guard=GUARD)
        sums = await store.sums()
        assert (sums.links, sums.empty_slots) == await store._engine.read(_counted)


def _counted(turn: Turn) -> tuple[int, int]:
    return (
        turn.number("SELECT count(*) FROM links JOIN persons USING (espocrm_id, bet_nr)"),
        turn.number("SELECT sum(empty_slots) FROM pairs JOIN persons USING (espocrm_id, bet_nr)"),
    )
