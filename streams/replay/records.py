"""Where a replay's records come from, and how it says that something is not as it was."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

from streams.core.model.ports import Headers, InputRecord


class ReplayError(Exception):
    """The core decides otherwise than the log says; the message names the record where."""


class RecordsGoneError(ReplayError):
    """Records that replay needs are gone from Kafka. The log itself may be right."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that replay has otherwise. `offset` None: behind the last record.

    `written`: what stands in the topic; `replayed`: what the core gives now. None: nothing.
    """

    topic: str
    partition: int
    offset: int | None
    why: str
    written: str | None = None
    replayed: str | None = None

    @property
    def place(self) -> str:
        """Where it is."""
        return f"{self.topic}[{self.partition}]" + (
            "" if self.offset is None else f"@{self.offset}"
        )

    def as_dict(self) -> dict[str, Any]:
        """For a program."""
        return asdict(self)


class DifferentError(ReplayError):
    """Replay and record differ: `difference` says where, and both values."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(f"{difference.place}: {difference.why}")
        self.difference = difference


class Sent(NamedTuple):
    """What the core sends. `topic` is its name without prefix."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


class RecordSource(Protocol):
    """Reads one topic partition in order."""

    async def upto(self, after: int) -> list[InputRecord]:
        """Returns the records below offset `after` that no earlier call returned."""
        ...

    async def later(self) -> Any | None:
        """Returns the next record with its headers, however new; None at the end."""
        ...

    async def left(self) -> Any | None:
        """Returns the next record that was there when reading began; None: there is none."""
        ...

    def restart(self) -> None:
        """Moves back to the beginning of the topic partition."""
        ...

    @property
    def lost(self) -> str | None:
        """What compaction may have removed of what was read, in words; None: nothing."""
        ...


class RecordsInMemory:
    """A source of records that are there already."""

    lost: str | None = None

    def __init__(self, records: Sequence[Any]) -> None:
        self._records = records
        self._taken = 0

    async def upto(self, after: int) -> list[InputRecord]:
        """Returns the records below offset `after` that no earlier call returned."""
        begin = self._taken
        while self._taken < len(self._records) and self._records[self._taken].offset < after:
            self._taken += 1
        return list(self._records[begin : self._taken])

    async def following(self) -> Any | None:
        """Returns the next record; None at the end."""
        if self._taken == len(self._records):
            return None
        self._taken += 1
        return self._records[self._taken - 1]

    later = left = following

    def restart(self) -> None:
        """Moves back to the beginning of the topic partition."""
        self._taken = 0


def in_words(value: bytes | None) -> str | None:
    """A value as it can be shown."""
    return None if value is None else value.decode(errors="backslashreplace")
