"""Results as rows of words: the same for the terminal and for README.md."""

from typing import NamedTuple

from tests.bench.arithmetic import number, ratio
from tests.bench.contestants import CONTESTANTS
from tests.bench.results import BenchRun, Results


class Column(NamedTuple):
    """A figure and its heading; `compared`: with how many times Byline's."""

    figure: str
    heading: str
    compared: bool = False


COLUMNS = (
    Column("events", "events"),
    Column("labels", "labels"),
    Column("deadlines", "deadlines"),
    Column("backlog", "backlog beside"),
    Column("events_per_second", "events/s", True),
    Column("labels_per_second", "labels/s"),
    Column("cpu_us", "CPU µs/event", True),
    Column("cpu_us_whole", "with start and stop"),
    Column("seconds", "s"),
    Column("backlog_seconds", "backlog beside, s"),
    Column("first_decision_seconds", "first decision, s"),
    Column("all_partitions_seconds", "all partitions, s"),
    Column("ready_seconds", "ready, s"),
    Column("recovered_records", "changelog records"),
    Column("records_per_second", "records/s"),
    Column("rss_mb", "RSS MB", True),
    Column("empty_mb", "RSS empty, MB"),
    Column("rest_mb", "RSS at rest, MB"),
    Column("bytes_per_account", "bytes/account"),
    Column("disk_bytes", "disk, bytes/account"),
    Column("changelog_bytes", "labels' changelog, bytes/account"),
    Column("rss_first_mb", "RSS first fifth, MB"),
    Column("rss_last_mb", "RSS last fifth, MB"),
    Column("startup_seconds", "start, s"),
    Column("quiet_p99_ms", "p99 before, ms"),
    Column("p50_ms", "p50 ms", True),
    Column("p95_ms", "p95 ms"),
    Column("p99_ms", "p99 ms", True),
    Column("max_ms", "max ms"),
    Column("cores", "cores"),
    Column("broker_cpu_seconds", "broker CPU s"),
    Column("load_before", "load before"),
)
HIDDEN = frozenset({"seconds", "cpu_us_whole", "broker_cpu_seconds"})
"""Of a drain these say nothing that the others do not."""


class Sheet(NamedTuple):
    """A scenario as a table."""

    scenario: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sheets(results: Results) -> list[Sheet]:
    """A table a scenario, with the columns that it has figures for."""
    return [sheet(results, name) for name in dict.fromkeys(run.scenario for run in results.runs)]


def sheet(results: Results, scenario: str) -> Sheet:
    """Medians, least and most, and in brackets how many times Byline's they are."""
    groups = [group for group in results.groups() if group[0] == scenario]
    columns = [
        column
        for column in COLUMNS
        if any(results.spread(column.figure, *group) for group in groups)
        and not (column.figure in HIDDEN and scenario in ("drain", "worst"))
    ]
    rows = []
    for _, case, peer in groups:
        runs = results.of(scenario, case, peer)
        cells = [_cell(results, column, scenario, case, peer) for column in columns]
        who = CONTESTANTS[peer].title if peer in CONTESTANTS else peer
        rows.append((case, who, str(len(runs)), *cells, verdict(runs)))
    heads = ("case", "who", "runs", *(column.heading for column in columns), "verdict")
    return Sheet(scenario, heads, tuple(rows))


def _cell(results: Results, column: Column, scenario: str, case: str, peer: str) -> str:
    found = results.spread(column.figure, scenario, case, peer)
    if found is None:
        return "–"
    ours = results.median(column.figure, scenario, case)
    times = ratio(found.median, ours)
    if column.compared and peer != "byline" and times is not None:
        return f"{found} ×{number(times)}"
    return str(found)


def verdict(runs: list[BenchRun]) -> str:
    """Whether every run gave the right answer: what is missing, extra, double over all of them."""
    failed = sum("failed" in run.figures for run in runs)
    if failed:
        return f"{failed} not finished"
    judged = [run.verdict for run in runs if run.verdict is not None]
    if not judged:
        return "–"
    if all(one.right for one in judged):
        outputs = judged[-1].outputs
        return f"right ({outputs:,} outputs)" if outputs else "right (all read)"
    sums = (sum(one.missing for one in judged), sum(one.extra for one in judged))
    doubled = sum(one.duplicates for one in judged)
    return f"WRONG: {sums[0]} missing, {sums[1]} extra, {doubled} double"
