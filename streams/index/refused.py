"""Lists and counts dead letters, with whether a person has settled them.

A letter is settled when a person has sent its record again (redriven) or dismissed it.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from streams.core.model.instants import HOUR, rfc3339
from streams.index import tables
from streams.index.sums import OPEN, REFUSED


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter of dead letters; None matches all.

    `start`, `end`: ms, by the time of the refusal; `end` is excluded. `settled`: whether a person
    has settled it. `unknown`: with a platform, also those whose platform is not known.
    """

    platform: str | None = None
    topic: str | None = None
    reason: str | None = None
    start: int | None = None
    end: int | None = None
    settled: bool | None = None
    unknown: bool = False


def _limits(wanted: Wanted) -> list[ColumnElement[bool]]:
    letters = tables.letters
    limits: list[ColumnElement[bool]] = []
    for name in ("platform", "topic", "reason"):
        value = getattr(wanted, name)
        if value is None:
            continue
        mine = letters.c[name] == value
        also = name == "platform" and wanted.unknown
        limits.append(or_(mine, letters.c[name].is_(None)) if also else mine)
    if wanted.start is not None:
        limits.append(letters.c.refused_at >= wanted.start)
    if wanted.end is not None:
        limits.append(letters.c.refused_at < wanted.end)
    if wanted.settled is not None:
        limits.append(letters.c.settled if wanted.settled else ~letters.c.settled)
    return limits


def _how_settled() -> ColumnElement[str | None]:
    """Returns the column with what a person last did with a letter: `redriven`, `dismissed`."""
    letters, settlements = tables.letters, tables.settlements
    mine = and_(
        settlements.c.topic == letters.c.topic,
        settlements.c.origin_partition == letters.c.origin_partition,
        settlements.c.origin_offset == letters.c.origin_offset,
    )
    newest = select(settlements.c.settled).where(mine).order_by(settlements.c.offset.desc())
    return newest.limit(1).scalar_subquery()


def listed(connection: Connection, wanted: Wanted) -> list[dict[str, Any]]:
    """Returns the letters as `byline dead-letters list --json` shows them, the newest first."""
    letters = tables.letters
    statement: Select[Any] = select(letters, _how_settled().label("how"))
    statement = statement.where(and_(True, *_limits(wanted)))
    origin = (letters.c.topic, letters.c.origin_partition, letters.c.origin_offset)
    order = (letters.c.refused_at.desc(), *origin)
    return [
        {
            "record": f"{it.topic}[{it.origin_partition}]@{it.origin_offset}",
            "platform": it.platform,
            "topic": it.topic,
            "reason": it.reason,
            "field": it.field,
            "bytes": it.value_bytes,
            "refused_at": rfc3339(it.refused_at),
            "settled": it.how,
        }
        for it in connection.execute(statement.order_by(*order))
    ]


def letters_of(connection: Connection, wanted: Wanted, most: int) -> list[Mapping[str, Any]]:
    """Returns the newest letters as rows with `settled`, at most `most` of them."""
    letters = tables.letters
    statement = select(letters).where(and_(True, *_limits(wanted)))
    order = (letters.c.refused_at.desc(), letters.c.partition, letters.c.offset.desc())
    found = connection.execute(statement.order_by(*order).limit(most)).mappings()
    return [dict(it) for it in found]


def counted(connection: Connection, wanted: Wanted) -> list[tuple[str | None, str, str, int]]:
    """Counts the letters by platform, topic and reason, the most frequent first.

    A period of whole hours, or none, is read from the sums.
    """
    whole = all(it is None or it % HOUR == 0 for it in (wanted.start, wanted.end))
    counts = (_summed if whole else _rows)(connection, wanted)
    found = [(*kind, count) for kind, count in counts.items() if count]
    return sorted(found, key=lambda it: (-it[3], it[0] or "", it[1], it[2]))


_Kind = tuple[str | None, str, str]


def _rows(connection: Connection, wanted: Wanted) -> Counter[_Kind]:
    it = tables.letters.c
    group = (it.platform, it.topic, it.reason)
    statement = select(*group, func.count()).where(and_(True, *_limits(wanted))).group_by(*group)
    found = connection.execute(statement)
    return Counter({(platform, topic, why): count for platform, topic, why, count in found})


def _summed(connection: Connection, wanted: Wanted) -> Counter[_Kind]:
    it = tables.sums.c
    kinds = {None: (REFUSED,), False: (OPEN,), True: (REFUSED, OPEN)}[wanted.settled]
    limits: list[ColumnElement[bool]] = [it.kind.in_(kinds)]
    if wanted.start is not None:
        limits.append(it.hour >= wanted.start // HOUR)
    if wanted.end is not None:
        limits.append(it.hour < wanted.end // HOUR)
    group = (it.kind, it.platform, it.name)
    statement = select(*group, func.sum(it.count)).where(and_(*limits)).group_by(*group)
    found: Counter[_Kind] = Counter()
    for kind, platform, name, count in connection.execute(statement):
        topic, why = json.loads(name)
        said = (platform or None, topic, why)
        asked = (wanted.platform, wanted.topic, wanted.reason)
        if all(one in (None, other) for one, other in zip(asked, said, strict=True)):
            # Settled ones are those that are not open.
            found[said] += -int(count) if wanted.settled and kind == OPEN else int(count)
    return found
