"""The facts about an account and the eligibility machine, read from contract section 5.

OUTSIDE -> DWELLING -> INSIDE -> LEAVING. Numbers in brackets are those of READINGS.md.
"""

from datetime import datetime
from typing import Any

from tests.oracle.policy import Phase, Policy, instant

NOT_OPENING = ("correction", "platform_purge")


class Facts:
    """What is known of one account, and where it stands."""

    def __init__(self) -> None:
        self.state = "OUTSIDE"
        self.followers: int | None = None
        self.opening: int | None = None
        """The lowest count since the last reading that may open a dwell, that one included [7]."""
        self.reading_at: datetime | None = None
        self.label: str | None = None
        self.label_at: datetime | None = None
        self.label_since: datetime | None = None
        """From when covered labels have followed one another without a gap [6]."""
        self.label_until: datetime | None = None
        self.label_expired = False
        self.closed = False
        self.exempt = False
        self.changed_at: datetime | None = None
        self.ever_changed = False
        self.policy_at: datetime | None = None
        self.dwell_due: datetime | None = None
        self.leave_due: datetime | None = None

    def read_count(self, value: dict[str, Any], policy: Policy, kept: bool) -> bool:
        """Take a reading; False if it is stale or not remembered. `kept`: never forgotten [17]."""
        at = instant(value["observed_at"])
        if self.reading_at is not None and at < self.reading_at:
            return False
        if self.closed:
            self.reading_at = at if self.reading_at is not None else None
            return False
        count = value["followers"]
        if count < policy.floor and not (kept or self.ever_changed):
            if self.followers is None and self.reading_at is None:
                return False
            self.followers = self.opening = None
            self.reading_at = at
            return True
        self.followers, self.reading_at = count, at
        if value.get("cause", "organic") not in NOT_OPENING:
            self.opening = count
        elif self.opening is not None:
            self.opening = min(self.opening, count)
        return True

    def read_label(self, value: dict[str, Any] | None, now: datetime, policy: Policy) -> bool:
        """Take a label, or its removal; False if it is stale."""
        if value is None:
            self.label = self.label_until = None
            return True
        at = instant(value["observed_at"])
        if self.closed or (self.label_at is not None and at < self.label_at):
            return False
        until = value.get("valid_until")
        held = policy.field_of(self.label) is not None and not self.label_expired
        held = held and (self.label_until is None or self.label_until >= at)
        if not held or self.label_since is None or policy.field_of(value["category"]) is None:
            self.label_since = at
        self.label, self.label_at = value["category"], at
        self.label_until = instant(until) if until else None
        self.label_expired = self.label_until is not None and self.label_until <= now
        return True

    def change(self, change: str, at: datetime) -> None:
        """Take an account change; what it does to a cycle is not decided here."""
        self.ever_changed = True
        if change == "closed":
            self.closed = True
            self.followers = self.opening = None
            self.label = self.label_at = self.label_until = None
        elif change == "reopened" and self.closed:
            self.closed, self.changed_at = False, at
        elif change == "exempted":
            self.exempt = True
        elif change == "exemption_ended" and self.exempt:
            self.exempt, self.changed_at = False, at

    def failing(self, policy: Policy, now: datetime) -> str | None:
        """Why the account is not covered, the count left aside (a `cancelled` reason), or None."""
        if self.closed:
            return "closed"
        if self.exempt:
            return "exempted"
        if self.label_expired or policy.field_of(self.label) is None:
            return "label"
        return None if policy.in_force(now) else "policy"

    def phase(self, policy: Policy, now: datetime) -> Phase | None:
        """The phase in force with the highest line reached, or the lowest [21]."""
        phases = policy.in_force(now)
        for phase in phases:
            if self.followers is not None and self.followers >= phase.followers:
                return phase
        return phases[-1] if phases else None

    def stale(self, policy: Policy, now: datetime) -> bool:
        """Whether the reading is older than `max_age` [18]."""
        if policy.max_age is None or self.reading_at is None:
            return False
        return now - self.reading_at > policy.max_age

    def look(self, policy: Policy, now: datetime, cause: str) -> None:
        """Move the machine by the conditions as they are. `cause` `reading`: falling is gradual."""
        if self.failing(policy, now) is not None or self.followers is None:
            self._to("OUTSIDE")
            return
        line = policy.in_force(now)[-1].followers
        below_exit = self.followers < line * policy.exit_ratio
        if self.state in ("INSIDE", "LEAVING"):
            self._inside(policy, cause, below_exit)
            return
        if self.followers < line or (
            self.state == "OUTSIDE" and (self.opening is None or self.opening < line)
        ):
            self._to("OUTSIDE")
            return
        if self.state == "OUTSIDE":
            self._to("DWELLING")
            self.dwell_due = self._since(policy, now) + policy.dwell
        if not policy.dwell:
            self._to("INSIDE")

    def dwelt(self) -> None:
        """The dwell is over with all conditions held."""
        self._to("INSIDE")

    def left(self) -> None:
        """`leave_after` is over and no reading came back."""
        self._to("OUTSIDE")

    def _inside(self, policy: Policy, cause: str, below_exit: bool) -> None:
        if not below_exit:
            self._to("INSIDE")
        elif cause == "policy" or not policy.leave_after:
            self._to("OUTSIDE")
        elif self.state == "INSIDE":
            assert self.reading_at is not None
            self._to("LEAVING")
            self.leave_due = self.reading_at + policy.leave_after

    def _to(self, state: str) -> None:
        self.state = state
        if state != "DWELLING":
            self.dwell_due = None
        if state != "LEAVING":
            self.leave_due = None

    def _since(self, policy: Policy, now: datetime) -> datetime:
        start = policy.in_force(now)[-1].start
        known = (self.reading_at, self.label_since, self.changed_at, self.policy_at, start)
        return max(at for at in known if at is not None)
