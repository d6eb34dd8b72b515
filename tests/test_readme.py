"""The README says what the program does: every setting with its default, every command, the diagram, no broken link."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer
from pydantic_core import PydanticUndefined

from daemon.cli.root import app
from daemon.rulebook import STATUS_FIELDS
from daemon.settings import SECTIONS, Settings
from daemon.simulators.espocrm_fields import SYNC_STATUSES, sync_fields
from daemon.simulators.espocrm_login import SYNC_ROLE
from statemachine.machine import diagram

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app)


def documented() -> dict[str, str]:
    """``section.key`` → default as the README shows it."""
    part = TEXT.partition("<!-- settings:")[2].partition("<!-- end of settings -->")[0]
    found: dict[str, str] = {}
    section = ""
    for line in part.splitlines():
        if heading := re.match(r"### `\[(\w+)\]`", line):
            section = heading[1]
        elif row := re.match(r"\| `(\w+)` \| (.*?) \| .*\|$", line):
            found[f"{section}.{row[1]}"] = row[2].strip("`")
    return found


def real() -> dict[str, str]:
    """The same from the program."""
    return {
        f"{name}.{key}": shown(field.default)
        for name, section in SECTIONS.items()
        for key, field in section.model_fields.items()
    }


def shown(default: object) -> str:
    if default is PydanticUndefined or default is None:
        return "–"
    if isinstance(default, bool):
        return str(default).lower()
    return str(list(default)) if isinstance(default, tuple) else str(default)


def test_every_setting_is_there_with_its_default_and_no_other() -> None:
    assert documented() == real()


def test_the_example_configuration_is_enough() -> None:
    example = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None
    read = tomllib.loads(example[1])
    for section in read.values():
        for key in [key for key in section if key.endswith("_file")]:
            section[key.removesuffix("_file")] = "c2VjcmV0"
            del section[key]
    assert Settings(**read).sync.conflict_policy == "espocrm"


def test_the_diagram_is_drawn_from_the_table() -> None:
    assert f"```mermaid\n{diagram()}\n```" in TEXT


def test_every_command_is_there() -> None:
    names = set(COMMANDS.commands)  # type: ignore[attr-defined]
    table = TEXT.partition("## Operation")[2].partition("###")[0]
    assert {name for name in names if f"`kommsync {name}" in table} == names


@pytest.mark.parametrize(
    "line",
    sorted(
        {
            *re.findall(r"`(kommsync [^`]+)`", TEXT),
            *re.findall(r"^ *(kommsync [a-z][^&|>\n]*)", TEXT, re.MULTILINE),
        }
    ),
)
def test_commands_in_the_text_exist_with_their_options(line: str) -> None:
    _, name, *rest = shlex.split(line)
    command = COMMANDS.commands[name]  # type: ignore[attr-defined]
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= options


def test_what_must_be_set_up_in_espocrm_is_what_the_simulator_has() -> None:
    part = TEXT.partition("### What EspoCRM needs")[2].partition("###")[0]
    fields = set(re.findall(r"^\| `(\w+)` \| (?:Integer|Enum|Date-Time|Varchar|Text)", part, re.MULTILINE))
    assert fields == {*STATUS_FIELDS, "betnr"}
    assert fields <= {*sync_fields(), "betnr"}
    assert set(SYNC_STATUSES) <= set(re.findall(r"`(\w+)`", part))
    for scope, rights in SYNC_ROLE.items():
        row = next(line for line in part.splitlines() if line.startswith(f"| `{scope}`"))
        cells = [cell.strip() for cell in row.split("|")[2:-1]]
        assert cells == [rights.get(action, "–") for action in ("create", "read", "edit", "delete")]


def test_no_link_leads_nowhere() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert target.removeprefix("#") in anchors if target.startswith("#") else (ROOT / target).exists(), (
            target
        )


def test_the_two_lines_stand_near_the_top() -> None:
    top = TEXT.partition("## For your own systems")[0]
    assert "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/kommsync demo" in top
    assert (
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/python tests/run.py"
        in top
    )
