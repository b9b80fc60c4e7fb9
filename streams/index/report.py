"""The numbers of a period for a transparency report: counts and medians, never an account or an id.

It counts live events only, because shadow ones concern nobody. An event belongs to the period in
which it was decided.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, func, select

from schemas.enums import Event, Level, Mode, Surface
from streams.core.inputs.letters import refused_reason, refused_topic
from streams.core.model.instants import HOUR, rfc3339
from streams.index import tables
from streams.index.fresh import Fresh, freshness
from streams.index.funnel import Asked, By, funnel
from streams.index.refused import Wanted, counted
from streams.index.sums import APPEAL, EVENT, LIVE, VERDICTS, level_of, platform_of

INCOME = frozenset(
    {
        *(Surface.AD_SHARE, Surface.TIPS, Surface.REVENUE_SHARE),
        *(Surface.PAID_CONTENT, Surface.COMMERCE),
    }
)
"""Surfaces of income; the others are of reach (deploy/statement-of-reasons.md)."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of events of one kind.

    `dsa`: the name of the restriction in the DSA Transparency Database; None: no restriction.
    """

    platform: str
    field: str | None
    event: str
    surface: str | None
    level: str | None
    reason: str
    dsa: str | None
    count: int


class Appeals(NamedTuple):
    """The appeals of a platform, by operators' controls.

    `overturned_ppm`: the share of upheld ones in those decided, in millionths.
    """

    platform: str
    opened: int
    upheld: int
    rejected: int
    overturned_ppm: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """All numbers of a period. `start`, `end`: RFC 3339; the end is excluded."""

    start: str
    end: str
    fresh: Fresh
    events: list[Counted]
    appeals: list[Appeals]
    medians: list[Mapping[str, Any]]
    refused: list[Mapping[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Returns the report as JSON of `byline report`."""
        return {
            "from": self.start,
            "to": self.end,
            **self.fresh.as_dict(),
            "events": [asdict(it) for it in self.events],
            "appeals": [it._asdict() for it in self.appeals],
            "medians": list(self.medians),
            "refused": list(self.refused),
        }


def report(connection: Connection, start: int, end: int, platform: str | None = None) -> Report:
    """Returns the numbers of a period (ms, without its end), of one platform or all."""
    return Report(
        rfc3339(start),
        rfc3339(end),
        freshness(connection),
        _events(connection, start, end, platform),
        _appeals(connection, start, end, platform),
        _medians(connection, Asked(start, end, By.PLATFORM, platform)),
        _refused(counted(connection, Wanted(platform=platform, start=start, end=end))),
    )


def _refused(found: Iterable[tuple[str | None, str, str, int]]) -> list[Mapping[str, Any]]:
    """Returns the refused records by platform, topic and reason, those of no list as one word.

    An index that an older Byline made has the words of whoever wrote the letter.
    """
    counts: Counter[tuple[str | None, str, str]] = Counter()
    for platform, topic, reason, count in found:
        counts[platform, refused_topic(topic, ""), refused_reason(reason)] += count
    return [
        {"platform": platform, "topic": topic, "reason": reason, "count": count}
        for (platform, topic, reason), count in counts.most_common()
    ]


def dsa_of(event: str, surface: str | None, level: str | None) -> str | None:
    """Returns a restriction's name in the DSA Transparency Database; None for another event."""
    if event != Event.THROTTLE_APPLIED or surface is None:
        return None
    if surface not in INCOME:
        return "DECISION_VISIBILITY_CONTENT_DEMOTED"
    return f"DECISION_MONETARY_{'SUSPENSION' if level == Level.OFF else 'OTHER'}"


def _events(connection: Connection, start: int, end: int, platform: str | None) -> list[Counted]:
    whole = start % HOUR == end % HOUR == 0
    found = (_summed if whole else _rows)(connection, start, end, platform)
    counts = [
        Counted(name, field, event, surface, how, why, dsa_of(event, surface, how), count)
        for name, field, event, surface, how, why, count in found
    ]
    return sorted(counts, key=lambda it: tuple(map(str, astuple(it))))


def _summed(
    connection: Connection, start: int, end: int, platform: str | None
) -> Iterator[Sequence[Any]]:
    """Yields platform, field, event, surface, level, reason and count, from the sums."""
    it = tables.sums.c
    limits = [it.kind == EVENT, it.hour >= start // HOUR, it.hour < end // HOUR]
    if platform is not None:
        limits.append(it.platform == platform)
    group = (it.platform, it.name)
    statement = select(*group, func.sum(it.count)).where(and_(*limits)).group_by(*group)
    for name, parts, count in connection.execute(statement):
        yield name, *json.loads(parts), int(count)


def _rows(
    connection: Connection, start: int, end: int, platform: str | None
) -> Iterator[Sequence[Any]]:
    """Yields the same from the events themselves, for a period that is not of whole hours."""
    events, cycles = tables.events, tables.cycles
    mine = and_(
        cycles.c.account == events.c.account,
        cycles.c.cycle == events.c.cycle,
        cycles.c.mode == events.c.mode,
    )
    limits = [
        events.c.topic.in_(LIVE),
        events.c.mode == Mode.ENFORCE,
        events.c.decided_at >= start,
        events.c.decided_at < end,
    ]
    if platform is not None:
        limits.append(events.c.platform == platform)
    group = (
        *(events.c.platform, cycles.c.field, events.c.event, events.c.surface),
        *(level_of(connection), events.c.reason),
    )
    yield from connection.execute(
        select(*group, func.count())
        .select_from(events.outerjoin(cycles, mine))
        .where(and_(*limits))
        .group_by(*group)
    )


def _appeals(connection: Connection, start: int, end: int, platform: str | None) -> list[Appeals]:
    whole = start % HOUR == end % HOUR == 0
    asked = (_summed_verdicts if whole else _counted_verdicts)(connection, start, end)
    found: dict[str, dict[str, int]] = {}
    for name, word, count in connection.execute(asked):
        if platform is None or name == platform:
            counts = found.setdefault(name, dict.fromkeys(map(str, VERDICTS), 0))
            counts[word] += int(count)
    return [_verdicts(name, counts) for name, counts in sorted(found.items())]


def _summed_verdicts(_: Connection, start: int, end: int) -> Select[Any]:
    it = tables.sums.c
    mine = and_(it.kind == APPEAL, it.hour >= start // HOUR, it.hour < end // HOUR)
    group = (it.platform, it.name)
    return select(*group, func.sum(it.count)).where(mine).group_by(*group)


def _counted_verdicts(connection: Connection, start: int, end: int) -> Select[Any]:
    it = tables.words.c
    mine = and_(
        it.topic == "controls",
        it.word.in_(VERDICTS),
        it.entered_at >= start,
        it.entered_at < end,
    )
    group = (platform_of(connection, it.account), it.word)
    return select(*group, func.count()).where(mine).group_by(*group)


def _verdicts(platform: str, counts: Mapping[str, int]) -> Appeals:
    opened, upheld, rejected = (counts[str(word)] for word in VERDICTS)
    decided = upheld + rejected
    overturned = upheld * 1_000_000 // decided if decided else None
    return Appeals(platform, opened, upheld, rejected, overturned)


def _medians(connection: Connection, asked: Asked) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for line in funnel(connection, asked):
        spans = {f"{name}_seconds": _seconds(line.medians[name]) for name in tables.SPANS}
        found.append({"platform": line.group, "eligible": line.eligible, **spans})
    return found


def _seconds(milliseconds: int | None) -> int | None:
    return None if milliseconds is None else milliseconds // 1000
