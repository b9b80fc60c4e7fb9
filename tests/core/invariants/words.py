"""Which word is the newest, for a reader of inputs alone.

schemas/CONTRACT.md, "Which word is the newest".

A word's time is the stated one, never later than its entry, which stands for sentinels and for
times far ahead.
"""

from typing import NamedTuple

SKEW = 300_000
"""By so much may another's clock be off, in milliseconds."""
YEAR_2005 = 1_104_537_600_000


class HeardTime(NamedTuple):
    """The time that counts, the stated one, and whether the entry stands for it."""

    at: int
    stated: int
    replaced: bool


def word_time(stated: int, entry: int) -> HeardTime:
    """The time with which a word counts."""
    if stated < YEAR_2005 or stated > entry + SKEW:
        return HeardTime(entry, stated, replaced=True)
    return HeardTime(min(stated, entry), stated, replaced=False)


class Kinds:
    """The newest words by kind: closed/reopened, exempted/exemption_ended, owner_changed."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self._protected: dict[str, int] = {}
        self._stated: dict[str, tuple[int, int]] = {}

    def applies(
        self, kind: str, word: str, at: int, stated: int, replaced: bool, protects: bool
    ) -> bool:
        """Whether a word counts: neither a repeat nor stale. It is noted either way."""
        last = self._stated.get(word)
        if last is not None and last[1] == stated and not (protects and replaced):
            return False
        if last is None or at >= last[0]:
            self._stated[word] = (at, stated)
        if protects:
            if at < self._newest.get(kind, at) - SKEW:
                return False
            self._protected[kind] = max(at, self._protected.get(kind, at))
        elif at < self._protected.get(kind, at):
            return False
        self._newest[kind] = max(at, self._newest.get(kind, at))
        return True


class Answers:
    """Answers that were applied: when the newest of each sort was given."""

    def __init__(self) -> None:
        self.newest: int | None = None
        self.protected: int | None = None

    def note(self, answer: str, at: int) -> None:
        """An answer was applied."""
        self.newest = at if self.newest is None else max(at, self.newest)
        if answer != "granted":
            self.protected = at if self.protected is None else max(at, self.protected)


class HeardAppeals:
    """Open appeals by id, and the mark that an upheld one leaves."""

    def __init__(self) -> None:
        self.open: dict[str, int] = {}
        self.upheld_at: int | None = None
        self.freed_at: int | None = None

    def heard(
        self, command: str, appeal_id: str | None, at: int, stated: int, now: int
    ) -> list[tuple[int, int]]:
        """An opening or a verdict; the stretch that it ends."""
        name = appeal_id or ""
        if command == "appeal_opened":
            self.open[name] = min(at, self.open.get(name, at))
            return []
        since = self.open.get(name)
        if command == "appeal_upheld":
            # One that is older than a word which ends such a mark leaves none.
            if self.freed_at is None or self.freed_at <= at:
                self.upheld_at = max(at, self.upheld_at or at)
        elif since is not None and at < since:
            return []
        if since is None:
            return []
        del self.open[name]
        return [(since, max(now, stated if stated <= now + SKEW else now))]

    def owner_changed(self, at: int, now: int) -> list[tuple[int, int]]:
        """Another owner: the former one's appeals and the mark are over."""
        over = {name: since for name, since in self.open.items() if since < at}
        for name in over:
            del self.open[name]
        self.forgive(at)
        return [(since, now) for since in over.values()]

    def forgive(self, at: int) -> None:
        """Another owner, or an `unhold` with reason `appeal`: ends a mark that is not later."""
        self.freed_at = at if self.freed_at is None else max(at, self.freed_at)
        if self.upheld_at is not None and at >= self.upheld_at:
            self.upheld_at = None
