"""The tables of the index: one for each kind of record, and Kafka's positions.

Times are ms since 1970. Topics are named without prefix. `account` is `platform:account_id`. The
primary key of a record's row is its place in Kafka, so that each answer can name the record.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    false,
    true,
)

metadata = MetaData()


def unsought(column: Column[str]) -> ColumnElement[str]:
    """Returns a column as a database cannot look it up by an index.

    SQLite would read all events of a topic to find those of one account in it.
    """
    return column.concat("")


def _account(nullable: bool = False) -> Column[str]:
    return Column("account", String(97), nullable=nullable)


def _place(*first: Column[str]) -> tuple[Column[str] | Column[int], ...]:
    """Returns the primary key of a record's row: `first`, partition and offset."""
    return (
        *first,
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("offset", BigInteger, primary_key=True, autoincrement=False),
    )


def _topic() -> Column[str]:
    return Column("topic", String(64), primary_key=True)


positions = Table(
    "positions",
    metadata,
    _topic(),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("last_offset", BigInteger),
    Column("last_at", BigInteger),
    Column("first_offset", BigInteger, nullable=False),
    Column("unreadable", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How far each partition was read.

`last_offset`, `last_at`: offset and timestamp of the last record read; they show whether the topic
was recreated. `first_offset`: where reading began. `unreadable`: how many records could not be
decoded.
"""

freshness = Table(
    "freshness",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("as_of", BigInteger),
    Column("behind", BigInteger, nullable=False),
    Column("written_at", BigInteger, nullable=False),
)
"""The freshness of the index, in one row.

`as_of`: the index has every record that Kafka had then. `behind`: how many records were still to be
read at `written_at`.
"""

events = Table(
    "events",
    metadata,
    *_place(_topic()),
    _account(),
    Column("platform", String(32), nullable=False),
    Column("mode", String(8), nullable=False),
    Column("event", String(32), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("cycle", BigInteger, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("surface", String(32)),
    Column("event_id", String(128), nullable=False),
    Column("throttle_id", String(128)),
    Column("decided_at", BigInteger, nullable=False),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("events_account", events.c.account, events.c.decided_at)
"""The events, live and shadow; `value` is the published JSON."""

decisions = Table(
    "decisions",
    metadata,
    *_place(),
    _account(),
    Column("platform", String(32), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("now", BigInteger, nullable=False),
    Column("policy_version", BigInteger),
    Column("cause", Text, nullable=False),
    Column("eligible", Boolean, nullable=False),
    Column("field", String(32)),
    Column("transitions", Text),
    Column("deferrals", Text),
    Column("ignored", String(32)),
    Column("facts", Text),
    sqlite_with_rowid=False,
)
Index("decisions_account", decisions.c.account, decisions.c.now)
Index(
    "decisions_eligible",
    decisions.c.now,
    decisions.c.platform,
    decisions.c.field,
    sqlite_where=decisions.c.eligible == true(),
    postgresql_where=decisions.c.eligible,
)
"""The decisions of the decision log.

`eligible`: the account went from DWELLING to INSIDE. `facts`: null once the account was closed.
"""

log = Table(
    "log",
    metadata,
    *_place(),
    Column("kind", String(16), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("now", BigInteger, nullable=False),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
"""The log's other records: policies put in force, switches, tripped guards, a changed cluster."""

words = Table(
    "words",
    metadata,
    *_place(_topic()),
    _account(nullable=True),
    Column("word", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("entered_at", BigInteger, nullable=False),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("words_account", words.c.account, words.c.entered_at)
"""The inputs of owners, operators and the notifier, with known fields only.

`account`: null for a switch. `word`: its command, answer, outcome, change or switch.
"""

letters = Table(
    "letters",
    metadata,
    *_place(),
    Column("key", Text, nullable=False),
    _account(nullable=True),
    Column("platform", String(32)),
    Column("topic", String(64), nullable=False),
    Column("origin_partition", Integer, nullable=False),
    Column("origin_offset", BigInteger, nullable=False),
    Column("last_offset", BigInteger),
    Column("reason", String(32), nullable=False),
    Column("field", String(32)),
    Column("value_bytes", BigInteger, nullable=False),
    Column("entered_at", BigInteger, nullable=False),
    Column("refused_at", BigInteger, nullable=False),
    Column("settled", Boolean, nullable=False, server_default=false()),
    sqlite_with_rowid=False,
)
Index("letters_account", letters.c.account)
Index("letters_refused_at", letters.c.refused_at)
Index("letters_origin", letters.c.topic, letters.c.origin_partition, letters.c.origin_offset)
Index(
    "letters_open",
    *(letters.c.refused_at, letters.c.platform, letters.c.topic, letters.c.reason),
    letters.c.settled,
    sqlite_where=letters.c.settled == false(),
    postgresql_where=~letters.c.settled,
)
"""The dead letters: the place of a refused record (`topic`, `origin_…`), and why it was refused.

`settled`: a person has sent its record again or dismissed it; see settled.py.
"""

settlements = Table(
    "settlements",
    metadata,
    *_place(),
    Column("topic", String(64), nullable=False),
    Column("origin_partition", Integer, nullable=False),
    Column("origin_offset", BigInteger, nullable=False),
    Column("settled", String(16), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index(
    "settlements_origin",
    settlements.c.topic,
    settlements.c.origin_partition,
    settlements.c.origin_offset,
)
"""What persons did with dead letters: redriven (sent again) or dismissed."""

acks = Table(
    "acks",
    metadata,
    *_place(),
    _account(),
    Column("event_id", String(128), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("system", String(128), nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("entered_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("acks_account", acks.c.account)
"""The acknowledgements of throttle events by enforcing systems."""

policies = Table(
    "policies",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("platform", String(32), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("published_at", BigInteger, nullable=False),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
"""Every policy that was ever in force, in its canonical form."""

states = Table(
    "states",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("key", String(128), primary_key=True),
    Column("offset", BigInteger, nullable=False),
    Column("written_at", BigInteger, nullable=False),
    Column("live", SmallInteger),
    Column("watched", Boolean, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("due_at", BigInteger),
    Column("promise", String(16)),
    Column("unclear", Boolean, nullable=False, server_default=false()),
    Column("appeals", SmallInteger, nullable=False, server_default="0"),
    Column("waits_since", BigInteger),
    Column("unclear_since", BigInteger),
    Column("appeal_since", BigInteger),
    sqlite_with_rowid=False,
)
Index(
    "states_watched",
    states.c.live,
    sqlite_where=states.c.watched == true(),
    postgresql_where=states.c.watched,
)
Index(
    "states_due",
    *(states.c.due_at, states.c.partition, states.c.promise, states.c.key),
    sqlite_where=states.c.due_at.is_not(None),
    postgresql_where=states.c.due_at.is_not(None),
)
Index(
    "states_waits",
    *(states.c.live, states.c.waits_since, states.c.key, states.c.partition),
    sqlite_where=states.c.waits_since.is_not(None),
    postgresql_where=states.c.waits_since.is_not(None),
)
Index(
    "states_unclear",
    *(states.c.unclear_since, states.c.key, states.c.partition, states.c.live),
    sqlite_where=states.c.unclear_since.is_not(None),
    postgresql_where=states.c.unclear_since.is_not(None),
)
Index(
    "states_appeals",
    *(states.c.appeal_since, states.c.key, states.c.partition, states.c.appeals),
    sqlite_where=states.c.appeals > 0,
    postgresql_where=states.c.appeals > 0,
)
"""The workers' state of accounts: the newest changelog record of each key.

`live`: the state of the live invitation, as the number of `Invitation`. `watched`: an operator may
have to act on the account. `due_at`: when the time to answer ends, of a delivered invitation.
`promise`: alike for all that the same restriction would follow under the same policy. `unclear`: a
word is unclear. `appeals`: how many are open. `waits_since`: when the notice of an invitation was
sent of which nothing was heard (INVITED), or failed (UNDELIVERED). `unclear_since`, `appeal_since`:
of the earliest unclear word and open appeal.
"""

cycles = Table(
    "cycles",
    metadata,
    Column("account", String(97), primary_key=True),
    Column("invitation_id", String(128), primary_key=True),
    Column("platform", String(32), nullable=False),
    Column("mode", String(8)),
    Column("cycle", BigInteger, nullable=False),
    Column("phase", String(128)),
    Column("field", String(32)),
    Column("issued_at", BigInteger),
    Column("delivered_at", BigInteger),
    Column("undeliverable_at", BigInteger),
    Column("deadline_at", BigInteger),
    Column("expired_at", BigInteger),
    Column("cancelled_at", BigInteger),
    Column("declined_at", BigInteger),
    Column("granted_at", BigInteger),
    Column("withdrawn_at", BigInteger),
    Column("restricted_at", BigInteger),
    Column("lifted_at", BigInteger),
    Column("shadow_restricted_at", BigInteger),
    Column("shadow_lifted_at", BigInteger),
    sqlite_with_rowid=False,
)
Index("cycles_issued_at", cycles.c.issued_at)
SPANS: dict[str, tuple[str, str]] = {
    "until_delivered": ("issued_at", "delivered_at"),
    "until_granted": ("delivered_at", "granted_at"),
    "restricted_for": ("restricted_at", "lifted_at"),
}
"""Name of a duration → the columns of `cycles` with its start, and its end, where it counts."""
for _name, (_since, _at) in SPANS.items():
    Index(f"cycles_{_at}", cycles.c[_at], cycles.c.mode, cycles.c.platform, cycles.c[_since])
    # SQLite reads the rows themselves unless the index has the columns beside their difference.
    Index(
        f"cycles_{_name}",
        *(cycles.c.mode, cycles.c.platform, cycles.c[_at] - cycles.c[_since]),
        *(cycles.c[_at], cycles.c[_since]),
        sqlite_where=cycles.c[_at].is_not(None),
        postgresql_where=cycles.c[_at].is_not(None),
    )
Index(
    "cycles_deadline_at",
    *(cycles.c.deadline_at, cycles.c.platform),
    sqlite_where=cycles.c.granted_at.is_(None) & cycles.c.expired_at.is_(None),
    postgresql_where=cycles.c.granted_at.is_(None) & cycles.c.expired_at.is_(None),
)
"""One row for each invitation, with the time of each step.

`issued_at` and `restricted_at` are those of the first issue and restriction, all others those of
the last time. A surface may be restricted in shadow in a live invitation (`shadow_…`).
"""

obliged = Table(
    "obliged",
    metadata,
    Column("account", String(97), primary_key=True),
    Column("surface", String(32), primary_key=True),
    Column("platform", String(32), nullable=False),
    Column("event", String(32), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("event_id", String(128), nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("done", Boolean, nullable=False),
    Column("failed", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
Index(
    "obliged_decided_at",
    *(obliged.c.decided_at, obliged.c.platform, obliged.c.done),
    sqlite_where=obliged.c.done == false(),
    postgresql_where=~obliged.c.done,
)
"""What enforcing systems have to do now: the newest restriction or lift of each surface.

`done`: a system said that it carried it out. `failed`: one said that it could not.
"""

sums = Table(
    "sums",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("platform", String(32), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How often something happened in an hour; see sums.py."""

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("what", String(32), nullable=False),
    Column("says", Text, nullable=False),
)
"""The history of the index itself: made, migrated, rebuilt, gaps in Kafka. Not from Kafka."""

accesses = Table(
    "accesses",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("what", String(64), nullable=False),
    _account(nullable=True),
)
Index("accesses_at", accesses.c.at)
Index("accesses_account", accesses.c.account)
"""Who asked the read API about which account, and when. Not from Kafka."""

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("holder", String(80), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)
"""The console's sessions. Not from Kafka.

`digest`: SHA-256 of the session's id, which only the browser has. `holder`: its line in the roles
file, by the digest there.
"""

proposals = Table(
    "proposals",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("made_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("topic", String(64), nullable=False),
    Column("word", String(32), nullable=False),
    Column("asked", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("decided_at", BigInteger),
    Column("decided_by", String(64)),
    Column("outcome", Text),
)
Index("proposals_made_at", proposals.c.made_at)
"""What persons prepared in the console, and what became of it. Not from Kafka.

`topic`, `word`: the input and its command or switch. `asked`: its content as JSON. `state`: of
`streams.console.proposals.State`. `outcome`: what was sent, as JSON.
"""

kept_reports = Table(
    "kept_reports",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(128), nullable=False),
    Column("actor", String(64)),
    Column("made_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("says", Text, nullable=False),
    Column("content", Text),
)
Index("kept_reports_kind", kept_reports.c.kind, kept_reports.c.made_at)
"""Reports of backtests that were put here, and those that the console lets be worked out.

Not from Kafka. `kind`, `state`: of `streams.index.kept`. `made_at`: when it was put here or asked
for. `seen_at`: when whoever works it out was last alive, or when it ended. `says`: what it is about
or what went wrong, in lines. `content`: the report.
"""

OWN = (runs, accesses, sessions, proposals, kept_reports)
"""Tables that are not made from Kafka's records: neither a rebuild nor a purge touches them."""

APPENDED = (events, decisions, log, words, letters, settlements, acks)
"""Tables with one row for each record, to which rows are only added."""
