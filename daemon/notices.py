"""Shows people in EspoCRM what only they can settle: one Task per cause, closed when it is settled (sync rules §11).

Run as a loop by :mod:`daemon.app` where [notices] is on. What is wanted stands in the store; this opens and closes.
Texts are German, because secretaries read them; no number and no address is in a name, as names travel in URLs.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from typing import NamedTuple, Protocol

import structlog

from daemon.ports import Espocrm
from daemon.store import StoredNotice
from statemachine.errors import HopelessRecord, KommsyncError, RecordMissing, RecordTrouble, UnknownOutcome

RECONCILE_SECONDS = 30.0
_AT_ONCE = 200
#: Those that are too many of their kind stay unopened, and must not hide the others.
_MOST_READ = 10_000
#: More of one kind at a time have one cause, and it is none that a hundred Tasks would settle.
_MOST_ALIKE = 25
#: After so many refusals in one round the rest would be refused as well; those who were not asked come first next time.
_MOST_REFUSED = 3
_RECORD_ERRORS = (RecordTrouble, HopelessRecord, RecordMissing, UnknownOutcome)

log = structlog.get_logger(__name__)


class Text(NamedTuple):
    """``todo`` says what to do; ``urgent``: nothing of this entry is synced until then."""

    title: str
    todo: str
    urgent: bool = False


_OTHER = Text(
    "Eintrag wird nicht abgeglichen",
    "Bitte den Eintrag in EspoCRM und in Advoware vergleichen und dort richtigstellen, wo er falsch ist.",
)
_TEXTS = {
    "conflict": Text(
        "Widerspruch zwischen EspoCRM und Advoware",
        "Ein Eintrag wurde auf beiden Seiten verschieden geändert. Bitte beide Seiten vergleichen und überall den"
        " richtigen Stand eintragen, oder den Administrator entscheiden lassen (kommsync conflicts, kommsync resolve).",
        urgent=True,
    ),
    "side_emptied": Text(
        "Alle Einträge einer Seite fehlen",
        "Auf einer Seite sind alle Telefonnummern und E-Mail-Adressen verschwunden; auf der anderen wurde nichts"
        " gelöscht. Bitte prüfen, ob das gewollt ist, und den Administrator entscheiden lassen (kommsync resolve).",
        urgent=True,
    ),
    "betnr_changed": Text(
        "Die betNr wurde geändert",
        "Dieser Datensatz gehört jetzt zu einem anderen Beteiligten in Advoware. Bitte prüfen, ob die neue betNr"
        " stimmt, und den Administrator entscheiden lassen (kommsync resolve), oder die alte betNr wieder eintragen.",
        urgent=True,
    ),
    "permanently_failed": Text(
        "Der Abgleich ist gescheitert",
        "Telefonnummern und E-Mail-Adressen dieses Beteiligten werden nicht mehr abgeglichen, bis die Ursache behoben"
        " ist. Danach wird er von selbst, spätestens nach einem Tag, erneut abgeglichen (sofort: kommsync retry).",
        urgent=True,
    ),
    "unsyncable": Text(
        "Ein Eintrag kann nicht übertragen werden",
        "Ein Wert ist so geschrieben, dass ihn die andere Seite nicht annimmt. Bitte richtigstellen; alles Übrige wird"
        " weiter abgeglichen.",
    ),
    "not_taken": Text(
        "EspoCRM übernimmt eine Änderung nicht",
        "Eine Nummer oder Adresse ist in EspoCRM vermutlich doppelt angelegt und lässt sich über die Schnittstelle"
        " nicht ändern. Bitte den Eintrag in EspoCRM von Hand entfernen und neu erfassen.",
    ),
    "array_refused": Text(
        "EspoCRM nimmt die Liste der Einträge nicht an",
        "Ein älterer Eintrag dieses Datensatzes entspricht nicht der Form, die EspoCRM heute verlangt. Bitte den"
        " Datensatz in EspoCRM öffnen, die beanstandeten Einträge berichtigen und speichern.",
    ),
    "quarantined": Text(
        "Ein Eintrag ändert sich immer wieder",
        "Derselbe Wert wurde mehrfach hin und her geschrieben und wird vorerst nicht mehr abgeglichen. Bitte klären,"
        " wer oder welches Programm ihn ändert, und den richtigen Wert eintragen.",
    ),
    "wish_refused": Text(
        "Eine Rücknahme war nicht mehr möglich",
        "Ein Eintrag sollte auf seinen früheren Stand gebracht werden, zeigte aber inzwischen etwas anderes. Bitte den"
        " Eintrag prüfen und, wenn nötig, von Hand berichtigen; der frühere Wert steht im Verlauf (kommsync history).",
    ),
    "wish_failed": Text(
        "Eine Rücknahme ist vielleicht nicht angekommen",
        "Ein Eintrag sollte auf seinen früheren Stand gebracht werden; die Änderung wurde abgelehnt oder nie"
        " bestätigt, und der frühere Wert ist nicht zu sehen. Bitte den Eintrag prüfen und, wenn nötig, von Hand"
        " berichtigen; der frühere Wert steht im Verlauf (kommsync history).",
    ),
    "readonly_field": Text(
        "Die Art eines Eintrags weicht ab",
        "Die Art (Büro, Mobil, Fax, privat) wurde in EspoCRM geändert; Advoware lässt sie nicht ändern. Bitte den"
        " Eintrag in Advoware mit der richtigen Art neu anlegen und den alten löschen.",
    ),
}


def text_for(notice: StoredNotice) -> Text:
    """A conflict's kind may have words of its own."""
    return _TEXTS.get(notice.notice.detail) or _TEXTS.get(notice.notice.topic) or _OTHER


def name_of(notice: StoredNotice) -> str:
    """The same for the same cause, another for another one: a Task is found again by its name."""
    mark = hashlib.sha256(notice.notice.cause.encode()).hexdigest()[:6]
    return f"Kontaktdaten: {text_for(notice).title} [{mark}]"


def description_of(notice: StoredNotice) -> str:
    reason = notice.notice.detail or notice.notice.topic
    closing = "Diese Aufgabe schließt sich von selbst, sobald das erledigt ist."
    return f"{text_for(notice).todo}\n\nbetNr {notice.bet_nr}, Grund: {reason}\n{closing}"


class Book(Protocol):
    """What is asked of the store."""

    async def notices_to_open(self, limit: int) -> list[StoredNotice]: ...
    async def notices_to_close(self, limit: int) -> list[StoredNotice]: ...
    async def notice_opened(self, notice_id: int, task_id: str) -> bool: ...
    async def notice_closed(self, notice_id: int) -> None: ...


class Notices:
    """``user_id``: [notice_user_id], who gets the Tasks."""

    def __init__(self, espocrm: Espocrm, book: Book, user_id: str) -> None:
        self._espocrm = espocrm
        self._book = book
        self._user_id = user_id
        self._too_many: set[tuple[str, str]] = set()
        self._refused: dict[int, int] = {}  # id → which refusal of ours was its last one
        self._count = itertools.count(1)

    async def reconcile(self) -> None:
        """Raises trouble of the side at once, and the last refusal of a Task when the others have had their turn."""
        refusals = await self._attempt(self._close, await self._book.notices_to_close(_MOST_READ))
        wanted = self._worth_a_task(await self._book.notices_to_open(_MOST_READ))
        refusals += await self._attempt(self._open, wanted)
        if refusals:
            raise refusals[-1]

    async def _attempt(self, step: _Step, notices: list[StoredNotice]) -> list[KommsyncError]:
        """What was refused. Whoever was refused lately comes last, the longest ago first: some that EspoCRM never takes
        must not hide the others."""
        refusals: list[KommsyncError] = []
        patient = sorted(notices, key=lambda one: self._refused.get(one.id, 0))
        for notice in patient[:_AT_ONCE]:
            try:
                await step(notice)
            except _RECORD_ERRORS as error:
                refusals.append(error)
                self._refused[notice.id] = next(self._count)
                if len(refusals) >= _MOST_REFUSED:
                    break
        return refusals

    def _worth_a_task(self, notices: list[StoredNotice]) -> list[StoredNotice]:
        alike = Counter((one.notice.topic, one.notice.detail) for one in notices)
        too_many = {kind for kind, number in alike.items() if number > _MOST_ALIKE}
        for topic, detail in sorted(too_many - self._too_many):
            log.error(
                "too_many_notices", topic=topic, reason=detail, remedy="kommsync list; look for the one cause"
            )
        self._too_many = too_many
        return [one for one in notices if (one.notice.topic, one.notice.detail) not in too_many]

    async def _open(self, notice: StoredNotice) -> None:
        """EspoCRM has no duplicate check for Tasks, and the one of a lost answer is ours."""
        name = name_of(notice)
        task_id = await self._espocrm.find_task(notice.espocrm_id, name)
        if task_id is None:
            text = text_for(notice)
            task_id = await self._espocrm.open_task(
                notice.espocrm_id, name, description_of(notice), self._user_id, text.urgent
            )
        if not await self._book.notice_opened(notice.id, task_id):
            await self._espocrm.close_task(task_id)

    async def _close(self, notice: StoredNotice) -> None:
        if notice.task_id is not None:
            try:
                await self._espocrm.close_task(notice.task_id)
            except RecordMissing:
                log.debug("task_was_gone", bet_nr=notice.bet_nr)
        await self._book.notice_closed(notice.id)


class _Step(Protocol):
    async def __call__(self, notice: StoredNotice, /) -> None: ...
