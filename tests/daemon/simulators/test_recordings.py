"""The simulated EspoCRM against what a real one answered.

The recordings were made one after the other on one instance, so they are replayed one after the other on one world:
ids are mapped as records are made, the clock is set from the recorded stamps, and what was done behind the API's back
(a changed setting, a line of SQL) is done here by hand. The recordings are not part of the repository; without them
the tests are skipped.
"""

from __future__ import annotations

import calendar
import json
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.simulators.espocrm import MAIL, PHONE, EspoWorld, phone
from daemon.simulators.espocrm_fields import PERSON
from daemon.simulators.espocrm_login import User
from daemon.simulators.wire import Answer, Request

FOLDER = Path(__file__).resolve().parents[3].parent / "shared" / "facts" / "recordings"

API_USER, HUMAN, ADMIN, ROLE = (
    "6b0265143c36f2107",
    "6b0265149b5f8ac9b",
    "6b0264871383970cb",
    "6b026513c36ee4199",
)
MODAT = "6b02664591611d68b"
START_RIGHTS = {
    PERSON: {"create": "yes", "read": "all", "edit": "all", "delete": "no"},
    "Task": {"create": "yes", "read": "all", "edit": "own", "delete": "no"},
}

# File -> how many of its exchanges must have been compared. In the order in which they were recorded.
FILES = {
    "02_single_get_shape": 4,
    "03_put_arrays": 100,
    "03_validation_intl_true": 100,
    "03_validation_intl_false": 74,
    "03_validation_intl_true_ext": 59,
    "04_modifiedAt": 77,
    "04b_change_detection": 35,
    "04c_legacy_invalid_values": 12,
    "01_list": 63,
    "01c_datetime_and_deleted": 25,
    "05_sharing": 27,
    "06_optimistic_concurrency": 30,
    "10_concurrent_puts": 3,
    "10b_duplicate_rows": 8,
    "07_duplicates": 18,
    "08_errors": 50,
    "11_tasks_notes_notifications": 19,
    "11b_tasks_notes_with_user_read": 17,
    "13_misc": 39,
    "08b_backend_down_and_lockout": 29,
    "14_misc2": 9,
    "07b_duplicates_lastname_only": 5,
    "15_final_state": 8,
}

# (file, beginning of the label) -> why an exchange is not compared.
SKIPPED = {
    ("01c_datetime_and_deleted", "api ActionHistoryRecord"): "the action history is not simulated",
    ("01c_datetime_and_deleted", "admin ActionHistoryRecord"): "the action history is not simulated",
    ("08_errors", "id with bad chars"): "the client resolves `..` before it sends",
    ("08_errors", "admin during maintenance"): "its total counts records of load runs that were not recorded",
    ("11_tasks", "Note"): "notes are not simulated",
    ("11_tasks", "human "): "notifications are not simulated",
    ("11_tasks", "POST Notification"): "notifications are not simulated",
    ("11_tasks", "GET stream"): "streams are not simulated",
    ("11b_tasks", "Note"): "notes are not simulated",
    ("11b_tasks", "human "): "notifications and streams are not simulated",
    ("13_misc", "api ActionHistory"): "the action history is not simulated",
    ("13_misc", "admin list PhoneNumber"): "the value tables have no controller",
    ("13_misc", "admin edits PhoneNumber"): "done by hand: the value tables have no controller",
    ("08b_backend", "php-fpm"): "the web server's backend is not simulated (faults are)",
    ("08b_backend", "database"): "the database server is not simulated (faults are)",
    ("14_misc2", "admin webhooks"): "webhooks are not simulated",
    ("14_misc2", "del webhook"): "webhooks are not simulated",
    ("14_misc2", "in "): "asks for seeded rows whose creation was not recorded",
    ("14_misc2", "RuntimeException"): "broken hooks are the fault schedule's business",
    ("14_misc2", "GET after 500"): "follows a broken hook",
}
# Files without any exchange that the world could be asked: load runs and webhooks, notes in three variants.
NOT_REPLAYED = {
    "06_race_with_version_header": "a summary of a race, no exchanges",
    "10_concurrency_results": "a summary of races; the manner is tested in test_espocrm_saving.py",
    "11c_notes_with_message_permission": "notes and notifications are not simulated",
    "13b_webhooks": "webhooks are not simulated",
    "13c_webhook_skipOwn": "webhooks are not simulated",
}
STATUS_ONLY = {"correct key, waiting", "correct key during lockout (same IP)"}
IGNORED = {
    "streamUpdatedAt",
    "lastAccess",
    "isFollowed",
    "followersIds",
    "followersNames",
    "rolesIds",
    "rolesNames",
}
PARTIAL = ("Task", "Role", "User", "App", "Settings")  # the world shows a part of these bodies


def _at(stamp: str) -> float:
    return float(calendar.timegm(time.strptime(stamp, "%Y-%m-%d %H:%M:%S")))


def _is_record(body: Any) -> bool:
    return isinstance(body, dict) and "createdAt" in body and "id" in body


def _creates(request: dict[str, Any]) -> bool:
    path = request["path"]
    return request["method"] == "POST" and path.count("/") == 3 and not path.endswith("/Action")


@dataclass
class Outcome:
    """What became of one exchange."""

    file: str
    number: int
    label: str
    problem: str | None = None
    skipped: str | None = None


@dataclass
class Replay:
    """One world and how far it has come."""

    now: float = 0.0
    ids: dict[str, str] = field(default_factory=dict)
    stamps: dict[str, str] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = _at("2026-11-22 03:44:20")
        self.world = EspoWorld(lambda: self.now, random.Random(7))
        role = next(iter(self.world.accounts.roles.values()))
        role.name, role.data, role.permissions = "SyncApi", dict(START_RIGHTS), {}
        known = {API_USER: self.world.api_user, HUMAN: self.world.human, ADMIN: self.world.admin}
        self.ids = {recorded: user.id for recorded, user in known.items()} | {ROLE: role.id}
        self.hmac_user = self.world.add_api_user("sync-hmac", "Hmac", role)
        self.ids["6b0265146afcaa2f0"] = self.hmac_user.id

    # -- from a recording to a request -----------------------------------------------------------------------

    def mapped(self, text: str) -> str:
        for recorded, mine in self.ids.items():
            text = text.replace(recorded, mine)
        return text

    def request(self, recorded: dict[str, Any], label: str, who: str) -> Request:
        given = recorded["request"]
        path, _, query = self.mapped(given["path"]).partition("?")
        headers = {k: v for k, v in given["headers"].items() if v != "<redacted>"}
        headers |= self.login(who, given["headers"], label)
        pairs = [self.pair(part) for part in query.split("&")] if query else []
        return Request(given["method"], path, pairs, headers, self.body(given["body"], headers))

    def pair(self, text: str) -> tuple[str, str]:
        """The recorder unquoted the query but left blanks as plus: a plus before a number or zone is a real one."""
        name, _, value = text.partition("=")
        if not re.fullmatch(r"\+\d+|.*\d\+\d\d:\d\d", value):
            value = value.replace("+", " ")
        return name, value

    def body(self, body: Any, headers: dict[str, str]) -> bytes:
        if body is None:
            return b""
        if isinstance(body, str) and "Content-Type" in headers and body == "<21 MB>":
            return b"x" * (21 * 2**20)
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        return self.mapped(text).encode().replace("\ufffd".encode(), b"\xff")

    def login(self, who: str, given: dict[str, str], label: str) -> dict[str, str]:
        users: dict[str, User] = {
            "api": self.world.api_user,
            "human": self.world.human,
            "admin": self.world.admin,
        }
        if who in users:
            extra = {"Authorization": "Bearer x"} if {"X-Api-Key", "Authorization"} <= given.keys() else {}
            return extra | self.world.headers(users[who])
        if "Hmac user" in label:
            return {"X-Api-Key": str(self.hmac_user.api_key)}
        return {
            k: "Basic d3Jvbmc6d3Jvbmc=" if k == "Authorization" else "wrong"
            for k, v in given.items()
            if v == "<redacted>"
        }

    def set_clock(self, recorded: dict[str, Any]) -> None:
        """The second in which the real server took its time; the micro-seconds are in the id of a new record."""
        answer = recorded["response"]
        self.now = parsedate_to_datetime(answer["headers"]["Date"]).timestamp() + 0.5
        body = answer["body"]
        if not _is_record(body) or "modifiedAt" not in body:
            return
        if _creates(recorded["request"]):
            self.now = _at(body["createdAt"]) + int(body["id"][8:13], 16) / 1e6
        elif self.stamps.get(body["id"]) != body["modifiedAt"] and recorded["request"]["method"] != "GET":
            self.now = _at(body["modifiedAt"]) + 0.5
        self.stamps[body["id"]] = body["modifiedAt"]

    # -- comparing -------------------------------------------------------------------------------------------

    def exchange(self, file: str, number: int, recorded: dict[str, Any]) -> None:
        label = recorded["label"]
        by_hand = BY_HAND.get((file, number))
        self.set_clock(recorded)
        if by_hand is not None:
            by_hand(self)
        reason = next(
            (why for (f, begin), why in SKIPPED.items() if file.startswith(f) and label.startswith(begin)),
            None,
        )
        if reason is not None:
            self.outcomes.append(Outcome(file, number, label, skipped=reason))
            return
        answer = self.world.answer(self.request(recorded, label, recorded["as"]))
        self.learn(recorded, answer)
        self.outcomes.append(Outcome(file, number, label, self.problem(recorded, answer)))

    def learn(self, recorded: dict[str, Any], answer: Answer) -> None:
        body = recorded["response"]["body"]
        if _creates(recorded["request"]) and _is_record(body) and answer.status == 200:
            self.ids.setdefault(body["id"], answer.json()["id"])

    def problem(self, recorded: dict[str, Any], answer: Answer) -> str | None:
        expected = recorded["response"]
        reason = self.mapped(expected["headers"].get("X-Status-Reason", "")) or None
        if (answer.status, answer.header("X-Status-Reason")) != (expected["status"], reason):
            return f"{expected['status']} {reason} != {answer.status} {answer.header('X-Status-Reason')}"
        kinds = [
            h.partition(";")[0]
            for h in (expected["headers"]["Content-Type"], answer.header("Content-Type") or "")
        ]
        if kinds[0] != kinds[1]:
            return f"content type {kinds}"
        if kinds[0] == "text/html" and not isinstance(expected["body"], dict):
            return None if bool(expected["body"]) == bool(answer.body) else "a page, or nothing"
        if recorded["label"] in STATUS_ONLY:
            return None
        shown = (
            answer.json() if answer.body[:1] in b"{[tf0123456789" and answer.body else answer.body.decode()
        )
        return self.difference(json.loads(self.mapped(json.dumps(expected["body"]))), shown, recorded)

    def difference(self, expected: Any, shown: Any, recorded: dict[str, Any]) -> str | None:
        request = recorded["request"]
        sent = request["body"] if isinstance(request["body"], dict) and request["method"] != "GET" else {}
        partial = request["path"].split("/")[3].partition("?")[0] in PARTIAL
        return _difference(expected, shown, partial=partial, echoed=set(sent))


def _difference(expected: Any, shown: Any, *, partial: bool, echoed: set[str], name: str = "") -> str | None:
    """The first difference. Behind the primary an array has no defined order, unless it is an echo."""
    if expected == "<redacted>" or "chars>" in str(expected)[:100]:
        return None
    if isinstance(expected, dict) and isinstance(shown, dict):
        return _dict_difference(expected, shown, partial=partial, echoed=echoed)
    if isinstance(expected, list) and isinstance(shown, list) and len(expected) == len(shown):
        if name.endswith("Data") and name not in echoed:
            expected, shown = _sorted_items(expected), _sorted_items(shown)
        pairs = zip(expected, shown, strict=True)
        found = (_difference(e, s, partial=partial, echoed=echoed) for e, s in pairs)
        return next((problem for problem in found if problem), None)
    return None if expected == shown else f"{expected!r} != {shown!r}"


def _dict_difference(expected: Any, shown: Any, *, partial: bool, echoed: set[str]) -> str | None:
    if not partial and (keys := (expected.keys() ^ shown.keys()) - IGNORED):
        return f"keys {sorted(keys)}"
    if not expected.keys() & shown.keys() and expected:
        return "nothing in common"
    for name in (expected.keys() & shown.keys()) - IGNORED:
        problem = _difference(expected[name], shown[name], partial=partial, echoed=echoed, name=name)
        if problem:
            return f"{name}: {problem}"
    return None


def _sorted_items(items: list[Any]) -> list[Any]:
    return sorted(items, key=lambda item: (not item["primary"], json.dumps(item, sort_keys=True)))


# -- what was done behind the API's back ---------------------------------------------------------------------


def _settings(**changes: Any) -> Callable[[Replay], None]:
    return lambda replay: replay.world.settings.update(changes)


def _spoil_mail(replay: Replay) -> None:
    replay.world.edit_value(MAIL, "legacy@ex.de", name="bad address")


def _edit_before_01c(replay: Replay) -> None:
    replay.now = _at("2026-11-22 03:52:58")
    items = [phone("+4951133340", "Office", primary=True), phone("+4951133999", "Home")]
    replay.world.edit_person(replay.ids[MODAT], phones=items, user=replay.world.api_user)
    replay.stamps[MODAT] = "2026-11-22 03:52:58"


def _same_second(replay: Replay) -> None:
    """This save began in the second of the one before and was answered in the next."""
    replay.now = _at("2026-11-22 03:46:55")


def _twin(replay: Replay) -> None:
    record_id = replay.ids["6b02682f279e52d3b"]
    replay.world.make_twin(record_id, PHONE, "+495119990000", "Home")


def _describe(text: str, stamp: str, **fields: Any) -> Callable[[Replay], None]:
    def edit(replay: Replay) -> None:
        now, replay.now = replay.now, _at(stamp)
        user = replay.hmac_user if text == "hmac" else replay.world.api_user
        replay.world.edit_person(replay.ids[MODAT], user=user, description=text, **fields)
        replay.stamps[MODAT] = stamp
        replay.now = now

    return edit


def _more_permissions(replay: Replay) -> None:
    role = replay.world.accounts.roles[replay.ids[ROLE]]
    role.permissions.update(messagePermission="all", mentionPermission="all")


def _old_stamps(replay: Replay) -> None:
    rows = replay.world.database.table(PERSON).values()
    for row in rows:
        if 777000 <= (row.get("betnr") or 0) <= 777005:
            row["modifiedAt"] = f"2026-10-01 00:00:{row['betnr'] - 777000:02}"


def _other_type(replay: Replay) -> None:
    replay.world.edit_value(PHONE, "+495113330001", type="Other", invalid=True)


BY_HAND: dict[tuple[str, int], Callable[[Replay], None]] = {
    ("03_put_arrays", 65): _same_second,
    ("03_validation_intl_false", 0): _settings(phoneNumberInternational=False),
    ("03_validation_intl_true_ext", 0): _settings(phoneNumberInternational=True, phoneNumberExtensions=True),
    ("04_modifiedAt", 0): _settings(phoneNumberExtensions=False),
    ("04b_change_detection", 28): _spoil_mail,
    ("01c_datetime_and_deleted", 0): _edit_before_01c,
    ("10b_duplicate_rows", 1): _twin,
    ("08_errors", 0): _describe("ct ä", "2026-11-22 03:58:49"),
    ("13_misc", 0): _more_permissions,
    ("13_misc", 21): _old_stamps,
    ("13_misc", 35): _other_type,
    ("14_misc2", 6): _describe("hmac", "2026-11-22 04:07:08", kommunikationHash="zz1"),
}


@pytest.fixture(scope="module")
def replay() -> Replay:
    if not FOLDER.is_dir():
        pytest.skip("the recordings are not part of the repository")
    result = Replay()
    for file in FILES:
        for number, recorded in enumerate(json.loads((FOLDER / f"{file}.json").read_text())):
            result.exchange(file, number, recorded)
    return result


@pytest.mark.parametrize("file", FILES)
def test_world_answers_as_recorded(replay: Replay, file: str) -> None:
    mine = [outcome for outcome in replay.outcomes if outcome.file == file]
    problems = [f"#{o.number} {o.label}: {o.problem}" for o in mine if o.problem]
    assert problems == []
    assert sum(not o.skipped for o in mine) == FILES[file]


def test_every_recording_is_replayed_or_has_a_reason(replay: Replay) -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == FILES.keys() | NOT_REPLAYED.keys()
    assert {o.skipped for o in replay.outcomes if o.skipped} == set(SKIPPED.values())
