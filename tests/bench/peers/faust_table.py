"""Stock faust-streaming: an agent a topic, one shared table in memory, at_least_once.

Its exactly_once is no fairer: it is slower still, and writes these outputs outside of the
transaction (streams/engine/DESIGN.md).
"""

import faust

from tests.bench.peers.common import (
    APPLICATION,
    BOOTSTRAP,
    CATEGORIES,
    COVERED,
    FOLLOWERS,
    INVITATIONS,
    LINE,
    PARTITIONS,
    STATE_DIR,
    first,
    invitation,
)

app = faust.App(
    APPLICATION,
    broker=f"kafka://{BOOTSTRAP}",
    store="memory://",
    processing_guarantee="at_least_once",
    datadir=STATE_DIR,
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    topic_disable_leader=True,
)


class TableReading(faust.Record, serializer="json"):  # type: ignore[call-arg]
    """An input."""

    platform: str
    account_id: str
    followers: int
    observed_at: str


class TableLabel(faust.Record, serializer="json"):  # type: ignore[call-arg]
    """An input."""

    platform: str
    account_id: str
    category: str
    observed_at: str


class TableAccount(faust.Record, serializer="json"):  # type: ignore[call-arg]
    """What is kept."""

    followers: int = 0
    category: str | None = None
    invited: bool = False


readings = app.topic(FOLLOWERS, key_type=str, value_type=TableReading, partitions=PARTITIONS)
categories = app.topic(CATEGORIES, key_type=str, value_type=TableLabel, partitions=PARTITIONS)
invitations = app.topic(INVITATIONS, key_type=str, value_serializer="json", partitions=PARTITIONS)
accounts = app.Table("accounts", key_type=str, value_type=TableAccount, partitions=PARTITIONS)


async def decide(key: str, account: TableAccount) -> None:
    """The rule."""
    over = account.followers >= LINE and account.category in COVERED
    if over and not account.invited:
        account.invited = True
        platform, _, account_id = key.partition(":")
        await invitations.send(key=key, value=invitation(platform, account_id, account.followers))
    accounts[key] = account


@app.agent(readings)
async def on_reading(stream: faust.Stream) -> None:
    """A count."""
    async for key, reading in stream.items():
        first()
        account = accounts.get(key) or TableAccount()
        account.followers = reading.followers
        await decide(key, account)


@app.agent(categories)
async def on_category(stream: faust.Stream) -> None:
    """A label."""
    async for key, change in stream.items():
        first()
        account = accounts.get(key) or TableAccount()
        account.category = change.category
        await decide(key, account)
