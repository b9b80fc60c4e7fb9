"""Caps on the number of events per platform, shared between partitions that do not communicate.

Each partition gets an equal share of a cap. The remainder goes to as many partitions, other ones
each day. So the shares add up to the cap exactly, whichever workers own the partitions. A window is
a Shanghai day for invitations, and a Shanghai hour for restrictions.
"""

from msgspec import Struct, field

from schemas.enums import Event, Mode
from streams.core.model.instants import day_of, day_start, hour_of, hour_start
from streams.core.model.policy import Policy

CAPPED = frozenset({Event.INVITATION_ISSUED, Event.THROTTLE_APPLIED})


def share(cap: int, partition: int, partition_count: int, day: int) -> int:
    """Returns a partition's share of `cap` on the Shanghai day with the number `day`."""
    each, remainder = divmod(cap, partition_count)
    return each + ((partition + day) % partition_count < remainder)


class Caps(Struct, array_like=True):
    """How many events a partition has counted against its shares.

    `used` maps `platform/mode/event` to the number of the last window and the count in it.
    """

    used: dict[str, tuple[int, int]] = field(default_factory=dict)

    def used_in(self, name: str, window: int) -> int:
        """Returns the count of a window.

        If the clock was set back and `window` is earlier than the last one, the count of the last
        one still applies.
        """
        last_window, count = self.used.get(name, (window, 0))
        return count if last_window >= window else 0

    def take(self, name: str, window: int) -> None:
        """Counts one more event in a window."""
        last_window, _ = self.used.get(name, (window, 0))
        window = max(window, last_window)
        self.used[name] = (window, self.used_in(name, window) + 1)


def cap_of(policy: Policy, event: Event) -> int:
    """Returns a policy's cap on an event per window."""
    if event is Event.INVITATION_ISSUED:
        return policy.invitations_per_day
    return policy.throttles_per_hour


def window_of(event: Event, now: int) -> int:
    """Returns the number of the window that contains an instant: a day for invitations, else an
    hour.
    """
    return day_of(now) if event is Event.INVITATION_ISSUED else hour_of(now)


def window_end(event: Event, now: int) -> int:
    """Returns the instant at which the next window begins."""
    if event is Event.INVITATION_ISSUED:
        return day_start(day_of(now) + 1)
    return hour_start(hour_of(now) + 1)


def counter(policy: Policy, event: Event, mode: Mode) -> str:
    """Returns the name under which `Caps` counts an event."""
    return f"{policy.platform}/{mode}/{event}"
