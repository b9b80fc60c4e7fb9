"""Logs who asked about which account, and when, before the answer is given.

The table of this log is not made from Kafka's records, so a rebuild of the index keeps it.
"""

from sqlalchemy import Engine, delete, insert

from streams.index import tables
from streams.index.database import writing


def write_down(engine: Engine, at: int, actor: str, what: str, account: str | None) -> None:
    """Adds one row to the log. `at`: ms. `what`: the route. `account`: None: of no single one.

    Raises DatabaseAway or IndexFault; then the question must not be answered.
    """
    row = {"at": at, "actor": actor, "what": what, "account": account}
    with writing(engine) as connection:
        connection.execute(insert(tables.accesses), row)


def forget(engine: Engine, before: int) -> int:
    """Deletes rows from before `before` (ms); returns how many."""
    with writing(engine) as connection:
        old = tables.accesses.c.at < before
        return connection.execute(delete(tables.accesses).where(old)).rowcount
