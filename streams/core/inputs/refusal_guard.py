"""The refusal guard: it counts refused records, and trips when there are too many.

schemas/CONTRACT.md, "The refusal guard".

Refusing stops no partition. But if many inputs of a platform are refused, or one word of a person
is refused and its account is not certain, then something may be missing. Nothing adverse happens
until a person has settled it.
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
"""The guard trips at this number: refused records of a topic and platform, less the good ones."""


class Uncertain(Struct, array_like=True):
    """A refused word whose account is not certain: when it came in, and where it stands."""

    entry: int
    reason: Refused
    topic: InputName
    offset: int


class RefusalCounts(Struct, array_like=True):
    """A partition's state under `#refusals`.

    `numbers`: refused records less good ones, by topic and platform, where above 0. `uncertain`: by
    platform the newest word that tripped the guard, or would have tripped it if it were not
    tripped.
    """

    numbers: dict[InputName, dict[str, int]] = field(default_factory=dict)
    uncertain: dict[str, Uncertain] = field(default_factory=dict)


class Trip(NamedTuple):
    """The guard of a platform trips: the record that is the cause, and how many were refused."""

    platform: str
    reason: Refused
    refused: int
    topic: InputName
    offset: int


class RefusalGuard:
    """Counts the records of one partition.

    `is_tripped` says whether a platform waits to be settled. `trip` trips its guard. `changed` is
    called whenever the state has to be written.
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
        """Whether good records of a topic must be reported: one of its numbers is above 0."""
        return name in self.state.numbers

    def good(self, name: InputName, key: bytes | None) -> None:
        """A record was good: its number goes down by one."""
        numbers = self.state.numbers.get(name)
        if numbers is None:
            return
        for platform in self._named(key):
            if platform in numbers and not self._is_tripped(platform):
                self._set(name, platform, numbers[platform] - 1)

    def refused(
        self, transaction: Transaction, now: int, name: InputName, key: bytes | None, trip: Trip
    ) -> None:
        """Records were refused: `trip.refused` of them. `trip.platform` is not used."""
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
        """A person's word was refused and its account is not certain: the guard trips at once.

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
        """A record `on: true` ends the deferral of platforms.

        If a word that trips at once came in after the record was issued, it trips the guard anew.
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
        """The platforms that a record counts for, by its key."""
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
    """The platform that a key names before its colon, whatever follows; None if it names none.

    The scope `*` of a switch is not a platform.
    """
    found = None if key is None else _NAMED(key)
    return None if found is None else found[1].decode()
