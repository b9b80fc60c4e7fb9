"""Instants, deadlines whose clock can stop, and the days and hours of the caps.

Instants and durations are milliseconds, instants UTC. A stop is a period that does not count toward
the owner's answer window: a hold, an open appeal, the switches `adverse_off` and `answers_paused`,
and others. A stop that begins before the deadline moves the deadline by its whole length. So
deadlines only ever move later.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

SECOND = 1000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
SHANGHAI_OFFSET = 8 * HOUR
"""The offset of Asia/Shanghai, unchanged since 1991. Caps count days and hours of this zone."""

Stop = tuple[int, int | None]


def milliseconds(instant: datetime) -> int:
    """Returns an aware datetime as milliseconds UTC, rounded down."""
    delta = instant - EPOCH
    return delta.days * DAY + delta.seconds * SECOND + delta.microseconds // 1000


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = milliseconds(datetime.min.replace(tzinfo=UTC))
_LAST = milliseconds(datetime.max.replace(tzinfo=UTC))


@lru_cache(maxsize=4096)
def rfc3339(instant: int) -> str:
    """Formats milliseconds UTC for output: `2023-10-31T00:00:00.000Z`.

    An instant before year 1 or after year 9999 becomes the first or last one that can be written.
    """
    instant = min(max(instant, _FIRST), _LAST)
    moment = datetime.fromtimestamp(instant // 1000, UTC)
    return f"{moment.isoformat()[:19]}.{instant % 1000:03d}Z"


class Reckoning(NamedTuple):
    """A deadline. `stopped`: its clock stands still now, so the final deadline will be later."""

    deadline: int
    stopped: bool


def merge(stops: Iterable[Stop]) -> list[Stop]:
    """Joins overlapping stops, and returns them in order. The end None means: has not ended."""
    merged: list[Stop] = []
    for start, end in sorted(stops, key=lambda stop: stop[0]):
        if end is not None and end <= start:
            continue
        if merged:
            last_start, last_end = merged[-1]
            if last_end is None:
                break
            if start <= last_end:
                merged[-1] = (last_start, None if end is None else max(last_end, end))
                continue
        merged.append((start, end))
    return merged


def bounded(stops: Iterable[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Joins overlapping stops, and limits them to `most`; those without an end are left out.

    If there are more, the two stops with the shortest gap between them become one, and so on; of
    equal gaps the earliest.
    """
    union: list[tuple[int, int]] = [(start, end) for start, end in merge(stops) if end is not None]
    if len(union) <= most:
        return union
    gaps = sorted(range(1, len(union)), key=lambda at: union[at][0] - union[at - 1][1])
    closed = set(gaps[: len(union) - most])
    kept: list[tuple[int, int]] = []
    for number, stop in enumerate(union):
        if number in closed:
            kept[-1] = (kept[-1][0], stop[1])
        else:
            kept.append(stop)
    return kept


def add_stop(kept: list[tuple[int, int]], since: int, until: int, most: int) -> None:
    """Adds a stop to a list that is ordered and disjoint, in place; at most `most` are kept.

    The result is that of `bounded`, at less cost.
    """
    at = bisect_left(kept, (since, since))
    while at > 0 and kept[at - 1][1] >= since:
        at -= 1
    end = at
    while end < len(kept) and kept[end][0] <= until:
        end += 1
    if end > at:
        since, until = min(since, kept[at][0]), max(until, kept[end - 1][1])
    kept[at:end] = [(since, until)]
    if len(kept) > most:
        gaps = [after - before for (_, before), (after, _) in pairwise(kept)]
        at = gaps.index(min(gaps))
        kept[at : at + 2] = [(kept[at][0], kept[at + 1][1])]


def without(stops: Iterable[Stop], cut: Iterable[tuple[int, int]]) -> list[Stop]:
    """Returns what is left of the stops, in order, if periods are cut out of them."""
    left = list(stops)
    for since, until in cut:
        parts: list[Stop] = []
        for start, end in left:
            if start >= until or (end is not None and end <= since):
                parts.append((start, end))
                continue
            if start < since:
                parts.append((start, since))
            if end is None or end > until:
                parts.append((until, end))
        left = parts
    return left


def reckon(base: int, counted_from: int, stops: Sequence[Stop]) -> Reckoning:
    """Moves the deadline `base` later by the length of every stop that begins before it.

    Of a stop only the part after `counted_from` counts.
    """
    if not stops:
        return Reckoning(base, stopped=False)
    deadline = base
    for start, end in merge(stops):
        start = max(start, counted_from)
        if end is not None and end <= start:
            continue
        if start >= deadline:
            break
        if end is None:
            return Reckoning(deadline, stopped=True)
        deadline += end - start
    return Reckoning(deadline, stopped=False)


def day_of(instant: int) -> int:
    """Returns the number of the Shanghai day that contains an instant."""
    return (instant + SHANGHAI_OFFSET) // DAY


def hour_of(instant: int) -> int:
    """Returns the number of the Shanghai hour that contains an instant."""
    return (instant + SHANGHAI_OFFSET) // HOUR


def day_start(number: int) -> int:
    """Returns the instant at which a Shanghai day begins."""
    return number * DAY - SHANGHAI_OFFSET


def hour_start(number: int) -> int:
    """Returns the instant at which a Shanghai hour begins."""
    return number * HOUR - SHANGHAI_OFFSET
