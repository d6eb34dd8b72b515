"""The audit of the night: when, what it leaves behind, and that it never writes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.maintenance import AUDIT_NOTE
from daemon.nightly import Nightly, next_time
from daemon.settings import Audit
from tests.daemon.firm import Office, until
from tests.daemon.house import house
from tests.daemon.test_process import House as Process
from tests.daemon.test_process import living


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-11-22 01:00", "2026-11-22 01:30"),
        ("2026-11-22 01:30", "2026-11-23 01:30"),
        ("2026-03-29 00:00", "2026-03-29 01:30"),  # there is no 02:30 when summer begins
        ("2026-07-01 00:29", "2026-07-01 00:30"),
        ("2026-10-24 12:00", "2026-10-25 00:30"),
    ],
)
def test_the_next_half_past_two_in_berlin(now: str, then: str) -> None:
    assert next_time("02:30", "Europe/Berlin", at(now)) == at(then)


async def test_it_runs_once_when_its_time_has_come_and_sets_the_gauge(tmp_path: Path) -> None:
    async with house(tmp_path, 5) as firm:
        nightly = Nightly(firm.app, Audit(at="02:30"))
        assert 0 < await nightly.step() <= 300
        assert firm.asked() == {}
        row = next(row for row in firm.advoware.rows(firm.pairs[0].bet_nr) if row.tlf)
        firm.advoware.edit_row(row.id, tlf="0511 7654321")
        firm.clock.time += 86400.0
        await firm.app.outside.store.set_note("paused:advoware", "by an operator")
        assert await nightly.step() == 60
        assert firm.asked() == {}
        await firm.app.outside.store.set_note("paused:advoware", None)
        assert 0 < await nightly.step() <= 300
        asked = firm.asked()
        assert asked["advoware GET"] == 5
        assert not [name for name in asked if name.split()[1] in ("PUT", "DELETE") or name == "espocrm POST"]
        await firm.app.maintenance.show()
        assert firm.app.outside.metrics.audit_drift._value.get() == 1
        assert 0 < await nightly.step() <= 300
        assert firm.asked() == {}


async def test_a_clock_that_was_ahead_puts_it_off_no_longer_than_it_is_wrong(tmp_path: Path) -> None:
    async with house(tmp_path, 2) as firm:
        firm.clock.time += 30 * 86400.0
        nightly = Nightly(firm.app, Audit(at="02:30", sample=2))
        firm.clock.time -= 30 * 86400.0
        await nightly.step()
        firm.clock.time += 86400.0
        await nightly.step()
        assert firm.asked()["advoware GET"] == 2


async def test_a_sample_is_enough_for_who_wants_one(tmp_path: Path) -> None:
    async with house(tmp_path, 5) as firm:
        nightly = Nightly(firm.app, Audit(at="02:30", sample=2))
        firm.clock.time += 86400.0
        await nightly.step()
        assert firm.asked()["advoware GET"] == 2


async def test_the_daemon_runs_it_and_ends_with_it(tmp_path: Path) -> None:
    office = Office(tmp_path)
    process = Process(office)
    process.daemon._settings = office.settings(audit={"at": "02:30"})
    async with living(process):
        app = process.daemon.app
        assert app is not None
        await until(lambda: "audit" in app.progress._until)
        assert await app.outside.store.get_note(AUDIT_NOTE) is None
