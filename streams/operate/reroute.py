"""`byline cluster reroute`: moves records out of partitions that no worker reads.

After partitions were added to an input, producers write to them, while workers go on reading the
old ones (BYLINE_PARTITIONS). Each record in an added partition is sent again to the partition of
its key, in one transaction with the group's offset in the added partition. So each is moved exactly
once, whatever fails. The record enters Kafka anew; the time that it states stays the same.
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
    """A partition that no worker reads: the next offset to move, and its end offset."""

    topic: str
    partition: int
    next: int
    end: int

    @property
    def left(self) -> int:
        """How many offsets are left to move; those of transaction markers are counted too."""
        return self.end - self.next


async def strays(settings: Settings) -> list[Stray]:
    """Returns the partitions with records that are left to be moved.

    Raises UsageError without BYLINE_PARTITIONS, EndHiddenError, KafkaAbsentError, NoRightError.
    """
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
    """Returns how many partitions of each input workers read, by full topic name."""
    if settings.partitions is None:
        raise UsageError(
            "BYLINE_PARTITIONS is not set: it says how many partitions were there before some were"
            " added, and a worker's refusal names it"
        )
    names = names_of(settings)
    return {names.of(topic): 1 if topic.single else settings.partitions for topic in INPUTS}


async def move(settings: Settings, found: list[Stray]) -> Mapping[str, int]:
    """Moves the records of these partitions; returns how many, by topic."""
    used = _used(settings)
    moved: dict[str, int] = {}
    # Of two commands that run at once, the transactional id fences the earlier one off.
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
    """Sends each record to the partition of its key, among the `count` that workers read.

    A record without a key goes to partition 0, where a worker refuses it.
    """
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
    """Returns the headers to send, without those whose name is not UTF-8; nothing reads headers."""
    return [(name, value) for name, value in record.headers if isinstance(name, str)]
