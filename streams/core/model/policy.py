"""A policy as a frozen value: lines, fields, windows and consequences of one platform.

schemas/CONTRACT.md, "Policies".

Each class here checks its values when it is made, and raises ValueError. The package
`streams/policies` reads a policy from YAML, and reports file and line of an error. All durations
are milliseconds, all instants milliseconds UTC. A value that the platform did not announce is None.
A *line* is the follower number of a phase; a *label* is the platform's category text, and a *field*
Byline's common term for it; a *surface* is a place where an account earns or is shown.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import pairwise

import msgspec

from schemas.enums import (
    ID_PATTERN,
    MAX_CATEGORY_LENGTH,
    MAX_FOLLOWERS,
    PLATFORM_PATTERN,
    Field,
    Ground,
    Level,
    Mode,
    Surface,
)
from streams.core.model.labels import folded_label

ANSWERS = (Ground.DECLINED, Ground.NO_ANSWER)
"""The causes of a restriction: a refusal, or no answer until the end of the window."""

PPM = 1_000_000

SHANGHAI_OFFSET_MINUTES = 8 * 60
MOST_REMINDERS = 10
MAX_REFERENCE_LENGTH = 128

MODE_ORDER = (Mode.OFF, Mode.SHADOW, Mode.ENFORCE)
_rank = {mode: rank for rank, mode in enumerate(MODE_ORDER)}.__getitem__


def weakest(*modes: Mode) -> Mode:
    """Returns the weakest of several modes: `off` before `shadow` before `enforce`."""
    return min(modes, key=_rank)


def exit_line(line: int, exit_ratio_ppm: int) -> int:
    """Returns the exit line, rounded up: the lowest follower count that is not below it."""
    return -(-line * exit_ratio_ppm // PPM)


def _require(holds: bool, what: str) -> None:
    """Checks a condition of a policy.

    Raises:
        ValueError: it does not hold; the text `what` says what must hold.
    """
    if not holds:
        raise ValueError(what)


_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Filler characters: Unicode classes them as letters, but they are blank."""


def is_reference(text: str) -> bool:
    """Whether a text has the form of a document reference: one printable word without `@`.

    The text unlocks the mode `enforce` and is sent in every statement of reasons. So it must be
    neither blank nor a sentence, which may contain a person's name.
    """
    return (
        1 <= len(text) <= MAX_REFERENCE_LENGTH
        and text.isprintable()
        and "@" not in text
        and " " not in text
        and not _BLANK_LETTERS.intersection(text)
    )


@dataclass(frozen=True, slots=True)
class Notice:
    """The notice to the owner, and the answer window.

    `reminders`: how long before the deadline each reminder is sent, in milliseconds. `renew`: this
    version voids consents to older ones.
    """

    id: str
    version: str
    renew: bool
    answer_window: int | None
    reminders: tuple[int, ...]

    def __post_init__(self) -> None:
        window = self.answer_window
        for text in (self.id, self.version):
            _require(re.fullmatch(ID_PATTERN, text) is not None, "a notice id or version is an id")
        _require(window is None or window > 0, "an answer window is longer than zero")
        _require(len(self.reminders) <= MOST_REMINDERS, "a notice has at most ten reminders")
        for reminder in self.reminders:
            _require(reminder > 0, "a reminder is before the deadline")
            _require(window is None or reminder <= window, "a reminder is within the window")


@dataclass(frozen=True, slots=True)
class Phase:
    """A follower line that applies from `starts_at` on.

    If `starts_at` is None the phase is never in force, but it counts for the floor. `answer_by`:
    the earliest possible deadline. `mode`: None means that of the policy.
    """

    name: str
    followers: int
    starts_at: int | None
    answer_by: int | None
    mode: Mode | None
    utc_offset_minutes: int = field(default=SHANGHAI_OFFSET_MINUTES, compare=False)
    """The time zone of `from` in the policy file, for statements. Not in the canonical form."""

    def __post_init__(self) -> None:
        _require(re.fullmatch(ID_PATTERN, self.name) is not None, "a phase's name is an id")
        _require(1 <= self.followers <= MAX_FOLLOWERS, "a line is 1 to 10^10 followers")
        if self.starts_at is not None and self.answer_by is not None:
            _require(self.answer_by > self.starts_at, "answer_by is after the phase's start")


@dataclass(frozen=True, slots=True)
class Stability:
    """The waiting times that keep short changes of the follower count from having an effect.

    `dwell`: how long an account must stay at or above the line before an invitation.
    `exit_ratio_ppm`: the exit line as a share of the line. `leave_after`: how long an account must
    stay below the exit line to leave. `cool_down`: the time from the end of a cycle to a new one.
    `max_age`: how old a reading may be for an adverse event.
    """

    dwell: int
    exit_ratio_ppm: int
    leave_after: int
    cool_down: int
    max_age: int | None

    def __post_init__(self) -> None:
        for length in (self.dwell, self.leave_after, self.cool_down):
            _require(length >= 0, "a duration is not negative")
        _require(0 < self.exit_ratio_ppm <= PPM, "an exit ratio is above 0 and at most 1")
        _require(self.max_age is None or self.max_age > 0, "max_age is longer than zero")


@dataclass(frozen=True, slots=True)
class Restriction:
    """The restriction of one surface. `mode`: None means that of the policy."""

    level: Level
    mode: Mode | None


@dataclass(frozen=True, slots=True)
class Consequence:
    """The restrictions that may follow an expired invitation.

    `surfaces`: by surface; None if not announced. `on`: the causes (see `ANSWERS`).
    """

    surfaces: Mapping[Surface, Restriction] | None
    on: frozenset[str]
    review_after: int
    expires_after: int

    def __post_init__(self) -> None:
        _require(self.on <= frozenset(ANSWERS), "a consequence follows declined or no_answer")
        _require(
            0 < self.review_after <= self.expires_after,
            "a restriction is reviewed before it expires, and lasts longer than zero",
        )


@dataclass(frozen=True, slots=True)
class Guards:
    """Rates, in parts per million, above which a platform's adverse events stop by themselves.

    Each partition counts over a sliding window of `window` milliseconds. A guard can trip once the
    window holds the partition's share of `minimum` cases. None: that guard is not set.
    """

    window: int
    minimum: int
    undelivered_ppm: int | None
    overturned_ppm: int | None
    sudden_eligible_ppm: int | None
    sudden_drop_ppm: int | None

    def __post_init__(self) -> None:
        _require(self.window > 0, "a guard's window is longer than zero")
        _require(self.minimum >= 1, "a guard needs at least one case")
        rates = (self.undelivered_ppm, self.overturned_ppm)
        for rate in (*rates, self.sudden_eligible_ppm, self.sudden_drop_ppm):
            _require(rate is None or 0 < rate <= PPM, "a guard's ratio is above 0 and at most 1")


class InForce:
    """The phases in force in a period, by the mode of the lives that they lead to.

    `names` holds the names of the phases by mode. `lowest` is the phase with the lowest line.
    """

    __slots__ = ("enforcing", "lowest", "lowest_enforcing", "names", "shadowing")

    def __init__(self, enforcing: tuple[Phase, ...], shadowing: tuple[Phase, ...]) -> None:
        self.enforcing = enforcing
        self.shadowing = shadowing
        self.lowest_enforcing = min(enforcing, key=_followers, default=None)
        self.lowest = min(enforcing + shadowing, key=_followers, default=None)
        self.names = {
            Mode.ENFORCE: frozenset(phase.name for phase in enforcing),
            Mode.SHADOW: frozenset(phase.name for phase in shadowing),
        }


def _followers(phase: Phase) -> int:
    return phase.followers


@dataclass(frozen=True)
class Policy:
    """The rules for one platform.

    `labels` maps label texts to fields. `covered`: the fields to which the rule applies.
    """

    platform: str
    version: int
    mode: Mode
    notice: Notice
    impact_assessment: str | None
    approvals: tuple[tuple[str, int], ...]
    phases: tuple[Phase, ...]
    covered: frozenset[Field] | None
    """None means any field."""
    labels: Mapping[str, Field]
    exempt_labels: frozenset[str]
    stability: Stability
    consequence: Consequence
    keep_on_fall_below: bool
    invitations_per_day: int
    throttles_per_hour: int
    rollout_percent: int
    guards: Guards | None

    def __post_init__(self) -> None:
        _require(re.fullmatch(PLATFORM_PATTERN, self.platform) is not None, "a platform is a slug")
        _require(self.version >= 1, "versions count from 1")
        _require(bool(self.phases), "a policy has at least one phase")
        _require(len({phase.name for phase in self.phases}) == len(self.phases), "one name a phase")
        dated = [phase for phase in self.phases if phase.starts_at is not None]
        dated.sort(key=lambda phase: phase.starts_at or 0)
        for earlier, later in pairwise(dated):
            _require(earlier.starts_at != later.starts_at, "two phases never start at once")
            _require(later.followers < earlier.followers, "a later phase has a lower line")
        _require(not self.exempt_labels & self.labels.keys(), "a label is covered or exempt")
        for label in (*self.labels, *self.exempt_labels):
            _require(1 <= len(label) <= MAX_CATEGORY_LENGTH, "a label is 1 to 64 characters")
            _require(folded_label(label) != "", "a label has a character that can be seen")
        _require(
            len(self.known_labels) == len(self.labels) + len(self.exempt_labels),
            "two labels are not alike",
        )
        reference = self.impact_assessment
        _require(reference is None or is_reference(reference), "an impact assessment is one word")
        actors = {actor for actor, _ in self.approvals}
        _require(len({it.casefold() for it in actors}) == len(actors), "an actor has one spelling")
        caps = (self.invitations_per_day, self.throttles_per_hour)
        _require(min(caps) >= 0, "a cap is not negative")
        _require(0 <= self.rollout_percent <= 100, "a roll-out is 0 to 100 per cent")
        missing = ", ".join(self.missing_for_enforce)
        _require(self.mode is not Mode.ENFORCE or not missing, f"enforce needs {missing}")

    @property
    def missing_for_enforce(self) -> tuple[str, ...]:
        """The names of required values that are None. With any, the mode cannot be `enforce`."""
        facts = {
            "notice.answer_window": self.notice.answer_window,
            "consequence.surfaces": self.consequence.surfaces,
            "impact_assessment": self.impact_assessment,
        }
        return tuple(name for name, fact in facts.items() if fact is None)

    @cached_property
    def canonical(self) -> bytes:
        """The policy as canonical JSON: keys sorted, sets sorted, integers only.

        Times are instants; the time zone in which they were written is left out.
        """
        plain = asdict(self)
        for phase in plain["phases"]:
            del phase["utc_offset_minutes"]
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
        return exit_line(lowest, self.stability.exit_ratio_ppm)

    @cached_property
    def lines(self) -> tuple[int, ...]:
        """The lines of all phases, future ones included, from low to high."""
        return tuple(sorted(phase.followers for phase in self.phases))

    def in_force(self, time: int) -> InForce:
        """Returns the phases that have begun at `time`."""
        begun, stretches = self._stretches
        return stretches[bisect_right(begun, time)]

    @cached_property
    def _stretches(self) -> tuple[list[int], list[InForce]]:
        """The starts of phases, and the phases in force before, between and after them."""
        begun = sorted({one.starts_at for one in self.phases if one.starts_at is not None})
        stretches = [InForce((), ())]
        for start in begun:
            by_mode: dict[Mode, list[Phase]] = {mode: [] for mode in Mode}
            for one in self.phases:
                if one.starts_at is not None and one.starts_at <= start:
                    by_mode[self.phase_mode(one)].append(one)
            enforcing, shadowing = by_mode[Mode.ENFORCE], by_mode[Mode.SHADOW]
            stretches.append(InForce(tuple(enforcing), tuple(shadowing)))
        return begun, stretches

    def phase_mode(self, phase: Phase) -> Mode:
        """Returns the mode of a phase: the weaker of its own and the policy's."""
        return weakest(self.mode, phase.mode or self.mode)

    def surface_mode(self, restriction: Restriction, cycle_mode: Mode) -> Mode:
        """Returns the mode of a surface in a cycle: the weakest of cycle, policy and surface."""
        return weakest(cycle_mode, self.mode, restriction.mode or self.mode)

    def restrictions(self, cycle_mode: Mode) -> Mapping[Surface, tuple[Level, Mode]]:
        """Returns level and mode of each surface in a cycle of a mode, as the policy has them."""
        return self._restrictions[cycle_mode]

    @cached_property
    def _restrictions(self) -> dict[Mode, dict[Surface, tuple[Level, Mode]]]:
        surfaces = self.consequence.surfaces or {}
        return {
            mode: {
                name: (one.level, self.surface_mode(one, mode)) for name, one in surfaces.items()
            }
            for mode in Mode
        }

    @cached_property
    def exit_lines(self) -> dict[str, int]:
        """The exit line of each phase, future ones included, by the phase's name."""
        ratio = self.stability.exit_ratio_ppm
        return {phase.name: exit_line(phase.followers, ratio) for phase in self.phases}

    def field_of(self, label: str | None) -> Field | None:
        """Returns the covered field of a label; None for unknown, exempt and uncovered labels."""
        if label is None:
            return None
        if label in self.known_labels:
            return self._fields.get(label)
        return self._fields.get(folded_label(label))

    def known_text(self, label: str) -> str | None:
        """Returns the text to store for a label: its normal form, None if it is not in the map."""
        if label in self.known_labels:
            return label
        text = folded_label(label)
        return text if text in self.known_labels else None

    @cached_property
    def _fields(self) -> dict[str, Field]:
        """The fields of the covered labels, by normal form."""
        return {
            folded_label(label): field
            for label, field in self.labels.items()
            if self.covered is None or field in self.covered
        }

    @cached_property
    def known_labels(self) -> frozenset[str]:
        """The normal forms of the labels in the policy's map. No other label text is ever kept."""
        return frozenset(map(folded_label, (*self.labels, *self.exempt_labels)))
