"""From what was fetched to what the parts are handed: stretches become spans, each with its lane.

How bytes become records, and what happens to those that do not, is in streams/kafka.
"""

from collections.abc import Callable, Mapping
from typing import Any

from streams.engine.lanes import RECORD_OVERHEAD_BYTES, Fetched, Lane
from streams.engine.processor import Span
from streams.kafka.stretches import read_stretches

Lanes = Mapping[tuple[str, int], Lane]


async def read_spans(
    consumer: Any, wanted: Callable[[], Lanes], max_records: int, timeout_seconds: float
) -> list[Fetched]:
    """The next spans of the wanted lanes, waiting up to `timeout_seconds` when there is none yet.

    Each goes with the lane that was wanted when it was taken.
    """
    lanes: Lanes = {}

    def looked() -> Lanes:
        nonlocal lanes
        lanes = wanted()
        return lanes

    found = await read_stretches(consumer, looked, max_records, timeout_seconds)
    fetched = []
    for topic, partition, start, end, records, high_water, size, unreadable in found:
        span = Span(topic, partition, start, end, records, high_water, unreadable)
        size += RECORD_OVERHEAD_BYTES * len(records)
        fetched.append(Fetched(lanes[topic, partition], span, size))
    return fetched
