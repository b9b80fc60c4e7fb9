"""Reads the terms of a policy from its canonical text in the topic of policies."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.enums import Level, Surface
from streams.operate.audit.odd import mapping

UNKNOWN = "unknown"
REFERENCE = re.compile(r"[^\s@]{1,128}")
"""The regular expression of a reference to an impact assessment: one word without `@`."""
VARIATION_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
LEVELS = {Level.LIMITED.value: 1, Level.OFF.value: 2}
MODES = {"off": 0, "shadow": 1, "enforce": 2}


@dataclass(frozen=True, slots=True)
class PhaseTerms:
    """A phase: its line (a follower count) and its start (ms); None: it is not in force."""

    line: int
    starts_at: int | None
    answer_by: int | None
    mode: str


@dataclass(frozen=True, slots=True)
class AuditedTerms:
    """The parts of a policy that limit what may be done to an account; durations in ms.

    `levels`: the level of each surface, by LEVELS. `exit_ppm`: the exit ratio in millionths.
    `labels`: from folded label to field. `covered`: None means any field.
    """

    digest: str
    platform: str
    version: int
    mode: str
    window: int | None
    notice_id: str
    notice_version: str
    assessment: str | None
    phases: dict[str, PhaseTerms]
    levels: dict[str, int]
    on: frozenset[str]
    review_after: int | None
    expires_after: int | None
    exit_ppm: int
    leave_after: int
    keep: bool
    dwell: int
    max_age: int | None
    renew: bool
    reminders: tuple[int, ...]
    exempt_labels: frozenset[str]
    labels: dict[str, str]
    covered: frozenset[str] | None
    approvers: frozenset[str]
    invitations_per_day: int | None
    throttles_per_hour: int | None

    @property
    def approved(self) -> bool:
        """Whether two different people have approved the policy."""
        return len(self.approvers) >= 2

    @property
    def fit_to_enforce(self) -> bool:
        """Whether it has everything that `enforce` needs (schemas/CONTRACT.md, "Policies")."""
        needed = (self.window, self.expires_after, self.review_after)
        named = REFERENCE.fullmatch(self.assessment or "") is not None
        return all(needed) and named and bool(self.levels)

    def covers(self, label: str) -> bool:
        """Returns whether a label of the platform means a covered field."""
        field = self.labels.get(folded(label))
        return field is not None and (self.covered is None or field in self.covered)

    def kept(self, label: str) -> str:
        """Returns a label as a worker's state stores it: an unknown one as UNKNOWN."""
        text = folded(label)
        return text if text in self.labels or text in self.exempt_labels else UNKNOWN

    def exit_line(self, phase: str) -> int | None:
        """Returns the exit line of a phase in millionths of a follower; None: no such phase."""
        known = self.phases.get(phase)
        return None if known is None else known.line * self.exit_ppm

    def in_force(self, phase: str) -> bool:
        """Returns whether a phase may have an open cycle: it exists and has a start."""
        known = self.phases.get(phase)
        return self.mode != "off" and known is not None and known.starts_at is not None

    @property
    def lowest(self) -> int:
        """The floor, a follower count: the lowest line of any phase times the exit ratio."""
        lines = [phase.line for phase in self.phases.values()]
        return min(lines, default=0) * self.exit_ppm // 1_000_000


def read_terms(text: bytes) -> AuditedTerms | None:
    """Returns the terms of a canonical policy; None if the text is none.

    Whoever may write to the topic of policies may write anything, so the type of each value is
    checked.
    """
    try:
        found = _terms(text, mapping(text))
        known = [found.mode, *(phase.mode for phase in found.phases.values())]
        if not MODES.keys() >= set(known):
            return None
        return msgspec.convert(msgspec.to_builtins(found), AuditedTerms)
    except (ValueError, KeyError, TypeError, AttributeError, msgspec.ValidationError):
        return None


def _terms(text: bytes, plain: dict[str, Any]) -> AuditedTerms:
    consequence, stability = plain["consequence"] or {}, plain["stability"]
    surfaces: dict[str, Any] = consequence.get("surfaces") or {}
    return AuditedTerms(
        digest=hashlib.sha256(text).hexdigest(),
        platform=plain["platform"],
        version=plain["version"],
        mode=plain["mode"],
        window=plain["notice"]["answer_window"],
        notice_id=plain["notice"]["id"],
        notice_version=plain["notice"]["version"],
        assessment=plain["impact_assessment"],
        phases={
            phase["name"]: PhaseTerms(
                phase["followers"],
                phase["starts_at"],
                phase["answer_by"],
                phase["mode"] or "enforce",
            )
            for phase in plain["phases"]
        },
        levels={str(Surface(name)): LEVELS[it["level"]] for name, it in surfaces.items()},
        on=frozenset(consequence.get("on") or ()),
        review_after=consequence.get("review_after"),
        expires_after=consequence.get("expires_after"),
        exit_ppm=stability["exit_ratio_ppm"],
        leave_after=stability["leave_after"] or 0,
        keep=bool(plain["keep_on_fall_below"]),
        dwell=stability["dwell"] or 0,
        max_age=stability.get("max_age"),
        renew=bool(plain["notice"].get("renew")),
        reminders=tuple(sorted(plain["notice"].get("reminders") or (), reverse=True)),
        exempt_labels=frozenset(map(folded, plain.get("exempt_labels") or ())),
        labels={folded(label): field for label, field in plain["labels"].items()},
        covered=None if plain["covered"] is None else frozenset(plain["covered"]),
        invitations_per_day=plain.get("invitations_per_day"),
        throttles_per_hour=plain.get("throttles_per_hour"),
        approvers=frozenset(str(actor).casefold() for actor, _ in plain["approvals"]),
    )


def folded(label: str) -> str:
    """Returns a label in the form in which labels are compared: NFKC, no invisible characters."""
    text = unicodedata.normalize("NFKC", label)
    seen = (it for it in text if it not in VARIATION_SELECTORS and unicodedata.category(it) != "Cf")
    return "".join(seen).strip()
