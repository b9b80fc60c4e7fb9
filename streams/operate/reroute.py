"""`byline cluster reroute`: moves what lies in partitions that no worker reads to where it belongs.

Where partitions were added, producers put records into them, and workers go on with the old ones
(BYLINE_PARTITIONS). Each record is sent again to the partition of its key, in one transaction with
the group's offsets of the partition that it came from: so each is moved once, whatever happens.
It enters Kafka anew; what counts of it is the time that it states.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from schemas.topics import INPUTS
from streams.kafka.consumer import TolerantConsumer
from streams.operate.clients import admin_client, consumer
from streams.operate.ends import Ends, nothing_hidden
from streams.operate.errors import UsageError
from streams.operate.send import partition_of
from streams.operate.topics import names_of
from streams.settings import Settings, kafka_client_kwargs


@dataclass(frozen=True, slots=True)
class Stray:
    """A partition that is not in use: where moving goes on, and its end."""

    topic: str
    partition: int
    next: int
    end: int

    @property
    def left(self) -> int:
        """Offsets that have not been moved; commit markers count as well."""
        return self.end - self.next


async def strays(settings: Settings) -> list[Stray]:
    """What is left to be moved, by partition. Raises UsageError without BYLINE_PARTITIONS."""
    used = _used(settings)
    async with consumer(settings) as reader, admin_client(settings) as admin:
        cluster = await reader._client.fetch_all_metadata()
        places = [
            TopicPartition(topic, number)
            for topic, count in used.items()
            for number in sorted(cluster.partitions_for_topic(topic) or ())
            if number >= count
        ]
        if not places:
            return []
        found = await admin.list_consumer_group_offsets(settings.application_id, partitions=places)
        moved = {tp: max(0, one.offset) for tp, one in found.items()}
        begins = await reader.beginning_offsets(places)
        await nothing_hidden(reader, await reader.high_watermarks(places))
        ends = await reader.end_offsets(places)
    return [
        Stray(tp.topic, tp.partition, max(begins[tp], moved.get(tp, 0)), ends[tp])
        for tp in places
        if ends[tp] > moved.get(tp, 0)
    ]


def _used(settings: Settings) -> dict[str, int]:
    """How many partitions of each input are in use."""
    if settings.partitions is None:
        raise UsageError(
            "BYLINE_PARTITIONS is not set: it says how many partitions were there before some were"
            " added, and a worker's refusal names it"
        )
    names = names_of(settings)
    return {names.of(topic): 1 if topic.single else settings.partitions for topic in INPUTS}


async def move(settings: Settings, found: list[Stray]) -> Mapping[str, int]:
    """Move all of these; how many records, by topic."""
    used = _used(settings)
    moved: dict[str, int] = {}
    # Its transactional id keeps two that run at once apart: the later one ends the earlier one.
    producer = AIOKafkaProducer(
        **kafka_client_kwargs(settings), transactional_id=f"{settings.application_id}-reroute"
    )
    await producer.start()
    try:
        async with consumer(settings) as reader:
            for stray in found:
                count = await _move(settings, producer, reader, stray, used[stray.topic])
                moved[stray.topic] = moved.get(stray.topic, 0) + count
    finally:
        await producer.stop()
    return moved


async def _move(
    settings: Settings,
    producer: AIOKafkaProducer,
    reader: TolerantConsumer,
    stray: Stray,
    count: int,
) -> int:
    place = TopicPartition(stray.topic, stray.partition)
    reader.assign([place])
    reader.seek(place, stray.next)
    position, moved = stray.next, 0
    wanted = Ends({place: stray.end})
    while not wanted.reached({place: position}):
        stretches = await reader.take(0.5)
        position = await reader.position(place)
        records = [record for one in stretches for record in one.records]
        if not stretches and position < stray.end:
            continue
        await producer.begin_transaction()
        await _send(producer, stray.topic, records, count)
        await producer.send_offsets_to_transaction({place: position}, settings.application_id)
        await producer.commit_transaction()
        moved += len(records)
    return moved


async def _send(producer: AIOKafkaProducer, topic: str, records: list[Any], count: int) -> None:
    """Each to the partition of its key; one without goes to the first, where it is refused."""
    waiting = [
        await producer.send(
            topic,
            record.value,
            record.key,
            0 if record.key is None else partition_of(record.key, count),
            headers=_headers(record),
        )
        for record in records
    ]
    await asyncio.gather(*waiting)


def _headers(record: Any) -> list[tuple[str, bytes]]:
    """They are ignored everywhere; those whose names are no text are left behind."""
    return [(name, value) for name, value in record.headers if isinstance(name, str)]
