"""What time does to a life: every timer, in due order.

schemas/CONTRACT.md, "Timers".
"""

from datetime import datetime, timedelta
from typing import Any

from tests.oracle.eligibility import shorter
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
    "ended",
    "review",
    "deadline",
    "reminder",
    "look",
)
"""Timers due at one instant act in this order: favourable first."""

ADVERSE = frozenset({"cool_down", "cap", "review", "deadline", "reminder", "look"})
"""Timers that lead to adverse events alone: they wait for a look at the topics."""

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
            # An adverse one that waited, and waits no more, acts now: after what is due now.
            due, _, kind, what = min(timers, key=self._turn)
            if due > until or (due == until and not inclusive):
                return
            self.fire(due, kind, what)

    def _act_all(self, as_of: datetime) -> None:
        while True:
            due = [one for one in self.due_timers() if one[0] <= as_of]
            # Where a label has ended by now, the ground of what was due before has vanished [86].
            ends = any(kind == "label" for _, _, kind, _ in due)
            if ends or self.adverse_waits():
                due = [one for one in due if one[2] not in ADVERSE]
            if not due:
                return
            self.fire(self.clock, due[0][2], due[0][3])

    def adverse_waits(self) -> bool:
        """Whether what is adverse waits for a later round: also for an end in the owner's favour
        that lies behind `as_of`, but not behind the instant of the round [76].
        """
        if self.favourable_only or self.limit is None:
            return self.favourable_only
        return any(self.limit < end <= self.clock for end in self._ends())

    def _ends(self) -> list[datetime]:
        facts, cycle = self.facts, self.cycle
        found = [facts.leave_due(self.policy, self.pinned)]
        if facts.state != "OUTSIDE" and not facts.label_expired:
            found.append(facts.label_until)
        if self.state == "EXPIRED":
            found += [
                end for throttle in cycle["throttles"].values() for end in self._over(throttle)
            ]
            found.append(self._cycle_over())
        return [end for end in found if end is not None]

    def _turn(self, one: Due) -> tuple[datetime, int, str]:
        due, rank, kind, what = one
        return max(due, self.clock) if kind in ADVERSE else due, rank, str(what)

    def round(self, now: datetime, as_of: datetime, favourable_only: bool = False) -> None:
        """A worker that was late: what is due by `as_of` acts in due order, all of it at `now`."""
        self.limit, self.favourable_only, self.unstarted = as_of, favourable_only, None
        self.clock = max(self.clock, now)
        look_at = self.look_at
        if look_at is not None:
            # Conditions come before what is due: a pause that ended moves a deadline that passed.
            # An invitation that waited comes after it: what was due may have ended its ground.
            self.favourable_only = True
            self.fire(self.clock, "look", None)
            self.favourable_only = favourable_only
        if favourable_only:
            self.look_at = look_at
        self._act_all(as_of)
        # Cool-downs and phases that ended or began meanwhile have no timer any more.
        self.look_again("timer")
        self._act_all(as_of)
        waits = self.adverse_waits()
        self.limit, self.favourable_only = None, False
        if waits and self._waits_for_issue() and not self.defers("issued", self.clock):
            self._look_later(self.clock)

    def fire(self, due: datetime, kind: str, what: Any) -> None:
        """One timer acts, at its due instant or now if that is past."""
        self.clock = max(self.clock, due)
        self._act(kind, what)
        self.look_again("timer")

    def _fact_timers(self) -> list[tuple[datetime, str, Any]]:
        facts = self.facts
        found: list[tuple[datetime, str, Any]] = [
            (expires_at, "hold", number)
            for number, (_, expires_at) in self.brakes.holds.items()
            if expires_at is not None
        ]
        if facts.label_until is not None and not facts.label_expired:
            found.append((facts.label_until, "label", None))
        for phase in self.policy.phases:
            if phase.start is not None and phase.start > self.clock:
                found.append((phase.start, "phase", phase.name))
        leave_due = facts.leave_due(self.policy, self.pinned)
        if leave_due is not None:
            found.append((leave_due, "leave", None))
        dwell_due = facts.dwell_due(self.policy)
        if dwell_due is not None:
            found.append((dwell_due, "dwell", None))
        if self._waits_for_issue():
            cool_downs = [until for until in self.cool_downs.values() if until > self.clock]
            found += [(until, "cool_down", None) for until in cool_downs]
        if self.look_at is not None:
            found.append((self.look_at, "look", None))
        free = self.caps.next_free("issued", self.clock)
        if free > self.clock and self._waits_for_issue():
            found.append((free, "cap", None))
        return found

    def _waits_for_issue(self) -> bool:
        reissue = self.state in ("INVITED", "UNDELIVERED") and self.cycle["reissue"] is not None
        return reissue or (self.state == "NONE" and self.facts.state == "INSIDE")

    def _cycle_timers(self) -> list[tuple[datetime, str, Any]]:
        found: list[tuple[datetime, str, Any]] = []
        if self.state == "EXPIRED":
            found += self._expired_timers()
        if self.state not in ("DELIVERED", "DECLINED") or self.cycle["deadline_at"] is None:
            return found
        deadline = self.cycle["deadline_at"]
        if not self._deferred("expired", deadline):
            found.append((self._when_capped(deadline), "deadline", None))
        if self.state == "DELIVERED":
            for _, before in self.cycle["reminders"]:
                due = deadline - before
                if max(due, self.clock) < deadline and not self._deferred("reminded", due):
                    found.append((due, "reminder", before))
        return found

    def _expired_timers(self) -> list[tuple[datetime, str, Any]]:
        cycle = self.cycle
        found: list[tuple[datetime, str, Any]] = []
        for place, surface in enumerate(SURFACES):
            throttle = cycle["throttles"].get(surface)
            if throttle is None:
                continue
            ends = self._over(throttle)
            if ends:
                found.append((min(ends), "throttle", place))
            review_at = throttle["review_at"]
            if ends and min(ends) <= self.clock:
                continue  # What has ended is not renewed.
            if review_at is not None and not self._deferred("renewed", review_at):
                found.append((review_at, "review", place))
        over = self._cycle_over()
        if over is not None:
            found.append((over, "ended", None))
        return found

    def _over(self, throttle: dict[str, Any]) -> list[datetime]:
        """When a restriction ends: by itself, and by the policy of now."""
        present = self._after(throttle["effective_at"], self.policy.expires_after)
        return [one for one in (throttle["expires_at"], present) if one is not None]

    def _cycle_over(self) -> datetime | None:
        """When an expired cycle without a restriction ends."""
        cycle = self.cycle
        after = shorter(cycle["expires_after"], self.policy.expires_after)
        if cycle["throttles"] or cycle["released"] or after is None:
            return None
        over: datetime = cycle["expired_at"] + after
        return over

    def over_unheard(self, entered: datetime) -> bool:
        """Whether a delivered cycle, whose silence restricts nothing, had ended for a punctual
        worker when a word entered; here its deadline has not acted yet, or did so late [81].
        """
        cycle = self.cycle
        silent = self.state in ("DELIVERED", "EXPIRED") and not cycle["throttles"]
        told = cycle["deadline_at"] if silent else None
        after = shorter(cycle["expires_after"], self.policy.expires_after)
        if told is None or after is None or cycle["released"] or self._applies():
            return False
        if self.state == "DELIVERED" and "no_answer" in cycle["on"]:
            return False  # A stricter policy may come before the deadline acts.
        heard = self._as_heard(*cycle["counted"], told)
        return heard is not None and max(heard, told) + after < entered

    @staticmethod
    def _after(at: datetime, length: timedelta | None) -> datetime | None:
        return None if length is None else at + length

    def overdue(self) -> list[tuple[str, str]]:
        """Adverse events that are due by now, whether they wait or not: event and kind."""
        found: list[tuple[str, str]] = []
        phase, now = self.invitable(), self.clock
        if phase is not None:
            until = self.cool_downs.get(self.policy.mode_of(phase))
            if until is None or until <= now:
                found.append(("invitation.issued", "issued"))
        if self.state in ("INVITED", "UNDELIVERED") and self.cycle["reissue"] is not None:
            found.append(("invitation.issued", "issued"))
        if self.state == "EXPIRED":
            throttles = self.cycle["throttles"].values()
            due = [one for one in throttles if one["review_at"] and one["review_at"] <= now]
            found += [("throttle.renewed", "renewed") for _ in due]
        deadline = self.cycle["deadline_at"] if self.cycle else None
        if self.state not in ("DELIVERED", "DECLINED") or deadline is None:
            return found
        if self.state == "DELIVERED" and now < deadline:
            due = [one for one in self.cycle["reminders"] if deadline - one[1] <= now]
            found += [("invitation.reminded", "reminded")] if due else []
        if deadline <= now:
            found.append(("invitation.expired", "expired"))
            found += [("throttle.applied", "expired") for _ in self._applies()]
        return found

    def _deferred(self, kind: str, due: datetime) -> bool:
        return self.defers(kind, max(due, self.clock))

    def _applies(self) -> list[tuple[str, str]]:
        """Surfaces to be restricted at the deadline, each with its mode."""
        if self.cycle["released"]:
            return []
        grounds = self._grounds()
        modes = [(surface, self.surface_mode(surface, grounds)) for surface in SURFACES]
        return [(surface, mode) for surface, mode in modes if mode != "off"]

    def _ground(self) -> str:
        return "declined" if self.state == "DECLINED" else "no_answer"

    def _note_overdue(self, entered: datetime) -> None:
        """A word entered after the deadline, and is read before that acts: what it moves does not
        make a refusal of the silence that a punctual worker had heard [73].
        """
        deadline = self.cycle["deadline_at"] if self.state == "DELIVERED" else None
        if deadline is None or entered <= deadline:
            return
        # What stops the clock from after the deadline on has not stopped this one [92].
        if self._as_heard(*self.cycle["counted"], deadline) is not None:
            self.cycle["overdue"] = True

    def _grounds(self) -> frozenset[str]:
        """What `on` has to name: for a refusal that came after the deadline, silence too [45]."""
        refused_at, deadline = self.cycle["refused_at"], self.cycle["deadline_at"]
        late = self.state == "DECLINED" and refused_at is not None and refused_at > deadline
        late = late or (self.state == "DECLINED" and self.cycle.get("overdue", False))
        # By the pauses as they are known now [91].
        entered = self.cycle["refusal_entered"]
        late = late or (self.state == "DECLINED" and entered is not None and entered > deadline)
        return frozenset({"declined", "no_answer"} if late else {self._ground()})

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
        elif kind == "ended":
            self.end_cycle()
        elif kind == "review":
            throttle = self.cycle["throttles"][SURFACES[what]]
            throttle["review_at"] = self._after(self.clock, self.policy.review_after)
            surface, review_at = SURFACES[what], throttle["review_at"]
            mode = throttle["mode"]
            self.emit("throttle.renewed", "review", mode, surface=surface, review_at=review_at)
        elif kind == "deadline":
            self._expire()
        elif kind == "reminder":
            self._remind()

    def _remind(self) -> None:
        """The last one that is due by now; those due before it are not sent any more [42]."""
        deadline_at, time = self.cycle["deadline_at"], self.limit or self.clock
        due = [one for one in self.cycle["reminders"] if deadline_at - one[1] <= time]
        ordinal, _ = min(due, key=lambda one: one[1])
        self.cycle["reminders"] = [one for one in self.cycle["reminders"] if one not in due]
        fields = {"deadline_at": deadline_at, "ordinal": ordinal}
        self.emit("invitation.reminded", "reminder", **fields)

    def _expire(self) -> None:
        reason, surfaces, grounds = self._ground(), self._applies(), self._grounds()
        self.state = "EXPIRED"
        self.cycle["expired_at"] = self.clock
        self.emit("invitation.expired", reason, deadline_at=self.cycle["deadline_at"])
        if surfaces:
            self.caps.take("throttled", self.clock)
        expires_after = shorter(self.cycle["expires_after"], self.policy.expires_after)
        for surface, mode in surfaces:
            throttle = {
                "mode": mode,
                "grounds": grounds,
                "level": self.level(surface),
                "effective_at": self.clock,
                "review_at": self._after(self.clock, self.policy.review_after),
                "expires_at": self._after(self.clock, expires_after),
            }
            self.cycle["throttles"][surface] = throttle
            shown = {name: throttle[name] for name in ("level", "review_at", "expires_at")}
            self.emit("throttle.applied", reason, mode, surface=surface, **shown)
