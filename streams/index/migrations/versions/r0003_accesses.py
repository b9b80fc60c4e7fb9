"""Write down who asks the read API about whom."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the log of accesses."""
    op.create_table(
        "accesses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=97), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("accesses_at", "accesses", ["at"])
    op.create_index("accesses_account", "accesses", ["account"])
