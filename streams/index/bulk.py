"""Writes many rows of a table at once: by one prepared statement in SQLite, by COPY in PostgreSQL.

COPY cannot update. Rows whose key may be there already go into a temporary table first, and one
statement takes them over from there.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, column, func, insert, select
from sqlalchemy import table as named
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from streams.index.rows import Row

NEW = "byline_new_"
"""The prefix of a temporary table's name; after it comes the name of the target table."""
FEW = 4
"""Up to so many rows go without a temporary table, which takes three statements."""


class Bulk:
    """Writes rows, each a tuple in the order of its table's columns, in the caller's transaction.

    It keeps the text of each statement, because making it takes longer than writing some rows.
    """

    def __init__(self, engine: Engine) -> None:
        self._dialect = engine.dialect
        self._copies = engine.dialect.name == "postgresql"
        self._sql: dict[tuple[str, str], str] = {}

    def add(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None:
        """Adds rows that are not there yet."""
        if not rows:
            return
        if self._copies:
            self._copy(connection, table, table.name, rows)
        else:
            self._execute_many(connection, table, "add", insert(table), rows)

    def replace(
        self,
        connection: Connection,
        table: Table,
        rows: Sequence[Row],
        first: frozenset[str] = frozenset(),
    ) -> None:
        """Adds rows, or replaces those with the same key. No two of `rows` may share one.

        Without `first` a new row replaces all columns. With it, a column is replaced only by a
        value that is not null, and a column in `first` only if it was null.
        """
        if not rows:
            return
        if not self._copies:
            statement = _upserting(sqlite.insert(table), table, first)
            self._execute_many(connection, table, "replace", statement, rows)
            return
        new = NEW + table.name
        # Its constraints are those of the real table, which it is about to go through anyway.
        make = (
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {new} (LIKE {table.name}) ON COMMIT DELETE ROWS"
        )
        connection.exec_driver_sql(make)
        self._copy(connection, table, new, rows)
        connection.exec_driver_sql(self._text(table, "replace", lambda: _taking(table, new, first)))

    def _text(self, table: Table, what: str, make: Callable[[], Any]) -> str:
        key = (table.name, what)
        if key not in self._sql:
            self._sql[key] = str(make().compile(dialect=self._dialect))
        return self._sql[key]

    def _execute_many(
        self, connection: Connection, table: Table, what: str, statement: Any, rows: Sequence[Row]
    ) -> None:
        """Executes a statement with each row; without a dictionary for each, for speed."""
        filled = statement.values([bindparam(it.name) for it in table.columns])
        text = self._text(table, what, lambda: filled)
        connection.exec_driver_sql(text, list(rows))

    def _copy(self, connection: Connection, table: Table, into: str, rows: Sequence[Row]) -> None:
        names = ", ".join(self._dialect.identifier_preparer.quote(it.name) for it in table.columns)
        statement = f"COPY {into} ({names}) FROM STDIN"
        with self._told(connection, statement):
            cursor = connection.connection.cursor()
            with cursor.copy(statement) as copy:
                write = copy.write_row
                for row in rows:
                    write(row)

    @contextmanager
    def _told(self, connection: Connection, statement: str) -> Iterator[None]:
        """Raises the driver's errors as SQLAlchemy does, which does not know COPY."""
        driver: Any = self._dialect.dbapi
        try:
            yield
        except driver.Error as error:
            raise DBAPIError.instance(
                statement, None, error, driver.Error, dialect=self._dialect
            ) from error


def _upserting(statement: Any, table: Table, first: frozenset[str]) -> Any:
    keys = [it.name for it in table.primary_key]
    sets: dict[str, Any] = {}
    for it in table.columns:
        new = statement.excluded[it.name]
        if it.name in keys:
            continue
        if it.name in first:
            sets[it.name] = func.coalesce(it, new)
        else:
            sets[it.name] = func.coalesce(new, it) if first else new
    return statement.on_conflict_do_update(index_elements=keys, set_=sets)


def _taking(table: Table, new: str, first: frozenset[str]) -> Any:
    """Returns the statement that moves the rows of `new` into the table."""
    names = [it.name for it in table.columns]
    source = select(named(new, *map(column, names)))
    return _upserting(postgresql.insert(table).from_select(names, source), table, first)
