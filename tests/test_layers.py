"""statemachine decides, daemon does: the direction of imports, and what the core may know at all."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = sorted((ROOT / "statemachine").rglob("*.py"))
LIBRARIES = {"phonenumbers", "transitions"}
#: Whatever awaits, does I/O, reads a clock, rolls dice or logs.
IMPURE = {
    "asyncio",
    "concurrent",
    "http",
    "io",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "queue",
    "random",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
    "warnings",
    "zoneinfo",
}
PURE = (set(sys.stdlib_module_names) - IMPURE) | LIBRARIES | {"statemachine"}


def imported(source: str) -> Iterator[str]:
    """The top-level package of every import, those within functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0] if node.level == 0 else "a relative import"


def impurities(source: str) -> set[str]:
    """What a module of the core must not hold."""
    nodes = list(ast.walk(ast.parse(source)))
    found = set(imported(source)) - PURE
    found |= {type(node).__name__ for node in nodes if isinstance(node, ast.AsyncFunctionDef | ast.Await)}
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    found |= {
        call.id for call in calls if isinstance(call, ast.Name) and call.id in {"open", "print", "input"}
    }
    clock = {"now", "utcnow", "today"}
    return found | {call.attr for call in calls if isinstance(call, ast.Attribute) and call.attr in clock}


def test_imports_run_downwards_and_every_module_has_its_place() -> None:
    """The contracts stand in pyproject.toml, ``[tool.importlinter]``; exhaustive, so a new file must be added there.
    In a process of its own: the linter silences every logger that there is."""
    ask = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    told = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_the_core_is_pure(path: Path) -> None:
    assert impurities(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from os import path",
        "import daemon.config",
        "import pydantic",
        "def f():\n    import logging",
        "from . import diff",
        "async def f(): ...",
        "open('x')",
        "datetime.now()",
    ],
)
def test_an_impurity_would_be_found(source: str) -> None:
    assert impurities(source)


def test_every_module_says_what_it_is() -> None:
    modules = [*CORE, *(ROOT / "daemon").rglob("*.py")]
    silent = [path for path in modules if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []


def test_no_package_below_tests_shadows_ours() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_no_module_is_named_like_the_standard_library() -> None:
    ours = {path.stem for package in ("daemon", "statemachine") for path in (ROOT / package).rglob("*.py")}
    assert ours & set(sys.stdlib_module_names) == set()
