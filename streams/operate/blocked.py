"""`byline topics blocked`: finds open transactions that keep inputs from being read to their end.

Workers read committed records only. An open transaction of a producer hides all records behind its
first one until it ends, and the timers of the partition wait as long.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaError,
    LeaderNotAvailableError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
)

from schemas.topics import INPUTS, Topic
from streams.kafka.consumer import TolerantConsumer
from streams.kafka.requests.metadata import NO_RIGHT_TO_SEE, view_topics
from streams.kafka.requests.open_transactions import OpenTransaction, open_transactions
from streams.operate.clients import consumer
from streams.operate.errors import KafkaAbsentError, NoRightError, OperateError, UsageError
from streams.operate.topics import names_of
from streams.settings import Settings

LOOK_SECONDS = 30.0
LEADER_TRIES = 10
LEADER_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Blocked:
    """An open transaction in a partition.

    `offset`: its first record. `hidden`: how many offsets from there on cannot be read.
    `open_seconds`: how long it has been open, or at least that long if no coordinator says when it
    began. `ends_within_seconds`: after what time its coordinator aborts it; None: no coordinator
    that we may ask knows it, so it may hang for ever.
    """

    topic: str
    partition: int
    offset: int
    hidden: int
    producer_id: int
    producer_epoch: int
    transactional_id: str | None
    open_seconds: float
    ends_within_seconds: float | None

    @property
    def what(self) -> str:
        """Says which partition is blocked, by which producer, and for how long."""
        own = "" if self.transactional_id is None else f" ({self.transactional_id})"
        return (
            f"{self.topic}[{self.partition}] is blocked at offset {self.offset}: producer"
            f" {self.producer_id}{own} has had a transaction open for {self.open_seconds:.0f} s;"
            f" {self.hidden} records lie behind it"
        )

    def abort_command(self, bootstrap: str) -> str:
        """Returns the command line of Kafka's own tool that aborts the transaction."""
        return (
            f"kafka-transactions --bootstrap-server {bootstrap} abort --topic {self.topic}"
            f" --partition {self.partition} --start-offset {self.offset}"
        )


async def blocked(
    settings: Settings,
    now: int,
    longer_than_seconds: float,
    topics: Iterable[Topic] = INPUTS,
) -> list[Blocked]:
    """Returns the transactions in inputs that have been open for at least `longer_than_seconds`.

    `now`: ms since 1970. `topics`: look at these instead. Raises UsageError if a topic is missing,
    KafkaAbsentError if Kafka does not answer, OperateError if it is too old or does not allow us to
    ask.
    """
    names = names_of(settings)
    wanted = [names.of(topic) for topic in topics]
    async with consumer(settings, committed=False) as client:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                found = await _open(client._client, await _places(client, wanted))
                ends = await client.end_offsets(
                    [TopicPartition(one.topic, one.partition) for one in found]
                )
        except IncompatibleBrokerVersion as error:
            raise OperateError(
                "this Kafka does not tell whose transactions are open: it is older than 3.0"
            ) from error
        except TopicAuthorizationFailedError as error:
            raise NoRightError(f"no right to read an input ({error})") from error
        except (KafkaError, TimeoutError) as error:
            raise KafkaAbsentError(f"Kafka does not tell who has transactions: {error}") from error
    rows = [_row(one, ends, now) for one in found]
    return [row for row in rows if row.open_seconds >= longer_than_seconds]


async def _open(client: Any, places: list[tuple[str, int]]) -> list[OpenTransaction]:
    """Asks for open transactions, again while a partition has no leader.

    A topic that was just created has none, nor a partition whose broker has failed.
    """
    for _ in range(LEADER_TRIES - 1):
        with suppress(LeaderNotAvailableError, NotLeaderForPartitionError):
            return await open_transactions(client, places)
        await asyncio.sleep(LEADER_SECONDS)
        await client.force_metadata_update()
    return await open_transactions(client, places)


async def _places(client: TolerantConsumer, topics: list[str]) -> list[tuple[str, int]]:
    """Returns all partitions of these topics. Raises UsageError if one is missing.

    It lists all topics of the cluster, because asking for a missing one by name may create it.
    """
    cluster = await client._client.fetch_all_metadata()
    known = {topic: sorted(cluster.partitions_for_topic(topic) or ()) for topic in topics}
    missing = [topic for topic, numbers in known.items() if not numbers]
    view = await view_topics(client._client, missing) if missing else None
    told = {} if view is None else view.topics
    hidden = [name for name, topic in told.items() if topic.error == NO_RIGHT_TO_SEE]
    if hidden:
        raise NoRightError(f"no right to Describe {', '.join(sorted(hidden))}")
    if missing:
        raise UsageError(f"missing topics: {', '.join(missing)}. `byline topics create` makes them")
    return [(topic, number) for topic, numbers in known.items() for number in numbers]


def _row(one: OpenTransaction, ends: Mapping[TopicPartition, int], now: int) -> Blocked:
    within = None
    if one.began_at is not None and one.timeout_ms is not None:
        within = round(max(0, one.began_at + one.timeout_ms - now) / 1000, 1)
    end = ends[TopicPartition(one.topic, one.partition)]
    return Blocked(
        one.topic,
        one.partition,
        one.start_offset,
        max(0, end - one.start_offset),
        one.producer_id,
        one.producer_epoch,
        one.transactional_id,
        round(one.open_seconds(now), 1),
        within,
    )
