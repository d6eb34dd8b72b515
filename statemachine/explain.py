"""One sentence per entry: which rule applies and why nothing happens where nothing happens.

Called by ``explain``, ``show`` and the page. Names rules, never a number or an address. ``sentence`` is for the
administrator, ``satz`` says the same to a secretary.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from statemachine.decide import Action
from statemachine.draft import Entry

#: Action → (English, German).
ACTIONS: Mapping[Action, tuple[str, str]] = MappingProxyType(
    {
        Action.NOTHING: ("both sides agree", "beide Seiten sind gleich"),
        Action.PENDING: (
            "it is missing on one side; a second look must confirm that it was deleted",
            "der Eintrag fehlt auf einer Seite; erst ein zweiter Blick bestätigt, dass er gelöscht wurde",
        ),
        Action.AGREE: (
            "both sides came to the same value on their own: only remembered",
            "beide Seiten haben von sich aus denselben Wert: wird nur gemerkt",
        ),
        Action.DROP: (
            "it was deleted on both sides: forgotten",
            "der Eintrag wurde auf beiden Seiten gelöscht: wird vergessen",
        ),
        Action.GIVE_ADVOWARE: (
            "Advoware takes EspoCRM's value (Var5)",
            "Advoware übernimmt den Wert aus EspoCRM (Var5)",
        ),
        Action.EMPTY_ADVOWARE: (
            "it was deleted in EspoCRM: its row in Advoware is emptied (Var2)",
            "der Eintrag wurde in EspoCRM gelöscht: die Zeile in Advoware wird geleert (Var2)",
        ),
        Action.CREATE_IN_ADVOWARE: (
            "Advoware gets the value in an empty row or a new one (Var1)",
            "Advoware bekommt den Wert in einer leeren oder neuen Zeile (Var1)",
        ),
        Action.GIVE_ESPOCRM: (
            "EspoCRM takes Advoware's value (Var6)",
            "EspoCRM übernimmt den Wert aus Advoware (Var6)",
        ),
        Action.REMOVE_FROM_ESPOCRM: (
            "it is not in Advoware any more: it is removed from EspoCRM (Var3)",
            "der Eintrag ist nicht mehr in Advoware: er wird aus EspoCRM entfernt (Var3)",
        ),
        Action.ADD_TO_ESPOCRM: (
            "EspoCRM gets Advoware's value (Var4)",
            "EspoCRM bekommt den Wert aus Advoware (Var4)",
        ),
        Action.EDIT_EDIT: (
            "both sides changed it differently: a human must decide",
            "beide Seiten haben ihn verschieden geändert: ein Mensch muss entscheiden",
        ),
        Action.EDIT_DELETE: (
            "one side changed it, the other deleted it: a human must decide",
            "eine Seite hat ihn geändert, die andere gelöscht: ein Mensch muss entscheiden",
        ),
        Action.DISSOLVE: (
            "both halves are kept as entries of their own",
            "beide Hälften bleiben als eigene Einträge",
        ),
        Action.EXTRA: (
            "it exists only on the side that is written",
            "den Eintrag gibt es nur auf der Seite, die beschrieben wird",
        ),
    }
)

#: Problem → (English, German). Reasons why a value is unsyncable are here too.
PROBLEMS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "pending": ("waiting for the second look", "wartet auf den zweiten Blick"),
        "settling": (
            "waiting until two looks show the same",
            "wartet, bis zwei Blicke dasselbe zeigen",
        ),
        "lookup": (
            "first it is looked up who else holds the value",
            "zuerst wird nachgesehen, wer den Wert noch hat",
        ),
        "fuse": (
            "held by the deletion fuse until an operator approves or rejects",
            "von der Löschsicherung angehalten, bis jemand freigibt oder ablehnt",
        ),
        "kept": (
            "its deletion was rejected, and EspoCRM or Advoware, where it is missing, may not be written",
            "das Löschen wurde abgelehnt, und wo er fehlt, darf nicht geschrieben werden",
        ),
        "merging": (
            "the value is there already: the entries become one",
            "der Wert ist schon da: die Einträge werden einer",
        ),
        "retyping": (
            "first a row of the new kind, then the old one is emptied",
            "erst kommt eine Zeile der neuen Art, dann wird die alte geleert",
        ),
        "waits": (
            "nothing is written before the question about the whole person is answered",
            "nichts wird geschrieben, bis die Frage zur ganzen Person beantwortet ist",
        ),
        "conflict": ("waiting for a decision", "wartet auf eine Entscheidung"),
        "readonly_field": (
            "the type was changed in EspoCRM; Advoware cannot change a kind, so it is left alone",
            "der Typ wurde in EspoCRM geändert; Advoware kann die Art nicht ändern, deshalb bleibt es so",
        ),
        "extra": ("it is kept as it is", "er bleibt, wie er ist"),
        "not_taken": (
            "written twice without effect: left alone",
            "zweimal ohne Wirkung geschrieben: bleibt liegen",
        ),
        "quarantined": (
            "written again and again: left alone until a human changes it",
            "immer wieder geschrieben: bleibt liegen, bis ein Mensch ihn ändert",
        ),
        "array_refused": (
            "EspoCRM refuses what it has stored itself, so the list cannot be written",
            "EspoCRM lehnt seine eigenen gespeicherten Werte ab, die Liste kann nicht geschrieben werden",
        ),
        "refused": ("the other side refused the value", "die andere Seite hat den Wert abgelehnt"),
        "refused_by_advoware": ("Advoware refused the value", "Advoware hat den Wert abgelehnt"),
        "refused_by_espocrm": ("EspoCRM refused the value", "EspoCRM hat den Wert abgelehnt"),
        "too_many": ("EspoCRM takes ten entries at most", "EspoCRM nimmt höchstens zehn Einträge"),
        "too_long": ("the value is too long", "der Wert ist zu lang"),
        "blank": ("the value is blank", "der Wert ist leer"),
        "no_mail_address": ("it is no mail address", "das ist keine E-Mail-Adresse"),
        "safe_id": ("a beA SAFE-ID is no mail address", "eine beA-SAFE-ID ist keine E-Mail-Adresse"),
        "umlaut_domain": (
            "EspoCRM refuses domains with umlauts",
            "EspoCRM lehnt Domains mit Umlauten ab",
        ),
        "two_values": ("two values stand in one field", "zwei Werte stehen in einem Feld"),
        "refused_characters": (
            "EspoCRM refuses some of its characters",
            "EspoCRM lehnt einige Zeichen darin ab",
        ),
        "not_a_number": ("it is no valid number", "das ist keine gültige Nummer"),
        "extension_dropped": (
            "EspoCRM would drop the extension",
            "EspoCRM würde die Durchwahl verlieren",
        ),
    }
)


def sentence(entry: Entry) -> str:
    """The rule in English. Raises KeyError for a word nobody explained."""
    return _said(entry, 0)


def satz(entry: Entry) -> str:
    """The rule in German."""
    return _said(entry, 1)


def _said(entry: Entry, language: int) -> str:
    parts = [ACTIONS[entry.action][language]]
    if entry.problem is not None:
        parts.append(PROBLEMS[entry.problem][language])
    text = "; ".join(parts)
    return text[0].upper() + text[1:] + "."
