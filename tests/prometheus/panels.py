"""What the dashboards' panels show of a real Prometheus, query by query."""

from dataclasses import dataclass

from tests.prometheus.dashboards.__main__ import BOARDS
from tests.prometheus.dashboards.panel import Panel
from tests.prometheus.running import Prometheus, Series
from tests.prometheus.test_dashboards import filled_in


class Panels:
    """Which panels of the dashboards have shown a series."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self.empty = {panel.title: panel for board in BOARDS for panel in board.panels}

    def look(self) -> None:
        """Ask for all that were empty so far."""
        for title in list(self.empty):
            self.shows(title)

    def shows(self, title: str) -> bool:
        """Whether a panel has shown a series, now or before."""
        panel = self.empty.get(title)
        if panel is not None and any(map(self._series, panel.shows.values())):
            del self.empty[title]
        return title not in self.empty

    def _series(self, query: str) -> int:
        return self._prometheus.series(filled_in(query))


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
