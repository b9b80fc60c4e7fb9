"""The timers of a partition: a heap of instants, of which only the latest entry of a key counts.

What an input is judged by must not run ahead of the timers: `bound` says up to which instant time
has passed for a key without anything being due.
"""

import heapq
from collections.abc import Iterable


class Schedule:
    """When to look at which account next. Cost of a change is logarithmic in the accounts that
    wait.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, bytes]] = []
        self._at: dict[bytes, int] = {}
        self._seen: dict[bytes, int] = {}
        """Of keys for which time has passed up to another instant than just before that one."""

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, key: bytes) -> bool:
        return key in self._at

    def set(self, key: bytes, at: int | None, since: int = 0, seen: int = -1) -> None:
        """Look at `key` at an instant; None: not at all. At one instant the longest waiting is
        first. `seen`: the instant up to which time has been let pass for the key.
        """
        self._seen.pop(key, None)
        if at is None:
            self._at.pop(key, None)
            return
        if at <= seen:
            self._seen[key] = seen
        if self._at.get(key) != at:
            self._at[key] = at
            heapq.heappush(self._heap, (at, since, key))

    def hasten(self, key: bytes, at: int) -> None:
        """Look at `key` at an instant, unless it is due before."""
        if self._at.get(key, at + 1) > at:
            self.set(key, at)

    def fill(self, entries: Iterable[tuple[int, int, bytes]], seen: dict[bytes, int]) -> None:
        """Start with these entries; much cheaper than setting them one by one. `seen`: up to which
        instant time has passed for a key, where that is not just before its entry's.
        """
        self._heap = list(entries)
        self._at = {key: at for at, _, key in self._heap}
        self._seen = seen
        heapq.heapify(self._heap)

    def bound(self, key: bytes, now: int) -> int:
        """The last instant until `now` at which nothing of the key was due yet."""
        at = self._at.get(key)
        if at is None or at > now:
            return now
        return self._seen.get(key, at - 1)

    def due(self) -> int | None:
        """The earliest instant that counts."""
        heap, at = self._heap, self._at
        while heap and at.get(heap[0][2]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def take(self, until: int) -> tuple[int, bytes] | None:
        """Remove and return the earliest entry due by an instant; None when there is none."""
        due = self.due()
        if due is None or due > until:
            return None
        at, _, key = heapq.heappop(self._heap)
        del self._at[key]
        self._seen.pop(key, None)
        return at, key
