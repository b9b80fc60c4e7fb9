"""A partition of the core in memory, with a clock that whoever runs it moves.

Nothing here decides anything. Inputs are records as a worker reads them, in topics that are
`LogAppendTime`; time passes from one due timer to the next, as for a worker that keeps up.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.inputs import InputName
from streams.core.model.memory import StateInMemory
from streams.core.model.policy import Policy
from streams.core.model.ports import Headers
from streams.core.partition import Partition, PartitionEnvironment

MOST_ROUNDS = 100_000
"""More rounds of timers in one wait are a loop, and a loop is a bug."""


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
    headers: Headers


class _Tables(StateInMemory):
    def __init__(self) -> None:
        super().__init__()
        self.sent: list[SentRecord] = []

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> None:
        self.sent.append(SentRecord(topic, key, value, headers))


class SimulatedPartition:
    """One partition number, its state and its clock.

    `now` is the clock in milliseconds UTC. It never goes back. `number` and `count` say which part
    of the caps this partition has. Every key is taken as one of this partition.
    """

    def __init__(
        self, policies: Mapping[str, Policy], now: int, *, number: int = 0, count: int = 1
    ) -> None:
        self.now = now
        self._number, self._count = number, count
        self._tables = _Tables()
        self._offsets: dict[InputName, int] = defaultdict(int)
        self._core = self._opened(policies)

    def _opened(self, policies: Mapping[str, Policy]) -> Partition:
        environment = PartitionEnvironment(
            policies=policies,
            partition_count=self._count,
            partition_of=lambda _: self._number,
            require_approvals=False,
            full_name=str,
            rescan=frozenset(policies),
        )
        core = Partition(environment, self._number, self._tables, self.now)
        core.take_up(self._tables, self.now)
        return core

    def take_up(self, policies: Mapping[str, Policy]) -> None:
        """Opens the partition anew on its state under other policies, as after a restart."""
        self._core = self._opened(policies)

    def put(self, inputs: Sequence[tuple[InputName, bytes | None, bytes | None]]) -> None:
        """Inputs that are read together now: topic without prefix, key, value."""
        batches: dict[InputName, list[SimulatedRecord]] = defaultdict(list)
        for name, key, value in inputs:
            record = SimulatedRecord(self._offsets[name], self.now, key, value)
            self._offsets[name] += 1
            batches[name].append(record)
        self._core.step(self._tables, self.now, list(batches.items()))
        self._commit()

    def advance(self, to: int, *, inclusive: bool = True) -> None:
        """Lets time pass. Timers act at their own instants, up to `to` or just before it.

        Raises:
            RuntimeError: timers do not end.
        """
        limit = to if inclusive else to - 1
        for _ in range(MOST_ROUNDS):
            due = self._core.due()
            if due is None or due > limit:
                self.now = max(self.now, to)
                return
            self.now = max(self.now, due)
            while self._core.run_timers(self._tables, self.now, self.now, 1000):
                pass
            self._commit()
        raise RuntimeError(f"timers do not end before {to}")

    def due(self) -> int | None:
        """The instant of the earliest timer; None if none waits."""
        return self._core.due()

    def taken(self) -> list[SentRecord]:
        """What was sent since the last call, in order."""
        sent, self._tables.sent = self._tables.sent, []
        return sent

    def _commit(self) -> None:
        self._core.before_commit(self._tables, self.now, dict(self._offsets.items()))
