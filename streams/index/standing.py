"""Counts by platform the owners who are restricted now, and the deadlines that lie ahead."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from schemas.enums import Mode
from streams.core.model.instants import DAY, HOUR
from streams.index import tables

AHEAD: dict[str, int] = {"1h": HOUR, "1d": DAY, "7d": 7 * DAY}
"""Name of a time span → its length in ms. Deadlines that pass within it are counted."""


class Standing(NamedTuple):
    """The counts of a platform.

    `restricted`: invitations with a live restriction that was not lifted. `ahead`: open invitations
    in enforce whose deadline passes within a span, by its name in AHEAD.
    """

    platform: str
    restricted: int
    ahead: dict[str, int]


def standing(connection: Connection, now: int) -> list[Standing]:
    """Returns the counts of every platform with an invitation. `now`: ms since 1970."""
    it = tables.cycles.c
    waits = and_(
        it.mode == str(Mode.ENFORCE),
        it.expired_at.is_(None),
        it.cancelled_at.is_(None),
        it.granted_at.is_(None),
        it.deadline_at > now,
    )
    restricted = and_(it.restricted_at.is_not(None), it.lifted_at.is_(None))
    within = [_count(and_(waits, it.deadline_at <= now + ms)) for ms in AHEAD.values()]
    asked = select(it.platform, _count(restricted), *within).group_by(it.platform)
    return [
        Standing(platform, number, dict(zip(AHEAD, ahead, strict=True)))
        for platform, number, *ahead in connection.execute(asked.order_by(it.platform))
    ]


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))
