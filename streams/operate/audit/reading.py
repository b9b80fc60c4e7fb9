"""Reads the topics for the auditor: committed records only, without a group, without writing.

It asks for the ends of the decision log first and of all other topics after that, so that
everything that the log names lies before those ends. It compares the consumer's positions with the
ends, because the last offsets of a topic may be transaction markers.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import DECISIONS
from streams.kafka.consumer import TolerantConsumer
from streams.kafka.requests.metadata import view_topics
from streams.kafka.rights import in_words, missing_rights
from streams.kafka.stretches import Stretch
from streams.operate.audit.auditor import ASIDE, READS, Auditor
from streams.operate.audit.chain import Verified
from streams.operate.audit.records import HOUR, MINUTE, Breach, Record
from streams.operate.audit.replay_order import ORDER
from streams.operate.ends import Ends, nothing_hidden
from streams.operate.errors import EndHiddenError, NoRightError

APPENDED = 1
"""Kafka's mark of a record that the broker stamped: LogAppendTime."""
SETTLE_SECONDS = 1.0
BUFFERED = 20_000
"""How many records of one topic's partition may be buffered before reading it is paused."""
EARLIER_MS = MINUTE
"""How much earlier (ms) than asked reading begins, so that no transaction is cut in two."""
LOOK_SECONDS = 5.0
"""How often (s) a followed audit asks Kafka where the log ends."""
LAG_MS = 24 * HOUR
"""How much earlier (ms) reading of inputs begins: a worker may have read them late."""


class MissingTopicsError(Exception):
    """Topics that must be read do not exist; the message names them."""


@dataclass(frozen=True, slots=True)
class Span:
    """What to audit: from an instant to an instant (ms). None: from the beginning, to the end."""

    start: int | None = None
    end: int | None = None


class Reader:
    """Reads the topics under one prefix with one consumer.

    `partitions`: how many of each topic are read; None: all. `unreadable`: batches that did not
    unpack, as topic, partition, first offset, last offset and timestamp (ms).
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
        self._consumer.assign([*partitions, *(resume or ())])
        first = await self._consumer.beginning_offsets(partitions)
        starts: dict[Any, int] = dict(first)
        if at is not None:
            ends = await self._consumer.end_offsets(partitions)
            times = {it: max(at - LAG_MS * (self.name(it) in ORDER), 0) for it in partitions}
            found = await self._consumer.offsets_for_times(times)
            for partition, offset in found.items():
                starts[partition] = ends[partition] if offset is None else offset.offset
        for partition, start in [*starts.items(), *(resume or {}).items()]:
            self._consumer.seek(partition, start)
        log = self._prefix + DECISIONS.name
        return at is None and not any(first[it] for it in partitions if it.topic == log)

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

    def name(self, partition: TopicPartition) -> str:
        """Returns the name of a partition's topic without the prefix."""
        return str(partition.topic).removeprefix(self._prefix)

    def pace(self, auditor: Auditor) -> None:
        """Pauses each partition with more than BUFFERED records waiting, and resumes the others.

        One that the auditor needs in order to go on is never paused.
        """
        paused = self._consumer.paused()
        for it in self._consumer.assignment():
            name = self.name(it)
            if name in ASIDE:
                continue
            full = auditor.buffered(name, it.partition) > BUFFERED
            if full and not auditor.waits_for(name, it.partition):
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


Found = Callable[[list[Breach]], None]


async def audit_topics(
    consumer: TolerantConsumer,
    prefix: str,
    span: Span,
    found: Found,
    *,
    follow: bool = False,
    require_approvals: bool = False,
    progress: Callable[[Auditor], None] = lambda _: None,
    caught_up: Callable[[float], None] = lambda _: None,
    partitions: int | None = None,
    id_key: bytes | None = None,
) -> Auditor:
    """Audits the span, then, with `follow`, everything that is written later, without an end.

    `found` is called with breaches as they are found; `progress` with the auditor, after each step
    of following or once at the end; `caught_up`, some seconds apart, with the instant (seconds UTC)
    up to which the decision log was read. `partitions`: how many of each topic are read; None: all.
    An open transaction that hides a topic's end is named in `Auditor.hidden`.

    Raises:
        MissingTopicsError: topics do not exist.
        NoRightError: topics may not be read.
    """
    reader = Reader(consumer, prefix, partitions)
    await reader.find(topic.name for topic in READS)
    late = None if span.start is None else span.start - EARLIER_MS
    side = reader.of(*ASIDE)
    main = [it for topic in READS for it in reader.of(topic.name) if it not in side]
    logs = reader.of(DECISIONS.name)
    auditor = Auditor(
        partition_count=len(logs),
        require_approvals=require_approvals,
        since=span.start,
        id_key=id_key,
    )
    ends = await reader.ends(logs, span.end)
    await asyncio.sleep(SETTLE_SECONDS)
    await reader.seek(side, None)
    await _read(reader, auditor, await reader.ends(side))
    side_read = await reader.positions()
    found(auditor.breaches())
    ends |= await reader.ends([it for it in main if it not in logs])
    auditor.whole = await reader.seek(main, late, side_read if follow else None)
    if not follow:
        await _read(reader, auditor, ends, found)
        found(auditor.finish())
        try:
            await reader.nothing_hidden()
        except EndHiddenError as error:
            auditor.hidden = str(error)
        progress(auditor)
        return auditor
    look = _Look(reader, logs)
    while True:
        await _step(reader, auditor)
        found(auditor.breaches())
        progress(auditor)
        instant = await look.caught_up()
        if instant is not None:
            caught_up(instant)
        reader.pace(auditor)


class _Look:
    """Finds out whether a followed log was read to its end; asks Kafka every LOOK_SECONDS."""

    def __init__(self, reader: Reader, logs: list[TopicPartition]) -> None:
        self._reader, self._logs = reader, logs
        self._ends: dict[Any, int] = {}
        self._instant = 0.0
        self._asked_at = -LOOK_SECONDS

    async def caught_up(self) -> float | None:
        """Returns when (seconds since 1970) Kafka was last asked for the ends, if they are reached.

        None: they are not reached yet, or Kafka does not answer. What an open transaction hides is
        not read: the log is not at its end before that.
        """
        now = asyncio.get_running_loop().time()
        if not self._ends and now - self._asked_at >= LOOK_SECONDS:
            self._asked_at, self._instant = now, time.time()
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    self._ends = await self._reader.high_watermarks(self._logs)
        if not self._ends:
            return None
        positions = await self._reader.positions()
        if any(positions.get(it, end) < end for it, end in self._ends.items()):
            return None
        self._ends = {}
        return self._instant


async def _step(
    reader: Reader, auditor: Auditor, log_ends: Mapping[int, int] | None = None
) -> bool:
    """Feeds the next records to the auditor; returns whether there were any.

    `log_ends`: the end offset of the log to stop at, by partition number; None: no end.
    """
    records = await reader.poll()
    for batch in reader.unreadable:
        auditor.cannot_read(*batch)
    reader.unreadable.clear()
    for record in records:
        end = log_ends.get(record.partition) if log_ends is not None else None
        if record.topic != DECISIONS.name or end is None or record.offset < end:
            auditor.feed(record)
    for it, position in (await reader.positions()).items():
        auditor.reached(reader.name(it), it.partition, position)
    return bool(records)


async def _read(
    reader: Reader, auditor: Auditor, ends: Mapping[Any, int], found: Found = lambda _: None
) -> None:
    """Feeds all records before these end offsets to the auditor."""
    log_ends = {it.partition: end for it, end in ends.items() if reader.name(it) == DECISIONS.name}
    wanted = Ends(ends)
    while not wanted.reached(await reader.positions()):
        await _step(reader, auditor, log_ends)
        found(auditor.breaches())
        reader.pace(auditor)


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
    done = Verified(from_record, wanted or {})
    async for record in read_to_end(consumer, prefix, [DECISIONS.name]):
        done.take(record, trusted=record.offset > 0)
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
    ends = await reader.ends(partitions, None if end is None else end + EARLIER_MS)
    await reader.seek(partitions, None if start is None else max(start - EARLIER_MS, 0))
    wanted = Ends(ends)
    while not wanted.reached(await reader.positions()):
        for record in await reader.poll():
            yield record
    await reader.nothing_hidden()
