"""A steady stream for minutes: does latency or memory creep?"""

import time
from collections.abc import Iterator
from typing import Any

from tests.bench.arithmetic import latencies, ratio
from tests.bench.data import accounts_in
from tests.bench.options import Options
from tests.bench.results import BenchRun
from tests.bench.site import Site
from tests.bench.stage import ISSUED, BenchStage, failure
from tests.bench.traffic import BenchTraffic, waits
from tests.bench.watch import judge

RATE, PROBES_PER_SECOND = 2_000.0, 50.0
SAMPLE_SECONDS = 2.0


def run(site: Site, options: Options) -> Iterator[BenchRun]:
    """Once, for `--minutes`."""
    try:
        figures = _one(site, options)
    except (TimeoutError, RuntimeError) as error:
        figures = failure(error)
    yield BenchRun("soak", f"{RATE:,.0f} events/s", "byline", 0, figures)


def _one(site: Site, options: Options) -> dict[str, Any]:
    seconds = max(10.0, options.minutes * 60 * min(1.0, options.scale))
    probes = accounts_in("probe", int(PROBES_PER_SECOND * seconds), 8)
    with BenchStage(site, "soak") as stage:
        stage.cover(probes)
        worker = stage.start()
        stage.drained()
        began, cpu = time.time(), worker.seconds()
        traffic = BenchTraffic(
            site,
            stage.data,
            probes,
            rate=RATE,
            probes_per_second=PROBES_PER_SECOND,
            seconds=seconds,
        ).start()
        memory: list[float] = []
        while time.time() < began + seconds:
            worker.require()
            memory.append(worker.resident_mb())
            time.sleep(SAMPLE_SECONDS)
        traffic.wait()
        cores = (worker.seconds() - cpu) / (time.time() - began)
        stage.watch.wait_for(len(traffic.sent), 10, ISSUED)
        stage.watch.settle()
        seen = stage.watch.first_seen(ISSUED)
        fifth = max(1, len(memory) // 5)
        first, last = (sum(part) / len(part) for part in (memory[:fifth], memory[-fifth:]))
        minutes = [
            latencies(waits(traffic.sent, seen, began + start, began + start + 60)).get("p99_ms")
            for start in range(0, int(seconds), 60)
        ]
        return {
            "load_before": stage.load_before,
            "began_at": round(began, 1),
            "minutes": round(seconds / 60, 1),
            **latencies(waits(traffic.sent, seen)),
            "p99_ms_by_minute": minutes,
            "rss_mb": round(max(memory), 1),
            "rss_first_mb": round(first, 1),
            "rss_last_mb": round(last, 1),
            "rss_growth_ratio": round(ratio(last, first) or 0.0, 3),
            "cores": round(cores, 3),
            "verdict": judge(stage.watch.keys(), traffic.sent)._asdict(),
        }
