"""What the demo has seen so far: counts by platform and event, the last events, the workers."""

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.words import Event, Mode
from streams.local.demo.script import Story

LAST_COUNT = 64


@dataclass(frozen=True, slots=True)
class Seen:
    """One event as read from Kafka."""

    topic: str
    partition: int
    offset: int
    key: str
    value: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def event(self) -> str:
        """Its type, for example `invitation.issued`."""
        return str(self.value.get("event"))

    @property
    def mode(self) -> str:
        """`enforce` or `shadow`, as the event itself says."""
        return str(self.value.get("mode"))

    @property
    def token(self) -> str:
        """`issued:over_line`, the form in which a storyline says what must follow."""
        return f"{self.event.split('.')[-1]}:{self.value.get('reason')}"


@dataclass(slots=True)
class Worker:
    """One worker process as seen from outside."""

    name: str
    pid: int
    port: int
    ready: bool = False
    partitions: int | None = None
    lag: int | None = None
    gone: int | None = None
    """Its exit code, once it has ended."""


@dataclass(slots=True)
class Tally:
    """The running totals. Everything in it came out of Kafka, but for what was sent."""

    sent: Counter[str] = field(default_factory=Counter)
    """Inputs by topic."""
    duplicates: int = 0
    accounts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Accounts about which anything was sent, by platform."""
    events: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By platform, event and mode."""
    reached: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """Accounts by platform and event."""
    dead_letters: Counter[str] = field(default_factory=Counter)
    last: deque[tuple[float, Seen, Story | None]] = field(
        default_factory=lambda: deque(maxlen=LAST_COUNT)
    )
    tokens: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    """The tokens of an account's events by key and mode, as they came."""

    def input(self, topic: str, platform: str, account_id: str) -> None:
        """An input was sent."""
        self.sent[topic] += 1
        if account_id:
            self.accounts[platform].add(account_id)

    def saw(self, at: float, seen: Seen, story: Story | None) -> None:
        """An event was read, `at` seconds of the day."""
        platform = str(seen.value.get("platform"))
        self.events[platform, seen.event, seen.mode] += 1
        self.reached[platform, seen.event].add(seen.key)
        self.tokens[seen.key, seen.mode].append(seen.token)
        self.last.appendleft((at, seen, story))

    def count(self, platform: str, event: Event, mode: Mode) -> int:
        """How many events of a type a platform had in a mode."""
        return self.events[platform, event.value, mode.value]
