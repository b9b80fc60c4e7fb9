"""None holds the others back: a busy topic, a hot partition, a slow one, and who waits for them."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from tests.bench.arithmetic import latencies
from tests.bench.data import Row, accounts_in, label_row, reading_row
from tests.bench.options import Options
from tests.bench.results import BenchRun
from tests.bench.site import Site
from tests.bench.stage import ISSUED, BenchStage, failure
from tests.bench.traffic import BenchTraffic, covered, crossing, waits
from tests.bench.watch import judge

RATE, PROBES_PER_SECOND = 200.0, 100.0
SECONDS, QUIET_SECONDS = 12.0, 4.0
BACKLOG, SLOW_BACKLOG = 1_000_000, 60_000
OTHERS = frozenset(range(1, 8))
CASES = (
    "quiet topic beside a busy one",
    "seven partitions beside a hot one",
    "seven partitions beside a slow one",
)


def many_readings(accounts: Sequence[str], count: int) -> Iterator[Row]:
    """Readings far below the floor."""
    for number in range(count):
        yield reading_row(accounts[number % len(accounts)], 1234, "2025-01-02T00:00:00Z")


def flipping_labels(accounts: Sequence[str], count: int) -> Iterator[Row]:
    """Labels that cover and uncover big accounts: each is decided on, with all that follows."""
    for number in range(count):
        label = ("财经", "美妆")[number // len(accounts) % 2]
        second = number // len(accounts)
        at = f"2025-03-{1 + second // 86_400:02d}T{second // 3600 % 24:02d}"
        at = f"{at}:{second // 60 % 60:02d}:{second % 60:02d}Z"
        yield label_row(accounts[number % len(accounts)], label, at)


def run(site: Site, options: Options) -> Iterator[BenchRun]:
    """Latency of ordinary inputs before and while a backlog is worked off beside them."""
    for round_ in range(options.rounds):
        for case in CASES:
            try:
                figures = _one(site, options, case)
            except (TimeoutError, RuntimeError) as error:
                figures = failure(error)
            yield BenchRun("skew", case, "byline", round_, figures)


def _one(site: Site, options: Options, case: str) -> dict[str, Any]:
    quiet_topic = case == CASES[0]
    seconds = options.seconds(SECONDS, 6.0)
    probes = accounts_in(
        "probe", int(PROBES_PER_SECOND * seconds), 8, None if quiet_topic else OTHERS
    )
    hot = accounts_in("hot", 1000, 8, None if quiet_topic else frozenset({0}))
    with BenchStage(site, "skew") as stage:
        if quiet_topic:
            at = "2025-01-02T00:00:00Z"
            stage.load("follower-counts", (crossing(name, at) for name in probes))
        else:
            stage.cover(probes)
        if case == CASES[2]:
            stage.load("follower-counts", (crossing(n, "2025-01-02T00:00:00Z") for n in hot))
        stage.start()
        stage.drained()
        began = time.time()
        traffic = BenchTraffic(
            site,
            stage.data,
            probes,
            rate=RATE,
            probes_per_second=PROBES_PER_SECOND,
            seconds=seconds,
            probe_topic="category-changes" if quiet_topic else "follower-counts",
            probe_row=covered if quiet_topic else crossing,
        ).start()
        time.sleep(min(QUIET_SECONDS, seconds / 3))
        struck_at = time.time()
        figures = _strike(stage, options, case, hot)
        traffic.wait()
        stage.watch.wait_for(len(probes), 30, ISSUED)
        stage.watch.settle()
        seen = stage.watch.first_seen(ISSUED)
        quiet = latencies(waits(traffic.sent, seen, began, struck_at))
        over = struck_at + figures["backlog_seconds"]
        keys = [key for key in stage.watch.keys(ISSUED) if key.startswith("weibo:probe")]
        return {
            "load_before": stage.load_before,
            "began_at": round(began, 1),
            **figures,
            "quiet_p50_ms": quiet.get("p50_ms"),
            "quiet_p99_ms": quiet.get("p99_ms"),
            **latencies(waits(traffic.sent, seen, struck_at, over)),
            "verdict": judge(keys, traffic.sent)._asdict(),
        }


def _strike(stage: BenchStage, options: Options, case: str, hot: list[str]) -> dict[str, Any]:
    """Load the backlog from beside and wait until it is worked off."""
    slow = case == CASES[2]
    count = options.count(SLOW_BACKLOG if slow else BACKLOG, 500)
    topic = "category-changes" if slow else "follower-counts"
    wanted = stage.site.ends(stage.data)[topic] + count
    filler = flipping_labels if slow else many_readings
    began, cpu = time.time(), stage.worker.seconds()
    loading = stage.beside(filler, topic, hot, count)
    deadline = time.time() + 120
    while stage.site.committed(stage.application, stage.data)[topic] < wanted:
        stage.worker.require()
        if time.time() > deadline:
            raise TimeoutError("the backlog beside is not worked off")
        time.sleep(0.1)
    loading.join()
    seconds = time.time() - began
    return {
        "backlog": count,
        "backlog_seconds": round(seconds, 2),
        "cores": round((stage.worker.seconds() - cpu) / seconds, 2),
    }
