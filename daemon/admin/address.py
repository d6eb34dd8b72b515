"""Where the daemon's web face is: told to other commands by a small file beside the store.

Written by ``run``, because its port may be any free one; read by ``status``. It may be older than the daemon, so it
counts only while the store has an owner.
"""

from __future__ import annotations

from pathlib import Path

from daemon.store import StoreInUse, owner_of

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - read, not bound


def refuse_second(store: Path) -> None:
    """A second daemon would meet the first one's port before its store, and could only say that a port is taken.
    Raises StoreInUse, naming the process."""
    if (owner := owner_of(store)) is not None:
        raise StoreInUse(f"{store} belongs to {owner}: stop it first (systemctl stop kommsync)")


def publish(store: Path, host: str, port: int) -> str:
    """The address for commands of this machine. A file that cannot be written costs only their knowing it."""
    name = _EVERYWHERE.get(host, f"[{host}]" if ":" in host else host)
    address = f"http://{name}:{port}/"
    try:
        file_of(store).write_text(address, encoding="utf-8")
    except OSError:
        return address
    return address


def find(store: Path) -> str | None:
    """None when no daemon runs on this store, or when it has not told."""
    if owner_of(store) is None:
        return None
    try:
        return file_of(store).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def file_of(store: Path) -> Path:
    """Beside the store, so that it lives where the daemon may write."""
    return store.with_name(f"{store.name}-web")
