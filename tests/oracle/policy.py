"""A minimal reader of policy files: plain values, no refusals.

schemas/CONTRACT.md, "Policies".

Every scalar is read as text and converted here, so that no YAML library's idea of a time or of
`off` comes between the file and the oracle.
"""

import re
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from schemas.enums import Surface

MODES = ("off", "shadow", "enforce")
LEVELS = ("limited", "off")
SURFACES = [str(surface) for surface in Surface]
_DURATION = re.compile(
    r"^P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?$"
)


_VARIATIONS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")


@lru_cache(maxsize=10_000)
def folded(label: str) -> str:
    """A label as it is compared: NFKC, no format characters, no variation selectors, trimmed."""
    normal = unicodedata.normalize("NFKC", label)
    kept = "".join(one for one in normal if unicodedata.category(one) != "Cf")
    return _VARIATIONS.sub("", kept).strip()


@cache
def weakest(*modes: str | None) -> str:
    """The weakest of the modes given; an absent one has no say."""
    return min((mode for mode in modes if mode is not None), key=MODES.index)


def instant(value: str | datetime) -> datetime:
    """A time of the wire or of a policy as an aware UTC datetime."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    text = value.upper().replace("Z", "+00:00")
    if len(text) > len("2026-01-01T00:00:00.000000+00:00"):
        text = re.sub(r"(\.\d{6})\d+", r"\1", text)
    return datetime.fromisoformat(text).astimezone(UTC)


def duration(text: str) -> timedelta:
    """An ISO 8601 duration down to seconds; months and years have no fixed length: ValueError."""
    match = _DURATION.match(text)
    if match is None or text in ("P", "PT"):
        raise ValueError(f"not a duration down to seconds: {text}")
    return timedelta(**{name: float(part) for name, part in match.groupdict().items() if part})


@dataclass(frozen=True)
class OraclePhase:
    """One line of the policy and the time from which it counts."""

    name: str
    followers: int
    start: datetime | None
    answer_by: datetime | None = None
    mode: str | None = None


@dataclass(frozen=True)
class OraclePolicy:
    """One platform's policy. `surfaces` maps each surface to (level, mode or None)."""

    platform: str
    mode: str
    phases: tuple[OraclePhase, ...]
    labels: dict[str, str]
    version: int = 1
    notice_id: str = "notice"
    notice_version: str = "1"
    renew: bool = False
    window: timedelta | None = None
    reminders: tuple[timedelta, ...] = ()
    covered: frozenset[str] | None = None
    exempt_labels: frozenset[str] = frozenset()
    dwell: timedelta = timedelta(0)
    exit_ratio: Decimal = Decimal(1)
    leave_after: timedelta = timedelta(0)
    cool_down: timedelta = timedelta(0)
    max_age: timedelta | None = None
    surfaces: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    on: frozenset[str] = frozenset({"declined", "no_answer"})
    review_after: timedelta | None = timedelta(days=30)
    expires_after: timedelta | None = timedelta(days=90)
    keep: bool = False
    rollout_percent: int = 100

    def but(self, **changes: Any) -> "OraclePolicy":
        """The same policy with some values changed."""
        return replace(self, **changes)

    @property
    def floor(self) -> Decimal:
        """The lowest line of any phase, future ones included, times its exit ratio."""
        return min(phase.followers for phase in self.phases) * self.exit_ratio

    def mode_of(self, phase: OraclePhase) -> str:
        """The weaker of the platform's mode and the phase's own."""
        return weakest(self.mode, phase.mode)

    def in_force(self, now: datetime) -> list[OraclePhase]:
        """Phases that have begun and are not off, highest line first; none if the mode is off."""
        begun = [
            phase
            for phase in self.phases
            if phase.start is not None and phase.start <= now and self.mode_of(phase) != "off"
        ]
        return sorted(begun, key=lambda phase: -phase.followers)

    @cached_property
    def _fields(self) -> dict[str, str | None]:
        """Every label that the policy knows, folded, and its field; None for an exempt one."""
        known: dict[str, str | None] = {folded(one): name for one, name in self.labels.items()}
        return known | dict.fromkeys(map(folded, self.exempt_labels), None)

    def kept_text(self, label: str) -> str | None:
        """A label's folded text if the policy knows it, else None: unknown."""
        text = folded(label)
        return text if text and text in self._fields else None

    def field_of(self, label: str | None) -> str | None:
        """The covered field that a label stands for, or None: not covered."""
        found = self._fields.get(folded(label)) if label else None
        return found if self.covered is None or found in self.covered else None


def _null(value: Any) -> bool:
    return value is None or value in ("", "null", "~", "Null", "NULL")


def _maybe(value: Any, convert: Any) -> Any:
    return None if _null(value) else convert(value)


def _phase(raw: dict[str, Any]) -> OraclePhase:
    return OraclePhase(
        name=raw["name"],
        followers=int(raw["followers"]),
        start=_maybe(raw.get("from"), instant),
        answer_by=_maybe(raw.get("answer_by"), instant),
        mode=_maybe(raw.get("mode"), str),
    )


def _surface(raw: Any) -> tuple[str, str | None]:
    if isinstance(raw, str):
        return raw, None
    return raw["level"], _maybe(raw.get("mode"), str)


def parse(text: str) -> OraclePolicy:
    """A policy from the text of its file."""
    raw = YAML(typ="base", pure=True).load(text)
    notice, stability = raw["notice"], raw["stability"]
    fields, consequence = raw["fields"], raw["consequence"]
    covered = fields.get("covered")
    surfaces = consequence.get("surfaces")
    return OraclePolicy(
        platform=raw["platform"],
        version=int(raw["version"]),
        mode=raw["mode"],
        phases=tuple(_phase(one) for one in raw["phases"]),
        labels={} if _null(fields.get("labels")) else dict(fields["labels"]),
        notice_id=_maybe(notice.get("id"), str) or "",
        notice_version=_maybe(notice.get("version"), str) or "",
        renew=notice.get("renew") == "true",
        window=_maybe(notice.get("answer_window"), duration),
        reminders=tuple(duration(one) for one in notice.get("reminders") or ()),
        covered=None if covered == "any" else frozenset(() if _null(covered) else covered),
        exempt_labels=frozenset(
            () if _null(fields.get("exempt_labels")) else fields["exempt_labels"]
        ),
        dwell=duration(stability["dwell"]),
        exit_ratio=Decimal(stability["exit_ratio"]),
        leave_after=duration(stability["leave_after"]),
        cool_down=duration(stability["cool_down"]),
        max_age=_maybe(stability.get("max_age"), duration),
        surfaces={} if _null(surfaces) else {name: _surface(one) for name, one in surfaces.items()},
        on=frozenset(() if _null(consequence.get("on")) else consequence["on"]),
        review_after=_maybe(consequence.get("review_after"), duration),
        expires_after=_maybe(consequence.get("expires_after"), duration),
        keep=raw["on_fall_below"] == "keep",
        rollout_percent=int(raw["rollout_percent"]),
    )


def read(path: Path) -> OraclePolicy:
    """A policy from its file."""
    return parse(path.read_text(encoding="utf-8"))
