"""What time does to a life: every timer of contract section 5, in due order."""

from datetime import datetime
from typing import Any

from tests.oracle.policy import SURFACES

ORDER = (
    "hold",
    "label",
    "phase",
    "leave",
    "dwell",
    "cool_down",
    "cap",
    "throttle",
    "review",
    "deadline",
    "reminder",
    "look",
)
"""Timers due at one instant act in this order: favourable first."""

Due = tuple[datetime, int, str, Any]


class TimerRules:
    """Mixed into `Life`."""

    def due_timers(self) -> list[Due]:
        """Timers that are set and not deferred, as (due, rank, kind, what), next one first."""
        found = [*self._fact_timers(), *self._cycle_timers()]
        ranked = [(due, ORDER.index(kind), kind, what) for due, kind, what in found]
        return sorted(ranked, key=lambda one: (one[0], one[1], str(one[3])))

    def run_timers(self, until: datetime, inclusive: bool) -> None:
        """Let act whatever is due by `until`, one by one, each looking at the conditions anew."""
        while True:
            timers = self.due_timers()
            if not timers:
                return
            due, _, kind, what = timers[0]
            if due > until or (due == until and not inclusive):
                return
            self.fire(due, kind, what)

    def fire(self, due: datetime, kind: str, what: Any) -> None:
        """One timer acts, at its due instant or now if that is past."""
        self.clock = max(self.clock, due)
        self._act(kind, what)
        self.look_again("timer")

    def _fact_timers(self) -> list[tuple[datetime, str, Any]]:
        facts = self.facts
        found: list[tuple[datetime, str, Any]] = [
            (hold["expires_at"], "hold", control_id)
            for control_id, hold in self.brakes.holds.items()
            if hold["expires_at"] is not None
        ]
        if facts.label_until is not None and not facts.label_expired:
            found.append((facts.label_until, "label", None))
        for phase in self.policy.phases:
            if phase.start is not None and phase.start > self.clock:
                found.append((phase.start, "phase", phase.name))
        if facts.leave_due is not None:
            found.append((facts.leave_due, "leave", None))
        if facts.dwell_due is not None:
            found.append((facts.dwell_due, "dwell", None))
        if self.cool_down_until is not None and self.cool_down_until > self.clock:
            found.append((self.cool_down_until, "cool_down", None))
        if self.look_at is not None:
            found.append((self.look_at, "look", None))
        free = self.caps.next_free("issued", self.clock)
        if free > self.clock and self._waits_for_issue():
            found.append((free, "cap", None))
        return found

    def _waits_for_issue(self) -> bool:
        invitable = self.state == "NONE" and self.facts.state == "INSIDE"
        return invitable or (self.state == "UNDELIVERED" and self.cycle["reissue"])

    def _cycle_timers(self) -> list[tuple[datetime, str, Any]]:
        found: list[tuple[datetime, str, Any]] = []
        if self.state == "EXPIRED":
            for place, surface in enumerate(SURFACES):
                throttle = self.cycle["throttles"].get(surface)
                if throttle is not None:
                    found.append((throttle["expires_at"], "throttle", place))
                    if not self._deferred("renewed", throttle["review_at"]):
                        found.append((throttle["review_at"], "review", place))
        if self.state not in ("DELIVERED", "DECLINED") or self.cycle["deadline_at"] is None:
            return found
        deadline = self.cycle["deadline_at"]
        if not self._deferred("expired", deadline):
            found.append((self._when_capped(deadline), "deadline", None))
        if self.state == "DELIVERED":
            for before in self.cycle["reminders"]:
                due = deadline - before
                if max(due, self.clock) < deadline and not self._deferred("reminded", due):
                    found.append((due, "reminder", before))
        return found

    def _deferred(self, kind: str, due: datetime) -> bool:
        return self.defers(kind, max(due, self.clock))

    def _applies(self) -> list[tuple[str, str]]:
        """Surfaces to be restricted at the deadline, each with its mode."""
        reason = self._ground()
        modes = [(surface, self.surface_mode(surface, reason)) for surface in SURFACES]
        return [(surface, mode) for surface, mode in modes if mode != "off"]

    def _ground(self) -> str:
        return "declined" if self.state == "DECLINED" else "no_answer"

    def _when_capped(self, deadline: datetime) -> datetime:
        acts_at = max(deadline, self.clock)
        if not self._applies():
            return deadline
        free = self.caps.next_free("throttled", acts_at)
        return free if free > acts_at else deadline

    def _act(self, kind: str, what: Any) -> None:
        facts = self.facts
        if kind == "look":
            self.look_at = None
        elif kind == "hold":
            self.brakes.hold_expired(what)
        elif kind == "label":
            facts.label_expired = True
        elif kind == "leave":
            facts.left()
        elif kind == "dwell":
            facts.dwelt()
        elif kind == "throttle":
            self.lift(SURFACES[what], "ended")
            if not self.cycle["throttles"]:
                self.end_cycle()
        elif kind == "review":
            throttle = self.cycle["throttles"][SURFACES[what]]
            throttle["review_at"] = self.clock + self.policy.review_after
            surface, review_at = SURFACES[what], throttle["review_at"]
            mode = throttle["mode"]
            self.emit("throttle.renewed", "review", mode, surface=surface, review_at=review_at)
        elif kind == "deadline":
            self._expire()
        elif kind == "reminder":
            self.cycle["reminders"].remove(what)
            deadline_at = self.cycle["deadline_at"]
            self.emit("invitation.reminded", "reminder", deadline_at=deadline_at)

    def _expire(self) -> None:
        reason, surfaces = self._ground(), self._applies()
        self.state = "EXPIRED"
        self.emit("invitation.expired", reason, deadline_at=self.cycle["deadline_at"])
        if surfaces:
            self.caps.take("throttled", self.clock)
        for surface, mode in surfaces:
            throttle = {
                "mode": mode,
                "reason": reason,
                "level": self.level(surface),
                "effective_at": self.clock,
                "review_at": self.clock + self.policy.review_after,
                "expires_at": self.clock + self.policy.expires_after,
            }
            self.cycle["throttles"][surface] = throttle
            shown = {name: throttle[name] for name in ("level", "review_at", "expires_at")}
            self.emit("throttle.applied", reason, mode, surface=surface, **shown)
