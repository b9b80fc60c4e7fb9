"""Resident memory at full backlog, and what a tracked account costs of it."""

import time
from collections.abc import Iterator
from typing import Any

from tests.bench.options import Options
from tests.bench.results import BenchRun
from tests.bench.scenarios.backlogs import TRACKED
from tests.bench.site import DataSet, Site
from tests.bench.stage import BenchStage, failure
from tests.bench.watch import BenchWatch, judge
from tests.bench.worker import BenchWorker, wait_drained, wait_ready

REST_SECONDS = 3.0
MOST_SECONDS = 240.0


def run(site: Site, options: Options) -> Iterator[BenchRun]:
    """400,000 tracked accounts on one worker."""
    data = site.data(TRACKED.scaled(options.scale))
    for round_ in range(options.rounds):
        try:
            figures = _one(site, data)
        except (TimeoutError, RuntimeError) as error:
            figures = failure(error)
        yield BenchRun("memory", "400,000 tracked accounts", "byline", round_, figures)


def _one(site: Site, data: DataSet) -> dict[str, Any]:
    with BenchStage(site, "nothing") as stage:
        nothing = stage.start()
        stage.ready()
        time.sleep(REST_SECONDS)
        empty_mb, before = nothing.resident_mb(), stage.load_before
    application = site.fresh("memory")
    site.create_byline_topics(data, application)
    watch = BenchWatch(site.bootstrap, [data.topic("invitations")], data.shape.partitions)
    worker = BenchWorker(site, data, application)
    began = time.time()
    try:
        wait_drained(site, data, application, [worker], MOST_SECONDS)
        peak_mb, tracked = worker.high_water_mb(), worker.metric("byline_tracked_accounts")
        worker.stop()
        worker = BenchWorker(site, data, application)
        wait_ready([worker], data.shape.partitions)
        time.sleep(REST_SECONDS)
        rest_mb = worker.resident_mb()
        watch.settle()
    finally:
        worker.stop()
        watch.close()
        site.drop_run(data, application)
    return {
        "load_before": before,
        "began_at": round(began, 1),
        "tracked_accounts": tracked,
        "rss_mb": round(peak_mb, 1),
        "rest_mb": round(rest_mb, 1),
        "empty_mb": round(empty_mb, 1),
        "bytes_per_account": round((rest_mb - empty_mb) * 1024 * 1024 / max(1.0, tracked)),
        "verdict": judge(watch.keys(), data.shape.expected)._asdict(),
    }
