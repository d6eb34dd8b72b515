"""Both sides as a dry run has them: they can be looked at, and every write is refused before it leaves the process.

Put around the adapters by :mod:`daemon.outside`. Nothing in a dry run wants to write (``rehearse`` of
:mod:`daemon.sync` stops before that); this is the lock behind the closed door.
"""

from __future__ import annotations

from typing import NoReturn

from daemon.ports import Advoware, Espocrm, EspocrmFacts, Page
from statemachine.commands import PutRecord, RowContent
from statemachine.errors import ContractBroken
from statemachine.model import AdvowareRecord, EspocrmRecord, Kind, Kommunikation


class LookOnlyEspocrm:
    """Fulfils :class:`daemon.ports.Espocrm`; what writes raises ContractBroken."""

    def __init__(self, espocrm: Espocrm) -> None:
        self._espocrm = espocrm

    async def facts(self) -> EspocrmFacts:
        return await self._espocrm.facts()

    async def changed(self, since: str, after: tuple[str, str] | None) -> Page:
        return await self._espocrm.changed(since, after)

    async def census(self, after_id: str) -> Page:
        return await self._espocrm.census(after_id)

    async def get(self, espocrm_id: str) -> EspocrmRecord:
        return await self._espocrm.get(espocrm_id)

    async def holder(self, kind: Kind, value: str, besides: str) -> EspocrmRecord | None:
        return await self._espocrm.holder(kind, value, besides)

    async def find_task(self, espocrm_id: str, name: str) -> str | None:
        return await self._espocrm.find_task(espocrm_id, name)

    async def probe(self) -> None:
        await self._espocrm.probe()

    async def put(self, record: EspocrmRecord, command: PutRecord) -> None:
        _refuse()

    async def open_task(
        self, espocrm_id: str, name: str, description: str, user_id: str, urgent: bool
    ) -> str:
        _refuse()

    async def close_task(self, task_id: str) -> None:
        _refuse()


class LookOnlyAdvoware:
    """Fulfils :class:`daemon.ports.Advoware`; what writes raises ContractBroken."""

    def __init__(self, advoware: Advoware) -> None:
        self._advoware = advoware

    async def get(self, bet_nr: int) -> AdvowareRecord:
        return await self._advoware.get(bet_nr)

    async def probe(self) -> None:
        await self._advoware.probe()

    async def post(self, bet_nr: int, content: RowContent) -> Kommunikation:
        _refuse()

    async def put(self, bet_nr: int, row_id: int, content: RowContent) -> Kommunikation:
        _refuse()

    async def delete(self, bet_nr: int, row_id: int) -> bool:
        _refuse()


def _refuse() -> NoReturn:
    raise ContractBroken("a dry run writes nothing")
