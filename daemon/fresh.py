"""Looks at Advoware that detected a change, kept for a moment so that the sync need not load again (sync rules §8).

The sweep puts them in, the worker takes them out. Small and bounded: it never holds the firm.
"""

from __future__ import annotations

from collections import OrderedDict

from daemon.ports import Clock
from statemachine.model import AdvowareRecord

_MOST = 64


class FreshLooks:
    """``max_age``: [max_read_age_seconds], counted from before the request was sent."""

    def __init__(self, clock: Clock, max_age: float) -> None:
        self._clock = clock
        self._max_age = max_age
        self._records: OrderedDict[str, AdvowareRecord] = OrderedDict()

    def put(self, espocrm_id: str, record: AdvowareRecord) -> None:
        self._records[espocrm_id] = record
        self._records.move_to_end(espocrm_id)
        while len(self._records) > _MOST:
            self._records.popitem(last=False)

    def take(self, espocrm_id: str, bet_nr: int) -> AdvowareRecord | None:
        """At most once; None if there is none, it is too old or of another pair."""
        record = self._records.pop(espocrm_id, None)
        if record is None or record.bet_nr != bet_nr:
            return None
        return record if 0 <= self._clock.now() - record.asked_at <= self._max_age else None
