"""Names of what the core knows, for people: states, sides, conflicts, writes, choices.

Used by the templates and views. A test holds it against the enums, so nothing is ever shown as a machine word.
"""

from __future__ import annotations

from typing import Final

from daemon.page.language import Text
from statemachine.case import ConflictKind, Keep, Outcome, Variant
from statemachine.decide import Action
from statemachine.model import Kind, Side
from statemachine.states import State, Trigger

SIDES: Final = {Side.ESPOCRM: "EspoCRM", Side.ADVOWARE: "Advoware"}

STATES: Final = {
    State.CLEAN: Text("abgeglichen", "in sync"),
    State.DIRTY: Text("wartet auf Abgleich", "waiting for a sync"),
    State.SYNCING: Text("wird abgeglichen", "being synced"),
    State.CONFLICT: Text("Konflikt", "conflict"),
    State.FAILED: Text("fehlgeschlagen", "failed"),
    State.PERMANENTLY_FAILED: Text("dauerhaft gescheitert", "given up"),
}
STATE_HELP: Final = {
    State.CLEAN: Text(
        "Beide Seiten stimmen überein, es ist nichts zu tun.", "Both sides agree; there is nothing to do."
    ),
    State.DIRTY: Text(
        "Eine Änderung wurde gesehen und wird gleich übertragen.",
        "A change was seen and is about to be synced.",
    ),
    State.SYNCING: Text("Gerade in Arbeit.", "Being worked on right now."),
    State.CONFLICT: Text(
        "Jemand muss entscheiden; alles Unstrittige ist abgeglichen.",
        "Somebody must decide; everything undisputed is synced.",
    ),
    State.FAILED: Text(
        "Der letzte Versuch schlug fehl; es wird von selbst wieder versucht.",
        "The last attempt failed; it is tried again by itself.",
    ),
    State.PERMANENTLY_FAILED: Text(
        "Es wird vorerst nicht mehr versucht; bitte die Ursache beheben.",
        "It is not tried any more for now; please remove the cause.",
    ),
}

CONFLICTS: Final = {
    ConflictKind.EDIT_EDIT: Text("beide geändert", "both changed"),
    ConflictKind.EDIT_DELETE: Text("geändert und gelöscht", "changed and deleted"),
    ConflictKind.SIDE_EMPTIED: Text("eine Seite geleert", "one side emptied"),
    ConflictKind.BETNR_CHANGED: Text("betNr geändert", "betNr changed"),
}

#: What a choice means, by the kind of conflict.
CHOICES: Final = {
    Keep.ESPOCRM: Text("EspoCRM gilt", "Keep EspoCRM"),
    Keep.ADVOWARE: Text("Advoware gilt", "Keep Advoware"),
    Keep.BOTH: Text("Beide behalten", "Keep both"),
}

KINDS: Final = {Kind.PHONE: Text("Telefon", "phone"), Kind.EMAIL: Text("E-Mail", "e-mail")}

TYPES: Final = {
    "Office": Text("Büro", "office"),
    "Mobile": Text("Mobil", "mobile"),
    "Home": Text("privat", "home"),
    "Fax": Text("Fax", "fax"),
    "Other": Text("Sonstige", "other"),
}

VARIANTS: Final = {
    Variant.VAR1: Text("neu in EspoCRM", "new in EspoCRM"),
    Variant.VAR2: Text("in EspoCRM gelöscht", "deleted in EspoCRM"),
    Variant.VAR3: Text("in Advoware gelöscht", "deleted in Advoware"),
    Variant.VAR4: Text("neu in Advoware", "new in Advoware"),
    Variant.VAR5: Text("in EspoCRM geändert", "changed in EspoCRM"),
    Variant.VAR6: Text("in Advoware geändert", "changed in Advoware"),
    Variant.MARKER: Text("Merkzeichen gesetzt", "marker set"),
    Variant.TYPE: Text("Art angepasst", "type adjusted"),
    Variant.FLAG: Text("bevorzugter Eintrag", "primary entry"),
    Variant.RESTORE: Text("wiederhergestellt", "put back"),
    Variant.STATUS: Text("Status am Datensatz", "status on the record"),
    Variant.WISH: Text("auf Wunsch zurückgenommen", "undone on request"),
}
OUTCOMES: Final = {
    Outcome.DONE: Text("ausgeführt", "done"),
    Outcome.REFUSED: Text("abgelehnt", "refused"),
    Outcome.NOT_SENT: Text("nicht gesendet", "not sent"),
    Outcome.UNKNOWN: Text("Ausgang unbekannt, wird nachgelesen", "outcome unknown, read again"),
}
#: Of decisions.
VERDICTS: Final = {
    "waiting": Text("wartet auf Ausführung", "waiting to be carried out"),
    "done": Text("ausgeführt", "carried out"),
    "void": Text("hinfällig: die Werte hatten sich geändert", "void: the values had changed"),
    "replaced": Text("durch eine spätere Entscheidung ersetzt", "replaced by a later decision"),
}
DECIDERS: Final = {"operator": Text("ein Mensch", "a human"), "policy": Text("die Regel", "the rule")}

TRIGGERS: Final = {
    Trigger.DISCOVERED: Text("zum ersten Mal gesehen", "seen for the first time"),
    Trigger.CHANGE_SEEN: Text("Änderung gesehen", "change seen"),
    Trigger.PICKED: Text("Abgleich begonnen", "sync begun"),
    Trigger.SYNCED: Text("abgeglichen und nachgelesen", "synced and verified"),
    Trigger.LOOK_AGAIN: Text("wird noch einmal angesehen", "will be looked at again"),
    Trigger.CONFLICT_FOUND: Text("Konflikt gefunden", "conflict found"),
    Trigger.DECIDED: Text("Entscheidung getroffen", "decision made"),
    Trigger.ATTEMPT_FAILED: Text("Versuch fehlgeschlagen", "attempt failed"),
    Trigger.GAVE_UP: Text("aufgegeben", "given up"),
    Trigger.POSTPONED: Text("verschoben", "postponed"),
    Trigger.INTERRUPTED: Text("unterbrochen", "interrupted"),
    Trigger.AUTO_RESET: Text("neue Versuche von selbst", "tried again by itself"),
    Trigger.ASKED: Text("von einem Menschen angestoßen", "asked for by a human"),
    Trigger.UNTRACKED: Text("nicht mehr abgeglichen", "no longer synced"),
}

#: The rule that applies to an entry (sync rules §5).
RULES: Final = {
    Action.NOTHING: Text("Beide Seiten zeigen, was vereinbart war.", "Both sides show what was agreed."),
    Action.PENDING: Text(
        "Er fehlt auf einer Seite; erst ein zweiter Blick macht daraus eine Löschung.",
        "It is missing on one side; only a second look makes a deletion of it.",
    ),
    Action.AGREE: Text(
        "Beide Seiten zeigen dasselbe; es wird nur gemerkt.",
        "Both sides show the same; it is only remembered.",
    ),
    Action.DROP: Text("Auf beiden Seiten fort; wird vergessen.", "Gone on both sides; it is forgotten."),
    Action.GIVE_ADVOWARE: Text(
        "Der Wert von EspoCRM kommt nach Advoware.", "EspoCRM's value is written to Advoware."
    ),
    Action.EMPTY_ADVOWARE: Text(
        "In EspoCRM gelöscht: der Eintrag in Advoware wird geleert.",
        "Deleted in EspoCRM: the entry in Advoware is emptied.",
    ),
    Action.CREATE_IN_ADVOWARE: Text(
        "Neu in EspoCRM: wird in Advoware angelegt.", "New in EspoCRM: it is created in Advoware."
    ),
    Action.GIVE_ESPOCRM: Text(
        "Der Wert von Advoware kommt nach EspoCRM.", "Advoware's value is written to EspoCRM."
    ),
    Action.REMOVE_FROM_ESPOCRM: Text(
        "In Advoware gelöscht: wird aus EspoCRM entfernt.", "Deleted in Advoware: it is removed from EspoCRM."
    ),
    Action.ADD_TO_ESPOCRM: Text(
        "Neu in Advoware: kommt nach EspoCRM.", "New in Advoware: it is added to EspoCRM."
    ),
    Action.EDIT_EDIT: Text(
        "Auf beiden Seiten verschieden geändert: ein Konflikt.",
        "Changed differently on both sides: a conflict.",
    ),
    Action.EDIT_DELETE: Text(
        "Auf einer Seite geändert, auf der anderen gelöscht: ein Konflikt.",
        "Changed on one side, deleted on the other: a conflict.",
    ),
    Action.DISSOLVE: Text(
        "Beide Werte werden Einträge für sich.", "Each of the two values becomes an entry of its own."
    ),
    Action.EXTRA: Text(
        "Gibt es nur auf der geschriebenen Seite; bleibt dort.",
        "Exists on the written side only; it stays there.",
    ),
}
