"""Keep the sums of durations, appeals and letters, and what a page of a work-list is sorted by.

Fills what 0006 made, too, where that has no sums yet: both count with this version's functions.
"""

from typing import Any

import sqlalchemy as sa
from alembic import context, op

from streams.core.model.account import decode_account
from streams.index import settled, sums, unobeyed
from streams.index.work import Work, work_of

revision = "0008"
down_revision = "0007"

MOST = 10_000
"""So many accounts are held at once."""


def upgrade() -> None:
    """Make the columns and indexes, and fill them from the rows."""
    say = context.config.attributes["say"]
    _columns()
    connection = op.get_bind()
    first = connection.scalar(sa.text("SELECT count FROM sums LIMIT 1")) is None
    say("counting the letters that are settled")
    settled.recount(connection)
    say("looking at the accounts that somebody may have to act on")
    _fill(connection)
    _indexes()
    if first:
        for kind in sums.KINDS:
            say(f"counting every hour: {kind}")
            sums.recount(connection, frozenset({kind}))
        say("looking at what enforcing systems have to do")
        unobeyed.recount(connection)
    else:
        for kind in (sums.TOOK, sums.APPEAL, sums.REFUSED):
            say(f"counting every hour: {kind}")
            sums.recount(connection, frozenset({kind}))


def _columns() -> None:
    op.add_column(
        "letters", sa.Column("settled", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    for name in ("waits_since", "unclear_since", "appeal_since"):
        op.add_column("states", sa.Column(name, sa.BigInteger(), nullable=True))


def _indexes() -> None:
    op.drop_index("states_unclear", "states")
    op.drop_index("states_appeals", "states")
    op.drop_index("obliged_decided_at", "obliged")
    waits = ["live", "waits_since", "key", "partition"]
    _partial("states_waits", "states", waits, "waits_since IS NOT NULL", "waits_since IS NOT NULL")
    unclear = ["unclear_since", "key", "partition", "live"]
    known = "unclear_since IS NOT NULL"
    _partial("states_unclear", "states", unclear, known, known)
    appeals = ["appeal_since", "key", "partition", "appeals"]
    _partial("states_appeals", "states", appeals, "appeals > 0", "appeals > 0")
    duties = ["decided_at", "platform", "done"]
    _partial("obliged_decided_at", "obliged", duties, "done = 0", "NOT done")
    for name, end, start in (
        ("cycles_until_delivered", "delivered_at", "issued_at"),
        ("cycles_until_granted", "granted_at", "delivered_at"),
        ("cycles_restricted_for", "lifted_at", "restricted_at"),
    ):
        columns = ["mode", "platform", sa.text(f"({end} - {start})"), end, start]
        _partial(name, "cycles", columns, f"{end} IS NOT NULL", f"{end} IS NOT NULL")
    letters = ["refused_at", "platform", "topic", "reason", "settled"]
    _partial("letters_open", "letters", letters, "settled = 0", "NOT settled")


def _partial(name: str, table: str, columns: list[Any], sqlite: str, postgresql: str) -> None:
    where = {"sqlite_where": sa.text(sqlite), "postgresql_where": sa.text(postgresql)}
    op.create_index(name, table, columns, **where)  # type: ignore[arg-type]


def _fill(connection: sa.Connection) -> None:
    """What people have to do about each account: from its state."""
    names = ("partition", "key", "watched", "value", *Work._fields)
    states = sa.table("states", *(sa.column(it) for it in names))
    mine = (states.c.partition == sa.bindparam("p"), states.c.key == sa.bindparam("k"))
    its: dict[str, sa.BindParameter[object]] = {it: sa.bindparam(it) for it in Work._fields}
    change = sa.update(states).where(*mine).values(its)
    for partition in connection.scalars(sa.select(states.c.partition).distinct()).all():
        after = ""
        while True:
            some = sa.select(states.c.key, states.c.value).where(
                states.c.partition == partition, states.c.key > after, states.c.watched == sa.true()
            )
            found = [
                {"p": partition, "k": key, **work_of(decode_account(bytes(value)), key)._asdict()}
                for key, value in connection.execute(some.order_by(states.c.key).limit(MOST))
            ]
            if not found:
                break
            connection.execute(change, found)
            after = found[-1]["k"]
