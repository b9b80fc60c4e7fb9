"""What the auditor knows about one account: bounded by the policy's surfaces and a few numbers.

Holds, appeals and unclear words are kept as a lower bound: only where the contract leaves no doubt,
and only until they may have ended. So everything that is reported as a breach is one.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.enums import Change
from streams.operate.audit.switch_log import NEVER
from streams.operate.audit.terms import Terms
from streams.operate.audit.words import Spoken

OPEN = frozenset({"INVITED", "UNDELIVERED", "DELIVERED", "DECLINED", "EXPIRED"})
REMEMBERED_RECEIPTS = 100
REMEMBERED_STOPS = 256


@dataclass(slots=True)
class Restriction:
    """A restriction in force. `mode` is the one in which it was announced."""

    throttle_id: str
    mode: str
    place: str
    effective_at: int
    expires_at: int


@dataclass(slots=True)
class Word:
    """An owner's or notifier's word on a cycle: its time, when it entered Kafka, where it lies.

    `version` is the notice that it names; `other` the withdrawal or refusal that makes it stale.
    """

    at: int
    arrived_at: int
    place: str
    version: str | None = None
    other: int | None = None


@dataclass(slots=True)
class Cycle:
    """One invitation and all that follows. `terms` None: its issue was not seen."""

    number: int
    invitation_id: str
    mode: str
    place: str
    terms: Terms | None
    issued_at: int
    edition: int = 1
    asked_at: int = 0
    phase: str = ""
    line: int = 0
    notice_version: str = ""
    versions: list[str] = field(default_factory=list)
    consented: str = ""
    consents_from: int = 0
    window: int | None = None
    answer_by: int | None = None
    surfaces: frozenset[str] = frozenset()
    state: str = "INVITED"
    delivered_at: int | None = None
    delivered_place: str = ""
    deliveries: int = 0
    reminders: list[int] = field(default_factory=list)
    deadline_at: int | None = None
    floor_at: int = -NEVER
    waiting_floor_at: int = -NEVER
    expired_at: int | None = None
    expired_place: str = ""
    withdrawn_at: int | None = None
    followers: int | None = None
    barred: str = ""
    ended: bool = False
    receipt: Word | None = None
    delivery: Word | None = None
    failure: Word | None = None
    failed_at: int = -NEVER
    may_end_at: int = NEVER
    newest_failure_at: int = -NEVER
    receipts: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED_RECEIPTS))
    grants: deque[Word] = field(default_factory=lambda: deque(maxlen=REMEMBERED_STOPS))
    granted: Word | None = None
    stale_grant: Word | None = None
    declined: Word | None = None
    reissues: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    active: dict[str, Restriction] = field(default_factory=dict)

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
class Unclear:
    """Unclear words of one kind: the times of the first and the newest, where the newest lies.

    `said_at` is the newest's own time where it could be read; `entered_at` when it entered.
    """

    first: int
    newest: int
    entered_at: int
    said_at: int | None
    place: str


@dataclass(slots=True)
class Account:
    """One account, all modes; not `whole`: its life may have begun before reading did."""

    key: str
    whole: bool = True
    sequences: dict[str, int] = field(default_factory=dict)
    last_cycles: dict[str, int] = field(default_factory=dict)
    cycles: dict[str, Cycle] = field(default_factory=dict)
    holds_until: int = 0
    hold_place: str = ""
    hold_at: int = -NEVER
    appeals: dict[str, tuple[int, str]] = field(default_factory=dict)
    upheld: tuple[int, str] | None = None
    unmarked_at: int = -NEVER
    unclear: dict[str, Unclear] = field(default_factory=dict)
    exempt_place: str = ""
    closed_place: str = ""
    spoken: dict[str, Spoken] = field(default_factory=dict)
    changed: dict[str, tuple[int, Change | None]] = field(default_factory=dict)
    last_answer_at: int = -NEVER
    last_answers: frozenset[str] = frozenset()
    takebacks: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED_STOPS))
    withdrawn_place: str = ""
    withdrawn_answer_at: int = -NEVER
    label_at: int = -NEVER
    label: str | None = None
    label_until: int | None = None
    label_over_at: int | None = None
    label_removed_at: int = -NEVER
    label_read_at: int = -NEVER
    label_gone: str = ""
    reading_at: int = -NEVER
    counted_at: int = -NEVER
    counted_place: str = ""
    forgotten_place: str = ""
    followers: int | None = None
    below_since: int | None = None
    below_place: str = ""
    left_at: int | None = None
    below: deque[tuple[int, int, str]] = field(default_factory=lambda: deque(maxlen=8))
    controls: OrderedDict[str, int] = field(default_factory=OrderedDict)
    due: list[Due] = field(default_factory=list)
    stops: deque[list[int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED_STOPS))
    stopped: dict[str, int] = field(default_factory=dict)

    def named(self, invitation_id: str) -> Cycle | None:
        """The cycle of that invitation, of those remembered (the last of each mode)."""
        for cycle in self.cycles.values():
            if cycle.invitation_id == invitation_id:
                return cycle
        return None

    def answering(self) -> Cycle | None:
        """The live cycle that an answer may belong to: the last one, if it has not ended."""
        cycle = self.cycles.get("enforce")
        return cycle if cycle and (cycle.open or cycle.state == "GRANTED") else None

    def open_cycles(self) -> Iterable[Cycle]:
        """Every cycle that is open."""
        return [cycle for cycle in self.cycles.values() if cycle.open]

    def heard_of(self, kind: str) -> Spoken:
        """The words of this kind that were read so far."""
        return self.spoken.setdefault(kind, Spoken(self.whole))

    def withdraw(self, at: int, place: str) -> None:
        """The owner said no more: the latest such word is kept, through all cycles."""
        if at >= self.withdrawn_answer_at:
            self.withdrawn_answer_at, self.withdrawn_place = at, place

    def stop(self, why: str, at: int) -> None:
        """The clock of the answer stands still from here, for this ground."""
        self.stopped[why] = min(at, self.stopped.get(why, at))

    def go(self, why: str, at: int) -> None:
        """This ground no longer stops the clock."""
        start = self.stopped.pop(why, None)
        if start is not None and at > start:
            self.stops.append([start, at])

    def release_expired_hold(self, at: int) -> None:
        """A hold ends by itself at its `expires_at`."""
        if self.hold_place and self.holds_until <= at:
            ended, self.hold_place = self.holds_until, ""
            self.holds_until = 0
            self.go("hold", ended)

    def said(self, name: str) -> None:
        """What was due under this name has been said."""
        self.due = [due for due in self.due if due.name != name]

    def end_unclear(self, kind: str, at: int) -> None:
        """Unclear words of a kind are over."""
        if self.unclear.pop(kind, None) is not None:
            self.go(f"unclear {kind}", at)
