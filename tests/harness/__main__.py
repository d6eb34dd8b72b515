"""``python -m tests.harness``: random histories of a law firm under every fault of the menu, judged by the oracle."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.harness.command import main

if __name__ == "__main__":
    main()
