"""The short queue between fetching and applying, one lane for each topic of a partition number.

A lane is also a ticket. Each seek makes new lanes, spans carry the lane they were fetched for, and
what arrives for a lane that is no longer in use is dropped: so nothing fetched before a seek or a
rebalance can reach the processor, whatever raced.
"""

from collections import deque
from typing import NamedTuple

from streams.engine.processor import Span

# What a queued record costs in memory beside its bytes, about: the record, its list of headers, two
# integers, two bytes objects' headers.
RECORD_OVERHEAD_BYTES = 300


class Fetched(NamedTuple):
    """A span on its way from the consumer's thread to its part."""

    lane: "Lane"
    span: Span
    size: int


class Desk:
    """The lanes in use by topic and partition, and what all of them hold together.

    Written by the event loop, read by the consumer's thread, which only decides from it what to
    take next; a number that is a moment old does no harm.
    """

    __slots__ = ("lanes", "max_bytes", "max_records", "queued_bytes", "queued_records")

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self.lanes: dict[tuple[str, int], Lane] = {}
        self.max_records = max_records
        self.max_bytes = max_bytes
        self.queued_records = 0
        self.queued_bytes = 0

    def wanted(self) -> "dict[tuple[str, int], Lane]":
        """The lanes that may be served now. An empty lane always may: every topic keeps moving."""
        full = self.queued_records >= self.max_records or self.queued_bytes >= self.max_bytes
        share = max(1, len(self.lanes))
        records, size = self.max_records // min(share, 8), self.max_bytes // min(share, 8)
        return {
            key: lane
            for key, lane in list(self.lanes.items())
            if lane.records == 0 or (not full and lane.records < records and lane.size < size)
        }


class Lane:
    """Spans of a topic partition waiting to be applied; the next one starts at `expected`."""

    __slots__ = (
        "_desk",
        "closed",
        "end",
        "expected",
        "partition",
        "queue",
        "records",
        "size",
        "topic",
    )

    def __init__(self, desk: Desk, topic: str, partition: int, start: int) -> None:
        self._desk = desk
        self.topic = topic
        self.partition = partition
        self.expected = start
        self.end = start
        self.closed = False
        self.records = 0
        self.size = 0
        self.queue: deque[Fetched] = deque()

    def put(self, fetched: Fetched) -> bool:
        """Queue a span; False when it does not begin exactly where the last one ended.

        One that begins earlier is not of the log that was read so far.
        """
        span = fetched.span
        self.end = max(self.end, span.high_water)
        if span.start != self.expected:
            return False
        self.expected = span.end
        self.queue.append(fetched)
        self._count(len(span.records), fetched.size)
        return True

    def take(self) -> Span:
        """The next span in order."""
        fetched = self.queue.popleft()
        self._count(-len(fetched.span.records), -fetched.size)
        return fetched.span

    @property
    def oldest_at(self) -> int | None:
        """When the oldest record that waits came in (milliseconds UTC); None when none waits."""
        for fetched in self.queue:
            if fetched.span.records:
                return fetched.span.records[0].timestamp
        return None

    def close(self) -> None:
        """Forget what is queued; the lane is not in use any more."""
        self.closed = True
        self._count(-self.records, -self.size)
        self.queue.clear()

    def _count(self, records: int, size: int) -> None:
        self.records += records
        self.size += size
        self._desk.queued_records += records
        self._desk.queued_bytes += size
