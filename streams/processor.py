"""Adapts the core to the engine's `Processor`: converts batches, adds prefixes to topic names."""

import logging
from collections.abc import Callable, Mapping, Sequence
from weakref import WeakValueDictionary

import msgspec
from murmurhash2 import murmurhash2

from schemas.inputs import InputName
from schemas.topics import (
    DEAD_LETTERS,
    DECISIONS,
    INPUTS,
    OUTPUTS,
    POLICIES,
    STORES,
    TOPICS,
    TopicNames,
)
from streams.core.inputs.batches import joined
from streams.core.inputs.checker import Partitioner
from streams.core.model.policy import Policy
from streams.core.model.ports import ACCOUNTS, Headers, Records
from streams.core.partition import Partition, PartitionEnvironment
from streams.engine.processor import FetchedBatch, ProcessorSpec, Scan, StoreSpec, Transaction
from streams.entry_ages import EntryAges
from streams.kafka.columns import are_columns
from streams.log_events import event
from streams.metrics import Metrics
from streams.news import News
from streams.stop_worker import unreadable_state

_log = logging.getLogger("streams.processor")
_JAVA_SEED = 0x9747B28C
_APPEND_TIME = 1
"""Kafka's mark of a timestamp that the broker set."""


def partitioner(partition_count: int) -> Partitioner:
    """Returns a function from key to partition, equal to the Java client's default (murmur2)."""

    def partition_of(key: bytes) -> int:
        return (murmurhash2(key, _JAVA_SEED) & 0x7FFFFFFF) % partition_count

    return partition_of


_SINGLE = frozenset(topic.name for topic in TOPICS if topic.single)
_IN_MEMORY = {"accounts": True, "categories": False}


def spec_of(names: TopicNames, *, columns: bool = False) -> ProcessorSpec:
    """Returns the topics and stores of Byline for the engine.

    `columns`: readings come as columns (streams/kafka/columns.py).
    """
    switches = next(names.of(topic) for topic in INPUTS if topic.single)
    outputs = tuple(map(names.of, (*OUTPUTS, DECISIONS, DEAD_LETTERS)))
    return ProcessorSpec(
        topics=tuple(names.of(topic) for topic in INPUTS if not topic.single),
        broadcast=switches,
        stores=tuple(
            StoreSpec(store, _IN_MEMORY[store], columns and store == ACCOUNTS) for store in STORES
        ),
        output_topics=(*outputs, switches),
        sole_outputs=tuple(map(names.of, (*OUTPUTS, DECISIONS))),
        traced=frozenset(map(names.of, (*OUTPUTS, DEAD_LETTERS))),
        append_time=True,
        beside=(names.of(POLICIES),),
        columns=frozenset(
            names.of(topic) for topic in INPUTS if columns and topic.name == "follower-counts"
        ),
    )


class _Ledger:
    """Adapts the engine's transaction to the core's, which has topic names without prefix.

    An output goes to the partition with this partition's number, or to partition 0 of a topic that
    has only one.
    """

    __slots__ = ("_prefix", "_send", "contains", "get", "present", "put", "transaction")

    def __init__(self, transaction: Transaction, prefix: str) -> None:
        self.transaction = transaction
        self.get: Callable[[str, bytes], bytes | None] = transaction.get
        self.put: Callable[[str, bytes, bytes | None], None] = transaction.put
        self.contains: Callable[[str, bytes], bool] = transaction.contains
        self.present: Callable[[str, Sequence[bytes | None]], set[bytes | None]] = (
            transaction.present
        )
        self._send = transaction.send
        self._prefix = prefix

    def sift(self, records: Records, floors: Mapping[str, int]) -> Records:
        """Leaves out readings that the core drops, if they came as columns."""
        tracked = self.transaction.key_filter(ACCOUNTS)
        if tracked is None or not are_columns(records):
            return records
        return records.sift(floors, tracked)

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Sends an output record."""
        partition = 0 if topic in _SINGLE else None
        self._send(self._prefix + topic, key, value, headers, partition)


class BylinePartition:
    """Implements the engine's `PartitionProcessor` with a partition of the core.

    `names`: by full topic name, the name without prefix.
    """

    def __init__(
        self,
        partition: Partition,
        names: Mapping[str, InputName],
        prefix: str,
        metrics: Metrics,
        news: News | None = None,
        ages: Mapping[str, EntryAges] | None = None,
    ) -> None:
        self.core = partition
        self._ages = {} if ages is None else ages
        self._names = names
        self._prefix = prefix
        self._metrics = metrics
        self._news = news
        self._ledger: _Ledger | None = None

    def _on(self, transaction: Transaction) -> _Ledger:
        if self._ledger is None or self._ledger.transaction is not transaction:
            self._ledger = _Ledger(transaction, self._prefix)
        return self._ledger

    def made_anew(self, before: Mapping[str, int]) -> None:
        """Tells the core which inputs were deleted and created again, so that offsets repeat.

        `before`: by topic, the offset at which reading of the old topic had stopped.
        """
        self.core.made_anew({self._names[topic]: offset for topic, offset in before.items()})

    def rewind(self, transaction: Transaction, reads: Mapping[str, int]) -> frozenset[str]:
        """Returns the topics to read again from their beginning because a new policy needs it."""
        named = {self._names[topic]: next_ for topic, next_ in reads.items()}
        again = self.core.rewind(self._on(transaction), named)
        return frozenset(topic for topic, name in self._names.items() if name in again)

    def step(self, transaction: Transaction, now: int, batches: Sequence[FetchedBatch]) -> bool:
        """Applies the batches. Returns True if an event or dead letter was written."""
        for batch in batches:
            ages = self._ages.get(self._names[batch.topic])
            if ages and batch.records and batch.records[-1].timestamp_type == _APPEND_TIME:
                ages.note(now, batch.records[-1].timestamp)
        return self.core.step(
            self._on(transaction),
            now,
            (
                (self._names[batch.topic], joined(batch.records, batch.unreadable))
                for batch in batches
            ),
        )

    def due(self) -> int | None:
        """Returns the instant of the earliest timer, None if there is none; milliseconds UTC."""
        return self.core.due()

    def run_timers(
        self,
        transaction: Transaction,
        now: int,
        as_of: int,
        limit: int,
        favourable_only: bool = False,
    ) -> bool:
        """Acts on up to `limit` timers due by `as_of`. Returns True if more are due."""
        return self.core.run_timers(self._on(transaction), now, as_of, limit, favourable_only)

    def cluster_changed(self, now: int) -> None:
        """Defers adverse events, and stops the answer windows, until the next start."""
        self.core.cluster_changed(now)

    def before_commit(self, transaction: Transaction, now: int, reads: Mapping[str, int]) -> None:
        """Writes the closing record of the transaction to the decision log."""
        self.core.before_commit(self._on(transaction), now, reads)

    def committed(self) -> None:
        """Adds the counts of the committed transaction to the metrics and the log."""
        if self._news is not None:
            self._news.committed(self.core.counts)
        self._metrics.add(self.core.counts)
        self.core.counts.clear()


class BylineProcessor:
    """Implements the engine's `Processor`: opens partitions of the core with these policies.

    `partitions`: the open partitions by number. `ages`: by input, the age of its newest records.
    """

    def __init__(
        self,
        policies: Mapping[str, Policy],
        names: TopicNames,
        metrics: Metrics,
        require_approvals: bool,
        rescan: frozenset[str] = frozenset(),
        news: News | None = None,
        id_key: bytes | None = None,
        *,
        columns: bool = False,
    ) -> None:
        self._id_key = id_key
        self._rescan = rescan
        self._news = news or News()
        self.ages: Mapping[str, EntryAges] = {topic.name: EntryAges() for topic in INPUTS}
        """How old the newest records of each input are when they are applied."""
        self._policies = policies
        self.platforms = tuple(policies)
        self._topics = names
        self._metrics = metrics
        self._require_approvals = require_approvals
        self.partitions: WeakValueDictionary[int, Partition] = WeakValueDictionary()
        inputs: dict[str, InputName] = {names.of(topic): topic.name for topic in INPUTS}  # type: ignore[misc]
        self._names = inputs
        self.input_names: Mapping[str, str] = inputs
        """By full topic name of an input, its name without prefix."""
        self.spec = spec_of(names, columns=columns)

    def open(
        self, partition: int, partition_count: int, scan: Scan, transaction: Transaction, now: int
    ) -> BylinePartition:
        """Opens a partition with the state after its last transaction.

        Raises:
            StopWorker: its state does not fit the policies of this worker, or no worker wrote it.
        """
        environment = PartitionEnvironment(
            policies=self._policies,
            partition_count=partition_count,
            partition_of=partitioner(partition_count),
            require_approvals=self._require_approvals,
            full_name=lambda name: self._topics.prefix + name,
            rescan=self._rescan,
            id_key=self._id_key,
        )
        try:
            core = Partition(environment, partition, scan, now)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise unreadable_state(partition, "an account or of the partition", error) from error
        prefix = self._topics.prefix
        opened = BylinePartition(core, self._names, prefix, self._metrics, self._news, self.ages)
        for platform in sorted(core.adoption.taken_up & self._policies.keys()):
            policy = self._policies[platform]
            self._news.adopted(platform, policy.version, policy.digest, policy.mode)
        core.take_up(_Ledger(transaction, prefix), now)
        for platform, reason in core.adoption.rescans.items():
            _log.warning(
                "partition %d: %s is read again from the beginning, %s",
                partition,
                platform,
                reason,
                extra=event("rescan"),
            )
        for platform in sorted(self._rescan.difference(core.adoption.rescans)):
            _log.warning(
                "partition %d: a rescan of %s is stated, but nothing of it was left out: it is not"
                " read again",
                partition,
                platform,
                extra=event("rescan_unneeded"),
            )
        self.partitions[partition] = core
        return opened
