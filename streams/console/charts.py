"""Numbers of the drawings: bars of a row of counts, and the bar of a clock that can stop.

The templates draw them as SVG. All numbers are in the units of the drawing's own box, so that no
style is needed, which the page's policy would refuse.
"""

from collections.abc import Sequence
from typing import NamedTuple

from streams.core.model.instants import Stop, merge

WIDTH = 1000
"""The width of a clock's box."""


class ChartSpan(NamedTuple):
    """One bar: its place and size, and what it stands for."""

    x: int
    y: int
    width: int
    height: int
    total: int
    name: str


def bars(counts: Sequence[tuple[str, int]], width: int, height: int) -> list[ChartSpan]:
    """Returns a bar for each named count, side by side in a box; the highest fills it."""
    most = max((count for _, count in counts), default=0)
    step = width // max(1, len(counts))
    found = []
    for number, (name, count) in enumerate(counts):
        tall = 0 if most == 0 else max(1 if count else 0, count * height // most)
        found.append(ChartSpan(number * step, height - tall, max(1, step - 1), tall, count, name))
    return found


class DialClock(NamedTuple):
    """The time in which an owner can answer, as a bar of WIDTH.

    `start`, `end`: instants (ms); of a stopped clock `end` is when it would end if it went on now.
    `passed`: how much of it is over. `stops`: place and width of each stretch in which the clock
    stood still. `left`: what is left, in ms. `stopped`: it stands still now.
    """

    mode: str
    start: int
    end: int
    passed: int
    stops: tuple[tuple[int, int], ...]
    left: int
    stopped: bool


def clock(
    mode: str, start: int, end: int, now: int, stops: Sequence[Stop], left: int, stopped: bool
) -> DialClock:
    """Makes the bar of a clock that began at `start` and ends at `end`; times are ms."""
    last = now + left if stopped else end
    length = max(1, last - start)

    def place(at: int) -> int:
        return min(WIDTH, max(0, (at - start) * WIDTH // length))

    stood = []
    for since, until in merge(stops):
        first, after = place(since), place(now if until is None else min(until, last))
        if after > first or until is None:
            stood.append((first, max(2, after - first)))
    return DialClock(mode, start, last, place(now), tuple(stood), left, stopped)
