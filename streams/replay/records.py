"""Sources of records for replay, and its errors and differences.

ReplayError              the log and the inputs do not lead to the recorded output
├── RecordsGoneError     records that are needed are gone from Kafka
└── DifferentError       the core's output differs from what is recorded
"""

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
    """The first difference between a topic and the replay.

    `offset`: of the record in the topic; None: after the last one. `written`: the value in the
    topic, `replayed`: the core's; None: there is no such record.
    """

    topic: str
    partition: int
    offset: int | None
    why: str
    written: str | None = None
    replayed: str | None = None

    @property
    def place(self) -> str:
        """The place of the difference, as `throttles[3]@17`."""
        return f"{self.topic}[{self.partition}]" + (
            "" if self.offset is None else f"@{self.offset}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Returns the difference as JSON of `byline replay --json`."""
        return asdict(self)


class DifferentError(ReplayError):
    """The core's output differs from what is recorded; `difference` has the place and values."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(f"{difference.place}: {difference.why}")
        self.difference = difference


class ReplayedRecord(NamedTuple):
    """A record that the core sends. `topic`: without prefix."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


class RecordSource(Protocol):
    """Reads one topic partition in order."""

    async def upto(self, after: int, most: int) -> list[InputRecord]:
        """Returns up to `most` records below offset `after` that no earlier call returned."""
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
    def begin(self) -> int:
        """The first offset that is there; what was before it has been deleted."""
        ...

    @property
    def lost(self) -> str | None:
        """A text: the first offsets that compaction may have removed. None: there are none."""
        ...


class RecordsInMemory:
    """A source of records in memory."""

    lost: str | None = None
    begin: int = 0

    def __init__(self, records: Sequence[Any]) -> None:
        self._records = records
        self._taken = 0

    async def upto(self, after: int, most: int) -> list[InputRecord]:
        """Returns up to `most` records below offset `after` that no earlier call returned."""
        begin = self._taken
        end = min(len(self._records), begin + most)
        while self._taken < end and self._records[self._taken].offset < after:
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
    """Returns a value as text for messages; bytes that are not UTF-8 are escaped."""
    return None if value is None else value.decode(errors="backslashreplace")
