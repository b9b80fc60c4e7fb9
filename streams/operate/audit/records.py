"""What is fed to the auditor, and what it answers: breaches out of the closed list in `rules`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from streams.operate.audit.rules import RULES

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


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
        """Where it lies: `throttles[3]@17`."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    def entered_at(self, now: int) -> int:
        """The moment of entry: the broker's stamp, else not after our clock."""
        return self.timestamp if self.appended else min(self.timestamp, now)


@dataclass(frozen=True, slots=True)
class Breach:
    """One breach: its name in RULES, whose account, when (ms), and the records that show it."""

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
        """For a program to read."""
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
    """An RFC 3339 time of the wire in milliseconds."""
    return stamp(datetime.fromisoformat(time))


def stamp(moment: datetime) -> int:
    """An instant in milliseconds, cut as the wire cuts it."""
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def iso(at: int) -> str:
    """Milliseconds as the wire writes them."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def places(*found: "str | Record | None", more: Iterable[str] = ()) -> tuple[str, ...]:
    """The places of records, without repeats, in order."""
    named = [it.place if isinstance(it, Record) else it for it in found if it]
    return tuple(dict.fromkeys([*named, *more]))
