"""Two trees of the shipped code, in alternate rounds of one run: is the later one slower?

Every figure is a ratio of two medians of one run, because this kind of machine is noisy. Within 5 %
is as fast, within 10 % is as small.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.arithmetic import number, ratio
from tests.bench.options import Options
from tests.bench.process import ROOT
from tests.bench.results import BenchRun, Results
from tests.bench.site import Site

SCENARIOS = ("drain", "worst", "latency", "deadline-storm", "recovery", "memory")
SLOWER, LARGER = 1.05, 1.10


@dataclass(frozen=True)
class BoundedFigure:
    """A figure whose growth from before to after is bounded; `rate`: more of it is better."""

    scenario: str
    case: str
    figure: str
    bound: float = SLOWER
    rate: bool = False

    def growth(self, results: Results) -> float | None:
        """How many times worse the later code is; None where one was not measured."""
        before, after = (
            results.median(self.figure, self.scenario, self.case, peer)
            for peer in ("before", "after")
        )
        return ratio(before, after) if self.rate else ratio(after, before)


LINES = (
    BoundedFigure("drain", "backlog", "events_per_second", rate=True),
    BoundedFigure("drain", "backlog", "cpu_us"),
    BoundedFigure("worst", "every account tracked", "events_per_second", rate=True),
    BoundedFigure("worst", "every account tracked", "cpu_us"),
    BoundedFigure("latency", "5,000 events/s", "p50_ms"),
    BoundedFigure("latency", "5,000 events/s", "p99_ms"),
    BoundedFigure("deadline-storm", "100,000 deadlines at once", "seconds"),
    BoundedFigure("deadline-storm", "100,000 deadlines at once", "p99_ms"),
    BoundedFigure("recovery", "empty disk", "first_decision_seconds"),
    BoundedFigure("recovery", "disk kept", "first_decision_seconds"),
    BoundedFigure("recovery", "empty disk", "records_per_second", rate=True),
    BoundedFigure("recovery", "empty disk, its member known", "first_decision_seconds"),
    BoundedFigure("recovery", "empty disk, its member known", "records_per_second", rate=True),
    BoundedFigure("memory", "400,000 tracked accounts", "bytes_per_account", LARGER),
    BoundedFigure("memory", "400,000 tracked accounts", "rss_mb", LARGER),
)

Scenario = Callable[[Site, Options], Iterator[BenchRun]]


def runs(
    site: Site, options: Options, before: Path, scenarios: Mapping[str, Scenario]
) -> Iterator[BenchRun]:
    """Each scenario once by each tree, round by round; who begins changes with the round."""
    trees = [("before", before), ("after", ROOT)]
    for round_ in range(options.rounds):
        for scenario in scenarios.values():
            for peer, code in trees if round_ % 2 == 0 else reversed(trees):
                site.code = code
                for run in scenario(site, replace(options, rounds=1)):
                    yield replace(run, peer=peer, round=round_)


def show(results: Results, console: Console) -> bool:
    """The table of medians and their ratios; whether every line that was measured holds."""
    table = Table("scenario", "case", "figure", "before", "after", "worse by", "at most", "")
    holds = True
    for line in LINES:
        growth = line.growth(results)
        if growth is None:
            continue
        kept = growth <= line.bound
        holds = holds and kept
        medians = (
            number(results.median(line.figure, line.scenario, line.case, peer) or 0)
            for peer in ("before", "after")
        )
        table.add_row(
            line.scenario,
            line.case,
            line.figure,
            *medians,
            f"{growth:.3f} ×",
            f"{line.bound:.2f} ×",
            "holds" if kept else "fails",
        )
    console.print(table)
    return holds
