"""The funnel: how many accounts became eligible, were invited, answered, restricted, released.

Each step counts in the period in which it happened, not in that of its invitation: today's
restrictions belong to invitations of last week. Days are those of Asia/Shanghai.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum, unique
from statistics import median_low
from typing import Any

from sqlalchemy import Column, Connection, Select, and_, func, literal, select

from schemas.enums import Mode
from streams.core.model.instants import DAY, SHANGHAI_OFFSET, day_start, rfc3339
from streams.index import tables

STEPS: dict[str, str] = {
    "invited": "issued_at",
    "delivered": "delivered_at",
    "undeliverable": "undeliverable_at",
    "declined": "declined_at",
    "granted": "granted_at",
    "expired": "expired_at",
    "restricted": "restricted_at",
    "released": "lifted_at",
    "cancelled": "cancelled_at",
    "withdrawn": "withdrawn_at",
}
"""Step → the column of the table `cycles` with its time."""

SPANS: dict[str, tuple[str, str]] = {
    "until_delivered": ("issued_at", "delivered_at"),
    "until_granted": ("delivered_at", "granted_at"),
    "restricted_for": ("restricted_at", "lifted_at"),
}
"""Name of a duration → the columns with its start and its end, which lies in the period."""


@unique
class By(StrEnum):
    """What the counts are grouped by."""

    PLATFORM = "platform"
    PHASE = "phase"
    FIELD = "field"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Asked:
    """The question: a period (ms, without its end), a platform (None: all), live or shadow."""

    start: int
    end: int
    by: By = By.PLATFORM
    platform: str | None = None
    mode: Mode = Mode.ENFORCE


@dataclass(slots=True)
class Line:
    """The counts of one group; medians in ms, None if no such duration ended in the period."""

    group: str
    eligible: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STEPS, 0))
    medians: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(SPANS))

    def as_dict(self) -> dict[str, Any]:
        """Returns the line as JSON of `byline funnel --json`; medians in seconds."""
        seconds = {
            f"median_{name}_seconds": None if it is None else it // 1000
            for name, it in self.medians.items()
        }
        return {"group": self.group, "eligible": self.eligible, **self.counts, **seconds}


def funnel(connection: Connection, asked: Asked) -> list[Line]:
    """Returns one line for each group in which something happened, in order of groups."""
    lines: dict[str, Line] = {}

    def line(group: Any) -> Line:
        name = _named(asked.by, group)
        return lines.setdefault(name, Line(name))

    for group, count in connection.execute(_eligible(asked)):
        line(group).eligible = count
    for step, column in _columns(asked.mode).items():
        for group, count in connection.execute(_counted(asked, column)):
            line(group).counts[step] = count
    for name, (start, end) in SPANS.items():
        took: dict[Any, list[int]] = {}
        for group, length in connection.execute(_lengths(asked, start, end)):
            took.setdefault(group, []).append(length)
        for group, lengths in took.items():
            line(group).medians[name] = median_low(lengths)
    return [lines[name] for name in sorted(lines)]


def _columns(mode: Mode) -> dict[str, str]:
    if mode is Mode.ENFORCE:
        return STEPS
    shadowed = {"restricted": "shadow_restricted_at", "released": "shadow_lifted_at"}
    return {**STEPS, **shadowed}


def _group(asked: Asked, at: Column[int], table: Any) -> Any:
    if asked.by is By.DAY:
        return (at + SHANGHAI_OFFSET) // DAY
    if asked.by is By.PHASE and "phase" not in table.c:
        return literal(None)
    return table.c[str(asked.by)]


def _named(by: By, group: Any) -> str:
    if by is By.DAY:
        return rfc3339(day_start(int(group)) + SHANGHAI_OFFSET)[:10]
    return "–" if group is None else str(group)


def _cycles(asked: Asked, at: Column[int]) -> list[Any]:
    cycles = tables.cycles
    limits = [at >= asked.start, at < asked.end]
    if at.name not in ("shadow_restricted_at", "shadow_lifted_at"):
        limits.append(cycles.c.mode == asked.mode)
    if asked.platform is not None:
        limits.append(cycles.c.platform == asked.platform)
    return limits


def _counted(asked: Asked, column: str) -> Select[Any]:
    at = tables.cycles.c[column]
    group = _group(asked, at, tables.cycles)
    return select(group, func.count()).where(and_(*_cycles(asked, at))).group_by(group)


def _lengths(asked: Asked, start: str, end: str) -> Select[Any]:
    first, last = tables.cycles.c[start], tables.cycles.c[end]
    group = _group(asked, last, tables.cycles)
    limits = [*_cycles(asked, last), first.is_not(None), last >= first]
    return select(group, last - first).where(and_(*limits))


def _eligible(asked: Asked) -> Select[Any]:
    table = tables.decisions
    group = _group(asked, table.c.now, table)
    limits = [table.c.eligible, table.c.now >= asked.start, table.c.now < asked.end]
    if asked.platform is not None:
        limits.append(table.c.platform == asked.platform)
    return select(group, func.count()).where(and_(*limits)).group_by(group)


def sums(lines: list[Line]) -> Iterator[int]:
    """Yields the sum of each count over all lines, `eligible` first, then in the order of STEPS."""
    yield sum(it.eligible for it in lines)
    for step in STEPS:
        yield sum(it.counts[step] for it in lines)
