"""Panels drawn from what a real Prometheus answered to their queries; Grafana has no part in it."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
from PIL import Image

from tests.prometheus.panels import CAPTION, PanelAnswer
from tests.prometheus.running import liveliest

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, MaxNLocator

UNITS = {
    "s": "seconds",
    "cps": "a second",
    "short": "number",
    "bytes": "bytes",
    "percentunit": "share",
}
"""Grafana's word for a unit -> the axis's."""
MOST_LEGENDS = 6
"""Of a panel; those of its liveliest series."""
COLOURS = 48
COLUMNS = 3


def _clock(at: float, _: object) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def _panel(axes: Any, answer: PanelAnswer, size: float) -> None:
    for number, one in enumerate(liveliest(answer.series)):
        legend = one.legend if number < MOST_LEGENDS else "_"
        ats, values = zip(*one.points, strict=True)
        axes.plot(ats, values, label=legend, linewidth=1.1)
    axes.set_title(answer.panel.title, loc="left", fontsize=size + 2)
    axes.set_ylabel(UNITS[answer.panel.unit], fontsize=size)
    axes.tick_params(labelsize=size - 1)
    axes.xaxis.set_major_formatter(FuncFormatter(_clock))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.grid(alpha=0.3)
    if answer.series:
        axes.legend(fontsize=size - 1.5, loc="best", framealpha=0.6)


def _written(figure: Any, path: Path) -> None:
    """The figure with few colours, so that the file is small and the same each time."""
    figure.text(0.99, 0.006, CAPTION, ha="right", fontsize=7, color="gray")
    figure.tight_layout(rect=(0, 0.02, 1, 1))
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": None})
    plt.close(figure)
    drawn.seek(0)
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(path, optimize=True)


def draw_board(answers: Sequence[PanelAnswer], path: Path) -> None:
    """All panels of a board, three a row."""
    rows = -(-len(answers) // COLUMNS)
    figure, grid = plt.subplots(rows, COLUMNS, figsize=(15, 2.7 * rows), dpi=72, squeeze=False)
    for axes, answer in zip(grid.flat, answers, strict=False):
        _panel(axes, answer, 7.5)
    for axes in list(grid.flat)[len(answers) :]:
        axes.axis("off")
    _written(figure, path)
