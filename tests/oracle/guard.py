"""The refusal guard of one partition.

schemas/CONTRACT.md, "The refusal guard".

It counts refused and good records, and says which platforms trip. Numbers in brackets are those of
READINGS.md.
"""

import re
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any

from schemas.enums import Refused
from tests.oracle.policy import instant

TRIPS_AT = 100
WORDS = ("consent-answers", "account-changes", "controls")
"""A refused record of these is an unclear word of its account."""
UNCERTAIN = frozenset({Refused.KEY_MISMATCH, Refused.WRONG_PARTITION, Refused.UNREADABLE_BATCH})
KEY = re.compile(r"([a-z][a-z0-9-]{1,31}):[A-Za-z0-9._~-]{1,64}")
NAMES = re.compile(r"([a-z][a-z0-9-]{1,31}|\*):")


class OracleRefusalGuard:
    """Numbers per input topic and platform, and the platforms that are tripped here."""

    def __init__(self, platforms: Collection[str], partition: int = 0) -> None:
        self.platforms = list(platforms)
        self.partition = partition
        self.numbers: Counter[tuple[str, str]] = Counter()
        self.tripped: dict[str, datetime] = {}
        self.written: list[tuple[str, datetime]] = []
        """Each record `refusals_settled` `on: false` that this partition wrote, and when."""
        self._unread: dict[str, datetime] = {}
        self._latest: dict[str, datetime] = {}

    def good(self, topic: str, key: str | None) -> None:
        """A record that was not refused; of readings below the floor only the sampled ones."""
        for platform in self._named(key):
            if platform not in self.tripped and self.numbers[topic, platform]:
                self.numbers[topic, platform] -= 1

    def refused(
        self,
        now: datetime,
        topic: str,
        key: str | None,
        reason: Refused,
        entered: datetime,
        at_home: bool = True,
    ) -> list[str]:
        """A refused record; the platforms that trip. `at_home`: it lies where its key belongs."""
        if reason == Refused.NOT_APPROVED:
            self.good(topic, key)
            return []
        if topic == "switches" and self.partition != 0:
            return []
        if topic in WORDS and not certain(key, reason, at_home):
            return self._at_once(now, topic, key, reason, entered)
        found = []
        for platform in self._named(key):
            if platform in self.tripped:
                continue
            self.numbers[topic, platform] += 1
            if self.numbers[topic, platform] >= TRIPS_AT:
                self.trip(now, topic, platform)
                found.append(platform)
        return found

    def switch(self, now: datetime, value: dict[str, Any], entered: datetime) -> list[str]:
        """A record `refusals_settled` of the log; the platforms that trip anew."""
        scope, issued_at = value["scope"], instant(value["issued_at"])
        anew = []
        for platform in self.platforms if scope == "*" else [scope]:
            if platform not in self.platforms:
                continue
            if not value["on"]:
                own = value["actor"] == "byline" and scope == platform
                if own and self._unread.get(platform) == issued_at:
                    del self._unread[platform]
                self.tripped.setdefault(platform, entered)
            elif platform in self.tripped and platform not in self._unread:
                if issued_at < self._latest.get(platform, issued_at):
                    self.trip(now, None, platform)
                    anew.append(platform)
                else:
                    del self.tripped[platform]
                    self._latest.pop(platform, None)
        return anew

    def _at_once(
        self, now: datetime, topic: str, key: str | None, reason: Refused, entered: datetime
    ) -> list[str]:
        named = NAMES.match(key or "")
        known = named is not None and named[1] in self.platforms
        agree = reason != Refused.KEY_MISMATCH
        if not known and KEY.fullmatch(key or "") and agree:
            return []
        found = []
        for platform in self._named(key) if known else self.platforms:
            self._latest[platform] = max(entered, self._latest.get(platform, entered))
            if platform not in self.tripped:
                self.trip(now, topic, platform)
                found.append(platform)
        return found

    def trip(self, now: datetime, topic: str | None, platform: str) -> None:
        """Defer here at once, and write the record that has it deferred everywhere."""
        if topic is not None:
            self.numbers[topic, platform] = 0
        self.tripped.setdefault(platform, now)
        self._unread[platform] = now
        self.written.append((platform, now))

    def _named(self, key: str | None) -> list[str]:
        """The platforms that a key counts for: its own, every one if it names none."""
        named = NAMES.match(key or "")
        if named is None or named[1] == "*":
            return self.platforms
        return [named[1]] if named[1] in self.platforms else []


def certain(key: str | None, reason: Refused, at_home: bool = True) -> bool:
    """Whether it is sure which account a refused record is about.

    A record that is too large is refused for that, even if it also lies in a wrong partition.
    """
    return at_home and KEY.fullmatch(key or "") is not None and reason not in UNCERTAIN


def is_unclear(topic: str, key: str | None, reason: Refused | None) -> bool:
    """Whether a refused record is an unclear word of the account that it names."""
    counted = reason is not None and reason != Refused.NOT_APPROVED
    return counted and topic in WORDS and certain(key, Refused(reason))
