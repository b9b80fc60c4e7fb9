"""What a decision may know beside the account: the instant, policy, switches, caps, guards."""

from typing import Protocol

from msgspec import Struct

from schemas.enums import Event, Mode
from streams.core.limits.cluster import ClusterChange
from streams.core.limits.switches import Switches
from streams.core.model.account import AccountRef
from streams.core.model.notices import NoticeTakenUp
from streams.core.model.policy import Policy


class Limits(Protocol):
    """Whether another event fits under the caps, and whether a guard is tripped."""

    def cap_reached(self, policy: Policy, event: Event, mode: Mode, now: int) -> bool:
        """True when the partition's share of the cap is used up in this window."""
        ...

    def retry_at(self, event: Event, now: int) -> int:
        """When the next window begins."""
        ...

    def guard_tripped_until(self, platform: str, now: int) -> int | None:
        """Until when a guard of this platform holds back adverse events; None if none does."""
        ...


class DecisionContext(Struct, frozen=True):
    """What a decision is made with.

    `now` becomes `decided_at`. `as_of` is set if timers may act: all inputs have been read up to
    the end they had then, and only timers due until then act. `time` is the instant that limits in
    time are held against. It is `as_of`; for an input it is the last instant at which nothing of
    the account was due, because inputs that have not been read may undo what is due.

    `policy_since`: when the partition took up the present policy, 0 for its first.
    `policy_changed`: a new policy caused this evaluation. `reading`: the record is a reading.
    `favourable_only`: adverse timers wait, because the topics have not been looked at since.
    `notices`: the versions of the notice that the partition took up.
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
    cluster: ClusterChange
    reading: bool = False
    favourable_only: bool = False
    notices: tuple[NoticeTakenUp, ...] = ()
