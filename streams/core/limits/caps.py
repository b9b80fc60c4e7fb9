"""Caps that hold over all partitions without any partition asking another.

A cap is shared out. Each partition gets an equal part. The remainder goes to as many partitions,
different ones each day. So the parts add up to the cap exactly, whoever owns the partitions.
"""

from msgspec import Struct, field

from schemas.enums import Event, Mode
from streams.core.model.instants import day_of, day_start, hour_of, hour_start
from streams.core.model.policy import Policy

CAPPED = frozenset({Event.INVITATION_ISSUED, Event.THROTTLE_APPLIED})


def share(cap: int, partition: int, partition_count: int, day: int) -> int:
    """A partition's share of a cap on a day."""
    each, remainder = divmod(cap, partition_count)
    return each + ((partition + day) % partition_count < remainder)


class Caps(Struct, array_like=True):
    """What a partition has used of its shares.

    `used` maps `platform/mode/event` to a window's number and the count in it.
    """

    used: dict[str, tuple[int, int]] = field(default_factory=dict)

    def used_in(self, name: str, window: int) -> int:
        """The count of a window.

        If the clock stepped back, the later window is still in force.
        """
        last_window, count = self.used.get(name, (window, 0))
        return count if last_window >= window else 0

    def take(self, name: str, window: int) -> None:
        """Count one more."""
        last_window, _ = self.used.get(name, (window, 0))
        window = max(window, last_window)
        self.used[name] = (window, self.used_in(name, window) + 1)


def cap_of(policy: Policy, event: Event) -> int:
    """The platform's cap on an event."""
    if event is Event.INVITATION_ISSUED:
        return policy.invitations_per_day
    return policy.throttles_per_hour


def window_of(event: Event, now: int) -> int:
    """The number of the window that contains an instant: a day for invitations, else an hour."""
    return day_of(now) if event is Event.INVITATION_ISSUED else hour_of(now)


def window_end(event: Event, now: int) -> int:
    """When the next window begins."""
    if event is Event.INVITATION_ISSUED:
        return day_start(day_of(now) + 1)
    return hour_start(hour_of(now) + 1)


def counter(policy: Policy, event: Event, mode: Mode) -> str:
    """The name under which an event is counted."""
    return f"{policy.platform}/{mode}/{event}"
