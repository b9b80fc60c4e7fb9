"""Issue 5's "Must show", line by line, against the figures."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.arithmetic import number, ratio
from tests.bench.results import Results

RUNS_NEEDED = 3
FLOWING_P99_MS = 2_000.0
"""Issue 5 says "inputs keep flowing" in a deadline storm; this is what we hold it to."""

Group = tuple[str, str, str]
"""Scenario, case, peer."""

DRAIN = ("drain", "backlog")
LATENCY: Group = ("latency", "5,000 events/s", "byline")
STORM: Group = ("deadline-storm", "100,000 deadlines at once", "byline")
MEMORY: Group = ("memory", "400,000 tracked accounts", "byline")
EMPTY: Group = ("recovery", "empty disk", "byline")
KEPT: Group = ("recovery", "disk kept", "byline")


@dataclass(frozen=True)
class Gate:
    """`figure` of `ours`, over that of `theirs` where there is one, is at least or at most."""

    line: str
    what: str
    figure: str
    ours: Group
    bound: float
    at_least: bool
    theirs: Group | None = None
    unit: str = ""

    @property
    def needed(self) -> str:
        """In words."""
        return f"{'≥' if self.at_least else '≤'} {number(self.bound)}{self.unit}"

    def measured(self, results: Results) -> float | None:
        """The median, or the ratio of two medians; None where one was not measured."""
        ours = results.median(self.figure, *self.ours)
        if self.theirs is None:
            return ours
        return ratio(ours, results.median(self.figure, *self.theirs))

    def runs(self, results: Results) -> int:
        """The fewest runs that the figure rests on."""
        groups = (self.ours, self.theirs) if self.theirs else (self.ours,)
        return min(
            sum(run.figure(self.figure) is not None for run in results.of(*group))
            for group in groups
        )


@dataclass(frozen=True)
class GateOutcome:
    """A gate held against results."""

    gate: Gate
    measured: str
    runs: int
    why: str = ""

    @property
    def holds(self) -> bool:
        """Whether there is nothing against it."""
        return not self.why


def _drain(peer: str) -> Group:
    return (*DRAIN, peer)


def _times(
    what: str, figure: str, peer: str, bound: float, *, ours: str = "byline", at_least: bool = True
) -> Gate:
    return Gate("5.1", what, figure, _drain(ours), bound, at_least, _drain(peer), " ×")


GATES = (
    _times(
        "drain, events/s, two workers against Kafka Streams with two threads",
        "events_per_second",
        "kstreams",
        3,
        ours="byline-2",
    ),
    _times(
        "drain, CPU an event, two workers against Kafka Streams",
        "cpu_us",
        "kstreams",
        0.25,
        ours="byline-2",
        at_least=False,
    ),
    _times("drain, events/s, one worker against stock Faust", "events_per_second", "faust", 100),
    _times(
        "drain, events/s, one worker against raw getmany + json",
        "events_per_second",
        "raw-json",
        0.6,
    ),
    _times(
        "the same against raw getmany + msgspec, Byline's own decoder",
        "events_per_second",
        "raw-msgspec",
        0.6,
    ),
    Gate(
        "5.2",
        "every reading changes state, events/s, two workers against Kafka Streams",
        "events_per_second",
        ("worst", "every account tracked", "byline-2"),
        1,
        True,
        ("worst", "every account tracked", "kstreams"),
        " ×",
    ),
    Gate(
        "5.3",
        "CPU an event, 4 M accounts against 400 k",
        "cpu_us",
        ("accounts", "4 M accounts", "byline"),
        1.15,
        False,
        ("accounts", "400 k accounts", "byline"),
        " ×",
    ),
    Gate(
        "5.3",
        "CPU an event, 32 partitions against 8",
        "cpu_us",
        ("partitions", "32 partitions", "byline"),
        1.25,
        False,
        ("partitions", "8 partitions", "byline"),
        " ×",
    ),
    Gate("5.4", "5,000/s, p50", "p50_ms", LATENCY, 30, False, unit=" ms"),
    Gate("5.4", "5,000/s, p99", "p99_ms", LATENCY, 200, False, unit=" ms"),
    Gate("5.4", "deadline storm, all are out", "seconds", STORM, 60, False, unit=" s"),
    Gate(
        "5.4", "ordinary inputs meanwhile, p99", "p99_ms", STORM, FLOWING_P99_MS, False, unit=" ms"
    ),
    Gate("5.5", "RSS at full backlog, 400,000 tracked", "rss_mb", MEMORY, 300, False, unit=" MB"),
    Gate("5.5", "state of a tracked account", "bytes_per_account", MEMORY, 500, False, unit=" B"),
    Gate(
        "5.5",
        "kill -9, empty disk, 1 M tracked: first decision",
        "first_decision_seconds",
        EMPTY,
        10,
        False,
        unit=" s",
    ),
    Gate(
        "5.5",
        "kill -9, disk kept, 1 M tracked: first decision",
        "first_decision_seconds",
        KEPT,
        5,
        False,
        unit=" s",
    ),
    Gate(
        "5.5", "changelog records restored", "records_per_second", EMPTY, 200_000, True, unit="/s"
    ),
)
LINES = tuple(dict.fromkeys(gate.line for gate in GATES))


def hold(results: Results, lines: tuple[str, ...] = LINES) -> list[GateOutcome]:
    """Each gate of these lines; one that was not measured, or by wrong runs, does not hold."""
    return [_hold(gate, results) for gate in GATES if gate.line in lines]


def _hold(gate: Gate, results: Results) -> GateOutcome:
    value, runs = gate.measured(results), gate.runs(results)
    if value is None:
        return GateOutcome(gate, "–", runs, "not measured")
    measured = f"{number(value)}{gate.unit}"
    checks: tuple[tuple[Callable[[], bool], str], ...] = (
        (lambda: value >= gate.bound if gate.at_least else value <= gate.bound, "out of bounds"),
        (lambda: runs >= RUNS_NEEDED, f"fewer than {RUNS_NEEDED} runs"),
        (lambda: not _wrong(gate, results), "a run gave a wrong answer or was not finished"),
        (lambda: results.settings.get("scale", 1) >= 1, "not at full scale"),
    )
    why = "; ".join(reason for holds, reason in checks if not holds())
    return GateOutcome(gate, measured, runs, why)


def _wrong(gate: Gate, results: Results) -> bool:
    groups = (gate.ours, gate.theirs) if gate.theirs else (gate.ours,)
    runs = [run for group in groups for run in results.of(*group)]
    return any("failed" in run.figures or (run.verdict and not run.verdict.right) for run in runs)
