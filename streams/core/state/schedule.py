"""The timers of a partition: a heap of instants, of which only the latest entry of a key counts.

What an input is judged by must not run ahead of the timers: `bound` says up to which instant time
has passed for a key without anything being due.
"""

import heapq
from collections.abc import Iterable

Entry = tuple[int, int, bytes]
"""An instant, from when the key has been waiting, and the key."""

_SMALL = 64
"""So many entries are not worth clearing."""


class Schedule:
    """When to look at which account next. Cost of a change is logarithmic in the accounts that
    wait; entries that do not count any more are cleared away once they outnumber the others.
    """

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._at: dict[bytes, int] = {}
        self._seen: dict[bytes, int] = {}
        """Of keys for which time has passed up to another instant than just before that one."""
        self._parked: dict[bytes, Entry] = {}
        """Due, but for adverse timers alone, which wait until the topics have been looked at."""
        self._parked_at: int | None = None
        """The earliest instant of those, or an earlier one."""
        self._passing: dict[bytes, int] = {}
        """Of those, when something favourable is due, which passes what waits."""

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, key: bytes) -> bool:
        return key in self._at

    @property
    def entries(self) -> int:
        """How many entries are held, whether they count or not."""
        return len(self._heap) + len(self._parked)

    def set(self, key: bytes, at: int | None, since: int = 0, seen: int = -1) -> None:
        """Look at `key` at an instant; None: not at all. At one instant the longest waiting is
        first. `seen`: the instant up to which time has been let pass for the key.
        """
        self._seen.pop(key, None)
        parked = self._parked.pop(key, None)
        self._passing.pop(key, None)
        if at is None:
            self._at.pop(key, None)
            return
        if at <= seen:
            self._seen[key] = seen
        if self._at.get(key) != at or parked is not None:
            self._at[key] = at
            self._push((at, since, key))

    def _push(self, entry: Entry) -> None:
        heapq.heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._at) + _SMALL:
            counts: dict[bytes, Entry] = {}
            for entry in self._heap:
                if self._counts(entry):
                    key = entry[2]
                    counts[key] = min(entry, counts.get(key, entry))
            self._heap = list(counts.values())
            heapq.heapify(self._heap)

    def _counts(self, entry: Entry) -> bool:
        at, _, key = entry
        return (self._passing if key in self._parked else self._at).get(key) == at

    def hasten(self, key: bytes, at: int) -> None:
        """Look at `key` at an instant, unless it is due before. What is parked stays so."""
        if key in self._parked:
            self._pass(key, min(at, self._passing.get(key, at)))
        elif self._at.get(key, at + 1) > at:
            self.set(key, at)

    def park(
        self, key: bytes, at: int, since: int, seen: int, favourable_at: int | None = None
    ) -> None:
        """Look at `key` at an instant that has passed, but not before `unpark`; or before that at
        `favourable_at`, when something is due that passes what waits.
        """
        self._at[key] = at
        self._seen[key] = seen
        self._parked[key] = (at, since, key)
        self._parked_at = at if self._parked_at is None else min(at, self._parked_at)
        self._passing.pop(key, None)
        if favourable_at is not None:
            self._pass(key, favourable_at)

    def _pass(self, key: bytes, at: int) -> None:
        if self._passing.get(key) != at:
            self._passing[key] = at
            self._push((at, self._parked[key][1], key))

    def unpark(self) -> None:
        """The topics have been looked at: what was parked is due like everything else."""
        parked, self._parked, self._parked_at = self._parked, {}, None
        self._passing = {}
        for entry in parked.values():
            self._push(entry)

    def fill(self, entries: Iterable[Entry], seen: dict[bytes, int]) -> None:
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
        """The earliest instant that counts, of what is parked too."""
        heaped, parked = self._heaped(), self._parked_at
        if heaped is None or parked is None:
            return parked if heaped is None else heaped
        return min(heaped, parked)

    def due_by(self, until: int) -> bool:
        """Whether `take` would give another entry."""
        due = self._heaped()
        return due is not None and due <= until

    def _heaped(self) -> int | None:
        heap = self._heap
        while heap and not self._counts(heap[0]):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def take(self, until: int) -> tuple[int, bytes] | None:
        """Remove and return the earliest entry due by an instant; None when there is none."""
        if not self.due_by(until):
            return None
        at, _, key = heapq.heappop(self._heap)
        del self._at[key]
        self._seen.pop(key, None)
        self._parked.pop(key, None)
        self._passing.pop(key, None)
        return at, key
