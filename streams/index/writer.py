"""Writes rows and Kafka's positions in one transaction of the database: each record exactly once.

The update of a position names the position that this writer knows. If another indexer has written
meanwhile, the update finds no row, and nothing is written.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, and_, bindparam, delete, insert, select, update

from streams.index import settled, sums, tables, unobeyed
from streams.index.bulk import Bulk
from streams.index.database import writing
from streams.index.errors import LostLeadError
from streams.index.rows import Rows

Place = tuple[str, int]
"""A topic, without prefix, and a partition."""


class Position(NamedTuple):
    """A position in a partition: the next offset, the last record's offset and timestamp (ms).

    `unreadable`: how many records before it could not be decoded.
    """

    next_offset: int
    last_offset: int | None = None
    last_at: int | None = None
    unreadable: int = 0


class Writer:
    """Writes batches of rows. `positions`: those that the database has, by place."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._bulk = Bulk(engine)
        self.positions: dict[Place, Position] = {}
        self.as_of: int | None = None
        """The freshness that the database had when it was loaded; None: it was never whole."""

    def load(self) -> None:
        """Reads positions and freshness from the database. Raises DatabaseAway, IndexFault."""
        table = tables.positions
        with writing(self._engine) as connection:
            self.as_of = connection.scalar(select(tables.freshness.c.as_of))
            self.positions = {
                (row.topic, row.partition): Position(
                    row.next_offset, row.last_offset, row.last_at, row.unreadable
                )
                for row in connection.execute(select(table))
            }

    def begin(self, starts: Mapping[Place, int]) -> None:
        """Adds the partitions that were never read, with the offset at which reading begins."""
        new = {place: at for place, at in starts.items() if place not in self.positions}
        if not new:
            return
        with writing(self._engine) as connection:
            connection.execute(
                insert(tables.positions),
                [
                    {
                        "topic": topic,
                        "partition": partition,
                        "next_offset": at,
                        "first_offset": at,
                        "unreadable": 0,
                    }
                    for (topic, partition), at in new.items()
                ],
            )
        self.positions.update({place: Position(at) for place, at in new.items()})

    def unread(self, left: int, now: int) -> None:
        """Notes, before the first record is read, that the index is not whole.

        It changes nothing if that is noted, or if the index was whole once. `left`: how many
        records are to be read. `now`: ms.
        """
        table = tables.freshness
        with writing(self._engine) as connection:
            if connection.scalar(select(table.c.id)) is None:
                row = {"id": 1, "as_of": None, "behind": left, "written_at": now}
                connection.execute(insert(table), row)

    def skip(self, place: Place, to: int, says: str, now: int) -> None:
        """Moves a position over records that Kafka no longer has, and notes the gap in `runs`.

        `to`: the next offset that Kafka has. `says`: the gap in words. `now`: ms.
        """
        before = self.positions[place]
        after = before._replace(next_offset=to)
        with writing(self._engine) as connection:
            self._move(connection, {place: after})
            connection.execute(insert(tables.runs), {"at": now, "what": "gap", "says": says})
        self.positions[place] = after

    def write(self, rows: Rows, moved: Mapping[Place, Position], fresh: Mapping[str, Any]) -> None:
        """Writes rows, new positions and the columns `fresh` of the table `freshness`.

        Raises:
            LostLeadError: another indexer has written meanwhile; nothing was written.
            DatabaseAway, IndexFault: the database failed.
        """
        with writing(self._engine) as connection:
            changed = sums.changes(connection, rows, FIRST)
            for table in tables.APPENDED:
                self._bulk.add(connection, table, getattr(rows, table.name))
            self._replace(connection, rows)
            self.write_cycles(connection, rows)
            changed.update(settled.keep(connection, rows))
            sums.add(connection, changed)
            unobeyed.keep(connection, rows)
            self._purge(connection, rows)
            self._move(connection, moved)
            row = {"id": 1, **fresh}
            named = [row[it.name] for it in tables.freshness.columns]
            self._bulk.replace(connection, tables.freshness, [tuple(named)])
        self.positions.update(moved)

    def _replace(self, connection: Connection, rows: Rows) -> None:
        """Writes the newest state of each key, and the policies."""
        gone = [place for place, row in rows.states.items() if row is None]
        if gone:
            table = tables.states
            connection.execute(
                delete(table).where(
                    and_(table.c.partition == bindparam("p"), table.c.key == bindparam("k"))
                ),
                [{"p": partition, "k": key} for partition, key in gone],
            )
        kept = [(*place, *row) for place, row in rows.states.items() if row is not None]
        self._bulk.replace(connection, tables.states, kept)
        published = [(digest, *row) for digest, row in rows.policies.items()]
        self._bulk.replace(connection, tables.policies, published)

    def write_cycles(self, connection: Connection, rows: Rows) -> None:
        """Writes the columns of `cycles` that events fill; other columns keep their values."""
        names = [column.name for column in tables.cycles.columns][2:]
        found = [(*key, *map(about.get, names)) for key, about in rows.cycles.items()]
        self._bulk.replace(connection, tables.cycles, found, FIRST)

    def _purge(self, connection: Connection, rows: Rows) -> None:
        """Deletes counts and labels of a closed account (deploy/personal-data.md)."""
        if not rows.closed:
            return
        table = tables.decisions
        mine = and_(
            table.c.account == bindparam("a"),
            table.c.partition == bindparam("p"),
            table.c.offset < bindparam("o"),
            table.c.facts.is_not(None),
        )
        closed = [{"a": it[0], "p": it[1], "o": it[2]} for it in rows.closed]
        connection.execute(update(table).where(mine).values(facts=None), closed)

    def _move(self, connection: Connection, moved: Mapping[Place, Position]) -> None:
        table = tables.positions
        mine = and_(
            table.c.topic == bindparam("t"),
            table.c.partition == bindparam("p"),
            table.c.next_offset == bindparam("known"),
        )
        statement = (
            update(table)
            .where(mine)
            .values(
                next_offset=bindparam("n"),
                last_offset=bindparam("lo"),
                last_at=bindparam("la"),
                unreadable=bindparam("u"),
            )
        )
        found = [
            {
                "t": place[0],
                "p": place[1],
                "known": self.positions[place].next_offset,
                "n": it.next_offset,
                "lo": it.last_offset,
                "la": it.last_at,
                "u": it.unreadable,
            }
            for place, it in sorted(moved.items())
        ]
        if found and connection.execute(statement, found).rowcount != len(found):
            raise LostLeadError("another indexer writes into this database")


FIRST = frozenset({"issued_at", "restricted_at", "shadow_restricted_at"})
"""The columns of `cycles` that keep their first time; all others take the last one."""
