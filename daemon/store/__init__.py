"""What is remembered: persons and their states, base, journal, decisions, fuse, history. SQLite in one file.

Opened by :mod:`daemon.app` (``exclusive``) and by the commands. Inside, every noun has a module of plain functions
over one transaction (:mod:`daemon.store.turn`); ``for_syncs`` and ``for_people`` give them their public names. It must
not know the two systems, nor compare two values: the canonical form it stores is the core's.
"""

from daemon.store.desk import BlownFuse, HeldDeletion, Listing, OpenConflict, Sums
from daemon.store.errors import StoreInUse, StoreTooNew, StoreTrouble
from daemon.store.fuses import ShownList
from daemon.store.history import HistoryRow
from daemon.store.notices import StoredNotice
from daemon.store.sqlite import SqliteStore, owner_of

__all__ = [
    "BlownFuse",
    "HeldDeletion",
    "HistoryRow",
    "Listing",
    "OpenConflict",
    "ShownList",
    "SqliteStore",
    "StoreInUse",
    "StoreTooNew",
    "StoreTrouble",
    "StoredNotice",
    "Sums",
    "owner_of",
]
