"""Finds producers with an open transaction in a partition (KIP-664).

DescribeProducers returns the producers that a partition's leader knows. The transaction
coordinators know the transactional ids and when the transactions began; ListTransactions and
DescribeTransactions return what the client has the right to see. Kafka 3.0 has all three.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, LeaderNotAvailableError, for_code
from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from streams.kafka.requests.exact import Exact

_TEXT = CompactString("utf-8")
_NO_TAGS: dict[int, bytes] = {}


class DescribeProducersResponse0(Response):  # type: ignore[misc]
    """The producers of partitions. `txn_start_offset` is -1 without an open transaction."""

    API_KEY = 61
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("name", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("error_message", _TEXT),
                        (
                            "producers",
                            CompactArray(
                                ("producer_id", Int64),
                                ("producer_epoch", Int32),
                                ("last_sequence", Int32),
                                ("last_timestamp", Int64),
                                ("coordinator_epoch", Int32),
                                ("txn_start_offset", Int64),
                                ("tags", TaggedFields),
                            ),
                        ),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeProducersRequest0(RequestStruct):  # type: ignore[misc]
    """Asks a leader for the producers of its partitions."""

    FLEXIBLE_VERSION = True
    API_KEY = 61
    API_VERSION = 0
    RESPONSE_TYPE = DescribeProducersResponse0
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("name", _TEXT), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeTransactionsResponse0(Response):  # type: ignore[misc]
    """The state of transactions, from their coordinator."""

    API_KEY = 65
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "transactions",
            CompactArray(
                ("error_code", Int16),
                ("transactional_id", _TEXT),
                ("state", _TEXT),
                ("timeout_ms", Int32),
                ("began_at", Int64),
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                (
                    "topics",
                    CompactArray(
                        ("topic", _TEXT),
                        ("partitions", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeTransactionsRequest0(RequestStruct):  # type: ignore[misc]
    """Asks a coordinator about transactional ids."""

    FLEXIBLE_VERSION = True
    API_KEY = 65
    API_VERSION = 0
    RESPONSE_TYPE = DescribeTransactionsResponse0
    SCHEMA = Schema(("transactional_ids", CompactArray(_TEXT)), ("tags", TaggedFields))


class ListTransactionsResponse0(Response):  # type: ignore[misc]
    """The transactional ids of a coordinator."""

    API_KEY = 66
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("unknown_states", CompactArray(_TEXT)),
        (
            "transactions",
            CompactArray(
                ("transactional_id", _TEXT),
                ("producer_id", Int64),
                ("state", _TEXT),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class ListTransactionsRequest0(RequestStruct):  # type: ignore[misc]
    """Asks a broker, as coordinator, for the transactional ids of producers."""

    FLEXIBLE_VERSION = True
    API_KEY = 66
    API_VERSION = 0
    RESPONSE_TYPE = ListTransactionsResponse0
    SCHEMA = Schema(
        ("states", CompactArray(_TEXT)),
        ("producer_ids", CompactArray(Int64)),
        ("tags", TaggedFields),
    )


class OpenTransaction(NamedTuple):
    """An open transaction of a producer in a partition; instants are milliseconds UTC.

    `start_offset`: a `read_committed` consumer can read nothing from there on. `written_at`: the
    time of its last record. `transactional_id`, `began_at` and `timeout_ms` are None if no
    coordinator knows the transaction, which then never ends by itself, or if the client may not see
    it.
    """

    topic: str
    partition: int
    producer_id: int
    producer_epoch: int
    coordinator_epoch: int
    start_offset: int
    written_at: int
    transactional_id: str | None = None
    began_at: int | None = None
    timeout_ms: int | None = None

    def open_seconds(self, now: int) -> float:
        """Returns how long it has been open at `now`; if its start is unknown, the time since its
        last record.
        """
        since = self.written_at if self.began_at is None else self.began_at
        return max(0, now - since) / 1000


async def open_transactions(
    client: Any, places: Iterable[tuple[str, int]]
) -> list[OpenTransaction]:
    """Returns the first open transaction in each of these partitions (`places`), if there is one.

    `client` is an AIOKafkaClient. Raises KafkaError (a missing right, a partition without leader,
    IncompatibleBrokerVersion before Kafka 3.0), OSError, TimeoutError.
    """
    found = []
    for node, topics in (await _by_leader(client, places)).items():
        wanted = [(topic, numbers, _NO_TAGS) for topic, numbers in topics.items()]
        answer = await client.send(node, Exact(DescribeProducersRequest0(wanted, _NO_TAGS)))
        for topic, partitions, _ in answer.topics:
            found += [one for it in partitions if (one := _first(topic, it)) is not None]
    return [await _named(client, one) for one in found]


async def marker_time(client: Any, place: tuple[str, int], producer_id: int) -> int | None:
    """Returns the time of the marker that ended a producer's last transaction in a partition.

    The partition's leader gives it by its own clock; milliseconds UTC. None while a transaction is
    open there, its marker is not written, or the leader does not know the producer. `client` is an
    AIOKafkaClient. Raises as `open_transactions` does.
    """
    for node, topics in (await _by_leader(client, [place])).items():
        wanted = [(topic, numbers, _NO_TAGS) for topic, numbers in topics.items()]
        answer = await client.send(node, Exact(DescribeProducersRequest0(wanted, _NO_TAGS)))
        for topic, partitions, _ in answer.topics:
            for partition, error_code, _, producers, _ in partitions:
                if error_code:
                    raise for_code(error_code)(f"{topic}[{partition}]")
                for known, _, _, written_at, _, start_offset, _ in producers or ():
                    if known == producer_id and start_offset < 0:
                        return int(written_at)
    return None


async def _by_leader(
    client: Any, places: Iterable[tuple[str, int]]
) -> dict[int, dict[str, list[int]]]:
    """Groups partitions by the node id of their leader, then by topic."""
    leaders: dict[int, dict[str, list[int]]] = {}
    known = sorted(set(places))
    for topic in {topic for topic, _ in known}:
        await client.add_topic(topic)
    for topic, partition in known:
        node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        if node is None or node < 0:
            raise LeaderNotAvailableError(f"{topic}[{partition}] has no leader")
        leaders.setdefault(node, {}).setdefault(topic, []).append(partition)
    return leaders


def _first(topic: str, described: Any) -> OpenTransaction | None:
    partition, error_code, _, producers, _ = described
    if error_code:
        raise for_code(error_code)(f"{topic}[{partition}]")
    opened = [one for one in producers or () if one[5] >= 0]
    if not opened:
        return None
    producer_id, epoch, _, written_at, coordinator_epoch, start, _ = min(
        opened, key=lambda one: one[5]
    )
    return OpenTransaction(
        topic, partition, producer_id, epoch, coordinator_epoch, start, written_at
    )


async def _named(client: Any, known: OpenTransaction) -> OpenTransaction:
    """Adds what a coordinator knows of a transaction; without one, returns it unchanged."""
    listing = Exact(ListTransactionsRequest0([], [known.producer_id], _NO_TAGS))
    for broker in client.cluster.brokers():
        try:
            listed = await client.send(broker.nodeId, listing)
            ids = [one[0] for one in listed.transactions or () if one[1] == known.producer_id]
            if not ids:
                continue
            told = await client.send(
                broker.nodeId, Exact(DescribeTransactionsRequest0(ids, _NO_TAGS))
            )
        except KafkaError:
            continue
        for error_code, name, _state, timeout, began_at, *_ in told.transactions or ():
            if error_code == 0:
                began = began_at if began_at > 0 else None
                return known._replace(transactional_id=name, began_at=began, timeout_ms=timeout)
    return known
