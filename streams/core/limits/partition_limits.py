"""A partition's caps and guards: whether an event may go out, and counting of those that do."""

from collections.abc import Callable

from schemas.enums import Command, Event, Mode
from streams.core.lifecycle import Eligibility, Input
from streams.core.limits.caps import Caps, cap_of, counter, share, window_end, window_of
from streams.core.limits.guards import Guard, GuardBook
from streams.core.model.change import RowChange
from streams.core.model.instants import day_of
from streams.core.model.policy import Policy
from streams.core.model.step_effects import StepEffects

CAPS, GUARDS = b"#caps", b"#guards"


class PartitionLimits:
    """Implements `context.Limits` for one partition number."""

    def __init__(
        self,
        partition: int,
        partition_count: int,
        caps: Caps,
        guards: GuardBook,
        tracked: Callable[[str], int],
        effects: StepEffects,
    ) -> None:
        self._partition = partition
        self._partition_count = partition_count
        self._caps = caps
        self._guards = guards
        self._tracked = tracked
        self._effects = effects

    def cap_reached(self, policy: Policy, event: Event, mode: Mode, now: int) -> bool:
        """Whether this partition's share of the cap on an event is used up in this window."""
        cap = cap_of(policy, event)
        part = share(cap, self._partition, self._partition_count, day_of(now))
        return self._caps.used_in(counter(policy, event, mode), window_of(event, now)) >= part

    def retry_at(self, event: Event, now: int) -> int:
        """Returns the instant at which the cap's next window begins."""
        return window_end(event, now)

    def guard_tripped_until(self, platform: str, now: int) -> int | None:
        """Returns until when a guard defers a platform's adverse events; None if no guard does."""
        return self._guards.closed_until(platform, now)

    def count(self, policy: Policy, change: RowChange, now: int) -> None:
        """Counts a change against the caps and the guards."""
        if change.counts is not None:
            name = counter(policy, change.counts, change.life_mode)
            self._caps.take(name, window_of(change.counts, now))
            self._effects.pending[CAPS] = self._caps
        if change.after is Eligibility.INSIDE and change.before is Eligibility.DWELLING:
            self._guard(policy, Guard.SUDDEN_ELIGIBLE, now, 0, 1)
        elif change.input is Input.RECEIPT_FAILED:
            self._guard(policy, Guard.UNDELIVERED, now, 0, 1)
        if change.counts is Event.INVITATION_ISSUED:
            self._guard(policy, Guard.UNDELIVERED, now, 1, 0)

    def count_verdict(self, policy: Policy, command: Command, now: int) -> None:
        """Counts a decided appeal for the guard `overturned`; other commands do not count."""
        if command is Command.APPEAL_UPHELD:
            self._guard(policy, Guard.OVERTURNED, now, 1, 1)
        elif command is Command.APPEAL_REJECTED:
            self._guard(policy, Guard.OVERTURNED, now, 1, 0)

    def count_reading(self, policy: Policy, before: int | None, after: int, now: int) -> None:
        """Counts a reading for the guard `sudden_drop` if over half the followers are gone.

        `before` and `after` are the follower counts of two readings of one account.
        """
        if before is not None and after * 2 < before:
            self._guard(policy, Guard.SUDDEN_DROP, now, 0, 1)

    def _guard(self, policy: Policy, guard: Guard, now: int, cases: int, bad: int) -> None:
        if policy.guards is None:
            return
        tracked = self._tracked(policy.platform)
        closes = self._guards.count(policy, guard, now, cases, bad, tracked, self._partition_count)
        if closes:
            self._effects.counts["guard_trips", policy.platform, guard] += 1
        self._effects.pending[GUARDS] = self._guards
