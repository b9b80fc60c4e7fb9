"""A Kafka transaction: a processor's pending writes, and their commit.

The order in `Committer.commit` gives "exactly once"; each step has a fail-point for the tests.
Changelog and output records are sent; every send is awaited, because aiokafka would commit even if
one failed; then the offsets are sent and the transaction is committed. Only then do memory and disk
change.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from aiokafka import TopicPartition

from streams.engine.checkpoint import CHECKPOINT_KEY
from streams.engine.failpoints import Failpoints
from streams.engine.processor import Headers
from streams.engine.spans import TransactionSpan
from streams.engine.stores import PartitionStores
from streams.kafka.columns import new_key_filter
from streams.stop_worker import ExitCode, StopWorker

Output = tuple[bytes | None, bytes | None, Headers]


class TransactionalSender(Protocol):
    """The methods of a producer that `Committer` uses; aiokafka's AIOKafkaProducer has them."""

    async def begin_transaction(self) -> None: ...

    def create_batch(self, topic: str) -> Any: ...

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any: ...

    async def send_offsets_to_transaction(
        self, offsets: Mapping[TopicPartition, int], group_id: str
    ) -> None: ...

    async def commit_transaction(self) -> None: ...


class OffsetUnknown(Exception):
    """The broker has a batch but does not state its offset, so the disk cannot be updated."""


class PendingWrites:
    """The uncommitted writes of a partition; implements `processor.Transaction`.

    `size`: bytes of keys and values. `filtered`: the stores in memory with a filter of their keys.
    """

    def __init__(
        self,
        stores: PartitionStores,
        names: tuple[str, ...],
        partition: int,
        filtered: Collection[str] = (),
    ) -> None:
        self._partition = partition
        self._memory = stores.memory
        self._readers = {name: stores.reader(name) for name in names}
        self._filters = {name: _filter_of(stores.memory[name]) for name in filtered}
        self.changes: dict[str, dict[bytes, bytes | None]] = {name: {} for name in names}
        self.outputs: dict[tuple[str, int], list[Output]] = defaultdict(list)
        self.output_count = 0
        self.size = 0

    def get(self, store: str, key: bytes) -> bytes | None:
        written = self.changes[store]
        if key in written:
            return written[key]
        return self._readers[store](key)

    def contains(self, store: str, key: bytes) -> bool:
        written = self.changes[store]
        if written and key in written:
            return written[key] is not None
        table = self._memory.get(store)
        return key in table if table is not None else self._readers[store](key) is not None

    def present(self, store: str, keys: Sequence[bytes | None]) -> set[bytes | None]:
        written, table = self.changes[store], self._memory.get(store)
        if table is None:
            return {key for key in keys if key is not None and self.contains(store, key)}
        found = set(filter(table.__contains__, keys))
        if written:
            changed = set(filter(written.__contains__, keys))
            found = (found | changed) - {
                key
                for key in changed
                if written[key] is None  # type: ignore[index]
            }
        return found

    def key_filter(self, store: str) -> Any:
        return self._filters.get(store)

    def put(self, store: str, key: bytes, value: bytes | None) -> None:
        if key == CHECKPOINT_KEY:
            raise ValueError("the key #next is the engine's own")
        self.changes[store][key] = value
        if store in self._filters:
            self._filters[store].add(key)
        self.size += len(key) + (len(value) if value is not None else 0)

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        where = (topic, self._partition if partition is None else partition)
        self.outputs[where].append((key, value, headers))
        self.output_count += 1
        self.size += (len(key) if key else 0) + (len(value) if value else 0)

    @property
    def change_count(self) -> int:
        """The number of keys that have been written."""
        return sum(map(len, self.changes.values()))

    @property
    def dirty(self) -> bool:
        """Whether a key was written or an output sent."""
        return self.output_count > 0 or any(self.changes.values())

    def clear(self) -> None:
        """Discards all writes, after their commit."""
        for written in self.changes.values():
            written.clear()
        self.outputs.clear()
        self.output_count = 0
        self.size = 0
        for name, keys in self._filters.items():
            if keys.full:
                self._filters[name] = _filter_of(self._memory[name])


def _filter_of(table: Mapping[bytes, bytes]) -> Any:
    """Returns a filter of a table's keys, with room for as many more."""
    found = new_key_filter(2 * len(table))
    for key in table:
        found.add(key)
    return found


class Committer:
    """Commits the transactions of one partition number."""

    def __init__(
        self,
        producer: TransactionalSender,
        stores: PartitionStores,
        partition: int,
        group_id: str,
        changelogs: Mapping[str, str],
        failpoints: Failpoints,
        max_batch_bytes: int,
        traced: Collection[str] = (),
    ) -> None:
        self._max_batch_bytes = max_batch_bytes
        self._traced = traced
        self._producer = producer
        self._stores = stores
        self._partition = partition
        self._group_id = group_id
        self._changelogs = changelogs
        self._first_store = next(iter(changelogs))
        self._hit: Callable[[str], None] = failpoints.hit

    async def commit(
        self,
        pending: PendingWrites,
        checkpoint: bytes,
        offsets: Mapping[str, int],
        timestamp: int,
        span: TransactionSpan | None = None,
    ) -> None:
        """Commits the writes, the checkpoint and the group's offsets in one Kafka transaction.

        `offsets`: by topic, the offset to read next. `timestamp`: of all records, milliseconds UTC.
        `span`: the transaction's, which is told what is written; its headers go with the outputs to
        the traced topics. Afterwards it applies the changes to the stores.
        """
        hit, producer = self._hit, self._producer
        hit("before-begin")
        await producer.begin_transaction()
        hit("after-begin")
        batches = self._changelog_batches(pending, checkpoint, timestamp)
        changelog_count = len(batches)
        for (topic, partition), outputs in pending.outputs.items():
            more = span.headers if span is not None and topic in self._traced else ()
            batches.append((topic, partition, self._batches(topic, outputs, timestamp, more)))
        groups = await asyncio.gather(*(self._send(*batch) for batch in batches))
        hit("after-sends")
        ends = [await self._settled(futures) for futures in groups]
        if span is not None:
            for (topic, partition, packed), end in zip(batches, ends, strict=True):
                count = sum(number for _, number in packed)
                span.wrote(topic, partition, end - count, count)
        hit("after-futures-before-offsets")
        await producer.send_offsets_to_transaction(
            {TopicPartition(topic, self._partition): next_ for topic, next_ in offsets.items()},
            self._group_id,
        )
        hit("after-offsets-before-commit")
        await producer.commit_transaction()
        hit("after-commit-before-store")
        stores_by_topic = {topic: store for store, topic in self._changelogs.items()}
        self._stores.apply(
            ((store, written.items()) for store, written in pending.changes.items()),
            checkpoint,
            {stores_by_topic[batches[index][0]]: ends[index] for index in range(changelog_count)},
        )
        hit("after-store")

    def _changelog_batches(
        self, pending: PendingWrites, checkpoint: bytes, timestamp: int
    ) -> list[tuple[str, int, list[tuple[Any, int]]]]:
        batches = []
        for store, topic in self._changelogs.items():
            records: list[Output] = [(k, v, ()) for k, v in pending.changes[store].items()]
            if store == self._first_store:
                records.append((CHECKPOINT_KEY, checkpoint, ()))
            if records:
                batches.append((topic, self._partition, self._batches(topic, records, timestamp)))
        return batches

    def _batches(
        self, topic: str, records: list[Output], timestamp: int, more: Headers = ()
    ) -> list[tuple[Any, int]]:
        """Packs records into batches, each record with `more` headers behind its own.

        Returns each batch with its number of records.

        Raises:
            StopWorker: one record is too large for a batch.
        """
        packed: list[tuple[Any, int]] = []
        batch, count = self._producer.create_batch(topic), 0
        for key, value, header_pairs in records:
            headers = [*header_pairs, *more]
            # BatchBuilder.append does the same at twice the time, and counts.
            if batch._builder.append(count, timestamp, key, value, headers) is None:
                batch._relative_offset = count
                packed.append((batch, count))
                batch, count = self._producer.create_batch(topic), 0
                batch._builder.append(count, timestamp, key, value, headers)
            if count == 0 and batch.size() > self._max_batch_bytes:
                # A batch builder accepts its first record at any size, but the topic has a limit.
                raise StopWorker(
                    f"a record of {batch.size()} bytes under key {key!r} does not fit into a batch "
                    f"to {topic} ({self._max_batch_bytes} bytes): restarting will not help",
                    ExitCode.PERSON,
                )
            count += 1
        batch._relative_offset = count
        packed.append((batch, count))
        return packed

    async def _send(
        self, topic: str, partition: int, packed: list[tuple[Any, int]]
    ) -> list[tuple[Any, int]]:
        futures = []
        for batch, count in packed:
            future = await self._producer.send_batch(batch, topic, partition=partition)
            futures.append((future, count))
        return futures

    async def _settled(self, futures: list[tuple[Any, int]]) -> int:
        """Awaits every batch of one topic partition. Returns the offset after the last record."""
        end = 0
        for future, count in futures:
            metadata = await future
            if metadata.offset < 0:
                # DUPLICATE_SEQUENCE_NUMBER: the broker has the batch but forgot its offset.
                raise OffsetUnknown("a batch was sent again, and where it lies is not known")
            end = metadata.offset + count
        return end
