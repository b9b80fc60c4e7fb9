"""What the auditor knows of one account: bounded by the policy's surfaces and a few numbers."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.words import Change
from streams.operate.audit.terms import Terms

OPEN = frozenset({"INVITED", "UNDELIVERED", "DELIVERED", "DECLINED", "EXPIRED"})
REMEMBERED_CONTROLS = 64
NEVER = 1 << 62


@dataclass(slots=True)
class Restriction:
    """A restriction in force: `mode` is the one it was announced in."""

    throttle_id: str
    mode: str
    place: str
    effective_at: int
    expires_at: int


@dataclass(slots=True)
class Word:
    """An owner's or notifier's word on a cycle: when it was given, when it reached Kafka, where."""

    at: int
    arrived_at: int
    place: str


@dataclass(slots=True)
class Cycle:
    """One invitation and all that follows. `terms` None: its issue was not seen."""

    number: int
    invitation_id: str
    mode: str
    place: str
    terms: Terms | None
    issued_at: int
    asked_at: int = 0
    phase: str = ""
    line: int = 0
    notice_version: str = ""
    window: int | None = None
    answer_by: int | None = None
    surfaces: frozenset[str] = frozenset()
    state: str = "INVITED"
    delivered_at: int | None = None
    delivered_place: str = ""
    deadline_at: int | None = None
    expired_at: int | None = None
    expired_place: str = ""
    withdrawn_at: int | None = None
    followers: int | None = None
    barred: str = ""
    receipt: Word | None = None
    granted: Word | None = None
    declined: Word | None = None
    ids: set[str] = field(default_factory=set)
    active: dict[str, Restriction] = field(default_factory=dict)
    stops: list[list[int]] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether the cycle can still restrict."""
        return self.state in OPEN


@dataclass(slots=True)
class Due:
    """What must have been said by the end of the transaction: a breach's name, its record."""

    name: str
    place: str
    detail: str
    surface: str = ""


@dataclass(slots=True)
class Account:
    """One account, all modes."""

    key: str
    sequences: dict[str, int] = field(default_factory=dict)
    last_cycles: dict[str, int] = field(default_factory=dict)
    cycles: dict[str, Cycle] = field(default_factory=dict)
    holds_until: int = 0
    hold_place: str = ""
    appeal_place: str = ""
    exempt_place: str = ""
    closed_place: str = ""
    changed: dict[str, tuple[int, Change | None]] = field(default_factory=dict)
    last_answer_at: int = -NEVER
    last_answers: frozenset[str] = frozenset()
    withdrawn_place: str = ""
    withdrawn_answer_at: int = -NEVER
    label_at: int = -NEVER
    reading_at: int = -NEVER
    below_since: int | None = None
    controls: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED_CONTROLS))
    due: list[Due] = field(default_factory=list)

    def named(self, invitation_id: str) -> Cycle | None:
        """The cycle of that invitation, of those remembered (the last of each mode)."""
        for cycle in self.cycles.values():
            if cycle.invitation_id == invitation_id:
                return cycle
        return None

    def answering(self) -> Cycle | None:
        """The live cycle that may be answered: the last one, if it is not over."""
        cycle = self.cycles.get("enforce")
        return cycle if cycle and (cycle.open or cycle.state == "GRANTED") else None

    def heard(self, at: int, answer: str) -> bool:
        """Whether an answer is older than the owner's newest, or that one once more.

        Of one instant a withdrawal wins over a grant.
        """
        then = self.last_answers if at == self.last_answer_at else frozenset()
        withdrawn = answer == "granted" and "withdrawn" in then
        return at < self.last_answer_at or answer in then or withdrawn

    def remember(self, at: int, answer: str) -> None:
        """The owner's newest answer; of one instant there may be several."""
        same = self.last_answers if at == self.last_answer_at else frozenset()
        self.last_answer_at, self.last_answers = at, same | {answer}

    def withdraw(self, at: int, place: str) -> None:
        """The owner said no more: the latest such word is kept, through all cycles."""
        if at >= self.withdrawn_answer_at:
            self.withdrawn_answer_at, self.withdrawn_place = at, place

    def stop(self, at: int) -> None:
        """The clock of the answer stands still from here."""
        for cycle in self.cycles.values():
            if cycle.open and (not cycle.stops or cycle.stops[-1][1] != NEVER):
                cycle.stops.append([at, NEVER])

    def go(self, at: int) -> None:
        """The clock of the answer runs again, unless something else of this account stops it."""
        if self.appeal_place or self.holds_until > at:
            return
        for cycle in self.cycles.values():
            if cycle.stops and cycle.stops[-1][1] == NEVER:
                cycle.stops[-1][1] = at

    def release_expired_hold(self, at: int) -> None:
        """A hold ends by itself at its `expires_at`."""
        if self.hold_place and self.holds_until <= at:
            ended, self.hold_place = self.holds_until, ""
            self.holds_until = 0
            self.go(ended)


@dataclass(slots=True)
class Brakes:
    """The switches of a partition as its log saw them, and when the clock stood still."""

    on: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    pauses: dict[str, list[list[int]]] = field(default_factory=dict)

    def turn(self, scope: str, switch: str, on: bool, issued_at: int, place: str) -> None:
        """A switch was seen to turn."""
        running = self.on.pop((scope, switch), None)
        if on:
            self.on[scope, switch] = running or (issued_at, place)
        elif running and switch in ("adverse_off", "answers_paused"):
            self.pauses.setdefault(scope, []).append([running[0], issued_at])

    def stopping(self, platform: str, event: str) -> str | None:
        """Where the brake lies that forbids this adverse event now, if one does."""
        for (scope, switch), (_, place) in self.on.items():
            if scope in ("*", platform) and event in STOPPED_BY[switch]:
                return place
        return None

    def of(self, platform: str) -> Iterable[list[int]]:
        """The pauses of the answer clock on a platform that are over."""
        return [*self.pauses.get("*", ()), *self.pauses.get(platform, ())]


STOPPED_BY: dict[str, frozenset[str]] = {
    "adverse_off": frozenset(
        {
            "invitation.issued",
            "invitation.reminded",
            "invitation.expired",
            "throttle.applied",
            "throttle.renewed",
        }
    ),
    "invitations_off": frozenset({"invitation.issued"}),
    "throttles_off": frozenset({"invitation.expired", "throttle.applied", "throttle.renewed"}),
    "answers_paused": frozenset({"invitation.reminded", "invitation.expired", "throttle.applied"}),
}


def with_pauses(base: int, delivered_at: int, pauses: Iterable[list[int]]) -> int:
    """The deadline when the clock stood still in these intervals.

    Each pause that begins before the deadline moves it; one that is not over yet moves nothing.
    """
    deadline, reached = base, delivered_at
    for start, end in sorted(it for it in pauses if it[1] != NEVER):
        begin = max(start, reached)
        if begin < deadline and end > begin:
            deadline += end - begin
            reached = end
    return deadline
