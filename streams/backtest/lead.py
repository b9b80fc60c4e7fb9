"""Leads one partition of the core through simulated time: inputs and timers at their own instants.

It is a worker that is never late. The clock is the latest instant that an input was given at, and
never steps back. What was due before an input acts before it; what is due at the instant of an
input acts after it, so that an answer at the deadline is in time.
"""

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


class LedRecord(NamedTuple):
    """A record as a broker would have stamped it: `timestamp` is its moment of entry."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    timestamp_type: int = 1


Batch = tuple[InputName, Sequence[InputRecord]]


class LedMemory(StateInMemory):
    """State in dictionaries; what is sent goes to a sink."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> None:
        """Hands an output on."""
        self._sink(topic, key, value)


class LedPartition:
    """One partition number with its clock. `now` is in milliseconds UTC."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        sink: Sink,
        start: int,
        partition: int = 0,
        partition_count: int = 1,
    ) -> None:
        self.now = start
        self.memory = LedMemory(sink)
        environment = PartitionEnvironment(
            policies=policies,
            partition_count=partition_count,
            # Whoever leads it hands over what belongs here.
            partition_of=lambda _: partition,
            require_approvals=False,
            full_name=lambda name: "byline." + name,
        )
        self.partition = Partition(environment, partition, self.memory, start)
        # Rows of files come in order of their time: that an offset is lower says nothing.
        self.partition.made_anew(dict.fromkeys(ORDER, _ANY_OFFSET))
        self.partition.take_up(self.memory, start)
        self._steps = 0

    def due(self) -> int | None:
        """The instant of the earliest timer."""
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
        self.partition.step(self.memory, self.now, batches)
        self._close_now_and_then()
        due = self.partition.due()
        if due is not None and due <= self.now:
            self.run_timers()

    def run_timers(self) -> None:
        """Everything acts that is due now."""
        while self.partition.run_timers(self.memory, self.now, self.now, EVERY_TIMER):
            pass
        self._close_now_and_then()

    def close(self) -> None:
        """Closes the decision log as a commit does."""
        self._steps = 0
        self.partition.before_commit(self.memory, self.now, {})

    def _close_now_and_then(self) -> None:
        self._steps += 1
        if self._steps >= _STEPS:
            self.close()
