"""Real readings, one after the other, through one partition of the core under a simulated clock.

The clock is the latest `observed_at` seen and never steps back, as in a backtest: timers that fell
due before a reading act before it.
"""

import csv
import gzip
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from aiokafka.partitioner import murmur2

from streams.core.model.instants import milliseconds
from streams.core.model.policy import Policy
from streams.lives.partition import SimulatedPartition, SimulatedRecord
from tests.core.invariants.world import SIDE_TOPICS

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
_encode = msgspec.json.Encoder().encode


class FeedReading(NamedTuple):
    """A line of a file."""

    observed_at: str
    platform: str
    account_id: str
    followers: int
    label: str


def readings(name: str) -> list[FeedReading]:
    """The lines of a file; the test is skipped where the file is absent."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"../shared/data/{name} is not on this machine")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = csv.reader(lines)
        next(rows)
        return [
            FeedReading(at, who, account, int(count), label)
            for at, who, account, count, label in rows
        ]


def instant(text: str) -> int:
    """A time of a file in milliseconds."""
    return milliseconds(datetime.fromisoformat(text))


def partition_of(reading: FeedReading, partition_count: int) -> int:
    """Where a reading's account lies."""
    key = f"{reading.platform}:{reading.account_id}".encode()
    return int((murmur2(key) & 0x7FFFFFFF) % partition_count)


class FeedReplay:
    """A partition that is fed from a file. `events`: what came out, in order."""

    def __init__(
        self, *policies: Policy, start: int, partition: int = 0, partition_count: int = 1
    ) -> None:
        self.events: list[dict[str, Any]] = []
        named = {policy.platform: policy for policy in policies}
        self._led = SimulatedPartition(
            named, self._sent, start, number=partition, count=partition_count
        )
        self.partition = self._led.partition
        self._labels: dict[tuple[str, str], str] = {}
        self._offsets = {"category-changes": 0, "follower-counts": 0}

    def feed(
        self, rows: Iterable[FeedReading], seen: Callable[["FeedReplay"], None] | None = None
    ) -> None:
        """Readings of one instant are one batch; `seen` is called after each."""
        for at, group in groupby(rows, key=lambda reading: reading.observed_at):
            now = max(self._led.now, instant(at))
            counts: list[SimulatedRecord] = []
            labels: list[SimulatedRecord] = []
            for reading in group:
                labels.extend(self._label(reading, now))
                value = reading._asdict()
                del value["label"]
                counts.append(self._record("follower-counts", reading, now, value))
            self._led.give(now, [("category-changes", labels), ("follower-counts", counts)])
            if seen is not None:
                seen(self)

    def close(self, after: int) -> None:
        """Time passes without a reading."""
        self._led.until(self._led.now + after)

    def _sent(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        if topic not in SIDE_TOPICS:
            self.events.append(msgspec.json.decode(value or b""))

    def _label(self, reading: FeedReading, now: int) -> Iterator[SimulatedRecord]:
        """A label where it differs from the one before; an empty one removes it."""
        who = (reading.platform, reading.account_id)
        if self._labels.get(who, "") == reading.label:
            return
        self._labels[who] = reading.label
        value = {
            "platform": reading.platform,
            "account_id": reading.account_id,
            "category": reading.label,
            "observed_at": reading.observed_at,
        }
        yield self._record("category-changes", reading, now, value if reading.label else None)

    def _record(
        self, topic: str, reading: FeedReading, now: int, value: dict[str, Any] | None
    ) -> SimulatedRecord:
        offset = self._offsets[topic]
        self._offsets[topic] = offset + 1
        key = f"{reading.platform}:{reading.account_id}".encode()
        return SimulatedRecord(offset, now, key, None if value is None else _encode(value))
