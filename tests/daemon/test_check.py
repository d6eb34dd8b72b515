"""The doctor: a healthy firm has nothing to mend; each thing that can be wrong is named, with its remedy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from daemon.check import Finding, examine, machine, verdict
from daemon.check import espocrm as espocrm_check
from daemon.check.finding import Result
from daemon.demo.firm import open_firm
from daemon.ports import EspocrmFacts
from daemon.simulators.espocrm_fields import PERSON
from tests.daemon.firms import Office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_firm(1, seed=3) as firm:
        yield Office(firm, tmp_path)


def bad(findings: list[Finding]) -> dict[str, Result]:
    return {one.what: one.result for one in findings if one.result is not Result.FINE}


# --- both sides -----------------------------------------------------------------------------------------------------


async def test_a_healthy_firm_has_nothing_to_mend(office: Office) -> None:
    findings = await examine(office.settings)
    assert bad([one for one in findings if one.what != "disk"]) == {}
    assert verdict(findings) == 0
    said = " ".join(one.what for one in findings)
    for what in (
        "configuration", "import names", "SQLite", "disk", "daemon", "EspoCRM", "Advoware", "sync fields",
        "options of syncStatus", "phone types", "phoneNumberInternational", "optimistic concurrency", "right to edit",
        "clock of EspoCRM", "clock of Advoware", "notices",
    ):  # fmt: skip
        assert what in said
    assert office.writes() == 0


async def test_refused_credentials_prevent_and_are_not_tried_twice(office: Office) -> None:
    wrong = office.settings.advoware.model_copy(update={"password": SecretStr("qwertz")})
    findings = await examine(office.settings.model_copy(update={"advoware": wrong}))
    assert bad(findings)["Advoware"] is Result.PREVENTS
    assert verdict(findings) == 3
    found = next(one for one in findings if one.what == "Advoware")
    assert "credentials" in found.remedy
    assert "qwertz" not in found.detail
    assert office.firm.advoware.office.failures == 1


async def test_a_side_that_is_down_prevents(office: Office) -> None:
    office.firm.advoware.manners.manager_offline = True
    office.firm.espocrm.settings["maintenanceMode"] = True
    findings = await examine(office.settings)
    assert bad(findings) | {"Advoware": Result.PREVENTS, "EspoCRM": Result.PREVENTS} == bad(findings)
    assert all(one.remedy for one in findings if one.result is Result.PREVENTS)
    assert not [one for one in findings if one.what.startswith("clock of")]


async def test_rights_and_fields_are_those_of_the_role_and_the_entity(office: Office) -> None:
    role = office.firm.espocrm.api_user.roles[0]
    role.data = {
        **role.data,
        "CBeteiligte": {**role.data["CBeteiligte"], "edit": "no"},
        "Task": {"create": "no"},
    }
    del office.firm.espocrm.entities[PERSON].fields["kommunikationHash"]
    findings = await examine(office.settings)
    found = bad(findings)
    assert found["right to edit CBeteiligte"] is Result.PREVENTS
    assert found["CBeteiligte: sync fields"] is Result.WARNING
    assert found["notices as Tasks"] is Result.WARNING
    details = " ".join(one.detail for one in findings)
    assert "kommunikationHash" in details
    assert "Task: create yes" in details


async def test_an_entity_that_is_not_there_prevents(office: Office) -> None:
    other = office.settings.espocrm.model_copy(update={"entity": "CAndere"})
    findings = await examine(office.settings.model_copy(update={"espocrm": other}))
    assert bad(findings)["CAndere: arrays and betnr"] is Result.PREVENTS


async def test_a_store_in_a_missing_directory_prevents(office: Office, tmp_path: Path) -> None:
    lost = office.settings.store.model_copy(update={"path": tmp_path / "no" / "s.sqlite3"})
    findings = await examine(office.settings.model_copy(update={"store": lost}))
    assert bad(findings)["store directory"] is Result.PREVENTS
    assert bad(findings)["store"] is Result.PREVENTS


# --- EspoCRM's facts ------------------------------------------------------------------------------------------------

FACTS = EspocrmFacts(
    user_id="1",
    version="9.2.7",
    fields={
        "emailAddress": {},
        "phoneNumber": {},
        "betnr": {"type": "int"},
        "syncStatus": {"type": "enum", "options": list(espocrm_check.STATUSES)},
        "advowareLastSync": {"type": "datetime"},
        "kommunikationHash": {"type": "varchar", "maxLength": 16},
        "syncErrorMessage": {"type": "text"},
        "syncRetryCount": {"type": "int"},
        "syncNextRetry": {"type": "datetime"},
        "syncAutoResetAt": {"type": "datetime"},
    },
    phone_types=espocrm_check.PHONE_TYPES,
    international=True,
    extensions=False,
    max_phones=10,
    max_emails=10,
    list_limit=200,
    optimistic_concurrency=True,
    entity_rights={"read": "all", "edit": "all"},
)


def with_fields(**fields: dict[str, object]) -> EspocrmFacts:
    return replace(FACTS, fields={**FACTS.fields, **fields})


@pytest.mark.parametrize(
    ("facts", "what", "result"),
    [
        (replace(FACTS, international=False), "phoneNumberInternational", Result.WARNING),
        (
            replace(FACTS, optimistic_concurrency=False),
            "CBeteiligte: optimistic concurrency control",
            Result.WARNING,
        ),
        (replace(FACTS, phone_types=("Mobile",)), "CBeteiligte: phone types", Result.WARNING),
        (replace(FACTS, max_phones=5), "entries per record", Result.WARNING),
        (
            replace(FACTS, entity_rights={"read": "all", "edit": "own"}),
            "right to edit CBeteiligte",
            Result.WARNING,
        ),
        (replace(FACTS, entity_rights={}), "right to read CBeteiligte", Result.PREVENTS),
        (replace(FACTS, fields={"betnr": {"type": "int"}}), "CBeteiligte: arrays and betnr", Result.PREVENTS),
        (with_fields(betnr={"type": "varchar"}), "CBeteiligte: type of betnr", Result.WARNING),
        (with_fields(syncStatus={"type": "varchar"}), "CBeteiligte: type of syncStatus", Result.WARNING),
        (
            with_fields(syncStatus={"type": "enum", "options": ["clean"]}),
            "CBeteiligte: options of syncStatus",
            Result.WARNING,
        ),
        (
            with_fields(kommunikationHash={"type": "varchar", "maxLength": 8}),
            "CBeteiligte: kommunikationHash",
            Result.WARNING,
        ),
        (replace(FACTS, task_rights_missing=("Task: create yes",)), "notices as Tasks", Result.WARNING),
    ],
)
async def test_each_shortcoming_is_named_with_a_remedy(
    office: Office, facts: EspocrmFacts, what: str, result: Result
) -> None:
    assert bad(list(espocrm_check.examine(FACTS, office.settings))) == {}
    findings = list(espocrm_check.examine(facts, office.settings))
    assert bad(findings)[what] is result
    assert all(one.remedy for one in findings if one.result is not Result.FINE)


async def test_notices_can_be_left_out(office: Office) -> None:
    for update, result in (
        ({"notice_user_id": None, "notices": "none"}, Result.WARNING),
        ({"notices": "none"}, Result.FINE),
    ):
        section = office.settings.espocrm.model_copy(update=update)
        findings = espocrm_check.examine(FACTS, office.settings.model_copy(update={"espocrm": section}))
        assert next(one for one in findings if one.what == "notices as Tasks").result is result


async def test_fields_that_are_not_to_be_written_are_not_asked_for(office: Office) -> None:
    section = office.settings.espocrm.model_copy(update={"write_status_fields": False})
    few = replace(
        FACTS, fields={name: FACTS.fields[name] for name in ("emailAddress", "phoneNumber", "betnr")}
    )
    findings = list(espocrm_check.examine(few, office.settings.model_copy(update={"espocrm": section})))
    assert bad(findings) == {}


# --- this machine ---------------------------------------------------------------------------------------------------


def test_an_intruder_with_our_import_name_is_named() -> None:
    [found] = machine.intruders(
        {"daemon": ["kommsync", "python-daemon"], "statemachine": ["python-statemachine"]}
    )
    assert found.result is Result.PREVENTS
    assert "pip uninstall python-daemon python-statemachine" in found.remedy
    [found] = machine.intruders({"daemon": ["kommsync"]})
    assert found.result is Result.FINE


@pytest.mark.parametrize(
    ("version", "result", "said"),
    [
        ((3, 36, 0), Result.PREVENTS, "3.36.0"),
        ((3, 40, 1), Result.FINE, "rollback journal"),
        ((3, 51, 3), Result.FINE, "write-ahead log"),
    ],
)
def test_sqlite_is_judged_by_its_version(version: tuple[int, ...], result: Result, said: str) -> None:
    found = machine.sqlite(version)
    assert (found.result, said in found.detail) == (result, True)


@pytest.mark.parametrize(
    ("megabytes", "result"), [(10, Result.PREVENTS), (500, Result.WARNING), (5000, Result.FINE)]
)
def test_a_full_disk_is_told_in_time(megabytes: int, result: Result) -> None:
    assert machine.disk(megabytes << 20).result is result


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda1 / ext4 rw 0 0\nserver:/x /var/lib nfs4 rw 0 0\n")
    assert machine.file_system(Path("/var/lib/kommsync"), mounts).result is Result.PREVENTS
    assert machine.file_system(Path("/home/kommsync"), mounts).result is Result.FINE
    assert "unknown" in machine.file_system(Path("/x"), tmp_path / "none").detail
