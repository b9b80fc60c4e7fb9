"""Asks the coordinator of a group, which may be being made, loaded or moved to another broker.

An answer with an error holds no members and no offsets, and must not be taken for a group without
any.
"""

import asyncio
from collections.abc import Iterable

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    for_code,
)

from streams.kafka.requests.groups import UNSTABLE, ask_offsets

COORDINATOR_TRIES = 20
COORDINATOR_SECONDS = 0.5
COORDINATOR_MOVES = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
"""Errors of a coordinator that can be asked again soon."""
_AGAIN = frozenset({UNSTABLE, *(error.errno for error in COORDINATOR_MOVES)})


async def stable_offsets(
    client: AIOKafkaAdminClient, group: str, places: Iterable[TopicPartition]
) -> dict[TopicPartition, int]:
    """Returns a group's committed offsets; partitions without one are left out.

    A coordinator that moves, or a transaction whose markers are still being written, is waited for,
    up to ten seconds.

    Raises:
        GroupAuthorizationFailedError: the group may not be described.
        KafkaError: the offsets are not known.
    """
    wanted, codes = list(places), set[int]()
    for tries_left in reversed(range(COORDINATOR_TRIES)):
        try:
            node = await client.find_coordinator(group)
            answer = await client._send_request_to_node(node, ask_offsets(group, wanted))
            codes = answer.errors
        except COORDINATOR_MOVES as error:
            codes = {error.errno}
        if not codes:
            return {TopicPartition(*place): offset for place, offset in answer.offsets.items()}
        if codes - _AGAIN or not tries_left:
            break
        await asyncio.sleep(COORDINATOR_SECONDS)
    raise for_code(min(codes - _AGAIN or codes))(f"the offsets of group {group} are not known")
