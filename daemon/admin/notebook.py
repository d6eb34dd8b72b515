"""What an audit has found so far, kept beside its report, so that an interrupted one can be resumed.

Used by :mod:`daemon.admin.audits`. Both files hold contact data, so they are for their owner's eyes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any, Self

from daemon.admin.desk import NotPossible

_FORMAT = 1


class Notebook:
    """``out``: the report; None keeps everything in memory. ``lines``: one per Beteiligte that was looked at."""

    def __init__(self, out: Path | None) -> None:
        self.lines: list[dict[str, Any]] = []
        self._out = out
        self._part = None if out is None else out.with_name(f"{out.name}.part")
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def begin(self, ids: set[str]) -> set[str]:
        """``ids``: who is to be looked at; they come back. Raises OSError."""
        if self._part is not None:
            self._part.unlink(missing_ok=True)
            self._part.touch(mode=0o600)
            self._file = self._part.open("a", encoding="utf-8")
            self._write({"format": _FORMAT, "people": sorted(ids)})
        return ids

    def take_up(self) -> list[str]:
        """Who was to be looked at when it was interrupted. A last line that was cut off is forgotten. Raises
        NotPossible, OSError."""
        if self._part is None or not self._part.exists():
            raise NotPossible(
                f"no audit was interrupted here: there is no {self._part or 'FILE.part'}."
                " Type: kommsync audit --out FILE"
            )
        text = self._part.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        try:
            header, *self.lines = [json.loads(line) for line in whole.split("\n")[:-1]]
            if header["format"] != _FORMAT:
                raise ValueError
            ids = [str(one) for one in header["people"]]
        except (ValueError, KeyError, TypeError):
            raise NotPossible(
                f"{self._part} is not from this kommsync. Type: kommsync audit --out FILE"
            ) from None
        self._part.write_text(whole, encoding="utf-8")
        self._file = self._part.open("a", encoding="utf-8")
        return ids

    def add(self, line: dict[str, Any]) -> None:
        self.lines.append(line)
        self._write(line)

    def end(self, report: dict[str, Any]) -> None:
        """Raises OSError."""
        if self._file is None or self._out is None or self._part is None:
            return
        self._file.close()
        self._part.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
        self._part.replace(self._out)

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()
