"""What a policy promised: read from the canonical text in the topic of policies, nothing else."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from schemas.words import Level, Surface

LEVELS = {Level.LIMITED.value: 1, Level.OFF.value: 2}
MODES = {"off": 0, "shadow": 1, "enforce": 2}


@dataclass(frozen=True, slots=True)
class PhaseTerms:
    """A phase: its line and since when (ms); a start of None means not in force."""

    line: int
    starts_at: int | None
    answer_by: int | None
    mode: str


@dataclass(frozen=True, slots=True)
class Terms:
    """The parts of a policy that restrict what may be done to an account; durations in ms."""

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
    labels: dict[str, str]
    covered: frozenset[str] | None
    approvers: frozenset[str]

    @property
    def approved(self) -> bool:
        """Whether two different people stand behind it."""
        return len(self.approvers) >= 2

    @property
    def fit_to_enforce(self) -> bool:
        """Whether nothing is missing that `enforce` needs (contract section 6)."""
        needed = (self.window, self.assessment, self.expires_after, self.review_after)
        return all(needed) and bool(self.levels)

    def covers(self, label: str) -> bool:
        """Whether a label of the platform means a covered field."""
        field = self.labels.get(label)
        return field is not None and (self.covered is None or field in self.covered)

    @property
    def lowest(self) -> int:
        """The floor: the lowest line of any phase times the exit ratio."""
        lines = [phase.line for phase in self.phases.values()]
        return min(lines, default=0) * self.exit_ppm // 1_000_000


def read_terms(text: bytes) -> Terms:
    """The terms in a canonical policy; ValueError or KeyError when it is not one."""
    plain: dict[str, Any] = json.loads(text)
    consequence, stability = plain["consequence"] or {}, plain["stability"]
    surfaces: dict[str, Any] = consequence.get("surfaces") or {}
    return Terms(
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
        labels=plain["labels"],
        covered=None if plain["covered"] is None else frozenset(plain["covered"]),
        approvers=frozenset(str(actor) for actor, _ in plain["approvals"]),
    )
