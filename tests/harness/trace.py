"""What happened in one history, line by line; two histories are the same if their hashes are."""

from __future__ import annotations

import hashlib
from collections import Counter

from tests.harness.virtual import Timeline


class Trace:
    """``keep``: remember the lines themselves (a replay); the hash is always made."""

    def __init__(self, timeline: Timeline, *, keep: bool) -> None:
        self.lines: list[str] = []
        self.counts: Counter[str] = Counter()
        self._timeline = timeline
        self._keep = keep
        self._hash = hashlib.blake2b(digest_size=12)

    def say(self, who: str, what: str, *details: object) -> None:
        """``who``: daemon, espocrm, advoware, staff, fate …; ``what`` is counted."""
        self.counts[f"{who} {what}"] += 1
        line = f"{self._timeline.now:10.3f} {who:<9} {what}" + "".join(f" {detail}" for detail in details)
        self._hash.update(line.encode())
        if self._keep:
            self.lines.append(line)

    def note(self, text: str) -> None:
        """Only for readers: not part of the hash."""
        if self._keep:
            self.lines.append(f"{self._timeline.now:10.3f} . {text}")

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()
