"""Why something is not (yet) in sync, in plain words, and what to do about it.

Used by the templates. Keys are the machine words of errors, plans and transitions; whoever adds one is reminded by a
test. A reason may be several words ("conflict, safe_id") or carry a name ("retry by operator").
"""

from __future__ import annotations

import re
from typing import Final

from daemon.page.language import Text

#: Values that the other side would refuse (sync rules §3).
VALUES: Final = {
    "blank": Text("Der Eintrag ist leer.", "The entry is empty."),
    "no_mail_address": Text(
        "Das ist keine gültige E-Mail-Adresse. Bitte berichtigen.",
        "This is no valid mail address. Please correct it.",
    ),
    "safe_id": Text(
        "Das ist eine beA-SAFE-ID; EspoCRM kennt nur E-Mail-Adressen. Es ist nichts zu tun.",
        "This is a beA SAFE-ID; EspoCRM only knows mail addresses. There is nothing to do.",
    ),
    "umlaut_domain": Text(
        "EspoCRM nimmt keine Umlaute hinter dem @. Bitte die Schreibweise mit xn-- verwenden.",
        "EspoCRM takes no umlauts behind the @. Please use the spelling with xn--.",
    ),
    "two_values": Text(
        "In einem Feld stehen zwei Werte. Bitte auf zwei Einträge verteilen.",
        "One field holds two values. Please make two entries of it.",
    ),
    "too_long": Text(
        "Der Wert ist für die andere Seite zu lang. Bitte kürzen.",
        "The value is too long for the other side. Please shorten it.",
    ),
    "refused_characters": Text(
        "Der Wert enthält Zeichen, die die andere Seite nicht annimmt.",
        "The value holds characters that the other side does not take.",
    ),
    "not_a_number": Text(
        "Das ist keine Telefonnummer, die EspoCRM annimmt. Bitte berichtigen.",
        "This is no phone number that EspoCRM takes. Please correct it.",
    ),
    "extension_dropped": Text(
        "EspoCRM würde die Durchwahl weglassen, darum wird die Nummer nicht übertragen.",
        "EspoCRM would drop the extension, so the number is not carried over.",
    ),
    "too_many": Text(
        "In EspoCRM sind schon zehn Einträge dieser Art; mehr sind dort nicht möglich.",
        "EspoCRM holds ten entries of this kind already; it allows no more.",
    ),
    "refused": Text("Die andere Seite nimmt den Wert nicht an.", "The other side does not take the value."),
    "refused_by_advoware": Text("Advoware nimmt den Wert nicht an.", "Advoware does not take the value."),
    "refused_by_espocrm": Text("EspoCRM nimmt den Wert nicht an.", "EspoCRM does not take the value."),
}

#: Entries that are left alone until a human does something, or that wait.
ENTRIES: Final = {
    "not_taken": Text(
        "Der Wert wurde geschrieben, hatte aber keine Wirkung; vermutlich ist er in EspoCRM doppelt angelegt. Bitte den"
        " Eintrag in EspoCRM entfernen und neu erfassen.",
        "The value was written without effect; it probably exists twice in EspoCRM. Please remove the entry in EspoCRM"
        " and enter it anew.",
    ),
    "quarantined": Text(
        "Derselbe Wert wurde mehrfach hin und her geschrieben. Bitte klären, wer oder welches Programm ihn ändert, den"
        " richtigen Wert eintragen und dann erneut versuchen.",
        "The same value was written back and forth several times. Please find out who or what changes it, enter the"
        " right value, then try again.",
    ),
    "array_refused": Text(
        "EspoCRM nimmt die Liste der Einträge nicht an, weil ein älterer Eintrag nicht der heutigen Form entspricht."
        " Bitte den Datensatz in EspoCRM öffnen, berichtigen und speichern.",
        "EspoCRM refuses the list of entries because an older one is not in today's form. Please open the record in"
        " EspoCRM, correct it and save it.",
    ),
    "readonly_field": Text(
        "Die Art wurde in EspoCRM geändert; Advoware lässt das nicht zu. Bitte dort mit der richtigen Art neu anlegen.",
        "The type was changed in EspoCRM, which Advoware does not allow. Please enter it there anew, with that type.",
    ),
    "pending": Text(
        "Der Eintrag fehlt auf einer Seite. Gelöscht wird erst, wenn ein zweiter Blick das bestätigt.",
        "The entry is missing on one side. It is deleted only when a second look confirms that.",
    ),
    "fuse": Text(
        "Ungewöhnlich viele Einträge sind verschwunden; es wird nichts gelöscht, bis jemand zustimmt.",
        "Unusually many entries have vanished; nothing is deleted until somebody approves.",
    ),
    "kept": Text(
        "Der Eintrag fehlt auf einer Seite, die nicht beschrieben wird; auf der anderen bleibt er, wie entschieden.",
        "The entry is missing on a side that is not written; on the other it stays, as was decided.",
    ),
    "conflict": Text("Wartet auf eine Entscheidung.", "Waits for a decision."),
    "pending deletion": Text(
        "Fehlt auf einer Seite; ein zweiter Blick steht aus.", "Missing on one side; a second look is due."
    ),
    "held by the fuse": Text("Die Löschung ist angehalten.", "The deletion is held."),
    "edited_meanwhile": Text(
        "Jemand hat den Eintrag währenddessen geändert; er wird gleich neu beurteilt.",
        "Somebody edited the entry meanwhile; it is about to be judged afresh.",
    ),
    "waits": Text(
        "Wartet, bis über den ganzen Datensatz entschieden ist.", "Waits for a decision on the whole record."
    ),
    "settling": Text(
        "Wartet auf einen zweiten, ruhigen Blick; das dauert Sekunden.",
        "Waits for a second, settled look: seconds.",
    ),
    "lookup": Text(
        "Es wird nachgesehen, wer den Wert noch hat.", "It is looked up who else holds the value."
    ),
    "merging": Text(
        "Wird mit einem gleichen Eintrag zusammengeführt.", "Is being merged with an equal entry."
    ),
    "retyping": Text("Wird mit der neuen Art neu angelegt.", "Is being entered anew with its new type."),
    "extra": Text(
        "Gibt es nur auf der geschriebenen Seite und bleibt dort.",
        "Exists on the written side only and stays there.",
    ),
}

#: Why a whole record stands where it stands.
RECORDS: Final = {
    "access_denied": Text(
        "Die andere Seite verweigert den Zugriff auf diesen Datensatz. Bitte die Rechte des Abgleich-Benutzers prüfen.",
        "Access to this record is denied. Please check the rights of the sync user.",
    ),
    "betnr_doubled": Text(
        "Zwei Datensätze in EspoCRM tragen dieselbe betNr. Bitte bei einem von ihnen berichtigen.",
        "Two records in EspoCRM have the same betNr. Please correct one of them.",
    ),
    "espocrm_restored": Text(
        "EspoCRM wurde offenbar aus einer älteren Sicherung wiederhergestellt.",
        "EspoCRM seems to have been restored from an older backup.",
    ),
    "betnr_changed": Text("Die betNr wurde geändert.", "The betNr was changed."),
    "betnr_single_again": Text("Die doppelte betNr ist bereinigt.", "The doubled betNr has been cleared up."),
    "missing_in_advoware": Text(
        "In Advoware gibt es keinen Beteiligten mit dieser Nummer. Bitte die betNr in EspoCRM prüfen.",
        "Advoware has no Beteiligter with this number. Please check the betNr in EspoCRM.",
    ),
    "record_missing": Text("Der Datensatz wurde nicht gefunden.", "The record was not found."),
    "record_gone_or_betnr_changed": Text(
        "Der Datensatz ist auf einer Seite verschwunden, oder seine betNr wurde geändert.",
        "The record is gone on one side, or its betNr was changed.",
    ),
    "record_gone": Text("Der Datensatz ist verschwunden.", "The record is gone."),
    "record_no_betnr": Text("Der Datensatz hat keine betNr mehr.", "The record has no betNr any more."),
    "side_down": Text(
        "Eine Seite ist nicht erreichbar; es geht nichts verloren, alles wird nachgeholt.",
        "One side cannot be reached; nothing is lost, everything is made up for.",
    ),
    "throttled": Text("Eine Seite bittet um eine Pause.", "One side asks for a pause."),
    "credentials_refused": Text(
        "Eine Seite nimmt die Zugangsdaten nicht an. Bitte den Administrator rufen.",
        "One side refuses the credentials. Please call the administrator.",
    ),
    "token_refused": Text("Advoware hat die Anmeldung abgelehnt.", "Advoware refused the login."),
    "server_error": Text(
        "Die andere Seite meldet einen inneren Fehler bei diesem Datensatz.",
        "The other side reports an internal error with this record.",
    ),
    "incomplete_answer": Text(
        "Die andere Seite hat unvollständig geantwortet.", "The other side's answer was incomplete."
    ),
    "unexpected_answer": Text(
        "Die andere Seite hat unerwartet geantwortet.", "The other side's answer was unexpected."
    ),
    "modified_meanwhile": Text(
        "Jemand hat den Datensatz währenddessen mehrfach gespeichert.",
        "Somebody saved the record again and again.",
    ),
    "unknown_outcome": Text(
        "Auf einen Schreibvorgang kam keine Antwort; es wird nachgelesen.",
        "A write was not answered; it is being read again.",
    ),
    "took_too_long": Text("Der Abgleich hat zu lange gedauert.", "The sync took too long."),
    "record_error": Text("Bei diesem Datensatz trat ein Fehler auf.", "There was an error with this record."),
    "cannot_heal": Text("Dieser Fehler heilt nicht von selbst.", "This error does not heal by itself."),
    "our_bug": Text(
        "Ein Fehler in kommsync; bitte dem Administrator melden.",
        "A fault of kommsync; please tell the administrator.",
    ),
    "error": Text("Ein Fehler ist aufgetreten.", "There was an error."),
    "discovered": Text("Neu entdeckt.", "Newly seen."),
    "espocrm_changed": Text("In EspoCRM hat sich etwas geändert.", "Something changed in EspoCRM."),
    "advoware_changed": Text("In Advoware hat sich etwas geändert.", "Something changed in Advoware."),
    "look_failed": Text(
        "Der Beteiligte ließ sich in Advoware nicht lesen.", "The Beteiligte could not be read in Advoware."
    ),
    "more_to_write": Text("Es ist noch etwas zu schreiben.", "There is more to write."),
    "second_look": Text("Ein zweiter Blick steht aus.", "A second look is due."),
    "would_write": Text(
        "Probelauf: hier würde etwas geschrieben.", "Dry run: something would be written here."
    ),
    "dry_run": Text("Der Probelauf beginnt.", "The dry run begins."),
    "rules_changed": Text("Die Einstellungen haben sich geändert.", "The settings have changed."),
    "stopping": Text("kommsync wurde beendet.", "kommsync was stopped."),
    "retry": Text("Erneuter Versuch.", "Another try."),
    "resumed": Text("Die Pause ist beendet.", "The pause is over."),
    "undo": Text("Eine Änderung wird zurückgenommen.", "A change is being undone."),
    "deletions_approved": Text("Die Löschungen wurden bestätigt.", "The deletions were approved."),
    "deletions_rejected": Text("Die Löschungen wurden abgelehnt.", "The deletions were rejected."),
    "edit_edit": Text("Auf beiden Seiten geändert.", "Changed on both sides."),
    "edit_delete": Text(
        "Auf einer Seite geändert, auf der anderen gelöscht.", "Changed on one side, deleted on the other."
    ),
    "side_emptied": Text("Eine ganze Seite ist leer.", "A whole side is empty."),
    "espocrm": Text("EspoCRM gilt.", "EspoCRM is kept."),
    "advoware": Text("Advoware gilt.", "Advoware is kept."),
    "both": Text("Beide werden behalten.", "Both are kept."),
    "auto_reset": Text("Eine neue Runde von Versuchen beginnt.", "A new round of attempts begins."),
    "clock_set": Text(
        "Währenddessen wurde die Uhr des Servers gestellt.", "The server's clock was set in the middle of it."
    ),
    "interrupted": Text("kommsync wurde währenddessen beendet.", "kommsync was stopped in the middle of it."),
    "paused": Text("Angehalten.", "Paused."),
}

ALL: Final = {**RECORDS, **ENTRIES, **VALUES}


#: What the fuse says of itself (sync rules §9).
_VANISHED = re.compile(r"([0-9]+) of ([0-9]+) entries vanished")


def plain(reason: str) -> Text:
    """A reason in words; one that nobody foresaw is shown as it is. The name behind `` by `` is left out."""
    if found := _VANISHED.fullmatch(reason):
        number, whole = found.groups()
        return Text(
            f"{number} von {whole} Einträgen sind verschwunden.", f"{number} of {whole} entries vanished."
        )
    parts = [ALL.get(_word(part), Text(part, part)) for part in reason.split(", ") if part]
    return Text(" ".join(part.de for part in parts), " ".join(part.en for part in parts))


def _word(part: str) -> str:
    word = part.partition(" by ")[0].strip()
    return "conflict" if word.startswith("conflict ") else word
