"""The state in memory on which a replay runs the core, and observers of the same steps."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from schemas.inputs import InputName
from streams.core.model.memory import StateInMemory
from streams.core.model.policy import Policy
from streams.core.model.ports import ACCOUNTS, Headers, InputRecord
from streams.replay.records import ReplayedRecord

Batches = list[tuple[InputName, list[InputRecord]]]
Order = Sequence[InputName]


class Beside(Protocol):
    """Something that is run along the same steps. `sent`: what the partition sent in the step."""

    def opened(
        self, policies: Mapping[str, Policy], at: int, reads: Mapping[InputName, int]
    ) -> None:
        """Called when a worker opened the partition, on the state that it had.

        `at`: ms. `reads`: the next offset of each input.
        """
        ...

    def stepped(
        self, at: int, batches: Batches, order: Order, sent: Sequence[ReplayedRecord]
    ) -> None:
        """Called after inputs were applied at `at` (ms), in this order of topics."""
        ...

    def timers_ran(
        self,
        at: int,
        as_of: int,
        looked: Sequence[bytes],
        favourable: bool,
        sent: Sequence[ReplayedRecord],
    ) -> None:
        """Called after a round of timers, which looked at the accounts `looked`, in this order.

        `at`: its time (ms). `as_of`: up to which due time (ms) timers could act. `favourable`: only
        favourable timers could act.
        """
        ...

    def cluster_changed(self, at: int) -> None:
        """Called when the worker saw at `at` (ms) that the cluster had changed."""
        ...

    def closed(self, at: int) -> None:
        """Called when a transaction ended at `at` (ms)."""
        ...


class ReplayTables(StateInMemory):
    """The core's stores in memory; records that it sends are collected in `sent`."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[ReplayedRecord] = []
        self.touched = False
        """Whether anything was written or sent since it was last set to False."""
        self.asked: list[bytes] = []
        """The keys of the accounts that were read, in order, since it was last cleared."""

    def get(self, store: str, key: bytes) -> bytes | None:
        """Returns the value of a key, or None; notes it in `asked` if it is an account's."""
        if store == ACCOUNTS:
            self.asked.append(key)
        return self.state[store].get(key)

    def put(self, store: str, key: bytes, value: bytes | None) -> None:
        """Sets a value; None deletes it."""
        self.touched = True
        super().put(store, key, value)

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Adds a record to `sent`."""
        self.touched = True
        self.sent.append(ReplayedRecord(topic, key, value, headers))
