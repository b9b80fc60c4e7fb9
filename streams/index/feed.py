"""Kafka's side of the index: which partitions there are, where they begin and end, what comes next.

Committed records alone, of no group. Positions are the database's.
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
"""Records that are taken together: of all partitions about the one, of each at least the other."""

Wants = Callable[[str, bytes | None], bool]
"""Whether a record is to be projected: by its topic, without prefix, and its key."""


@dataclass(slots=True)
class Batch:
    """What was read since the last transaction: rows, and how far each partition was read."""

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
        """Look up the partitions. Raises UsageError that names the topics that are not there."""
        reader = Reader(self._client, "")
        try:
            await reader.find(self._short)
        except MissingTopicsError as error:
            raise UsageError(f"{error}: `byline topics create` makes them") from error
        self._partitions = reader.of(*self._short)

    def place(self, it: TopicPartition) -> Place:
        """A partition as the index names it."""
        return self._short[it.topic], it.partition

    async def begins(self) -> dict[Place, int]:
        """The first offset that Kafka has of each partition."""
        found = await self._client.beginning_offsets(self._partitions)
        return {self.place(it): at for it, at in found.items()}

    async def high_watermarks(self) -> Mapping[Any, int]:
        """Where each partition ends now, what an open transaction hides included."""
        return await self._client.high_watermarks(self._partitions)

    async def nothing_hidden(self, high: Mapping[Any, int]) -> None:
        """Raises EndHiddenError when an open transaction hides something below these ends."""
        await nothing_hidden(self._client, high)

    async def ends(self) -> dict[Place, int]:
        """Where each partition ends now, as far as it can be read."""
        found = await self._client.end_offsets(self._partitions)
        return {self.place(it): at for it, at in found.items()}

    def go_to(self, positions: Mapping[Place, int]) -> None:
        """Read on from these offsets; partitions without one are not read."""
        wanted = [it for it in self._partitions if self.place(it) in positions]
        self._client.assign(wanted)
        for it in wanted:
            self._client.seek(it, positions[self.place(it)])

    async def take(self, seconds: float) -> list[Stretch]:
        """What has come, or nothing after so many seconds."""
        each = max(LEAST_TOGETHER, MOST_TOGETHER // max(1, len(self._partitions)))
        return await self._client.take(seconds, each)

    def add(
        self,
        batch: Batch,
        stretches: Iterable[Stretch],
        known: Mapping[Place, Position],
        wants: Wants | None = None,
    ) -> None:
        """Project stretches into a batch. `known`: positions before it; `wants`: None, all."""
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
        """Hold the last record of each partition to what was read of it.

        Raises HistoryFault where a topic is another one, or shorter, than the one that was indexed.
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
