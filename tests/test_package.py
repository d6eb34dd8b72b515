"""What travels: the wheel and the source archive hold our two packages with their data, and nothing else.

``tests/run.py`` goes on from here: it installs the wheel into an empty environment and runs the demo from there.
"""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATA = {".sql", ".j2", ".html", ".css", ".js", ".svg", ".ico"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def build(kind: str, target: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (archive,) = target.iterdir()
    return archive


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel")))


def ours() -> set[str]:
    """Every module and data file of the two packages."""
    files = [path for package in ("daemon", "statemachine") for path in (ROOT / package).rglob("*")]
    return {str(path.relative_to(ROOT)) for path in files if path.suffix in DATA | {".py"} | {".typed"}}


def test_the_wheel_holds_our_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == ours()


def test_the_wheel_brings_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    info = {name.partition(".dist-info/")[2]: name for name in wheel.namelist() if ".dist-info/" in name}
    assert b"kommsync = daemon.cli:main" in wheel.read(info["entry_points.txt"])
    assert wheel.read(info["licenses/LICENSE"]).startswith(b"MIT License")
    metadata = wheel.read(info["METADATA"]).decode()
    assert "Name: kommsync\n" in metadata
    assert "Requires-Python: >=3.11\n" in metadata


def test_the_source_archive_holds_what_building_and_testing_need(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= ours() | {
        "pyproject.toml",
        "LICENSE",
        "CHANGELOG.md",
        "tests/run.py",
        "tests/test_package.py",
    }
    assert {name.partition("/")[0] for name in names} <= {
        "daemon",
        "statemachine",
        "tests",
        "deploy",
        "docs",
        "pyproject.toml",
        "LICENSE",
        "CHANGELOG.md",
        "README.md",
        "PKG-INFO",
        ".gitignore",
    }


def imported() -> set[str]:
    found: set[str] = set()
    for package in ("daemon", "statemachine"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"daemon", "statemachine"}


def test_every_import_is_a_declared_dependency_and_every_dependency_is_imported() -> None:
    providers = importlib.metadata.packages_distributions()
    used = {re.sub("[-_.]+", "-", providers[name][0]).lower() for name in imported()}
    declared = {re.split("[<>=!~ ]", line)[0].lower() for line in PROJECT["dependencies"]}
    assert used == declared


def test_the_test_line_of_the_readme_is_what_ci_runs() -> None:
    (line,) = re.findall(
        r"^python3 -m venv .*run\.py$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert line in (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_is_a_script_that_bash_understands() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)
    subprocess.run(["bash", "-n", str(ROOT / ".ci/run")], check=True)
