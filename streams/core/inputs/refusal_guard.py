"""The refusal guard: counts refused records, and trips when there are too many.

schemas/CONTRACT.md, "The refusal guard".

Refusing a record stops no partition. But if many records of a platform are refused, or one word (a
record in which a person says something) is refused and its account is not certain, then information
may be missing. The guard defers all adverse events of the platform until a person has looked into
it and sent a record `refusals_settled` with `on: true`.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from msgspec import Struct, field

from schemas.enums import PLATFORM_PATTERN, Refused
from schemas.inputs import InputName
from streams.core.model.ports import Transaction

_NAMED = re.compile(f"({PLATFORM_PATTERN[1:-1]}):".encode()).match

TRIPS_AT = 100
"""The guard trips when a topic and platform have this many more refused than good records."""


class Uncertain(Struct, array_like=True):
    """A refused input whose account is not certain. `entry`: when it was appended to Kafka."""

    entry: int
    reason: Refused
    topic: InputName
    offset: int


class RefusalCounts(Struct, array_like=True):
    """A partition's state under the key `#refusals`.

    `numbers`: refused minus good records, by topic and platform, where above 0. `uncertain`: by
    platform, the newest refused word whose account is not certain.
    """

    numbers: dict[InputName, dict[str, int]] = field(default_factory=dict)
    uncertain: dict[str, Uncertain] = field(default_factory=dict)


class Trip(NamedTuple):
    """Why the guard of a platform trips: the last refused record, and the number of refusals."""

    platform: str
    reason: Refused
    refused: int
    topic: InputName
    offset: int


class RefusalGuard:
    """Counts the good and refused records of one partition.

    `is_tripped` says whether a platform's guard is tripped; `trip` trips it. `changed` is called
    whenever the state has to be written.
    """

    def __init__(
        self,
        platforms: Iterable[str],
        state: RefusalCounts,
        is_tripped: Callable[[str], bool],
        trip: Callable[[Transaction, int, Trip], None],
        changed: Callable[[], None],
    ) -> None:
        self._platforms = tuple(sorted(platforms))
        self._known = frozenset(self._platforms)
        self.state = state
        self._is_tripped = is_tripped
        self._trip = trip
        self._changed = changed

    def counts(self, name: InputName) -> bool:
        """Whether good records of a topic must be reported because one of its counts is above 0."""
        return name in self.state.numbers

    def good(self, name: InputName, key: bytes | None) -> None:
        """Counts a good record: lowers the count of its topic and platform by one."""
        numbers = self.state.numbers.get(name)
        if numbers is None:
            return
        for platform in self._named(key):
            if platform in numbers and not self._is_tripped(platform):
                self._set(name, platform, numbers[platform] - 1)

    def refused(
        self, transaction: Transaction, now: int, name: InputName, key: bytes | None, trip: Trip
    ) -> None:
        """Counts `trip.refused` refused records, and trips the guard if there are too many.

        The platform comes from `key`; `trip.platform` is not used.
        """
        for platform in self._named(key):
            if self._is_tripped(platform):
                continue
            number = self.state.numbers.get(name, {}).get(platform, 0) + trip.refused
            if number < TRIPS_AT:
                self._set(name, platform, number)
                continue
            self._set(name, platform, 0)
            self._trip(transaction, now, trip._replace(platform=platform, refused=number))

    def uncertain(
        self, transaction: Transaction, now: int, key: bytes | None, word: Uncertain
    ) -> None:
        """Trips the guard at once, for a refused input whose account is not certain.

        It trips for the platform that the key names if that has a policy, else for all platforms.
        """
        platform = platform_of(key)
        for one in (platform,) if platform in self._known else self._platforms:
            assert one is not None
            known = self.state.uncertain.get(one)
            if known is None or word.entry >= known.entry:
                self.state.uncertain[one] = word
                self._changed()
            if not self._is_tripped(one):
                self._set(word.topic, one, 0)
                self._trip(transaction, now, _trip_of(one, word))

    def settled(
        self, transaction: Transaction, now: int, platforms: Iterable[str], issued_at: int
    ) -> None:
        """Notes that a record `on: true` issued at `issued_at` ended the deferral of platforms.

        If a word whose account is not certain entered after the record was issued, the guard trips
        again.
        """
        for platform in sorted(self._known.intersection(platforms)):
            word = self.state.uncertain.get(platform)
            if word is None:
                continue
            if issued_at < word.entry:
                self._trip(transaction, now, _trip_of(platform, word))
            else:
                del self.state.uncertain[platform]
                self._changed()

    def _named(self, key: bytes | None) -> tuple[str, ...]:
        """Returns the platforms that a record counts for: that of its key, or all if unknown."""
        platform = platform_of(key)
        if platform is None:
            return self._platforms
        return (platform,) if platform in self._known else ()

    def _set(self, name: InputName, platform: str, number: int) -> None:
        numbers = self.state.numbers.setdefault(name, {})
        if numbers.get(platform, 0) != number:
            self._changed()
        if number > 0:
            numbers[platform] = number
        else:
            numbers.pop(platform, None)
        if not numbers:
            del self.state.numbers[name]


def _trip_of(platform: str, word: Uncertain) -> Trip:
    return Trip(platform, word.reason, 1, word.topic, word.offset)


def platform_of(key: bytes | None) -> str | None:
    """Returns the text before a key's colon if it has the form of a platform; else None."""
    found = None if key is None else _NAMED(key)
    return None if found is None else found[1].decode()
