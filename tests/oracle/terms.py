"""What an invitation pins, what a milder policy changes in it, and its deadline.

schemas/CONTRACT.md, "Terms" and "Eligibility".
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.oracle.eligibility import Pinned
from tests.oracle.policy import LEVELS, SURFACES, OraclePhase, weakest
from tests.oracle.stops import Stretch, merged
from tests.oracle.words import OracleSaid

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class TermRules:
    """Mixed into `Life`."""

    def new_cycle(self, phase: OraclePhase, mode: str, number: int) -> dict[str, Any]:
        """A cycle issued now, with the terms of the present policy pinned."""
        policy = self.policy
        exit_line = phase.followers * policy.exit_ratio
        return {
            "number": number,
            "mode": mode,
            "phase": phase.name,
            "notices": [(policy.notice_id, policy.notice_version, policy.renew)],
            "window": policy.window,
            "answer_by": phase.answer_by,
            "promised": None,
            "pinned_exit": Pinned(
                phase.name, exit_line, policy.leave_after, policy.max_age, policy.keep
            ),
            "reminders_pinned": tuple(sorted(policy.reminders, reverse=True)),
            "reminders": [],
            "surfaces": dict(policy.surfaces),
            "on": policy.on,
            "expires_after": policy.expires_after,
            "issued_at": self.clock,
            "first_issued_at": self.clock,
            "receipts": [],
            "deliveries": 0,
            "delivery_at": None,
            "delivered_at": None,
            "deadline_at": None,
            "expired_at": None,
            "failed_at": None,
            "answered": False,
            "refused_at": None,
            "refusal_entered": None,
            "bounced": None,
            "delivery_entered": None,
            "consent": 0,
            "consent_at": None,
            "reissue": None,
            "extend_waits": None,
            "released": False,
            "freed": set(),
            "throttles": {},
        }

    def deliver(self, at: datetime, reason: str) -> None:
        """The notice reached the owner: the window runs, and never ends earlier than said [22]."""
        cycle = self.cycle
        cycle["delivery_at"] = at
        cycle["delivered_at"] = max(at, cycle["issued_at"])
        cycle["deliveries"] += 1
        cycle["overdue"] = False
        cycle["delivery_entered"] = None
        if cycle["window"] is None:
            cycle["deadline_at"] = None
        else:
            ends = (self._promised(*self._milder()), cycle["deadline_at"], cycle["promised"])
            cycle["deadline_at"] = max(end for end in ends if end is not None)
            cycle["reminders"] = [
                (place + 10 * (cycle["deliveries"] - 1), before)
                for place, before in enumerate(cycle["reminders_pinned"], 1)
                if cycle["deadline_at"] - before > cycle["delivered_at"]
            ]
        cycle["counted"] = (cycle["deadline_at"], cycle["delivered_at"])
        self.state = "DELIVERED"
        times = {name: cycle[name] for name in ("delivered_at", "deadline_at")}
        self.emit("invitation.delivered", reason, **times)

    def delivered_before(self, at: datetime, entered: datetime) -> None:
        """A receipt that is read after a refusal, of a delivery before it [79]."""
        cycle, at = self.cycle, max(at, self.cycle["issued_at"])
        if entered >= cycle["refusal_entered"] or at >= cycle["delivered_at"]:
            return
        self._late_by_terms(at)

    def refused_within_policy(self) -> None:
        """What the present policy alone makes longer makes no refusal of a silence [80]."""
        window, answer_by = self.cycle["window"], self.cycle["answer_by"]
        if window is None:
            return
        if self._promised(*self._milder()) != self._promised(window, answer_by):
            self._late_by_terms(self.cycle["delivered_at"])

    def _late_by_terms(self, at: datetime) -> None:
        if self._after_terms(at, self.cycle["refusal_entered"]):
            self.cycle["overdue"] = True

    def _after_terms(self, at: datetime, entered: datetime) -> bool:
        """Whether a refusal entered after the deadline that the terms give for a delivery."""
        cycle = self.cycle
        if cycle["window"] is None:
            return False
        ends = (at + cycle["window"], cycle["answer_by"], cycle["promised"])
        deadline = self._as_heard(max(end for end in ends if end is not None), at)
        return deadline is not None and entered > deadline

    def read_out_of_place(self, at: datetime, entered: datetime) -> bool:
        """A refusal that entered before receipts that were read first: it belongs to the window of
        then, and may be too late for that [82].
        """
        bounced, delivered = self.cycle["bounced"], self.cycle["delivery_entered"]
        if bounced is not None and entered < bounced[0]:
            return entered > bounced[1]
        before = delivered is not None and entered < delivered
        return before and self._after_terms(max(at, self.cycle["issued_at"]), entered)

    def settled_before_refusal(self, said: OracleSaid, stop: tuple[datetime, datetime]) -> None:
        """A `settle` that is read after a refusal: read in its place it had ended a stop [91]."""
        unclear, cycle = self.brakes.unclear, self.cycle
        known = list(unclear.over)
        if stop not in known or stop[0] > said.at or cycle["deadline_at"] is None:
            return
        unclear.over = [*known, (stop[0], min(stop[1], said.last))]
        unclear.over.remove(stop)
        deadline = self._reckoned(*cycle["counted"])
        unclear.over = known
        # While something else stops the clock nobody can tell.
        if deadline is None or cycle["refusal_entered"] > deadline:
            cycle["overdue"] = True

    def promise(self, until: datetime) -> None:
        """No deadline of the cycle will be before it."""
        self.cycle["promised"] = max(until, self.cycle["promised"] or until)

    def extend(self, until: datetime, reason: str) -> None:
        """The deadline moves later, and says so; nothing if it would not."""
        if until > self.cycle["deadline_at"]:
            self.cycle["deadline_at"] = until
            self.emit("invitation.extended", reason, deadline_at=until)

    def _soften(self) -> None:
        """A milder policy applies at once [58]."""
        cycle = self.cycle
        if self.state in ("DELIVERED", "DECLINED") and cycle["deadline_at"] is not None:
            base = self._promised(*self._milder())
            later = self._reckoned(base, cycle["delivered_at"])
            present = self._reckoned(*cycle["counted"])
            # Milder is what ends after all pauses of the present deadline, one that goes on too.
            if later and present and later > max(present, cycle["deadline_at"]):
                cycle["counted"] = (base, cycle["delivered_at"])
                self._note_unheard(later)
                milder = base > self._promised(cycle["window"], cycle["answer_by"])
                self.extend(later, "policy" if milder else "pause")
        for surface in SURFACES:
            throttle = cycle["throttles"].get(surface)
            if throttle is None:
                continue
            same = self.surface_mode(surface, throttle["grounds"]) == throttle["mode"]
            if not same or self.level(surface) != throttle["level"]:
                cycle["freed"].add(surface)
                self.lift(surface, "policy")

    def _milder(self) -> tuple[timedelta, datetime | None]:
        """The longer window and the later `answer_by` of the pinned and the present ones."""
        window, answer_by = self.cycle["window"], self.cycle["answer_by"]
        if self.policy.window is not None:
            window = max(window, self.policy.window)
        present = [one for one in self.policy.phases if one.name == self.cycle["phase"]]
        ends = [answer_by, *(phase.answer_by for phase in present)]
        return window, max((end for end in ends if end is not None), default=None)

    def surface_mode(self, surface: str, grounds: frozenset[str]) -> str:
        """The mode in which a surface may be restricted: by pinned terms and the present policy."""
        pinned, present = self.cycle["surfaces"], self.policy.surfaces
        both_name = surface in pinned and surface in present
        freed = surface in self.cycle["freed"]
        if not both_name or freed or not grounds <= self.cycle["on"] & self.policy.on:
            return "off"
        return weakest(self.cycle["mode"], pinned[surface][1], present[surface][1])

    def level(self, surface: str) -> str:
        """The milder of the pinned and the present level."""
        levels = (self.cycle["surfaces"][surface][0], self.policy.surfaces[surface][0])
        return min(levels, key=LEVELS.index)

    def _end_pause(self) -> None:
        """What stood still is made good by as much, once it goes on [49, 50]."""
        if self.state not in ("DELIVERED", "DECLINED") or self.cycle["deadline_at"] is None:
            return
        later = self._reckoned(*self.cycle["counted"])
        if later is not None:
            if later > self.cycle["deadline_at"]:
                self._note_unheard(later)
            self.extend(later, "pause")

    def _note_unheard(self, later: datetime) -> None:
        """A deadline moves for what entered after it had passed: a punctual worker had heard the
        silence, so what is said behind it is no refusal of that [94].
        """
        told = self.cycle["deadline_at"]
        base, since = self.cycle["counted"]
        heard = self._as_heard(base, since, told)
        if self.state == "DELIVERED" and heard is not None and max(heard, told) < later:
            self.cycle["overdue"] = True

    def _as_heard(
        self, deadline: datetime, since: datetime, told: datetime = EARLIEST
    ) -> datetime | None:
        """The same, as a punctual worker reckoned: what accounts share counts only if its record
        had entered by the deadline of then [94].
        """
        known = self.brakes.own_stretches()
        for entered, _, start, end in sorted(self.brakes.heard, key=lambda one: one[0]):
            passed = self._reckoned(deadline, since, merged(known))
            if passed is not None and max(passed, told) < entered:
                return passed
            known.append((start, end))
        return self._reckoned(deadline, since, merged(known))

    def _promised(self, window: timedelta, answer_by: datetime | None) -> datetime:
        end: datetime = self.cycle["delivered_at"] + window
        return max(end, answer_by or EARLIEST)

    def _reckoned(
        self, deadline: datetime, since: datetime, stretches: list[Stretch] | None = None
    ) -> datetime | None:
        """A deadline moved by each pause after `since` that begins before it; None: one goes on."""
        for start, end in self.brakes.stretches() if stretches is None else stretches:
            start = max(start, since)
            if end is not None and end <= start:
                continue
            if start >= deadline:
                break
            if end is None:
                return None
            deadline += end - start
        return deadline
