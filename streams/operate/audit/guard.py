"""The refusal guard of one partition: when it must trip, and when it must not.

schemas/CONTRACT.md, "The refusal guard". The guard stops a platform's adverse events after LIMIT
refused inputs, or at once (AT_ONCE) after a refused record of an owner or operator whose account
is not certain. A switch record `refusals_settled` says that it tripped (off) or is reset (on).

Compaction removes records, and the worker drops readings below the lowest line unchecked. So the
auditor knows the count only between two bounds, `least` and `most`. The guard must trip when the
lower bound reaches the limit, and must not trip while the upper bound is below it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.enums import PLATFORM_PATTERN, Refused
from streams.operate.audit.odd import text
from streams.operate.audit.records import Record
from streams.operate.audit.refusals import Judged, valid_key
from streams.operate.audit.switch_log import SwitchLog

LIMIT = 100
AT_ONCE = frozenset({"consent-answers", "account-changes", "controls"})
NAMED = re.compile(PLATFORM_PATTERN.removesuffix("$") + ":")


@dataclass(slots=True)
class Missing:
    """A trip that must be published by the end of the transaction."""

    platform: str
    place: str
    why: str


@dataclass(slots=True)
class AuditedRefusalGuard:
    """The counts of one partition, and the platforms whose guard it tripped itself.

    `here`: the place of a trip whose switch record has not been read yet, by platform. `last`: the
    cause of a platform's last trip. `may_trip`: records of this transaction that may trip it at
    once. `missing`: trips that must be published. While a platform is tripped, `kept` has the entry
    (ms) and place of the last record that would trip it at once, `again` all that may: a reset that
    was issued before such a record entered Kafka trips the guard anew.
    """

    least: dict[tuple[str, str], int] = field(default_factory=dict)
    most: dict[tuple[str, str], int] = field(default_factory=dict)
    next_offsets: dict[str, int] = field(default_factory=dict)
    here: dict[str, str] = field(default_factory=dict)
    again: dict[str, set[str]] = field(default_factory=dict)
    kept: dict[str, tuple[int, str]] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    may_trip: dict[str, set[str]] = field(default_factory=dict)
    missing: dict[str, Missing] = field(default_factory=dict)

    def tripped(self, platform: str, switch_log: SwitchLog) -> str | None:
        """Returns the place of the record that says that this platform is tripped, or None."""
        return self.here.get(platform) or switch_log.tripped(platform)

    def read(
        self,
        record: Record,
        judged: Judged | None,
        refused: bool | None,
        letter: Mapping[str, Any],
        now: int,
        policies: Iterable[str],
        switch_log: SwitchLog,
        *,
        count: int = 1,
    ) -> None:
        """Counts one record of an input, or `count` records of a batch that does not unpack.

        `judged`: the auditor's own judgement; None: the batch does not unpack. `refused`: whether
        the worker refused it; None: that cannot be known. `letter`: its dead letter.
        """
        platforms = sorted(policies)
        self._gap(record, platforms, count)
        named = _platform_of(record)
        concerned = [it for it in platforms if named in (None, it)]
        whose = "lost" if judged is None else judged.whose
        at_once = record.topic in AT_ONCE and refused and whose != "certain"
        sure = whose == "lost" and _sure(record, named)
        for platform in concerned:
            if self.tripped(platform, switch_log):
                if at_once:
                    self.again.setdefault(platform, set()).add(record.place)
                if at_once and sure:
                    self.kept[platform] = (record.entered_at(now), record.place)
                continue
            if at_once:
                self.may_trip.setdefault(platform, set()).add(record.place)
                if sure:
                    self._must(platform, record.place, "an account that is not certain")
            self._count(record, platform, judged, refused, letter, count)
        if at_once and named not in (None, *platforms):
            self._elsewhere(record, platforms, switch_log, now, whose == "lost")

    def skip(self, record: Record) -> None:
        """Notes that a record was read that the guard does not count."""
        self.next_offsets[record.topic] = record.offset + 1

    def _elsewhere(
        self, record: Record, platforms: Iterable[str], switch_log: SwitchLog, now: int, lost: bool
    ) -> None:
        """Applies a refused record whose key names a platform without a policy.

        It trips all platforms at once if its account is not certain (`lost`) and its key is valid.
        """
        for platform in platforms:
            tripped = self.tripped(platform, switch_log)
            possible = self.again if tripped else self.may_trip
            possible.setdefault(platform, set()).add(record.place)
            if valid_key(record.key) is None or not lost:
                continue
            if tripped:
                self.kept[platform] = (record.entered_at(now), record.place)
            else:
                self._must(platform, record.place, "an account that is not certain")

    def trip(self, platform: str, plain: Mapping[str, Any], place: str) -> str | None:
        """Applies a published trip of the guard. Returns what is wrong with it, or None.

        `plain` is its record in the decision log, `place` where that lies.
        """
        topic = plain["cause"]["topic"].rsplit(".", 1)[-1]
        cause = f"{topic}[{plain['partition']}]@{plain['cause']['offset']}"
        known = cause in self.may_trip.pop(platform, ()) or cause == self.last.get(platform)
        enough = self.most.get((topic, platform), 0) >= LIMIT
        again = platform in self.kept or cause in self.again.pop(platform, ())
        self.last[platform] = cause
        self.missing.pop(platform, None)
        self.least[topic, platform] = 0
        if plain["refused"] != 1:
            self.most[topic, platform] = 0
        self.here[platform] = place
        self.kept.pop(platform, None)
        if known or enough or again or topic == "switches":
            return None
        return f"{plain['refused']} refused"

    def turned(self, scope: str, on: bool, issued_at: int, policies: Iterable[str]) -> None:
        """Applies a `refusals_settled` switch record; `issued_at` is its stated time (ms)."""
        for platform in policies if scope == "*" else (scope,):
            self.here.pop(platform, None)
            entry, place = self.kept.get(platform, (None, ""))
            if on and entry is not None:
                if issued_at < entry:
                    self._must(platform, place, "settled before it came in")
                else:
                    del self.kept[platform]

    def not_told(self) -> list[Missing]:
        """Returns the trips that the ended transaction should have published, and forgets them."""
        found, self.missing = list(self.missing.values()), {}
        self.may_trip.clear()
        return found

    def _must(self, platform: str, place: str, why: str) -> None:
        self.missing.setdefault(platform, Missing(platform, place, why))

    def _gap(self, record: Record, platforms: Iterable[str], count: int) -> None:
        """Widens the bounds by the records that compaction removed: each may have been good or bad.

        `count`: how many offsets this record or batch takes.
        """
        expected = self.next_offsets.get(record.topic, record.offset)
        gap = max(record.offset - expected, 0)
        self.next_offsets[record.topic] = record.offset + count
        for platform in platforms if gap else ():
            at = (record.topic, platform)
            self.least[at] = max(self.least.get(at, 0) - gap, 0)
            self.most[at] = self.most.get(at, 0) + gap

    def _count(
        self,
        record: Record,
        platform: str,
        judged: Judged | None,
        refused: bool | None,
        letter: Mapping[str, Any],
        count: int,
    ) -> None:
        at = (record.topic, platform)
        least, most = self.least.get(at, 0), self.most.get(at, 0)
        doubtful = refused is None or (judged is not None and judged.below)
        good = refused is False or letter.get("reason") == Refused.NOT_APPROVED
        if good:
            least, most = max(least - 1, 0), most if doubtful else max(most - 1, 0)
        elif refused:
            least, most = least if doubtful else least + count, most + count
        else:
            least, most = max(least - 1, 0), most + count
        self.least[at], self.most[at] = least, most
        if least >= LIMIT:
            self._must(platform, record.place, f"{least} refused")


def _platform_of(record: Record) -> str | None:
    """Returns the platform that a key names, else None."""
    found = NAMED.match(text(record.key))
    return None if found is None else found.group()[:-1]


def _sure(record: Record, named: str | None) -> bool:
    """Whether the auditor can tell for which platforms a refused record trips the guard."""
    return named is None or valid_key(record.key) is not None
