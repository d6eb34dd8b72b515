"""Runbooks: each alert has its page with the same four parts, and each kommsync command in it exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
NO_ALERTS = {"README", "Restore"}
PARTS = ["What it means", "How to see it", "What to do", "How to know that it is over"]


def _alerts() -> set[str]:
    text = (ROOT / "deploy" / "prometheus" / "rules" / "kommsync.alerts.yml").read_text()
    return {rule["alert"] for group in yaml.safe_load(text)["groups"] for rule in group["rules"]}


def test_each_alert_has_its_page_and_each_page_its_alert() -> None:
    assert {page.stem for page in PAGES} - NO_ALERTS == _alerts()


def test_the_table_of_contents_is_complete() -> None:
    contents = (ROOT / "docs" / "runbooks" / "README.md").read_text()
    assert [page.name for page in PAGES if page.stem != "README" and f"({page.name})" not in contents] == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.stem not in NO_ALERTS], ids=lambda page: page.stem
)
def test_a_page_has_four_parts(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    assert "kommsync" in text.split("## How to see it")[1].split("## What to do")[0]


def _commands(text: str) -> Iterator[list[str]]:
    """The words after `kommsync` of each command, in code blocks and between backticks."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    for code in [*lines, *re.findall(r"`(kommsync [^`]+)`", text)]:
        command = re.match(r"(?:sudo )?kommsync ((?!@|…)[^#|]+)", code)
        if command:
            yield shlex.split(command[1])


def _missing(program: Any, words: list[str]) -> str | None:
    """What of a command does not exist: a name or an option."""
    command = program
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    if command is program:
        return words[0]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    wrong = [word for word in words if word.startswith("--") and word not in options]
    takes_arguments = any(parameter.param_type_name == "argument" for parameter in command.params)
    if words and not wrong and not words[0].startswith("--") and not takes_arguments:
        return words[0]
    return wrong[0] if wrong else None


@pytest.mark.parametrize("page", [*PAGES, ROOT / "deploy" / "README.md"], ids=lambda page: page.stem)
def test_each_command_in_it_exists(page: Path) -> None:
    from daemon.cli.root import app

    program = typer.main.get_command(app)
    wrong = {
        " ".join(words): missing
        for words in _commands(page.read_text())
        if (missing := _missing(program, words))
    }
    assert wrong == {}


def test_an_invented_command_would_be_noticed() -> None:
    from daemon.cli.root import app

    program = typer.main.get_command(app)
    found = list(_commands("```sh\nkommsync frobnicate 7   # no\n```\nor `kommsync list --stat failed`"))
    assert [_missing(program, words) for words in found] == ["frobnicate", "--stat"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^):]+\.md)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
