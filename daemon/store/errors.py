"""What can be wrong with the store itself; read by the command line, which ends with what to do next.

Texts name files and processes, never a value that is stored.
"""

from __future__ import annotations

from statemachine.errors import KommsyncError


class StoreTrouble(KommsyncError):
    """SQLite cannot do what it was asked: disk full, no right to the file, locked for too long."""

    reason = "store_trouble"


class StoreInUse(StoreTrouble):
    """Another process has this store for itself."""

    reason = "store_in_use"


class StoreTooNew(StoreTrouble):
    """The file was written by a newer kommsync."""

    reason = "store_too_new"
