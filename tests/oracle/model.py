"""One account's life: a deliberately simple second implementation.

schemas/CONTRACT.md, "Eligibility", "Invitation" and "Throttle".

Give it a totally ordered history, `apply(now, input, value, entered)` and `advance(until)`, and
read `events` and `deferrals()`. Inputs of one instant are one batch: timers act between instants,
never inside one. A worker that slept is told by `receive` for each input, then `round`.
Numbers in brackets are those of READINGS.md, which says what was read where the contract is open.

    NONE -> INVITED -> DELIVERED -> DECLINED -> EXPIRED -> GRANTED, with UNDELIVERED beside.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from schemas.enums import Deferral, Ignored
from tests.oracle.answers import AnswerRules
from tests.oracle.brakes import Brakes
from tests.oracle.controls import ControlRules
from tests.oracle.eligibility import OracleFacts, Pinned
from tests.oracle.inputs import InputRules
from tests.oracle.policy import SURFACES, OraclePhase, OraclePolicy
from tests.oracle.terms import TermRules
from tests.oracle.timers import TimerRules
from tests.oracle.words import Words

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
OPEN = ("INVITED", "UNDELIVERED", "DELIVERED", "DECLINED", "EXPIRED")
ENDS_BEFORE_ANSWERS = ("throttle", "ended")
"""Timers that act before an answer that entered after them."""


class OracleCaps(Protocol):
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


WORDS = ("notice-receipts", "consent-answers", "controls", "account-changes")


def plain_id(mode: str, cycle: int) -> str:
    """The invitation id that test histories use."""
    return f"{mode}-{cycle}"


class OracleLife(InputRules, AnswerRules, ControlRules, TermRules, TimerRules):
    """One account under one policy; `cycle` is the open invitation or the consent in force."""

    def __init__(
        self,
        policy: OraclePolicy,
        share: Callable[[OraclePolicy], bool] = lambda policy: True,
        caps: OracleCaps | None = None,
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
        self.behind = False
        """Something was due and had not acted when the input at hand came."""
        self.unstarted: datetime | None = None
        """In a batch read late: the last instant before a phase that began meanwhile [88]."""
        self.late_ends = False
        """What ends may have begun later than it was due: no answer is held against its end."""
        self.over = False
        """Whether the answer at hand entered after the end of what restricts."""
        self.limit: datetime | None = None
        """Of a round: up to which instant time has passed for it, now being later."""
        self.favourable_only = False
        """In a round of favourable timers: adverse events wait for the next look at the topics."""
        self.facts = OracleFacts()
        self.brakes = Brakes(policy.platform)
        self.words = Words()
        self.state = "NONE"
        self.cycle: dict[str, Any] = {}
        self.cycles = {"shadow": 0, "enforce": 0}
        self.sequences = {"shadow": 0, "enforce": 0}
        self.cool_downs: dict[str, datetime] = {}
        """By mode: a cool-down is that of a life, live or shadow [46]."""
        self.controls: list[tuple[datetime, str]] = []
        """The newest controls: the time and a digest of each."""
        self.had_control = False
        self.kept_readings: list[Any] = []
        self.kept_labels: list[Any] = []
        self.ignored: Counter[Ignored] = Counter()
        self.events: list[dict[str, Any]] = []

    def apply(self, now: datetime, name: str, value: Any, entered: datetime | None = None) -> None:
        """Take one input: a topic's name (or `policy`) and its value (None: tombstone).

        `refused` takes a topic whose record of this account was refused; `refusals` and `cluster`
        take whether the guard of the platform is tripped and the cluster seen to have changed.
        `entered`: when the record entered the log, by default now.
        """
        if now < self.clock:
            raise ValueError("a history is in order of its instants")
        if now > self.clock:
            self.run_timers(now, inclusive=False)
        self.receive(now, name, value, entered)

    def receive(
        self, now: datetime, name: str, value: Any, entered: datetime | None = None
    ) -> None:
        """Take one input with no look at the timers: for those who order both themselves."""
        self._note_start(now)
        self.clock = max(self.clock, now)
        entered = now if entered is None else entered
        self.behind, braked = self._behind(), self.brakes.position
        speaks = name in ("consent-answers", "notice-receipts") and not self.late_ends
        self.over = speaks and self._over_by(entered)
        if name in WORDS:
            self._note_overdue(entered)
        cause = self.take(name, value, entered)
        if self.patient and name in ("switches", "refusals", "cluster"):
            if self.brakes.position != braked:
                self._look_later(self.clock)
        else:
            if name in WORDS:
                # The look that a switch asked for comes with this word.
                self.look_at = None
            self.look_again(cause)

    def _over_by(self, entered: datetime) -> bool:
        """Whether what restricts had ended when an answer entered: it is one after that end.

        The end itself is a matter of the rounds: an answer read late does not hasten it [75].
        """
        return any(
            kind in ENDS_BEFORE_ANSWERS and due < entered and due <= self.clock
            for due, _, kind, _ in self.due_timers()
        )

    def _behind(self) -> bool:
        """Whether something is due that has not acted: it comes first."""
        return any(due <= self.clock for due, *_ in self.due_timers())

    def _note_start(self, now: datetime) -> None:
        """An input is judged before what is due and has not acted: also the start of a phase."""
        phases = self.policy.phases
        if not self.patient or self.unstarted or not self.facts.runs(phases):
            return
        starts = [phase.start for phase in phases if phase.start and self.clock < phase.start]
        if starts and min(starts) <= now:
            self.unstarted = min(starts) - MILLISECOND

    def bound(self) -> datetime:
        """As of when an input is judged: before anything that is due and has not acted [86]."""
        due = [due for due, *_ in self.due_timers() if due <= self.clock]
        return min(due) - MILLISECOND if due else self.clock

    def _look_later(self, at: datetime) -> None:
        self.look_at = at if self.look_at is None else min(at, self.look_at)

    def advance(self, until: datetime) -> None:
        """Time passes; everything that is due by then happens."""
        self.run_timers(until, inclusive=True)
        self.clock = max(self.clock, until)

    def ignore(self, why: Ignored) -> None:
        """An input changed nothing."""
        self.ignored[why] += 1

    @property
    def pinned(self) -> Pinned | None:
        """What the open cycle pinned about leaving; None if none is open."""
        return self.cycle["pinned_exit"] if self.state in OPEN else None

    def look_again(self, cause: str) -> None:
        """Conditions anew, after anything at all has happened."""
        self._look_once(cause)
        kept = self.release_kept()
        if kept is not None:
            self._look_once(kept)

    def _look_once(self, cause: str) -> None:
        before = self.facts.state
        self._stand(cause)
        if self.state in OPEN:
            self._close_if_lost(cause)
        if self.state in OPEN:
            self._change_mode()
        # In one step with what ends the cycle: a later deadline of it is not worth a word.
        self._end_pause()
        if self.state in OPEN:
            self._soften()
        self._renew_notice()
        # Without an open cycle another line counts, and no LEAVING.
        self._stand("input")
        self._reissue(waits=self.patient and cause != "timer" and self.behind)
        by_itself = not self.policy.dwell and before in ("OUTSIDE", "DWELLING")
        self._issue(waits=self.patient and cause != "timer" and not by_itself)
        # A pause whose last record is stamped ahead reaches into a life that is delivered at once.
        self._end_pause()

    def _stand(self, cause: str) -> None:
        self.facts.look(self.policy, self.unstarted or self.clock, cause, self.pinned)

    def grounds(self, kind: str, now: datetime) -> list[Deferral]:
        """What `issued|reminded|expired|renewed` has to wait for at `now`; caps not asked."""
        leaving = self.facts.state == "LEAVING"
        stale = self.facts.stale(self.policy, now, self.pinned)
        also = {Deferral.LEAVING: leaving, Deferral.STALE: stale}
        return [*self.brakes.grounds(kind), *(ground for ground, holds in also.items() if holds)]

    def defers(self, kind: str, now: datetime) -> bool:
        """Whether `issued|reminded|expired|renewed` has to wait at `now`; caps not asked."""
        return bool(self.grounds(kind, now))

    def emit(self, event: str, reason: str, mode: str | None = None, **fields: Any) -> None:
        """One event of the cycle at hand, next in its mode's sequence; `life`: the cycle's mode."""
        mode = mode or self.cycle["mode"]
        self.sequences[mode] += 1
        head = {"event": event, "reason": reason, "mode": mode, "cycle": self.cycle["number"]}
        head["life"] = self.cycle["mode"]
        self.events.append(
            {**head, "sequence": self.sequences[mode], "decided_at": self.clock, **fields}
        )

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
        """NONE, with a cool-down from now [46] or without."""
        self.state = "NONE"
        self.brakes.unclear.cycle_ended(self.clock)
        if cool_down:
            self.cool_downs[self.cycle["mode"]] = self.clock + self.policy.cool_down

    def _close_if_lost(self, cause: str) -> None:
        failing = self.facts.failing(self.policy, self.clock)
        if failing is not None:
            self.close("policy" if cause == "policy" else failing)
        elif self.facts.state in ("OUTSIDE", "DWELLING"):
            self.close("policy" if cause == "policy" else "left")

    def _change_mode(self) -> None:
        name, mode = self.cycle["phase"], self.cycle["mode"]
        in_force = [one for one in self.policy.in_force(self.clock) if one.name == name]
        now = self.policy.mode_of(in_force[0]) if in_force else "off"
        if now != mode:
            self.close("policy")

    def _renew_notice(self) -> None:
        policy = self.policy
        if self.state != "GRANTED" or not policy.renew:
            return
        phase = self.facts.phase(policy, self.clock)
        known = self.cycle["notices"][self.cycle["consent"]][:2]
        live = phase is not None and policy.mode_of(phase) == "enforce"
        if live and known != (policy.notice_id, policy.notice_version):
            self.emit("consent.voided", "notice")
            self.end_cycle(cool_down=False)

    def may_issue(self) -> bool:
        """Whether nothing defers an invitation and the cap leaves one."""
        free = self.caps.next_free("issued", self.clock) <= self.clock
        return free and not self.adverse_waits() and not self.defers("issued", self.clock)

    def _reissue(self, waits: bool) -> None:
        if self.state not in ("INVITED", "UNDELIVERED") or self.cycle["reissue"] is None:
            return
        if waits:
            self._look_later(self.clock)
        elif self.may_issue():
            self.caps.take("issued", self.clock)
            self.state = "INVITED"
            self.cycle.update(issued_at=self.clock, reissue=None)
            self.emit("invitation.issued", "reissued")

    def invitable(self) -> OraclePhase | None:
        """The phase to be invited under, if nothing but a deferral, a cap or a cool-down waits."""
        if self.state != "NONE" or self.facts.state != "INSIDE" or not self.share(self.policy):
            return None
        until = self.facts.label_until
        if until is not None and until <= self.clock:
            # Its end acts after the inputs of this instant, but it is over [11].
            return None
        phase = self.facts.phase(self.policy, self.clock)
        return phase if phase and self.policy.mode_of(phase) != "off" else None

    def _issue(self, waits: bool) -> None:
        phase = self.invitable()
        if phase is None:
            return
        mode = self.policy.mode_of(phase)
        until = self.cool_downs.get(mode)
        cooling = until is not None and (self.limit or self.clock) < until
        if cooling and until is not None and until <= self.clock:
            self._look_later(until)
        if cooling or not self.may_issue():
            return
        if waits:
            self._look_later(until or self.clock)
            return
        self.caps.take("issued", self.clock)
        self.cycles[mode] += 1
        self.cycle = self.new_cycle(phase, mode, self.cycles[mode])
        self.state = "INVITED"
        self.facts.dwell_used = True
        field = self.policy.field_of(self.facts.label)
        self.emit("invitation.issued", "over_line", phase=phase.name, field=field)
        if mode == "shadow":
            self.deliver(self.clock, "projected")

    def deferrals(self) -> list[tuple[str, list[Deferral]]]:
        """Adverse events that are due and wait, each with what it waits for."""
        waiting = [(event, self._waits_for(kind)) for event, kind in self.overdue()]
        return [(event, grounds) for event, grounds in waiting if grounds]

    def _waits_for(self, kind: str) -> list[Deferral]:
        grounds = self.grounds(kind, self.clock)
        capped = {"issued": "issued", "expired": "throttled"}.get(kind)
        if capped and self.caps.next_free(capped, self.clock) > self.clock:
            grounds.append(Deferral.CAP)
        return grounds


def run(
    policy: OraclePolicy, history: Iterable[tuple[datetime, str, Any]], end: datetime, **given: Any
) -> OracleLife:
    """A life through a whole history, then until `end`."""
    life = OracleLife(policy, **given)
    for now, name, value in history:
        life.apply(now, name, value)
    life.advance(end)
    return life
