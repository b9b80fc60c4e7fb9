"""kill -9 of a worker that holds a million tracked accounts, under static membership."""

import shutil
import time
from collections.abc import Iterator
from typing import Any

from tests.bench.data import FLOOR, Row, accounts_in, reading_row
from tests.bench.options import Options
from tests.bench.results import BenchRun
from tests.bench.site import Site
from tests.bench.stage import ISSUED, BenchStage, failure
from tests.bench.traffic import BenchTraffic
from tests.bench.watch import judge
from tests.bench.worker import BenchWorker

ACCOUNTS = 1_000_000
RATE, PROBES_PER_SECOND = 400.0, 200.0
MOST_SECONDS = 60.0
CASES = ("disk kept", "empty disk", "empty disk, its member known")


def tracked_readings(count: int) -> Iterator[Row]:
    """Accounts between the floor and the line: nothing to say, all to be remembered."""
    for account in range(count):
        yield reading_row(f"a{account}", FLOOR + account % 40_000, "2025-01-02T00:00:00Z")


def run(site: Site, options: Options) -> Iterator[BenchRun]:
    """The state is built once; then kills: the disk kept, wiped, and wiped but for the member."""
    accounts = options.count(ACCOUNTS, 1000)
    length = options.rounds * len(CASES) * MOST_SECONDS
    probes = accounts_in("probe", int(PROBES_PER_SECOND * length), 8)
    with BenchStage(site, "recovery") as stage:
        options.say(f"recovery: {accounts:,} tracked accounts")
        stage.cover(probes)
        stage.load("follower-counts", tracked_readings(accounts))
        stage.start()
        stage.drained()
        traffic = BenchTraffic(
            site,
            stage.data,
            probes,
            rate=RATE,
            probes_per_second=PROBES_PER_SECOND,
            seconds=length,
        ).start()
        time.sleep(3)
        runs = []
        for round_ in range(options.rounds):
            for case in CASES:
                try:
                    figures = _strike(
                        stage, traffic, wiped=case != "disk kept", known=case.endswith("known")
                    )
                except (TimeoutError, RuntimeError) as error:
                    figures = failure(error)
                runs.append(BenchRun("recovery", case, "byline", round_, figures))
                time.sleep(3)
        traffic.stop()
        stage.watch.wait_for(len(traffic.sent), 15, ISSUED)
        stage.watch.settle()
        verdict = judge(stage.watch.keys(ISSUED), traffic.sent)._asdict()
    for one in runs:
        one.figures["verdict"] = verdict
        yield one


def _strike(
    stage: BenchStage, traffic: BenchTraffic, *, wiped: bool, known: bool
) -> dict[str, Any]:
    """One kill, and the same worker again at once, as a supervisor would do it.

    `known`: what is wiped spares the file that names the member of the group.
    """
    seen, killed_at = stage.watch.count(), time.time()
    stage.worker.kill()
    if wiped:
        notes = {it: it.read_text() for it in stage.worker.disk.rglob("member-id")}
        shutil.rmtree(stage.worker.disk)
        for place, text in notes.items() if known else ():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
    worker = stage.start()
    opening, ready_at = opened(worker, stage.partitions)
    first, last = _decided(stage, traffic, seen, killed_at)
    records = worker.metric("byline_recovered_records_total")
    return {
        "load_before": stage.load_before,
        "began_at": round(killed_at, 1),
        "first_decision_seconds": round(first - killed_at, 2),
        "all_partitions_seconds": round(last - killed_at, 2),
        "ready_seconds": round(ready_at - killed_at, 2),
        "opening_seconds": round(ready_at - opening, 2),
        "recovered_records": records,
        "records_per_second": round(records / max(0.05, ready_at - opening)),
        "rss_mb": round(worker.high_water_mb(), 1),
    }


def opened(worker: BenchWorker, partitions: int) -> tuple[float, float]:
    """When it was given its partitions, and when it served all of them."""
    opening, deadline = 0.0, time.time() + MOST_SECONDS
    while time.time() < deadline:
        worker.require()
        states = [part["state"] for part in worker.partitions()]
        if states and not opening:
            opening = time.time()
        if states.count("running") == partitions:
            return opening, time.time()
        time.sleep(0.05)
    raise TimeoutError(f"not ready {MOST_SECONDS:.0f} s after the kill:\n{worker.tail()}")


def _decided(
    stage: BenchStage, traffic: BenchTraffic, since: int, killed_at: float
) -> tuple[float, float]:
    """When the first answer to something sent after the kill could be seen, and one everywhere."""
    deadline = time.time() + MOST_SECONDS
    while time.time() < deadline:
        found: dict[int, float] = {}
        for one in stage.watch.seen[since:]:
            if traffic.sent.get(one.key, 0.0) > killed_at:
                found.setdefault(one.partition, one.at)
        if len(found) == stage.partitions:
            return min(found.values()), max(found.values())
        time.sleep(0.1)
    raise TimeoutError(f"not all partitions decided {MOST_SECONDS:.0f} s after the kill")
