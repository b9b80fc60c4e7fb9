"""The first schema of the index.

tables.py says what each table is for. A migration's code is never changed afterwards.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    _acks()
    _cycles()
    _decisions()
    _events()
    _freshness()
    _letters()
    _log()
    _policies()
    _positions()
    _runs()
    _settlements()
    _states()
    _words()


def _acks() -> None:
    op.create_table(
        "acks",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=97), nullable=False),
        sa.Column("event_id", sa.String(length=128), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "offset"),
        sqlite_with_rowid=False,
    )
    op.create_index("acks_account", "acks", ["account"], unique=False)


def _cycles() -> None:
    op.create_table(
        "cycles",
        sa.Column("account", sa.String(length=97), nullable=False),
        sa.Column("invitation_id", sa.String(length=128), nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=True),
        sa.Column("cycle", sa.BigInteger(), nullable=False),
        sa.Column("phase", sa.String(length=128), nullable=True),
        sa.Column("field", sa.String(length=32), nullable=True),
        sa.Column("issued_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("undeliverable_at", sa.BigInteger(), nullable=True),
        sa.Column("deadline_at", sa.BigInteger(), nullable=True),
        sa.Column("expired_at", sa.BigInteger(), nullable=True),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.Column("declined_at", sa.BigInteger(), nullable=True),
        sa.Column("granted_at", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.Column("restricted_at", sa.BigInteger(), nullable=True),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.Column("shadow_restricted_at", sa.BigInteger(), nullable=True),
        sa.Column("shadow_lifted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account", "invitation_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("cycles_issued_at", "cycles", ["issued_at"], unique=False)


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=97), nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("now", sa.BigInteger(), nullable=False),
        sa.Column("policy_version", sa.BigInteger(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("eligible", sa.Boolean(), nullable=False),
        sa.Column("field", sa.String(length=32), nullable=True),
        sa.Column("transitions", sa.Text(), nullable=True),
        sa.Column("deferrals", sa.Text(), nullable=True),
        sa.Column("ignored", sa.String(length=32), nullable=True),
        sa.Column("facts", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("partition", "offset"),
        sqlite_with_rowid=False,
    )
    op.create_index("decisions_account", "decisions", ["account", "now"], unique=False)


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=97), nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("cycle", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("surface", sa.String(length=32), nullable=True),
        sa.Column("event_id", sa.String(length=128), nullable=False),
        sa.Column("throttle_id", sa.String(length=128), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", "offset"),
        sqlite_with_rowid=False,
    )
    op.create_index("events_account", "events", ["account", "decided_at"], unique=False)


def _freshness() -> None:
    op.create_table(
        "freshness",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=True),
        sa.Column("behind", sa.BigInteger(), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _letters() -> None:
    op.create_table(
        "letters",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("account", sa.String(length=97), nullable=True),
        sa.Column("platform", sa.String(length=32), nullable=True),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("origin_partition", sa.Integer(), nullable=False),
        sa.Column("origin_offset", sa.BigInteger(), nullable=False),
        sa.Column("last_offset", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("field", sa.String(length=32), nullable=True),
        sa.Column("value_bytes", sa.BigInteger(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("refused_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "offset"),
        sqlite_with_rowid=False,
    )
    op.create_index("letters_account", "letters", ["account"], unique=False)
    op.create_index(
        "letters_origin", "letters", ["topic", "origin_partition", "origin_offset"], unique=False
    )
    op.create_index("letters_refused_at", "letters", ["refused_at"], unique=False)


def _log() -> None:
    op.create_table(
        "log",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("now", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "offset"),
        sqlite_with_rowid=False,
    )


def _policies() -> None:
    op.create_table(
        "policies",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
    )


def _positions() -> None:
    op.create_table(
        "positions",
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("last_offset", sa.BigInteger(), nullable=True),
        sa.Column("last_at", sa.BigInteger(), nullable=True),
        sa.Column("first_offset", sa.BigInteger(), nullable=False),
        sa.Column("unreadable", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
        sqlite_with_rowid=False,
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _settlements() -> None:
    op.create_table(
        "settlements",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("origin_partition", sa.Integer(), nullable=False),
        sa.Column("origin_offset", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "offset"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "settlements_origin",
        "settlements",
        ["topic", "origin_partition", "origin_offset"],
        unique=False,
    )


def _states() -> None:
    op.create_table(
        "states",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.Column("live", sa.SmallInteger(), nullable=True),
        sa.Column("watched", sa.Boolean(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "states_watched",
        "states",
        ["watched"],
        unique=False,
        sqlite_where=sa.text("watched"),
        postgresql_where=sa.text("watched"),
    )


def _words() -> None:
    op.create_table(
        "words",
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=97), nullable=True),
        sa.Column("word", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", "offset"),
        sqlite_with_rowid=False,
    )
    op.create_index("words_account", "words", ["account", "entered_at"], unique=False)
