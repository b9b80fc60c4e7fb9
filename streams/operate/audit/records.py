"""The auditor's input, records, and its output, breaches out of the closed list in `rules`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from streams.operate.audit.rules import RULES

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
EARLIER_MS = MINUTE
"""How much earlier (ms) than asked reading begins, so that no transaction is cut in two."""


class Record(NamedTuple):
    """A record of a topic (named without its prefix); `timestamp` in milliseconds.

    `appended`: the broker stamped it when it came in (`LogAppendTime`), not its producer.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    appended: bool = False

    @property
    def place(self) -> str:
        """Where the record lies: topic, partition and offset, as in `throttles[3]@17`."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    def entered_at(self, now: int) -> int:
        """The moment of entry in ms: the broker's timestamp.

        A producer's timestamp counts no later than `now`, the time of the transaction that read it.
        """
        return self.timestamp if self.appended else min(self.timestamp, now)


@dataclass(frozen=True, slots=True)
class Breach:
    """One breach: its name in RULES, the account's key, its time (ms), the records that show it.

    `account` is empty for a breach of a partition.
    """

    name: str
    account: str
    at: int
    detail: str
    places: tuple[str, ...]

    @property
    def invariant(self) -> int:
        """The number of the invariant in streams/operate/audit/INVARIANTS.md."""
        return RULES[self.name].invariant

    def as_dict(self) -> dict[str, Any]:
        """Returns the breach as a JSON object of `byline audit --json`."""
        return {
            "invariant": self.invariant,
            "breach": self.name,
            "says": RULES[self.name].says,
            "account": self.account,
            "at": iso(self.at),
            "detail": self.detail,
            "records": list(self.places),
        }


def millis(time: str) -> int:
    """Parses an RFC 3339 time; returns milliseconds since 1970. Raises ValueError."""
    return stamp(datetime.fromisoformat(time))


def stamp(moment: datetime) -> int:
    """Returns an instant in milliseconds since 1970; microseconds are cut off, as in outputs."""
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


_FIRST = stamp(datetime.min.replace(tzinfo=UTC))
_LAST = stamp(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)) + 999


def iso(at: int) -> str:
    """Formats milliseconds since 1970 as outputs do: UTC, milliseconds, `Z`.

    An instant after the year 9999, to which a forged time and a policy's window may add up, becomes
    the last one that can be written; likewise one before year 1.
    """
    at = min(max(at, _FIRST), _LAST)
    moment = datetime.fromtimestamp(at // 1000, UTC)
    return f"{moment.isoformat()[:19]}.{at % 1000:03d}Z"


def places(*found: "str | Record | None", more: Iterable[str] = ()) -> tuple[str, ...]:
    """Returns the places of these records, without repeats, in order. Empty ones are left out."""
    named = [it.place if isinstance(it, Record) else it for it in found if it]
    return tuple(dict.fromkeys([*named, *more]))
