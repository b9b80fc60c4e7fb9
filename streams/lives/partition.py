"""Leads one partition of the core through simulated time: inputs and timers at their own instants.

It is a worker that is never late. Inputs are records as a worker reads them, in topics that are
`LogAppendTime`. The clock is the latest instant that an input was given at, and never steps back.
What was due before an input acts before it; what is due at the instant of an input acts after it,
so that an answer at the deadline is in time. Nothing here decides anything.
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
"""So many accounts are looked at in one round of timers; the rounds follow one another."""
_STEPS = 500
"""The decision log is closed after so many steps, so that it does not gather them for ever."""
_ANY_OFFSET = 1 << 62

Sink = Callable[[str, bytes | None, bytes | None], None]
"""Takes what the core sends: topic without prefix, key, value."""
Batch = tuple[InputName, Sequence[InputRecord]]
Input = tuple[InputName, bytes | None, bytes | None]
"""Topic without prefix, key, value."""


class SimulatedRecord(NamedTuple):
    """A record as the engine hands it over. `timestamp`: its entry, in milliseconds UTC."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    timestamp_type: int = 1


class SentRecord(NamedTuple):
    """An output. `topic` is its name without prefix."""

    topic: str
    key: bytes | None
    value: bytes | None


class Sent:
    """A sink that keeps what is sent until somebody takes it."""

    def __init__(self) -> None:
        self._kept: list[SentRecord] = []

    def __call__(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        self._kept.append(SentRecord(topic, key, value))

    def taken(self) -> list[SentRecord]:
        """What was sent since the last call, in order."""
        kept, self._kept = self._kept, []
        return kept


class SimulatedState(StateInMemory):
    """State in dictionaries; what is sent goes to a sink."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> None:
        """Hands an output on."""
        self._sink(topic, key, value)


class SimulatedPartition:
    """One partition number with its state and its clock. `now` is in milliseconds UTC.

    `number` and `count` say which part of the caps it has. Every key is taken as one of its own.
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
            # Whoever leads it hands over what belongs here.
            partition_of=lambda _: self._number,
            require_approvals=False,
            full_name=lambda name: "byline." + name,
            rescan=frozenset(policies),
        )
        partition = Partition(environment, self._number, self.memory, self.now)
        partition.take_up(self.memory, self.now)
        return partition

    def take_up(self, policies: Mapping[str, Policy]) -> None:
        """Opens it anew on its state under other policies, as after a restart."""
        self.close()
        self.partition = self._opened(policies)

    def any_order(self) -> None:
        """Records come in order of their time: that an offset is lower says nothing."""
        self.partition.made_anew(dict.fromkeys(ORDER, _ANY_OFFSET))

    def due(self) -> int | None:
        """The instant of the earliest timer; None if none waits."""
        return self.partition.due()

    def until(self, instant: int, *, inclusive: bool = True) -> None:
        """Time passes; every timer acts at its own instant. Not `inclusive`: those at the end
        wait, for an input of that instant comes first.
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
        """Inputs of one instant, after all that was due before it and before what is due at it."""
        self.until(instant, inclusive=False)
        self._step(batches)
        due = self.partition.due()
        if due is not None and due <= self.now:
            self.run_timers()

    def put(self, inputs: Sequence[Input]) -> None:
        """Inputs that are read together now. What is due waits."""
        batches: dict[InputName, list[SimulatedRecord]] = defaultdict(list)
        for name, key, value in inputs:
            batches[name].append(SimulatedRecord(self._offsets[name], self.now, key, value))
            self._offsets[name] += 1
        self._step(list(batches.items()))

    def run_timers(self) -> None:
        """Everything acts that is due now."""
        while self.partition.run_timers(self.memory, self.now, self.now, EVERY_TIMER):
            pass
        self._close_now_and_then()

    def close(self) -> None:
        """Closes the decision log as a commit does."""
        self._steps = 0
        self.partition.before_commit(self.memory, self.now, {})

    def _step(self, batches: Sequence[Batch]) -> None:
        self.partition.step(self.memory, self.now, batches)
        self._close_now_and_then()

    def _close_now_and_then(self) -> None:
        self._steps += 1
        if self._steps >= _STEPS:
            self.close()
