"""Reads the data of an explanation from the index, or from Kafka's topics.

From Kafka it reads only the account's partition, and keeps only the records with its key and those
that concern every account.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, Table, and_, func, select

from streams.core.model.ids import pseudonym
from streams.explain.material import LISTED, Material
from streams.index import tables
from streams.index.database import reading
from streams.index.feed import Batch, Feed
from streams.index.fresh import freshness
from streams.index.projection import ACCOUNTS
from streams.index.writer import Position
from streams.operate.account_states import CHANGELOG, POLICIES, RESERVED
from streams.operate.audit.records import Record
from streams.operate.clients import consumer
from streams.operate.ends import Ends
from streams.operate.errors import EndHiddenError
from streams.operate.send import in_use, partition_of
from streams.operate.topics import names_of
from streams.settings import Settings

_TIMES = {
    "events": "decided_at",
    "decisions": "now",
    "words": "entered_at",
    "letters": "refused_at",
    "acks": "entered_at",
}

Progress = Callable[[int, int], None]
"""Called with the number of offsets read so far, and the number of all offsets to read."""


def from_index(engine: Engine, account: str, partitions: int | None = None) -> Material:
    """Reads what the index has of an account, in one snapshot.

    `partitions`: how many are in use, if others were added.

    Raises DatabaseAway, IndexFault.
    """
    with reading(engine) as connection:
        count = connection.scalar(
            select(func.count()).where(tables.positions.c.topic == ACCOUNTS.name)
        )
        count = max(1, min(count or 0, partitions or count or 0))
        fresh = freshness(connection)
        found = Material(
            account,
            partition_of(account.encode(), count),
            "index",
            fresh.as_of,
            fresh.behind,
            read=fresh.read,
        )
        found.states.partition_count = count
        _states(connection, found)
        for name in LISTED:
            found.tables[name] = _rows(connection, tables.metadata.tables[name], account)
        words = tables.words
        found.switches = _mappings(
            connection, select(words).where(words.c.topic == "switches").order_by(words.c.offset)
        )
        any_ack = connection.scalar(select(tables.acks.c.offset).limit(1))
        found.acknowledged = any_ack is not None
    return found


def _states(connection: Connection, found: Material) -> None:
    states, policies = tables.states, tables.policies
    key, remains = found.account, pseudonym(found.account.encode())
    wanted = [key, remains.decode(), *(it.decode() for it in RESERVED)]
    mine = and_(states.c.partition == found.partition, states.c.key.in_(wanted))
    for it in connection.execute(select(states).where(mine)):
        place = (CHANGELOG, it.partition, it.offset, it.written_at)
        found.take_state(Record(*place, it.key.encode(), bytes(it.value)), remains)
    for it in connection.execute(select(policies)):
        place = (POLICIES, 0, it.offset, it.published_at)
        found.take_policy(Record(*place, it.digest.encode(), it.value.encode()))


def _rows(connection: Connection, table: Table, account: str) -> list[Mapping[str, Any]]:
    order = (table.c[_TIMES[table.name]], table.c.offset)
    return _mappings(connection, select(table).where(table.c.account == account).order_by(*order))


def _mappings(connection: Connection, statement: Any) -> list[Mapping[str, Any]]:
    return [dict(it) for it in connection.execute(statement).mappings()]


async def from_kafka(
    settings: Settings, account: str, progress: Progress = lambda _, __: None
) -> Material:
    """Reads the same from the topics, up to the present ends of the account's partition.

    If an open transaction hides an end, `whole` of the result is false and `hidden` says why.
    Raises KafkaAbsentError, UsageError if topics are missing, NoRightError.
    """
    async with consumer(settings) as client:
        feed = Feed(client, names_of(settings))
        await feed.find()
        looked_at = int(time.time() * 1000)
        high, ends = await feed.high_watermarks(), await feed.ends()
        count = in_use(settings, sum(topic == ACCOUNTS.name for topic, _ in ends))
        number = partition_of(account.encode(), count)
        single = {place for place in ends if sum(it[0] == place[0] for it in ends) == 1}
        ends = {place: end for place, end in ends.items() if place[1] == number or place in single}
        begins = await feed.begins()
        read = {place: Position(begins[place]) for place in ends}
        feed.go_to({place: it.next_offset for place, it in read.items()})
        found = Material(account, number, "kafka", looked_at)
        found.states.partition_count = count
        gathered = _Gathered(found)
        total = sum(end - begins[place] for place, end in ends.items())
        wanted = Ends(ends)
        while left := sum(max(0, end - read[place].next_offset) for place, end in ends.items()):
            progress(total - left, total)
            wanted.reached({place: it.next_offset for place, it in read.items()})
            stretches = await feed.take(0.3)
            batch = Batch()
            feed.add(batch, stretches, read, gathered.wants)
            read.update(batch.moved)
            gathered.take(batch)
        mine = {it: end for it, end in high.items() if feed.place(it) in ends}
        try:
            await feed.nothing_hidden(mine)
        except EndHiddenError as error:
            found.whole, found.hidden = False, str(error)
            found.behind = sum(max(0, end - ends[feed.place(it)]) for it, end in mine.items())
        found.unreadable = read[CHANGELOG, number].unreadable
        return gathered.done()


class _Gathered:
    """Keeps those of the records read that the explanation of an account needs."""

    def __init__(self, found: Material) -> None:
        self._found = found
        self._key = found.account.encode()
        self._remains = pseudonym(self._key)
        self._wanted = {self._key, self._remains, *RESERVED}
        self._lists: dict[str, list[Mapping[str, Any]]] = {name: [] for name in LISTED}

    def wants(self, topic: str, key: bytes | None) -> bool:
        """Returns whether a record may be needed, from its topic and key."""
        return key in self._wanted or topic in ("switches", "policies", "throttle-acks")

    def take(self, batch: Batch) -> None:
        rows, found = batch.rows, self._found
        for (partition, key), row in rows.states.items():
            place = (CHANGELOG, partition, row[0] if row else 0, row[1] if row else 0)
            value = row[4] if row else None
            found.take_state(Record(*place, key.encode(), value), self._remains)
        for digest, policy in rows.policies.items():
            text = policy[-1].encode()
            found.take_policy(Record(POLICIES, 0, policy[2], policy[3], digest.encode(), text))
        for name in LISTED:
            columns = [it.name for it in tables.metadata.tables[name].columns]
            named = [dict(zip(columns, row, strict=True)) for row in getattr(rows, name)]
            if name == "acks":
                found.acknowledged = found.acknowledged or bool(named)
            if name == "words":
                found.switches += [it for it in named if it["topic"] == "switches"]
            self._lists[name] += [it for it in named if it["account"] == found.account]

    def done(self) -> Material:
        """Returns the material with its rows in order of time."""
        for name, rows in self._lists.items():
            self._found.tables[name] = sorted(rows, key=_order(_TIMES[name]))
        return self._found


def _order(time: str) -> Callable[[Mapping[str, Any]], tuple[int, int]]:
    return lambda row: (row[time], row["offset"])
