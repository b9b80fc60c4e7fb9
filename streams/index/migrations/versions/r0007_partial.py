"""Let SQLite use its indexes of some rows alone: it asks for `unclear = 1`, not for `unclear`."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

INDEXES = (
    ("decisions_eligible", "decisions", ["now", "platform", "field"], "eligible = 1"),
    ("states_watched", "states", ["live"], "watched = 1"),
    ("states_unclear", "states", ["partition"], "unclear = 1"),
    ("obliged_decided_at", "obliged", ["decided_at"], "done = 0"),
)


def upgrade() -> None:
    """Make those indexes anew, in the words of the questions."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for name, table, columns, where in INDEXES:
        op.drop_index(name, table)
        op.create_index(name, table, columns, sqlite_where=sa.text(where))
