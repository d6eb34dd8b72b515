"""``backup``: a copy of the store, and a note of it, so that a missing backup can be alerted."""

from __future__ import annotations

from pathlib import Path

from daemon.maintenance import BACKUP_NOTE
from daemon.outside import Outside


async def backup(desk: Outside, file: Path) -> None:
    """Raises StoreTrouble; then no backup is noted."""
    await desk.store.backup(file)
    await desk.store.set_note(BACKUP_NOTE, str(desk.clock.now()))
