"""From produced to visible for a read_committed consumer, at a steady rate."""

import time
from collections.abc import Iterator
from typing import Any

from tests.bench.arithmetic import latencies
from tests.bench.contestants import Contestant, Job
from tests.bench.data import DataShape, accounts_in
from tests.bench.loading import load
from tests.bench.machine import load as load_average
from tests.bench.options import Options
from tests.bench.results import BenchRun
from tests.bench.site import Site
from tests.bench.traffic import BenchTraffic, covered_labels, waits
from tests.bench.watch import BenchWatch, judge
from tests.bench.worker import wait_drained

RATES = (2_000, 5_000)
PROBE_RATIO = 0.05
WARM_SECONDS, SECONDS = 5.0, 20.0
PEERS = ("byline", "kstreams")
KSTREAMS_COMMIT_MS = "100"


def run(site: Site, options: Options) -> Iterator[BenchRun]:
    """2,000 and 5,000 events a second; one in twenty has an answer that is waited for."""
    contestants = [one for one in options.contestants if one.name in PEERS]
    for round_ in range(options.rounds):
        for rate in RATES:
            for contestant in contestants:
                scaled = max(200.0, rate * min(1.0, options.scale))
                try:
                    figures = _one(site, options, contestant, scaled)
                except (TimeoutError, RuntimeError) as error:
                    figures = {"failed": str(error)[-2000:]}
                yield BenchRun("latency", f"{rate:,} events/s", contestant.name, round_, figures)


def _one(site: Site, options: Options, contestant: Contestant, rate: float) -> dict[str, Any]:
    warm = options.seconds(WARM_SECONDS, 1.0)
    seconds = warm + options.seconds(SECONDS)
    probes = accounts_in("probe", int(rate * PROBE_RATIO * seconds), 8)
    data = site.empty(DataShape("latency", len(probes), 1))
    load(site.bootstrap, data.topic("category-changes"), covered_labels(probes))
    more = {"COMMIT_MS": KSTREAMS_COMMIT_MS}
    job = Job(site, data, site.fresh(contestant.name), more=more)
    before = load_average()
    processes = contestant.start(job)
    watch = BenchWatch(site.bootstrap, [contestant.invitations(job)], 8)
    try:
        wait_drained(site, data, job.application, processes, 60)
        cpu, began = sum(one.seconds() for one in processes), time.time()
        traffic = BenchTraffic(
            site,
            data,
            probes,
            rate=rate,
            probes_per_second=rate * PROBE_RATIO,
            seconds=seconds,
        ).start()
        traffic.wait()
        watch.wait_for(len(traffic.sent), 10)
        watch.settle()
        cores = (sum(one.seconds() for one in processes) - cpu) / (time.time() - began)
        waited = waits(traffic.sent, watch.first_seen(), since=began + warm)
        return {
            "load_before": before,
            "began_at": round(began, 1),
            "rate": rate,
            **latencies(waited),
            "cores": round(cores, 3),
            "generator_lag_seconds": round(traffic.lag_seconds, 3),
            "rss_mb": round(processes[0].high_water_mb(), 1),
            "verdict": judge(watch.keys(), traffic.sent)._asdict(),
        }
    finally:
        for process in processes:
            process.stop()
        watch.close()
        site.drop_run(data, job.application)
        site.drop_data(data)
