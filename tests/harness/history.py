"""One history from one seed: draw what it is like, live through it, wait until all is quiet, ask the oracle."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from daemon.maintenance import TIDY_SECONDS
from statemachine.case import Keep
from tests.harness import oracle
from tests.harness.misfortune import Mood
from tests.harness.pace import idling_slowly
from tests.harness.stage import Stage
from tests.harness.town import Plan, Town, empty_folder, quiet_process

_RAM = Path("/dev/shm")
#: However bad it was, after so long all must be well again.
_PATIENCE = 6 * 3600.0
_LOOK = 10.0
#: A short history is over soon.
_HASTE = {"retry_schedule_seconds": (2, 4, 8, 16, 32), "auto_reset_seconds": 60, "late_effect_seconds": 150}


@dataclass(slots=True)
class Result:
    seed: int
    violations: list[str]
    digest: str
    counts: dict[str, int] = field(default_factory=dict)
    effects: int = 0
    deaths: int = 0
    trampled: int = 0
    widths: list[float] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    virtual_seconds: float = 0.0
    seconds: float = 0.0
    first_effect: int = 0
    last_effect: int = 0
    seen: object = None


def drawn(seed: int) -> Plan:
    """What the history of this seed is like."""
    chance = random.Random(f"{seed}/plan")
    short = chance.random() < 0.7  # one person and a few edits: most of what can go wrong needs no more
    active = chance.choice((20.0, 30.0, 45.0) if short else (40.0, 80.0, 160.0, 300.0))
    outages = []
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        side = chance.choice(("espocrm", "advoware"))
        start = chance.uniform(0, active)
        kinds = ["not_sent", "error_502", "error_503", *(["offline"] if side == "advoware" else [])]
        outages.append((side, start, start + chance.choice((10.0, 40.0, 150.0)), chance.choice(kinds)))
    slow = chance.random() < 0.4
    return Plan(
        seed,
        people=1 if short else chance.choice((1, 1, 2, 2, 3, 5)),
        active=active,
        edits=chance.choice((1, 2, 3, 4, 6, 8) if short else (5, 10, 20, 40)),
        sweep=12.0 if short else 24.0,
        outages=tuple(outages),
        mood=Mood.drawn(chance, active, dense=short),
        save_seconds=chance.choice((0.02, 0.3, 1.0)) if slow else 0.0,
        hook_seconds=chance.choice((0.0, 0.5, 3.0)) if slow else 0.0,
        optimistic=chance.random() < 0.3,
        sync={
            "conflict_policy": chance.choice(("espocrm", "espocrm", "advoware", "manual")),
            "stale_form_seconds": chance.choice((0, 0, 30, 120)),
            "deletion": chance.choice(("slot", "slot", "slot", "delete")),
            **(_HASTE if short else {}),
        },
        lose_store_at=chance.uniform(0, active) if chance.random() < 0.1 else None,
        damage_store=chance.random() < 0.5,
        stops=tuple(chance.uniform(0, active) for _ in range(chance.choice((0, 0, 0, 1, 3)))),
        clocks=_clocks(chance, active) if chance.random() < 0.3 else (),
        operator=chance.random() < 0.3,
        quiet_polls=100 if chance.random() < 0.01 else 4,
    )


def _clocks(chance: random.Random, active: float) -> tuple[tuple[float, str, float], ...]:
    """Wrong from the beginning, by hours or by seconds, and jumping; each partner's and our own."""
    changes = []
    for whose in ("espocrm", "advoware", "daemon"):
        moments = [0.0, *(chance.uniform(0, active) for _ in range(chance.choice((0, 0, 1, 2))))]
        changes += [
            (at, whose, chance.choice((0.0, 1.0, -1.0, 3600.0, -3600.0, 93600.0, -93600.0))) for at in moments
        ]
    return tuple(sorted(changes))


def play(
    plan: Plan,
    *,
    keep: bool = False,
    folder: Path | None = None,
    die_at: frozenset[int] = frozenset(),
    begin: Callable[[Town], None] | None = None,
    see: Callable[[Town], object] | None = None,
) -> Result:
    """Live through it. ``die_at``: numbers of effects at which the process is killed; ``begin``: sets people and
    misfortune on the timeline, instead of random edits; ``see``: looks at the end, its result is ``seen``."""
    began = time.perf_counter()
    base = folder or Path(tempfile.mkdtemp(prefix="kommsync-", dir=_RAM if _RAM.is_dir() else None))
    try:
        town = Town(plan, empty_folder(base), keep_trace=keep)
        town.die_at = die_at
        quiet_process(town.trace.note if keep else None)
        life = _Life(town)
        with idling_slowly():
            life.go_through(begin)
        seen = see(town) if see is not None else None
        town.close()
    finally:
        if folder is None:
            empty_folder(base).rmdir()
    return Result(
        plan.seed,
        town.violations,
        town.trace.digest,
        dict(town.trace.counts),
        town.effects,
        town.deaths,
        town.trampled,
        town.widths,
        town.trace.lines,
        town.timeline.now,
        time.perf_counter() - began,
        town.first_effect,
        life.last_effect,
        seen,
    )


class _Life:
    """``last_effect``: how many effects there were until it was quiet."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._written = -1
        self._still_since = 0.0
        self._verdict_at: float | None = None
        self._store_is_to_go = False
        self.last_effect = 0

    def go_through(self, begin: Callable[[Town], None] | None) -> None:
        town, plan = self._town, self._town.plan
        chance = random.Random(f"{plan.seed}/events")
        if begin is not None:
            begin(town)
        else:
            for _ in range(plan.edits):
                town.timeline.at(chance.uniform(0, plan.active), town.office.edit)
        for moment in plan.stops:
            town.timeline.at(moment, lambda: town.process.stop() if town.process else None)
        for moment, whose, wrong in plan.clocks:
            town.timeline.at(moment, partial(town.trace.say, "fate", "clock", whose, wrong))
            if whose == "espocrm":  # a save takes seconds, whatever the clock does
                town.timeline.at(max(moment - 0.001, 0.0), town.espo.database.finish)
        if plan.operator:
            self._operate(Stage(town), chance)
        if plan.lose_store_at is not None:
            town.timeline.at(plan.lose_store_at, self._lose_store)
        town.timeline.at(plan.active, self._look)
        while not town.over:
            town.live()
            if town.over:
                break
            if self._store_is_to_go:
                self._store_is_to_go = False
                town.lose_store()
            town.timeline.run_to(town.timeline.now + chance.choice((0.1, 1.0, 10.0, 60.0)))

    def _operate(self, stage: Stage, chance: random.Random) -> None:
        for who in range(len(self._town.pairs)):
            for _ in range(3):
                moment = chance.uniform(0, self._town.plan.active)
                stage.at(moment, stage.decide(chance.choice(list(Keep)), who), stage.retry(who))

    def _lose_store(self) -> None:
        self._store_is_to_go = True
        self._town.end_life()

    def _look(self) -> None:
        """Is it quiet yet? Then what is true?"""
        town, now = self._town, self._town.timeline.now
        written = town.written()
        if written != self._written or (self._verdict_at is None and oracle.restless(town)):
            self._written, self._still_since = written, now
            self.last_effect = town.effects
            if self._verdict_at is not None:
                town.violations.append("it was quiet and then something was written again")
                return self._end()
        settled = now - self._still_since
        plan = town.plan
        quiet_after = 1.5 * plan.sweep + 15 if plan.settled_for is None else plan.settled_for
        if any(at > 0 and who == "daemon" for at, who, _ in plan.clocks):
            quiet_after += TIDY_SECONDS  # so long it takes until what was due at another time is due again
        if self._verdict_at is None and settled >= quiet_after:
            oracle.judge(town)
            self._verdict_at = now
        if self._verdict_at is not None and now - self._verdict_at >= plan.quiet_polls * plan.poll:
            return self._end()
        if now > plan.active + _PATIENCE:
            town.violations.append(f"never came to rest: {oracle.restless(town)}")
            return self._end()
        town.timeline.after(_LOOK, self._look)
        return None

    def _end(self) -> None:
        self._town.over = True
        self._town.end_life()
