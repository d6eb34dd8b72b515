"""An Advoware in memory, with every manner that is known of it and the worst guess where nothing is (facts: Advoware).

`AdvowareWorld.answer()` serves discovery, token and data API under one address; the other methods are the staff at the
desktop program and the eyes of a test. Used by `demo`, `simulators` and the tests; knows nothing of the daemon.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from daemon.simulators.advoware_login import NOT_LICENSED, Access, TokenOffice
from daemon.simulators.advoware_rows import Beteiligter, Firm, Row, convenience, local_time
from daemon.simulators.wire import Answer, Clock, JsonObject, Request, dated, json_answer, text_answer

PREFIX = "/api/v1/advonet/"
OFFLINE = "Der advoware Manager der Kanzlei ist nicht angemeldet."
_KINDS = range(1, 13)


@dataclass(slots=True)
class Manners:
    """Everything about the data API that is not known for sure, as a switch. Change it at any time."""

    manager_offline: bool = False
    offline_status: int = 500
    offline_token: bool = False
    """The token service is down together with the Manager."""
    licensed: bool = True
    refused_status: int = 403
    delete_allowed: bool = False
    partial_put_blanks: bool = True
    """A PUT empties what it does not name."""
    tlf_max: int | None = None
    bemerkung_max: int | None = None
    too_long: Literal["truncate", "refuse"] = "truncate"
    unknown_bet_nr: Literal["empty", "404"] = "empty"
    shows_komm_kz: bool = False
    """GET tells the true kommKz."""
    convenience: Literal["long", "short", "none"] = "long"
    """Names of the convenience fields: telGesch/faxGesch, tel/fax, or none at all."""
    null_when_empty: bool = False
    """`kommunikation` is null instead of []."""
    fraction_digits: int = 0
    """Digits behind the second in geaendertAm."""
    read_seconds: float = 0.0
    write_seconds: float = 0.0


class AdvowareWorld:
    """One firm. Time comes from `clock` only, chance from `chance` only."""

    def __init__(
        self,
        clock: Clock,
        chance: random.Random,
        *,
        access: Access | None = None,
        manners: Manners | None = None,
    ) -> None:
        self.clock = clock
        self.access = access or Access()
        self.manners = manners or Manners()
        self.office = TokenOffice(clock, chance, self.access)
        self.firm = Firm(clock, chance)
        self.counts: Counter[tuple[str, str]] = Counter()
        """Requests by (method, kind of path), e.g. ("GET", "Beteiligte/*")."""

    # -- the server ------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        """One request, one answer; what it changes is changed when this returns."""
        self.counts[(request.method, self._kind(request))] += 1
        return dated(self._routed(request), self.clock())

    def _kind(self, request: Request) -> str:
        parts = [part for part in request.path.removeprefix(PREFIX).split("/") if part]
        return "/".join("*" if part.lstrip("-").isdigit() else part for part in parts)

    def _routed(self, request: Request) -> Answer:
        match request.method, request.path.rstrip("/"):
            case "GET", "/AdvonetConfigurator/api/Url":
                return self.office.discover(request)
            case "POST", "/api/v1/Token":
                if self.manners.manager_offline and self.manners.offline_token:
                    return _german(OFFLINE, self.manners.offline_status)
                return self.office.token(request)
        if not request.path.startswith(PREFIX):
            return _german("Die angeforderte Ressource wurde nicht gefunden.", 404)
        return self._data(request)

    def _data(self, request: Request) -> Answer:
        if not self.office.admits(request):
            return _german("Die Anmeldung ist abgelaufen.", 401)
        if self.manners.manager_offline:
            return _german(OFFLINE, self.manners.offline_status)
        if not self.manners.licensed:
            return _german(NOT_LICENSED, self.manners.refused_status)
        parts = [part for part in request.path.removeprefix(PREFIX).split("/") if part]
        answer = self._beteiligte_call(request, parts)
        reads = request.method == "GET"
        seconds = self.manners.read_seconds if reads else self.manners.write_seconds
        return Answer(answer.status, answer.headers, answer.body, seconds)

    def _beteiligte_call(self, request: Request, parts: list[str]) -> Answer:
        match [request.method, *parts]:
            case ["GET", "Beteiligte", bet_nr]:
                return self._read(_number(bet_nr))
            case ["POST", "Beteiligte", bet_nr, "Kommunikationen"]:
                return self._post(_number(bet_nr), request)
            case ["PUT", "Beteiligte", bet_nr, "Kommunikationen", row_id]:
                return self._put(_number(bet_nr), _number(row_id), request)
            case ["DELETE", "Beteiligte", bet_nr, "Kommunikationen", row_id]:
                return self._delete(_number(bet_nr), _number(row_id))
        return _german("Die angeforderte Ressource wurde nicht gefunden.", 404)

    def _read(self, bet_nr: int) -> Answer:
        person = self.firm.beteiligte.get(bet_nr)
        if person is None:
            if self.manners.unknown_bet_nr == "404":
                return _german("Der Beteiligte wurde nicht gefunden.", 404)
            return json_answer([])
        return json_answer([self._show(person)])

    def _show(self, person: Beteiligter) -> JsonObject:
        rows = [row.show(truly=self.manners.shows_komm_kz) for row in person.rows.values()]
        style = self.manners.convenience
        return {
            "betNr": person.bet_nr,
            "rowId": person.row_id,
            "geaendertAm": local_time(person.changed, self.manners.fraction_digits),
            "name": person.name,
            "vorname": person.vorname,
            **({} if style == "none" else convenience(person, short=style == "short")),
            "kommunikation": None if self.manners.null_when_empty and not rows else rows,
        }

    def _post(self, bet_nr: int, request: Request) -> Answer:
        body = _body(request)
        if bet_nr not in self.firm.beteiligte:
            return _german("Der Beteiligte wurde nicht gefunden.", 404)
        if body is None or body.get("kommKz") not in _KINDS:
            return _german("Das Kommunikationskennzeichen ist ungültig.", 400)
        cells = self._cells(body, None)
        if cells is None:
            return _german("Der angegebene Wert ist zu lang.", 400)
        tlf, bemerkung, online = cells
        row = self.firm.add_row(bet_nr, body["kommKz"], tlf, bemerkung, online=online)
        return json_answer([row.show(truly=True)], 201)

    def _put(self, bet_nr: int, row_id: int, request: Request) -> Answer:
        person, body = self.firm.beteiligte.get(bet_nr), _body(request)
        row = person.rows.get(row_id) if person else None
        if row is None:
            return _german("Die Kommunikation wurde nicht gefunden.", 404)
        cells = None if body is None else self._cells(body, row)
        if cells is None:
            return _german("Der angegebene Wert ist zu lang oder ungültig.", 400)
        tlf, bemerkung, online = cells
        return json_answer(self.firm.change(row, tlf, bemerkung, online=online).show(truly=True))

    def _delete(self, bet_nr: int, row_id: int) -> Answer:
        person = self.firm.beteiligte.get(bet_nr)
        if not self.manners.delete_allowed:
            return _german("Das Löschen ist nicht erlaubt.", 403)
        if person is None or row_id not in person.rows:
            return _german("Die Kommunikation wurde nicht gefunden.", 404)
        del person.rows[row_id]
        return Answer(204)

    def _cells(self, body: JsonObject, row: Row | None) -> tuple[str | None, str | None, bool] | None:
        """tlf, bemerkung, online of a write; None if refused. The kommKz of a PUT is ignored (§4.2)."""
        keep = row is not None and not self.manners.partial_put_blanks
        tlf = self._text(body.get("tlf", row.tlf if row and keep else ""), self.manners.tlf_max)
        bemerkung = self._text(
            body.get("bemerkung", row.bemerkung if row and keep else ""), self.manners.bemerkung_max
        )
        if tlf is False or bemerkung is False:
            return None
        return tlf, bemerkung, bool(body.get("online", row.online if row and keep else False))

    def _text(self, value: Any, limit: int | None) -> str | Literal[False] | None:
        if value is None:
            return None
        text = str(value)
        if limit is None or len(text) <= limit:
            return text
        return text[:limit] if self.manners.too_long == "truncate" else False

    # -- the staff at the desktop program --------------------------------------------------------------------

    def add_person(self, name: str, vorname: str | None = None, bet_nr: int | None = None) -> int:
        """A new Beteiligter; returns its betNr."""
        return self.firm.add(name, vorname, bet_nr)

    def delete_person(self, bet_nr: int) -> None:
        """A Beteiligter with all Kommunikationen is gone."""
        del self.firm.beteiligte[bet_nr]

    def add_row(
        self, bet_nr: int, komm_kz: int, tlf: str, bemerkung: str = "", *, online: bool = False
    ) -> Row:
        """Somebody enters a new Kommunikation."""
        return self.firm.add_row(bet_nr, komm_kz, tlf, bemerkung, online=online)

    def edit_row(
        self,
        row_id: int,
        *,
        tlf: str | None = None,
        bemerkung: str | None = None,
        online: bool | None = None,
    ) -> Row:
        """Somebody changes a Kommunikation; what is None stays. Typing into a slot is `tlf=` of an empty row."""
        row = self.firm.row(row_id)
        return self.firm.change(
            row,
            row.tlf if tlf is None else tlf,
            row.bemerkung if bemerkung is None else bemerkung,
            online=row.online if online is None else online,
        )

    def copy_row(self, row_id: int, *, bet_nr: int | None = None, tlf: str | None = None) -> Row:
        """Somebody copies a Kommunikation, marker and all, perhaps to another Beteiligter."""
        row = self.firm.row(row_id)
        target = row.bet_nr if bet_nr is None else bet_nr
        value = row.tlf if tlf is None else tlf
        return self.firm.add_row(target, row.komm_kz, value, row.bemerkung, online=row.online)

    def delete_row(self, row_id: int) -> None:
        """Somebody deletes a Kommunikation for good; it leaves no trace (§4.7)."""
        row = self.firm.row(row_id)
        del self.firm.beteiligte[row.bet_nr].rows[row_id]

    # -- the eyes of a test ----------------------------------------------------------------------------------

    def rows(self, bet_nr: int) -> list[Row]:
        """The Kommunikationen of a Beteiligter in truth. Raises KeyError."""
        return list(self.firm.beteiligte[bet_nr].rows.values())

    def row(self, row_id: int) -> Row:
        """One Kommunikation in truth. Raises KeyError."""
        return self.firm.row(row_id)

    def bet_nrs(self) -> list[int]:
        """All Beteiligte."""
        return list(self.firm.beteiligte)

    def headers(self) -> dict[str, str]:
        """The login headers of a data call, with a fresh token."""
        return {"Authorization": f"Bearer {self.office.issue()}"}

    def written(self) -> int:
        """How many writing data calls came in."""
        return sum(n for (method, kind), n in self.counts.items() if method != "GET" and "Beteiligte" in kind)


def _german(text: str, status: int) -> Answer:
    return text_answer(text, status, "text/plain; charset=utf-8")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else -1


def _body(request: Request) -> JsonObject | None:
    try:
        body = json.loads(request.body)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
