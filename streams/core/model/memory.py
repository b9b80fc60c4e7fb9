"""State in dictionaries, for callers that run the core without an engine: replay, tests."""

from collections.abc import Iterator, Mapping, Sequence

from streams.core.model.ports import ACCOUNTS, CATEGORIES, Records


class StateInMemory:
    """Implements `Transaction` and `Snapshot` in memory, except `send`.

    A subclass adds `send`, because callers do different things with outputs.
    """

    def __init__(self) -> None:
        self.state: dict[str, dict[bytes, bytes]] = {ACCOUNTS: {}, CATEGORIES: {}}

    def get(self, store: str, key: bytes) -> bytes | None:
        """The value under `key`, or None."""
        return self.state[store].get(key)

    def put(self, store: str, key: bytes, value: bytes | None) -> None:
        """Sets a value; None deletes it."""
        if value is None:
            self.state[store].pop(key, None)
        else:
            self.state[store][key] = value

    def contains(self, store: str, key: bytes) -> bool:
        """Whether `key` has a value."""
        return key in self.state[store]

    def present(self, store: str, keys: Sequence[bytes | None]) -> set[bytes | None]:
        """Which of these keys have a value."""
        return {key for key in keys if key in self.state[store]}

    def sift(self, records: Records, floors: Mapping[str, int]) -> Records:
        """All of the records."""
        return records

    def items(self, store: str) -> Iterator[tuple[bytes, bytes]]:
        """Iterates over a copy of all keys and values of a store."""
        return iter(list(self.state[store].items()))
