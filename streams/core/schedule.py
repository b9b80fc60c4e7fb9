"""The timers of a partition: a heap of instants, of which only the latest entry of a key counts."""

import heapq
from collections.abc import Iterable


class Schedule:
    """When to look at which account next. Cost of a change is logarithmic in the accounts that
    wait.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, bytes]] = []
        self._at: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._at)

    def set(self, key: bytes, at: int | None, since: int = 0) -> None:
        """Look at `key` at an instant; None: not at all. At one instant the longest waiting is
        first.
        """
        if at is None:
            self._at.pop(key, None)
        elif self._at.get(key) != at:
            self._at[key] = at
            heapq.heappush(self._heap, (at, since, key))

    def fill(self, entries: Iterable[tuple[int, int, bytes]]) -> None:
        """Start with these entries; much cheaper than setting them one by one."""
        self._heap = list(entries)
        self._at = {key: at for at, _, key in self._heap}
        heapq.heapify(self._heap)

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
        return at, key
