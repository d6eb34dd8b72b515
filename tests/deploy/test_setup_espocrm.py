# ruff: noqa: ASYNC240 - a few bytes in a temporary folder
"""The set-up script against a simulated EspoCRM on real HTTP: looks first, changes once, believes no 200."""

from __future__ import annotations

import json
import random
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import CompletedProcess

import anyio
import pytest

from daemon.simulators.espocrm import EspoWorld
from daemon.simulators.espocrm_fields import FieldDef, person_entity
from daemon.simulators.face import serve
from daemon.simulators.wire import Answer, Request

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "espocrm" / "setup_espocrm.py"
NOON = 1_795_320_000.0
Run = Callable[..., Awaitable[CompletedProcess[bytes]]]


class Forgetful:
    """Answers 200 to a new field and does nothing, as EspoCRM does for a wrong name."""

    def __init__(self, world: EspoWorld) -> None:
        self._world = world

    def answer(self, request: Request) -> Answer:
        if request.method == "POST" and "/Admin/fieldManager/" in request.path:
            return Answer(200, {"Content-Type": "application/json"}, b"{}")
        return self._world.answer(request)


@pytest.fixture
def world() -> EspoWorld:
    return EspoWorld(lambda: NOON, random.Random(7), fresh=True)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "api_key"


@asynccontextmanager
async def _script(world: EspoWorld | Forgetful, key_file: Path) -> AsyncIterator[Run]:
    async with serve(world, lambda: NOON) as url:

        async def run(
            *options: str, admin: str = "admin", password: str = "admin-password"
        ) -> CompletedProcess[bytes]:
            return await anyio.run_process(
                [
                    sys.executable,
                    str(SCRIPT),
                    "--url",
                    url,
                    "--admin",
                    admin,
                    "--key-file",
                    str(key_file),
                    *options,
                ],
                env={"ESPOCRM_ADMIN_PASSWORD": password},
                check=False,
            )

        yield run


def _written(world: EspoWorld) -> int:
    return sum(count for (method, _), count in world.counts.items() if method != "GET")


async def test_a_dry_run_tells_and_changes_nothing(world: EspoWorld, key_file: Path) -> None:
    async with _script(world, key_file) as run:
        done = await run()
    assert done.returncode == 0
    assert b"would: create the entity CBeteiligte" in done.stdout
    assert b"12 changes would be made" in done.stdout
    assert _written(world) == 0
    assert not key_file.exists()


async def test_a_fresh_instance_is_ready_after_one_run_and_untouched_by_the_next(
    world: EspoWorld, key_file: Path
) -> None:
    async with _script(world, key_file) as run:
        assert (await run("--apply")).returncode == 0
        written = _written(world)
        again = await run("--apply")
    assert b"Nothing to do" in again.stdout
    assert _written(world) == written
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    key = key_file.read_text().strip()
    assert key.encode() not in again.stdout


async def test_the_new_user_has_the_rights_that_a_sync_needs(world: EspoWorld, key_file: Path) -> None:
    async with _script(world, key_file) as run:
        await run("--apply")
    key = key_file.read_text().strip()
    answer = world.answer(Request.of("GET", "/api/v1/App/user", {"X-Api-Key": key}, b""))
    acl = json.loads(answer.body)["acl"]
    assert acl["assignmentPermission"] == "all"
    assert (acl["table"]["CBeteiligte"]["edit"], acl["table"]["CBeteiligte"]["delete"]) == ("all", "no")
    assert (acl["table"]["Task"]["create"], acl["table"]["User"]["read"]) == ("yes", "all")


async def test_what_is_there_is_extended_and_never_made_smaller(world: EspoWorld, key_file: Path) -> None:
    entity = person_entity()
    entity.fields["syncStatus"] = FieldDef("enum", options=["ours", "clean"], default="ours")
    entity.fields["kommunikationHash"] = FieldDef("varchar", max_length=64)
    world.entities[entity.name] = entity
    async with _script(world, key_file) as run:
        assert (await run("--apply")).returncode == 0
    status = entity.fields["syncStatus"]
    assert status.options is not None
    assert status.options[:2] == ["ours", "clean"]
    assert {"pending_sync", "conflict", "deleted_in_advoware"} <= set(status.options)
    assert status.default == "ours"
    assert entity.fields["kommunikationHash"].max_length == 64


async def test_a_field_of_another_type_is_reported_and_left_alone(world: EspoWorld, key_file: Path) -> None:
    entity = person_entity()
    entity.fields["betnr"] = FieldDef("varchar", max_length=20)
    world.entities[entity.name] = entity
    async with _script(world, key_file) as run:
        done = await run("--apply")
    assert done.returncode == 3
    assert b"betnr is a field of type varchar, needed is int" in done.stderr
    assert entity.fields["betnr"].type == "varchar"


async def test_a_role_with_fewer_rights_gets_them(world: EspoWorld, key_file: Path) -> None:
    async with _script(world, key_file) as run:
        await run("--apply")
        (role,) = world.accounts.roles.values()
        role.data = {**role.data, "CBeteiligte": {"read": "own"}, "Account": {"read": "all"}}
        done = await run("--apply")
    assert b"give the role kommsync the rights that it lacks: CBeteiligte" in done.stdout
    assert role.data["CBeteiligte"]["edit"] == "all"
    assert role.data["Account"] == {"read": "all"}


async def test_a_200_that_did_nothing_is_found_out(world: EspoWorld, key_file: Path) -> None:
    async with _script(Forgetful(world), key_file) as run:
        done = await run("--apply")
    assert done.returncode == 3
    assert b"EspoCRM answered 200 but did not create the field betnr" in done.stderr


@pytest.mark.parametrize(
    ("admin", "password", "code", "says"),
    [
        ("admin", "mistyped", 1, b"refuses the login"),
        ("human1", "human-password", 2, b"is no administrator"),
    ],
)
async def test_the_wrong_login(
    world: EspoWorld, key_file: Path, admin: str, password: str, code: int, says: bytes
) -> None:
    async with _script(world, key_file) as run:
        done = await run("--apply", admin=admin, password=password)
    assert (done.returncode, says in done.stderr) == (code, True)
    assert password.encode() not in done.stderr + done.stdout
    assert _written(world) == 0


async def test_no_user_is_made_whose_key_cannot_be_kept(world: EspoWorld, key_file: Path) -> None:
    key_file.write_text("another key\n")
    async with _script(world, key_file) as run:
        done = await run("--apply")
    assert done.returncode == 1
    assert b"The user was not created" in done.stderr
    assert key_file.read_text() == "another key\n"
    assert "kommsync" not in {user.user_name for user in world.accounts.users.values()}


async def test_a_password_does_not_travel_in_the_clear(key_file: Path) -> None:
    done = await anyio.run_process(
        [sys.executable, str(SCRIPT), "--url", "http://crm.example.com", "--admin", "admin"],
        env={"ESPOCRM_ADMIN_PASSWORD": "x"},
        check=False,
    )
    assert done.returncode == 2
    assert b"--allow-http" in done.stderr
