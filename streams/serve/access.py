"""Logs who asked about which account, and when, before the answer is given.

The table of this log is not made from Kafka's records, so a rebuild of the index keeps it.
"""

from collections.abc import Sequence

from sqlalchemy import Engine, delete, insert, select

from streams.core.model.instants import SECOND
from streams.index import tables
from streams.index.database import writing

MOST_WHAT = 64
POLL_MS = 600 * SECOND
"""A page that asks again by itself is the same look for so long."""


def write_down(
    engine: Engine,
    at: int,
    actor: str,
    what: str,
    accounts: Sequence[str] = (),
    *,
    poll: bool = False,
) -> None:
    """Adds a row for each account to the log, or one without an account.

    `at`: ms. `what`: the route, and what was chosen there. `poll`: the page asked by itself, so
    that nothing is added if the same was written down in the last POLL_MS.

    Raises DatabaseAway or IndexFault; then the question must not be answered.
    """
    table, named = tables.accesses, list(dict.fromkeys(accounts))
    row = {"at": at, "actor": actor, "what": what[:MOST_WHAT]}
    rows = [{**row, "account": it} for it in named] or [{**row, "account": None}]
    with writing(engine) as connection:
        if poll:
            same = [table.c[name] == value for name, value in rows[0].items() if name != "at"]
            looked = select(table.c.id).where(table.c.at > at - POLL_MS, *same).limit(1)
            if connection.scalar(looked) is not None:
                return
        connection.execute(insert(table), rows)


def forget(engine: Engine, before: int) -> int:
    """Deletes rows from before `before` (ms); returns how many."""
    with writing(engine) as connection:
        old = tables.accesses.c.at < before
        return connection.execute(delete(tables.accesses).where(old)).rowcount
