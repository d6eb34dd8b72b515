"""Writes the dashboards as JSON, or with --check tells whether the committed files are what this code makes.

    python deploy/grafana/source/build.py [--check]

Needs the extra `dashboards`. Grafana reads the JSON by file (see ../provisioning), nobody edits it by hand.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

import engineer
import office
import operations

FOLDER = Path(__file__).resolve().parent.parent / "dashboards"


def rendered() -> dict[str, str]:
    """File name → text."""
    pages = {"office": office, "operations": operations, "engineer": engineer}
    return {f"{name}.json": _text(page.build().build()) for name, page in pages.items()}


def _text(page: object) -> str:
    return json.dumps(page, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    stale = {
        name: text
        for name, text in rendered().items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text(encoding="utf-8") != text
    }
    if "--check" in sys.argv[1:]:
        for name in stale:
            sys.stderr.write(
                f"{name} is not what the code makes. Type: python deploy/grafana/source/build.py\n"
            )
        return 1 if stale else 0
    for name, text in stale.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{name} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
