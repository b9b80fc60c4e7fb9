"""One account's life by contract section 5: a deliberately simple second implementation.

Give it a totally ordered history, `apply(now, input, value)` and `advance(until)`, and read
`events`. Inputs of one instant are one batch: timers act between instants, never inside one.
Numbers in brackets are those of READINGS.md, which says what was read where the contract is open.

    NONE -> INVITED -> DELIVERED -> DECLINED -> EXPIRED -> GRANTED, with UNDELIVERED beside.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from tests.oracle.brakes import Brakes
from tests.oracle.eligibility import Facts
from tests.oracle.inputs import InputRules
from tests.oracle.policy import LEVELS, SURFACES, Phase, Policy, weakest
from tests.oracle.timers import TimerRules

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
OPEN = ("INVITED", "UNDELIVERED", "DELIVERED", "DECLINED", "EXPIRED")


class Caps(Protocol):
    """Caps are shared out over partitions: give the account's partition's share here, or none."""

    def next_free(self, kind: str, now: datetime) -> datetime:
        """When one more `issued` or `throttled` is allowed: `now` itself if it is."""

    def take(self, kind: str, now: datetime) -> None:
        """One was used."""


class NoCaps:
    """Nothing is capped."""

    def next_free(self, kind: str, now: datetime) -> datetime:
        """Always now."""
        return now

    def take(self, kind: str, now: datetime) -> None:
        """Nothing to count."""


def plain_id(mode: str, cycle: int) -> str:
    """The invitation id that test histories use."""
    return f"{mode}-{cycle}"


class Life(InputRules, TimerRules):
    """One account under one policy; `cycle` is the open invitation or the consent in force."""

    def __init__(
        self,
        policy: Policy,
        share: Callable[[Policy], bool] = lambda policy: True,
        caps: Caps | None = None,
        invitation_id: Callable[[str, int], str] = plain_id,
    ) -> None:
        self.policy = policy
        self.share = share
        self.caps = caps or NoCaps()
        self.invitation_id = invitation_id
        self.clock = EARLIEST
        self.patient = False
        """Led along by a worker: brakes and invitations that wait are looked at in its rounds."""
        self.look_at: datetime | None = None
        self.limit: datetime | None = None
        """Of a round: up to which instant time has passed for it, now being later."""
        self.facts = Facts()
        self.brakes = Brakes(policy.platform)
        self.state = "NONE"
        self.cycle: dict[str, Any] = {}
        self.cycles = {"shadow": 0, "enforce": 0}
        self.sequences = {"shadow": 0, "enforce": 0}
        self.cool_down_until: datetime | None = None
        self.answered_at: datetime | None = None
        self.answers_then: set[str] = set()
        self.controls_seen: set[str] = set()
        self.events: list[dict[str, Any]] = []

    def apply(self, now: datetime, name: str, value: Any) -> None:
        """Take one input: a topic's name (or `policy`) and its value (None: tombstone)."""
        if now < self.clock:
            raise ValueError("a history is in order of its instants")
        if now > self.clock:
            self.run_timers(now, inclusive=False)
        self.receive(now, name, value)

    def receive(self, now: datetime, name: str, value: Any) -> None:
        """Take one input with no look at the timers: for those who order both themselves."""
        self.clock = max(self.clock, now)
        cause = self.take(name, value)
        if self.patient and name == "switches":
            self._look_later(self.clock)
        else:
            self.look_again(cause)

    def _look_later(self, at: datetime) -> None:
        self.look_at = at if self.look_at is None else min(at, self.look_at)

    def advance(self, until: datetime) -> None:
        """Time passes; everything that is due by then happens."""
        self.run_timers(until, inclusive=True)
        self.clock = max(self.clock, until)

    def look_again(self, cause: str) -> None:
        """Conditions anew, after anything at all has happened."""
        before = self.facts.state
        self.facts.look(self.policy, self.clock, cause)
        if not self.patient:
            self._end_pause()
        if self.state in OPEN:
            self._close_if_lost(cause, before)
        if self.patient:
            # In one step with what ends the cycle: a later deadline of it is not worth a word.
            self._end_pause()
        if self.state in OPEN:
            self._change_mode()
        if self.state in OPEN:
            self._soften()
        self._renew_notice()
        self._reissue()
        by_itself = not self.policy.dwell and before in ("OUTSIDE", "DWELLING")
        self._issue(waits=self.patient and cause != "timer" and not by_itself)

    def mode_of(self, phase: Phase | None) -> str:
        """Off, shadow or enforce: the weakest of the platform's and the phase's."""
        return weakest(self.policy.mode, phase.mode if phase else None)

    def defers(self, kind: str, now: datetime) -> bool:
        """Whether `issued|reminded|expired|renewed` has to wait at `now`; caps not asked."""
        leaving = self.facts.state == "LEAVING" and not (self.policy.keep and self.state in OPEN)
        return self.brakes.defers(kind) or self.facts.stale(self.policy, now) or leaving

    def emit(self, event: str, reason: str, mode: str | None = None, **fields: Any) -> None:
        """One event of the cycle at hand, next in its mode's sequence; `life`: the cycle's mode."""
        mode = mode or self.cycle["mode"]
        self.sequences[mode] += 1
        head = {"event": event, "reason": reason, "mode": mode, "cycle": self.cycle["number"]}
        head["life"] = self.cycle["mode"]
        self.events.append(
            {**head, "sequence": self.sequences[mode], "decided_at": self.clock, **fields}
        )

    def deliver(self, at: datetime, reason: str) -> None:
        """The notice reached the owner: the window runs, and never ends earlier than said [22]."""
        cycle = self.cycle
        cycle["delivered_at"] = max(at, cycle["issued_at"])
        if cycle["window"] is None:
            cycle["deadline_at"] = None
        else:
            ends = (cycle["delivered_at"] + cycle["window"], cycle["answer_by"])
            ends += (cycle["deadline_at"],)
            cycle["deadline_at"] = max(end for end in ends if end is not None)
            cycle["reminders"] = [
                before
                for before in cycle["reminders"]
                if cycle["deadline_at"] - before > cycle["delivered_at"]
            ]
        cycle["reissue"] = False
        cycle["counted"] = (cycle["deadline_at"], cycle["delivered_at"])
        self.state = "DELIVERED"
        times = {name: cycle[name] for name in ("delivered_at", "deadline_at")}
        self.emit("invitation.delivered", reason, **times)

    def extend(self, until: datetime, reason: str) -> None:
        """The deadline moves later, and says so; nothing if it would not."""
        if until > self.cycle["deadline_at"]:
            self.cycle["deadline_at"] = until
            self.emit("invitation.extended", reason, deadline_at=until)

    def close(self, reason: str, cool_down: bool = True) -> None:
        """Cancelled, then lifted for each surface; NONE."""
        self.emit("invitation.cancelled", reason)
        self.lift_all(reason)
        self.end_cycle(cool_down)

    def lift(self, surface: str, reason: str) -> None:
        """One surface is free again."""
        throttle = self.cycle["throttles"].pop(surface)
        self.emit("throttle.lifted", reason, throttle["mode"], surface=surface)

    def lift_all(self, reason: str) -> None:
        """Every surface that this cycle restricts is free again."""
        for surface in SURFACES:
            if surface in self.cycle["throttles"]:
                self.lift(surface, reason)

    def end_cycle(self, cool_down: bool = True) -> None:
        """NONE, with a cool-down from now [37] or without."""
        self.state = "NONE"
        if cool_down:
            self.cool_down_until = self.clock + self.policy.cool_down

    def _close_if_lost(self, cause: str, before: str) -> None:
        failing = self.facts.failing(self.policy, self.clock)
        if failing is not None:
            self.close("policy" if cause == "policy" else failing)
        elif not self.policy.keep and self.facts.state in ("OUTSIDE", "DWELLING"):
            self.close("policy" if cause == "policy" else "left")

    def _change_mode(self) -> None:
        name, mode = self.cycle["phase"], self.cycle["mode"]
        in_force = [one for one in self.policy.in_force(self.clock) if one.name == name]
        now = self.mode_of(in_force[0]) if in_force else "off"
        if now != mode:
            self.close("policy", cool_down=now != "enforce")

    def _soften(self) -> None:
        """A milder policy applies at once [47]."""
        cycle, policy = self.cycle, self.policy
        phase = next(one for one in policy.phases if one.name == cycle["phase"])
        if cycle["window"] is not None and policy.window is not None:
            cycle["window"] = max(cycle["window"], policy.window)
        if phase.answer_by is not None and cycle["window"] is not None:
            cycle["answer_by"] = max(cycle["answer_by"] or EARLIEST, phase.answer_by)
        if self.state in ("DELIVERED", "DECLINED") and cycle["deadline_at"] is not None:
            base = self._promised(cycle["window"], cycle["answer_by"])
            later = self._reckoned(base, cycle["delivered_at"])
            if later is not None and later > cycle["deadline_at"]:
                cycle["counted"] = (base, cycle["delivered_at"])
                milder = base > self._promised(*cycle["pinned"])
                self.extend(later, "policy" if milder else "pause")
        for surface in SURFACES:
            throttle = cycle["throttles"].get(surface)
            if throttle and self.surface_mode(surface, throttle["reason"]) != throttle["mode"]:
                self.lift(surface, "policy")

    def surface_mode(self, surface: str, reason: str) -> str:
        """The mode in which a surface may be restricted: by pinned terms and the present policy."""
        pinned, present = self.cycle["surfaces"], self.policy.surfaces
        both_name = surface in pinned and surface in present
        if not both_name or reason not in self.cycle["on"] & self.policy.on:
            return "off"
        return weakest(self.cycle["mode"], pinned[surface][1], present[surface][1])

    def level(self, surface: str) -> str:
        """The milder of the pinned and the present level."""
        levels = (self.cycle["surfaces"][surface][0], self.policy.surfaces[surface][0])
        return min(levels, key=LEVELS.index)

    def _end_pause(self) -> None:
        """What stood still is made good by as much, once it goes on [39, 40]."""
        if self.state not in ("DELIVERED", "DECLINED") or self.cycle["deadline_at"] is None:
            return
        later = self._reckoned(*self.cycle["counted"])
        if later is not None:
            self.extend(later, "pause")

    def _promised(self, window: timedelta, answer_by: datetime | None) -> datetime:
        end: datetime = self.cycle["delivered_at"] + window
        return max(end, answer_by or EARLIEST)

    def _reckoned(self, deadline: datetime, since: datetime) -> datetime | None:
        """A deadline moved by each pause after `since` that begins before it; None: one goes on."""
        for start, end in self.brakes.stretches():
            start = max(start, since)
            if end is not None and end <= start:
                continue
            if start >= deadline:
                break
            if end is None:
                return None
            deadline += end - start
        return deadline

    def _renew_notice(self) -> None:
        policy = self.policy
        if self.state != "GRANTED" or not policy.renew:
            return
        mode = self.mode_of(self.facts.phase(policy, self.clock))
        if mode == "enforce" and self.cycle["notice"] != (policy.notice_id, policy.notice_version):
            self.emit("consent.voided", "notice")
            self.end_cycle(cool_down=False)

    def _may_issue(self) -> bool:
        free = self.caps.next_free("issued", self.clock) <= self.clock
        return free and not self.defers("issued", self.clock)

    def _reissue(self) -> None:
        if self.state == "UNDELIVERED" and self.cycle["reissue"] and self._may_issue():
            self.caps.take("issued", self.clock)
            self.state = "INVITED"
            self.cycle.update(issued_at=self.clock, reissue=False)
            self.emit("invitation.issued", "reissued")

    def _issue(self, waits: bool) -> None:
        if self.state != "NONE" or self.facts.state != "INSIDE":
            return
        policy = self.policy
        phase = self.facts.phase(policy, self.clock)
        assert phase is not None
        mode = self.mode_of(phase)
        time = self.limit or self.clock
        cooling = self.cool_down_until is not None and time < self.cool_down_until
        if cooling and self.cool_down_until is not None and self.cool_down_until <= self.clock:
            self._look_later(self.cool_down_until)
        if mode == "off" or cooling or not self.share(policy) or not self._may_issue():
            return
        if waits:
            self._look_later(self.cool_down_until or self.clock)
            return
        self.caps.take("issued", self.clock)
        self.cycles[mode] += 1
        self.cycle = {
            "number": self.cycles[mode],
            "mode": mode,
            "phase": phase.name,
            "notice": (policy.notice_id, policy.notice_version),
            "window": policy.window,
            "answer_by": phase.answer_by,
            "reminders": sorted(policy.reminders, reverse=True),
            "surfaces": dict(policy.surfaces),
            "on": policy.on,
            "issued_at": self.clock,
            "first_issued_at": self.clock,
            "receipts": set(),
            "delivered_at": None,
            "deadline_at": None,
            "pinned": (policy.window, phase.answer_by),
            "reissue": False,
            "throttles": {},
        }
        self.state = "INVITED"
        field = policy.field_of(self.facts.label)
        self.emit("invitation.issued", "over_line", phase=phase.name, field=field)
        if mode == "shadow":
            self.deliver(self.clock, "projected")


def run(
    policy: Policy, history: Iterable[tuple[datetime, str, Any]], end: datetime, **given: Any
) -> Life:
    """A life through a whole history, then until `end`."""
    life = Life(policy, **given)
    for now, name, value in history:
        life.apply(now, name, value)
    life.advance(end)
    return life
