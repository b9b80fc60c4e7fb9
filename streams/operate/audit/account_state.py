"""The auditor's state of one account, bounded in size.

Holds, appeals and unclear words are kept only where the contract leaves no doubt that they exist,
and only until they may have ended. So every breach that is reported because of them is one.
Times are in ms, an `…_at` of -NEVER means never; a place (`throttles[3]@17`) is where a record
lies, empty if there is none.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.enums import Change
from streams.operate.audit.switch_log import NEVER
from streams.operate.audit.terms import AuditedTerms
from streams.operate.audit.words import Spoken

OPEN = frozenset({"INVITED", "UNDELIVERED", "DELIVERED", "DECLINED", "EXPIRED"})
REMEMBERED_RECEIPTS = 100
REMEMBERED_STOPS = 256


@dataclass(slots=True)
class AuditedRestriction:
    """A restriction in force. `mode`: that of the event that applied it."""

    throttle_id: str
    mode: str
    place: str
    effective_at: int
    expires_at: int


@dataclass(slots=True)
class Word:
    """An answer or a receipt: its time (`at`), its entry into Kafka (`arrived_at`), its place.

    `version`: the notice version that it names. `other`: the time of the withdrawal or refusal that
    makes it stale.
    """

    at: int
    arrived_at: int
    place: str
    version: str | None = None
    other: int | None = None


@dataclass(slots=True)
class AuditedCycle:
    """One invitation and all that follows from it.

    `terms`: the policy pinned at its issue; None: its issue was not read. `asked_at`: the first
    issue, `issued_at`: the last. `versions`: the notice versions in force since. `floor_at`: the
    deadline must not be before it; `waiting_floor_at`: the same, once the state takes it.
    `may_end_at`: from when on it may have ended by itself. `barred`: the control that forbids it to
    restrict. `freed`: by surface, the lift that a milder policy brought.
    """

    number: int
    invitation_id: str
    mode: str
    place: str
    terms: AuditedTerms | None
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
    active: dict[str, AuditedRestriction] = field(default_factory=dict)
    freed: dict[str, str] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether the cycle can still restrict."""
        return self.state in OPEN


@dataclass(slots=True)
class Due:
    """An event that must be published by the end of the transaction.

    `name` is the breach that is reported if it is not, `place` the record that makes it due.
    """

    name: str
    place: str
    detail: str
    surface: str = ""


@dataclass(slots=True)
class AuditedUnclear:
    """Unclear inputs of one kind: times of the first and newest, and the place of one.

    `said_at`: the latest stated time that could be read. `entered_at`: the latest entry into Kafka.
    """

    first: int
    newest: int
    entered_at: int
    said_at: int | None
    place: str


@dataclass(slots=True)
class AuditedAccount:
    """One account in all modes. `whole` is false if it may have inputs from before reading began.

    `below_since` and `left_at`: since when it is below its exit line, and when it has left.
    `below`: counts below the line and labels not covered (-1) that cut a dwell short. `stopped`:
    what stops the answer clock now, and since when; `stops`: the ended stops (start, end).
    `takebacks`: the times of withdrawals and refusals.
    """

    key: str
    whole: bool = True
    sequences: dict[str, int] = field(default_factory=dict)
    last_cycles: dict[str, int] = field(default_factory=dict)
    cycles: dict[str, AuditedCycle] = field(default_factory=dict)
    holds_until: int = 0
    hold_place: str = ""
    hold_at: int = -NEVER
    appeals: dict[str, tuple[int, str]] = field(default_factory=dict)
    upheld: tuple[int, str] | None = None
    unmarked_at: int = -NEVER
    unclear: dict[str, AuditedUnclear] = field(default_factory=dict)
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

    def named(self, invitation_id: str) -> AuditedCycle | None:
        """Returns the cycle of that invitation if it is the last of its mode, else None."""
        for cycle in self.cycles.values():
            if cycle.invitation_id == invitation_id:
                return cycle
        return None

    def answering(self) -> AuditedCycle | None:
        """Returns the cycle in enforce that an answer may belong to; None if it has ended."""
        cycle = self.cycles.get("enforce")
        return cycle if cycle and (cycle.open or cycle.state == "GRANTED") else None

    def open_cycles(self) -> Iterable[AuditedCycle]:
        """Returns the cycles that can still restrict."""
        return [cycle for cycle in self.cycles.values() if cycle.open]

    def heard_of(self, kind: str) -> Spoken:
        """Returns the inputs of this kind that were read so far."""
        return self.spoken.setdefault(kind, Spoken(self.whole))

    def withdraw(self, at: int, place: str) -> None:
        """Stores the owner's latest withdrawal, which outlives its cycle."""
        if at >= self.withdrawn_answer_at:
            self.withdrawn_answer_at, self.withdrawn_place = at, place

    def stop(self, why: str, at: int) -> None:
        """Stops the answer clock from `at` on, for the ground `why`."""
        self.stopped[why] = min(at, self.stopped.get(why, at))

    def go(self, why: str, at: int) -> None:
        """Ends the stop of the answer clock that has the ground `why`."""
        start = self.stopped.pop(why, None)
        if start is not None and at > start:
            self.stops.append([start, at])

    def release_expired_hold(self, at: int) -> None:
        """Ends a hold whose `expires_at` has passed."""
        if self.hold_place and self.holds_until <= at:
            ended, self.hold_place = self.holds_until, ""
            self.holds_until = 0
            self.go("hold", ended)

    def said(self, name: str) -> None:
        """Removes what was due under this name: the event has been published."""
        self.due = [due for due in self.due if due.name != name]

    def end_unclear(self, kind: str, at: int) -> None:
        """Ends the unclear inputs of this kind, and their stop of the answer clock."""
        if self.unclear.pop(kind, None) is not None:
            self.go(f"unclear {kind}", at)
