"""Everything that must hold, in one command: `python tests/run.py`; the README's test line ends in it.

Style, types, all tests with the layers among them, coverage, and the wheel: installed into an empty environment outside
the repository it must run the demo to a good end. All steps run even if one fails; the exit code is 0 only if none did.
"""

import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHON = (sys.executable, "-m")
DEMO_SECONDS = 20


def call(*command: str, cwd: Path = ROOT) -> bool:
    return subprocess.run(command, cwd=cwd, check=False).returncode == 0


def tests() -> bool:
    return call(*PYTHON, "pytest", "--cov", "--cov-report=", *sys.argv[1:])


def coverage() -> bool:
    """Branches of the core: all; of the shell: nine tenths."""
    core = call(*PYTHON, "coverage", "report", "--include=statemachine/*", "--fail-under=100")
    shell = call(*PYTHON, "coverage", "report", "--include=daemon/*", "--fail-under=90")
    return core and shell


def demo() -> bool:
    """The wheel in an environment that has nothing else, started from a directory that is not ours."""
    with tempfile.TemporaryDirectory(prefix="kommsync-") as name:
        outside = Path(name)
        if not call(*PYTHON, "build", "--wheel", "--outdir", str(outside / "dist")):
            return False
        venv.create(outside / "venv", with_pip=True)
        programs = outside / "venv" / "bin"
        (wheel,) = (outside / "dist").glob("*.whl")
        installed = call(str(programs / "python"), "-m", "pip", "install", "--quiet", str(wheel), cwd=outside)
        command = (str(programs / "kommsync"), "demo", "--seconds", str(DEMO_SECONDS))
        return installed and call(*command, cwd=outside)


STEPS: Sequence[tuple[str, Callable[[], bool]]] = (
    ("style", lambda: call(*PYTHON, "ruff", "check")),
    ("format", lambda: call(*PYTHON, "ruff", "format", "--check")),
    ("types", lambda: call(*PYTHON, "mypy")),
    ("tests", tests),
    ("coverage", coverage),
    ("demo from the wheel", demo),
)


def main() -> int:
    failed = []
    os.environ.pop("PYTHONPATH", None)
    for name, step in STEPS:
        print(f"\n=== {name}", flush=True)
        began = time.monotonic()
        if not step():
            failed.append(name)
        print(
            f"=== {name}: {'FAILED' if name in failed else 'ok'}, {time.monotonic() - began:.0f} s",
            flush=True,
        )
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall good")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
