"""Some 2,000 readings made by a seeded generator, in the shape of each real set.

They let the tests of the real sets run where those are absent. They hold what is awkward in the
real ones: counts that flutter about a line, a collector that reads 0 for a while, accounts that
get another label between two snapshots.
"""

import csv
import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from tests.real.feed import FeedReading, readings

SEED = 14
LINE = 10_000_000
FAULT = datetime(2026, 7, 15, 22, 51, 29, tzinfo=UTC)
OVER = datetime(2026, 7, 16, 0, 1, 57, tzinfo=UTC)
LABELS = ("财经", "军事", "医疗", "教育", "美食", "")


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fluttering(seed: int = SEED) -> list[FeedReading]:
    """Two accounts polled every 1.1 s on their way through a line, up and down again and again."""
    draw, rows = Random(seed), []
    for number, start in enumerate((LINE - 250, LINE - 150)):
        count, at = start, datetime(2020, 4, 3, 6, tzinfo=UTC) + timedelta(days=number)
        for _ in range(1_000):
            count += draw.choice((-2, -1, 0, 1, 1, 2, 2))
            rows.append(FeedReading(_time(at), "bilibili", f"flutters-{number}", count, ""))
            at += timedelta(seconds=1.1)
    return rows


def zeros(seed: int = SEED) -> list[FeedReading]:
    """Daily readings of two platforms; those of one are 0 from FAULT until OVER."""
    draw = Random(seed)
    sizes = {
        (platform, f"{platform}-{number}"): draw.uniform(6_000, 30_000)
        for platform, count in (("twitch", 70), ("youtube", 12))
        for number in range(count)
    }
    polls = [FAULT - timedelta(days=days) for days in range(22, 0, -1)]
    rows = []
    for at in (*polls, FAULT, OVER, OVER + timedelta(days=1)):
        for (platform, account), size in sizes.items():
            broken = at == FAULT and platform == "twitch"
            count = 0 if broken else int(size * draw.uniform(0.99, 1.01))
            rows.append(FeedReading(_time(at), platform, account, count, "talk"))
    return rows


def snapshots(seed: int = SEED) -> list[FeedReading]:
    """Two snapshots of many accounts about two lines; every fifth has another label in the later.

    The accounts of the later one are those of the first, so that most are read twice.
    """
    draw, rows = Random(seed), []
    sizes = [int(100_000 * 40 ** draw.random()) for _ in range(1_000)]
    labels = [draw.choice(LABELS) for _ in sizes]
    for month in (1, 2):
        for number, size in enumerate(sizes):
            if month == 2 and draw.random() < 0.2:
                labels[number] = draw.choice(LABELS)
            count = int(size * draw.uniform(0.95, 1.1))
            at = datetime(2024, month, 1, tzinfo=UTC)
            rows.append(FeedReading(_time(at), "douyin", f"v{number}", count, labels[number]))
    return rows


SAMPLES = {
    "bilibili_10m_1s": fluttering,
    "taiwan_vtuber": zeros,
    "douyin_bigv": snapshots,
}
"""By the name of the real set."""


def written(rows: Iterable[FeedReading], file: Path) -> Path:
    """Writes rows in the form of a real set. Returns the file."""
    with gzip.open(file, "wt", encoding="utf-8", newline="") as lines:
        out = csv.writer(lines)
        out.writerow(("observed_at", "platform", "account_id", "followers", "category"))
        out.writerows(rows)
    return file


def rows_of(name: str, source: str) -> list[FeedReading]:
    """The lines of a real set (skipped where it is absent), or of the sample in its shape."""
    return SAMPLES[name]() if source == "sample" else readings(f"{name}.csv.gz")
