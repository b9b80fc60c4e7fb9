"""Reads Kafka as a consumer of Byline's events would: `read_committed`, without a group."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from streams.kafka.consumer import TolerantConsumer
from streams.local.demo.tally import Seen

FETCH_WAIT_MS = 40
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Raw:
    """A record as bytes."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    timestamp: int
    """Kafka's timestamp, in milliseconds UTC."""

    @property
    def everything(self) -> bytes:
        """Key, value and headers joined, for a search."""
        heads = b"\n".join(name.encode() + b"=" + value for name, value in self.headers)
        return b"\n".join((self.key, self.value, heads))

    def json(self) -> Any:
        """Returns the parsed value; None if it is not JSON."""
        try:
            return json.loads(self.value)
        except ValueError:
            return None


async def _poll(consumer: TolerantConsumer) -> list[Raw]:
    """Returns newly fetched records, each partition in order."""
    return [
        Raw(
            stretch.topic,
            stretch.partition,
            record.offset,
            record.key or b"",
            record.value or b"",
            tuple((name, value or b"") for name, value in record.headers),
            record.timestamp,
        )
        for stretch in await consumer.take(POLL_SECONDS)
        for record in stretch.records
    ]


def seen(record: Raw) -> Seen:
    """Converts a record to an event; its value is empty if it is not a JSON object."""
    value = record.json()
    return Seen(
        record.topic,
        record.partition,
        record.offset,
        record.key.decode(errors="replace"),
        value if isinstance(value, dict) else {},
        {name: text.decode(errors="replace") for name, text in record.headers},
    )


async def open_consumer(bootstrap: str, topics: Mapping[str, int]) -> TolerantConsumer:
    """Starts a consumer at the beginning of every partition. `topics`: partition count by name."""
    consumer = TolerantConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=FETCH_WAIT_MS,
        metadata_max_age_ms=10_000,
    )
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic, number)
            for topic, count in topics.items()
            for number in range(count)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
    except BaseException:
        await consumer.stop()
        raise
    return consumer


async def follow(consumer: TolerantConsumer) -> AsyncIterator[Raw]:
    """Yields every committed record, without end."""
    while True:
        for record in await _poll(consumer):
            yield record


async def read_back(bootstrap: str, topics: Mapping[str, int]) -> list[Raw]:
    """Reads all committed records of topics, up to their present ends.

    `topics`: partition count by name.
    """
    consumer = await open_consumer(bootstrap, topics)
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        records: list[Raw] = []
        left = {partition for partition, end in ends.items() if end}
        while left:
            records += await _poll(consumer)
            left = {item for item in left if await consumer.position(item) < ends[item]}
        return records
    finally:
        await consumer.stop()
