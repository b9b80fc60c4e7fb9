"""What the dashboards' panels show of a real Prometheus, query by query."""

from dataclasses import dataclass

from tests.prometheus.dashboards.__main__ import BOARDS
from tests.prometheus.dashboards.panel import Panel
from tests.prometheus.running import Prometheus, Series
from tests.prometheus.test_dashboards import filled_in

CAPTION = "drawn from the panel's query, not by Grafana"
"""Under each picture of a panel's answers."""


class Panels:
    """Which queries of the dashboards' panels have shown a series: of title and legend."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self.empty = {
            (panel.title, legend): query
            for board in BOARDS
            for panel in board.panels
            for legend, query in panel.shows.items()
        }

    def look(self) -> None:
        """Ask all that were empty so far."""
        for (title, legend), query in list(self.empty.items()):
            if self._prometheus.series(filled_in(query)):
                del self.empty[title, legend]

    def shows(self, title: str) -> bool:
        """Whether each query of a panel has shown a series, now or before."""
        self.look()
        return all(title != of for of, _ in self.empty)


@dataclass(frozen=True)
class PanelAnswer:
    """A panel of a board, and the series of each of its queries: legend as declared -> series."""

    board: str
    panel: Panel
    found: dict[str, list[Series]]

    @property
    def series(self) -> list[Series]:
        """All series, in the order of the queries."""
        return [one for series in self.found.values() for one in series]


def answers(prometheus: Prometheus, start: float, end: float) -> list[PanelAnswer]:
    """Every panel's answers between two instants (seconds UTC), series without a point left out."""
    return [
        PanelAnswer(
            board.name,
            panel,
            {
                legend: [
                    one
                    for one in prometheus.over_time(filled_in(query, "5s"), legend, start, end)
                    if one.points
                ]
                for legend, query in panel.shows.items()
            },
        )
        for board in BOARDS
        for panel in board.panels
    ]
