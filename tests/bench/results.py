"""What a run of the benchmark leaves behind: settings, machine, the figures of every single run."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.arithmetic import Spread, spread
from tests.bench.watch import WatchVerdict


@dataclass(frozen=True)
class BenchRun:
    """One run of one contestant; `figures` are named with their unit last."""

    scenario: str
    case: str
    peer: str
    round: int
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> WatchVerdict | None:
        """Whether what came out was right; None where a run has nothing to judge."""
        found = self.figures.get("verdict")
        return WatchVerdict(**found) if found else None

    def figure(self, name: str) -> float | None:
        """A figure, if it has it."""
        found = self.figures.get(name)
        return float(found) if isinstance(found, int | float) else None


@dataclass
class Results:
    """All runs of one invocation, or of several read together."""

    settings: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    runs: list[BenchRun] = field(default_factory=list)

    def of(self, scenario: str, case: str | None = None, peer: str = "byline") -> list[BenchRun]:
        """The runs of a contestant in a scenario, of one case if it is named."""
        return [
            run
            for run in self.runs
            if run.scenario == scenario and run.peer == peer and case in (None, run.case)
        ]

    def spread(
        self, figure: str, scenario: str, case: str | None = None, peer: str = "byline"
    ) -> Spread | None:
        """A figure over those runs; None where there is none."""
        found = (run.figure(figure) for run in self.of(scenario, case, peer))
        return spread(value for value in found if value is not None)

    def median(
        self, figure: str, scenario: str, case: str | None = None, peer: str = "byline"
    ) -> float | None:
        """Its median."""
        found = self.spread(figure, scenario, case, peer)
        return found.median if found else None

    def groups(self) -> list[tuple[str, str, str]]:
        """Scenario, case and peer in the order in which they first ran, scenarios together."""
        seen = dict.fromkeys((run.scenario, run.case, run.peer) for run in self.runs)
        scenarios = list(dict.fromkeys(run.scenario for run in self.runs))
        cases = list(dict.fromkeys((run.scenario, run.case) for run in self.runs))
        return sorted(seen, key=lambda it: (scenarios.index(it[0]), cases.index(it[:2])))

    def save(self, path: Path) -> None:
        """As JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> Results:
    """What `save` wrote."""
    found = json.loads(path.read_text())
    runs = [BenchRun(**run) for run in found["runs"]]
    return Results(found["settings"], found["machine"], runs)


def together(many: Sequence[Results] | Iterable[Results]) -> Results:
    """Several as one: of a scenario that is in more than one, the last word counts."""
    merged = Results()
    for one in many:
        merged.settings, merged.machine = one.settings, one.machine
        again = {run.scenario for run in one.runs}
        merged.runs = [run for run in merged.runs if run.scenario not in again] + one.runs
    return merged
