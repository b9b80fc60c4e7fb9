"""What the demo has seen so far: counts by platform and event, the last events, the workers."""

from bisect import insort
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.enums import Mode
from streams.local.demo.script import Story

LAST_COUNT = 200
LATEST_DELAYS = 200


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
    partitions: list[int] = field(default_factory=list)
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
    lives: dict[tuple[str, str], list[tuple[int, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Sequence and token of an account's events, by key and mode, in that order."""

    delays: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST_DELAYS))
    """Seconds from a decision to its event being read here, committed; the latest."""

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
        insort(self.lives[seen.key, seen.mode], (int(seen.value.get("sequence", 0)), seen.token))
        self.last.appendleft((at, seen, story))

    def tokens(self, key: str, mode: Mode) -> list[str]:
        """An account's events so far, by `sequence`: three topics come as they like."""
        return [token for _, token in self.lives.get((key, mode.value), ())]
