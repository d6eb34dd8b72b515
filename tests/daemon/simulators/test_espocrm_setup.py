"""A fresh instance set up through the API alone (facts: EspoCRM §12, §13)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from daemon.simulators.espocrm import EspoWorld
from daemon.simulators.espocrm_fields import PERSON, SYNC_STATUSES
from daemon.simulators.espocrm_login import SYNC_ROLE
from daemon.simulators.wire import Answer
from tests.daemon.simulators.worlds import Call, Clock, request

FIELDS: list[dict[str, Any]] = [
    {"name": "betnr", "type": "int", "disableFormatting": True},
    {"name": "syncStatus", "type": "enum", "options": list(SYNC_STATUSES[:-1]), "default": "pending_sync"},
    {"name": "kommunikationHash", "type": "varchar", "maxLength": 16},
    {"name": "advowareLastSync", "type": "datetime"},
]


@pytest.fixture
def espo(clock: Clock) -> EspoWorld:
    return EspoWorld(clock, random.Random(1), fresh=True)


@pytest.fixture
def admin(espo: EspoWorld) -> Call:
    def send(method: str, target: str, body: Any = None) -> Answer:
        return espo.answer(request(method, f"/api/v1/{target}", espo.headers(espo.admin), body))

    return send


def test_from_nothing_to_a_working_sync_user(espo: EspoWorld, admin: Call) -> None:
    assert admin("GET", f"Metadata?key=scopes.{PERSON}").body == b""
    assert admin("GET", PERSON).status == 404
    entity = {"name": "Beteiligte", "type": "Person"}
    assert admin("POST", "EntityManager/action/createEntity", entity).json() == {"name": PERSON}
    again = admin("POST", "EntityManager/action/createEntity", entity)
    assert (again.status, again.header("X-Status-Reason")) == (409, f"Name '{PERSON}' is already used.")
    for field in FIELDS:
        assert admin("POST", f"Admin/fieldManager/{PERSON}", field).status == 200
    again = admin("POST", f"Admin/fieldManager/{PERSON}", FIELDS[0])
    assert again.header("X-Status-Reason") == f"Field 'betnr' already exists in '{PERSON}'."
    role = admin(
        "POST", "Role", {"name": "kommsync", "assignmentPermission": "all", "data": SYNC_ROLE}
    ).json()
    found = admin(
        "GET", "Role?where[0][type]=equals&where[0][attribute]=name&where[0][value]=kommsync"
    ).json()
    assert [one["id"] for one in found["list"]] == [role["id"]]
    user = {
        "type": "api",
        "userName": "sync",
        "authMethod": "ApiKey",
        "rolesIds": [role["id"]],
        "isActive": True,
    }
    made = admin("POST", "User", user).json()
    assert len(made["apiKey"]) == 32
    espo.create_person(lastName="First", betnr=1)
    headers = {"X-Api-Key": made["apiKey"]}
    listed = espo.answer(request("GET", f"/api/v1/{PERSON}?select=betnr,syncStatus", headers)).json()
    assert [(row["betnr"], row["syncStatus"]) for row in listed["list"]] == [(1, "pending_sync")]
    me = espo.answer(request("GET", "/api/v1/App/user", headers)).json()
    assert me["user"]["userName"] == "sync"
    assert me["acl"]["table"][PERSON]["edit"] == "all"
    assert me["acl"]["assignmentPermission"] == "all"


def test_hmac_users_get_a_secret_and_names_are_unique(espo: EspoWorld, admin: Call) -> None:
    user = {"type": "api", "userName": "sync", "authMethod": "Hmac"}
    assert len(admin("POST", "User", user).json()["secretKey"]) == 32
    assert admin("POST", "User", user).status == 409


def test_a_wrong_field_name_is_answered_200_and_changes_nothing(espo: EspoWorld, admin: Call) -> None:
    admin("POST", "EntityManager/action/createEntity", {"name": "Beteiligte", "type": "Person"})
    for field in FIELDS:
        admin("POST", f"Admin/fieldManager/{PERSON}", field)
    before = admin("GET", f"Metadata?key=entityDefs.{PERSON}.fields").json()
    assert admin("PUT", f"Admin/fieldManager/{PERSON}/nope", {"maxLength": 99}).status == 200
    assert admin("GET", f"Metadata?key=entityDefs.{PERSON}.fields").json() == before
    options = {"options": list(SYNC_STATUSES)}
    admin("PUT", f"Admin/fieldManager/{PERSON}/syncStatus", options)
    shown = admin("GET", f"Metadata?key=entityDefs.{PERSON}.fields.syncStatus").json()
    assert (shown["options"], shown["default"]) == (list(SYNC_STATUSES), "pending_sync")
    assert before["kommunikationHash"] == {"type": "varchar", "maxLength": 16}


def test_switches_of_the_entity_manager(espo: EspoWorld, admin: Call) -> None:
    admin("POST", "EntityManager/action/createEntity", {"name": "Beteiligte", "type": "Person"})
    key = f"Metadata?key=entityDefs.{PERSON}.optimisticConcurrencyControl"
    assert admin("GET", key).body == b""
    change = {"name": PERSON, "optimisticConcurrencyControl": True}
    assert admin("POST", "EntityManager/action/updateEntity", change).json() is True
    assert admin("GET", key).json() is True
    assert admin("POST", "EntityManager/action/updateEntity", {"name": "CNope"}).status == 404
    assert admin("POST", "Admin/fieldManager/CNope", FIELDS[0]).status == 404
    assert admin("POST", "Admin/rebuild", {}).json() is True


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "EntityManager/action/createEntity"),
        ("POST", f"Admin/fieldManager/{PERSON}"),
        ("POST", "Admin/rebuild"),
        ("POST", "Role"),
        ("PUT", "Settings"),
    ],
)
def test_an_api_user_may_set_up_nothing(clock: Clock, method: str, target: str) -> None:
    world = EspoWorld(clock, random.Random(1))
    headers = world.headers(world.api_user)
    assert world.answer(request(method, f"/api/v1/{target}", headers, {"name": "X"})).status == 403


def test_metadata_hides_what_one_may_not_read(clock: Clock) -> None:
    world = EspoWorld(clock, random.Random(1))
    world.api_user.roles[0].data = {}
    answer = world.answer(
        request("GET", f"/api/v1/Metadata?key=entityDefs.{PERSON}.fields", world.headers(world.api_user))
    )
    assert (answer.status, answer.body) == (200, b"")


def test_users_one_may_see(clock: Clock) -> None:
    world = EspoWorld(clock, random.Random(1))
    headers = world.headers(world.api_user)

    def get(target: str) -> Answer:
        return world.answer(request("GET", f"/api/v1/{target}", headers))

    assert get("User").json()["total"] == 3
    assert get(f"User/{world.human.id}").json()["phoneNumberData"] == []
    assert get("User/nobody").status == 404
    world.api_user.roles[0].data = {}
    assert get("User").json()["total"] == 1
    assert get(f"User/{world.human.id}").header("X-Status-Reason") == "No 'read' access."


def test_bad_roles_are_refused(admin: Call) -> None:
    assert admin("POST", "Role", {"name": "x", "mentionPermission": "yes"}).status == 400
    bad = {"name": "x", "data": {"ActionHistoryRecord": {"read": "all"}}}
    assert (
        admin("POST", "Role", bad).header("X-Status-Reason")
        == "Bad data. Scope *ActionHistoryRecord* is not allowed."
    )
