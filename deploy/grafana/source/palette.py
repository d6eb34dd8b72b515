"""What a colour means, the same on every page. Used by the pages and their panels; knows nothing of metrics.

Green: nothing to do. Yellow: look at it in working hours. Red: a human is needed. Blue and purple: the two sides.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

GOOD = "green"
WATCH = "yellow"
ACT = "red"
NEUTRAL = "text"

SIDES = {"espocrm": "blue", "advoware": "purple"}
STATES = {
    "clean": GOOD,
    "dirty": "light-blue",
    "syncing": "blue",
    "conflict": WATCH,
    "failed": "orange",
    "permanently_failed": ACT,
}
NAMED = {**SIDES, **STATES}


def steps(watch: float | None, act: float | None) -> builders.ThresholdsConfig:
    """Green, yellow from ``watch`` on, red from ``act`` on; without both nothing is judged."""
    ladder = [models.Threshold(value=None, color=NEUTRAL if watch is None and act is None else GOOD)]
    if watch is not None:
        ladder.append(models.Threshold(value=watch, color=WATCH))
    if act is not None:
        ladder.append(models.Threshold(value=act, color=ACT))
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(ladder)


def words(meaning: dict[str, tuple[str, str]]) -> models.ValueMap:
    """Value → (text, colour), instead of a bare 0 or 1."""
    return models.ValueMap(
        options={
            value: models.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(meaning.items())
        }
    )


def fixed(colour: str) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})
