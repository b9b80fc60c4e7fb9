"""The queues between fetch and processing, one for each topic of a partition number.

Each seek makes new queues, and each batch carries the queue for which it was fetched. A batch for a
queue that is no longer in use is dropped. So no batch that was fetched before a seek or rebalance
reaches the processor. Sizes are bytes.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from streams.engine.processor import FetchedBatch, Record
from streams.kafka.batches import RECORD_OVERHEAD_BYTES


class QueuedBatch(NamedTuple):
    """A batch on its way from the consumer's thread to its partition."""

    queue: "FetchQueue"
    batch: FetchedBatch
    size: int

    def cut(self, max_records: int, max_bytes: int) -> "tuple[QueuedBatch, QueuedBatch | None]":
        """Returns the first records, at least one and about `max_bytes` of them, and the rest.

        The first part ends where the rest's first record is, so an unreadable Kafka batch is in one
        of them whole.
        """
        batch, records = self.batch, self.batch.records
        count, size = min(len(records), max_records), 0
        if self.size > max_bytes:
            count, size = fitting(records, 0, count, max_bytes)
        if count >= len(records):
            return self, None
        at, size = records[count].offset, min(self.size, size or self.size * count // len(records))
        before = tuple(it for it in batch.unreadable if it[1] < at)
        first = replace(batch, end=at, records=records[:count], unreadable=before)
        rest = replace(
            batch, start=at, records=records[count:], unreadable=batch.unreadable[len(before) :]
        )
        return QueuedBatch(self.queue, first, size), QueuedBatch(self.queue, rest, self.size - size)


def fitting(records: Sequence[Record], first: int, most: int, max_bytes: int) -> tuple[int, int]:
    """Returns how many records from index `first` on fit into `max_bytes`, and their own bytes.

    They are at most `most`, and at least one.
    """
    size, count = 0, 0
    for record in records[first : first + most]:
        own = len(record.key or b"") + len(record.value or b"") + RECORD_OVERHEAD_BYTES
        if count and size + own > max_bytes:
            break
        size, count = size + own, count + 1
    return count, size


class FetchBuffer:
    """The queues in use, by topic and partition, with the total of queued records and bytes.

    `max_records` and `max_bytes`: from there on only empty queues are served; from twice as many
    bytes on, none. The event loop writes it. The consumer's thread reads it without a lock to
    choose what to fetch next, for which slightly old numbers are good enough.
    """

    __slots__ = ("max_bytes", "max_records", "queued_bytes", "queued_records", "queues")

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self.queues: dict[tuple[str, int], FetchQueue] = {}
        self.max_records = max_records
        self.max_bytes = max_bytes
        self.queued_records = 0
        self.queued_bytes = 0

    def wanted(self) -> "dict[tuple[str, int], FetchQueue]":
        """Returns the queues to fetch for: those below their share of the limits, and empty ones.

        Empty queues are served beyond these limits, so that no topic stands still because of
        others. Beyond twice the bytes none is: what is queued is applied in any case.
        """
        if self.queued_bytes >= 2 * self.max_bytes:
            return {}
        full = self.queued_records >= self.max_records or self.queued_bytes >= self.max_bytes
        share = max(1, len(self.queues))
        records, size = self.max_records // min(share, 8), self.max_bytes // min(share, 8)
        return {
            key: queue
            for key, queue in list(self.queues.items())
            if queue.records == 0 or (not full and queue.records < records and queue.size < size)
        }


class FetchQueue:
    """The batches of a topic partition that wait to be applied.

    `expected`: the offset at which the next batch must start. `end`: the latest known end offset.
    """

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
        """Queues a batch. Returns False, without queuing it, if it does not start at `expected`."""
        batch = fetched.batch
        self.end = max(self.end, batch.high_water)
        if batch.start != self.expected:
            return False
        self.expected = batch.end
        self.batches.append(fetched)
        self._count(len(batch.records), fetched.size)
        return True

    def take(self, max_records: int, max_bytes: int) -> FetchedBatch:
        """Removes and returns the next batch, or its first records if it exceeds a limit."""
        fetched, rest = self.batches.popleft().cut(max_records, max_bytes)
        if rest is not None:
            self.batches.appendleft(rest)
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
        """Drops all queued batches, and marks the queue as no longer in use."""
        self.closed = True
        self._count(-self.records, -self.size)
        self.batches.clear()

    def _count(self, records: int, size: int) -> None:
        self.records += records
        self.size += size
        self._buffer.queued_records += records
        self._buffer.queued_bytes += size
