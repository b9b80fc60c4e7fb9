"""Decides which word is the newest, independently of the core.

schemas/CONTRACT.md, "Which word is the newest". A word is a record in which an owner, an operator
or the notifier states something at a stated time; its entry is the instant it came into Kafka.

A word is `applied`, `stale`, a `repeat`, or `open`. It is `open` if the decision depends on words
that the auditor does not know; then the auditor demands nothing because of it.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from schemas.enums import ALLOWED_SKEW_SECONDS, EARLIEST_TIME_MS

NEVER = 1 << 62
SKEW_MS = ALLOWED_SKEW_SECONDS * 1000
REMEMBERED_WORDS = 64

Heard = Literal["applied", "stale", "repeat", "open"]


@dataclass(frozen=True, slots=True)
class SaidTimes:
    """The times of an input in milliseconds: stated, and of its append to Kafka."""

    stated: int
    entered_at: int

    @property
    def replaced(self) -> bool:
        """Whether the stated time is not credible: before 2005, or more than PT5M after entry."""
        return self.stated < EARLIEST_TIME_MS or self.stated > self.entered_at + SKEW_MS

    @property
    def at(self) -> int:
        """The time by which inputs are compared: the stated one, never later than the append."""
        return self.entered_at if self.replaced else min(self.stated, self.entered_at)

    @property
    def last(self) -> int:
        """The later of both times, at which a pause ends if this input ends one."""
        return self.entered_at if self.replaced else max(self.stated, self.entered_at)


@dataclass(slots=True)
class Spoken:
    """The words of one kind that were read: the newest applied, the newest protecting, the times.

    A word protects if it is in the owner's favour (closed, exempted, declined, withdrawn …).
    `complete` is false if words from before reading began are unknown. `perhaps` is the time of
    the newest word of which the auditor cannot tell whether it was applied. `times` has the stated
    times by word, `newest_of` the newest of each word (its time, its stated time, further fields).
    """

    complete: bool = True
    newest: int = -NEVER
    perhaps: int = -NEVER
    protecting: int = -NEVER
    withdrawn: int = -NEVER
    times: dict[str, deque[tuple[int, str]]] = field(default_factory=dict)
    newest_of: dict[str, tuple[int, int, str]] = field(default_factory=dict)

    def repeats(self, word: str, said: SaidTimes, more: str = "") -> bool | None:
        """Returns whether this repeats the newest of the same word.

        None: it repeats a word that may not be the newest. `more`: further fields to compare.
        """
        if (said.stated, more) not in self.times.get(word, ()):
            return False
        newest, last = self.newest_of[word][1:], self.times[word][-1]
        return True if newest == last == (said.stated, more) else None

    def sure(self, said: SaidTimes) -> bool:
        """Returns whether no word that is unknown here can make this one stale."""
        known = self.complete or said.at >= said.entered_at - SKEW_MS
        return known and said.at >= self.perhaps - SKEW_MS

    def stale(self, said: SaidTimes, protects: bool) -> bool:
        """Returns whether a word is stale: older than a word that outweighs it.

        One that `protects` may be up to PT5M older than the newest applied; any other must not be
        older than the newest protecting one.
        """
        return said.at < (self.newest - SKEW_MS if protects else self.protecting)

    def remember(self, word: str, said: SaidTimes, more: str = "") -> None:
        """Stores the stated time of an applied or stale input, so that `repeats` finds it."""
        kept = self.times.setdefault(word, deque(maxlen=REMEMBERED_WORDS))
        kept.append((said.stated, more))
        if said.at >= self.newest_of.get(word, (-NEVER, 0, ""))[0]:
            self.newest_of[word] = (said.at, said.stated, more)

    def apply(self, said: SaidTimes, protects: bool) -> None:
        """Records that an input is applied; if it `protects` the owner, older others are stale."""
        self.newest = max(self.newest, said.at)
        if protects:
            self.protecting = max(self.protecting, said.at)

    def hear(self, word: str, said: SaidTimes, protects: bool, never_stale: bool = False) -> Heard:
        """Decides from its times alone whether an input counts, and stores it.

        `protects`: it is in the owner's favour. `never_stale`: it is applied however old it is.
        """
        if not (protects and said.replaced):
            again = self.repeats(word, said)
            if again is not False:
                return "repeat" if again else "open"
        self.remember(word, said)
        if not never_stale and self.stale(said, protects):
            return "stale"
        self.apply(said, protects)
        return "applied" if never_stale or self.sure(said) else "open"
