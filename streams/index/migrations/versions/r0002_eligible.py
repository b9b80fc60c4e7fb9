"""Find the accounts that became eligible in a period without reading every decision."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Index those decisions alone."""
    op.create_index(
        "decisions_eligible",
        "decisions",
        ["now", "platform", "field"],
        sqlite_where=sa.text("eligible"),
        postgresql_where=sa.text("eligible"),
    )
