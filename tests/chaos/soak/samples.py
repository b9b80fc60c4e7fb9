"""What a process takes, sampled; and how fast it grows, with its restarts taken into account."""

import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

AGE_BIN_SECONDS = 10.0
"""A process is compared with the processes before it when it is as old as they were."""

STRETCH_SECONDS = 300.0


@dataclass(frozen=True)
class SoakSample:
    """One look at a worker: seconds since the begin, which of its processes and how old that was.

    `log_bytes`: what this process has written. `disk_bytes`, `disk_files`: its data folder.
    `buffers_kib`: RocksDB's write buffers and block cache, as it says on its page; both are bounded
    by settings and rise and fall by themselves. `open_files`: descriptors of files in its folder.
    """

    at: float
    life: int
    age: float
    resident_kib: int
    descriptors: int
    threads: int
    log_bytes: int
    disk_bytes: int
    disk_files: int
    buffers_kib: int = 0
    open_files: int = 0

    def as_dict(self) -> dict[str, float]:
        """For the result."""
        return asdict(self)


def buffers_of(page: str) -> int:
    """The KiB of RocksDB's buffers by a worker's `/metrics`."""
    found = re.findall(r"^byline_(?:write_buffer|block_cache)_bytes (\S+)$", page, re.MULTILINE)
    return round(sum(map(float, found)) / 1024)


def _targets(pid: int) -> list[str]:
    """What each descriptor of a process is; raises `OSError` when the process has ended."""
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(path.readlink()))
        except FileNotFoundError:
            continue
    return found


def look(
    pid: int, data: Path, at: float, life: int, age: float, log_bytes: int, page: str
) -> SoakSample | None:
    """Sample a process; None when it has just ended. `page`: its `/metrics`."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        targets = _targets(pid)
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    sizes = []
    for path in data.rglob("*"):
        try:
            sizes.append(path.stat().st_size)
        except OSError:
            continue
    return SoakSample(
        round(at, 1),
        life,
        round(age, 1),
        int(fields.get("VmRSS", "0 kB").split()[0]),
        len(targets),
        int(fields.get("Threads", "0")),
        log_bytes,
        sum(sizes),
        len(sizes),
        buffers_of(page),
        sum(target.startswith(f"{data}/") for target in targets),
    )


@dataclass(frozen=True)
class Growth:
    """How a figure rises over the steady part.

    `percent_an_hour`: the slope of the fit, of the mean. `give_or_take`: its standard error,
    by leaving out one process (or one stretch) after the other.
    """

    mean: float
    percent_an_hour: float
    give_or_take: float
    samples: int


Figure = Callable[[SoakSample], float]


def growth(samples: Sequence[SoakSample], figure: Figure, *, restarted: bool) -> Growth:
    """The slope over time.

    `restarted`: each process is compared with others of its age, so that what one of them takes
    while it warms up does not count, and what is left behind by one for the next does. The other
    worker goes on all the time: there the slope is of one process.
    """
    if not samples:
        return Growth(0.0, 0.0, 0.0, 0)
    groups: dict[int, list[SoakSample]] = defaultdict(list)
    for sample in samples:
        groups[sample.life if restarted else int(sample.at // STRETCH_SECONDS)].append(sample)
    mean = statistics.fmean(map(figure, samples))
    whole = _slope(samples, figure, restarted)
    partial = []
    for left_out in groups:
        rest = [one for group, own in groups.items() if group != left_out for one in own]
        partial.append(_slope(rest, figure, restarted))
    error = 0.0
    if len(partial) > 2:
        centre = statistics.fmean(partial)
        spread = sum((one - centre) ** 2 for one in partial)
        error = (spread * (len(partial) - 1) / len(partial)) ** 0.5
    scale = 3600 * 100 / mean if mean else 0.0
    return Growth(round(mean, 1), round(whole * scale, 2), round(error * scale, 2), len(samples))


def floors(samples: Sequence[SoakSample], figure: Figure, *, restarted: bool) -> list[SoakSample]:
    """The lowest sample of each process, or of each stretch of one that goes on.

    RocksDB fills its write buffers and empties them every few minutes: what memory never falls
    below is what is kept.
    """
    groups: dict[int, list[SoakSample]] = defaultdict(list)
    for sample in samples:
        groups[sample.life if restarted else int(sample.at // STRETCH_SECONDS)].append(sample)
    return [replace(min(own, key=figure), age=0.0) for own in groups.values()]


def _slope(samples: Iterable[SoakSample], figure: Figure, by_age: bool) -> float:
    """Least squares of the figure over time, a second; within each age where that is asked."""
    bins: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for one in samples:
        bins[int(one.age // AGE_BIN_SECONDS) if by_age else 0].append((one.at, figure(one)))
    above = below = 0.0
    for own in bins.values():
        at_mean = statistics.fmean(at for at, _ in own)
        value_mean = statistics.fmean(value for _, value in own)
        above += sum((at - at_mean) * (value - value_mean) for at, value in own)
        below += sum((at - at_mean) ** 2 for at, _ in own)
    return above / below if below else 0.0
