"""The page is quick at any size, because no statement that it runs walks through all the people."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

from tests.daemon.house import House
from tests.daemon.page.browsing import Visitor
from tests.daemon.page.scenes import conflicts, mass_deletion, unsyncable

#: What SQLite says of a step that is one search in an index (or a table's own key).
_SEARCH = re.compile(
    r"SEARCH \w+ USING (?:(?:COVERING )?INDEX \w+|INTEGER PRIMARY KEY|PRIMARY KEY) \(.+\)(?: LEFT-JOIN)?"
)
#: Walks from one end of an index, stopped by a LIMIT or by min().
_FIRST_OF = re.compile(r"SEARCH \w+(?: USING COVERING INDEX \w+)?")
_STRUCTURE = re.compile(
    r"(?:CORRELATED SCALAR SUBQUERY|SCALAR SUBQUERY|CO-ROUTINE|MERGE|LEFT|COMPOUND|MULTI-INDEX|INDEX \d)"
)
#: At most so many rows each, however many people there are.
_TINY = {"fuses"}
#: Asked once, and again only when another process has written (:mod:`daemon.store.counts`): it reads one narrow index.
_COUNTS = "SELECT state, count(*) FROM persons GROUP BY state"
#: What is one Beteiligte's is sorted without an index.
_ONE_PERSON_S = re.compile(r"WHERE (?:\w\.)?(?:espocrm_id|bet_nr) = ")

PAGES = (
    "/",
    "/conflicts",
    "/conflicts?after=1",
    "/conflicts?kind=edit_edit&after=1",
    "/deletions",
    "/deletions?side=advoware&after=10001&key=1",
    "/unsyncable",
    "/unsyncable?after=a&place=0",
    "/parked",
    "/beteiligte",
    "/beteiligte?state=conflict&after=1&id=a",
)


async def test_every_statement_searches_an_index(firm: House, visitor: Visitor) -> None:
    pairs = await conflicts(firm, 3)
    await unsyncable(firm)
    await mass_deletion(firm)
    said: list[str] = []
    database = firm.app.outside.store._engine._database
    await database.hop(lambda sql: sql.set_trace_callback(said.append))
    for path in (*PAGES, f"/beteiligte/{pairs[0].bet_nr}", f"/beteiligte/{pairs[0].bet_nr}?before=9.0"):
        assert (await visitor.get(path)).status == 200
    for path, fields in (
        ("/conflicts/confirm", {"one": "1 espocrm"}),
        ("/conflicts/confirm", {"all": "espocrm", "kind": ""}),
        ("/conflicts/decide", {"keep": "espocrm", "id": 1}),
        ("/deletions/confirm", {"side": "advoware", "what": "approve"}),
        ("/search", {"q": pairs[0].espocrm_id}),
        ("/search", {"q": pairs[0].bet_nr}),
        ("/retry/confirm", {"bet_nr": pairs[1].bet_nr}),
        ("/retry", {"bet_nr": pairs[1].bet_nr}),
    ):
        assert (await visitor.post(path, fields)).status == 200
    await database.hop(lambda sql: sql.set_trace_callback(None))
    asked = {text for text in said if text.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))}
    assert len(asked) > 60
    with closing(sqlite3.connect(firm.app.outside.settings.store.path)) as sql:
        slow = [f"{steps}: {text}" for text in sorted(asked) if (steps := _slow(sql, text))]
    assert not slow, "\n".join(slow)


def _slow(sql: sqlite3.Connection, text: str) -> list[str]:
    """The steps of a statement that cost more the more people there are."""
    if text == _COUNTS:
        return []
    steps = [str(row[3]) for row in sql.execute(f"EXPLAIN QUERY PLAN {text}")]
    return [step for step in steps if not _is_quick(step, text)]


def _is_quick(step: str, text: str) -> bool:
    if _SEARCH.fullmatch(step) or _STRUCTURE.match(step):
        return True
    if _FIRST_OF.fullmatch(step):
        return text.startswith("SELECT min(")
    if step.startswith("USE TEMP B-TREE"):
        return _ONE_PERSON_S.search(text) is not None
    walked = re.fullmatch(r"SCAN (\w+)(?: USING .*)?", step)
    return walked is not None and walked[1] in _TINY


def test_a_walk_through_everybody_would_be_found() -> None:
    with closing(sqlite3.connect(":memory:")) as sql:
        sql.execute("CREATE TABLE persons (id INTEGER PRIMARY KEY, name TEXT, since REAL)")
        sql.execute("CREATE INDEX by_name ON persons (name)")
        assert _slow(sql, "SELECT * FROM persons WHERE name = 'a'") == []
        assert _slow(sql, "SELECT * FROM persons")
        assert _slow(sql, "SELECT * FROM persons WHERE since = 1")
        assert _slow(sql, "SELECT * FROM persons WHERE name > 'a' ORDER BY since")
        assert _slow(sql, "SELECT count(*) FROM persons")
