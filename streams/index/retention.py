"""Deletes rows of the index: those that are too old, and before a rebuild those that Kafka has.

Tables that are not made from Kafka's records are never touched here.
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
from streams.index import settled, sums, tables, unobeyed
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
"""Each table that has one row for each record: table, topics, and the column with a row's time."""


def purge(engine: Engine, before: int) -> int:
    """Deletes rows older than `before` (ms); returns how many.

    A partition's rows are ordered by time. So it finds the first row to keep and deletes all before
    it, without reading the rest.
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
        if gone:
            sums.purge(connection, before)
            unobeyed.purge(connection, before)
    return gone


def forget(engine: Engine, begins: Mapping[Place, int], now: int) -> None:
    """Deletes, before a rebuild, all rows whose records Kafka still has, and the positions.

    `begins`: the first offset that Kafka has of each partition. Rows before it stay, and `cycles`
    is made anew from them. `now`: ms, for the table `runs`.
    """
    with writing(engine) as connection:
        for table, mine, _, place in _parts(connection):
            again = table.c.offset >= begins.get(place, 0)
            connection.execute(delete(table).where(and_(mine, again)))
        for table in (tables.states, tables.policies, tables.cycles, tables.freshness):
            connection.execute(delete(table))
        connection.execute(delete(tables.positions))
        Writer(engine).write_cycles(connection, _kept(connection))
        settled.recount(connection)
        sums.recount(connection)
        unobeyed.recount(connection)
        connection.execute(
            insert(tables.runs), {"at": now, "what": "rebuilt", "says": "read again from Kafka"}
        )


def _parts(
    connection: Connection,
) -> Iterator[tuple[Table, ColumnElement[bool], str, Place]]:
    """Yields each table and partition: condition of its rows, column of their time, and place."""
    known = select(tables.positions.c.topic, tables.positions.c.partition)
    for topic, partition in connection.execute(known).all():
        for table, topics, time in ROWS_OF:
            if topic in topics:
                mine: Any = table.c.partition == partition
                if "topic" in table.primary_key.columns:
                    mine = and_(table.c.topic == topic, mine)
                yield table, mine, time, (topic, partition)


def _kept(connection: Connection) -> Rows:
    """Returns the rows of `cycles` that the remaining events make."""
    events, rows = tables.events, Rows()
    order = (events.c.topic, events.c.partition, events.c.offset)
    for it in connection.execute(select(*order, events.c.value).order_by(*order)):
        place = (it.topic, it.partition, it.offset, 0)
        project(Record(*place, None, it.value.encode()), rows, "")
    return rows
