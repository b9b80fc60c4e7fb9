"""One contestant through one backlog: started, measured from its first record, judged, removed."""

import time
from pathlib import Path
from typing import Any

from tests.bench.contestants import Contestant, Job
from tests.bench.machine import busy_seconds, load, process_seconds
from tests.bench.process import Process
from tests.bench.site import DataSet, Site
from tests.bench.watch import BenchWatch, WatchVerdict, judge
from tests.bench.worker import BenchWorker

FIRST = r"FIRST ([\d.]+)"
LAST = r"LAST ([\d.]+) (\d+)"


def drain(
    site: Site,
    data: DataSet,
    contestant: Contestant,
    *,
    workers: int = 1,
    limit_seconds: float,
    policies: Path | None = None,
) -> dict[str, Any]:
    """The figures of a run.

    events_per_second: all records over the time from the first record (Byline: from the first
    served partition, which is before it) until the group's position is at the end and visible.
    cpu_us: processor time of the processes in that span, by event; cpu_us_whole: with start and
    stop. Raises TimeoutError when it is not through in `limit_seconds`.
    """
    job = Job(site, data, site.fresh(contestant.name), workers, policies)
    before = load()
    processes = contestant.start(job)
    watch = BenchWatch(site.bootstrap, [contestant.invitations(job)], data.shape.partitions)
    try:
        return {
            "load_before": before,
            "began_at": round(processes[0].started_at, 1),
            **_measured(job, contestant, processes, watch, limit_seconds),
        }
    finally:
        for process in processes:
            process.stop()
        watch.close()
        site.drop_run(data, job.application)


def _measured(
    job: Job,
    contestant: Contestant,
    processes: list[Process],
    watch: BenchWatch,
    limit_seconds: float,
) -> dict[str, Any]:
    deadline = processes[0].started_at + limit_seconds
    wanted = sum(job.site.ends(job.data).values())
    first = _wait_first(processes, deadline)
    cpu_began = sum(process.seconds() for process in processes)
    broker = job.site.kafka.pid()
    broker_began, busy_began, own_began = (
        process_seconds(broker),
        busy_seconds(),
        time.process_time(),
    )
    read, last = _wait_last(job, contestant, processes, wanted, deadline)
    cpu = sum(process.seconds() for process in processes) - cpu_began
    broker_cpu = process_seconds(broker) - broker_began
    busy = busy_seconds() - busy_began
    peak = max(process.high_water_mb() for process in processes)
    others = max(0.0, busy - cpu - broker_cpu - (time.process_time() - own_began))
    verdict = _verdict(job, contestant, watch, read, wanted)
    for process in processes:
        process.stop()
    seconds = last - first
    return {
        "events": wanted,
        "seconds": round(seconds, 3),
        "events_per_second": round(wanted / seconds),
        "cpu_us": round(cpu * 1e6 / wanted, 3),
        "cpu_us_whole": round(sum(one.whole_seconds for one in processes) * 1e6 / wanted, 3),
        "rss_mb": round(peak, 1),
        "startup_seconds": round(first - processes[0].started_at, 2),
        "broker_cpu_seconds": round(broker_cpu, 2),
        "other_cores": round(others / seconds, 2),
        "verdict": verdict._asdict(),
    }


def _wait_first(processes: list[Process], deadline: float) -> float:
    """When the first record was taken up."""
    while True:
        for process in processes:
            process.require()
            if isinstance(process, BenchWorker):
                if process.running():
                    return time.time()
            elif found := process.said(FIRST):
                return float(found[1])
        if time.time() > deadline:
            raise TimeoutError(f"{processes[0].log.name} began nothing:\n{processes[0].tail()}")
        time.sleep(0.02)


def _wait_last(
    job: Job, contestant: Contestant, processes: list[Process], wanted: int, deadline: float
) -> tuple[int, float]:
    """How many records were read, and when the last one was behind it."""
    done = 0
    while time.time() < deadline:
        for process in processes:
            process.high_water_mb()
        if contestant.reads_only:
            found = processes[0].said(LAST)
            if found:
                return int(found[2]), float(found[1])
            if not processes[0].alive() and processes[0].code != 0:
                processes[0].require()
            time.sleep(0.02)
            continue
        done = sum(job.site.committed(job.application, job.data).values())
        if done >= wanted:
            return done, time.time()
        for process in processes:
            process.require()
        time.sleep(0.05)
    name = processes[0].log.name
    raise TimeoutError(f"{name}: {done} of {wanted} records in time:\n{processes[0].tail()}")


def _verdict(
    job: Job, contestant: Contestant, watch: BenchWatch, read: int, wanted: int
) -> WatchVerdict:
    """Against the expected set; of one that writes nothing, whether it read all."""
    if contestant.reads_only:
        return WatchVerdict(0, max(0, wanted - read), max(0, read - wanted), 0)
    expected = job.data.shape.expected
    watch.wait_for(len(expected), 10.0)
    watch.settle()
    return judge(watch.keys(), expected)
