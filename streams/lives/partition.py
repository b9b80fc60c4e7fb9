"""Runs one partition of the core in simulated time, as a worker that is never late.

Inputs are records as a worker reads them, in topics with `LogAppendTime`. The clock is the latest
instant at which an input was given, and never goes back. Timers that are due before an input act
before it; timers that are due at its instant act after it, so that an answer at the deadline is in
time.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from schemas.inputs import InputName
from streams.core.model.memory import StateInMemory
from streams.core.model.policy import Policy
from streams.core.model.ports import Headers, InputRecord
from streams.core.partition import ORDER, Partition, PartitionEnvironment

EVERY_TIMER = 10_000
"""How many accounts one round of timers looks at. Rounds follow until no timer is due."""
_STEPS = 500
"""After how many steps the decision log is closed, as by a commit, so that memory is bounded."""
_ANY_OFFSET = 1 << 62

Sink = Callable[[str, bytes | None, bytes | None], None]
"""Called with each record that the core sends: topic without prefix, key, value."""
Batch = tuple[InputName, Sequence[InputRecord]]
Input = tuple[InputName, bytes | None, bytes | None]
"""An input record: topic without prefix, key, value."""


class SimulatedRecord(NamedTuple):
    """A record as the engine passes it to the core. `timestamp`: its entry into Kafka, ms."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    timestamp_type: int = 1


class SentRecord(NamedTuple):
    """A record that the core sent. `topic`: without prefix."""

    topic: str
    key: bytes | None
    value: bytes | None


class SentBox:
    """A sink that stores the records that are sent until `taken` returns them."""

    def __init__(self) -> None:
        self._kept: list[SentRecord] = []

    def __call__(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        self._kept.append(SentRecord(topic, key, value))

    def taken(self) -> list[SentRecord]:
        """Returns the records sent since the last call, in order."""
        kept, self._kept = self._kept, []
        return kept


class SimulatedState(StateInMemory):
    """The core's stores in memory; records that it sends go to `sink`."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> None:
        """Passes a record to the sink, without its headers."""
        self._sink(topic, key, value)


class SimulatedPartition:
    """One partition with its state and its clock. `now`: ms since 1970.

    `number` and `count`: the partition's number and how many there are; they determine its share of
    the caps. Every key is accepted, whatever partition it hashes to.
    """

    def __init__(
        self,
        policies: Mapping[str, Policy],
        sink: Sink,
        now: int,
        *,
        number: int = 0,
        count: int = 1,
    ) -> None:
        self.now = now
        self.memory = SimulatedState(sink)
        self._number, self._count, self._steps = number, count, 0
        self._offsets: dict[InputName, int] = defaultdict(int)
        self.partition = self._opened(policies)

    def _opened(self, policies: Mapping[str, Policy]) -> Partition:
        environment = PartitionEnvironment(
            policies=policies,
            partition_count=self._count,
            # The caller gives only records that belong to this partition.
            partition_of=lambda _: self._number,
            require_approvals=False,
            full_name=lambda name: "byline." + name,
            rescan=frozenset(policies),
        )
        partition = Partition(environment, self._number, self.memory, self.now)
        partition.take_up(self.memory, self.now)
        return partition

    def take_up(self, policies: Mapping[str, Policy]) -> None:
        """Restarts the partition on its state under other policies."""
        self.close()
        self.partition = self._opened(policies)

    def any_order(self) -> None:
        """Accepts records whose offsets are not in order, because they come sorted by time."""
        self.partition.made_anew(dict.fromkeys(ORDER, _ANY_OFFSET))

    def due(self) -> int | None:
        """Returns the instant (ms) of the earliest timer; None if there is none."""
        return self.partition.due()

    def until(self, instant: int, *, inclusive: bool = True) -> None:
        """Moves the clock to `instant` (ms); every timer acts at its own instant.

        Not `inclusive`: timers that are due at `instant` itself wait, because an input of that
        instant comes first.
        """
        last = instant if inclusive else instant - 1
        while True:
            due = self.partition.due()
            if due is None or due > last:
                break
            self.now = max(self.now, due)
            self.run_timers()
        self.now = max(self.now, instant)

    def give(self, instant: int, batches: Sequence[Batch]) -> None:
        """Applies inputs of one instant (ms): earlier timers act first, those of it afterwards."""
        self.until(instant, inclusive=False)
        self._step(batches)
        due = self.partition.due()
        if due is not None and due <= self.now:
            self.run_timers()

    def put(self, inputs: Sequence[Input]) -> None:
        """Applies inputs that are read together now, without running timers."""
        batches: dict[InputName, list[SimulatedRecord]] = defaultdict(list)
        for name, key, value in inputs:
            batches[name].append(SimulatedRecord(self._offsets[name], self.now, key, value))
            self._offsets[name] += 1
        self._step(list(batches.items()))

    def run_timers(self) -> None:
        """Runs every timer that is due now."""
        while self.partition.run_timers(self.memory, self.now, self.now, EVERY_TIMER):
            pass
        self._close_now_and_then()

    def close(self) -> None:
        """Closes the decision log, as a commit does."""
        self._steps = 0
        self.partition.before_commit(self.memory, self.now, {})

    def _step(self, batches: Sequence[Batch]) -> None:
        self.partition.step(self.memory, self.now, batches)
        self._close_now_and_then()

    def _close_now_and_then(self) -> None:
        self._steps += 1
        if self._steps >= _STEPS:
            self.close()
