"""The page of the office: is everything in sync, and what waits for me? German and English, no technical words."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from panels import ANSWERS, NOT_CLEAN, lines, note, number, of, page, timeline

HELP = """**Gelb** heißt: in den nächsten Tagen ansehen. **Rot** heißt: jetzt jemanden rufen. Konflikte und
nicht abgleichbare Einträge stehen als Aufgabe in EspoCRM. Solange eine Seite nicht erreichbar ist, geht nichts
verloren: alles wird nachgeholt. · **Yellow**: look at it within days. **Red**: call somebody now. Conflicts and
entries that cannot be synced are tasks in EspoCRM. Nothing is lost while a side cannot be reached: everything is
made up for."""


def build() -> dashboard.Dashboard:
    waiting = f"sum({of('beteiligte', state='dirty|syncing|failed')})"
    return (
        page(
            "kommsync-office",
            "kommsync · Büro / Office",
            "Is everything in sync, and what waits for me?",
            "now-24h",
        )
        .with_panel(
            number(
                "Alles abgeglichen? · All in sync?",
                "Ja, wenn keine Änderung länger als 15 Minuten wartet. · Yes if no change has been waiting for "
                "more than 15 minutes.",
                f"max(({of('kommsync:oldest_unsynced:seconds')}) > bool 900)",
                "none",
                meaning=ANSWERS,
            )
        )
        .with_panel(
            number(
                "Warten auf den Abgleich · Waiting",
                "Beteiligte mit einer Änderung, die gleich abgeglichen wird. · Beteiligte with a change that is about "
                "to be synced.",
                waiting,
                "short",
                watch=50,
            )
        )
        .with_panel(
            number(
                "Konflikte für mich · Conflicts for me",
                "Derselbe Eintrag wurde auf beiden Seiten geändert; jemand muss entscheiden. · The same entry was "
                "changed on both sides; somebody must decide.",
                f"sum({of('conflicts_open')})",
                "short",
                watch=1,
                act=20,
            )
        )
        .with_panel(
            number(
                "Dauerhaft gescheitert · Given up",
                "Beteiligte, die nicht abgeglichen werden können; der Grund steht am Datensatz. · Beteiligte that "
                "cannot be synced; the record tells why.",
                f"sum({of('beteiligte', state='permanently_failed')})",
                "short",
                watch=1,
                act=20,
            )
        )
        .with_panel(
            number(
                "Nicht abgleichbar · Cannot be synced",
                "Einträge, die die andere Seite nicht annimmt, etwa „k.A.“ als Nummer. · Entries that the other side "
                "refuses, such as a number that is none.",
                f"sum({of('unsyncable_entries')})",
                "short",
                watch=1,
            )
        )
        .with_panel(
            number(
                "Löschungen angehalten · Deletions held",
                "Ungewöhnlich viele Einträge sind verschwunden; sie werden nicht gelöscht, bis jemand zustimmt. · "
                "Unusually many entries vanished; none is deleted until somebody approves.",
                f"max({of('fuse_blown')})",
                "none",
                meaning={"0": ("nein · no", "green"), "1": ("ja · yes", "red")},
            )
        )
        .with_panel(
            timeline(
                "Sind beide Seiten erreichbar? · Can both sides be reached?",
                "Nachts ist Advoware oft ausgeschaltet, das ist kein Fehler. · Advoware is often off at night, "
                "which is no fault.",
                [(f"max by (side) ({of('breaker_open')})", "{{side}}")],
                {"0": ("erreichbar · up", "green"), "1": ("nicht erreichbar · down", "red")},
            )
        )
        .with_panel(
            number(
                "Älteste wartende Änderung · Oldest waiting change",
                "Seit wann die älteste noch nicht abgeglichene Änderung wartet. · For how long the oldest change has "
                "been waiting.",
                f"max({of('kommsync:oldest_unsynced:seconds')})",
                "s",
                watch=300,
                act=900,
                width=6,
            )
        )
        .with_panel(
            number(
                "Beteiligte insgesamt · Beteiligte in all",
                "Alle Beteiligten, die abgeglichen werden. · All Beteiligte that are kept in sync.",
                f"sum({of('beteiligte')})",
                "short",
                width=6,
            )
        )
        .with_panel(
            lines(
                "Übertragene Einträge je Stunde · Entries carried over per hour",
                "Wohin geschrieben wurde. · The side that was written to.",
                [
                    (
                        f"sum by (side) (increase({of('entry_writes_total', variant='var.|restore')}[1h]))",
                        "{{side}}",
                    )
                ],
                "short",
            )
        )
        .with_panel(
            lines(
                "Beteiligte, die nicht fertig sind · Beteiligte that are not done",
                "Nach Zustand; was fertig ist, fehlt hier. · By state; what is done is left out.",
                [
                    (
                        f"sum by (state) ({of('beteiligte', state=NOT_CLEAN)})",
                        "{{state}}",
                    )
                ],
                "short",
                stacked=True,
            )
        )
        .with_panel(note("Was tun? · What to do?", HELP))
    )
