"""The funnel: how many accounts became eligible, were invited, answered, restricted, released.

Each step counts in the period in which it happened, not in that of its invitation: today's
restrictions belong to invitations of last week. Days are those of Asia/Shanghai.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum, unique
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, func, literal, or_, select

from schemas.enums import Mode
from streams.core.model.instants import DAY, HOUR, SHANGHAI_OFFSET, day_of, day_start, rfc3339
from streams.index import tables
from streams.index.sums import (
    ELIGIBLE,
    LENGTHS,
    LONGEST,
    STEP,
    STEPS,
    TOOK,
    class_of,
    columns_of,
    first_hour,
    took_name,
)

MORE = 3
"""A median is looked up by length where its class has at most so many times the period's rows."""


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
    medians: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(tables.SPANS))

    def as_dict(self) -> dict[str, Any]:
        """Returns the line as JSON of `byline funnel --json`; medians in seconds."""
        seconds = {
            f"median_{name}_seconds": None if it is None else it // 1000
            for name, it in self.medians.items()
        }
        return {"group": self.group, "eligible": self.eligible, **self.counts, **seconds}


def funnel(connection: Connection, asked: Asked, *, medians: bool = True) -> list[Line]:
    """Returns one line for each group in which something happened, in order of groups.

    `medians`: whether how long steps took is looked up, too.
    """
    lines: dict[str, Line] = {}

    def line(group: Any) -> Line:
        name = _named(asked.by, group)
        return lines.setdefault(name, Line(name))

    for group, step, count in _counts(connection, asked):
        if step is None:
            line(group).eligible = count
        else:
            line(group).counts[step] = count
    for name in tables.SPANS if medians else ():
        for group, length in _medians(connection, asked, name):
            line(group).medians[name] = length
    return [lines[name] for name in sorted(lines)]


def _counts(connection: Connection, asked: Asked) -> Iterator[tuple[Any, str | None, int]]:
    """Yields group, step (None: became eligible) and count: from the sums, if they have it."""
    whole = asked.start % HOUR == asked.end % HOUR == 0
    if whole and asked.by in (By.PLATFORM, By.DAY):
        for group, name, count in connection.execute(_summed(asked)):
            yield group, name.partition(".")[2] or None, int(count)
        return
    for group, count in connection.execute(_eligible(asked)):
        yield group, None, count
    for step, column in columns_of(asked.mode).items():
        for group, count in connection.execute(_counted(asked, column)):
            yield group, step, count


def _summed(asked: Asked) -> Select[Any]:
    it = tables.sums.c
    of_day = (it.hour + SHANGHAI_OFFSET // HOUR) // (DAY // HOUR)
    group = of_day if asked.by is By.DAY else it.platform
    mine = or_(
        it.kind == ELIGIBLE,
        and_(it.kind == STEP, it.name.startswith(f"{asked.mode}.", autoescape=True)),
    )
    limits = [mine, it.hour >= asked.start // HOUR, it.hour < asked.end // HOUR]
    if asked.platform is not None:
        limits.append(it.platform == asked.platform)
    return select(group, it.name, func.sum(it.count)).where(and_(*limits)).group_by(group, it.name)


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


def _medians(connection: Connection, asked: Asked, span: str) -> Iterator[tuple[Any, int]]:
    """Yields group and median length (of an even number the lower one); the database sorts."""
    last, length, limits = _lengths(asked, span)
    if asked.by is By.PLATFORM:
        for platform, classes in _classes(connection, asked, span).items():
            number, rank = _middle(classes)
            every = _of_class(connection, asked, span, platform, number)
            mine = _within(asked, span, platform, number, every <= MORE * classes.total())
            yield platform, connection.scalars(mine.offset(rank).limit(1)).one()
        return
    group = _group(asked, last, tables.cycles)
    counts = select(group, func.count()).where(and_(*limits)).group_by(group)
    for name, count in connection.execute(counts).all():
        own = group.is_(None) if name is None else group == name
        lengths = select(length).where(and_(own, *limits)).order_by(length)
        yield name, connection.scalars(lengths.offset((count - 1) // 2).limit(1)).one()


def _within(asked: Asked, span: str, platform: str, number: int, by_length: bool) -> Select[Any]:
    """Selects the durations of a class that ended in the period, the shortest first.

    `by_length`: by the index that has those of all times by their length; else by the one that has
    those of all lengths by their end. No length of a class is below 0.
    """
    last, length, _ = _lengths(asked, span)
    it = tables.cycles.c
    mode: ColumnElement[str] = it.mode
    name: ColumnElement[str] = it.platform
    if not by_length:
        length, mode, name = length + 0, tables.unsought(it.mode), tables.unsought(it.platform)
    limits = [last >= asked.start, last < asked.end, mode == str(asked.mode), name == platform]
    limits += [length >= LENGTHS[number], length < [*LENGTHS, LONGEST][number + 1]]
    return select(length).where(and_(*limits)).order_by(length)


def _of_class(connection: Connection, asked: Asked, span: str, platform: str, number: int) -> int:
    """Returns how many durations of a class there are, whenever they ended."""
    it, name = tables.sums.c, f"{took_name(asked.mode, span)}{number}"
    mine = and_(it.kind == TOOK, it.platform == platform, it.name == name)
    return int(connection.scalar(select(func.sum(it.count)).where(mine)) or 0)


def _lengths(asked: Asked, span: str) -> tuple[Column[int], ColumnElement[int], list[Any]]:
    """Returns a duration's end, its length, and the conditions of those in the period."""
    first, last = (tables.cycles.c[it] for it in tables.SPANS[span])
    return last, last - first, [*_cycles(asked, last), first.is_not(None), last >= first]


def _classes(connection: Connection, asked: Asked, span: str) -> dict[str, Counter[int]]:
    """Returns by platform how many durations of each class of LENGTHS ended in the period.

    Whole days of Shanghai are read from the sums; what is left at both ends from the rows.
    """
    found: dict[str, Counter[int]] = defaultdict(Counter)
    begins, ends = day_start(day_of(asked.start + DAY - 1)), day_start(day_of(asked.end))
    if begins >= ends:
        begins = ends = asked.end
    it, name = tables.sums.c, took_name(asked.mode, span)
    mine = [
        it.kind == TOOK,
        it.hour >= first_hour(begins),
        it.hour < first_hour(ends),
        it.name.startswith(name, autoescape=True),
    ]
    if asked.platform is not None:
        mine.append(it.platform == asked.platform)
    group = (it.platform, it.name)
    summed = select(*group, func.sum(it.count)).where(and_(*mine)).group_by(*group)
    if begins < ends:
        for platform, its, count in connection.execute(summed):
            found[platform][int(its.removeprefix(name))] += int(count)
    for start, end in ((asked.start, begins), (ends, asked.end)):
        if start < end:
            _, length, limits = _lengths(replace(asked, start=start, end=end), span)
            rows = select(tables.cycles.c.platform, length).where(and_(*limits))
            for platform, took in connection.execute(rows):
                found[platform][class_of(took)] += 1
    return found


def _middle(classes: Counter[int]) -> tuple[int, int]:
    """Returns the class in which the lower median lies, and its rank there, from 0 on."""
    rank = (classes.total() - 1) // 2
    for number in sorted(classes):
        if rank < classes[number]:
            return number, rank
        rank -= classes[number]
    raise ValueError("nothing has no median")


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
