"""Where a worker's time goes: py-spy samples it while it drains a backlog."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from tests.bench.options import Options
from tests.bench.scenarios.backlogs import FULL, TRACKED
from tests.bench.site import Site
from tests.bench.worker import BenchWorker, wait_drained, wait_ready

SAMPLES_PER_SECOND = 200
SHOWN = 25


class Shares(NamedTuple):
    """Samples by the function on top, by its module, and by what was anywhere on the stack."""

    samples: int
    own: Counter[str]
    modules: Counter[str]
    within: Counter[str]


def shares(folded: str) -> Shares:
    """Of py-spy's raw form: `frame;frame;frame count` a line, the innermost frame last."""
    own: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    within: Counter[str] = Counter()
    samples = 0
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        if not stack:
            continue
        frames = [_named(frame) for frame in stack.split(";")]
        number = int(count)
        samples += number
        own[frames[-1]] += number
        modules[frames[-1].partition(" ")[2]] += number
        for frame in set(frames):
            within[frame] += number
    return Shares(samples, own, modules, within)


def _named(frame: str) -> str:
    """`function (path/file.py:12)` without the line, the path from the package on."""
    function, _, place = frame.partition(" (")
    path = place.rstrip(")").partition(":")[0]
    for mark in ("site-packages/", "/python3.11/", "/streams/"):
        if mark in path:
            kept = path.rpartition(mark)[2]
            path = f"streams/{kept}" if mark == "/streams/" else kept
            break
    return f"{function} {path}"


def profile(site: Site, options: Options, *, tracked: bool, out: Path | None) -> Shares:
    """Drain a backlog under py-spy; what it saw. `out` keeps the folded stacks."""
    data = site.data((TRACKED if tracked else FULL).scaled(options.scale))
    application = site.fresh("profile")
    site.create_byline_topics(data, application)
    folded = out or site.folder / f"{application}.folded"
    worker = BenchWorker(site, data, application)
    try:
        wait_ready([worker], 1)
        sampler = subprocess.Popen(
            [
                str(Path(sys.executable).parent / "py-spy"),
                *("record", "--pid", str(worker.pid), "--format", "raw", "--threads"),
                *("--rate", str(SAMPLES_PER_SECOND), "--duration", "3600"),
                *("--output", str(folded)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        wait_drained(site, data, application, [worker])
        time.sleep(0.2)
        sampler.send_signal(2)
        _, said = sampler.communicate(timeout=30)
        if not folded.is_file():
            raise RuntimeError(f"py-spy could not look: {said.decode()[-500:]}")
    finally:
        worker.stop()
        site.drop_run(data, application)
    return shares(folded.read_text())


def show(found: Shares, console: Console) -> None:
    """Three tables of shares."""
    console.print(f"{found.samples:,} samples at {SAMPLES_PER_SECOND} a second, idle left out")
    for title, counts in (
        ("by module, itself", found.modules),
        ("by function, itself", found.own),
        ("by function, with what it calls", found.within),
    ):
        table = Table(title=title, title_justify="left")
        table.add_column("%", justify="right")
        table.add_column("what")
        for name, count in counts.most_common(SHOWN):
            table.add_row(f"{100 * count / max(1, found.samples):.1f}", name)
        console.print(table)
