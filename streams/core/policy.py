"""A policy as a frozen value: lines, fields, windows, consequences of one platform (contract section 6).

It refuses nonsense when it is made; reading it from YAML, with file and line, is `streams/policies.py`.
All durations are milliseconds, all instants milliseconds UTC. What a platform did not announce is None.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property

import msgspec

from schemas.words import Field, Level, Mode, Surface

MODE_ORDER = (Mode.OFF, Mode.SHADOW, Mode.ENFORCE)


def weakest(*modes: Mode) -> Mode:
    """The weakest of several modes wins."""
    return min(modes, key=MODE_ORDER.index)


@dataclass(frozen=True, slots=True)
class Notice:
    """What the owner is told and how long there is to answer; `reminders` are before the deadline."""

    id: str
    version: str
    renew: bool
    answer_window: int | None
    reminders: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Phase:
    """A follower line in force from an instant; `starts_at` None: not in force, counts for the floor."""

    name: str
    followers: int
    starts_at: int | None
    answer_by: int | None
    mode: Mode | None


@dataclass(frozen=True, slots=True)
class Stability:
    """How long a crossing must last, how far one must fall, how soon a new cycle may start."""

    dwell: int
    exit_ratio_ppm: int
    leave_after: int
    cool_down: int
    max_age: int | None


@dataclass(frozen=True, slots=True)
class Restriction:
    """What happens on one surface."""

    level: Level
    mode: Mode | None


@dataclass(frozen=True, slots=True)
class Consequence:
    """Restrictions by surface (None: not announced), on which answers, reviewed and ended when."""

    surfaces: Mapping[Surface, Restriction] | None
    on: frozenset[str]
    review_after: int
    expires_after: int


@dataclass(frozen=True, slots=True)
class Guards:
    """Rates, in parts per million, at which a platform's adverse events stop by themselves.

    Each is taken over a sliding window of `window` milliseconds per partition, once at least `minimum`
    cases are in it. None: that guard is not set.
    """

    window: int
    minimum: int
    undelivered_ppm: int | None
    overturned_ppm: int | None
    sudden_eligible_ppm: int | None
    sudden_drop_ppm: int | None


@dataclass(frozen=True)
class Policy:
    """One platform's rule. `digest` is of the canonical form and does not depend on the file's layout."""

    platform: str
    version: int
    mode: Mode
    notice: Notice
    impact_assessment: str | None
    approvals: tuple[tuple[str, int], ...]
    phases: tuple[Phase, ...]
    covered: frozenset[Field] | None
    """None: any field."""
    labels: Mapping[str, Field]
    exempt_labels: frozenset[str]
    stability: Stability
    consequence: Consequence
    keep_on_fall_below: bool
    invitations_per_day: int
    throttles_per_hour: int
    rollout_percent: int
    guards: Guards | None

    @cached_property
    def canonical(self) -> bytes:
        """The policy as canonical JSON: keys sorted, sets sorted, integers only."""
        plain = asdict(self)
        plain["covered"] = None if self.covered is None else sorted(self.covered)
        plain["exempt_labels"] = sorted(self.exempt_labels)
        plain["consequence"]["on"] = sorted(self.consequence.on)
        return msgspec.json.encode(plain, order="sorted")

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form, in hex."""
        return hashlib.sha256(self.canonical).hexdigest()

    @cached_property
    def floor(self) -> int:
        """The lowest line of any phase, future ones included, times the exit ratio, rounded up."""
        lowest = min(phase.followers for phase in self.phases)
        return -(-lowest * self.stability.exit_ratio_ppm // 1_000_000)

    def phase_mode(self, phase: Phase) -> Mode:
        """The mode of a phase: its own or the policy's, the weaker."""
        return weakest(self.mode, phase.mode or self.mode)

    def surface_mode(self, restriction: Restriction, cycle_mode: Mode) -> Mode:
        """The mode of a surface in a cycle of a mode: the weakest wins."""
        return weakest(cycle_mode, self.mode, restriction.mode or self.mode)

    def field_of(self, label: str | None) -> Field | None:
        """The covered field that a label means, or None: unknown, exempt and uncovered labels."""
        if label is None or label in self.exempt_labels:
            return None
        field = self.labels.get(label)
        if field is None or (self.covered is not None and field not in self.covered):
            return None
        return field

    def knows(self, label: str) -> bool:
        """Whether the label is in the policy's map; the text of any other is never kept."""
        return label in self.labels or label in self.exempt_labels
