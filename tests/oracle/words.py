"""Which word is the newest: account changes, answers, holds, switches.

schemas/CONTRACT.md, "Which word is the newest".

Numbers in brackets are those of READINGS.md.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.oracle.policy import instant

SKEW = timedelta(minutes=5)
"""By so much may another's clock be off."""
EARLIEST = datetime(2005, 1, 1, tzinfo=UTC)
"""A time before this one is a sentinel, not a date."""
KINDS = {
    "closed": "open or closed",
    "reopened": "open or closed",
    "exempted": "exemption",
    "exemption_ended": "exemption",
    "owner_changed": "owner",
    "granted": "answers",
    "declined": "answers",
    "withdrawn": "answers",
    "hold": "holds",
    "unhold": "holds",
}
PROTECTS = frozenset({"closed", "exempted", "owner_changed", "declined", "withdrawn", "hold"})
NEVER_STALE = frozenset({"hold", "on"})


@dataclass(frozen=True)
class OracleSaid:
    """When a word was said. `at` is its time: the stated one, but never later than its entry."""

    at: datetime
    stated: datetime
    entered: datetime
    replaced: bool

    @classmethod
    def of(cls, stated: str | datetime, entered: datetime) -> "OracleSaid":
        """The time of a word that says `stated` and entered the log at `entered`."""
        said = instant(stated)
        replaced = said < EARLIEST or said > entered + SKEW
        return cls(entered if replaced else min(said, entered), said, entered, replaced)

    @property
    def last(self) -> datetime:
        """The later of its own instant and its entry, at which a pause that it ends is over."""
        return self.entered if self.replaced else max(self.stated, self.entered)


class Words:
    """What has been said of an account or of a switch: newest of a kind, newest of a word."""

    def __init__(self) -> None:
        self.newest: dict[Hashable, datetime] = {}
        """By kind: the newest time of a word applied."""
        self.protecting: dict[Hashable, datetime] = {}
        """By kind: the newest time of a word applied that protects."""
        self.of_word: dict[Hashable, datetime] = {}
        """By kind and word: the newest time of one applied."""
        self._heard: dict[Hashable, tuple[datetime, datetime, Hashable]] = {}

    def repeats(self, kind: Hashable, word: str, said: OracleSaid, more: Hashable = None) -> bool:
        """Whether it has the stated time of the newest applied or stale one of the same word."""
        if said.replaced and (word in PROTECTS or word == "on"):
            return False
        heard = self._heard.get((kind, word))
        return heard is not None and heard[1:] == (said.stated, more)

    def stale(self, kind: Hashable, word: str, said: OracleSaid) -> bool:
        """Whether a newer word of its kind leaves it without effect."""
        if word in NEVER_STALE:
            return False
        if word in PROTECTS:
            newest = self.newest.get(kind)
            return newest is not None and said.at < newest - SKEW
        withdrawn = self.of_word.get((kind, "withdrawn"))
        if word == "granted" and withdrawn is not None and said.at <= withdrawn:
            return True
        before = self.protecting.get(kind)
        return before is not None and said.at < before

    def hear(self, kind: Hashable, word: str, said: OracleSaid, more: Hashable = None) -> None:
        """It was stale or is applied: a copy of it counts no more."""
        heard = self._heard.get((kind, word))
        if heard is None or said.at >= heard[0]:
            self._heard[kind, word] = (said.at, said.stated, more)

    def apply(self, kind: Hashable, word: str, said: OracleSaid, more: Hashable = None) -> None:
        """It takes effect, or is recorded only."""
        self.hear(kind, word, said, more)
        self.newest[kind] = max(said.at, self.newest.get(kind, said.at))
        place = (kind, word)
        self.of_word[place] = max(said.at, self.of_word.get(place, said.at))
        if word in PROTECTS or word == "on":
            self.protecting[kind] = max(said.at, self.protecting.get(kind, said.at))
