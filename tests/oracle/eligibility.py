"""The facts about an account, and the eligibility machine.

schemas/CONTRACT.md, "Labels and counts" and "Eligibility".

OUTSIDE -> DWELLING -> INSIDE -> LEAVING. Numbers in brackets are those of READINGS.md.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.oracle.policy import OraclePhase, OraclePolicy, folded, instant

NOT_OPENING = ("correction", "platform_purge")


@dataclass(frozen=True)
class Pinned:
    """What the open cycle pinned about leaving, to be weighed against the present policy."""

    phase: str
    exit_line: Decimal
    leave_after: timedelta
    max_age: timedelta | None
    keep: bool

    def exits_below(self, policy: OraclePolicy, now: datetime) -> Decimal:
        """The higher exit line; the present one is that of the cycle's phase."""
        lines = [one.followers for one in policy.in_force(now) if one.name == self.phase]
        return max([self.exit_line, *(line * policy.exit_ratio for line in lines)])


def shorter(pinned: timedelta | None, present: timedelta | None) -> timedelta | None:
    """The shorter of two, of which an absent one is the longest."""
    found = [one for one in (pinned, present) if one is not None]
    return min(found) if found else None


class OracleFacts:
    """What is known of one account, and where it stands."""

    def __init__(self) -> None:
        self.state = "OUTSIDE"
        self.followers: int | None = None
        self.readings: list[tuple[datetime, int, bool]] = []
        """Applied, with the count and whether it may open a dwell [7]."""
        self.dips: list[tuple[int, datetime, int]] = []
        """Stale readings before any dwell: how many were applied before, time and count [74]."""
        self.reading_at: datetime | None = None
        """Of the last reading; without a count that one is gone, and once more no new one [98]."""
        self.label: str | None = None
        self.label_at: datetime | None = None
        """Of the last label; without a label that one is gone, and once more no new one [98]."""
        self.label_since: datetime | None = None
        """From when covered labels have followed one another without a gap [6]."""
        self.label_until: datetime | None = None
        self.label_expired = False
        self.contradictory = False
        self.closed = False
        self.exempt = False
        self.changed_at: datetime | None = None
        self.ever_changed = False
        self.policy_at: datetime | None = None
        self.dwell_since: datetime | None = None
        self.dwell_used = False
        """Whether an invitation has come of the dwell."""
        self.leave_since: datetime | None = None

    # ---- inputs --------------------------------------------------------------------------------

    def read_count(
        self, value: dict[str, Any], policy: OraclePolicy, now: datetime, kept: bool
    ) -> bool:
        """Take a reading; False if it is stale or not remembered. `kept`: never forgotten [17]."""
        at, count = instant(value["observed_at"]), value["followers"]
        if self.closed:
            if count >= policy.floor:
                self.reading_at = max(at, self.reading_at or at)
            return False
        if self.reading_at is not None and at < self.reading_at:
            phases = policy.in_force(now)
            if self.state == "OUTSIDE":
                self.dips.append((len(self.readings), at, count))
            below = bool(phases) and count < phases[-1].followers
            run = self._run(phases[-1].followers) if below else None
            if below and self._begin_anew(at, run, self.reading_at):
                # Older readings over the line count no more, and one that opens nothing opens none.
                self.readings, self.dips = self.readings[-1:], []
                if not any(opens for _, _, opens in self.readings):
                    self._to("OUTSIDE")
            return False
        if at == self.reading_at and (self.followers is None or count >= self.followers):
            return False
        if count < policy.floor and not (kept or self.ever_changed):
            if self.followers is None and self.reading_at is None:
                return False
            self.followers, self.readings, self.dips, self.reading_at = None, [], [], at
            return True
        if at == self.reading_at and self.readings:
            self.readings.pop()
        opens = value.get("cause", "organic") not in NOT_OPENING
        self.followers, self.reading_at = count, at
        self.readings.append((at, count, opens))
        return True

    def read_label(self, value: dict[str, Any] | None, now: datetime, policy: OraclePolicy) -> bool:
        """Take a label, or its removal; False if it is stale."""
        if value is None:
            self.label, self.label_until, self.contradictory = None, None, False
            return True
        at, text = instant(value["observed_at"]), folded(value["category"])
        if self.closed:
            self.label_at = max(at, self.label_at or at)
            return False
        if self.label_at is not None and (
            at < self.label_at or (self.label is None and at == self.label_at)
        ):
            if policy.field_of(text) is None:
                self._begin_anew(at, self.label_since, self.label_at)
                before = self.label_since is not None and self.label_since < at
                if self.state == "OUTSIDE" and before:
                    self.label_since = self.label_at  # [74]
            return False
        until = instant(value["valid_until"]) if value.get("valid_until") else None
        if at == self.label_at:
            self._one_instant(text, until, now, policy)
            return True
        held = policy.field_of(self.label) is not None
        held = held and not self.label_expired and not self.contradictory
        held = held and (self.label_until is None or self.label_until >= at)
        if not held or self.label_since is None or policy.field_of(text) is None:
            self.label_since = at
        self.label, self.label_at, self.label_until = text, at, until
        self.contradictory = False
        self.label_expired = until is not None and until <= now
        return True

    def _one_instant(
        self, text: str, until: datetime | None, now: datetime, policy: OraclePolicy
    ) -> None:
        """A second label of one instant: the earlier end counts, another text contradicts."""
        assert self.label is not None
        if text != self.label:
            kept = policy.kept_text(self.label), policy.kept_text(text)
            self.contradictory |= kept[0] != kept[1]
        ends = [one for one in (self.label_until, until) if one is not None]
        # What contradicts covers nothing that could end [87].
        self.label_until = None if self.contradictory else min(ends, default=None)
        self.label_expired |= self.label_until is not None and self.label_until <= now

    def change(self, change: str, at: datetime) -> None:
        """Take an account change; what it does to a cycle is not decided here."""
        self.ever_changed = True
        if change == "closed":
            self.closed = True
            # Of both the time is kept: once more they are no new ones [98].
            self.followers, self.readings, self.dips = None, [], []
            self.label = self.label_until = None
            self.contradictory = False
        elif change == "exempted":
            self.exempt = True
        elif change in ("reopened", "exemption_ended"):
            # Until then it was closed or exempt, whether we had heard of that or not [6].
            self.changed_at = max(at, self.changed_at or at)
            if change == "reopened":
                self.closed = False
            else:
                self.exempt = False

    def _begin_anew(self, at: datetime, stretch: datetime | None, newest: datetime | None) -> bool:
        """A stale fact against the account, dated within a dwell: the dwell runs again.

        Also one from before it that cuts the `stretch` of facts of its kind for the account, where
        the newest of these was observed within the dwell [74].
        """
        dwelt = self.state in ("DWELLING", "INSIDE") and not self.dwell_used
        if not dwelt or self.dwell_since is None:
            return False
        if stretch is not None and self.policy_at is not None:
            stretch = max(stretch, self.policy_at)
        cuts = stretch is not None and newest is not None and stretch < at
        if at <= self.dwell_since and not (cuts and newest > self.dwell_since):
            return False
        known = [one for one in (self.reading_at, self.label_at) if one is not None]
        self.dwell_since = max([self.dwell_since, *known])
        self.state = "DWELLING"
        return True

    # ---- conditions ----------------------------------------------------------------------------

    def failing(self, policy: OraclePolicy, now: datetime) -> str | None:
        """Why the account is not covered, the count left aside (a `cancelled` reason), or None."""
        if self.closed:
            return "closed"
        if self.exempt:
            return "exempted"
        if self.label_expired or self.contradictory or policy.field_of(self.label) is None:
            return "label"
        return None if policy.in_force(now) else "policy"

    def phase(self, policy: OraclePolicy, now: datetime) -> OraclePhase | None:
        """The lowest phase in force, or the lowest that enforces and whose line is reached [21]."""
        phases = policy.in_force(now)
        live = [one for one in phases if policy.mode_of(one) == "enforce"]
        if live and self.followers is not None and self.followers >= live[-1].followers:
            return live[-1]
        return phases[-1] if phases else None

    def stale(self, policy: OraclePolicy, now: datetime, pinned: Pinned | None) -> bool:
        """Whether the reading is older than `max_age`, the shorter of pinned and present."""
        most = policy.max_age if pinned is None else shorter(pinned.max_age, policy.max_age)
        if most is None or self.reading_at is None:
            return False
        return now - self.reading_at > most

    # ---- the machine ---------------------------------------------------------------------------

    def look(self, policy: OraclePolicy, now: datetime, cause: str, pinned: Pinned | None) -> None:
        """Move by the conditions as they are. `pinned`: of the open cycle, None if none is open.

        `cause`: `reading` for one that was applied, `policy`, `timer` or `input`.
        """
        if self.failing(policy, now) is not None or self.followers is None:
            self._to("OUTSIDE")
            return
        if pinned is not None:
            # Once OUTSIDE the cycle is cancelled first; a new dwell is begun after that.
            if self.state in ("INSIDE", "LEAVING"):
                self._invited(policy, now, cause, pinned)
            return
        line = policy.in_force(now)[-1].followers
        if self._run(line) is None:
            # Below the line, or nothing that counts has opened the run [7, 90].
            self._to("OUTSIDE")
            return
        if self.state == "LEAVING":
            self._to("INSIDE")
        if self.state == "OUTSIDE":
            start = self._since(policy, now, line)
            if start is None:
                return
            self._to("DWELLING")
            self.dwell_since, self.dwell_used = start, False
        if self.state == "DWELLING" and not policy.dwell:
            self._to("INSIDE")

    def dwelt(self) -> None:
        """The dwell is over with all conditions held."""
        self._to("INSIDE")

    def left(self) -> None:
        """`leave_after` is over and no reading came back."""
        self._to("OUTSIDE")

    def dwell_due(self, policy: OraclePolicy) -> datetime | None:
        """When the dwell is over, or None outside of one."""
        if self.state != "DWELLING" or self.dwell_since is None:
            return None
        return self.dwell_since + policy.dwell

    def leave_due(self, policy: OraclePolicy, pinned: Pinned | None) -> datetime | None:
        """When LEAVING ends, by the shorter of the pinned and the present `leave_after`."""
        if self.state != "LEAVING" or self.leave_since is None or pinned is None:
            return None
        return self.leave_since + min(pinned.leave_after, policy.leave_after)

    def _invited(self, policy: OraclePolicy, now: datetime, cause: str, pinned: Pinned) -> None:
        assert self.followers is not None
        keep = pinned.keep and policy.keep
        below = not keep and self.followers < pinned.exits_below(policy, now)
        if self.state == "LEAVING":
            if not below and cause == "reading":
                self._to("INSIDE")
        elif below:
            if not min(pinned.leave_after, policy.leave_after):
                self._to("OUTSIDE")
                return
            self._to("LEAVING")
            self.leave_since = self.reading_at if cause == "reading" else now

    def _to(self, state: str) -> None:
        self.state = state
        if state == "OUTSIDE":
            self.dwell_since = None
        if state != "LEAVING":
            self.leave_since = None

    def _since(self, policy: OraclePolicy, now: datetime, line: int) -> datetime | None:
        """From when all conditions hold by `observed_at`; None if no reading opened one [6, 7]."""
        run = self._run(line)
        if run is None:
            return None
        start = policy.in_force(now)[-1].start
        known = (run, self.label_since, self.changed_at, self.policy_at, start)
        return max(at for at in known if at is not None)

    def runs(self, phases: Iterable[OraclePhase]) -> bool:
        """Whether the readings are over the line of any phase."""
        return any(self._run(phase.followers) is not None for phase in phases)

    def _run(self, line: int) -> datetime | None:
        """From when all readings are over the line, begun by one that may [7, 74]."""
        first = len(self.readings)
        while first and self.readings[first - 1][1] >= line:
            first -= 1
        if first == len(self.readings):
            return None
        run, dips = None, defaultdict(list)
        for number, since, count in self.dips:
            if count < line:
                dips[number].append(since)
        for number, (at, _, opens) in enumerate(self.readings[first:], first + 1):
            if opens and run is None:
                run = at
            for since in dips.get(number, ()):
                if run is not None and run < since:
                    run = at if opens else None
        return run
