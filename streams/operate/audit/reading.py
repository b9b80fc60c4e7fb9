"""Reads topics for the auditor and others: committed records, without a group, without writing.

It compares the consumer's positions with the ends, because the last offsets of a topic may be
transaction markers. It knows nothing of the auditor's rules: a worker reads policies with it.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from aiokafka import TopicPartition

from schemas.topics import DECISIONS
from streams.kafka.consumer import TolerantConsumer
from streams.kafka.requests.metadata import view_topics
from streams.kafka.rights import in_words, missing_rights
from streams.kafka.stretches import Stretch
from streams.operate.audit.chain import Verified
from streams.operate.audit.records import EARLIER_MS, HOUR, Record
from streams.operate.audit.replay_order import ORDER
from streams.operate.ends import Ends, nothing_hidden
from streams.operate.errors import NoRightError

APPENDED = 1
"""Kafka's mark of a record that the broker stamped: LogAppendTime."""
LAG_MS = 24 * HOUR
"""How much earlier (ms) reading of inputs begins: a worker may have read them late."""


class MissingTopicsError(Exception):
    """Topics that must be read do not exist; the message names them."""


class Reader:
    """Reads the topics under one prefix with one consumer.

    `partitions`: how many of each topic are read; None: all. `unreadable`: batches that did not
    unpack, as topic, partition, first offset, last offset and timestamp (ms). `cut`: partitions of
    the log of which all that is left is read, but not the beginning; and the offset of what is.
    """

    def __init__(
        self, consumer: TolerantConsumer, prefix: str, partitions: int | None = None
    ) -> None:
        self._consumer = consumer
        self._prefix = prefix
        self._in_use = partitions
        self._partitions: dict[str, list[TopicPartition]] = {}
        self._high: dict[TopicPartition, int] = {}
        self.unreadable: list[tuple[str, int, int, int, int]] = []
        self.cut: dict[int, int] = {}

    async def find(self, names: Iterable[str]) -> None:
        """Looks up the partitions of these topics (named without prefix).

        Raises:
            MissingTopicsError: names the topics that do not exist.
            NoRightError: names the topics that may not be read.
        """
        wanted = {self._prefix + name: name for name in names}
        view = await view_topics(self._consumer._client, [*wanted], with_operations=True)
        hidden = missing_rights(view, dict.fromkeys(wanted, ("Read",)))
        if hidden:
            raise NoRightError(in_words(hidden))
        missing = []
        for full, name in wanted.items():
            topic = view.topics.get(full)
            if topic is None or not topic.partitions:
                missing.append(full)
            count = 0 if topic is None else min(topic.partitions, self._in_use or topic.partitions)
            self._partitions[name] = [TopicPartition(full, number) for number in range(count)]
        if missing:
            raise MissingTopicsError(f"missing: {', '.join(missing)}")

    def of(self, *names: str) -> list[TopicPartition]:
        """Returns the partitions of these topics; `find` must have looked them up."""
        return [partition for name in names for partition in self._partitions[name]]

    async def ends(self, partitions: list[TopicPartition], at: int | None = None) -> dict[Any, int]:
        """Returns the end offset of each partition for a committed reader: now, or at `at` (ms)."""
        high = await self.high_watermarks(partitions)
        ends: dict[Any, int] = await self._consumer.end_offsets(partitions)
        if at is not None:
            found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, at))
            for partition, offset in found.items():
                if offset is not None and offset.offset < ends[partition]:
                    ends[partition] = offset.offset
                    del high[partition]
        self._high |= high
        return ends

    async def high_watermarks(self, partitions: list[TopicPartition]) -> dict[Any, int]:
        """Returns the end offset of each partition, with what open transactions hide."""
        found: dict[Any, int] = await self._consumer.high_watermarks(partitions)
        return found

    async def nothing_hidden(self) -> None:
        """Raises EndHiddenError if an open transaction hid records from the ends of `ends`."""
        await nothing_hidden(self._consumer, self._high)

    async def seek(
        self,
        partitions: list[TopicPartition],
        at: int | None,
        resume: Mapping[TopicPartition, int] | None = None,
    ) -> bool:
        """Moves the consumer to the beginning of these partitions, or to the instant `at` (ms).

        `resume`: further partitions to assign, and the offset of each. Returns True if the decision
        log is read from its very first record on.
        """
        first = await self.beginnings(partitions)
        starts = dict(first)
        if at is not None:
            times = {it: at - LAG_MS * (self.name(it) in ORDER) for it in partitions}
            starts = await self.offsets_at(times)
        self.assign({**starts, **(resume or {})})
        log = self._prefix + DECISIONS.name
        logs = [it for it in partitions if it.topic == log]
        self.cut = {it.partition: first[it] for it in logs if first[it] and starts[it] == first[it]}
        return at is None and not any(first[it] for it in partitions if it.topic == log)

    def assign(self, starts: Mapping[TopicPartition, int]) -> None:
        """Moves the consumer to these offsets, and to no other partitions."""
        self._consumer.assign(list(starts))
        for partition, start in starts.items():
            self._consumer.seek(partition, start)

    async def beginnings(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Returns the first offset that is left of each partition."""
        found: dict[TopicPartition, int] = await self._consumer.beginning_offsets(partitions)
        return found

    async def offsets_at(self, times: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Returns the first offset of each partition whose record is not before a time (ms).

        Where there is none it is the end for a committed reader.
        """
        if not times:
            return {}
        ends = await self._consumer.end_offsets(list(times))
        # Times before 1970 have another meaning for Kafka.
        found = await self._consumer.offsets_for_times({it: max(at, 0) for it, at in times.items()})
        return {it: ends[it] if at is None else at.offset for it, at in found.items()}

    async def poll(self, milliseconds: int = 300) -> list[Record]:
        """Returns the next records, after at most this time. Adds bad batches to `unreadable`."""
        records: list[Record] = []
        for stretch in await self._consumer.take(milliseconds / 1000):
            where = (stretch.topic.removeprefix(self._prefix), stretch.partition)
            self.unreadable += [(*where, *it) for it in stretch.unreadable]
            records += self._records(stretch)
        return records

    async def positions(self) -> dict[TopicPartition, int]:
        """Returns the next offset to read of each assigned partition."""
        return {it: await self._consumer.position(it) for it in self._consumer.assignment()}

    def place(self, record: Record) -> TopicPartition:
        """Returns the partition in which a record lies."""
        return TopicPartition(self._prefix + record.topic, record.partition)

    def name(self, partition: TopicPartition) -> str:
        """Returns the name of a partition's topic without the prefix."""
        return str(partition.topic).removeprefix(self._prefix)

    def pace(self, too_many: Callable[[str, int], bool]) -> None:
        """Pauses each partition of which `too_many` records wait, and resumes the others.

        `too_many`: called with a topic (named without prefix) and a partition.
        """
        paused = self._consumer.paused()
        for it in self._consumer.assignment():
            if too_many(self.name(it), it.partition):
                if it not in paused:
                    self._consumer.pause(it)
            elif it in paused:
                self._consumer.resume(it)

    def _records(self, stretch: Stretch) -> list[Record]:
        name = stretch.topic.removeprefix(self._prefix)
        return [
            Record(
                name,
                stretch.partition,
                record.offset,
                record.timestamp,
                record.key,
                record.value,
                tuple(record.headers),
                record.timestamp_type == APPENDED,
            )
            for record in stretch.records
        ]


async def verify_log(
    consumer: TolerantConsumer,
    prefix: str,
    from_record: int = 1,
    wanted: Mapping[int, int] | None = None,
) -> Verified:
    """Verifies the hash chain of every partition of the log, from record number `from_record` on.

    If retention has removed the beginning, the first record that is left is taken on trust.
    `wanted`: for each partition the number of a record whose hash the result shall have.

    Raises:
        MissingTopicsError: the log does not exist.
        NoRightError: the log may not be read.
        EndHiddenError: an open transaction hides the end.
    """
    done, reader = Verified(from_record, wanted or {}), Reader(consumer, prefix)
    await reader.find([DECISIONS.name])
    logs = reader.of(DECISIONS.name)
    async for record in _to_end(reader, logs, None, None):
        done.take(record, trusted=record.offset > 0)
    first = await consumer.beginning_offsets(logs)
    done.begins = {it.partition: offset for it, offset in sorted(first.items()) if offset}
    return done


async def read_to_end(
    consumer: TolerantConsumer,
    prefix: str,
    names: Iterable[str],
    *,
    start: int | None = None,
    end: int | None = None,
    holds: Callable[[int, int], bool] = lambda partition, partitions: True,
) -> AsyncIterator[Record]:
    """Yields every committed record of these topics (named without prefix) up to the present end.

    `start`, `end`: instants (ms) by the records' timestamps; None: all. Records up to EARLIER_MS
    outside them come too. `holds`: called with a partition and the number of partitions of its
    topic; returns whether to read it.

    Raises:
        MissingTopicsError: topics do not exist.
        NoRightError: topics may not be read.
        EndHiddenError: after the last record, if an open transaction hides what follows.
    """
    reader = Reader(consumer, prefix)
    names = list(names)
    await reader.find(names)
    groups = [reader.of(name) for name in names]
    partitions = [it for group in groups for it in group if holds(it.partition, len(group))]
    async for record in _to_end(reader, partitions, start, end):
        yield record


async def _to_end(
    reader: Reader, partitions: list[TopicPartition], start: int | None, end: int | None
) -> AsyncIterator[Record]:
    """Yields the records of these partitions, which `reader` has found, as `read_to_end` says."""
    ends = await reader.ends(partitions, None if end is None else end + EARLIER_MS)
    await reader.seek(partitions, None if start is None else max(start - EARLIER_MS, 0))
    wanted = Ends(ends)
    while not wanted.reached(await reader.positions()):
        for record in await reader.poll():
            yield record
    await reader.nothing_hidden()
