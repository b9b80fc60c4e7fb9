"""What the engine reports about itself; the application turns it into metrics and a health page."""

from dataclasses import dataclass
from typing import Protocol

from streams.engine.lag import TopicLag
from streams.kafka.requests.open_transactions import OpenTransaction


class Observer(Protocol):
    """Receives reports. Calls come on the event loop; they must be short and must not raise."""

    def assigned(self, partitions: frozenset[int]) -> None:
        """Reports that the worker now owns exactly these partition numbers."""
        ...

    def recovered(self, partition: int, records: int, seconds: float) -> None:
        """Reports that a partition was restored in `seconds`, from `records` changelog records."""
        ...

    def stepped(self, partition: int, topic_records: dict[str, int], seconds: float) -> None:
        """Reports an applied step: its records by topic, and how long the processor took."""
        ...

    def timers_run(self, partition: int, late_ms: int, seconds: float) -> None:
        """Reports a round of timers; `late_ms` is how long the earliest had been due."""
        ...

    def committed(self, partition: int, changes: int, outputs: int, seconds: float) -> None:
        """Reports a commit: its table changes and output records, and how long it took."""
        ...

    def refetched(self, partition: int, reason: str) -> None:
        """Reports that a partition had to seek back because a batch was missing.

        `reason`: `gap` if it was between others, `tail` if it was the last one.
        """
        ...


class NoObserver:
    """Discards all reports."""

    def assigned(self, partitions: frozenset[int]) -> None: ...

    def recovered(self, partition: int, records: int, seconds: float) -> None: ...

    def stepped(self, partition: int, topic_records: dict[str, int], seconds: float) -> None: ...

    def timers_run(self, partition: int, late_ms: int, seconds: float) -> None: ...

    def committed(self, partition: int, changes: int, outputs: int, seconds: float) -> None: ...

    def refetched(self, partition: int, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """One partition number of this worker as its health page shows it.

    `state` is recovering, running or suspended. `lag` is the number of unread offsets of all input
    topics, by the broker's high watermarks. `last_commit_at` and `next_due_at` (the earliest timer)
    are milliseconds UTC, None if there is none in this process.
    """

    partition: int
    state: str
    lag: int
    queued_records: int
    recovered_records: int
    last_commit_at: int | None
    next_due_at: int | None


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """The health of a worker.

    `ready`: no rebalance runs, all its partitions are processing, Kafka answers and no input is
    blocked. `cluster_changed`: what has changed in the cluster since the start, or cannot be
    seen, so that adverse events are deferred. `blocked`: inputs with unread records but no progress
    for a minute, or whose end nobody has told for as long.
    `away_seconds`: how long Kafka has not answered. `ousted`: another worker has the same instance
    id, so this one does not join the group. `lags`: the lag by topic. `hiding`: open transactions
    of other producers that block reading. `write_buffer_bytes`, `block_cache_bytes`: the memory
    that RocksDB uses now for writes that are not in its files yet, and for blocks of its files.
    """

    ready: bool
    assignment_settled: bool
    stopping: bool
    generation: int
    partitions: tuple[PartitionStatus, ...]
    cluster_changed: str | None = None
    blocked: tuple[str, ...] = ()
    away_seconds: float = 0.0
    ousted: bool = False
    lags: tuple[TopicLag, ...] = ()
    hiding: tuple[OpenTransaction, ...] = ()
    write_buffer_bytes: int = 0
    block_cache_bytes: int = 0
