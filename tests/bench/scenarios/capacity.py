"""The most accounts that this machine holds on one worker: what an account costs that is not
tracked, on disk and in the changelog, and how long the worker needs to come back.
"""

import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.data import DataShape
from tests.bench.options import Options
from tests.bench.results import BenchRun
from tests.bench.scenarios.recovery import opened
from tests.bench.site import Site
from tests.bench.stage import BenchStage, failure
from tests.bench.watch import judge

SHAPE = DataShape("vast", accounts=10_000_000, readings=1)
CASES = ("backlog", "back, disk kept", "back, empty disk")


def run(site: Site, options: Options) -> Iterator[BenchRun]:
    """10 million accounts, a label and a reading each, on one worker; once."""
    shape = SHAPE.scaled(options.scale)
    options.say(f"capacity: loading {shape.events:,} events")
    with BenchStage(site, "capacity") as stage:
        stage.load("category-changes", shape.labels())
        stage.load("follower-counts", shape.rounds())
        for case in CASES:
            try:
                figures = _backlog(stage, shape) if case == CASES[0] else _back(stage, case)
            except (TimeoutError, RuntimeError) as error:
                figures = failure(error)
            yield BenchRun("capacity", case, "byline", 0, figures)


def _backlog(stage: BenchStage, shape: DataShape) -> dict[str, Any]:
    worker = stage.start()
    began, spent = stage.ready(), worker.seconds()
    seconds = stage.drained() - began
    cpu = worker.seconds() - spent
    stage.watch.wait_for(len(shape.expected), 15.0)
    stage.watch.settle()
    return {
        "load_before": stage.load_before,
        "events": shape.events,
        "events_per_second": round(shape.events / seconds),
        "cpu_us": round(cpu * 1e6 / shape.events, 3),
        "rss_mb": round(worker.high_water_mb(), 1),
        "disk_bytes": round(_size([worker.disk]) / shape.accounts, 1),
        "changelog_bytes": round(_changelog_size(stage) / shape.accounts, 1),
        "verdict": judge(stage.watch.keys(), shape.expected)._asdict(),
    }


def _back(stage: BenchStage, case: str) -> dict[str, Any]:
    """Killed and started again; "ready" is when it serves every partition."""
    killed_at = time.time()
    stage.worker.kill()
    if case == CASES[2]:
        shutil.rmtree(stage.worker.disk)
    worker = stage.start()
    opening, ready_at = opened(worker, stage.partitions)
    records = worker.metric("byline_recovered_records_total")
    return {
        "ready_seconds": round(ready_at - killed_at, 2),
        "recovered_records": records,
        "records_per_second": round(records / max(0.05, ready_at - opening)),
        "rss_mb": round(worker.high_water_mb(), 1),
    }


def _changelog_size(stage: BenchStage) -> int:
    name = f"{stage.application}-categories-changelog-*"
    return _size(stage.site.folder.glob(f"kafka/**/{name}"))


def _size(folders: Iterable[Path]) -> int:
    return sum(
        path.stat().st_blocks * 512
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    )
