"""This machine: Python's packages, SQLite, the store's directory and its disk.

Called by :mod:`daemon.check.doctor`; asks nobody else.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from daemon.check.finding import Finding, fine, judged, prevent, warn
from daemon.settings import Settings
from daemon.store.database import wal_is_safe

#: What python-daemon and python-statemachine are imported as, too.
_OURS = ("daemon", "statemachine")
_OLDEST_SQLITE = (3, 37, 0)
_LITTLE_DISK, _NO_DISK = 1 << 30, 64 << 20
#: File systems on which SQLite's locks cannot be trusted (sqlite.org, "How To Corrupt").
_NETWORKS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs"}
)


def examine(settings: Settings) -> Iterator[Finding]:
    """In the order in which one would mend it."""
    yield from intruders(packages_distributions())
    yield sqlite(sqlite3.sqlite_version_info)
    directory = settings.store.path.resolve().parent
    yield from _directory(directory)


def intruders(distributions: dict[str, list[str]] | object) -> Iterator[Finding]:
    """Another distribution with the same import name would be imported instead of ours, or be broken by ours."""
    known = distributions if isinstance(distributions, dict) else {}
    others = sorted({one for name in _OURS for one in known.get(name, []) if one != "kommsync"})
    yield judged(
        "import names",
        not others,
        f"also installed here: {', '.join(others)}" if others else "daemon and statemachine are ours",
        f"Install kommsync into a virtual environment of its own, or: pip uninstall {' '.join(others)}",
    )


def sqlite(version: tuple[int, ...]) -> Finding:
    """STRICT tables need 3.37; a write-ahead log is used only where it is safe."""
    text = ".".join(map(str, version))
    if version < _OLDEST_SQLITE:
        return prevent(
            "SQLite", f"version {text}", "Install a Python that is linked with SQLite 3.37 or later."
        )
    mode = (
        "write-ahead log"
        if wal_is_safe(version)
        else "rollback journal: this SQLite's write-ahead log has a bug"
    )
    return fine("SQLite", f"version {text}, {mode}")


def _directory(directory: Path) -> Iterator[Finding]:
    what = "store directory"
    if not directory.is_dir():
        yield prevent(
            what, f"{directory} does not exist", f"Make it: mkdir -p {directory}, or set store.path."
        )
        return
    writable = os.access(directory, os.W_OK | os.X_OK)
    yield judged(
        what, writable, f"{directory} is {'' if writable else 'not '}writable",
        "Run this as the user of the service, or give the directory to him.",
    )  # fmt: skip
    yield file_system(directory, Path("/proc/self/mounts"))
    yield disk(shutil.disk_usage(directory).free)


def disk(free: int) -> Finding:
    """``free``: bytes."""
    detail, remedy = f"{free // (1 << 20)} MB free", "Make room, or set store.path to a larger disk."
    if free < _NO_DISK:
        return prevent("disk", detail, remedy)
    return warn("disk", detail, remedy) if free < _LITTLE_DISK else fine("disk", detail)


def file_system(directory: Path, mounts: Path) -> Finding:
    """By the longest mount point above the directory."""
    kind = _kind_of(directory, mounts)
    return judged(
        "file system",
        kind not in _NETWORKS,
        f"{directory} is on {kind}",
        "Set store.path to a local disk: SQLite's locks do not work over a network.",
    )


def _kind_of(directory: Path, mounts: Path) -> str:
    try:
        lines = [line.split() for line in mounts.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return "an unknown file system"
    above = [
        (len(point), kind)
        for _, point, kind, *_ in lines
        if directory == Path(point) or Path(point) in directory.parents
    ]
    return max(above, default=(0, "an unknown file system"))[1]
