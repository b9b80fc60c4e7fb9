"""Counts by platform the owners who are restricted now, and the deadlines that lie ahead."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from schemas.enums import Mode
from streams.core.model.instants import DAY, HOUR
from streams.index import tables
from streams.index.sums import NOW

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


def restricted(connection: Connection) -> dict[str, int]:
    """Returns by platform how many invitations have a live restriction that was not lifted."""
    it = tables.sums.c
    mine = select(it.platform, it.name, it.count).where(it.kind == NOW)
    found: dict[str, int] = {}
    for platform, name, count in connection.execute(mine.order_by(it.platform)):
        found[platform] = found.get(platform, 0) + (count if name == "restricted" else 0)
    return found


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
    within = [_count(it.deadline_at <= now + ms) for ms in AHEAD.values()]
    most = it.deadline_at <= now + max(AHEAD.values())
    asked = select(it.platform, *within).where(and_(waits, most)).group_by(it.platform)
    found = {name: ahead for name, *ahead in connection.execute(asked)}
    none = [0] * len(AHEAD)
    return [
        Standing(name, number, dict(zip(AHEAD, found.get(name, none), strict=True)))
        for name, number in restricted(connection).items()
    ]


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))
