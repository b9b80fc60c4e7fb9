"""The running totals of the demo: counts by platform and event, the last events, the workers."""

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
    """An event as read from Kafka."""

    topic: str
    partition: int
    offset: int
    key: str
    value: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def event(self) -> str:
        """The type of the event, for example `invitation.issued`."""
        return str(self.value.get("event"))

    @property
    def mode(self) -> str:
        """The mode that the event states: `enforce` or `shadow`."""
        return str(self.value.get("mode"))

    @property
    def token(self) -> str:
        """The event in the notation of storylines, for example `issued:over_line`."""
        return f"{self.event.split('.')[-1]}:{self.value.get('reason')}"


@dataclass(slots=True)
class Worker:
    """The observed state of a worker process."""

    name: str
    pid: int
    port: int
    ready: bool = False
    partitions: list[int] = field(default_factory=list)
    lag: int | None = None
    gone: int | None = None
    """The exit code, once the process has ended."""


@dataclass(slots=True)
class Tally:
    """The running totals: of what was sent, and of what was read from Kafka."""

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
    """By key and mode, sequence and token of each event, in the order of `sequence`."""

    delays: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST_DELAYS))
    """Of the latest events, the seconds from the decision until the event was read here."""

    def input(self, topic: str, platform: str, account_id: str) -> None:
        """Counts a sent input."""
        self.sent[topic] += 1
        if account_id:
            self.accounts[platform].add(account_id)

    def saw(self, at: float, seen: Seen, story: Story | None) -> None:
        """Counts an event that was read at `at` seconds of the day."""
        platform = str(seen.value.get("platform"))
        self.events[platform, seen.event, seen.mode] += 1
        self.reached[platform, seen.event].add(seen.key)
        insort(self.lives[seen.key, seen.mode], (int(seen.value.get("sequence", 0)), seen.token))
        self.last.appendleft((at, seen, story))

    def tokens(self, key: str, mode: Mode) -> list[str]:
        """Returns the tokens of an account's events so far, in the order of `sequence`.

        The events come from three topics, so they may be read in another order.
        """
        return [token for _, token in self.lives.get((key, mode.value), ())]
