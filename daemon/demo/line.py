"""One line of what can be watched: who did what to whom, where and why; and the words for it.

Made by :mod:`daemon.demo.play` and :mod:`daemon.demo.watch`, shown by :mod:`daemon.demo.screen`.
"""

from __future__ import annotations

from dataclasses import dataclass

from daemon.simulators.staff import Edit
from daemon.store import HistoryRow

SYSTEMS = {"espocrm": "EspoCRM", "advoware": "Advoware"}


@dataclass(frozen=True, slots=True)
class Line:
    """``who``: staff, kommsync, office (who decides) or scene. ``at``: Unix seconds."""

    at: float
    who: str
    person: str
    where: str
    what: str
    why: str = ""


_EDITS = {
    "add_item": "adds",
    "change_item": "changes",
    "remove_item": "deletes",
    "change_type": "changes the type of",
    "move_primary": "makes primary",
    "set_optOut": "switches the opt-out of",
    "set_invalid": "switches 'invalid' of",
    "add_row": "adds",
    "change_row": "changes",
    "respell_row": "puts blanks around",
    "empty_row": "empties",
    "delete_row": "deletes",
    "copy_row": "copies, with its marker,",
    "type_into_slot": "types into an emptied entry",
    "write_text": "writes a remark at",
    "write_over_marker": "overwrites the marker of",
    "switch_online": "switches 'online' of",
}

_WHY = {
    "var1": "it is new in EspoCRM",
    "var2": "it was deleted in EspoCRM",
    "var3": "it was deleted in Advoware",
    "var4": "it is new in Advoware",
    "var5": "it was changed in EspoCRM",
    "var6": "it was changed in Advoware",
    "marker": "so that it is known again",
    "type": "its type was changed in EspoCRM",
    "flag": "primary and online go together",
    "restore": "it is put back as agreed",
    "status": "people see the state in EspoCRM",
}


def of_edit(edit: Edit, person: str, at: float) -> Line:
    """What somebody of the staff did."""
    value = " → ".join(_unlike(edit.before, edit.after))
    return Line(at, "staff", person, SYSTEMS[edit.side], f"{_EDITS.get(edit.what, edit.what)} {value}")


def of_write(row: HistoryRow, person: str) -> Line:
    """What the daemon wrote."""
    side, variant = str(row["side"]), str(row["variant"])
    value = " → ".join(_unlike(row["before"], row["after"]))
    missed = "" if row["outcome"] == "done" else f" ({row['outcome'] or 'under way'})"
    return Line(
        row["at"], "kommsync", person, SYSTEMS[side], f"writes {value}{missed}", _WHY.get(variant, variant)
    )


def _unlike(before: str | None, after: str | None) -> tuple[str, ...]:
    shown = (before or "–", after or "–")
    return shown[:1] if before == after else shown[1:] if not before else shown
