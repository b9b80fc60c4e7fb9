"""The context of a decision besides the account: time, policy, switches, caps, guards."""

from typing import Protocol

from msgspec import Struct

from schemas.enums import Event, Mode
from streams.core.limits.cluster import ClusterChange
from streams.core.limits.switches import Switches
from streams.core.model.account import AccountRef
from streams.core.model.notices import NoticeTakenUp
from streams.core.model.policy import Policy


class Limits(Protocol):
    """Answers whether a cap is used up and whether a guard is tripped."""

    def cap_reached(self, policy: Policy, event: Event, mode: Mode, now: int) -> bool:
        """Whether the partition's share of the cap is used up in the present window."""
        ...

    def retry_at(self, event: Event, now: int) -> int:
        """Returns the instant at which the cap's next window begins."""
        ...

    def guard_tripped_until(self, platform: str, now: int) -> int | None:
        """Returns until when a guard defers a platform's adverse events; None if no guard does."""
        ...


class DecisionContext(Struct, frozen=True):
    """The context of a decision about one account. Instants are milliseconds UTC.

    `now` becomes `decided_at`. `as_of` is set in a round of timers: all input topics have been read
    up to the ends that they had at `as_of`, and only timers due until then act. `time` is the
    instant with which deadlines and other limits are compared. In a round of timers it is `as_of`.
    For an input it is the last instant at which no timer of the account was due, because inputs
    that are not read yet may cancel a due timer.

    `policy_since`: when the partition began to use the present policy, 0 for its first.
    `policy_changed`: a new policy caused this evaluation. `reading`: the input is a follower count.
    `favourable_only`: adverse timers wait, because the ends of the topics were not looked up since
    `as_of`. `notices`: the notice versions that the partition has used.
    `id_key`: the setting `ID_KEY`, for the ids of new invitations.
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
    id_key: bytes | None = None
