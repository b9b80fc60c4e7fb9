"""The timers of a partition: a heap of instants. Only the latest entry of a key counts.

An input must not be judged by an instant that runs ahead of the timers. `bound` says up to which
instant time has passed for a key without anything being due.
"""

import heapq
from collections.abc import Iterable

Entry = tuple[int, int, bytes]
"""An instant, from when the key has been waiting, and the key."""

_SMALL = 64
"""The heap is not cleared below this number of entries."""


class Schedule:
    """When to evaluate which account next.

    The cost of a change is logarithmic in the accounts that wait. Entries that do not count any
    more are cleared away once they outnumber the others.
    """

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._at: dict[bytes, int] = {}
        self._evaluated_until: dict[bytes, int] = {}
        """By key, the instant up to which time has passed, if not just before its entry."""
        self._parked: dict[bytes, Entry] = {}
        """Keys with adverse timers alone that are due; they wait for a look at the topics."""
        self._parked_at: int | None = None
        """The earliest instant of the parked keys, or an earlier one."""
        self._passing: dict[bytes, int] = {}
        """By parked key, when something favourable is due, which passes what waits."""

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, key: bytes) -> bool:
        return key in self._at

    @property
    def entries(self) -> int:
        """How many entries the heap holds, whether they count or not."""
        return len(self._heap) + len(self._parked)

    def set(self, key: bytes, at: int | None, since: int = 0, evaluated_until: int = -1) -> None:
        """Evaluate `key` at an instant; None: not at all.

        At one instant the key that has waited longest comes first. `evaluated_until`: the instant
        up to which time has passed for the key.
        """
        self._evaluated_until.pop(key, None)
        parked = self._parked.pop(key, None)
        self._passing.pop(key, None)
        if at is None:
            self._at.pop(key, None)
            return
        if at <= evaluated_until:
            self._evaluated_until[key] = evaluated_until
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
        """Evaluate `key` at an instant, unless it is due before. A parked key stays parked."""
        if key in self._parked:
            self._pass(key, min(at, self._passing.get(key, at)))
        elif self._at.get(key, at + 1) > at:
            self.set(key, at)

    def park(
        self,
        key: bytes,
        at: int,
        since: int,
        evaluated_until: int,
        favourable_at: int | None = None,
    ) -> None:
        """Parks `key`: its instant has passed, but it is not evaluated before `unpark`.

        It is evaluated before that at `favourable_at`, when something is due that passes what
        waits.
        """
        self._at[key] = at
        self._evaluated_until[key] = evaluated_until
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
        """The topics have been looked at: parked keys are due like all others."""
        parked, self._parked, self._parked_at = self._parked, {}, None
        self._passing = {}
        for entry in parked.values():
            self._push(entry)

    def fill(self, entries: Iterable[Entry], evaluated_until: dict[bytes, int]) -> None:
        """Starts with these entries; much cheaper than setting them one by one.

        `evaluated_until`: by key, the instant up to which time has passed, if it is not just before
        the key's entry.
        """
        self._heap = list(entries)
        self._at = {key: at for at, _, key in self._heap}
        self._evaluated_until = evaluated_until
        heapq.heapify(self._heap)

    def bound(self, key: bytes, now: int) -> int:
        """The last instant until `now` at which nothing of the key was due yet."""
        at = self._at.get(key)
        if at is None or at > now:
            return now
        return self._evaluated_until.get(key, at - 1)

    def due(self) -> int | None:
        """The earliest instant that counts, parked keys included."""
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
        """Removes and returns the earliest entry due by an instant; None if there is none."""
        if not self.due_by(until):
            return None
        at, _, key = heapq.heappop(self._heap)
        del self._at[key]
        self._evaluated_until.pop(key, None)
        self._parked.pop(key, None)
        self._passing.pop(key, None)
        return at, key
