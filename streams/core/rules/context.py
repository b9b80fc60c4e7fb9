"""Everything that a decision may know beside the account: the instant, the rule, the brakes, the
caps.
"""

from typing import Protocol

from msgspec import Struct

from schemas.words import Event, Mode
from streams.core.limits.cluster import Cluster
from streams.core.limits.switches import Switches
from streams.core.model.account import AccountRef
from streams.core.model.notices import TakenUp
from streams.core.model.policy import Policy


class Limits(Protocol):
    """Whether another event of a kind fits under the caps, and whether a guard has closed."""

    def cap_reached(self, policy: Policy, event: Event, mode: Mode, now: int) -> bool:
        """True when the partition's share of the cap is used up in this window."""
        ...

    def retry_at(self, event: Event, now: int) -> int:
        """When the next window begins."""
        ...

    def guard_closed(self, platform: str, now: int) -> int | None:
        """Until when a guard of this platform holds adverse events back; None when none does."""
        ...


class DecisionContext(Struct, frozen=True):
    """What a decision is made with.

    `now` becomes `decided_at`. `as_of` is set when timers may act: all inputs have been read up to
    the end they had then, and only timers due until then go off. `time` is the instant that limits
    in time are held against: `as_of`, or for an input the last one at which nothing of the account
    was due, for what is due may be undone by inputs that have not been read. `policy_since`: when
    the partition took up the present policy, 0 for its first. `policy_changed`: a new policy caused
    this look.
    `reading`: the record is a reading. `favourable_only`: what is due and adverse waits, because
    the topics have not been looked at since. `notices`: the versions of the notice that the
    partition took up.
    """

    ref: AccountRef
    now: int
    as_of: int | None
    time: int
    policy: Policy | None
    policy_since: int
    policy_changed: bool
    switches: Switches
    limits: Limits
    cluster: Cluster
    reading: bool = False
    favourable_only: bool = False
    notices: tuple[TakenUp, ...] = ()
