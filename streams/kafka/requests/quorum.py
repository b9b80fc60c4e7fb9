"""Asks the cluster what time it is, without writing anything (KIP-836).

No request of Kafka is made for it. But the leader of the metadata quorum, asked about its replicas,
says of itself that it was caught up just now, by its own clock. Kafka 3.3 with KRaft; it takes
Describe on the cluster.
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
    """The replicas of the metadata log, by partition of it (there is one)."""

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
    """Ask about partitions of the metadata log."""

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
    """The cluster's clock (milliseconds UTC) at an instant within the last `took_ms`."""

    at_ms: int
    took_ms: int


async def cluster_time(client: Any) -> ClusterTime | None:
    """What the leader of the quorum says that it is; None where it does not say.

    `client` is an AIOKafkaClient. Raises KafkaError: IncompatibleBrokerVersion where the cluster
    has no such request, ClusterAuthorizationFailedError without Describe on the cluster.
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
