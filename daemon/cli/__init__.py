"""The command line: arguments in, tables or JSON out, exit codes; no logic.

``kommsync`` is :func:`main`. What a command does is in :mod:`daemon.admin`, :mod:`daemon.check` and :mod:`daemon.demo`;
heavy modules are imported inside the commands, so that ``--help`` is quick. Exit codes (interfaces, *Commands*): 0
fine, 1 failed, 2 usage or configuration, 3 a human is needed.
"""

from daemon.cli.root import main

__all__ = ["main"]
