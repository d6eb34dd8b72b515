"""The few kinds of panels that the pages are made of. Each takes a title, a description and a unit: none goes without.

Called by the pages; colours come from :mod:`palette`.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

import palette

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
NOT_CLEAN = "dirty|syncing|conflict|failed|permanently_failed"
ANSWERS = {"0": ("ja · yes", palette.GOOD), "1": ("nein · no", palette.ACT)}


def of(metric: str, **labels: str) -> str:
    """The selector of one of our metrics for the chosen instances; a value may be a regular expression."""
    wanted = "".join(f', {name}=~"{value}"' for name, value in labels.items())
    name = metric if metric.startswith(("process_", "up", "kommsync:")) else f"kommsync_{metric}"
    return f'{name}{{job="kommsync", instance=~"$instance"{wanted}}}'


def _query(expr: str, legend: str = "") -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id("A").expr(expr).legend_format(legend or "__auto")


def _queries(pairs: list[tuple[str, str]]) -> list[prometheus.Dataquery]:
    return [
        _query(expr, legend).ref_id(ref).range() for ref, (expr, legend) in zip("ABCDEF", pairs, strict=False)
    ]


def number(
    title: str,
    description: str,
    expr: str,
    unit: str,
    watch: float | None = None,
    act: float | None = None,
    meaning: dict[str, tuple[str, str]] | None = None,
    name: str = "",
    width: int = 4,
) -> stat.Panel:
    """One figure as it is now; with ``meaning`` in words, with ``name`` (a label) the label instead of the figure."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(palette.steps(watch, act))
        .color_mode(BigValueColorMode.BACKGROUND if meaning or act or watch else BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query(expr, name).instant())
        .text_mode(BigValueTextMode.NAME if name else BigValueTextMode.AUTO)
        .height(4)
        .span(width)
    )
    return panel.mappings([palette.words(meaning)]) if meaning else panel


def lines(
    title: str,
    description: str,
    queries: list[tuple[str, str]],
    unit: str,
    watch: float | None = None,
    act: float | None = None,
    stacked: bool = False,
    width: int = 12,
) -> timeseries.Panel:
    """``queries``: expression and legend. Sides and states always have their colours."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .fill_opacity(40 if stacked else 10)
        .thresholds(palette.steps(watch, act))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .height(8)
        .span(width)
    )
    if watch is not None or act is not None:
        panel = panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    for name, colour in palette.NAMED.items():
        panel = panel.override_by_regexp(f"^{name}\\b", [palette.fixed(colour)])
    return panel.targets(_queries(queries))  # type: ignore[arg-type]  # list is invariant


def timeline(
    title: str,
    description: str,
    queries: list[tuple[str, str]],
    meaning: dict[str, tuple[str, str]],
    width: int = 12,
) -> statetimeline.Panel:
    """Which of a few states something was in, over time."""
    panel = (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit("none")
        .thresholds(palette.steps(None, 1))
        .mappings([palette.words(meaning)])
        .height(6)
        .span(width)
    )
    return panel.targets(_queries(queries))  # type: ignore[arg-type]  # list is invariant


def rows(title: str, description: str, expr: str, columns: dict[str, str], width: int = 12) -> table.Panel:
    """A table of the series that there are now; ``columns``: label → heading, in this order."""
    order = {label: index for index, label in enumerate(columns)}
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit("none")
        .thresholds(palette.steps(None, None))
        .with_target(_query(expr).instant().format(PromQueryFormat.TABLE))
        .with_transformation(
            DataTransformerConfig(id_val="filterFieldsByName", options={"include": {"names": list(columns)}})
        )
        .with_transformation(
            DataTransformerConfig(id_val="organize", options={"indexByName": order, "renameByName": columns})
        )
        .height(8)
        .span(width)
    )


def note(title: str, content: str, width: int = 24, height: int = 4) -> text.Panel:
    return text.Panel().title(title).description(title).content(content).height(height).span(width)


def page(uid: str, title: str, description: str, since: str) -> dashboard.Dashboard:
    """An empty page with the choice of data source and instance and links to its sisters."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["kommsync"])
        .readonly()
        .refresh("30s")
        .time(since, "now")
        .timezone("browser")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("instance")
            .label("Instance")
            .datasource(SOURCE)
            .query('label_values(up{job="kommsync"}, instance)')
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
        )
        .link(
            dashboard.DashboardLink("kommsync")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["kommsync"])
            .as_dropdown(True)
        )
    )
