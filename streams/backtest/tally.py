"""Collects the result of one policy from the events that the core sent under it.

It keeps counts, and for each account with an event its first and last events. So its memory grows
with these accounts, not with the readings.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as made
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from schemas.enums import Mode
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
"""The events that are steps of the funnel, in order."""


class FirstTime(NamedTuple):
    """The time (RFC 3339) and reason of the first event of a kind."""

    at: str
    reason: str


class Restricted(NamedTuple):
    """A restriction in force: since, latest end (both RFC 3339), level, mode."""

    since: str
    until: str
    level: str
    mode: str


@dataclass(slots=True)
class AccountOutcome:
    """The result of one account with at least one event. `cycles`: how often it was invited."""

    platform: str
    account_id: str
    phase: str = ""
    field: str = ""
    cycles: int = 0
    last_event: str = ""
    last_reason: str = ""
    last_at: str = ""
    last_mode: str = ""
    deadline: str = ""
    """The end of the time to answer that its first receipt set; empty: none."""
    first: dict[str, FirstTime] = made(default_factory=dict)
    """Event → its first time."""
    live: dict[str, FirstTime] = made(default_factory=dict)
    """Event → its first time for real, not in shadow."""
    restricted: dict[str, Restricted] = made(default_factory=dict)
    """Surface → the restriction in force at the end."""
    applied: dict[str, Restricted] = made(default_factory=dict)
    """Surface → its first restriction, whether in force at the end or lifted."""
    trail: int = 0
    """A digest of all its events: what they do, to what, when and why."""


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
    deadline_at: str | None = None


_decode = msgspec.json.Decoder(_Event).decode


class Tally:
    """Counts the events under one policy. `name`: that by which reports call the policy."""

    def __init__(self, name: str, policy: Policy) -> None:
        self.name, self.policy = name, policy
        self.accounts: dict[str, AccountOutcome] = {}
        self.funnel: Counter[tuple[str, str, str, str]] = Counter()
        """Number of events by mode, phase, field and event."""
        self.months: Counter[tuple[str, str]] = Counter()
        """Number of events by month (UTC) and event."""
        self.months_by_phase_and_field: Counter[tuple[str, str, str, str]] = Counter()
        """Number of events by month (UTC), phase, field and event."""
        self.busy: dict[str, Counter[int]] = {
            "invitation.issued": Counter(),
            "throttle.applied": Counter(),
        }
        """Capped event → what the cap counts, in each window (days or hours of Asia/Shanghai).

        Of restrictions a cap counts accounts: however many surfaces, and none that is only shadow.
        """
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.deferred: Counter[tuple[str, str]] = Counter()
        """How often an account's event was deferred, by event and ground."""
        self.guard_trips: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        """Number of inputs that the core refused, by topic and reason."""
        self._lives: dict[str, str] = {}
        """Account → the mode of its cycle."""
        self._restricted_at: dict[str, str] = {}
        """Account → when its last restriction was counted."""

    def take(self, topic: str, value: bytes, now: int) -> None:
        """Takes one record that the core sent at `now` (ms); ignores what is no event."""
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
            self._lives[event.account_id] = event.mode
        account.last_event, account.last_reason = event.event, event.reason
        account.last_at, account.last_mode = event.decided_at, event.mode
        self._follow(account, event)
        self._restrict(account, event)
        self.funnel[event.mode, account.phase, account.field, event.event] += 1
        month = event.decided_at[:7]
        self.months[month, event.event] += 1
        self.months_by_phase_and_field[month, account.phase, account.field, event.event] += 1
        self.reasons[event.event, event.reason] += 1
        if event.event in self.busy and not self._counted_before(event):
            window = day_of(now) if event.event == "invitation.issued" else hour_of(now)
            self.busy[event.event][window] += 1

    def _counted_before(self, event: _Event) -> bool:
        """Whether the cap does not count an event, because its account was counted or is live."""
        if event.event != "throttle.applied":
            return False
        name, at = event.account_id, event.decided_at
        if event.mode != self._lives.get(name) or self._restricted_at.get(name) == at:
            return True
        self._restricted_at[name] = at
        return False

    @staticmethod
    def _follow(account: AccountOutcome, event: _Event) -> None:
        first = FirstTime(event.decided_at, event.reason)
        account.first.setdefault(event.event, first)
        if event.mode == Mode.ENFORCE:
            account.live.setdefault(event.event, first)
        if event.event == "invitation.delivered" and not account.deadline:
            account.deadline = event.deadline_at or ""
        what = (account.trail, event.event, event.mode, event.reason, event.decided_at)
        more = (event.surface, event.level, event.expires_at, event.deadline_at)
        digest = blake2b(repr((what, more)).encode(), digest_size=8).digest()
        account.trail = int.from_bytes(digest)

    @staticmethod
    def _restrict(account: AccountOutcome, event: _Event) -> None:
        surface = event.surface
        if surface is None:
            return
        if event.event == "throttle.applied":
            restricted = Restricted(
                event.decided_at, event.expires_at or "", event.level or "", event.mode
            )
            account.restricted[surface] = restricted
            account.applied.setdefault(surface, restricted)
        elif event.event == "throttle.lifted":
            account.restricted.pop(surface, None)

    def counted(self, counts: Mapping[tuple[str, ...], int]) -> None:
        """Adds the counters of the core: deferrals, guard trips, dead letters."""
        for (name, *labels), number in counts.items():
            if name == "deferred":
                self.deferred[labels[1], labels[2]] += number
            elif name == "guard_trips":
                self.guard_trips[labels[1]] += number
            elif name == "dead_letters":
                self.refused[labels[0], labels[1]] += number

    # ---- summaries -----------------------------------------------------------------------------

    def total(self, event: str) -> int:
        """Returns how often an event was published."""
        return sum(count for (*_, name), count in self.funnel.items() if name == event)

    def stages(self) -> dict[str, int]:
        """Returns the funnel over all phases and fields: the number of each event in STAGES."""
        return {name: self.total(name) for name in STAGES}

    def restricted_now(self) -> list[AccountOutcome]:
        """Returns the accounts that are restricted at the end."""
        return [it for it in self.accounts.values() if it.restricted]

    def restrictions(self) -> list[tuple[str, str, str, str, str, str]]:
        """Returns the restrictions in force at the end, sorted by when they end.

        Each is account, surface, level, mode, since, until.
        """
        found = [
            (account.account_id, surface, it.level, it.mode, it.since, it.until)
            for account in self.restricted_now()
            for surface, it in account.restricted.items()
        ]
        return sorted(found, key=lambda row: (row[5], row))

    def surfaces(self) -> Counter[tuple[str, str, str]]:
        """Counts the accounts restricted at the end by surface, level and mode."""
        return Counter(
            (surface, it.level, it.mode)
            for account in self.accounts.values()
            for surface, it in account.restricted.items()
        )

    def busiest(self, event: str) -> tuple[int, int]:
        """Returns number and count of the window with most events of a kind; (0, 0) if none."""
        counts = self.busy[event]
        if not counts:
            return 0, 0
        window = max(counts, key=lambda it: (counts[it], -it))
        return window, counts[window]

    def again(self) -> Counter[int]:
        """Counts the accounts by how often they were invited."""
        return Counter(it.cycles for it in self.accounts.values() if it.cycles)


def as_plain(value: Any) -> Any:
    """Returns a counter with tuple keys as lists, for JSON."""
    return [[*key, count] for key, count in sorted(value.items())]
