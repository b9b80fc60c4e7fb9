"""Reads events from the index: the same as from the output topics, but without reading Kafka."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, select

from streams.index import tables
from streams.operate.audit.records import Record
from streams.operate.events import WantedEvents


def events(connection: Connection, wanted: WantedEvents) -> Iterator[Mapping[str, Any]]:
    """Yields the matching events: of one account in its order, of several by time."""
    table = tables.events
    limits = []
    if wanted.account is not None:
        limits.append(table.c.account == wanted.account)
    if wanted.platform is not None:
        limits.append(table.c.platform == wanted.platform)
    if wanted.types:
        limits.append(table.c.event.in_(wanted.types))
    if wanted.start is not None:
        limits.append(table.c.decided_at >= wanted.start)
    if wanted.end is not None:
        limits.append(table.c.decided_at < wanted.end)
    order = (table.c.decided_at, table.c.mode, table.c.sequence, table.c.account)
    if wanted.account is None:
        order = (table.c.decided_at, table.c.account, table.c.mode, table.c.sequence)
    statement = select(table.c.value).where(and_(True, *limits)).order_by(*order)
    for value in connection.execution_options(yield_per=1_000).scalars(statement):
        yield msgspec.json.decode(value)


def throttle_events(connection: Connection, wanted: str) -> Iterator[Record]:
    """Yields the throttle events of an account (`platform:account_id`), or the one with this id.

    Live ones come before shadow ones; each topic partition is in order.
    """
    table = tables.events
    mine = table.c.account == wanted if ":" in wanted else table.c.event_id == wanted
    topic = tables.unsought(table.c.topic) if ":" in wanted else table.c.topic
    throttles = topic.in_(("throttles", "shadow.throttles"))
    order = (table.c.topic, table.c.partition, table.c.offset)
    for it in connection.execute(select(table).where(and_(throttles, mine)).order_by(*order)):
        place = (it.topic, it.partition, it.offset, it.decided_at)
        yield Record(*place, it.account.encode(), it.value.encode())
