"""`byline cluster reroute`: moves records out of partitions that no worker reads.

After partitions were added to an input, producers write to them, while workers go on reading the
old ones (BYLINE_PARTITIONS). Each record in an added partition is sent again to the partition of
its key, in one transaction with the group's offset in the added partition. So each is moved exactly
once, whatever fails. The record enters Kafka anew; the time that it states stays the same.

The offsets are read after the producer's start, which fences the producer of an earlier command and
ends its transaction. So no other command can move what this one moves.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError

from schemas.topics import INPUTS
from streams.kafka.consumer import TolerantConsumer
from streams.kafka.requests.coordinators import stable_offsets
from streams.letters.producer import once_producer, outcome_told
from streams.operate.acl import upkeeping
from streams.operate.clients import admin_client, consumer
from streams.operate.ends import Ends, nothing_hidden
from streams.operate.errors import KafkaAbsentError, NoRightError, UsageError
from streams.operate.role_rights import refuse_lacking
from streams.operate.send import partition_of
from streams.operate.topics import names_of
from streams.settings import Settings


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
    await refuse_lacking(settings, upkeeping(settings, "Read", topics=INPUTS))
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
        moved = await _offsets(admin, settings.application_id, places)
        begins = await reader.beginning_offsets(places)
        await nothing_hidden(reader, await reader.high_watermarks(places))
        ends = await reader.end_offsets(places)
    return [
        Stray(tp.topic, tp.partition, max(begins[tp], moved.get(tp, 0)), ends[tp])
        for tp in places
        # Also where all records were deleted: workers wait until the offset has reached the end.
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


async def _offsets(
    admin: AIOKafkaAdminClient, group: str, places: Sequence[TopicPartition]
) -> Mapping[TopicPartition, int]:
    """Returns the group's committed offsets; partitions without one are left out.

    Whoever takes an error for "no offset" moves everything a second time.

    Raises:
        NoRightError: the group may not be described.
        KafkaAbsentError: no coordinator knows the offsets.
    """
    try:
        return await stable_offsets(admin, group, places)
    except GroupAuthorizationFailedError as error:
        raise NoRightError(f"no right to Describe the group {group}") from error
    except KafkaError as error:
        raise KafkaAbsentError(
            f"Kafka does not say how far {group} has moved records ({type(error).__name__}): run"
            " this again when the brokers are up"
        ) from error


@dataclass(slots=True)
class Rerouted:
    """Where strays were found, and how many records were moved, by topic.

    `unreadable`: the places of batches that nobody can read; they were passed over.
    """

    found: list[Stray]
    moved: dict[str, int] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)


async def move(settings: Settings) -> Rerouted:
    """Moves all strays.

    Raises:
        OutcomeUnknownError: the last transaction did not end as it should; a repeat goes on.
        TakenOverError: another command has begun.
        UsageError, EndHiddenError, KafkaAbsentError, NoRightError: as `strays`.
    """
    used = _used(settings)
    await refuse_lacking(settings, upkeeping(settings, "Read", "Write", topics=INPUTS))
    name = f"{settings.application_id}-reroute"
    async with once_producer(settings, name, "upkeeper") as producer:
        done = Rerouted(await strays(settings))
        async with consumer(settings) as reader:
            for stray in done.found:
                await _move(settings, producer, reader, stray, used[stray.topic], done)
    return done


async def _move(
    settings: Settings,
    producer: AIOKafkaProducer,
    reader: TolerantConsumer,
    stray: Stray,
    count: int,
    done: Rerouted,
) -> None:
    """Moves the records of a partition to the `count` that workers read."""
    place = TopicPartition(stray.topic, stray.partition)
    reader.assign([place])
    reader.seek(place, stray.next)
    position = stray.next
    done.moved.setdefault(stray.topic, 0)
    wanted = Ends({place: stray.end})
    if not stray.left:
        await _transaction(settings, producer, [], place, position, count)
    while not wanted.reached({place: position}):
        stretches = await reader.take(0.5)
        position = await reader.position(place)
        records = [record for one in stretches for record in one.records]
        if not stretches and position < stray.end:
            continue
        await _transaction(settings, producer, records, place, position, count)
        done.moved[stray.topic] += len(records)
        done.unreadable += [
            f"{stray.topic}[{stray.partition}] offsets {first} to {last}"
            for one in stretches
            for first, last, _ in one.unreadable
        ]


async def _transaction(
    settings: Settings,
    producer: AIOKafkaProducer,
    records: list[Any],
    place: TopicPartition,
    position: int,
    count: int,
) -> None:
    """Sends records, and commits with them that `place` is moved up to `position`."""

    async def run() -> None:
        await producer.begin_transaction()
        await _send(producer, place.topic, records, count)
        await producer.send_offsets_to_transaction({place: position}, settings.application_id)
        await producer.commit_transaction()

    await outcome_told(
        run(),
        taken_over="another reroute was begun at the same moment, and one goes at a time: run this"
        " again, it goes on with what is left",
        goes_on="it goes on with what is left. If another reroute runs, it has taken over",
    )


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
