"""Lists and counts dead letters, with whether a person has settled them.

A letter is settled when a person has sent its record again (redriven) or dismissed it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, select

from streams.core.model.instants import rfc3339
from streams.index import tables


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter of dead letters; None matches all.

    `start`, `end`: ms, by the time of the refusal; `end` is excluded. `settled`: whether a person
    has settled it.
    """

    platform: str | None = None
    topic: str | None = None
    reason: str | None = None
    start: int | None = None
    end: int | None = None
    settled: bool | None = None


def _settled() -> ColumnElement[bool]:
    letters, settlements = tables.letters, tables.settlements
    return exists().where(
        and_(
            settlements.c.topic == letters.c.topic,
            settlements.c.origin_partition == letters.c.origin_partition,
            settlements.c.origin_offset == letters.c.origin_offset,
        )
    )


def _limits(wanted: Wanted) -> list[ColumnElement[bool]]:
    letters = tables.letters
    limits: list[ColumnElement[bool]] = []
    for name in ("platform", "topic", "reason"):
        value = getattr(wanted, name)
        if value is not None:
            limits.append(letters.c[name] == value)
    if wanted.start is not None:
        limits.append(letters.c.refused_at >= wanted.start)
    if wanted.end is not None:
        limits.append(letters.c.refused_at < wanted.end)
    if wanted.settled is not None:
        limits.append(_settled() if wanted.settled else ~_settled())
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
    statement: Select[Any] = select(letters, _settled().label("settled"))
    statement = statement.where(and_(True, *_limits(wanted)))
    order = (letters.c.refused_at.desc(), letters.c.partition, letters.c.offset.desc())
    found = connection.execute(statement.order_by(*order).limit(most)).mappings()
    return [dict(it) for it in found]


def counted(connection: Connection, wanted: Wanted) -> list[tuple[str | None, str, str, int]]:
    """Counts the letters by platform, topic and reason, the most frequent first."""
    letters = tables.letters
    group = (letters.c.platform, letters.c.topic, letters.c.reason)
    statement: Select[Any] = select(*group, func.count())
    statement = statement.where(and_(True, *_limits(wanted))).group_by(*group)
    found = [tuple(it) for it in connection.execute(statement)]
    return sorted(found, key=lambda it: (-it[3], it[0] or "", it[1], it[2]))
