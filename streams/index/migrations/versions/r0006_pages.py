"""Keep what pages for people would count anew each time: sums, work, what systems have to do."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make tables, columns and indexes; 0008 fills them from the rows, with its own."""
    _tables()
    _columns()
    _indexes()


def _tables() -> None:
    op.create_table(
        "sums",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "hour", "platform", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "obliged",
        sa.Column("account", sa.String(length=97), nullable=False),
        sa.Column("surface", sa.String(length=32), nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.String(length=128), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account", "surface"),
        sqlite_with_rowid=False,
    )


def _columns() -> None:
    for column in (
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("promise", sa.String(length=16), nullable=True),
        sa.Column("unclear", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("appeals", sa.SmallInteger(), nullable=False, server_default="0"),
    ):
        op.add_column("states", column)


def _indexes() -> None:
    op.drop_index("states_watched", "states")
    _partial("states_watched", "states", ["live"], "watched = 1", "watched")
    due = ["due_at", "partition", "promise", "key"]
    _partial("states_due", "states", due, "due_at IS NOT NULL", "due_at IS NOT NULL")
    _partial("states_unclear", "states", ["partition"], "unclear = 1", "unclear")
    _partial("states_appeals", "states", ["appeals"], "appeals > 0", "appeals > 0")
    _partial("obliged_decided_at", "obliged", ["decided_at"], "done = 0", "NOT done")
    for end, start in (
        ("delivered_at", "issued_at"),
        ("granted_at", "delivered_at"),
        ("lifted_at", "restricted_at"),
    ):
        op.create_index(f"cycles_{end}", "cycles", [end, "mode", "platform", start])
    still = "granted_at IS NULL AND expired_at IS NULL"
    _partial("cycles_deadline_at", "cycles", ["deadline_at", "platform"], still, still)


def _partial(name: str, table: str, columns: list[str], sqlite: str, postgresql: str) -> None:
    where = {"sqlite_where": sa.text(sqlite), "postgresql_where": sa.text(postgresql)}
    op.create_index(name, table, columns, **where)  # type: ignore[arg-type]
