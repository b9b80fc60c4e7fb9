"""Reads the indexed topics from Kafka: finds partitions and their ends, and takes records.

It reads committed records only and uses no consumer group: the positions are in the database.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition

from schemas.topics import TopicNames
from streams.index.errors import HistoryFault
from streams.index.projection import READ, UNDECODABLE, project
from streams.index.rows import Rows
from streams.index.writer import Place, Position
from streams.kafka.consumer import TolerantConsumer
from streams.kafka.stretches import Stretch
from streams.operate.audit.reading import APPENDED, MissingTopicsError, Reader
from streams.operate.audit.records import Record
from streams.operate.ends import nothing_hidden
from streams.operate.errors import UsageError

LOOK_BACK_SECONDS = 5.0
MOST_TOGETHER = 20_000
LEAST_TOGETHER = 200
"""Limits of one `take`: about MOST_TOGETHER records in all, at least LEAST_TOGETHER a partition."""

Wants = Callable[[str, bytes | None], bool]
"""Returns whether to index a record, from its topic (without prefix) and its key."""


@dataclass(slots=True)
class Batch:
    """The rows read since the last write, the new position of each partition, and a count."""

    rows: Rows = field(default_factory=Rows)
    moved: dict[Place, Position] = field(default_factory=dict)
    count: int = 0


class Feed:
    """The indexed topics under one prefix, read with one consumer."""

    def __init__(self, client: TolerantConsumer, names: TopicNames) -> None:
        self._client = client
        self._names = names
        self._short = {names.of(topic): topic.name for topic in READ}
        self._partitions: list[TopicPartition] = []

    async def find(self) -> None:
        """Looks up the partitions. Raises UsageError, which names missing topics, NoRightError."""
        reader = Reader(self._client, "")
        try:
            await reader.find(self._short)
        except MissingTopicsError as error:
            raise UsageError(f"{error}: `byline topics create` makes them") from error
        self._partitions = reader.of(*self._short)

    def place(self, it: TopicPartition) -> Place:
        """Returns a partition as the index names it: topic without prefix, and number."""
        return self._short[it.topic], it.partition

    async def begins(self) -> dict[Place, int]:
        """Returns the first offset of each partition that Kafka still has."""
        found = await self._client.beginning_offsets(self._partitions)
        return {self.place(it): at for it, at in found.items()}

    async def high_watermarks(self) -> Mapping[Any, int]:
        """Returns the end offset of each partition, including what an open transaction hides."""
        return await self._client.high_watermarks(self._partitions)

    async def nothing_hidden(self, high: Mapping[Any, int]) -> None:
        """Raises EndHiddenError if an open transaction hides records below these offsets."""
        await nothing_hidden(self._client, high)

    async def ends(self) -> dict[Place, int]:
        """Returns the end offset of each partition up to which it can be read now."""
        found = await self._client.end_offsets(self._partitions)
        return {self.place(it): at for it, at in found.items()}

    def go_to(self, positions: Mapping[Place, int]) -> None:
        """Moves the consumer to these offsets; partitions without one are not read."""
        wanted = [it for it in self._partitions if self.place(it) in positions]
        self._client.assign(wanted)
        for it in wanted:
            self._client.seek(it, positions[self.place(it)])

    async def take(self, seconds: float) -> list[Stretch]:
        """Returns the next records; an empty list if none come within so many seconds."""
        each = max(LEAST_TOGETHER, MOST_TOGETHER // max(1, len(self._partitions)))
        return await self._client.take(seconds, each)

    def add(
        self,
        batch: Batch,
        stretches: Iterable[Stretch],
        known: Mapping[Place, Position],
        wants: Wants | None = None,
    ) -> None:
        """Adds the rows of these records, and the new positions, to a batch.

        `known`: the positions before the batch. `wants`: which records to index; None: all.
        """
        for stretch in stretches:
            topic = self._short[stretch.topic]
            place = (topic, stretch.partition)
            before = batch.moved.get(place) or known[place]
            unreadable = before.unreadable + sum(
                it.last - it.first + 1 for it in stretch.unreadable
            )
            for it in stretch.records:
                if wants is not None and not wants(topic, it.key):
                    continue
                record = Record(
                    *(topic, stretch.partition, it.offset, it.timestamp, it.key, it.value),
                    appended=it.timestamp_type == APPENDED,
                )
                try:
                    project(record, batch.rows, self._names.prefix)
                except UNDECODABLE:
                    unreadable += 1
            after = Position(stretch.end, before.last_offset, before.last_at, unreadable)
            if stretch.records:
                last = stretch.records[-1]
                after = after._replace(last_offset=last.offset, last_at=last.timestamp)
            batch.moved[place] = after
            batch.count += len(stretch.records)

    async def check(self, known: Mapping[Place, Position], ends: Mapping[Place, int]) -> None:
        """Checks that each partition still has the last record that the index has read of it.

        `known`: the positions in the database. `ends`: the end offsets in Kafka. Raises
        HistoryFault if a topic is gone, ends earlier, or has another record at that offset.
        """
        for place, position in sorted(known.items()):
            end = ends.get(place)
            if end is None or end < position.next_offset:
                found = "is gone" if end is None else f"ends at offset {end}"
                raise _other_history(
                    place, f"{found}, the index has read to {position.next_offset}"
                )
        back = {
            place: it.last_offset
            for place, it in known.items()
            if it.last_offset is not None and it.last_offset < ends[place]
        }
        if not back:
            return
        self.go_to(back)
        waiting = set(back)
        while waiting:
            stretches = await self._client.take(LOOK_BACK_SECONDS, 1)
            if not stretches:
                return
            for stretch in stretches:
                place = (self._short[stretch.topic], stretch.partition)
                if place in waiting:
                    waiting.discard(place)
                    _compare(place, known[place], stretch)


def _compare(place: Place, known: Position, stretch: Stretch) -> None:
    for record in stretch.records:
        if record.offset > (known.last_offset or 0):
            return
        if record.offset == known.last_offset and record.timestamp != known.last_at:
            raise _other_history(
                place, f"has another record at offset {record.offset} than was indexed"
            )


def _other_history(place: Place, what: str) -> HistoryFault:
    topic, partition = place
    return HistoryFault(
        f"{topic}[{partition}] {what}: the topic was made anew, or this is another cluster. If it"
        " is the right one, `byline index --rebuild` reads all topics again; if not, set"
        " BYLINE_KAFKA_BOOTSTRAP_SERVERS or BYLINE_DATABASE"
    )
