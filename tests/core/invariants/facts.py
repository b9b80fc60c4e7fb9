"""What the inputs say about an account, for a reader of inputs alone.

schemas/CONTRACT.md, "Inputs".

Only as much as the invariants need. Nothing is taken from the core but the policy, which is data.
Here every record is read at the moment at which it enters Kafka, so that `now` is its entry.
"""

from typing import Any

from streams.core.model.policy import Policy
from tests.core.invariants.words import SKEW, Answers, HeardAppeals, Kinds, word_time

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


class FollowedFacts:
    """One account as its inputs tell it. Times are milliseconds."""

    def __init__(self) -> None:
        self.tracked = self.closed = self.exempt = False
        self.followers: int | None = None
        self.observed_at: int | None = None
        self.runs: dict[int, int] = {}
        self.below_since: int | None = None
        self.stable: set[int] = set()
        self.issued_from_dwell = False
        self.label: str | None = None
        self.label_at: int | None = None
        self.label_until: int | None = None
        self.contradicted = False
        self.covered_since = self.opened_at = 0
        self.kinds = Kinds()
        self.answers = Answers()
        self.appeals = HeardAppeals()
        self.hold: int | None = None
        self.hold_since = 0
        self.held_at = -1
        self.stops: list[Stop] = []
        self.controls: set[tuple[tuple[str, Any], ...]] = set()

    # ---- inputs: each says whether it applied --------------------------------------------------

    def apply(
        self, topic: str, value: dict[str, Any] | None, policy: Policy, now: int, invited: bool
    ) -> bool:
        """Write an input down. `invited`: whether a cycle is open."""
        if topic == "follower-counts" and value is not None:
            return self._reading(value, policy, invited)
        if topic == "category-changes":
            return self._label(value, policy)
        if topic == "account-changes" and value is not None:
            return self._change(value, now)
        if topic == "controls" and value is not None:
            return self._control(value, now)
        return True

    def _reading(self, value: dict[str, Any], policy: Policy, invited: bool) -> bool:
        at, followers = value["observed_at"], value["followers"]
        if not self.tracked and followers < policy.floor:
            return False
        if self.closed:
            return False
        if self.observed_at is not None and at < self.observed_at:
            self._below_in_between(at, followers, policy)
            return False
        if at == self.observed_at and self.followers is not None and followers >= self.followers:
            return False
        self.tracked = True
        self.observed_at, self.followers = at, followers
        for line in policy.lines:
            if followers < line:
                self.runs.pop(line, None)
                if not invited:
                    self.stable.discard(line)
            elif line not in self.runs and value.get("cause") in _OPENING:
                self.runs[line] = at
        return True

    def _below_in_between(self, at: int, followers: int, policy: Policy) -> None:
        """A late reading below the line, from within a dwell of which nothing came yet."""
        if self.issued_from_dwell or self.observed_at is None:
            return
        for line in policy.lines:
            run = self.runs.get(line)
            if followers < line and run is not None and at > max(run, self._since):
                self.runs[line] = self.observed_at
                self.stable.discard(line)

    def _label(self, value: dict[str, Any] | None, policy: Policy) -> bool:
        if self.closed:
            return False
        if value is None:
            self.label, self.label_until, self.contradicted = None, None, False
            self._removed = True
            return self.label_at is not None
        at = value["observed_at"]
        text = value["category"] if value["category"] in policy.known_labels else None
        if self.label_at is not None and at < self.label_at:
            covered = policy.field_of(text) is not None
            if not covered and not self.issued_from_dwell and at > self._since:
                self.covered_since = max(self.covered_since, self.label_at)
                self.stable.clear()
            return False
        if at == self.label_at:
            return self._label_again(value, text)
        gapless = policy.field_of(self.label) and (self.label_until or INFINITY) >= at
        gapless = gapless and not self.contradicted
        self.label, self.label_at, self.contradicted = text, at, False
        self.label_until = value.get("valid_until")
        self.covered_since = min(self.covered_since, at) if gapless else at
        self._removed = False
        return True

    _removed = False

    def _label_again(self, value: dict[str, Any], text: str | None) -> bool:
        """A second label of the same instant: it contradicts, or shortens, or was removed."""
        if self._removed:
            return False
        if text != self.label:
            self.contradicted = True
        until = value.get("valid_until")
        if until is not None:
            self.label_until = min(until, self.label_until or INFINITY)
        return True

    def _change(self, value: dict[str, Any], now: int) -> bool:
        change = value["change"]
        at, stated, replaced = word_time(value["observed_at"], now)
        kind = {"closed": "open", "reopened": "open", "owner_changed": "owner"}.get(
            change, "exempt"
        )
        self.tracked = True
        protects = change in ("closed", "exempted", "owner_changed")
        if not self.kinds.applies(kind, change, at, stated, replaced, protects):
            return False
        if change in ("reopened", "exemption_ended") and (self.closed or self.exempt):
            self.opened_at = max(self.opened_at, at)
        if kind == "open":
            self.closed = change == "closed"
            if self.closed:
                self.followers = self.label = self.label_at = self.label_until = None
                self.contradicted = self._removed = False
                self.runs, self.below_since = {}, None
        elif kind == "exempt":
            self.exempt = change == "exempted"
        else:
            self.stops += self.appeals.owner_changed(at, now)
        return True

    def _control(self, value: dict[str, Any], now: int) -> bool:
        self.tracked = True
        same = tuple(sorted(value.items()))
        if same in self.controls:
            return False
        self.controls.add(same)
        command = value["command"]
        at, stated, _ = word_time(value["issued_at"], now)
        if command == "hold":
            until = value.get("expires_at") or INFINITY
            if self.hold is not None and self.hold > now:
                until = max(until, self.hold)
                self.hold_since = min(self.hold_since, at)
            else:
                self._end_hold(self.hold or at)
                self.hold_since = at
            self.hold, self.held_at = until, max(self.held_at, at)
        elif command == "unhold":
            if value.get("reason") == "appeal":
                self.appeals.forgive(at)
            elif at >= self.held_at:
                self._end_hold(max(now, stated if stated <= now + SKEW else now))
        elif command.startswith("appeal"):
            self.stops += self.appeals.heard(command, value.get("appeal_id"), at, stated, now)
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
        return bool(self.appeals.open) or (self.hold is not None and self.hold > time)

    def stopped(self) -> list[Stop]:
        """The stretches in which the account's own stops were in force, open ones included."""
        stops = list(self.stops)
        if self.hold is not None:
            stops.append((self.hold_since, self.hold))
        stops += [(since, INFINITY) for since in self.appeals.open.values()]
        return stops

    def covered(self, policy: Policy, time: int) -> bool:
        """Whether the label means a covered field now."""
        return (
            not self.contradicted
            and policy.field_of(self.label) is not None
            and time < (self.label_until or INFINITY)
        )

    def touchable(self, policy: Policy, time: int) -> bool:
        """Whether the account may be under the rule: open, not exempt, with a covered label."""
        return not self.closed and not self.exempt and self.covered(policy, time)

    def stale(self, max_age: int | None, time: int) -> bool:
        """Whether the count is missing or older than is allowed."""
        if self.followers is None or self.observed_at is None:
            return True
        return max_age is not None and self.observed_at + max_age < time

    @property
    def _since(self) -> int:
        return max(self.covered_since, self.opened_at)

    def settle(self, policy: Policy, time: int, invited: bool) -> None:
        """Note the lines over which the account has been for the whole dwell, and those it lost."""
        if not self.touchable(policy, time):
            self.stable.clear()
            self.issued_from_dwell = False
            return
        for line in policy.lines:
            run = self.runs.get(line)
            if run is not None and max(run, self._since) + policy.stability.dwell <= time:
                self.stable.add(line)
            elif run is None and not invited:
                self.stable.discard(line)
        if not self.stable:
            self.issued_from_dwell = False

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
        for line in [line for line in self.runs if line not in policy.lines]:
            del self.runs[line]
        if policy.field_of(self.label) and not before.field_of(self.label):
            self.covered_since = now
