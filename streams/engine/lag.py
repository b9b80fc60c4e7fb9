"""Measures the consumer lag of this worker: in records and in seconds, topic by topic.

It uses the broker's high watermarks, not the ends that the consumer knows. So records that an open
transaction hides count, and so do those that arrived while fetches failed. The lag in seconds is
the age of the oldest unread record.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from streams.engine.fetch_queues import FetchQueue

STALE_SECONDS = 10.0
"""If the ends were not seen for longer than this, the lag is at least the time since then."""

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class TopicLag:
    """The lag of a topic over this worker's partitions: the sum of records, the longest time.

    `position`: the sum of the offsets to read next.
    """

    topic: str
    records: int
    seconds: float
    position: int = 0


@dataclass(slots=True)
class _Seen:
    """What is known of a topic and partition; times are those of `time.monotonic()`.

    `end`: the end offset at `looked_at`. `behind_since`: the earliest observation of an end,
    `behind_end`, up to which records are still unread; None if all were read.
    """

    end: int
    looked_at: float
    behind_since: float | None = None
    behind_end: int = 0


class Inputs(Protocol):
    """The inputs of one partition number: next offsets and queues, by topic."""

    @property
    def number(self) -> int: ...
    @property
    def reads(self) -> Mapping[str, int]: ...
    @property
    def queues(self) -> Mapping[str, FetchQueue]: ...


class LagBook:
    """The lag of every partition: written by the reach watch, read by the health page.

    A key is a topic and a partition.
    """

    def __init__(self) -> None:
        self._seen: dict[Key, _Seen] = {}

    def note(self, key: Key, reads: int, end: int, at: float) -> None:
        """Notes the end offset and the next offset of a partition at `at` (`time.monotonic()`)."""
        seen = self._seen.setdefault(key, _Seen(end, at))
        seen.end, seen.looked_at = end, at
        if reads >= end:
            seen.behind_since = None
        elif seen.behind_since is None or reads >= seen.behind_end:
            seen.behind_since, seen.behind_end = at, end

    def keep(self, keys: Iterable[Key]) -> None:
        """Forgets all other partitions."""
        kept = set(keys)
        for key in [key for key in self._seen if key not in kept]:
            del self._seen[key]

    def records(self, key: Key, reads: int) -> int:
        """Returns the offsets between `reads` and the last known end, markers included."""
        seen = self._seen.get(key)
        return 0 if seen is None else max(0, seen.end - reads)

    def by_topic(
        self, topics: Iterable[str], inputs: Iterable[Inputs], clock_now: int
    ) -> tuple[TopicLag, ...]:
        """Returns the lag of each topic over these partitions. `clock_now`: milliseconds UTC."""
        own, now = list(inputs), time.monotonic()
        found = []
        for topic in topics:
            lags = [self._of(topic, one, clock_now, now) for one in own]
            records = sum(records for records, _ in lags)
            seconds = max((seconds for _, seconds in lags), default=0.0)
            position = sum(one.reads.get(topic, 0) for one in own)
            found.append(TopicLag(topic, records, round(seconds, 3), position))
        return tuple(found)

    def _of(self, topic: str, inputs: Inputs, clock_now: int, now: float) -> tuple[int, float]:
        reads = inputs.reads.get(topic)
        if reads is None:
            return 0, 0.0
        queue, seen = inputs.queues.get(topic), self._seen.get((topic, inputs.number))
        end = max(seen.end if seen is not None else 0, queue.end if queue is not None else 0)
        seconds = 0.0
        oldest = queue.oldest_at if queue is not None else None
        if oldest is not None:
            seconds = max(0.0, (clock_now - oldest) / 1000)
        elif seen is not None and seen.behind_since is not None and reads < seen.end:
            seconds = now - seen.behind_since
        if seen is not None and now - seen.looked_at > STALE_SECONDS:
            seconds = max(seconds, now - seen.looked_at)
        return max(0, end - reads), seconds
