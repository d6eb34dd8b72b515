"""What EspoCRM says of itself, and the rules that follow (sync-rules §3, §11; states, change_seen)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from daemon.facts import RULES_NOTE, Facts
from daemon.ports import EspocrmFacts
from daemon.rulebook import STATUS_FIELDS, rules_for
from daemon.settings import Settings
from daemon.store import StoreTrouble
from statemachine.errors import SideDown
from statemachine.model import Side
from tests.daemon.firm import Office

FACTS = EspocrmFacts(
    user_id="u",
    version="9.2.7",
    fields={
        "syncStatus": {"type": "enum", "options": ["clean", "failed"]},
        "kommunikationHash": {},
        "betnr": {},
    },
    phone_types=("Office", "Mobile"),
    international=False,
    extensions=True,
    max_phones=5,
    max_emails=6,
    list_limit=200,
    optimistic_concurrency=False,
)


class Crm:
    def __init__(self) -> None:
        self.told: EspocrmFacts | Exception = FACTS

    async def facts(self) -> EspocrmFacts:
        if isinstance(self.told, Exception):
            raise self.told
        return self.told


class Book:
    def __init__(self) -> None:
        self.notes: dict[str, str | None] = {}
        self.asked: list[str] = []

    async def get_note(self, name: str) -> str | None:
        return self.notes.get(name)

    async def set_note(self, name: str, value: str | None) -> None:
        self.notes[name] = value

    async def ask_all(self, reason: str) -> None:
        self.asked.append(reason)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Office(tmp_path, 0).settings()


def facts_of(settings: Settings, crm: Crm, book: Book) -> Facts:
    return Facts(settings, crm, book)  # type: ignore[arg-type]


async def test_nobody_is_synced_before_anything_is_known(settings: Settings) -> None:
    crm = Crm()
    facts = facts_of(settings, crm, Book())
    crm.told = SideDown(side=Side.ESPOCRM)
    with pytest.raises(SideDown):
        await facts.refresh()
    assert not await facts.is_open()
    with pytest.raises(SideDown):
        facts.rules()
    crm.told = FACTS
    await facts.refresh()
    assert await facts.is_open()
    assert facts.rules().acceptance.max_phones == 5


async def test_everybody_is_looked_at_again_when_the_rules_have_changed(settings: Settings) -> None:
    crm, book = Crm(), Book()
    await facts_of(settings, crm, book).refresh()
    await facts_of(settings, crm, book).refresh()
    assert book.asked == []
    crm.told = replace(FACTS, international=True)
    facts = facts_of(settings, crm, book)
    await facts.refresh()
    await facts.refresh()
    assert book.asked == ["rules_changed"]
    assert facts.rules().acceptance.international


async def test_a_crash_before_everybody_was_asked_repeats_it(settings: Settings) -> None:
    crm, book = Crm(), Book()
    await facts_of(settings, crm, book).refresh()
    before = book.notes[RULES_NOTE]

    async def crash(reason: str) -> None:
        raise OSError

    crm.told = replace(FACTS, international=True)
    asks, book.ask_all = book.ask_all, crash  # type: ignore[method-assign]
    with pytest.raises(OSError):  # noqa: PT011 - the bare one
        await facts_of(settings, crm, book).refresh()
    assert book.notes[RULES_NOTE] == before
    book.ask_all = asks  # type: ignore[method-assign]
    await facts_of(settings, crm, book).refresh()
    assert book.asked == ["rules_changed"]


async def test_trouble_of_the_store_repeats_it(settings: Settings) -> None:
    crm, book = Crm(), Book()
    facts = facts_of(settings, crm, book)
    await facts.refresh()

    async def fail(reason: str) -> None:
        raise StoreTrouble("disk full")

    crm.told = replace(FACTS, international=True)
    asks, book.ask_all = book.ask_all, fail  # type: ignore[method-assign]
    with pytest.raises(StoreTrouble):
        await facts.refresh()
    book.ask_all = asks  # type: ignore[method-assign]
    await facts.refresh()
    await facts.refresh()
    assert book.asked == ["rules_changed"]


def test_only_fields_that_are_there_and_allowed_are_written(tmp_path: Path) -> None:
    office = Office(tmp_path, 0)
    rules = rules_for(office.settings(), FACTS)
    assert rules.status_fields == {"syncStatus", "kommunikationHash"} < STATUS_FIELDS
    assert rules.status_options == {"clean", "failed"}
    silent = rules_for(office.settings(espocrm={"write_status_fields": False}), FACTS)
    assert silent.status_fields == silent.status_options == frozenset()


def test_settings_become_rules(tmp_path: Path) -> None:
    sync = {
        "direction": "to_espocrm", "extras": "remove", "conflict_policy": "manual", "type_change": "ask",
        "deletion": "delete", "empty_side": "confirm", "default_region": "AT", "phone_format": "national",
        "deletion_confirm_seconds": 1, "settle_seconds": 2, "loop_limit": 3, "loop_window_seconds": 4,
        "stale_form_seconds": 5, "late_effect_seconds": 6, "auto_reset_seconds": 7,
    }  # fmt: skip
    rules = rules_for(Office(tmp_path, 0).settings(sync=sync), FACTS)
    shown = (
        rules.direction, rules.extras, rules.conflict_policy, rules.type_change, rules.deletion, rules.empty_side,
        rules.region, rules.phone_format, rules.deletion_confirm, rules.settle, rules.loop_limit, rules.loop_window,
        rules.stale_form, rules.late_effect, rules.auto_reset,
    )  # fmt: skip
    assert shown == tuple(sync.values())
