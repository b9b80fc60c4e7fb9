"""What a dashboard is made of, and its JSON as Grafana reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

SOURCE = DataSourceRef(type_val="prometheus", uid="${prometheus}")
WIDE, HIGH = 8, 8
"""Of a panel: three a row of 24 columns."""


@dataclass(frozen=True)
class Panel:
    """`shows`: legend -> query. `unit`: Grafana's word for it."""

    title: str
    unit: str
    shows: Mapping[str, str]
    says: str


@dataclass(frozen=True)
class Board:
    """A dashboard: rows of panels under a heading each. `by_platform`: a platform may be chosen."""

    name: str
    says: str
    rows: Mapping[str, Sequence[Panel]]
    by_platform: bool = False

    @property
    def panels(self) -> list[Panel]:
        """All panels."""
        return [panel for row in self.rows.values() for panel in row]


def rendered(board: Board) -> str:
    """The dashboard's JSON."""
    made = (
        dashboard.Dashboard(f"Byline: {board.name}")
        .uid(f"byline-{board.name}")
        .description(board.says)
        .tags(["byline"])
        .time("now-6h", "now")
        .refresh("30s")
        .with_variable(
            dashboard.DatasourceVariable("prometheus").label("Prometheus").type("prometheus")
        )
    )
    if board.by_platform:
        made.with_variable(
            dashboard.QueryVariable("platform")
            .label("Platform")
            .datasource(SOURCE)
            .query("label_values(byline_policy_info, platform)")
            .multi(True)
            .include_all(True)
            .all_value(".*")
        )
    number = 0
    for heading, panels in board.rows.items():
        number += 1
        made.with_row(dashboard.Row(heading).id(number))
        for panel in panels:
            number += 1
            made.with_panel(_drawn(panel).id(number))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _drawn(panel: Panel) -> timeseries.Panel:
    drawn = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.says)
        .unit(panel.unit)
        .datasource(SOURCE)
        .span(WIDE)
        .height(HIGH)
    )
    for letter, (legend, query) in zip("ABCDEFGH", panel.shows.items(), strict=False):
        drawn.with_target(prometheus.Dataquery().expr(query).legend_format(legend).ref_id(letter))
    return drawn
