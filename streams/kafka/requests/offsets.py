"""Asks leaders for the offsets of partitions, so that one bad partition does not spoil the rest.

aiokafka's `end_offsets` fails if one of its partitions does, and then asks for all of them again,
until its time limit is over.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Iterable
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.offset import OffsetRequest

EARLIEST, LATEST = -2, -1
"""Kafka's numbers for a partition's first offset and for its end offset."""
READ_UNCOMMITTED, READ_COMMITTED = 0, 1
ANSWER_SECONDS = 2.0
"""How long one leader is waited for."""


class OffsetAnswer(NamedTuple):
    """One leader's answer: `found` by partition. `failed`: by partition, why there is no offset."""

    found: dict[TopicPartition, int]
    failed: dict[TopicPartition, str]


async def answers(
    client: Any, partitions: Iterable[TopicPartition], which: int, isolation: int = READ_UNCOMMITTED
) -> AsyncGenerator[OffsetAnswer, None]:
    """Yields the answer of each leader as it comes; each partition is in one of them.

    `client` is an AIOKafkaClient. `which`: EARLIEST or LATEST. It raises no KafkaError.
    """
    leaders, lost = await _by_leader(client, sorted(set(partitions)))
    if lost:
        client.force_metadata_update()
        yield OffsetAnswer({}, lost)
    tasks = [
        asyncio.ensure_future(_of_leader(client, node, tps, which, isolation))
        for node, tps in leaders.items()
    ]
    try:
        for task in asyncio.as_completed(tasks):
            yield await task
    finally:
        for task in tasks:
            task.cancel()


async def offsets(
    client: Any, partitions: Iterable[TopicPartition], which: int, isolation: int = READ_UNCOMMITTED
) -> OffsetAnswer:
    """Returns the answers of all leaders as one."""
    whole = OffsetAnswer({}, {})
    async for answer in answers(client, partitions, which, isolation):
        whole.found.update(answer.found)
        whole.failed.update(answer.failed)
    return whole


async def _by_leader(
    client: Any, partitions: Collection[TopicPartition]
) -> tuple[dict[int, list[TopicPartition]], dict[TopicPartition, str]]:
    """Groups partitions by the node id of their leader; and says which have none that is known."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            for topic in {tp.topic for tp in partitions}:
                await client.add_topic(topic)
    except TimeoutError:
        pass  # What is known already is enough for the other topics.
    leaders: dict[int, list[TopicPartition]] = defaultdict(list)
    lost = {}
    for tp in partitions:
        node = client.cluster.leader_for_partition(tp)
        if node is None or node < 0:
            lost[tp] = "no leader is known"
        else:
            leaders[node].append(tp)
    return leaders, lost


async def _of_leader(
    client: Any, node: int, partitions: list[TopicPartition], which: int, isolation: int
) -> OffsetAnswer:
    wanted: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for tp in partitions:
        wanted[tp.topic].append((tp.partition, which))
    request = OffsetRequest(-1, isolation, list(wanted.items()))
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await client.send(node, request)
    except (KafkaError, OSError, TimeoutError) as error:
        client.force_metadata_update()
        why = f"broker {node} does not answer: {type(error).__name__}"
        return OffsetAnswer({}, dict.fromkeys(partitions, why))
    found, failed = {}, {}
    for topic, described in answer.topics:
        for partition, code, _timestamp, offset, *_ in described:
            if code:
                failed[TopicPartition(topic, partition)] = for_code(code).__name__
            else:
                found[TopicPartition(topic, partition)] = offset
    if failed:
        client.force_metadata_update()
    return OffsetAnswer(found, failed)
