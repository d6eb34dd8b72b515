"""Tasks and the rights they need (facts: EspoCRM §11)."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.simulators.espocrm import EspoWorld
from daemon.simulators.espocrm_fields import PERSON
from tests.daemon.simulators.worlds import Call


@pytest.fixture
def task(espo: EspoWorld) -> dict[str, Any]:
    parent = espo.create_person(firstName="C", lastName="ModAt")
    return {"name": "Sync", "parentType": PERSON, "parentId": parent, "assignedUserId": espo.human.id}


def test_created_found_and_closed(espo: EspoWorld, call: Call, task: dict[str, Any]) -> None:
    before = espo.person(task["parentId"])
    made = call("POST", "Task", task).json()
    assert (made["status"], made["parentName"], made["assignedUserName"]) == (
        "Not Started",
        "C ModAt",
        "Hanna Human",
    )
    assert espo.person(task["parentId"]) == before
    open_ones = (
        f"Task?whereGroup[0][type]=equals&whereGroup[0][attribute]=parentId&whereGroup[0][value]={task['parentId']}"
        "&whereGroup[1][type]=notIn&whereGroup[1][attribute]=status"
        "&whereGroup[1][value][0]=Completed&whereGroup[1][value][1]=Canceled&select=id,status,parentId"
    )
    assert [row["id"] for row in call("GET", open_ones).json()["list"]] == [made["id"]]
    closed = call("PUT", f"Task/{made['id']}", {"status": "Completed"}).json()
    assert closed["dateCompleted"] == closed["modifiedAt"]
    assert call("GET", open_ones).json()["total"] == 0
    assert call("GET", f"Task/{made['id']}").json()["status"] == "Completed"
    assert len(espo.tasks.rows()) == 1


def test_there_is_no_duplicate_check(espo: EspoWorld, call: Call, task: dict[str, Any]) -> None:
    assert call("POST", "Task", task).json()["id"] != call("POST", "Task", task).json()["id"]


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        (
            {"assignedUserId": None},
            400,
            "Field validation failure; entityType: Task, field: assignedUser, type: required.",
        ),
        ({"status": "Foo"}, 400, "Field validation failure; entityType: Task, field: status, type: valid."),
        ({"name": ""}, 400, "Field validation failure; entityType: Task, field: name, type: required."),
        ({"parentId": "6b0"}, 403, "Can't relate with non-existing record. entity type: Task, link: parent."),
    ],
)
def test_refused(call: Call, task: dict[str, Any], change: dict[str, Any], status: int, reason: str) -> None:
    answer = call("POST", "Task", {**task, **change})
    assert (answer.status, answer.header("X-Status-Reason")) == (status, reason)


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("assignment", "Assignment failure: assigned user or team not allowed."),
        ("users", "No foreign record access for link operation (Task:assignedUser)."),
        ("create", "No create access."),
    ],
)
def test_missing_rights(espo: EspoWorld, call: Call, task: dict[str, Any], missing: str, reason: str) -> None:
    role = espo.api_user.roles[0]
    data = {scope: dict(rights) for scope, rights in role.data.items()}
    if missing == "assignment":
        role.permissions = {}
    elif missing == "users":
        del data["User"]
    else:
        data["Task"]["create"] = "no"
    role.data = data
    answer = call("POST", "Task", task)
    assert (answer.status, answer.header("X-Status-Reason")) == (403, reason)


def test_edit_own_does_not_cover_the_secretary_s_task(
    espo: EspoWorld, call: Call, task: dict[str, Any]
) -> None:
    made = call("POST", "Task", task).json()
    role = espo.api_user.roles[0]
    role.data = {**role.data, "Task": {**role.data["Task"], "edit": "own"}}
    assert (
        call("PUT", f"Task/{made['id']}", {"status": "Completed"}).header("X-Status-Reason")
        == "No edit access."
    )


def test_unknown_tasks(espo: EspoWorld, call: Call) -> None:
    assert call("GET", "Task/x").status == 404
    assert call("PUT", "Task/x", {}).status == 404
    assert call("DELETE", "Task/x").status == 403
    assert call("DELETE", "Task/x", user=espo.admin).status == 404
