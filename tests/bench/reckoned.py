"""`python -m tests.bench.reckoned [--write]`: the tables of deploy/capacity.md that are arithmetic.

What one thing costs was measured (the constants below: tests/bench/README.md). What the log of a
life weighs is taken from the core itself, in batches as the worker's producer makes them. The rest
is multiplication, and each row says which. `--write` puts the tables between their marks.
"""

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.core.given import DAY, HOUR, Day
from tests.core.test_flapping import PLAIN, ZSTD, batch_bytes

PAGE = Path(__file__).parents[2] / "deploy/capacity.md"
MARKS = re.compile(r"(<!-- reckoned: (\w+) -->\n).*?(<!-- end -->)", re.S)

READING_SECONDS, TRACKED_SECONDS, LABEL_SECONDS = 1.3e-6, 10e-6, 7e-6
"""Of a core."""
TRACKED_BYTES, UNTRACKED_BYTES, IDLE_BYTES = 240, 4, 162e6
LABEL_DISK_BYTES, LABEL_LOG_BYTES, READING_LOG_BYTES = 40, 59, 30
USED_SHARE = 0.4
"""Of a core, so that there is room for storms."""
REPLICAS, DAYS, COMPACTION_DAYS, LOCAL_DAYS = 3, 3 * 365, 30, 7
DISK_DOLLARS, OBJECT_DOLLARS = 0.08, 0.023
"""Assumed, of a GB and month: a broker's disk, object storage."""


@dataclass(frozen=True)
class ReckonedEstate:
    """What comes in. `readings`, `labels`: a second. `cycles`: invitations a day."""

    accounts: float
    readings: float
    labels: float
    cycles: float
    partitions: int
    workers: int
    tracked_share: float = 1 / 200

    @property
    def cores(self) -> float:
        """Processor time of all workers, a second."""
        tracked = self.readings * self.tracked_share
        spent = self.readings * READING_SECONDS + tracked * TRACKED_SECONDS
        return spent + self.labels * LABEL_SECONDS

    @property
    def worker_bytes(self) -> float:
        """Memory of one worker."""
        own = self.accounts / self.workers
        return IDLE_BYTES + own * UNTRACKED_BYTES + own * self.tracked_share * TRACKED_BYTES

    @property
    def log_bytes(self) -> float:
        """What one copy of the decision log weighs after three years."""
        steps = self.partitions * 86_400 * DAYS * weights().step
        return steps + self.cycles * DAYS * weights().life

    @property
    def readings_bytes(self) -> float:
        """What one copy of the readings weighs before they are compacted."""
        return self.readings * 86_400 * COMPACTION_DAYS * READING_LOG_BYTES


ESTATES = {
    "one platform": ReckonedEstate(500e6, 1e6, 1e4, 1e4, 256, 16),
    "seven platforms": ReckonedEstate(7 * 500e6, 7e6, 7e4, 7e4, 7 * 256, 7 * 16),
}


class Weights(NamedTuple):
    """Bytes of the log: of a life in plain and packed, of a transaction's own record packed."""

    life_plain: int
    life: int
    step: int
    events: int


@cache
def weights() -> Weights:
    """A silent owner from the label to the end of both restrictions, a transaction a step."""
    day = Day().label("财经").reads(1500).wait(HOUR).receipt().wait(40 * DAY)
    batches, begun = [], 0
    log = [it for it in day.tables.raw if it[0] == "decisions"]
    for place, record in enumerate(log):
        if record[1] == b"#transaction":
            batches.append(log[begun : place + 1])
            begun = place + 1
    step = batch_bytes([log[-1]], ZSTD)
    plain, packed = (sum(batch_bytes(one, codec) for one in batches) for codec in (PLAIN, ZSTD))
    return Weights(plain, packed, step, len(day.said()))


def _bytes(count: float) -> str:
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            shown = count / size
            return f"{shown:.0f} {unit}" if shown >= 10 else f"{shown:.1f} {unit}"
    return f"{count:.0f} B"


def _rows(cells: dict[str, Callable[[ReckonedEstate], str]]) -> str:
    lines = [f"| | {' | '.join(ESTATES)} |", "|---|" + "---|" * len(ESTATES)]
    for name, cell in cells.items():
        lines.append(f"| {name} | {' | '.join(cell(estate) for estate in ESTATES.values())} |")
    return "\n".join(lines)


def load() -> str:
    """What all accounts of one platform, and of seven, take."""
    return _rows(
        {
            "accounts, of them tracked (1 in 200)": lambda it: (
                f"{it.accounts / 1e6:,.0f} M, {it.accounts * it.tracked_share / 1e6:.1f} M"
            ),
            "readings and labels a second": lambda it: f"{it.readings:,.0f}, {it.labels:,.0f}",
            "CPU of all workers: readings × 1.3 µs + tracked × 10 µs + labels × 7 µs": lambda it: (
                f"{it.cores:.1f} cores; at 40 % of what is there {it.cores / USED_SHARE:.0f}"
            ),
            "partitions, workers": lambda it: f"{it.partitions:,}, {it.workers}",
            "memory of a worker: 162 MB + accounts × 4 B + tracked × 240 B": lambda it: _bytes(
                it.worker_bytes
            ),
            "disks of all workers: accounts × 40 B": lambda it: _bytes(
                it.accounts * LABEL_DISK_BYTES
            ),
            "changelogs: accounts × 59 B × 3 replicas": lambda it: _bytes(
                it.accounts * LABEL_LOG_BYTES * REPLICAS
            ),
            "readings in: × 30 B (lz4)": lambda it: (
                f"{_bytes(it.readings * READING_LOG_BYTES)} a second"
            ),
        }
    )


def _dollars(local: float, remote: float = 0.0) -> str:
    month = (local * DISK_DOLLARS + remote * OBJECT_DOLLARS) / 1e9
    return f"{month:,.0f} $"


def log() -> str:
    """What the decision log and the readings cost after three years."""
    kept = weights()

    def remote(it: ReckonedEstate) -> str:
        local = it.log_bytes * LOCAL_DAYS / DAYS * REPLICAS
        return f"{_bytes(local)} + {_bytes(it.log_bytes)}: {_dollars(local, it.log_bytes)}"

    def disks(size: float) -> str:
        return f"{_bytes(size)}: {_dollars(size)}"

    return _rows(
        {
            f"transactions: partitions × 86,400 × 1,095 days × {kept.step} B": lambda it: _bytes(
                it.partitions * 86_400 * DAYS * kept.step
            ),
            f"lives: invitations a day × 1,095 days × {kept.life:,} B": lambda it: _bytes(
                it.cycles * DAYS * kept.life
            ),
            "on brokers' disks, 3 replicas, after three years": lambda it: (
                disks(it.log_bytes * REPLICAS) + " a month"
            ),
            "tiered: 7 days on 3 disks, all once in object storage": lambda it: (
                remote(it) + " a month"
            ),
            "readings before compaction: a second × 30 days × 30 B × 3": lambda it: (
                disks(it.readings_bytes * REPLICAS) + " a month"
            ),
        }
    )


def sentence() -> str:
    """What a life weighs."""
    kept = weights()
    return (
        f"A silent owner's whole life is {kept.events} events and {kept.life_plain:,} B of log,"
        f" packed {kept.life:,} B; a transaction's own record is {kept.step} B packed."
    )


TABLES: dict[str, Callable[[], str]] = {"load": load, "log": log, "life": sentence}


def written(text: str) -> str:
    """The page with each table between its marks."""
    return MARKS.sub(lambda it: f"{it[1]}{TABLES[it[2]]()}\n{it[3]}", text)


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    if parser.parse_args().write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print("\n\n".join(made() for made in TABLES.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
