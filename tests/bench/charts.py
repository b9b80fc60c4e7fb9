"""The comparison as SVG, drawn by matplotlib from the medians of the results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.arithmetic import number
from tests.bench.contestants import CONTESTANTS
from tests.bench.results import Results

OURS, OTHERS = "#1b6ca8", "#b8bfc6"


class ChartBar(NamedTuple):
    """A figure of one contestant in one case, with its least and most."""

    words: str
    median: float
    least: float
    most: float
    ours: bool


def bars(results: Results, figure: str, scenario: str) -> list[ChartBar]:
    """One for each contestant and case that has the figure."""
    found = []
    groups = [group for group in results.groups() if group[0] == scenario]
    many = len({case for _, case, _ in groups}) > 1
    for group in groups:
        spread = results.spread(figure, *group)
        if spread is not None:
            _, case, peer = group
            title = CONTESTANTS[peer].title
            words = f"{title}, {case}" if many else title
            found.append(ChartBar(words, *spread, CONTESTANTS[peer].is_byline))
    return found


def draw(path: Path, title: str, axis: str, shown: Sequence[ChartBar], *, log: bool) -> None:
    """Horizontal bars, whiskers from least to most."""
    # Imported here: every process of a test run reads this module, and one draws.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update({"svg.hashsalt": "byline", "svg.fonttype": "none", "font.size": 9})
    figure = Figure(figsize=(8, 1 + 0.34 * len(shown)), layout="constrained")
    axes: Any = figure.subplots()
    places = range(len(shown))
    whiskers = [
        [bar.median - bar.least for bar in shown],
        [bar.most - bar.median for bar in shown],
    ]
    colours = [OURS if bar.ours else OTHERS for bar in shown]
    medians = [bar.median for bar in shown]
    axes.barh(places, medians, xerr=whiskers, color=colours, ecolor="#555", capsize=2)
    axes.set_yticks(places, [bar.words for bar in shown])
    axes.invert_yaxis()
    if log:
        axes.set_xscale("log")
    axes.bar_label(axes.containers[-1], [number(bar.median) for bar in shown], padding=4)
    axes.set_xlabel(axis)
    axes.set_title(title, loc="left")
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="svg", metadata={"Date": None})


CHARTS = (
    ("drain-rate", "Draining a backlog", "events/s (log)", "events_per_second", "drain", True),
    ("drain-cpu", "What an event costs", "CPU µs/event (log)", "cpu_us", "drain", True),
    ("worst-rate", "Every reading changes state", "events/s", "events_per_second", "worst", False),
    ("latency-p99", "Produced to visible, p99", "ms (log)", "p99_ms", "latency", True),
    ("recovery", "kill -9 to first decision", "s", "first_decision_seconds", "recovery", False),
)


def draw_all(results: Results, folder: Path) -> list[Path]:
    """Every chart that there are figures for; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, title, axis, figure, scenario, log in CHARTS:
        shown = bars(results, figure, scenario)
        if shown:
            path = folder / f"{name}.svg"
            draw(path, title, axis, shown, log=log)
            drawn.append(path)
    return drawn
