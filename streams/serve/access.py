"""Who asked about whom, and when: written down before the answer is given.

The table is the index's own. It does not come from Kafka, and no rebuild touches it.
"""

from sqlalchemy import Engine, delete, insert

from streams.index import tables
from streams.index.database import writing


def write_down(engine: Engine, at: int, actor: str, what: str, account: str | None) -> None:
    """One line of the log. Raises DatabaseAway: then there is no answer either."""
    row = {"at": at, "actor": actor, "what": what, "account": account}
    with writing(engine) as connection:
        connection.execute(insert(tables.accesses), row)


def forget(engine: Engine, before: int) -> int:
    """Remove lines from before an instant; how many."""
    with writing(engine) as connection:
        old = tables.accesses.c.at < before
        return connection.execute(delete(tables.accesses).where(old)).rowcount
