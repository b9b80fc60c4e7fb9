"""Fetches batches, each with the queue for which it was fetched.

The decoding of records, and of batches that cannot be decoded, is in streams/kafka.
"""

from collections.abc import Callable, Container, Mapping
from typing import Any

from streams.engine.fetch_queues import FetchQueue, QueuedBatch
from streams.engine.processor import FetchedBatch
from streams.kafka.batches import RECORD_OVERHEAD_BYTES
from streams.kafka.columns import BYTES_A_RECORD, are_columns
from streams.kafka.stretches import read_stretches

FetchQueues = Mapping[tuple[str, int], FetchQueue]


async def read_batches(
    consumer: Any,
    wanted: Callable[[], FetchQueues],
    max_records: int,
    timeout_seconds: float,
    columns: Container[str] = (),
) -> list[QueuedBatch]:
    """Fetches the next batches for the queues that `wanted` returns: of each about `max_records`.

    Waits up to `timeout_seconds` for the first batch. `wanted` is called when records are taken, so
    each batch gets the queue in use at that moment. `columns`: topics whose records may come as
    columns (streams/kafka/columns.py).
    """
    queues: FetchQueues = {}

    def looked() -> FetchQueues:
        nonlocal queues
        queues = wanted()
        return queues

    found = await read_stretches(consumer, looked, max_records, timeout_seconds, columns=columns)
    fetched = []
    for topic, partition, start, end, records, high_water, size, unreadable in found:
        batch = FetchedBatch(topic, partition, start, end, records, high_water, unreadable)
        each = BYTES_A_RECORD if are_columns(records) else RECORD_OVERHEAD_BYTES
        size += each * len(records)
        fetched.append(QueuedBatch(queues[topic, partition], batch, size))
    return fetched
