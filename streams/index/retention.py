"""What goes from the index: rows older than it keeps, and before a rebuild what Kafka still has.

Tables that do not come from Kafka are never touched here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    and_,
    delete,
    exists,
    insert,
    select,
)

from schemas.topics import DEAD_LETTERS, DECISIONS, INPUTS, OUTPUTS, THROTTLE_ACKS
from streams.index import tables
from streams.index.database import writing
from streams.index.projection import project
from streams.index.rows import Rows
from streams.index.writer import Place, Writer
from streams.operate.audit.records import Record

_OUTPUTS = frozenset(topic.name for topic in OUTPUTS)
_INPUTS = frozenset(topic.name for topic in INPUTS)

ROWS_OF: tuple[tuple[Table, frozenset[str], str], ...] = (
    (tables.events, _OUTPUTS, "decided_at"),
    (tables.decisions, frozenset({DECISIONS.name}), "now"),
    (tables.log, frozenset({DECISIONS.name}), "now"),
    (tables.words, _INPUTS, "entered_at"),
    (tables.letters, frozenset({DEAD_LETTERS.name}), "refused_at"),
    (tables.settlements, frozenset({DEAD_LETTERS.name}), "at"),
    (tables.acks, frozenset({THROTTLE_ACKS.name}), "entered_at"),
)
"""Each table of one row a record, the topics that it is made of, and the time of a row."""


def purge(engine: Engine, before: int) -> int:
    """Remove what is older than an instant; how many rows that were.

    In a partition rows lie in the order of time, so that no more is looked at than goes.
    """
    gone = 0
    with writing(engine) as connection:
        for table, mine, time, _ in _parts(connection):
            kept = select(table.c.offset).where(and_(mine, table.c[time] >= before))
            first = connection.scalar(kept.order_by(table.c.offset).limit(1))
            old = mine if first is None else and_(mine, table.c.offset < first)
            gone += connection.execute(delete(table).where(old)).rowcount
        cycles, events = tables.cycles, tables.events
        told = exists(select(events.c.offset).where(events.c.account == cycles.c.account))
        ended = and_(cycles.c.issued_at < before, ~told)
        gone += connection.execute(delete(cycles).where(ended)).rowcount
    return gone


def forget(engine: Engine, begins: Mapping[Place, int], now: int) -> None:
    """Before a rebuild: remove what Kafka still has, so that it is read again.

    Rows that lie before the first offset of Kafka stay, and what follows from them is made anew.
    """
    with writing(engine) as connection:
        for table, mine, _, place in _parts(connection):
            again = table.c.offset >= begins.get(place, 0)
            connection.execute(delete(table).where(and_(mine, again)))
        for table in (tables.states, tables.policies, tables.cycles, tables.freshness):
            connection.execute(delete(table))
        connection.execute(delete(tables.positions))
        Writer(engine).write_cycles(connection, _kept(connection))
        connection.execute(
            insert(tables.runs), {"at": now, "what": "rebuilt", "says": "read again from Kafka"}
        )


def _parts(
    connection: Connection,
) -> Iterator[tuple[Table, ColumnElement[bool], str, Place]]:
    """Each table and partition: its rows, the column of their time, and what they are made of."""
    known = select(tables.positions.c.topic, tables.positions.c.partition)
    for topic, partition in connection.execute(known).all():
        for table, topics, time in ROWS_OF:
            if topic in topics:
                mine: Any = table.c.partition == partition
                if "topic" in table.primary_key.columns:
                    mine = and_(table.c.topic == topic, mine)
                yield table, mine, time, (topic, partition)


def _kept(connection: Connection) -> Rows:
    """What the events that stay say of their invitations."""
    events, rows = tables.events, Rows()
    order = (events.c.topic, events.c.partition, events.c.offset)
    for it in connection.execute(select(*order, events.c.value).order_by(*order)):
        place = (it.topic, it.partition, it.offset, 0)
        project(Record(*place, None, it.value.encode()), rows, "")
    return rows
