"""Guards: if a rate of bad cases is too high, a platform's adverse events stop for one window.

Each partition counts over a sliding window of twelve parts. A guard trips only with at least the
partition's share of the policy's `minimum` of cases, and at least `LEAST_BAD` bad ones; fewer may
be chance. Each further bad case above the limit starts the window of deferral anew.

`undelivered`: failed notices, of those issued. `overturned`: appeals upheld, of those decided.
`sudden_eligible`: accounts that became INSIDE, of those tracked. `sudden_drop`: accounts that lost
over half their followers between two readings, of those tracked; a faulty collector produces such
readings. A tracked account is one whose state is kept.
"""

from enum import StrEnum, unique

from msgspec import Struct, field

from streams.core.model.policy import Guards, Policy

PARTS = 12
LEAST_BAD = 3
"""The fewest bad cases that trip a guard, unless the policy's `minimum` is smaller."""


@unique
class Guard(StrEnum):
    """The guards; each watches one rate."""

    UNDELIVERED = "undelivered"
    OVERTURNED = "overturned"
    SUDDEN_ELIGIBLE = "sudden_eligible"
    SUDDEN_DROP = "sudden_drop"


class GuardTally(Struct, array_like=True):
    """The cases of one guard in a sliding window.

    `parts` holds, for each part of the window, the instant of its last case, the number of cases
    and the number of bad ones. Parts are kept by instant, not by number, because a new policy may
    have another window.
    """

    parts: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, now: int, window: int, cases: int, bad: int) -> None:
        """Adds cases at `now`, and drops parts older than `window` (milliseconds)."""
        part = part_of(now, window)
        inside = [entry for entry in self.parts if part_of(entry[0], window) > part - PARTS]
        if inside and part_of(inside[-1][0], window) == part:
            _, known_cases, known_bad = inside.pop()
            cases, bad = cases + known_cases, bad + known_bad
        self.parts = [*inside, (now, cases, bad)]

    def totals(self) -> tuple[int, int]:
        """Returns the cases and the bad cases in the window that ends with the last one."""
        return sum(entry[1] for entry in self.parts), sum(entry[2] for entry in self.parts)


def part_of(instant: int, window: int) -> int:
    """Returns the number of the part of a window that contains an instant."""
    return instant // max(1, window // PARTS)


class GuardBook(Struct, array_like=True):
    """The guards of a partition: what they counted, and which of them are tripped.

    `tallies`: by `platform/guard`. `closed`: by platform, until when a guard defers its adverse
    events.
    """

    tallies: dict[str, GuardTally] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)

    def closed_until(self, platform: str, now: int) -> int | None:
        """Returns until when a tripped guard defers a platform's adverse events; else None."""
        until = self.closed.get(platform)
        return until if until is not None and until > now else None

    def count(
        self,
        policy: Policy,
        guard: Guard,
        now: int,
        cases: int,
        bad: int,
        tracked: int,
        partition_count: int,
    ) -> bool:
        """Adds cases to a guard. Returns True if it trips, or stays tripped longer.

        `tracked`: accounts of the platform in this partition whose state is kept. The guards
        `sudden_eligible` and `sudden_drop` compare their bad cases with it.
        """
        guards = policy.guards
        limit = None if guards is None else _limit(guards, guard)
        if guards is None or limit is None:
            return False
        tally = self.tallies.setdefault(f"{policy.platform}/{guard}", GuardTally())
        tally.add(now, guards.window, cases, bad)
        if not bad:
            return False
        all_cases, all_bad = tally.totals()
        if guard in (Guard.SUDDEN_ELIGIBLE, Guard.SUDDEN_DROP):
            all_cases = tracked
        least_cases = -(-guards.minimum // partition_count)
        if all_cases < least_cases or all_bad < min(LEAST_BAD, guards.minimum):
            return False
        if all_bad * 1_000_000 <= limit * all_cases:
            return False
        self.closed[policy.platform] = now + guards.window
        return True


def _limit(guards: Guards, guard: Guard) -> int | None:
    return {
        Guard.UNDELIVERED: guards.undelivered_ppm,
        Guard.OVERTURNED: guards.overturned_ppm,
        Guard.SUDDEN_ELIGIBLE: guards.sudden_eligible_ppm,
        Guard.SUDDEN_DROP: guards.sudden_drop_ppm,
    }[guard]
