"""``kommsync check``: the doctor. Every requirement on this machine and on both systems, each with its remedy.

Called by :mod:`daemon.cli`. It only reads; the exit code is 3 if anything would prevent a sync.
"""

from daemon.check.doctor import examine
from daemon.check.finding import Finding, verdict

__all__ = ["Finding", "examine", "verdict"]
