"""What one policy did to history, gathered from the events that it sent.

Kept are counts, and of each account that was ever invited its first and last words: as much memory
as there are accounts with something to say, however many readings there are.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as made
from typing import Any, NamedTuple

import msgspec

from streams.core.limits.caps import day_of, hour_of
from streams.core.model.policy import Policy

EVENT_TOPICS = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "shadow.")
    for name in ("invitations", "consents", "throttles")
)
STAGES = (
    "invitation.issued",
    "invitation.delivered",
    "invitation.undeliverable",
    "consent.granted",
    "consent.declined",
    "consent.withdrawn",
    "invitation.expired",
    "invitation.cancelled",
    "throttle.applied",
    "throttle.lifted",
)
"""The events that are a step of the funnel, in order."""


class FirstTime(NamedTuple):
    """When something happened first, and its reason."""

    at: str
    reason: str


class Restricted(NamedTuple):
    """A restriction in force: since when, until when at most (RFC 3339), how much, which mode."""

    since: str
    until: str
    level: str
    mode: str


@dataclass(slots=True)
class AccountOutcome:
    """One account that was invited at least once. `cycles`: how often in all."""

    platform: str
    account_id: str
    phase: str = ""
    field: str = ""
    cycles: int = 0
    last_event: str = ""
    last_reason: str = ""
    last_at: str = ""
    first: dict[str, FirstTime] = made(default_factory=dict)
    """By event its first time."""
    restricted: dict[str, Restricted] = made(default_factory=dict)
    """By surface what is in force at the end."""


class _Event(msgspec.Struct, frozen=True, gc=False):
    event: str
    platform: str
    account_id: str
    mode: str
    reason: str
    decided_at: str
    phase: str | None = None
    field: str | None = None
    surface: str | None = None
    level: str | None = None
    expires_at: str | None = None


_decode = msgspec.json.Decoder(_Event).decode


class Tally:
    """Takes the events of one policy."""

    def __init__(self, name: str, policy: Policy) -> None:
        self.name, self.policy = name, policy
        self.accounts: dict[str, AccountOutcome] = {}
        self.funnel: Counter[tuple[str, str, str, str]] = Counter()
        """By mode, phase, field and event."""
        self.months: Counter[tuple[str, str]] = Counter()
        """By month (UTC) and event."""
        self.busy: dict[str, Counter[int]] = {
            "invitation.issued": Counter(),
            "throttle.applied": Counter(),
        }
        """By capped event the count in each of the cap's windows (Shanghai days and hours)."""
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.deferred: Counter[tuple[str, str]] = Counter()
        """By event and ground, how often an account began to wait."""
        self.guard_trips: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        """By topic and reason the inputs that the core itself refused."""
        self._waiting: dict[str, set[str]] = {}

    def take(self, topic: str, value: bytes, now: int) -> None:
        """One output of the core at an instant."""
        if topic not in EVENT_TOPICS:
            return
        event = _decode(value)
        account = self.accounts.get(event.account_id)
        if account is None:
            account = AccountOutcome(event.platform, event.account_id)
            self.accounts[event.account_id] = account
        if event.event == "invitation.issued":
            account.phase, account.field = event.phase or "", event.field or ""
            account.cycles += event.reason != "reissued"
        account.last_event, account.last_reason = event.event, event.reason
        account.last_at = event.decided_at
        account.first.setdefault(event.event, FirstTime(event.decided_at, event.reason))
        self._restrict(account, event)
        self.funnel[event.mode, account.phase, account.field, event.event] += 1
        self.months[event.decided_at[:7], event.event] += 1
        self.reasons[event.event, event.reason] += 1
        if event.event in self.busy:
            window = day_of(now) if event.event == "invitation.issued" else hour_of(now)
            self.busy[event.event][window] += 1

    @staticmethod
    def _restrict(account: AccountOutcome, event: _Event) -> None:
        surface = event.surface
        if surface is None:
            return
        if event.event == "throttle.applied":
            account.restricted[surface] = Restricted(
                event.decided_at, event.expires_at or "", event.level or "", event.mode
            )
        elif event.event == "throttle.lifted":
            account.restricted.pop(surface, None)

    def counted(self, counts: Mapping[tuple[str, ...], int]) -> None:
        """What the core counted beside its events."""
        for (name, *labels), number in counts.items():
            if name == "deferred":
                self.deferred[labels[1], labels[2]] += number
            elif name == "guard_trips":
                self.guard_trips[labels[1]] += number
            elif name == "dead_letters":
                self.refused[labels[0], labels[1]] += number

    # ---- summaries -----------------------------------------------------------------------------

    def total(self, event: str) -> int:
        """How often an event went out."""
        return sum(count for (*_, name), count in self.funnel.items() if name == event)

    def stages(self) -> dict[str, int]:
        """The funnel over all phases and fields."""
        return {name: self.total(name) for name in STAGES}

    def restricted_now(self) -> list[AccountOutcome]:
        """The accounts that are restricted at the end."""
        return [it for it in self.accounts.values() if it.restricted]

    def restrictions(self) -> list[tuple[str, str, str, str, str, str]]:
        """Account, surface, level, mode, since, until: what is in force at the end, by its end."""
        found = [
            (account.account_id, surface, it.level, it.mode, it.since, it.until)
            for account in self.restricted_now()
            for surface, it in account.restricted.items()
        ]
        return sorted(found, key=lambda row: (row[5], row))

    def surfaces(self) -> Counter[tuple[str, str, str]]:
        """By surface, level and mode the accounts that are restricted at the end."""
        return Counter(
            (surface, it.level, it.mode)
            for account in self.accounts.values()
            for surface, it in account.restricted.items()
        )

    def busiest(self, event: str) -> tuple[int, int]:
        """The fullest window of a capped event: its number and its count; (0, 0) if none."""
        counts = self.busy[event]
        if not counts:
            return 0, 0
        window = max(counts, key=lambda it: (counts[it], -it))
        return window, counts[window]

    def again(self) -> Counter[int]:
        """How many accounts were invited once, twice, …"""
        return Counter(it.cycles for it in self.accounts.values() if it.cycles)


def as_plain(value: Any) -> Any:
    """Counters with tuple keys as lists, for JSON."""
    return [[*key, count] for key, count in sorted(value.items())]
