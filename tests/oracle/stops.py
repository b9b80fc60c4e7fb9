"""When the clock of the answer stood still, as stretches of time.

schemas/CONTRACT.md, "Which word is the newest" and "Deferring".
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

Stretch = tuple[datetime, datetime | None]
"""From and until; None: it goes on."""
MOST_OF_ACCOUNT, MOST_OF_SCOPE = 64, 1000


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """In order, what overlaps or touches as one; nothing after one that goes on."""
    found: list[Stretch] = []
    for start, end in sorted(stretches, key=lambda one: one[0]):
        if end is not None and end <= start:
            continue
        if found:
            before, until = found[-1]
            if until is None:
                break
            if start <= until:
                found[-1] = (before, None if end is None else max(end, until))
                continue
        found.append((start, end))
    return found


def bounded(stretches: Iterable[Stretch], most: int) -> list[Stretch]:
    """At most so many: the shortest gap between two, of equals the earliest, counts as stopped."""
    found = merged(stretches)
    while len(found) > most:
        gaps = [
            (after[0] - before[1], place)
            for place, (before, after) in enumerate(pairwise(found))
            if before[1] is not None
        ]
        _, place = min(gaps)
        found[place : place + 2] = [(found[place][0], found[place + 1][1])]
    return found
