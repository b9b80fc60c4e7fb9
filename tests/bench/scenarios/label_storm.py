"""Every account is relabelled at once: what was covered is no more, what was not is."""

import time
from collections.abc import Iterator
from typing import Any

from tests.bench.arithmetic import latencies
from tests.bench.data import LINE, Row, accounts_in, label_row, reading_row
from tests.bench.options import Options
from tests.bench.results import BenchRun
from tests.bench.site import Site
from tests.bench.stage import CANCELLED, ISSUED, BenchStage, combined, failure
from tests.bench.traffic import BenchTraffic, waits
from tests.bench.watch import judge

ACCOUNTS = 400_000
BIG_EVERY = 40
RATE, PROBES_PER_SECOND = 500.0, 50.0
MOST_SECONDS = 180.0
LABELS = ("财经", "美妆")


def first_labels(count: int) -> Iterator[Row]:
    """Half of the accounts are covered."""
    return _labels(count, 0, "2025-01-01T00:00:00Z")


def second_labels(count: int) -> Iterator[Row]:
    """The other half is."""
    return _labels(count, 1, "2025-02-01T00:00:00Z")


def _labels(count: int, turn: int, at: str) -> Iterator[Row]:
    for account in range(count):
        yield label_row(f"a{account}", LABELS[(_odd(account) + turn) % 2], at)


def _odd(account: int) -> int:
    """0 for the half that is covered at first; among the big ones, too."""
    return (account + account // BIG_EVERY) % 2


def _readings(count: int) -> Iterator[Row]:
    for account in range(count):
        followers = LINE + 200_000 if account % BIG_EVERY == 0 else 20_000
        yield reading_row(f"a{account}", followers, "2025-01-02T00:00:00Z")


def run(site: Site, options: Options) -> Iterator[BenchRun]:
    """400,000 accounts, one in forty over the line; ordinary inputs go on meanwhile."""
    for round_ in range(options.rounds):
        try:
            figures = _one(site, options)
        except (TimeoutError, RuntimeError) as error:
            figures = failure(error)
        yield BenchRun("label-storm", "every account relabelled", "byline", round_, figures)


def _one(site: Site, options: Options) -> dict[str, Any]:
    count = options.count(ACCOUNTS, 400)
    big = [account for account in range(count) if account % BIG_EVERY == 0]
    invited = {f"weibo:a{account}" for account in big if not _odd(account)}
    to_invite = {f"weibo:a{account}" for account in big if _odd(account)}
    probes = accounts_in("probe", int(PROBES_PER_SECOND * MOST_SECONDS), 8)
    with BenchStage(site, "labels") as stage:
        stage.load("category-changes", first_labels(count))
        stage.cover(probes)
        stage.load("follower-counts", _readings(count))
        worker = stage.start()
        stage.drained()
        stage.watch.wait_for(len(invited), 10, ISSUED)
        traffic = BenchTraffic(
            site,
            stage.data,
            probes,
            rate=RATE,
            probes_per_second=PROBES_PER_SECOND,
            seconds=MOST_SECONDS,
        ).start()
        time.sleep(2)
        labels, cpu = site.ends(stage.data)["category-changes"] + count, worker.seconds()
        began = time.time()
        loading = stage.beside(second_labels, "category-changes", count)
        deadline = began + MOST_SECONDS
        while _left(stage, labels, invited) and time.time() < deadline:
            worker.require()
            time.sleep(0.1)
        over, cpu = time.time(), worker.seconds() - cpu
        loading.join()
        traffic.stop()
        stage.drained()
        stage.watch.settle()
        meanwhile = waits(traffic.sent, stage.watch.first_seen(ISSUED), began, over)
        return {
            "load_before": stage.load_before,
            "began_at": round(began, 1),
            "labels": count,
            "seconds": round(over - began, 2),
            "labels_per_second": round(count / (over - began)),
            "cpu_us": round(cpu * 1e6 / count, 2),
            "rss_mb": round(worker.high_water_mb(), 1),
            **latencies(meanwhile),
            "verdict": combined(
                judge(stage.watch.keys(ISSUED), invited | to_invite | traffic.sent.keys()),
                judge(stage.watch.keys(CANCELLED), invited),
            ),
        }


def _left(stage: BenchStage, labels: int, invited: set[str]) -> bool:
    """Whether labels are still to be read, or cancellations to be seen."""
    done = stage.site.committed(stage.application, stage.data)["category-changes"]
    return done < labels or stage.watch.count(CANCELLED) < len(invited)
