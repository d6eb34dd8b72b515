"""The practice software: fulfils ``ports.Advoware`` over HTTP. Its wire words appear here and in ``advoware_*`` only.

Made by the app, called by the sweep, sync and apply. It gets its address and token itself. It compares no two
values and decides nothing; errors and manners as in facts/advoware.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeVar

from daemon import advoware_codec
from daemon.advoware_judge import TokenRefused
from daemon.advoware_login import Account, Directory, Login
from daemon.answers import Reply
from daemon.ports import Clock, Request
from daemon.transport import Transport, Unreachable
from statemachine.commands import RowContent
from statemachine.errors import (
    AccessDenied,
    CredentialsRefused,
    IncompleteAnswer,
    RecordMissing,
    Refused,
    UnexpectedAnswer,
)
from statemachine.model import AdvowareRecord, Kommunikation, Side

#: From so many betNrs that were answered lately the probe has its choice.
_PROBED = 3

T = TypeVar("T")


class HttpAdvoware:
    """``base_url`` and ``gateway_url`` replace what discovery would find. ``transport`` must judge with
    :func:`daemon.advoware_judge.judge`."""

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        account: Account,
        *,
        discovery_url: str,
        base_url: str | None = None,
        gateway_url: str | None = None,
        prefix: str = "api/v1/advonet",
    ) -> None:
        self._transport = transport
        self._directory = Directory(
            transport, account.kanzlei, discovery_url, base=base_url, gateway=gateway_url
        )
        self._login = Login(transport, self._directory, account, clock)
        self._prefix = prefix.strip("/")
        self._known = deque([1], _PROBED)

    async def get(self, bet_nr: int) -> AdvowareRecord:
        found = await self._call("GET", bet_nr, "", lambda reply: advoware_codec.read_record(reply, bet_nr))
        if bet_nr not in self._known:
            self._known.append(bet_nr)
        return found

    async def post(self, bet_nr: int, content: RowContent) -> Kommunikation:
        return await self._call("POST", bet_nr, "/Kommunikationen", advoware_codec.read_row, content)

    async def put(self, bet_nr: int, row_id: int, content: RowContent) -> Kommunikation:
        """Raises RecordMissing where the row or its Beteiligte is gone; a look at the Beteiligte tells which."""

        def read(reply: Reply) -> Kommunikation:
            row = advoware_codec.read_row(reply)
            if row.id != row_id:
                raise UnexpectedAnswer("answered with another row than the one written", side=Side.ADVOWARE)
            return row

        return await self._call("PUT", bet_nr, f"/Kommunikationen/{row_id}", read, content)

    async def delete(self, bet_nr: int, row_id: int) -> bool:
        try:
            await self._call("DELETE", bet_nr, f"/Kommunikationen/{row_id}", _deleted)
        except AccessDenied:
            return False
        return True

    async def probe(self) -> None:
        """Through to the firm's Manager, which the token service does not need: one GET. Whether that Beteiligte
        exists does not matter, but its record may be the only one that is sick: the next probe asks for another."""
        self._known.rotate()
        try:
            await self.get(self._known[0])
        except (RecordMissing, IncompleteAnswer, AccessDenied, Refused):
            return

    async def _call(
        self,
        method: str,
        bet_nr: int,
        path: str,
        read: Callable[[Reply], T],
        content: RowContent | None = None,
    ) -> T:
        """On 401 one fresh token and one more try (§2); a refused request has changed nothing."""
        token = await self._login.token()
        try:
            return await self._send(method, bet_nr, path, read, content, token)
        except TokenRefused:
            token = await self._login.token(refused=token)
        try:
            return await self._send(method, bet_nr, path, read, content, token)
        except TokenRefused:
            detail = "a fresh token is refused; check user, role and product in [advoware]"
            raise self._transport.report(CredentialsRefused(detail, side=Side.ADVOWARE)) from None

    async def _send(
        self,
        method: str,
        bet_nr: int,
        path: str,
        read: Callable[[Reply], T],
        content: RowContent | None,
        token: str,
    ) -> T:
        base = (await self._directory.addresses()).base
        request = Request(
            method,
            f"{base}{self._prefix}/Beteiligte/{bet_nr}{path}",
            headers=(("Authorization", f"Bearer {token}"),),
            json=None if content is None else advoware_codec.write_row(content),
        )
        try:
            result = await self._transport.call(request, read, record=f"betNr {bet_nr}")
        except Unreachable:
            self._directory.unreachable()
            raise
        self._directory.reached()
        return result


def _deleted(reply: Reply) -> None:
    """Nobody has ever seen a success; whatever it says, the read that follows tells."""
