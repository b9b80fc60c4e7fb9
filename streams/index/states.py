"""Reads the workers' state from the index, as the changelog records that it was made from.

`feed` is a method of `streams.operate.account_states` or `streams.operate.worklists`.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, Connection, and_, func, select

from streams.core.lifecycle import Invitation
from streams.index import tables
from streams.index.projection import ACCOUNTS
from streams.operate.account_states import CHANGELOG, POLICIES, RESERVED
from streams.operate.audit.records import Record
from streams.operate.worklists import INVITATIONS, WorkList, WorkLists

Feed = Callable[[Record], None]
POSITION = "#next"
"""The key under which a partition stores its input positions (streams/engine/checkpoint.py)."""


def partition_count(connection: Connection) -> int:
    """Returns how many partitions the accounts' changelog has."""
    mine = tables.positions.c.topic == ACCOUNTS.name
    return connection.scalar(select(func.count()).where(mine)) or 1


def reserved(connection: Connection, keys: Sequence[str]) -> ColumnElement[bool]:
    """Returns the condition of keys that each partition may have: by the key of the table."""
    states = tables.states
    return and_(states.c.partition.in_(range(partition_count(connection))), states.c.key.in_(keys))


def feed_beside(connection: Connection, feed: Feed) -> None:
    """Feeds the policies and the partitions' own state: switches, caps, guards, positions."""
    policies, states = tables.policies, tables.states
    for it in connection.execute(select(policies)):
        place = (POLICIES, 0, it.offset, it.published_at)
        feed(Record(*place, it.digest.encode(), it.value.encode()))
    wanted = [*(it.decode() for it in RESERVED), POSITION]
    for it in connection.execute(select(states).where(reserved(connection, wanted))):
        place = (CHANGELOG, it.partition, it.offset, it.written_at)
        feed(Record(*place, it.key.encode(), bytes(it.value)))


def feed_watched(connection: Connection, feed: Feed, which: WorkList | None = None) -> None:
    """Feeds the accounts that an operator may have to act on; None: for all work-lists."""
    states = tables.states
    wanted = {
        None: states.c.watched,
        "undeliverable": and_(states.c.watched, states.c.live == int(Invitation.UNDELIVERED)),
        "unconfirmed": and_(states.c.watched, states.c.live == int(Invitation.INVITED)),
        "unclear": states.c.unclear_since.is_not(None),
        "pending": states.c.due_at.is_not(None),
        "appeals": states.c.appeals > 0,
    }
    for it in connection.execute(select(states).where(wanted[which])):
        place = (CHANGELOG, it.partition, it.offset, it.written_at)
        feed(Record(*place, it.key.encode(), bytes(it.value)))


def feed_list(connection: Connection, which: WorkList, lists: WorkLists) -> None:
    """Feeds all that a work-list is made from."""
    feed_beside(connection, lists.feed)
    feed_watched(connection, lists.feed, which)
    if which == "undeliverable":
        feed_notices(connection, lists)


def feed_notices(connection: Connection, lists: WorkLists) -> None:
    """Feeds what became of the notices of the accounts whose last one failed."""
    events, states = tables.events, tables.states
    failed = select(states.c.key).where(
        states.c.live == int(Invitation.UNDELIVERED), states.c.waits_since.is_not(None)
    )
    mine = and_(tables.unsought(events.c.topic) == INVITATIONS, events.c.account.in_(failed))
    columns = (events.c.account, events.c.event, events.c.reason)
    order = (events.c.partition, events.c.offset)
    for account, name, reason in connection.execute(select(*columns).where(mine).order_by(*order)):
        lists.notice(account, name, reason)
