"""Lists restrictions and lifts that no enforcing system has acknowledged.

As long as no system has ever acknowledged an event, silence means nothing, and the list is empty.
"""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, and_, exists, select

from schemas.enums import AckOutcome, Event, Mode
from streams.core.model.instants import rfc3339
from streams.index import tables

THROTTLES = "throttles"
SAID = (Event.THROTTLE_APPLIED, Event.THROTTLE_LIFTED)


@dataclass(frozen=True, slots=True)
class Unobeyed:
    """The newest throttle event of a surface, if no system has acknowledged that it carried it out.

    `since`: when it was decided (RFC 3339). `failed`: a system said that it could not.
    """

    account: str
    event: str
    surface: str
    since: str
    event_id: str
    failed: bool

    def as_dict(self) -> dict[str, Any]:
        """Returns the event as JSON of `byline worklist unacknowledged --json`."""
        return asdict(self)


def unobeyed(connection: Connection, before: int, platform: str | None = None) -> list[Unobeyed]:
    """Returns the events decided before `before` (ms) that no system carried out.

    Lifts come first, then the oldest.
    """
    acks, events = tables.acks, tables.events
    if connection.scalar(select(acks.c.offset).limit(1)) is None:
        return []
    later = events.alias()
    mine = and_(acks.c.account == events.c.account, acks.c.event_id == events.c.event_id)
    done = exists().where(and_(mine, acks.c.outcome != AckOutcome.FAILED))
    failed = exists().where(and_(mine, acks.c.outcome == AckOutcome.FAILED))
    overtaken = exists().where(
        and_(
            later.c.account == events.c.account,
            later.c.topic == THROTTLES,
            later.c.surface == events.c.surface,
            later.c.sequence > events.c.sequence,
            later.c.event.in_(SAID),
        )
    )
    wanted = [
        events.c.topic == THROTTLES,
        events.c.mode == Mode.ENFORCE,
        events.c.event.in_(SAID),
        events.c.decided_at < before,
        ~done,
        ~overtaken,
    ]
    if platform is not None:
        wanted.append(events.c.platform == platform)
    found = connection.execute(select(events, failed.label("failed")).where(and_(*wanted)))
    rows = [
        Unobeyed(
            it.account,
            it.event,
            it.surface,
            rfc3339(it.decided_at),
            it.event_id,
            bool(it.failed),
        )
        for it in found
    ]
    rows.sort(key=lambda it: (it.event != Event.THROTTLE_LIFTED, it.since, it.account, it.surface))
    return rows
