"""What the inputs say about an account, by the contract's section 3, for a reader of inputs alone.

Only as much as the invariants need. Nothing is taken from the core but the policy, which is data.
"""

from typing import Any

from streams.core.policy import Policy

INFINITY = 1 << 60
_OPENING = (None, "organic", "owner_purge")
Stop = tuple[int, int]


def overlap(stops: list[Stop], start: int, end: int) -> int:
    """How much of a stretch the union of stops covers."""
    covered, reached = 0, start
    for begin, until in sorted(stops):
        begin, until = max(begin, reached), min(until, end)
        if until > begin:
            covered += until - begin
            reached = until
    return covered


class Facts:
    """One account as its inputs tell it. Times are milliseconds."""

    def __init__(self) -> None:
        self.tracked = self.closed = self.exempt = False
        self.followers: int | None = None
        self.observed_at: int | None = None
        self.runs: dict[int, int] = {}
        self.below_since: dict[int, int] = {}
        self.stable: set[int] = set()
        self.label: str | None = None
        self.label_at: int | None = None
        self.label_until: int | None = None
        self.covered_since = self.opened_at = 0
        self.latest: dict[str, int] = {}
        self.hold: int | None = None
        self.hold_since = 0
        self.appeal_since: int | None = None
        self.stops: list[Stop] = []
        self.control_ids: set[str] = set()

    # ---- inputs: each says whether it applied --------------------------------------------------

    def apply(self, topic: str, value: dict[str, Any] | None, policy: Policy, now: int) -> bool:
        """Write an input down."""
        if topic == "follower-counts" and value is not None:
            return self._reading(value, policy)
        if topic == "category-changes":
            return self._label(value, policy)
        if topic == "account-changes" and value is not None:
            return self._change(value)
        if topic == "controls" and value is not None:
            return self._control(value, now)
        return True

    def _reading(self, value: dict[str, Any], policy: Policy) -> bool:
        at, followers = value["observed_at"], value["followers"]
        if not self.tracked and followers < policy.floor:
            return False
        if self.closed or (self.observed_at is not None and at < self.observed_at):
            return False
        self.tracked = True
        self.observed_at, self.followers = at, followers
        for line in policy.lines:
            if followers < line:
                self.runs.pop(line, None)
            elif line not in self.runs and value.get("cause") in _OPENING:
                self.runs[line] = at
            if followers * 1_000_000 < line * policy.stability.exit_ratio_ppm:
                self.below_since.setdefault(line, at)
            else:
                self.below_since.pop(line, None)
        return True

    def _label(self, value: dict[str, Any] | None, policy: Policy) -> bool:
        if self.closed:
            return False
        if value is None:
            self.label = None
            return self.label_at is not None
        at = value["observed_at"]
        if self.label_at is not None and at < self.label_at:
            return False
        gapless = policy.field_of(self.label) and (self.label_until or INFINITY) >= at
        self.label, self.label_at = value["category"], at
        self.label_until = value.get("valid_until")
        self.covered_since = min(self.covered_since, at) if gapless else at
        return True

    def _change(self, value: dict[str, Any]) -> bool:
        at, change = value["observed_at"], value["change"]
        self.tracked = True
        kind = {"closed": "open", "reopened": "open", "owner_changed": "owner"}.get(
            change, "exempt"
        )
        if at < self.latest.get(kind, at):
            return False
        if at == self.latest.get(kind) and (
            kind == "owner" or self.closed is (change == "closed") is True
        ):
            return False
        self.latest[kind] = at
        if change in ("reopened", "exemption_ended") and (self.closed or self.exempt):
            self.opened_at = max(self.opened_at, at)
        if kind == "open":
            self.closed = change == "closed"
            if self.closed:
                self.followers = self.label = self.label_at = self.label_until = None
                self.runs, self.below_since = {}, {}
        elif kind == "exempt":
            self.exempt = change == "exempted"
        return True

    def _control(self, value: dict[str, Any], now: int) -> bool:
        self.tracked = True
        if value["control_id"] in self.control_ids:
            return False
        self.control_ids.add(value["control_id"])
        command, at = value["command"], value["issued_at"]
        if command == "hold":
            until = value.get("expires_at") or INFINITY
            if self.hold is not None and self.hold > now:
                until = max(until, self.hold)
            else:
                self._end_hold(at)
                self.hold_since = at
            self.hold_since, self.hold = min(self.hold_since, at), until
        elif command == "unhold":
            self._end_hold(at)
        elif command == "appeal_opened":
            self.appeal_since = at if self.appeal_since is None else min(at, self.appeal_since)
        elif command in ("appeal_upheld", "appeal_rejected"):
            if self.appeal_since is not None:
                self.stops.append((self.appeal_since, at))
            self.appeal_since = None
        return True

    def _end_hold(self, at: int) -> None:
        if self.hold is not None:
            self.stops.append((self.hold_since, min(at, self.hold)))
        self.hold = None

    @property
    def kept(self) -> bool:
        """Whether it is one of those that rates are reckoned over."""
        return self.tracked and not self.closed

    # ---- what they mean ------------------------------------------------------------------------

    def held(self, time: int) -> bool:
        """Whether a hold or an appeal is in force."""
        return self.appeal_since is not None or (self.hold is not None and self.hold > time)

    def stopped(self) -> list[Stop]:
        """The stretches in which the account's own stops were in force, open ones included."""
        stops = list(self.stops)
        if self.hold is not None:
            stops.append((self.hold_since, self.hold))
        if self.appeal_since is not None:
            stops.append((self.appeal_since, INFINITY))
        return stops

    def covered(self, policy: Policy, time: int) -> bool:
        """Whether the label means a covered field now."""
        return policy.field_of(self.label) is not None and time < (self.label_until or INFINITY)

    def touchable(self, policy: Policy, time: int) -> bool:
        """Whether the account may be under the rule: open, not exempt, with a covered label."""
        return not self.closed and not self.exempt and self.covered(policy, time)

    def stale(self, policy: Policy, time: int) -> bool:
        """Whether the count is missing or older than the policy allows."""
        if self.followers is None or self.observed_at is None:
            return True
        limit = policy.stability.max_age
        return limit is not None and self.observed_at + limit < time

    def settle(self, policy: Policy, time: int, invited: bool, fired: bool) -> None:
        """Note the lines over which the account has been for the whole dwell, and those it left.

        A stay below the exit line ends by a timer, so only when timers have `fired`.
        """
        if not self.touchable(policy, time):
            self.stable.clear()
            return
        opened = max(self.covered_since, self.opened_at)
        kept = policy.keep_on_fall_below and invited
        for line in policy.lines:
            run, below = self.runs.get(line), self.below_since.get(line)
            if run is not None and max(run, opened) + policy.stability.dwell <= time:
                self.stable.add(line)
            elif below is not None and kept and self.observed_at is not None:
                self.below_since[line] = self.observed_at
            elif fired and below is not None and below + policy.stability.leave_after <= time:
                self.stable.discard(line)

    def new_policy(self, before: Policy, policy: Policy, now: int) -> None:
        """New lines run from now on; a label that only now is covered counts from now on.

        Whoever has been over a higher line for long enough is over a lower one too.
        """
        highest = max(self.stable, default=0)
        self.stable = {line for line in policy.lines if line <= highest}
        for line in policy.lines:
            if line not in before.lines and (self.followers or 0) >= line:
                higher = (at for other, at in self.runs.items() if other >= line)
                self.runs[line] = min(higher, default=now)
            exits = line * policy.stability.exit_ratio_ppm
            if self.followers is not None and self.followers * 1_000_000 >= exits:
                self.below_since.pop(line, None)
            elif self.observed_at is not None:
                self.below_since.setdefault(line, self.observed_at)
        for line in [line for line in self.runs if line not in policy.lines]:
            del self.runs[line]
        if policy.field_of(self.label) and not before.field_of(self.label):
            self.covered_since = now
