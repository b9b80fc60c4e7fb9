"""Which word is the newest, as the auditor reckons it by itself.

schemas/CONTRACT.md, "Which word is the newest".

A word is `applied`, `stale`, a `repeat`, or `open`. It is `open` if the answer depends on something
that is no longer known here; then nothing is demanded because of it.
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
class Said:
    """When a word was said: as stated, and as it counts. `entered_at` is its moment of entry."""

    stated: int
    entered_at: int

    @property
    def replaced(self) -> bool:
        """Whether the stated time is not credible: before 2005, or too far ahead."""
        return self.stated < EARLIEST_TIME_MS or self.stated > self.entered_at + SKEW_MS

    @property
    def at(self) -> int:
        """The time that counts: never later than the entry."""
        return self.entered_at if self.replaced else min(self.stated, self.entered_at)

    @property
    def last(self) -> int:
        """The later of stated time and entry: where a pause ends."""
        return self.entered_at if self.replaced else max(self.stated, self.entered_at)


@dataclass(slots=True)
class Spoken:
    """What was heard of one kind: the newest applied, the newest protecting, each stated time.

    Not `complete`: what was said before reading began is unknown. `perhaps`: the newest of those
    that may or may not count.
    """

    complete: bool = True
    newest: int = -NEVER
    perhaps: int = -NEVER
    protecting: int = -NEVER
    withdrawn: int = -NEVER
    times: dict[str, deque[tuple[int, str]]] = field(default_factory=dict)
    newest_of: dict[str, tuple[int, int, str]] = field(default_factory=dict)

    def repeats(self, word: str, said: Said, more: str = "") -> bool | None:
        """Whether this repeats the newest of the same word; None: perhaps an older one."""
        if (said.stated, more) not in self.times.get(word, ()):
            return False
        newest, last = self.newest_of[word][1:], self.times[word][-1]
        return True if newest == last == (said.stated, more) else None

    def sure(self, said: Said) -> bool:
        """Whether nothing unknown can make this word stale."""
        known = self.complete or said.at >= said.entered_at - SKEW_MS
        return known and said.at >= self.perhaps - SKEW_MS

    def stale(self, said: Said, protects: bool) -> bool:
        """Whether a word comes too late to count."""
        return said.at < (self.newest - SKEW_MS if protects else self.protecting)

    def remember(self, word: str, said: Said, more: str = "") -> None:
        """Notes a word that is applied or stale: it can be repeated."""
        kept = self.times.setdefault(word, deque(maxlen=REMEMBERED_WORDS))
        kept.append((said.stated, more))
        if said.at >= self.newest_of.get(word, (-NEVER, 0, ""))[0]:
            self.newest_of[word] = (said.at, said.stated, more)

    def apply(self, said: Said, protects: bool) -> None:
        """Notes a word that counts."""
        self.newest = max(self.newest, said.at)
        if protects:
            self.protecting = max(self.protecting, said.at)

    def hear(self, word: str, said: Said, protects: bool, never_stale: bool = False) -> Heard:
        """Judges a word that has no other condition, and remembers it."""
        if not (protects and said.replaced):
            again = self.repeats(word, said)
            if again is not False:
                return "repeat" if again else "open"
        self.remember(word, said)
        if not never_stale and self.stale(said, protects):
            return "stale"
        self.apply(said, protects)
        return "applied" if never_stale or self.sure(said) else "open"
