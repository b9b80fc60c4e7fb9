"""What the core needs of whoever runs it: a place for state and outputs, and records to read.

The engine's transaction and spans have this shape. So have the dictionaries of a test.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

ACCOUNTS = "accounts"
CATEGORIES = "categories"

Headers = tuple[tuple[str, bytes], ...]


class Transaction(Protocol):
    """State by store and key, and outputs. `topic` is the name without prefix."""

    def get(self, store: str, key: bytes) -> bytes | None:
        """The value under `key`, or None."""
        ...

    def put(self, store: str, key: bytes, value: bytes | None) -> None:
        """Set a value; None deletes it."""
        ...

    def contains(self, store: str, key: bytes) -> bool:
        """Whether `key` has a value."""
        ...

    def present(self, store: str, keys: Sequence[bytes | None]) -> set[bytes | None]:
        """Which of these keys have a value."""
        ...

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """An output record, to the partition's own number."""
        ...


class Snapshot(Protocol):
    """Committed state, read through once when a partition is opened."""

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
