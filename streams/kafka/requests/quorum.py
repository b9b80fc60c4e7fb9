"""Asks the cluster for its time, without writing anything (KIP-836).

Kafka has no request for the time. But the leader of the metadata quorum reports for each replica
when it was last caught up, and for itself that is its present time. It needs Kafka 3.3 with KRaft,
and the right Describe on the cluster.
"""

import time
from typing import Any, NamedTuple

from aiokafka.errors import for_code
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
_REPLICAS = CompactArray(
    ("replica_id", Int32),
    ("end_offset", Int64),
    ("fetched_at", Int64),
    ("caught_up_at", Int64),
    ("tags", TaggedFields),
)


class DescribeQuorumResponse1(Response):  # type: ignore[misc]
    """The replicas of the metadata log's partitions (there is one)."""

    API_KEY = 55
    API_VERSION = 1
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "topics",
            CompactArray(
                ("name", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("high_watermark", Int64),
                        ("voters", _REPLICAS),
                        ("observers", _REPLICAS),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeQuorumRequest1(RequestStruct):  # type: ignore[misc]
    """Asks about partitions of the metadata log."""

    FLEXIBLE_VERSION = True
    API_KEY = 55
    API_VERSION = 1
    RESPONSE_TYPE = DescribeQuorumResponse1
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("name", _TEXT),
                ("partitions", CompactArray(("partition", Int32), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class ClusterTime(NamedTuple):
    """The cluster's time in milliseconds UTC, read at some instant in the last `took_ms`."""

    at_ms: int
    took_ms: int


async def cluster_time(client: Any) -> ClusterTime | None:
    """Returns the time of the quorum's leader; None if it reports none.

    `client` is an AIOKafkaClient.

    Raises:
        KafkaError: IncompatibleBrokerVersion if the cluster lacks the request,
            ClusterAuthorizationFailedError without the right Describe on the cluster.
    """
    no_tags: dict[int, bytes] = {}
    wanted = [("__cluster_metadata", [(0, no_tags)], no_tags)]
    began = time.monotonic()
    answer = await client.send(
        client.get_random_node(), Exact(DescribeQuorumRequest1(wanted, no_tags))
    )
    took_ms = round(1000 * (time.monotonic() - began))
    if answer.error_code:
        raise for_code(answer.error_code)("the metadata quorum")
    for _, partitions, _ in answer.topics:
        for _, error_code, leader, _, _, voters, *_ in partitions:
            if error_code:
                raise for_code(error_code)("the metadata quorum")
            for replica, _, _, caught_up_at, _ in voters:
                if replica == leader and caught_up_at > 0:
                    return ClusterTime(caught_up_at, took_ms)
    return None
