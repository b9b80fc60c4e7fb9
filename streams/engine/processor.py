"""The interface between the engine and the code that it runs.

The engine handles Kafka, transactions, positions, stores and time. A processor handles the domain.
For every partition number assigned to a worker the engine opens one `PartitionProcessor`. It lives
until the partition is revoked or the process ends, gets every record of that partition number
exactly once, and writes changes and outputs to the `Transaction` that it is given.

A processor may keep other things in memory (timers, counters) and change them at once: the engine
never undoes a step. An error ends the process, and the next owner opens a new processor. Instants
are milliseconds UTC.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Headers = tuple[tuple[str, bytes], ...]


class Record(Protocol):
    """A Kafka record. `timestamp` is in milliseconds UTC; key and value are raw bytes.

    `timestamp_type` is 1 if the broker set the timestamp when it appended the record
    (LogAppendTime), 0 if the producer did (CreateTime). Headers are never decoded. aiokafka's
    compiled records implement this protocol.
    """

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def timestamp_type(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class FetchedBatch:
    """The offsets `[start, end)` of one topic partition, with the records in that range.

    The range includes offsets without a record (transaction markers, compacted records).
    `high_water`: the high watermark known at the fetch. `unreadable`: Kafka batches in the range
    that cannot be decompressed, or only to more than the limit: first offset, last offset and
    timestamp (milliseconds UTC) of each. Their records are not in `records`.
    """

    topic: str
    partition: int
    start: int
    end: int
    records: Sequence[Record]
    high_water: int
    unreadable: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class StoreSpec:
    """A table of the processor: bytes to bytes, with a changelog topic and a copy on disk.

    `in_memory`: a complete copy is also kept in a dictionary, for fast reads. `filtered`: so is a
    filter of its keys, for `Transaction.key_filter`.
    """

    name: str
    in_memory: bool
    filtered: bool = False


@dataclass(frozen=True, slots=True)
class ProcessorSpec:
    """The topics and tables of a processor; the engine checks the topics at the start.

    `topics`: the co-partitioned inputs; one step gets their batches in this order. `broadcast`: a
    topic of one partition that every partition number reads whole, before the others.
    `output_topics`: all topics to which it may send; the broadcast topic may be one of them.
    `sole_outputs`: those to which nobody else writes; a transaction that matters writes to one of
    them. `traced`: those whose records carry the headers of their transaction's span (spans.py).
    `append_time`: the broker must set the timestamps of the inputs. `beside`: topics that other
    code in the worker reads and writes; only their existence and the rights to them are checked.
    `columns`: inputs whose records may come as columns (streams/kafka/columns.py).
    """

    topics: tuple[str, ...]
    broadcast: str | None
    stores: tuple[StoreSpec, ...]
    output_topics: tuple[str, ...] = field(default=())
    sole_outputs: tuple[str, ...] = field(default=())
    traced: frozenset[str] = frozenset()
    append_time: bool = False
    beside: tuple[str, ...] = field(default=())
    columns: frozenset[str] = frozenset()

    @property
    def filtered(self) -> list[str]:
        """The stores with a filter of their keys."""
        return [store.name for store in self.stores if store.filtered]


class Transaction(Protocol):
    """Reads and writes in a transaction; reads see its own earlier writes."""

    def get(self, store: str, key: bytes) -> bytes | None:
        """The value under `key`, or None."""
        ...

    def put(self, store: str, key: bytes, value: bytes | None) -> None:
        """Sets the value under `key`; None deletes it."""
        ...

    def contains(self, store: str, key: bytes) -> bool:
        """Whether `key` has a value."""
        ...

    def present(self, store: str, keys: Sequence[bytes | None]) -> set[bytes | None]:
        """Which of these keys have a value."""
        ...

    def key_filter(self, store: str) -> Any:
        """A filter with every key that has a value, and perhaps others; None if there is none."""
        ...

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """Sends an output record; without `partition`, to the task's own partition number."""
        ...


class Scan(Protocol):
    """The committed content of a partition's stores, for one read when it is opened."""

    def items(self, store: str) -> Iterator[tuple[bytes, bytes]]:
        """Every key and value of a store."""
        ...

    def get(self, store: str, key: bytes) -> bytes | None:
        """The committed value under `key`, or None."""
        ...


class PartitionProcessor(Protocol):
    """The processor of one partition number. Calls never overlap; instants are milliseconds UTC."""

    def made_anew(self, before: Mapping[str, int]) -> None:
        """Tells the processor which inputs were deleted and created again, so offsets repeat.

        `before`: by topic, the offset at which reading of the old topic had stopped. Called once
        after `open`.
        """
        ...

    def rewind(self, transaction: Transaction, reads: Mapping[str, int]) -> Collection[str]:
        """Returns the topics to read again from their beginning; usually none.

        `reads`: by topic, the offset at which reading would go on. Called once after `open`.
        """
        ...

    def step(self, transaction: Transaction, now: int, batches: Sequence[FetchedBatch]) -> bool:
        """Applies batches of records.

        Returns True if it wrote an output that consumers should see soon (an event, a dead letter);
        the engine then commits soon. Else the engine may gather more changes first, within the
        limits of `EngineConfig`.
        """
        ...

    def due(self) -> int | None:
        """Returns the instant of the earliest timer, or None."""
        ...

    def run_timers(
        self,
        transaction: Transaction,
        now: int,
        as_of: int,
        limit: int,
        favourable_only: bool = False,
    ) -> bool:
        """Acts on at most `limit` timers due by `as_of`, in due order.

        Returns True if more are due. All topics have been read up to the ends that they had at
        `as_of` or later. `favourable_only`: the cluster was not checked since `as_of`, so timers
        that lead to adverse events must wait; others act.
        """
        ...

    def cluster_changed(self, now: int) -> None:
        """Tells the processor that the Kafka cluster has changed since the worker's start.

        streams/engine/DESIGN.md, "What watches the cluster".

        From now on it must decide no adverse event, and answer windows stand still, until the next
        start of the worker. Called at most once, before a step (if there are no inputs, one without
        any) or a round of timers, whose transaction notes it.
        """
        ...

    def before_commit(self, transaction: Transaction, now: int, reads: Mapping[str, int]) -> None:
        """Prepares the commit of a transaction that has changes or outputs.

        `reads`: by topic, the broadcast topic included, the next offset that is committed with it.
        The processor may still write to the transaction.
        """
        ...

    def committed(self) -> None:
        """Tells the processor that the transaction of the last `before_commit` is committed."""
        ...


class Processor(Protocol):
    """Makes partition processors. An error that it raises ends the process (process_exit.py)."""

    spec: ProcessorSpec

    def open(
        self, partition: int, partition_count: int, scan: Scan, transaction: Transaction, now: int
    ) -> PartitionProcessor:
        """Opens a partition.

        `scan`: the state after its last committed transaction. Writes to `transaction` are
        committed with its next one. `now`: milliseconds UTC.
        """
        ...
