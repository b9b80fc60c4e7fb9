"""The interface between the engine and the code that it runs.

The engine owns Kafka, transactions, positions, stores and time. A processor owns meaning. For
every partition number that a worker is given the engine opens one `PartitionProcessor`; it lives
until the partition is revoked or the process ends, sees every record of that partition number
exactly once, and answers with changes and outputs through the `Transaction` that it is handed.

What a processor keeps in memory beside the stores (timers, counters) it may change at once: the
engine never takes a step back, an error ends the process, and the next owner opens a fresh one.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Headers = tuple[tuple[str, bytes], ...]


class Record(Protocol):
    """One Kafka record as read. `timestamp` is in milliseconds UTC; key and value are raw bytes.

    `timestamp_type` is 1 where the broker set the timestamp when it appended the record
    (LogAppendTime), 0 where the producer did (CreateTime). Headers are never decoded.

    aiokafka's compiled records have this shape and are handed on as they are.
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
    """A stretch `[start, end)` of offsets of one topic partition with the records that lie in it.

    Offsets without a record (transaction markers, compacted records) are part of the stretch.
    `high_water` is the offset up to which the partition was known to reach when it was fetched.
    `unreadable`: batches in the stretch that do not unpack, or grow beyond what may be held: first
    offset, last offset and timestamp (milliseconds UTC) of each. `records` holds none of theirs.
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
    """A table of the processor: bytes to bytes, one changelog topic, kept on disk.

    `in_memory` keeps a complete copy in a dictionary as well, so that reading costs a look-up.
    """

    name: str
    in_memory: bool


@dataclass(frozen=True, slots=True)
class ProcessorSpec:
    """What a processor reads and keeps.

    `topics` are co-partitioned; records of one batch are handed over in this order, within a topic
    by offset. `broadcast` names a one-partition topic that every partition reads whole, before the
    others. `output_topics` are all topics it may send to (checked at start: existence, limits); the
    broadcast topic may be among them, every transaction may write to its one partition.
    `append_time`: the inputs must carry the broker's timestamps (checked at start). `beside` are
    topics that whoever runs the worker reads and writes itself: that they exist, and the rights to
    them, are checked with the others'.
    """

    topics: tuple[str, ...]
    broadcast: str | None
    stores: tuple[StoreSpec, ...]
    output_topics: tuple[str, ...] = field(default=())
    append_time: bool = False
    beside: tuple[str, ...] = field(default=())


class Transaction(Protocol):
    """Reads and writes of one step: reads see what earlier steps of the same transaction wrote."""

    def get(self, store: str, key: bytes) -> bytes | None:
        """The value under `key`, or None."""
        ...

    def put(self, store: str, key: bytes, value: bytes | None) -> None:
        """Set the value under `key`; None deletes it."""
        ...

    def contains(self, store: str, key: bytes) -> bool:
        """Whether `key` has a value; for an in-memory store this costs a dictionary look-up."""
        ...

    def present(self, store: str, keys: Sequence[bytes | None]) -> set[bytes | None]:
        """Which of these keys have a value."""
        ...

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """An output record; it goes to the task's own partition number unless one is named."""
        ...


class Scan(Protocol):
    """The committed content of the partition's stores, to read through once at opening."""

    def items(self, store: str) -> Iterator[tuple[bytes, bytes]]:
        """Every key and value of a store."""
        ...

    def get(self, store: str, key: bytes) -> bytes | None:
        """The committed value under `key`, or None."""
        ...


class PartitionProcessor(Protocol):
    """The processor of one partition number. Calls never overlap; instants are milliseconds UTC."""

    def made_anew(self, before: Mapping[str, int]) -> None:
        """Told once after opening: inputs that were made anew, whose offsets begin again.

        `before` is where reading of the one before had stopped, by topic.
        """
        ...

    def rewind(self, transaction: Transaction, reads: Mapping[str, int]) -> Collection[str]:
        """Asked once after opening: topics to be read from their beginning once more, given the
        offsets at which reading would go on. None of them: an empty collection.
        """
        ...

    def step(self, transaction: Transaction, now: int, batches: Sequence[FetchedBatch]) -> bool:
        """Apply the batches. True when something waits to be seen (an output, a dead letter).

        The engine then commits soon; False lets it gather more first (bounded in records, bytes and
        a second).
        """
        ...

    def due(self) -> int | None:
        """The instant of the earliest timer, or None."""
        ...

    def run_timers(
        self,
        transaction: Transaction,
        now: int,
        as_of: int,
        limit: int,
        favourable_only: bool = False,
    ) -> bool:
        """Act on at most `limit` timers due at or before `as_of`, in due order; True: more are due.

        The engine calls it only when all topics have been read up to the end they had at `as_of` or
        later. `favourable_only`: the cluster has not been looked at since `as_of`, so what is due
        and adverse stays due; what is favourable passes it.
        """
        ...

    def cluster_changed(self, now: int) -> None:
        """The cluster is seen to have changed under this worker.

        streams/engine/DESIGN.md, "What watches the cluster".

        From here on nothing adverse is decided and the clocks of answers stand still, until the
        first transaction after the next start. Called once, before a step or a round.
        """
        ...

    def before_commit(self, transaction: Transaction, now: int, reads: Mapping[str, int]) -> None:
        """Called once just before a transaction that holds changes or outputs is committed.

        `reads` are the positions (`next` offset per topic, the broadcast topic included) that go
        with it. It may put and send.
        """
        ...

    def committed(self) -> None:
        """The transaction after the last `before_commit` is durable."""
        ...


class Processor(Protocol):
    """Makes partition processors. Raised errors end the process; a `StopWorker` says how."""

    spec: ProcessorSpec

    def open(
        self, partition: int, partition_count: int, scan: Scan, transaction: Transaction, now: int
    ) -> PartitionProcessor:
        """Open a partition whose stores hold exactly what its last transaction left.

        What is written to `transaction` is committed with the first transaction of the partition.
        """
        ...
