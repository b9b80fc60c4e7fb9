"""The short queues between fetching and applying, one for each topic of a partition number.

A queue is also a ticket. Each seek makes new queues, batches carry the queue they were fetched for,
and what arrives for a queue that is no longer in use is dropped: so nothing fetched before a seek
or a rebalance can reach the processor, whatever raced.
"""

from collections import deque
from typing import NamedTuple

from streams.engine.processor import FetchedBatch

# What a queued record costs in memory beside its bytes, about: the record, its list of headers, two
# integers, two bytes objects' headers.
RECORD_OVERHEAD_BYTES = 300


class QueuedBatch(NamedTuple):
    """A batch on its way from the consumer's thread to its partition."""

    queue: "FetchQueue"
    batch: FetchedBatch
    size: int


class FetchBuffer:
    """The queues in use by topic and partition, with the total of queued records and bytes.

    Written by the event loop, read by the consumer's thread, which only decides from it what to
    take next; a number that is a moment old does no harm.
    """

    __slots__ = ("max_bytes", "max_records", "queued_bytes", "queued_records", "queues")

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self.queues: dict[tuple[str, int], FetchQueue] = {}
        self.max_records = max_records
        self.max_bytes = max_bytes
        self.queued_records = 0
        self.queued_bytes = 0

    def wanted(self) -> "dict[tuple[str, int], FetchQueue]":
        """The queues that may be served now. An empty one always may: every topic keeps moving."""
        full = self.queued_records >= self.max_records or self.queued_bytes >= self.max_bytes
        share = max(1, len(self.queues))
        records, size = self.max_records // min(share, 8), self.max_bytes // min(share, 8)
        return {
            key: queue
            for key, queue in list(self.queues.items())
            if queue.records == 0 or (not full and queue.records < records and queue.size < size)
        }


class FetchQueue:
    """Batches of a topic partition waiting to be applied; the next one starts at `expected`."""

    __slots__ = (
        "_buffer",
        "batches",
        "closed",
        "end",
        "expected",
        "partition",
        "records",
        "size",
        "topic",
    )

    def __init__(self, buffer: FetchBuffer, topic: str, partition: int, start: int) -> None:
        self._buffer = buffer
        self.topic = topic
        self.partition = partition
        self.expected = start
        self.end = start
        self.closed = False
        self.records = 0
        self.size = 0
        self.batches: deque[QueuedBatch] = deque()

    def put(self, fetched: QueuedBatch) -> bool:
        """Queue a batch; False when it does not begin exactly where the last one ended.

        One that begins earlier is not of the log that was read so far.
        """
        batch = fetched.batch
        self.end = max(self.end, batch.high_water)
        if batch.start != self.expected:
            return False
        self.expected = batch.end
        self.batches.append(fetched)
        self._count(len(batch.records), fetched.size)
        return True

    def take(self) -> FetchedBatch:
        """The next batch in order."""
        fetched = self.batches.popleft()
        self._count(-len(fetched.batch.records), -fetched.size)
        return fetched.batch

    @property
    def oldest_at(self) -> int | None:
        """The timestamp of the oldest queued record (milliseconds UTC). None if none is queued."""
        for fetched in self.batches:
            if fetched.batch.records:
                return fetched.batch.records[0].timestamp
        return None

    def close(self) -> None:
        """Drop all queued batches. The queue is no longer in use."""
        self.closed = True
        self._count(-self.records, -self.size)
        self.batches.clear()

    def _count(self, records: int, size: int) -> None:
        self.records += records
        self.size += size
        self._buffer.queued_records += records
        self._buffer.queued_bytes += size
