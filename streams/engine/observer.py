"""What the engine reports of itself, once a batch; the application turns it into metrics."""

from dataclasses import dataclass
from typing import Protocol

from streams.engine.lag import TopicLag
from streams.kafka.requests.open_transactions import OpenTransaction


class Observer(Protocol):
    """Receives what happened. Calls come from the event loop, are short, and must not raise."""

    def assigned(self, partitions: frozenset[int]) -> None:
        """The worker now owns these partition numbers."""
        ...

    def recovered(self, partition: int, records: int, seconds: float) -> None:
        """A partition is ready: its changelogs were read (`records` of them) in `seconds`."""
        ...

    def stepped(self, partition: int, topic_records: dict[str, int], seconds: float) -> None:
        """A batch was applied: records by topic, and how long the processor took."""
        ...

    def timers_run(self, partition: int, late_ms: int, seconds: float) -> None:
        """A round of timers was run; `late_ms` is how long the earliest had been due."""
        ...

    def committed(self, partition: int, changes: int, outputs: int, seconds: float) -> None:
        """A transaction is durable: table changes, output records, and how long the commit took."""
        ...

    def refetched(self, partition: int, reason: str) -> None:
        """A partition had to seek back: a batch was missing (`gap`) or the last one (`tail`)."""
        ...


class NoObserver:
    """Reports to nobody."""

    def assigned(self, partitions: frozenset[int]) -> None: ...

    def recovered(self, partition: int, records: int, seconds: float) -> None: ...

    def stepped(self, partition: int, topic_records: dict[str, int], seconds: float) -> None: ...

    def timers_run(self, partition: int, late_ms: int, seconds: float) -> None: ...

    def committed(self, partition: int, changes: int, outputs: int, seconds: float) -> None: ...

    def refetched(self, partition: int, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """One partition number of this worker as its health page shows it.

    `state` is recovering, running or suspended. `lag` is records behind the ends that the broker
    has of all input topics. `last_commit_at` is milliseconds UTC, None before the first commit of
    this process.
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
    """The worker: `ready` when its assignment is settled, each of its partitions is processing, and
    Kafka lets it read every input to its end.

    `cluster_changed` says what of the cluster is not as it was at the start: adverse events wait.
    `blocked` names inputs that cannot be read on for a minute. `away_seconds`: how long Kafka has
    not answered. `ousted`: another worker has our instance id, and this one stays out of the group.
    `lags`: how far behind it is, by topic. `hiding`: transactions of others, open for some seconds,
    behind which nothing can be read.
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
