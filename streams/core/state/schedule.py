"""The timers of a partition: a heap of entries, of which only the latest of a key is valid.

An input must not be decided as of an instant at which a timer of its account is already due but has
not acted. `bound` returns the last instant before that. A key is *parked* if only adverse timers of
it are due, and they must wait until the ends of the input topics were looked up again. Instants are
milliseconds UTC.
"""

import heapq
from collections.abc import Iterable

Entry = tuple[int, int, bytes]
"""When to evaluate, since when the key has been waiting, and the key."""

_SMALL = 64
"""The heap is not cleaned up below this number of invalid entries."""


class Schedule:
    """Keeps, for each account with a timer, when to evaluate it next.

    A change costs O(log n) for n accounts. Invalid entries are removed once they outnumber the
    valid ones.
    """

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._at: dict[bytes, int] = {}
        self._evaluated_until: dict[bytes, int] = {}
        """By key, the result of `bound`, where it is not one millisecond before the entry."""
        self._parked: dict[bytes, Entry] = {}
        """The parked keys with their entries."""
        self._parked_at: int | None = None
        """A lower bound of the instants of the parked keys; None without any."""
        self._passing: dict[bytes, int] = {}
        """By parked key, when its next favourable timer is due; it acts although the key is parked.
        """

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, key: bytes) -> bool:
        return key in self._at

    @property
    def entries(self) -> int:
        """The number of entries, valid and invalid, parked ones included."""
        return len(self._heap) + len(self._parked)

    def set(self, key: bytes, at: int | None, since: int = 0, evaluated_until: int = -1) -> None:
        """Schedules the evaluation of `key` for `at`, instead of any earlier plan; None: never.

        Of keys due at one instant the one with the earliest `since` comes first.
        `evaluated_until`: the instant as of which the key was last evaluated.
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
        """Schedules `key` for `at`, unless it is due earlier. A key in `park` stays there."""
        if key in self._parked:
            self._pass(key, min(at, self._passing.get(key, at)))
        elif self._at.get(key, at + 1) > at:
            self.set(key, at)

    def hasten_all(self, keys: Iterable[bytes], scope: str, at: int) -> None:
        """Schedules those of these keys that belong to `scope` for `at`, unless due before.

        `scope` is a platform, or `*` for all.
        """
        prefix = b"" if scope == "*" else scope.encode() + b":"
        for key in keys:
            if key.startswith(prefix):
                self.hasten(key, at)

    def park(
        self,
        key: bytes,
        at: int,
        since: int,
        evaluated_until: int,
        favourable_at: int | None = None,
    ) -> None:
        """Parks `key`: it is due at `at`, but is not evaluated before `unpark`.

        `favourable_at`: when a favourable timer is due; the key is evaluated then although it is
        parked.
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
        """Makes the parked keys due like all others; called after a look at the topics' ends."""
        parked, self._parked, self._parked_at = self._parked, {}, None
        self._passing = {}
        for entry in parked.values():
            self._push(entry)

    def fill(self, entries: Iterable[Entry], evaluated_until: dict[bytes, int]) -> None:
        """Sets the initial entries; much cheaper than `set` for each.

        `evaluated_until`: by key, the result of `bound`, where it is not one millisecond before
        the entry.
        """
        self._heap = list(entries)
        self._at = {key: at for at, _, key in self._heap}
        self._evaluated_until = evaluated_until
        heapq.heapify(self._heap)

    def bound(self, key: bytes, now: int) -> int:
        """Returns the last instant, at most `now`, at which no timer of the key was due."""
        at = self._at.get(key)
        if at is None or at > now:
            return now
        return self._evaluated_until.get(key, at - 1)

    def due(self) -> int | None:
        """Returns the earliest instant of a valid entry, parked keys included; None without one."""
        heaped, parked = self._heaped(), self._parked_at
        if heaped is None or parked is None:
            return parked if heaped is None else heaped
        return min(heaped, parked)

    def due_by(self, until: int) -> bool:
        """Whether `take(until)` would return an entry."""
        due = self._heaped()
        return due is not None and due <= until

    def _heaped(self) -> int | None:
        heap = self._heap
        while heap and not self._counts(heap[0]):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def keys_due(self, until: int) -> frozenset[bytes]:
        """Returns the keys of all entries due by `until`, parked ones included; removes none."""
        due = {key for key, (at, _, _) in self._parked.items() if at <= until}
        places = [0]
        while places:
            place = places.pop()
            if place < len(self._heap) and self._heap[place][0] <= until:
                if self._counts(self._heap[place]):
                    due.add(self._heap[place][2])
                places += (2 * place + 1, 2 * place + 2)
        return frozenset(due)

    def take(self, until: int) -> tuple[int, bytes] | None:
        """Removes the earliest entry due by `until`. Returns its instant and key, or None."""
        due = self._heaped()
        if due is None or due > until:
            return None
        at, _, key = heapq.heappop(self._heap)
        del self._at[key]
        self._evaluated_until.pop(key, None)
        self._parked.pop(key, None)
        self._passing.pop(key, None)
        return at, key
