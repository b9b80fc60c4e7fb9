"""The protocols that a caller of the core implements: state, outputs, and records to read.

The engine's transactions and records fit them, and so do the dictionaries of a test (memory.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

ACCOUNTS = "accounts"
CATEGORIES = "categories"

Headers = tuple[tuple[str, bytes], ...]


class Transaction(Protocol):
    """Reads and writes state by store and key, and sends outputs.

    Topic names are without prefix.
    """

    def get(self, store: str, key: bytes) -> bytes | None:
        """The value under `key`, or None."""
        ...

    def put(self, store: str, key: bytes, value: bytes | None) -> None:
        """Sets a value; None deletes it."""
        ...

    def contains(self, store: str, key: bytes) -> bool:
        """Whether `key` has a value."""
        ...

    def present(self, store: str, keys: Sequence[bytes | None]) -> set[bytes | None]:
        """Which of these keys have a value."""
        ...

    def sift(self, records: "Records", floors: Mapping[str, int]) -> "Records":
        """Readings without those that the core drops without a trace; it may leave in any.

        It may leave out a reading that decodes, is below its platform's floor and not in the sample
        (streams/core/inputs/batches.py), and whose key has no value in ACCOUNTS and no reading that
        is left in. `floors`: by platform.
        """
        ...

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Sends a record to the partition of `topic` that has this partition's number."""
        ...


class Snapshot(Protocol):
    """The committed state, read once when a partition is opened."""

    def items(self, store: str) -> Iterator[tuple[bytes, bytes]]:
        """Every key and value of a store."""
        ...

    def get(self, store: str, key: bytes) -> bytes | None:
        """The value under `key`, or None."""
        ...


class InputRecord(Protocol):
    """A record as read; `timestamp` in milliseconds UTC.

    `timestamp_type` is 1 where the broker set the timestamp, 0 where the producer did.
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


Records = Sequence[InputRecord]
